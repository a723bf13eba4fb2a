//! Bytes as documents: loading never panics, and what was loaded can be used.
//!
//! Documents are separated by the record separator, 0x1e; each is read as one that names its subject
//! and as one about each kind of thing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secgroup::Inventory;
use secgroup::engine::{AlibabaEngine, AwsEngine, PolicyEngine, Scope};
use secgroup::load::{LoadError, Loaded, Loader, Provider};
use secgroup::net::{Direction, Flow};
use secgroup::policy::Verdict;

const SUBJECTS: [Option<&str>; 4] = [None, Some("sg-1"), Some("pl-1"), Some("prl-1")];

fuzz_target!(|bytes: &[u8]| {
    for subject in SUBJECTS {
        match load(bytes, subject) {
            Ok(loaded) => usable(&loaded),
            // Every error has a text for people.
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});

fn load(bytes: &[u8], subject: Option<&str>) -> Result<Loaded, LoadError> {
    let mut loader = Loader::new();
    for (number, document) in bytes.split(|byte| *byte == 0x1e).enumerate() {
        loader = loader.document(&format!("fuzz-{number}.json"), document, subject)?;
    }
    loader.finish()
}

fn usable(loaded: &Loaded) {
    for warning in &loaded.warnings {
        assert!(!warning.to_string().is_empty());
    }
    let inventory = &loaded.inventory;
    let engine: &dyn PolicyEngine = match loaded.provider {
        Provider::Aws => &AwsEngine::new(),
        _ => &AlibabaEngine::new(),
    };
    let flows = [Flow::tcp([10, 0, 0, 1].into(), 22), Flow::udp("2001:db8::1".parse().expect("an address"), 53)];
    for interface in inventory.interfaces() {
        for direction in Direction::ALL {
            // What the loader lets through the provider can hold.
            let policy = engine.lower(&Scope::new(inventory, interface, direction)).expect("what was loaded lowers");
            for flow in &flows {
                let explanation = policy.explain(flow);
                assert_eq!(policy.decide(flow), explanation.decision());
                assert_eq!(explanation.verdict == Verdict::Indeterminate, !explanation.missing.is_empty());
                assert!(!explanation.to_string().is_empty());
            }
        }
    }
    // It can be written and read back.
    let text = serde_json::to_string(inventory).expect("an inventory can be written");
    let back: Inventory = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&back).expect("an inventory can be written"), text);
}

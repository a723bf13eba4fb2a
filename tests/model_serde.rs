//! Models and flows are read back as they were written, and everything public may be shared between
//! threads.
//!
//! The properties need the strategies: `cargo test --all-features`.

use secgroup::engine::{
    AlibabaEngine, AwsEngine, ExemptRemote, Exemption, LowerError, PathError, PathReport, PolicyEngine, Probe, Scope,
};
use secgroup::model::{
    Inventory, InventoryBuilder, InventoryError, Members, Peer, Place, Rule, SecurityGroup, Traffic, TrafficError,
};
use secgroup::net::{AddressSet, Cidr, CidrError, Flow, FlowError, PortRangeError, PortSet, Protocol, ProtocolError};
use secgroup::policy::{
    Clause, Decision, Explanation, Fallback, Missing, Policy, PolicyError, Provenance, RuleList, Space,
};

/// Holds at compile time: policies are built once and asked from many threads.
#[test]
fn public_types_are_send_and_sync() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<(AddressSet, Cidr, Flow, PortSet, Protocol)>();
    shared::<(Inventory, InventoryBuilder, Members, Peer, Place, Rule, SecurityGroup, Traffic)>();
    shared::<(Clause, Decision, Explanation, Fallback, Missing, Policy, Provenance, RuleList, Space)>();
    shared::<(AlibabaEngine, AwsEngine, ExemptRemote, Exemption, PathReport, Probe, Scope<'static>)>();
    shared::<Box<dyn PolicyEngine>>();
    // Errors too, so that they can be boxed and carried across threads.
    shared::<(CidrError, FlowError, PortRangeError, ProtocolError, TrafficError)>();
    shared::<(InventoryError, LowerError, PathError, PolicyError)>();

    // And in fact: one policy, two threads.
    let inventory = Inventory::builder().build().unwrap();
    let inventories = std::thread::scope(|scope| {
        let handles = [(); 2].map(|()| scope.spawn(|| inventory.groups().len()));
        handles.map(|handle| handle.join().unwrap())
    });
    assert_eq!(inventories, [0, 0]);
}

#[cfg(feature = "proptest")]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod round_trip {
    use proptest::prelude::*;
    use secgroup::model::Inventory;
    use secgroup::net::{Direction, Flow};
    use secgroup::policy::Policy;
    use secgroup::strategy::{alibaba_inventory, aws_inventory, flow, flow_near};

    use super::*;

    fn config() -> ProptestConfig {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
    }

    /// Everything that can be asked of an inventory and is not a part of its written form.
    fn derived(engine: &dyn PolicyEngine, inventory: &Inventory) -> Vec<Policy> {
        let scopes = inventory.interfaces().flat_map(|interface| {
            Direction::ALL.map(|direction| engine.lower(&Scope::new(inventory, interface, direction)).unwrap())
        });
        scopes.collect()
    }

    fn inventory_comes_back(engine: &dyn PolicyEngine, inventory: &Inventory) -> Result<(), TestCaseError> {
        let text = serde_json::to_string(inventory).unwrap();
        let back: Inventory = serde_json::from_str(&text).unwrap();
        // Written again it is the same text, and each part is equal.
        prop_assert_eq!(serde_json::to_string(&back).unwrap(), text);
        prop_assert!(back.groups().eq(inventory.groups()));
        prop_assert!(back.interfaces().eq(inventory.interfaces()));
        prop_assert!(back.prefix_lists().eq(inventory.prefix_lists()));
        prop_assert!(back.port_lists().eq(inventory.port_lists()));
        prop_assert_eq!(back.members_complete(), inventory.members_complete());
        prop_assert_eq!(derived(engine, &back), derived(engine, inventory));
        Ok(())
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn aws_inventories(inventory in aws_inventory()) {
            inventory_comes_back(&AwsEngine::new(), &inventory)?;
        }

        #[test]
        fn alibaba_inventories(inventory in alibaba_inventory()) {
            inventory_comes_back(&AlibabaEngine::new(), &inventory)?;
        }

        #[test]
        fn flows(flow in prop_oneof![flow(), aws_inventory().prop_flat_map(|inventory| flow_near(&inventory))]) {
            let text = serde_json::to_string(&flow).unwrap();
            prop_assert_eq!(serde_json::from_str::<Flow>(&text).unwrap(), flow, "{}", text);
        }
    }
}

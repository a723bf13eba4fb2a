//! What is open, computed once for all controls, against sets of packets that say the same the long way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod policies;

use std::collections::BTreeSet;

use policies::{PORTS, block, policy};
use proptest::prelude::*;
use secgroup::analysis::controls::{
    Check, Families, Openness, ServicePorts, Subject, Violation, evaluate, is_anywhere, public_addresses,
};
use secgroup::net::{AddressSet, Cidr, Family, PortRange, PortSet};
use secgroup::policy::{Basis, ClauseId, Decision, Selector, Space, Verdict};
use secgroup::set::{Decided, PacketSet};

/// Random cases a run, at least; `PROPTEST_CASES` asks for more.
const CASES: u32 = 192;

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(CASES), failure_persistence: None, ..config }
}

/// Whether a decision counts on the side of certain exposures, or of possible ones.
fn counts(decision: Decision, verdict: Verdict) -> bool {
    decision.verdict == verdict && !matches!(decision.basis, Basis::NeverFiltered | Basis::Unfiltered)
}

/// What a check has to find for the packets of a box, if those of some verdict violate it.
fn expected(decided: &Decided, space: &PacketSet, verdict: Verdict) -> (PacketSet, BTreeSet<ClauseId>, bool) {
    let within = |set: &PacketSet| set.intersection(space).unwrap();
    let packets = within(&decided.having(|decision| counts(*decision, verdict)));
    let parts = decided.parts().into_iter();
    let owners: Vec<Option<ClauseId>> = parts
        .filter(|part| counts(part.decision, verdict) && !within(&part.packets).is_empty())
        .map(|part| part.decision.clause)
        .collect();
    (packets, owners.iter().flatten().copied().collect(), owners.contains(&None))
}

fn agrees(decided: &Decided, near: Option<Cidr>, check: &Check, services: &[Selector], found: Option<&Violation>) {
    let near = near.map_or_else(PacketSet::all, |near| PacketSet::with_local(&AddressSet::from(near)));
    let everywhere = matches!(check, Check::NoPublicSource { .. });
    let judged = |verdicts: &[Verdict]| {
        let mut violating = PacketSet::empty();
        for family in Family::ALL {
            for selector in services {
                let space = Space::new(selector.clone(), public_addresses().of(family));
                let space = PacketSet::from(&space).intersection(&near).unwrap();
                let passing = decided.having(|decision| verdicts.iter().any(|verdict| counts(*decision, *verdict)));
                let remotes = passing.intersection(&space).unwrap().remotes();
                if (everywhere && !remotes.is_empty()) || is_anywhere(&remotes, family) {
                    violating = violating.union(&space).unwrap();
                }
            }
        }
        violating
    };
    let certain = judged(&[Verdict::Allow]);
    let possible = judged(&[Verdict::Allow, Verdict::Indeterminate]);
    let (space, verdict) = match (certain.is_empty(), possible.is_empty()) {
        (false, _) => (certain, Verdict::Allow),
        (true, false) => (possible, Verdict::Indeterminate),
        (true, true) => {
            assert_eq!(found, None);
            return;
        }
    };
    let found = found.unwrap();
    found.packets.validate().unwrap();
    let (packets, clauses, by_default) = expected(decided, &space, verdict);
    assert_eq!((&found.packets, found.certain), (&packets, verdict == Verdict::Allow));
    assert_eq!((found.clauses.iter().copied().collect::<BTreeSet<_>>(), found.by_default), (clauses, by_default));
}

proptest! {
    #![proptest_config(config())]

    /// A port is open if the packets to it that pass come from anywhere.
    #[test]
    fn open_ports(policy in policy(), near in proptest::option::of(block())) {
        let decided = Decided::new(&policy).unwrap();
        let openness = match near {
            Some(near) => Openness::at(&decided, AddressSet::from(near)),
            None => Openness::of(&decided),
        };
        for port in PORTS {
            let ports = PortSet::from(PortRange::from(*port));
            for (services, selector) in [
                (ServicePorts::tcp(ports.clone()), Selector::Tcp(ports.clone())),
                (ServicePorts::udp(ports.clone()), Selector::Udp(ports.clone())),
            ] {
                let check = Check::PortsNotOpen { ports: services, families: Families::Both };
                let found = evaluate(&check, Subject::Traffic(&openness));
                agrees(&decided, near, &check, &[selector], found.as_ref());
            }
        }
        let check = Check::NoPublicSource { families: Families::Both };
        let found = evaluate(&check, Subject::Traffic(&openness));
        agrees(&decided, near, &check, &[Selector::All], found.as_ref());
    }
}

//! Who reaches whom, held against paths, which define it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;

use secgroup::analysis::{Link, Outcome, Reach, ReachError, exposure};
use secgroup::engine::{AlibabaEngine, AwsEngine, PolicyEngine, Probe, path};
use secgroup::model::{
    GroupReference, Interface, IntraGroupPolicy, Inventory, Network, NicType, Peer, PeeringStatus, Rule, SecurityGroup,
    Traffic, VpcRelation,
};
use secgroup::net::{AddressSet, Cidr, Direction, Family, Flow};
use secgroup::policy::Verdict;
use secgroup::set::{ServiceSet, SetLimits};

fn block(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn interface(id: &str, groups: &[&str], addresses: &[&str]) -> Interface {
    let interface = Interface::new(id).with_groups(groups.iter().copied());
    addresses.iter().fold(interface, |interface, address| interface.with_address(ip(address)))
}

/// The addresses that packets at an interface have.
fn own(interface: &Interface) -> &[IpAddr] {
    if interface.nic == Some(NicType::Internet) { &interface.public } else { &interface.addresses }
}

/// What paths make of the traffic of a probe over a family between two interfaces: the best verdict of all
/// pairs of addresses, and whether sender and receiver deny where nothing is or may be allowed.
fn by_path(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    (from, to): (&Interface, &Interface),
    probe: Probe,
    family: Family,
) -> Option<(Verdict, bool, bool)> {
    let (mut verdicts, mut sender, mut receiver) = (Vec::new(), false, false);
    for a in own(from).iter().filter(|address| Family::of(**address) == family) {
        for b in own(to).iter().filter(|address| Family::of(**address) == family) {
            let report = path(engine, inventory, from.id.as_str(), to.id.as_str(), &probe.between(*a, *b)).unwrap();
            let denies = |end: usize| report.ends[end].explanation.verdict == Verdict::Deny;
            sender |= denies(0);
            receiver |= denies(1);
            verdicts.push(report.verdict);
        }
    }
    let best = [Verdict::Allow, Verdict::Indeterminate, Verdict::Deny];
    let verdict = best.into_iter().find(|verdict| verdicts.contains(verdict))?;
    let stopped = verdict == Verdict::Deny;
    Some((verdict, stopped && sender, stopped && receiver))
}

/// Holds one pair against paths.
fn agrees(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    reach: &Reach<'_>,
    ends: (&Interface, &Interface),
    flow: &Flow,
) {
    let (from, to) = ends;
    let reached = reach.between(from.id.as_str(), to.id.as_str()).unwrap();
    let expected = by_path(engine, inventory, ends, Probe::from(flow), flow.family());
    assert_eq!(reached.families.contains(&flow.family()), expected.is_some(), "{} {}", from.id, to.id);
    assert_eq!(reached.verdict(flow), expected.map(|(verdict, ..)| verdict), "{} {} {flow}", from.id, to.id);
    let (_, sender, receiver) = expected.unwrap_or((Verdict::Deny, false, false));
    let stopped = (reached.stopped_at_sender.contains(flow), reached.stopped_at_receiver.contains(flow));
    assert_eq!(stopped, (Some(sender), Some(receiver)), "{} {} {flow}", from.id, to.id);
}

#[cfg(feature = "proptest")]
mod random {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use secgroup::engine::{IntraGroupEgress, Scope};
    use secgroup::strategy;

    /// Random inventories a run and provider, at least; `PROPTEST_CASES` asks for more.
    const CASES: u32 = 192;

    fn config() -> ProptestConfig {
        let config = ProptestConfig::default();
        ProptestConfig { cases: config.cases.max(CASES), failure_persistence: None, ..config }
    }

    /// An inventory with flows at the edges of its rules, all with a source port.
    fn with_flows(inventory: impl Strategy<Value = Inventory>) -> impl Strategy<Value = (Inventory, Vec<Flow>)> {
        inventory.prop_flat_map(|inventory| {
            let flow = (strategy::flow_near(&inventory), strategy::port())
                .prop_map(|(flow, port)| if flow.source_port().is_none() { flow.from_port(port) } else { flow });
            (Just(inventory), vec(flow, 12..20))
        })
    }

    /// Every pair agrees with paths, and every link with its pairs.
    fn check_reach(engine: &dyn PolicyEngine, inventory: &Inventory, flows: &[Flow]) {
        let reach = Reach::new(engine, inventory).unwrap();
        let all: Vec<&Interface> = inventory.interfaces().collect();
        for from in &all {
            for to in all.iter().filter(|to| to.id != from.id) {
                for flow in flows {
                    agrees(engine, inventory, &reach, (from, to), flow);
                }
                let reached = reach.between(from.id.as_str(), to.id.as_str()).unwrap();
                let parts = [&reached.allowed, &reached.indeterminate, &reached.stopped()];
                let all = parts.iter().fold(ServiceSet::empty(), |all, part| all.union(part));
                let judged = reached.families.iter().map(|family| ServiceSet::all_of(*family));
                assert_eq!(all, judged.fold(ServiceSet::empty(), |all, part| all.union(&part)));
                assert!(reached.allowed.intersection(&reached.indeterminate).is_empty());
                assert!(reached.stopped().intersection(&reached.allowed.union(&reached.indeterminate)).is_empty());
            }
        }
        let mut seen = 0;
        for Link { from, to, outcome, .. } in reach.matrix() {
            for (a, b) in from.ids().flat_map(|a| to.ids().map(move |b| (a, b))).filter(|(a, b)| a != b) {
                seen += 1;
                let reached = reach.between(a.as_str(), b.as_str()).unwrap();
                assert_eq!(reached.joined, outcome != Outcome::NotJoined);
                match outcome.judged() {
                    Some(judged) => assert_eq!(*judged, *reached, "{a} {b}"),
                    None => assert!(!reached.joined || reached.families.is_empty()),
                }
            }
        }
        assert_eq!(seen, all.len() * (all.len() - 1));
    }

    /// Exposure is what the reference decides on packets to any of the own addresses.
    fn check_exposure(engine: &dyn PolicyEngine, inventory: &Inventory, flows: &[Flow], from: Cidr) {
        let exposed = exposure(engine, inventory, &AddressSet::from(from)).unwrap();
        for interface in inventory.interfaces() {
            let policy = engine.lower(&Scope::new(inventory, interface, Direction::Ingress)).unwrap();
            let own: Vec<IpAddr> = own(interface).to_vec();
            let unknown = interface.addresses_unknown || (own.is_empty() && interface.prefixes.is_empty());
            let mine: Vec<_> = exposed.iter().filter(|e| e.interfaces.iter().any(|i| i.id == interface.id)).collect();
            assert!(mine.len() <= 1);
            for flow in flows.iter().filter(|flow| from.contains(flow.remote())) {
                let locals = own.iter().copied().chain(interface.prefixes.iter().flat_map(|p| [p.first(), p.last()]));
                let verdicts: Vec<Verdict> =
                    locals.filter_map(|local| flow.at(local).ok()).map(|flow| policy.decide(&flow).verdict).collect();
                let allowed = mine.iter().any(|e| e.allowed.contains(flow).unwrap());
                let open = mine.iter().any(|e| e.indeterminate.contains(flow).unwrap());
                assert_eq!(allowed, verdicts.contains(&Verdict::Allow), "{} {flow}", interface.id);
                let known = !allowed && verdicts.contains(&Verdict::Indeterminate);
                if unknown {
                    assert!(!known || open, "{} {flow}", interface.id);
                } else {
                    assert_eq!(open, known, "{} {flow}", interface.id);
                }
                let whole = mine.first().and_then(|e| e.whole.contains(flow)) == Some(true);
                assert!(!whole || allowed, "{} {flow}", interface.id);
            }
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn pairs_agree_with_paths_aws((inventory, flows) in with_flows(strategy::aws_inventory())) {
            check_reach(&AwsEngine::new(), &inventory, &flows);
        }

        #[test]
        fn pairs_agree_with_paths_alibaba((inventory, flows) in with_flows(strategy::alibaba_inventory()), always in any::<bool>()) {
            let reading = if always { IntraGroupEgress::AlwaysAllow } else { IntraGroupEgress::Table };
            check_reach(&AlibabaEngine::new().with_intra_group_egress(reading), &inventory, &flows);
        }

        #[test]
        fn exposure_is_what_the_reference_decides_aws(
            (inventory, flows) in with_flows(strategy::aws_inventory()), from in strategy::cidr()
        ) {
            check_exposure(&AwsEngine::new(), &inventory, &flows, from);
        }

        #[test]
        fn exposure_is_what_the_reference_decides_alibaba(
            (inventory, flows) in with_flows(strategy::alibaba_inventory()), from in strategy::cidr()
        ) {
            check_exposure(&AlibabaEngine::new(), &inventory, &flows, from);
        }
    }
}

//! A fleet, held against the reference.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use secgroup::engine::{
    AlibabaEngine, AwsEngine, IntraGroupEgress, LoadBalancerTraffic, PathError, PolicyEngine, Probe, Scope, path,
};
use secgroup::fleet::{Question, Snapshot};
use secgroup::model::Inventory;
use secgroup::net::{Direction, Family, Flow, Payload};
use secgroup::policy::{Decision, Verdict};

/// Random configurations a run and provider, at least; `PROPTEST_CASES` asks for more.
pub(crate) const CASES: u32 = 128;

pub(crate) fn config(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(cases), failure_persistence: None, ..config }
}

/// Both engines, Alibaba's with every combination of readings.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cloud {
    Aws,
    Alibaba(IntraGroupEgress, LoadBalancerTraffic),
}

impl Cloud {
    pub(crate) fn engine(self) -> Arc<dyn PolicyEngine> {
        match self {
            Self::Aws => Arc::new(AwsEngine::new()),
            Self::Alibaba(egress, load_balancers) => {
                Arc::new(AlibabaEngine::new().with_intra_group_egress(egress).with_load_balancers(load_balancers))
            }
        }
    }

    pub(crate) fn alibaba() -> impl Strategy<Value = Self> {
        let egress = select(vec![IntraGroupEgress::Table, IntraGroupEgress::AlwaysAllow]);
        let load_balancers = select(vec![LoadBalancerTraffic::Filtered, LoadBalancerTraffic::NeverFiltered]);
        (egress, load_balancers).prop_map(|(egress, load_balancers)| Self::Alibaba(egress, load_balancers))
    }
}

/// A path's verdict and the decisions of its ends, or why there is none.
type Answer = Result<(Verdict, Option<[Decision; 2]>), PathError>;

fn by_path(engine: &dyn PolicyEngine, inventory: &Inventory, from: &str, to: &str, probe: &Probe) -> Answer {
    let report = path(engine, inventory, from, to, probe)?;
    let ends: Vec<Decision> = report.ends.iter().map(|end| end.explanation.decision()).collect();
    Ok((report.verdict, ends.try_into().ok()))
}

fn by_fleet(fleet: &Snapshot, from: &str, to: &str, probe: &Probe) -> Answer {
    fleet.decide(from, to, probe).map(|decision| (decision.verdict, decision.ends))
}

/// The same questions all at once; errors are not told there.
fn by_batch(fleet: &Snapshot, ends: (&str, &str), probes: &[Probe]) -> Vec<Option<(Verdict, Option<[Decision; 2]>)>> {
    let (from, to) = (fleet.key(ends.0).unwrap(), fleet.key(ends.1).unwrap());
    let questions: Vec<Question> = probes.iter().map(|probe| Question { from, to, probe: *probe }).collect();
    let mut decisions = vec![None; questions.len()];
    assert_eq!(fleet.decide_batch(&questions, &mut decisions), questions.len());
    decisions.into_iter().map(|decision| decision.map(|decision| (decision.verdict, decision.ends))).collect()
}

/// The traffic of a flow over whatever family both ends have.
fn family_free(flow: &Flow) -> Probe {
    match flow.payload() {
        Payload::Tcp { destination, .. } => Probe::tcp(destination),
        Payload::Udp { destination, .. } => Probe::udp(destination),
        Payload::Icmp(message) if flow.family() == Family::V4 => Probe::icmp(message),
        Payload::Icmp(message) => Probe::icmpv6(message),
        Payload::Other(_) => Probe::from(flow),
    }
}

/// The ways in which a flow can go along a path: between primary addresses, between those of the flow,
/// and where identity is lost.
fn probes(flow: &Flow) -> Vec<Probe> {
    let probe = Probe::from(flow);
    let mut probes = vec![
        probe,
        family_free(flow),
        probe.from_address(flow.remote()),
        probe.to_address(flow.remote()),
        probe.behind_middlebox(),
    ];
    probes.extend(flow.local().map(|local| probe.between(flow.remote(), local)));
    probes
}

/// Everything that a fleet can be asked about these flows is as the reference says of the inventory.
pub(crate) fn agrees(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    fleet: &Snapshot,
    flows: &[Flow],
) -> Result<(), TestCaseError> {
    for interface in inventory.interfaces() {
        let id = interface.id.as_str();
        for direction in Direction::ALL {
            let policy = engine.lower(&Scope::new(inventory, interface, direction)).unwrap();
            prop_assert_eq!(&fleet.policy(id, direction).unwrap(), &policy);
            for flow in flows {
                let decision = fleet.decide_flow(id, direction, flow).unwrap();
                prop_assert_eq!(
                    decision,
                    policy.decide(flow),
                    "{} {} {}\n{}\n{:#?}",
                    direction,
                    id,
                    flow,
                    policy,
                    inventory
                );
            }
        }
        for far in inventory.interfaces() {
            let probes: Vec<Probe> = flows.iter().flat_map(probes).collect();
            let batch = by_batch(fleet, (id, far.id.as_str()), &probes);
            for (probe, at_once) in probes.iter().zip(batch) {
                let expected = by_path(engine, inventory, id, far.id.as_str(), probe);
                let found = by_fleet(fleet, id, far.id.as_str(), probe);
                prop_assert_eq!(&at_once, &expected.clone().ok(), "at once, {} to {}: {:?}", id, far.id, probe);
                prop_assert_eq!(found, expected, "{} to {}: {:?}\n{:#?}", id, far.id, probe, inventory);
            }
        }
    }
    Ok(())
}

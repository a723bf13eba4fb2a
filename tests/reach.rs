//! Who reaches whom, held against paths, which define it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[cfg(feature = "proptest")]
mod policies;
mod reach_fleet;

use std::net::IpAddr;

use secgroup::analysis::{Link, Outcome, Reach, ReachError, exposure};
use secgroup::engine::{AlibabaEngine, AwsEngine, PolicyEngine, Probe, path};
use secgroup::model::{
    GroupReference, Interface, InterfaceId, IntraGroupPolicy, Inventory, Network, NicType, Peer, PeeringStatus,
    Priority, Rule, SecurityGroup, Traffic, VpcRelation,
};
use secgroup::net::{AddressSet, Cidr, Direction, Family, Flow, PortRange};
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
    use secgroup::engine::{IntraGroupEgress, LowerError, RuleSite, Scope};
    use secgroup::policy::{Policy, Rank};
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

    /// An engine that has policies ready, one for each interface and direction.
    #[derive(Debug)]
    struct Ready(Vec<[Policy; 2]>);

    impl PolicyEngine for Ready {
        fn name(&self) -> &'static str {
            "ready"
        }

        fn rank(&self, _site: &RuleSite<'_>) -> Rank {
            Rank::FIRST
        }

        fn lower(&self, scope: &Scope<'_>) -> Result<Policy, LowerError> {
            let number: usize = scope.interface.id.as_str().parse().unwrap();
            Ok(self.0[number][usize::from(scope.direction == Direction::Ingress)].clone())
        }
    }

    /// The same flow, from this port if it names none.
    fn from_some_port(flow: Flow, port: u16) -> Flow {
        if flow.source_port().is_none() { flow.from_port(port) } else { flow }
    }

    proptest! {
        #![proptest_config(config())]

        /// Policies of every shape: stages, near addresses, clauses that are known in part.
        #[test]
        fn pairs_agree_with_paths_whatever_the_policies(
            ready in vec([policies::policy(), policies::policy()], 2..4),
            addresses in vec(vec(policies::address(), 1..4), 3),
            flows in vec((policies::flow(), policies::port()), 8..12),
        ) {
            let mut builder = Inventory::builder();
            for (number, own) in addresses.iter().enumerate().take(ready.len()) {
                let mut interface = Interface::new(number.to_string());
                interface.addresses.clone_from(own);
                builder = builder.interface(interface);
            }
            let inventory = builder.build().unwrap();
            let flows: Vec<Flow> = flows.into_iter().map(|(flow, port)| from_some_port(flow, port)).collect();
            check_reach(&Ready(ready), &inventory, &flows);
        }

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

fn allow(direction: Direction, traffic: &str, peer: impl Into<Peer>) -> Rule {
    Rule::allow(direction, traffic.parse().unwrap(), peer)
}

fn allowed(reach: &Reach<'_>, from: &str, to: &str) -> String {
    reach.between(from, to).unwrap().allowed.to_string()
}

/// V17: a reference to a group means every private address of its members, public ones never (AWS-38, AWS-39).
#[test]
fn group_references_reach_by_private_addresses_of_members() {
    let mut far = interface("eni-far", &["sg-b"], &["10.0.1.10", "10.0.1.11"]);
    far.public.push(ip("203.0.113.10"));
    let everything = allow(Direction::Egress, "all", block("0.0.0.0/0"));
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-a").with_rule(allow(Direction::Ingress, "tcp/22", Peer::group("sg-b"))))
        .group(SecurityGroup::aws("sg-b").with_rule(everything.clone()))
        .group(SecurityGroup::aws("sg-c").with_rule(everything))
        .interface(interface("eni-1", &["sg-a"], &["10.0.0.1"]))
        .interface(far)
        .interface(interface("eni-other", &["sg-c"], &["10.0.1.12"]))
        .build()
        .unwrap();
    let engine = AwsEngine::new();
    let reach = Reach::new(&engine, &inventory).unwrap();
    assert_eq!(reach.classes().len(), 3);
    assert_eq!(allowed(&reach, "eni-far", "eni-1"), "tcp/22 over IPv4");
    let reached = reach.between("eni-other", "eni-1").unwrap();
    assert!(!reached.is_open());
    assert_eq!(reached.stopped_at_receiver, ServiceSet::all_of(Family::V4));
    assert_eq!(reached.stopped_at_sender, ServiceSet::empty());
    // The other way the sender has no rule that lets anything out.
    let reached = reach.between("eni-1", "eni-far").unwrap();
    assert_eq!(reached.stopped_at_sender, ServiceSet::all_of(Family::V4));
    assert_eq!(reached.stopped_at_receiver, ServiceSet::all_of(Family::V4));
    let who: Vec<&str> = reach
        .to("eni-1")
        .unwrap()
        .iter()
        .filter(|link| link.outcome.is_open())
        .flat_map(|link| link.from.ids())
        .map(InterfaceId::as_str)
        .collect();
    assert_eq!(who, ["eni-far"]);
    assert!(reach.from("eni-1").unwrap().iter().all(|link| !link.outcome.is_open()));
    let report = reach.why("eni-other", "eni-1", &Probe::tcp(22)).unwrap();
    assert_eq!(report.verdict, Verdict::Deny);
    assert_eq!(report.ends[1].explanation.verdict, Verdict::Deny);
}

/// V23: a self reference lets all members of the group talk (AWS-40); they are one class.
#[test]
fn members_of_a_group_that_refers_to_itself_reach_each_other() {
    let group = SecurityGroup::aws("sg-a").with_rules([
        allow(Direction::Ingress, "all", Peer::group("sg-a")),
        allow(Direction::Egress, "all", block("0.0.0.0/0")),
    ]);
    let inventory = Inventory::builder()
        .group(group)
        .interface(interface("eni-1", &["sg-a"], &["10.0.0.1"]))
        .interface(interface("eni-2", &["sg-a"], &["10.0.0.2"]))
        .build()
        .unwrap();
    let engine = AwsEngine::new();
    let reach = Reach::new(&engine, &inventory).unwrap();
    assert_eq!(reach.classes().len(), 1);
    assert_eq!(reach.between("eni-1", "eni-2").unwrap().allowed, ServiceSet::all_of(Family::V4));
    let links: Vec<Link<'_, '_>> = reach.matrix().collect();
    assert_eq!(links.len(), 1);
    assert!(links[0].outcome.is_open());
    // Traffic of an interface to itself does not pass its groups.
    assert_eq!(reach.between("eni-1", "eni-1").unwrap().allowed, ServiceSet::all());
}

/// ALI-7: G1 = {E1, E2} isolated, G2 = {E2, E3} interconnected: only E2 and E3 reach each other.
#[test]
fn only_a_shared_interconnected_group_lets_members_through() {
    let inventory = Inventory::builder()
        .group(SecurityGroup::basic("g1", IntraGroupPolicy::Drop))
        .group(SecurityGroup::basic("g2", IntraGroupPolicy::Accept))
        .interface(interface("e1", &["g1"], &["10.0.0.1"]))
        .interface(interface("e2", &["g1", "g2"], &["10.0.0.2"]))
        .interface(interface("e3", &["g2"], &["10.0.0.3"]))
        .build()
        .unwrap();
    let engine = AlibabaEngine::new();
    let reach = Reach::new(&engine, &inventory).unwrap();
    let open = ServiceSet::all_of(Family::V4);
    for (from, to, reaches) in [
        ("e1", "e2", false),
        ("e2", "e1", false),
        ("e2", "e3", true),
        ("e3", "e2", true),
        ("e1", "e3", false),
        ("e3", "e1", false),
    ] {
        let reached = reach.between(from, to).unwrap();
        assert_eq!(reached.allowed, if reaches { open.clone() } else { ServiceSet::empty() }, "{from} {to}");
        // Egress of a basic group is open by default (ALI-3), so it is the receiver that stops it.
        assert_eq!(
            reached.stopped_at_receiver,
            if reaches { ServiceSet::empty() } else { open.clone() },
            "{from} {to}"
        );
        assert_eq!(reached.stopped_at_sender, ServiceSet::empty(), "{from} {to}");
    }
}

/// Source ports and near addresses of Alibaba's five-tuple rules count (ALI-36), and tell members of a class
/// apart.
#[test]
fn source_ports_and_own_addresses_are_kept() {
    let rule = |rule: Rule, local: &str| {
        rule.with_source_ports("30000-39999".parse::<PortRange>().unwrap()).with_local(block(local))
    };
    let group = SecurityGroup::basic("g", IntraGroupPolicy::Drop)
        .with_rule(rule(allow(Direction::Ingress, "tcp/80", block("10.0.0.0/8")), "10.0.1.0/24"));
    let inventory = Inventory::builder()
        .group(group)
        .interface(interface("e1", &["g"], &["10.0.1.1", "2001:db8::1"]))
        .interface(interface("e2", &["g"], &["10.0.2.2", "10.0.1.2"]))
        .interface(interface("e3", &["g"], &["10.0.2.3"]))
        .interface(interface("e4", &["g"], &["2001:db8::4"]))
        .build()
        .unwrap();
    let engine = AlibabaEngine::new();
    let reach = Reach::new(&engine, &inventory).unwrap();
    let some = "tcp/80 from source port 30000-39999 over IPv4";
    assert_eq!((allowed(&reach, "e3", "e1").as_str(), allowed(&reach, "e3", "e2").as_str()), (some, some));
    assert_eq!(allowed(&reach, "e1", "e3"), "nothing");
    // Address families have to meet.
    assert_eq!(reach.between("e4", "e1").unwrap().families, [Family::V6]);
    assert!(reach.between("e4", "e3").unwrap().families.is_empty());
    assert_eq!(reach.class_of("e4").unwrap().ids().count(), 1);
    let to_e3 = reach.to("e3").unwrap();
    let from_e4 = to_e3.iter().find(|link| link.from.ids().any(|id| id.as_str() == "e4")).unwrap();
    assert_eq!(from_e4.outcome, Outcome::NoCommonFamily);
    let exposed = exposure(&engine, &inventory, &AddressSet::from(block("10.0.0.0/8"))).unwrap();
    let ids: Vec<&str> = exposed.iter().flat_map(|e| &e.interfaces).map(|i| i.id.as_str()).collect();
    assert_eq!(ids, ["e1", "e2"]);
    assert_eq!(exposed[0].whole.to_string(), some);
}

/// AWS-41, AWS-42: references into other VPCs need an active peering, or a transit gateway for inbound rules.
/// Pairs of VPCs that nothing joins are said to be so.
#[test]
fn only_vpcs_that_are_joined_are_judged() {
    let into = |peering| {
        let mut reference = GroupReference::new("sg-b");
        (reference.vpc, reference.peering) = (Some("vpc-b".into()), peering);
        allow(Direction::Ingress, "tcp/22", Peer::Group(reference))
    };
    let all_out = || allow(Direction::Egress, "all", block("0.0.0.0/0"));
    let fleet = |peering, relation: Option<VpcRelation>| {
        let network = |vpc: &str| Network::Vpc(vpc.into());
        let mut builder = Inventory::builder()
            .group(SecurityGroup::aws("sg-a").in_network(network("vpc-a")).with_rules([into(peering), all_out()]))
            .group(SecurityGroup::aws("sg-b").in_network(network("vpc-b")).with_rule(all_out()))
            .interface(interface("eni-a", &["sg-a"], &["10.0.0.1"]).in_vpc("vpc-a"))
            .interface(interface("eni-b", &["sg-b"], &["10.1.0.1"]).in_vpc("vpc-b"))
            // In the other VPC the same address is nobody.
            .interface(interface("eni-c", &["sg-a"], &["10.1.0.1"]).in_vpc("vpc-a"));
        if let Some(relation) = relation {
            builder = builder.relation("vpc-a", "vpc-b", relation);
        }
        builder.build().unwrap()
    };
    let engine = AwsEngine::new();
    for (peering, relation, joined, verdict) in [
        (None, None, false, Verdict::Indeterminate),
        (Some(PeeringStatus::Active), None, true, Verdict::Allow),
        (None, Some(VpcRelation::Peered), true, Verdict::Allow),
        (None, Some(VpcRelation::TransitGateway), true, Verdict::Allow),
        (Some(PeeringStatus::Gone), Some(VpcRelation::Peered), true, Verdict::Deny),
    ] {
        let inventory = fleet(peering, relation);
        let reach = Reach::new(&engine, &inventory).unwrap();
        let reached = reach.between("eni-b", "eni-a").unwrap();
        let flow = Flow::tcp(ip("10.0.0.1"), 22).from_port(40_000);
        assert_eq!((reached.joined, reached.verdict(&flow)), (joined, Some(verdict)), "{peering:?} {relation:?}");
        let apart = reach.matrix().filter(|link| link.outcome == Outcome::NotJoined).count();
        assert_eq!(apart, if joined { 0 } else { 4 }, "{peering:?} {relation:?}");
        let links = reach.to("eni-a").unwrap();
        assert_eq!(links.iter().filter(|link| link.outcome == Outcome::NotJoined).count(), usize::from(!joined));
    }
}

/// A rule about a group of its own VPC does not mean who has the same address in another (AWS-41): ranges of
/// VPCs may overlap.
#[test]
fn in_another_vpc_the_address_of_a_member_is_nobody() {
    let network = |vpc: &str| Network::Vpc(vpc.into());
    let rules = |own: &str| {
        [allow(Direction::Ingress, "tcp/22", Peer::group(own)), allow(Direction::Egress, "all", block("0.0.0.0/0"))]
    };
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-a").in_network(network("vpc-a")).with_rules(rules("sg-a")))
        .group(SecurityGroup::aws("sg-b").in_network(network("vpc-b")).with_rules(rules("sg-b")))
        .interface(interface("eni-a", &["sg-a"], &["10.0.0.1"]).in_vpc("vpc-a"))
        .interface(interface("eni-member", &["sg-a"], &["10.0.0.2"]).in_vpc("vpc-a"))
        .interface(interface("eni-foreign", &["sg-b"], &["10.0.0.2"]).in_vpc("vpc-b"))
        .relation("vpc-a", "vpc-b", VpcRelation::Peered)
        .build()
        .unwrap();
    let engine = AwsEngine::new();
    let reach = Reach::new(&engine, &inventory).unwrap();
    assert_eq!(allowed(&reach, "eni-member", "eni-a"), "tcp/22 over IPv4");
    assert_eq!(allowed(&reach, "eni-foreign", "eni-a"), "nothing");
    assert!(reach.between("eni-foreign", "eni-a").unwrap().joined);
}

/// An interface whose VPC is not known, with groups of two VPCs: for the rules of each group the other VPC is the
/// foreign one.
#[test]
fn rules_of_groups_of_two_vpcs_see_different_strangers() {
    let network = |vpc: &str| Network::Vpc(vpc.into());
    let own = |id: &str, vpc: &str, port: &str| {
        let rules =
            [allow(Direction::Ingress, port, Peer::group(id)), allow(Direction::Egress, "all", block("0.0.0.0/0"))];
        SecurityGroup::aws(id).in_network(network(vpc)).with_rules(rules)
    };
    let other = SecurityGroup::aws("sg-c").with_rule(allow(Direction::Egress, "all", block("0.0.0.0/0")));
    let inventory = Inventory::builder()
        .group(own("sg-a", "vpc-a", "tcp/1"))
        .group(own("sg-b", "vpc-b", "tcp/2"))
        .group(other)
        .interface(interface("eni-1", &["sg-a", "sg-b"], &["10.0.0.1"]))
        .interface(interface("eni-a", &["sg-a"], &["10.0.0.2"]).in_vpc("vpc-a"))
        .interface(interface("eni-b", &["sg-b"], &["10.0.0.3"]).in_vpc("vpc-b"))
        .interface(interface("eni-stranger-a", &["sg-c"], &["10.0.0.3"]).in_vpc("vpc-a"))
        .interface(interface("eni-stranger-b", &["sg-c"], &["10.0.0.2"]).in_vpc("vpc-b"))
        .build()
        .unwrap();
    let engine = AwsEngine::new();
    let reach = Reach::new(&engine, &inventory).unwrap();
    let to = inventory.interface("eni-1").unwrap();
    for from in inventory.interfaces().filter(|from| from.id != to.id) {
        for port in [1, 2] {
            agrees(&engine, &inventory, &reach, (from, to), &Flow::tcp(ip("10.0.0.1"), port).from_port(40_000));
        }
    }
    assert_eq!(allowed(&reach, "eni-a", "eni-1"), "tcp/1 over IPv4");
    assert_eq!(allowed(&reach, "eni-b", "eni-1"), "tcp/2 over IPv4");
    assert_eq!(allowed(&reach, "eni-stranger-a", "eni-1"), "nothing");
    assert_eq!(allowed(&reach, "eni-stranger-b", "eni-1"), "nothing");
}

/// The same rules in another order of priorities decide otherwise (ALI-1, ALI-2), also where both orders occur in
/// one fleet.
#[test]
fn orders_of_the_same_rules_are_told_apart() {
    let rule = |action: fn(Direction, Traffic, Cidr) -> Rule, priority| {
        action(Direction::Ingress, Traffic::tcp(80), block("10.0.0.0/8")).with_priority(Priority(priority))
    };
    let group = |id: &str, accept, drop| {
        SecurityGroup::basic(id, IntraGroupPolicy::Drop).with_rules([
            rule(Rule::allow, accept),
            rule(Rule::deny, drop),
            rule(Rule::allow, 3),
        ])
    };
    let inventory = Inventory::builder()
        .group(group("accept-first", 1, 2))
        .group(group("drop-first", 2, 1))
        .interface(interface("e1", &["accept-first"], &["10.0.0.1"]))
        .interface(interface("e2", &["drop-first"], &["10.0.0.2"]))
        .build()
        .unwrap();
    let engine = AlibabaEngine::new();
    let reach = Reach::new(&engine, &inventory).unwrap();
    assert_eq!(allowed(&reach, "e2", "e1"), "tcp/80 over IPv4");
    assert_eq!(allowed(&reach, "e1", "e2"), "nothing");
}

/// What is indeterminate stays so, and an interface that no group filters is exposed (AWS-25).
#[test]
fn exposure_tells_whole_part_unknown_and_unfiltered() {
    let office = block("198.51.100.0/24");
    let group = SecurityGroup::aws("sg-1").with_rules([
        allow(Direction::Ingress, "tcp/443", block("0.0.0.0/0")),
        allow(Direction::Ingress, "tcp/443", block("::/0")),
        allow(Direction::Ingress, "tcp/22", office),
        allow(Direction::Ingress, "udp/53", Peer::PrefixList("pl-unknown".into())),
    ]);
    let mut unknown = interface("eni-4", &["sg-1"], &["10.0.0.4"]);
    unknown.addresses_unknown = true;
    let inventory = Inventory::builder()
        .group(group)
        .group(SecurityGroup::aws("sg-2"))
        .interface(interface("eni-1", &["sg-1"], &["10.0.0.1"]))
        .interface(interface("eni-2", &["sg-2"], &["10.0.0.2"]))
        .interface(interface("eni-3", &[], &["10.0.0.3"]))
        .interface(unknown)
        .interface(interface("eni-5", &["sg-1"], &["10.0.0.5"]))
        .build()
        .unwrap();
    let engine = AwsEngine::new();
    let exposed = exposure(&engine, &inventory, &AddressSet::all()).unwrap();
    let ids: Vec<Vec<&str>> =
        exposed.iter().map(|e| e.interfaces.iter().map(|interface| interface.id.as_str()).collect()).collect();
    assert_eq!(ids, [vec!["eni-1", "eni-5"], vec!["eni-3"], vec!["eni-4"]]);
    assert_eq!(exposed[0].whole.to_string(), "tcp/443 over IPv4");
    assert_eq!(
        exposed[0].allowed.to_string(),
        "tcp/22, tcp/443 remote 198.51.100.0/24; tcp/443 remote any IPv4 address"
    );
    assert_eq!(exposed[0].indeterminate.to_string(), "udp/53 remote any IPv4 address");
    assert_eq!(exposed[1].whole, ServiceSet::all_of(Family::V4));
    assert!(exposed[2].indeterminate.to_string().contains("tcp/443, udp/53 remote any IPv6 address"));
    let from_office = exposure(&engine, &inventory, &AddressSet::from(office)).unwrap();
    assert_eq!(from_office[0].whole.to_string(), "tcp/22, tcp/443 over IPv4");
    assert!(exposure(&engine, &inventory, &AddressSet::empty()).unwrap().is_empty());
}

#[test]
fn what_is_not_there_or_too_much_is_an_error() {
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rule(allow(Direction::Ingress, "tcp/22", block("10.0.0.0/8"))))
        .interface(interface("eni-1", &["sg-1"], &["10.0.0.1"]))
        .build()
        .unwrap();
    let engine = AwsEngine::new();
    let reach = Reach::new(&engine, &inventory).unwrap();
    let missing = ReachError::NoInterface("eni-2".into());
    assert_eq!(reach.between("eni-1", "eni-2").unwrap_err(), missing);
    assert_eq!(reach.between("eni-2", "eni-2").unwrap_err(), missing);
    assert_eq!(reach.to("eni-2").unwrap_err(), missing);
    assert_eq!(missing.to_string(), "there is no interface `eni-2`");
    let error = Reach::within(&engine, &inventory, SetLimits::of_cells(1)).unwrap_err();
    assert_eq!(error.to_string(), "the set has more than 1 cells, the limit");
}

/// In a made-up fleet, pairs that are drawn at random agree with paths, and classes are fewer than interfaces.
#[test]
fn classes_of_a_fleet_agree_with_paths() {
    let inventory = reach_fleet::fleet(2_000, 200, 4_000);
    let engine = AwsEngine::new();
    let reach = Reach::new(&engine, &inventory).unwrap();
    assert!(reach.classes().len() < 1_200, "{}", reach.classes().len());
    assert_eq!(reach.classes().iter().map(|class| class.members().len()).sum::<usize>(), 2_000);
    let all: Vec<&Interface> = inventory.interfaces().collect();
    let (mut state, mut verdicts) = (1_usize, [0; 3]);
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..600 {
        let (from, to) = (all[next(all.len())], all[next(all.len())]);
        if from.id == to.id {
            continue;
        }
        for port in [443, 5432, 53, 2000] {
            for remote in ["10.0.0.1", "2001:db8::1"] {
                let flow = Flow::tcp(ip(remote), port).from_port(40_000);
                agrees(&engine, &inventory, &reach, (from, to), &flow);
                if let Some(verdict) = reach.between(from.id.as_str(), to.id.as_str()).unwrap().verdict(&flow) {
                    verdicts[verdict as usize] += 1;
                }
            }
        }
    }
    // The matrix has every pair once, in order, and says of it what is said of the pair by itself.
    let (mut links, mut open) = (0, 0);
    for (number, link) in reach.matrix().enumerate() {
        links += 1;
        if number % 997 == 0 {
            let (from, to) = (link.from.members()[0], *link.to.members().last().unwrap());
            let reached = reach.between(from.id.as_str(), to.id.as_str()).unwrap();
            assert_eq!(link.outcome.judged().is_some(), reached.joined && !reached.families.is_empty());
            assert!(link.outcome.judged().is_none_or(|judged| *judged == *reached), "{} {}", from.id, to.id);
            open += usize::from(link.outcome.is_open());
        }
    }
    let classes = reach.classes();
    let alone = classes.iter().filter(|class| class.members().len() == 1).count();
    assert_eq!((links, open > 10), (classes.len() * classes.len() - alone, true));
    assert!(verdicts[Verdict::Allow as usize] > 100 && verdicts[Verdict::Deny as usize] > 100, "{verdicts:?}");
}

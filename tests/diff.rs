//! What changes between two configurations, against the reference decision on both.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;

use secgroup::analysis::{ChangedTraffic, Diff, Question, Side, Status, ask_inventories, diff};
use secgroup::engine::{AlibabaEngine, AwsEngine, PolicyEngine, Scope};
use secgroup::model::{
    Interface, IntraGroupPolicy, Inventory, InventoryBuilder, Peer, Priority, Rule, SecurityGroup, Traffic,
};
use secgroup::net::{AddressSet, Cidr, Direction, Flow};
use secgroup::policy::Verdict;
use secgroup::set::{Answer, PacketSet};

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn public() -> AddressSet {
    AddressSet::from(cidr("10.0.0.0/8")).complement()
}

fn compare(engine: &dyn PolicyEngine, before: &Inventory, after: &Inventory) -> Diff {
    diff(Side { engine, inventory: before }, Side { engine, inventory: after }, &public()).unwrap()
}

fn ingress(port: u16, peer: impl Into<Peer>, id: &str) -> Rule {
    Rule::allow(Direction::Ingress, Traffic::tcp(port), peer).with_id(id)
}

/// One interface with one group of AWS.
fn aws(rules: impl IntoIterator<Item = Rule>) -> InventoryBuilder {
    Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rules(rules))
        .interface(Interface::new("eni-1").with_groups(["sg-1"]).with_address(ip("10.0.0.5")))
}

fn texts(traffic: &[ChangedTraffic]) -> Vec<String> {
    let text = |traffic: &ChangedTraffic| {
        let boxes: Vec<String> =
            traffic.boxes(&[], &public()).iter().map(|changed| changed.part.text(traffic.direction)).collect();
        let owner = |owner: &secgroup::analysis::Owner| owner.rule.as_ref().map_or("-".to_owned(), ToString::to_string);
        format!("{}: {} -> {}", boxes.join("; "), owner(&traffic.before), owner(&traffic.after))
    };
    traffic.iter().map(text).collect()
}

/// A rule is widened, one goes, and one is written in another way.
#[test]
fn gained_and_lost_with_the_rules_that_cause_it() {
    let before = aws([
        ingress(22, cidr("10.0.0.0/8"), "ssh"),
        ingress(80, cidr("0.0.0.0/0"), "web"),
        ingress(443, cidr("192.0.2.0/24"), "tls"),
    ]);
    let after = aws([
        ingress(22, cidr("0.0.0.0/0"), "ssh-wide"),
        ingress(443, cidr("192.0.2.128/25"), "tls-2"),
        ingress(443, cidr("192.0.2.0/25"), "tls-1"),
    ]);
    let found = compare(&AwsEngine::new(), &before.build().unwrap(), &after.build().unwrap());
    for subject in found.interfaces.values().chain(found.groups.values()) {
        assert!(!subject.equivalent && subject.status == Status::Both && subject.uncertain.is_empty());
        assert_eq!(
            texts(&subject.gained),
            ["tcp/22 from 0.0.0.0-9.255.255.255, 11.0.0.0-255.255.255.255: - -> ssh-wide"]
        );
        assert!(subject.gained.iter().all(|traffic| traffic.public));
        assert_eq!(texts(&subject.lost), ["tcp/80 from any IPv4 address: web -> -"]);
        let witness =
            subject.gained.first().unwrap().boxes(&[ip("10.0.0.5")], &public()).first().unwrap().witness.unwrap();
        assert_eq!(witness.to_string(), "tcp/22 between 198.51.100.7 and 10.0.0.5, source port 49152");
    }
    assert!(found.has_changes() && !found.has_doubts() && !found.is_equivalent());
}

/// What opens to private addresses only is not public.
#[test]
fn new_public_exposure_is_told_apart() {
    let (before, after) = (aws([]), aws([ingress(22, cidr("10.1.0.0/16"), "private")]));
    let found = compare(&AwsEngine::new(), &before.build().unwrap(), &after.build().unwrap());
    assert!(!found.interfaces.values().next().unwrap().gained.first().unwrap().public);
}

/// Of the boxes of one change only those are public that are, and the packet that shows it is.
#[test]
fn public_boxes_are_told_apart() {
    let (before, after) = (aws([]), aws([ingress(22, cidr("172.0.0.0/8"), "r")]));
    let found = compare(&AwsEngine::new(), &before.build().unwrap(), &after.build().unwrap());
    let traffic = found.interfaces.values().next().unwrap().gained.first().unwrap();
    let public = AddressSet::from(cidr("172.16.0.0/12")).complement();
    let [changed] = &traffic.boxes(&[], &public)[..] else { unreachable!("there is one box") };
    assert!(changed.public && public.contains(changed.witness.unwrap().remote()));
    let [changed] = &traffic.boxes(&[], &AddressSet::from(cidr("8.0.0.0/8")))[..] else {
        unreachable!("there is one box")
    };
    assert!(!changed.public);
}

/// A policy that is too entangled is told of, and the rest is compared all the same.
#[test]
fn what_is_too_entangled_is_not_compared() {
    let tangled = |extra: u16| {
        let rules = (0..1_500_u16).map(|n| {
            let block =
                Cidr::containing([10, n.to_be_bytes()[0], n.to_be_bytes()[1], 0].into(), 8 + n.to_be_bytes()[1] % 17)
                    .unwrap();
            let port = |n: u16| secgroup::net::PortRange::new(n, 65_535 - n).unwrap();
            Rule::allow(Direction::Ingress, Traffic::tcp(port(n + extra)), block)
                .with_source_ports(port(n * 2 + extra))
                .with_priority(Priority(u32::from(n % 100) + 1))
        });
        Inventory::builder()
            .group(SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop).with_rules(rules))
            .group(SecurityGroup::basic("sg-2", IntraGroupPolicy::Drop).with_rule(ingress(
                22 + extra,
                cidr("10.0.0.0/8"),
                "r",
            )))
            .build()
            .unwrap()
    };
    let found = compare(&AlibabaEngine::new(), &tangled(0), &tangled(1));
    let entangled = found.groups.get("sg-1").unwrap();
    assert!(!entangled.equivalent && !entangled.not_compared.is_empty() && found.has_doubts());
    assert_eq!(found.groups.get("sg-2").unwrap().gained.len(), 1);
}

/// Rules moved between groups of one interface: the groups change, the interface does not.
#[test]
fn moved_rules_change_groups_but_not_the_interface() {
    let both = |first: Vec<Rule>, second: Vec<Rule>| {
        Inventory::builder()
            .group(SecurityGroup::aws("sg-1").with_rules(first))
            .group(SecurityGroup::aws("sg-2").with_rules(second))
            .interface(Interface::new("eni-1").with_groups(["sg-1", "sg-2"]))
            .build()
            .unwrap()
    };
    let rule = || ingress(22, cidr("10.0.0.0/8"), "ssh");
    let found = compare(&AwsEngine::new(), &both(vec![rule()], vec![]), &both(vec![], vec![rule()]));
    let interface = found.interfaces.values().next().unwrap();
    assert!(interface.equivalent && interface.gained.is_empty() && interface.lost.is_empty());
    assert_eq!(found.groups.values().filter(|group| !group.equivalent).count(), 2);
}

/// On Alibaba Cloud a drop at a better priority closes what an accept opens; reordering them opens it.
#[test]
fn priorities_that_change_places() {
    let inventory = |accept, drop| {
        let rules = [
            Rule::allow(Direction::Ingress, Traffic::tcp(22), cidr("0.0.0.0/0"))
                .with_priority(Priority(accept))
                .with_id("accept"),
            Rule::deny(Direction::Ingress, Traffic::tcp(22), cidr("10.0.0.0/8"))
                .with_priority(Priority(drop))
                .with_id("drop"),
        ];
        Inventory::builder()
            .group(SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop).with_rules(rules))
            .interface(Interface::new("eni-1").with_groups(["sg-1"]))
            .build()
            .unwrap()
    };
    let found = compare(&AlibabaEngine::new(), &inventory(5, 5), &inventory(4, 5));
    let interface = found.interfaces.values().next().unwrap();
    assert_eq!(texts(&interface.gained), ["tcp/22 from 10.0.0.0/8: drop -> accept"]);
    assert!(interface.lost.is_empty());
}

/// An interface that comes or goes: before and after nothing passes it.
#[test]
fn added_and_removed() {
    let with = aws([ingress(22, cidr("10.0.0.0/8"), "ssh")]).build().unwrap();
    let without = Inventory::builder().build().unwrap();
    let engine = AwsEngine::new().with_never_filtered(vec![]);
    let found = compare(&engine, &without, &with);
    let interface = found.interfaces.values().next().unwrap();
    assert_eq!(
        (interface.status, texts(&interface.gained)),
        (Status::Added, vec!["tcp/22 from 10.0.0.0/8: - -> ssh".to_owned()])
    );
    let found = compare(&engine, &with, &without);
    let group = found.groups.values().next().unwrap();
    assert_eq!(
        (group.status, texts(&group.lost)),
        (Status::Removed, vec!["tcp/22 from 10.0.0.0/8: ssh -> -".to_owned()])
    );
}

/// A member that joins opens what rules say about its group, at interfaces that did not change.
#[test]
fn members_count() {
    let inventory = |members: &[&str]| {
        let start = aws([ingress(22, Peer::group("sg-2"), "from-2")]).group(SecurityGroup::aws("sg-2"));
        let member = |(n, address): (usize, &&str)| {
            Interface::new(format!("eni-m{n}")).with_groups(["sg-2"]).with_address(ip(address))
        };
        members.iter().enumerate().map(member).fold(start, InventoryBuilder::interface).build().unwrap()
    };
    let engine = AwsEngine::new().with_never_filtered(vec![]);
    let found = compare(&engine, &inventory(&["10.0.0.8"]), &inventory(&["10.0.0.8", "10.0.0.9"]));
    let interface = found.interfaces.get("eni-1").unwrap();
    assert_eq!(texts(&interface.gained), ["tcp/22 from 10.0.0.9: - -> from-2"]);
}

/// What is not known is not a change, nor is it said to be none.
#[test]
fn unknown_references_are_uncertain() {
    let with = |list: &str| aws([ingress(22, Peer::PrefixList(list.into()), "list")]).build().unwrap();
    let engine = AwsEngine::new();
    let found = compare(&engine, &aws([]).build().unwrap(), &with("pl-1"));
    let interface = found.interfaces.values().next().unwrap();
    assert!(!interface.equivalent && interface.gained.is_empty() && interface.lost.is_empty());
    assert!(interface.uncertain.iter().all(|traffic| traffic.verdict_after == Verdict::Indeterminate));
    assert!(found.has_doubts() && !found.has_changes());
    // As unknown as before, for another reason: the sets are the same, and still it is told.
    let found = compare(&engine, &with("pl-1"), &with("pl-2"));
    let interface = found.interfaces.values().next().unwrap();
    assert!(interface.equivalent && !interface.uncertain.is_empty() && found.has_doubts());
    // For the same reason, written in another way: nothing changed.
    let list = |ports: &str, id: &str| {
        Rule::allow(Direction::Ingress, ports.parse().unwrap(), Peer::PrefixList("pl-1".into())).with_id(id)
    };
    let (whole, parts) =
        (aws([list("tcp/80-85", "r")]), aws([list("tcp/81-85", "s"), list("tcp/80", "t"), list("tcp/82", "u")]));
    let found = compare(&engine, &whole.build().unwrap(), &parts.build().unwrap());
    assert!(found.is_equivalent() && !found.has_doubts());
    // For the same reason: nothing changed.
    let found = compare(&engine, &with("pl-1"), &with("pl-1"));
    assert!(found.is_equivalent() && !found.has_doubts());
}

/// Questions on whole inventories, of two clouds: ids are brought together by the caller.
#[test]
fn inventories_of_two_clouds() {
    let web = || Rule::allow(Direction::Ingress, Traffic::tcp(443), cidr("0.0.0.0/0"));
    let out = || Rule::allow(Direction::Egress, Traffic::All, cidr("0.0.0.0/0"));
    let everywhere = || Rule::allow(Direction::Egress, Traffic::All, cidr("::/0"));
    let ours = Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rules([web(), out(), everywhere()]))
        .interface(Interface::new("eni-1").with_groups(["sg-1"]))
        .build()
        .unwrap();
    let theirs = |rules: Vec<Rule>| {
        Inventory::builder()
            .group(SecurityGroup::basic("sg-bp1", IntraGroupPolicy::Drop).with_rules(rules))
            .interface(Interface::new("eni-bp1").with_groups(["sg-bp1"]))
            .build()
            .unwrap()
    };
    let (aws, alibaba) =
        (AwsEngine::new().with_never_filtered(vec![]), AlibabaEngine::new().with_never_filtered(vec![]));
    let ask = |question, theirs: &Inventory| {
        let (ours, theirs) = (Side { engine: &aws, inventory: &ours }, Side { engine: &alibaba, inventory: theirs });
        ask_inventories(question, ours, theirs, |_| "eni-bp1".into()).unwrap()
    };
    assert!(ask(Question::Equivalent, &theirs(vec![web()])).holds());
    let drop = Rule::deny(Direction::Ingress, Traffic::tcp(443), cidr("192.0.2.0/24")).with_id("drop");
    let answer = ask(Question::Equivalent, &theirs(vec![web(), drop.clone()]));
    let exception = answer.exceptions.first().unwrap();
    let Answer::Fails(proof) = &exception.answer else { panic!("{exception:?}") };
    assert_eq!((proof.ours.verdict, proof.theirs.verdict), (Verdict::Allow, Verdict::Deny));
    assert_eq!(proof.theirs.rules(), ["drop".into()]);
    // The stricter one is implied by nothing that it closes.
    assert!(!ask(Question::Implies, &theirs(vec![web(), drop])).holds());
}

/// A change of one rule among the groups of many interfaces that share them is compared once.
#[test]
fn interfaces_with_the_same_groups_share_the_difference() {
    let inventory = |port| {
        (0..50)
            .fold(
                Inventory::builder().group(SecurityGroup::aws("sg-1").with_rule(ingress(
                    port,
                    cidr("10.0.0.0/8"),
                    "r",
                ))),
                |b, n| {
                    b.interface(
                        Interface::new(format!("eni-{n}"))
                            .with_groups(["sg-1"])
                            .with_address(ip(&format!("10.0.0.{n}"))),
                    )
                },
            )
            .build()
            .unwrap()
    };
    let found = compare(&AwsEngine::new(), &inventory(22), &inventory(23));
    let first = found.interfaces.values().next().unwrap();
    assert_eq!(found.interfaces.len(), 50);
    assert!(found.interfaces.values().all(|subject| std::sync::Arc::ptr_eq(subject, first)));
}

#[cfg(feature = "proptest")]
mod random {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use secgroup::strategy::{alibaba_inventory, aws_inventory, flow_near};

    use super::*;

    const CASES: u32 = 192;

    fn config() -> ProptestConfig {
        let config = ProptestConfig::default();
        ProptestConfig { cases: config.cases.max(CASES), failure_persistence: None, ..config }
    }

    type Case = (Inventory, Inventory, Vec<Flow>);

    fn case<S: Strategy<Value = Inventory>>(inventory: impl Fn() -> S) -> impl Strategy<Value = Case> {
        (inventory(), inventory()).prop_flat_map(|(before, after)| {
            let flows = (vec(flow_near(&before), 8..14), vec(flow_near(&after), 8..14));
            (Just(before), Just(after), flows.prop_map(|(a, b)| [a, b].concat()))
        })
    }

    /// Whether the traffic of a direction has the flow.
    fn has(list: &[ChangedTraffic], direction: Direction, flow: &Flow) -> bool {
        list.iter().any(|t| t.direction == direction && t.packets.contains(flow) == Some(true))
    }

    fn agrees(engine: &dyn PolicyEngine, (before, after, flows): &Case) -> Result<(), TestCaseError> {
        let found = compare(engine, before, after);
        for (id, subject) in &found.interfaces {
            for direction in Direction::ALL {
                let policy = |inventory: &Inventory| {
                    let interface = inventory.interface(id.as_str())?;
                    Some(engine.lower(&Scope::new(inventory, interface, direction)).unwrap())
                };
                let (old, new) = (policy(before), policy(after));
                for flow in flows {
                    let flow = flow.from_port(flow.source_port().unwrap_or(40_000));
                    let local = if flow.remote().is_ipv4() { "10.0.1.10" } else { "2001:db8::10" };
                    let flow = if flow.local().is_none() { flow.at(ip(local)).unwrap() } else { flow };
                    let verdict = |policy: &Option<_>| {
                        policy.as_ref().map_or(Verdict::Deny, |policy: &secgroup::Policy| policy.decide(&flow).verdict)
                    };
                    let (was, is) = (verdict(&old), verdict(&new));
                    prop_assert_eq!(
                        has(&subject.gained, direction, &flow),
                        (was, is) == (Verdict::Deny, Verdict::Allow)
                    );
                    prop_assert_eq!(has(&subject.lost, direction, &flow), (was, is) == (Verdict::Allow, Verdict::Deny));
                    let open = [was, is].contains(&Verdict::Indeterminate);
                    if open && was != is {
                        prop_assert!(has(&subject.uncertain, direction, &flow));
                    } else if !open {
                        prop_assert!(!has(&subject.uncertain, direction, &flow));
                    }
                    prop_assert!(!subject.equivalent || was == is);
                }
            }
            // Every witness shows what it is a witness of, with the rules that it names.
            for traffic in subject.gained.iter().chain(&subject.lost).chain(&subject.uncertain) {
                let mut all = PacketSet::empty();
                for changed in traffic.boxes(&[], &public()) {
                    let witness = changed.witness.unwrap();
                    for (inventory, verdict, owner) in [
                        (before, traffic.verdict_before, &traffic.before),
                        (after, traffic.verdict_after, &traffic.after),
                    ] {
                        let Some(interface) = inventory.interface(id.as_str()) else { continue };
                        let policy = engine.lower(&Scope::new(inventory, interface, traffic.direction)).unwrap();
                        let decision = policy.decide(&witness);
                        prop_assert_eq!(decision.verdict, verdict);
                        let clause = decision.clause.and_then(|id| policy.clause(id));
                        let rule = clause.and_then(|clause| clause.provenance.rule()).map(|origin| &origin.rule);
                        prop_assert_eq!(rule, owner.rule.as_ref());
                    }
                    all = all.union(&PacketSet::from(&changed.part)).unwrap();
                }
                prop_assert_eq!(&all, &traffic.packets);
            }
        }
        // Against itself nothing changes.
        let same = compare(engine, before, before);
        prop_assert!(same.is_equivalent() && !same.has_doubts() && !same.has_changes());
        Ok(())
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn aws_differences_are_those_of_decisions(case in case(aws_inventory)) {
            agrees(&AwsEngine::new(), &case)?;
        }

        #[test]
        fn alibaba_differences_are_those_of_decisions(case in case(alibaba_inventory)) {
            agrees(&AlibabaEngine::new(), &case)?;
        }
    }
}

//! Findings about rules, groups and references.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::IpAddr;

use secgroup::analysis::lint::{Finding, Lint, codes, lint};
use secgroup::analysis::{Severity, Subject};
use secgroup::engine::{AlibabaEngine, AwsEngine, PolicyEngine};
use secgroup::model::{
    GroupReference, Interface, IntraGroupPolicy, Inventory, InventoryBuilder, Network, Peer, PeeringStatus, Priority,
    Rule, RuleId, SecurityGroup, Traffic,
};
use secgroup::net::{Cidr, Direction};

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ingress(traffic: &str, peer: impl Into<Peer>, id: &str) -> Rule {
    Rule::allow(Direction::Ingress, traffic.parse().unwrap(), peer).with_id(id)
}

fn with_interface(groups: impl IntoIterator<Item = SecurityGroup>) -> InventoryBuilder {
    let groups: Vec<SecurityGroup> = groups.into_iter().collect();
    let ids: Vec<String> = groups.iter().map(|group| group.id.to_string()).collect();
    let interface = Interface::new("eni-1").with_groups(ids).with_address(ip("10.0.0.5"));
    groups.into_iter().fold(Inventory::builder(), InventoryBuilder::group).interface(interface)
}

fn basic(id: &str, rules: impl IntoIterator<Item = Rule>) -> SecurityGroup {
    SecurityGroup::basic(id, IntraGroupPolicy::Drop).with_rules(rules)
}

fn run(engine: &dyn PolicyEngine, inventory: InventoryBuilder) -> Lint {
    lint(engine, &inventory.build().unwrap()).unwrap()
}

fn eni() -> Subject {
    Subject::Interface("eni-1".into())
}

fn group(id: &str) -> Subject {
    Subject::Group(id.into())
}

/// The findings of a code about a subject.
fn of<'l>(lint: &'l Lint, subject: &Subject, code: &str) -> Vec<&'l Finding> {
    lint.findings.iter().filter(|finding| finding.code == code && finding.subject == *subject).collect()
}

fn rules(finding: &Finding) -> Vec<&str> {
    finding.rules.iter().map(RuleId::as_str).collect()
}

fn removable<'l>(lint: &'l Lint, subject: &Subject, direction: Direction) -> Vec<&'l str> {
    lint.removable[subject][&direction].iter().map(RuleId::as_str).collect()
}

/// A redundant rule: the rule that can go first, what covers it after it, a packet that shows it.
#[test]
fn a_rule_within_another() {
    let rules_of =
        [ingress("tcp/22", cidr("10.1.0.0/16"), "narrow"), ingress("tcp/0-1023", cidr("10.0.0.0/8"), "wide")];
    let found = run(&AwsEngine::new(), with_interface([SecurityGroup::aws("sg-1").with_rules(rules_of)]));
    for subject in [eni(), group("sg-1")] {
        let [finding] = of(&found, &subject, codes::REDUNDANT)[..] else { panic!("{found:?}") };
        assert_eq!((rules(finding), finding.severity), (vec!["narrow", "wide"], Severity::Warning));
        assert_eq!(finding.direction, Some(Direction::Ingress));
        assert_eq!(removable(&found, &subject, Direction::Ingress), ["narrow"]);
        assert!(removable(&found, &subject, Direction::Egress).is_empty());
    }
    let witness = of(&found, &eni(), codes::REDUNDANT).first().unwrap().witness.unwrap();
    assert_eq!(witness.to_string(), "tcp/22 between 10.1.0.0 and 10.0.0.5, source port 49152");
    assert_eq!(
        of(&found, &eni(), codes::REDUNDANT).first().unwrap().message,
        "`narrow` (allow tcp/22 from 10.1.0.0/16) can go: `wide` does the same for all that it matches"
    );
}

/// A rule of one group that another group of the interface covers: each group is without fault.
#[test]
fn across_groups_only_the_interface_sees_it() {
    let groups = [
        SecurityGroup::aws("sg-1").with_rule(ingress("tcp/22", cidr("10.1.0.0/16"), "narrow")),
        SecurityGroup::aws("sg-2").with_rule(ingress("tcp/22", cidr("10.0.0.0/8"), "wide")),
    ];
    let found = run(&AwsEngine::new(), with_interface(groups));
    assert_eq!(of(&found, &eni(), codes::REDUNDANT).len(), 1);
    assert!(of(&found, &group("sg-1"), codes::REDUNDANT).is_empty());
    // It may be needed elsewhere, so it is no more than worth knowing.
    assert_eq!(found.worst(), Some(Severity::Info));
}

/// A drop in one group over an accept in another: the accept never decides (trap 9).
#[test]
fn a_drop_in_another_group_shadows() {
    let groups = [
        basic("sg-1", [ingress("tcp/80", cidr("0.0.0.0/0"), "accept").with_priority(Priority(50))]),
        basic(
            "sg-2",
            [Rule::deny(Direction::Ingress, Traffic::All, cidr("0.0.0.0/0"))
                .with_priority(Priority(10))
                .with_id("drop")],
        ),
    ];
    let found = run(&AlibabaEngine::new(), with_interface(groups));
    let [finding] = of(&found, &eni(), codes::SHADOWED)[..] else { panic!("{found:?}") };
    assert_eq!((rules(finding), finding.severity), (vec!["accept", "drop"], Severity::Warning));
    assert!(of(&found, &group("sg-1"), codes::SHADOWED).is_empty());
}

/// ALI-79: of an accept and a drop at one priority the accept is shadowed, and the tie is told.
#[test]
fn ties_of_opposite_actions() {
    let rules_of = [
        ingress("tcp/80", cidr("0.0.0.0/0"), "accept").with_priority(Priority(5)),
        Rule::deny(Direction::Ingress, Traffic::tcp(80), cidr("0.0.0.0/0")).with_priority(Priority(5)).with_id("drop"),
    ];
    let found = run(&AlibabaEngine::new(), with_interface([basic("sg-1", rules_of)]));
    for subject in [eni(), group("sg-1")] {
        assert_eq!(rules(of(&found, &subject, codes::SHADOWED).first().unwrap()), ["accept", "drop"]);
        assert_eq!(rules(of(&found, &subject, codes::TIE).first().unwrap()), ["accept", "drop"]);
        assert!(of(&found, &subject, codes::REDUNDANT).is_empty());
    }
}

/// Overlaps of opposite actions are told where neither has all of the other; exceptions are not.
#[test]
fn correlated_rules() {
    let deny = |block: &str, id: &str| Rule::deny(Direction::Ingress, Traffic::tcp(22), cidr(block)).with_id(id);
    let rules_of = [
        deny("10.1.0.0/16", "exception").with_priority(Priority(1)),
        ingress("tcp/20-30", cidr("10.0.0.0/8"), "accept").with_priority(Priority(2)),
        ingress("tcp/80", cidr("10.0.0.0/8"), "elsewhere").with_priority(Priority(3)),
        Rule::deny(Direction::Ingress, "tcp/25-40".parse().unwrap(), cidr("10.0.0.0/8"))
            .with_id("crossing")
            .with_priority(Priority(4)),
    ];
    let found = run(&AlibabaEngine::new(), with_interface([basic("sg-1", rules_of)]));
    let [finding] = of(&found, &eni(), codes::CORRELATED)[..] else { panic!("{found:?}") };
    assert_eq!((rules(finding), finding.severity), (vec!["crossing", "accept"], Severity::Info));
    assert_eq!(finding.witness.unwrap().destination_port(), Some(25));
}

/// Trap 1 of Alibaba Cloud: egress accepts of a basic group filter nothing.
#[test]
fn egress_accepts_of_a_basic_group() {
    let rule = || Rule::allow(Direction::Egress, Traffic::tcp(443), cidr("0.0.0.0/0")).with_id("out");
    let found = run(&AlibabaEngine::new(), with_interface([basic("sg-1", [rule()])]));
    for subject in [eni(), group("sg-1")] {
        let [finding] = of(&found, &subject, codes::REDUNDANT_DEFAULT)[..] else { panic!("{found:?}") };
        assert_eq!((rules(finding), finding.severity), (vec!["out"], Severity::Warning));
    }
    // In an enterprise group it does something.
    let found = run(&AlibabaEngine::new(), with_interface([SecurityGroup::enterprise("sg-1").with_rule(rule())]));
    assert!(found.findings.iter().all(|finding| finding.code != codes::REDUNDANT_DEFAULT));
}

/// Family and protocol cannot meet (AWS-34, ALI-90).
#[test]
fn rules_that_match_nothing() {
    let found = run(
        &AwsEngine::new(),
        with_interface([SecurityGroup::aws("sg-1").with_rule(ingress("icmp/8", cidr("::/0"), "ping"))]),
    );
    for subject in [eni(), group("sg-1")] {
        let [finding] = of(&found, &subject, codes::NEVER_MATCHES)[..] else { panic!("{found:?}") };
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(removable(&found, &subject, Direction::Ingress), ["ping"]);
    }
}

/// References are unknown sets of their own in a group by itself: two rules about one group are equal, those
/// about two groups are not, and no block covers them.
#[test]
fn references_in_a_group_by_itself() {
    let rules_of = [
        ingress("tcp/22", Peer::group("sg-a"), "a-22"),
        ingress("tcp/20-30", Peer::group("sg-a"), "a-20-30"),
        ingress("tcp/22", Peer::group("sg-b"), "b-22"),
        ingress("all", cidr("0.0.0.0/0"), "anywhere"),
        ingress("tcp/22", Peer::PrefixList("pl-unknown".into()), "list"),
        ingress("icmp/8", Peer::group("sg-c"), "ping-c"),
        ingress("all", Peer::group("sg-c"), "all-c"),
    ];
    let inventory = with_interface([SecurityGroup::aws("sg-1").with_rules(rules_of)]);
    let found = run(&AwsEngine::new(), inventory);
    assert_eq!(removable(&found, &group("sg-1"), Direction::Ingress), ["a-22", "ping-c"]);
    let redundant: Vec<Vec<&str>> = of(&found, &group("sg-1"), codes::REDUNDANT).into_iter().map(rules).collect();
    assert_eq!(redundant, [["a-22", "a-20-30"], ["ping-c", "all-c"]]);
}

/// A whole prefix list has the entries that it has.
#[test]
fn known_prefix_lists_are_resolved() {
    let list = secgroup::model::PrefixList::new("pl-1", [cidr("10.1.0.0/16")]);
    let rules_of =
        [ingress("tcp/22", Peer::PrefixList("pl-1".into()), "list"), ingress("tcp/22", cidr("10.0.0.0/8"), "wide")];
    let inventory = with_interface([SecurityGroup::aws("sg-1").with_rules(rules_of)]).prefix_list(list);
    let found = run(&AwsEngine::new(), inventory);
    assert_eq!(removable(&found, &group("sg-1"), Direction::Ingress), ["list"]);
}

/// A rule inside the zone of addresses that stand for references is what it says.
#[test]
fn addresses_that_could_be_taken_for_references() {
    let zone = "53:4563:6752:6f71::";
    let rules_of =
        [ingress("tcp/22", cidr(&format!("{zone}/128")), "host"), ingress("tcp/22", Peer::group("sg-1"), "own")];
    let found = run(&AwsEngine::new(), with_interface([SecurityGroup::aws("sg-1").with_rules(rules_of)]));
    assert!(removable(&found, &group("sg-1"), Direction::Ingress).is_empty());
}

/// AWS-44: a reference over a peering that is gone; AWS-47: one that cannot be resolved.
#[test]
fn stale_and_unresolved_references() {
    let mut gone = GroupReference::new("sg-gone");
    gone.peering = Some(PeeringStatus::Gone);
    let rules_of = [
        ingress("tcp/22", Peer::Group(gone), "gone"),
        ingress("tcp/80", Peer::group("sg-elsewhere"), "unknown"),
        ingress("tcp/81", Peer::PrefixList("pl-unknown".into()), "list"),
    ];
    let found = run(&AwsEngine::new(), with_interface([SecurityGroup::aws("sg-1").with_rules(rules_of)]));
    let [stale] = of(&found, &group("sg-1"), codes::STALE)[..] else { panic!("{found:?}") };
    assert_eq!((rules(stale), stale.severity), (vec!["gone"], Severity::Warning));
    let unresolved: Vec<Vec<&str>> = of(&found, &group("sg-1"), codes::UNRESOLVED).into_iter().map(rules).collect();
    assert_eq!(unresolved, [["unknown"], ["list"]]);
    assert_eq!(found.indeterminate, [eni()]);
    assert_eq!(removable(&found, &group("sg-1"), Direction::Ingress), ["gone"]);
}

/// Groups that nobody has, and groups that mean the same (AWS-118).
#[test]
fn unused_unattached_and_equal_groups() {
    let rule = |id: &str| ingress("tcp/22", cidr("10.0.0.0/8"), id);
    let vpc = || Network::Vpc("vpc-1".into());
    let halves = [ingress("tcp/22", cidr("10.0.0.0/9"), "h1"), ingress("tcp/22", cidr("10.128.0.0/9"), "h2")];
    let mut default = SecurityGroup::aws("sg-default");
    default.name = Some("default".to_owned());
    let inventory = with_interface([SecurityGroup::aws("sg-1")
        .with_rule(rule("r1"))
        .with_rule(ingress("tcp/1", Peer::group("sg-3"), "ref"))
        .in_network(vpc())])
    .group(SecurityGroup::aws("sg-2").with_rule(rule("r2")).in_network(vpc()))
    .group(SecurityGroup::aws("sg-3").with_rules(halves).in_network(vpc()))
    .group(SecurityGroup::aws("sg-4").with_rule(rule("r4")).in_network(Network::Vpc("vpc-2".into())))
    .group(default.in_network(vpc()));
    let found = run(&AwsEngine::new(), inventory);
    let subjects = |code: &str| -> Vec<Subject> {
        found.findings.iter().filter(|finding| finding.code == code).map(|finding| finding.subject.clone()).collect()
    };
    assert_eq!(subjects(codes::UNUSED), [group("sg-2"), group("sg-4")]);
    assert_eq!(subjects(codes::UNATTACHED), [group("sg-3")]);
    // The first has a rule about members that do not exist, so it means the same as the others.
    assert_eq!(subjects(codes::EQUAL_GROUPS), [group("sg-2"), group("sg-3")]);
}

/// Where interfaces were not loaded nothing is said about who has a group.
#[test]
fn attachment_that_is_not_known() {
    let inventory = Inventory::builder().group(SecurityGroup::aws("sg-1")).members_incomplete();
    assert!(run(&AwsEngine::new(), inventory).findings.iter().all(|finding| finding.code != codes::UNUSED));
}

/// A rule about a group that alone proves that its group is a basic one is not removed: without it the
/// default of egress would not be known (ALI-16).
#[test]
fn a_rule_that_proves_the_kind_stays() {
    let mut unknown = SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop);
    unknown.kind = None;
    let wide = ingress("all", cidr("0.0.0.0/0"), "wide").with_priority(Priority(1));
    let own = ingress("tcp/22", Peer::group("sg-2"), "about-a-group").with_priority(Priority(2));
    let member = Interface::new("eni-2").with_groups(["sg-2"]).with_address(ip("10.0.0.9"));
    let inventory = with_interface([unknown.with_rules([wide, own])]).group(basic("sg-2", [])).interface(member);
    let found = run(&AlibabaEngine::new(), inventory);
    assert_eq!(of(&found, &eni(), codes::SHADOWED).len(), 1);
    assert!(removable(&found, &eni(), Direction::Ingress).is_empty());
}

/// What is open is judged by effect, and the wrong answers that known tools give are not given.
#[test]
fn exposure_by_effect() {
    let aws = |rules: Vec<Rule>| run(&AwsEngine::new(), with_interface([SecurityGroup::aws("sg-1").with_rules(rules)]));
    let exposed = |lint: &Lint| of(lint, &eni(), "exposed-administration").len();
    let ec2 = |lint: &Lint, code: &str| of(lint, &group("sg-1"), code).len();
    // Open over IPv6 only: the group is, but the interface has no IPv6 address that could be reached.
    let found = aws(vec![ingress("tcp/22", cidr("::/0"), "r")]);
    assert_eq!((exposed(&found), ec2(&found, "EC2.13"), ec2(&found, "EC2.53"), ec2(&found, "EC2.54")), (0, 1, 0, 1));
    let both =
        Interface::new("eni-1").with_groups(["sg-1"]).with_address(ip("10.0.0.5")).with_address(ip("2001:db8::5"));
    let group6 = SecurityGroup::aws("sg-1").with_rule(ingress("tcp/22", cidr("::/0"), "r"));
    let found = run(&AwsEngine::new(), Inventory::builder().group(group6).interface(both));
    assert_eq!(exposed(&found), 1);
    // Two halves of the address space together are anywhere, and it is said that they are in two rules.
    let found = aws(vec![ingress("tcp/22", cidr("0.0.0.0/1"), "low"), ingress("tcp/22", cidr("128.0.0.0/1"), "high")]);
    assert_eq!((exposed(&found), ec2(&found, "EC2.13")), (1, 1));
    assert_eq!(rules(of(&found, &eni(), codes::SPLIT_ANYWHERE).first().unwrap()), ["high", "low"]);
    // One half is not.
    let found = aws(vec![ingress("tcp/22", cidr("128.0.0.0/1"), "high")]);
    assert_eq!((exposed(&found), ec2(&found, "EC2.13")), (0, 0));
    // Two halves of the ports together are all ports.
    let found = aws(vec![
        ingress("tcp/0-9999", cidr("0.0.0.0/0"), "low"),
        ingress("tcp/10000-65535", cidr("0.0.0.0/0"), "high"),
    ]);
    assert_eq!(of(&found, &eni(), "exposed-all-ports").len(), 1);
    assert!(of(&found, &eni(), codes::SPLIT_ANYWHERE).is_empty());
    // Protocol 50 opens no port (T2); all protocols through a private group are not public.
    let found = aws(vec![ingress("50", cidr("0.0.0.0/0"), "esp")]);
    assert_eq!((exposed(&found), ec2(&found, "EC2.19")), (0, 0));
    let found = aws(vec![ingress("all", Peer::group("sg-1"), "own")]);
    assert!(found.findings.iter().all(|finding| finding.severity == Severity::Info), "{found:?}");
    // The web's ports are open and nobody minds.
    let found = aws(vec![ingress("tcp/443", cidr("0.0.0.0/0"), "web"), ingress("tcp/80", cidr("::/0"), "web6")]);
    assert!(found.worst() <= Some(Severity::Info), "{found:?}");
}

/// A drop of a better priority closes what an accept opens, whoever's group it stands in (trap 9); of a worse
/// one it does not; and a drop is not exposure (trap 8).
#[test]
fn drops_close_ports() {
    let accept = |priority| ingress("tcp/22", cidr("0.0.0.0/0"), "accept").with_priority(Priority(priority));
    let drop = |priority| {
        Rule::deny(Direction::Ingress, Traffic::All, cidr("0.0.0.0/0"))
            .with_priority(Priority(priority))
            .with_id("drop")
    };
    for (accepts, drops, open) in [
        (vec![accept(50)], vec![drop(10)], false),
        (vec![accept(5)], vec![drop(10)], true),
        (vec![], vec![drop(10)], false),
    ] {
        let found = run(&AlibabaEngine::new(), with_interface([basic("sg-1", accepts), basic("sg-2", drops)]));
        let control = of(&found, &group("sg-1"), "sg-risky-ports-check");
        assert_eq!((control.len() == 1, of(&found, &eni(), "exposed-administration").len() == 1), (open, open));
        if open {
            assert_eq!(rules(control[0]), ["accept"]);
            assert!(control[0].message.contains("`eni-1`"));
        }
    }
}

/// One port that is open to anywhere is not all ports; a protocol without ports is not split.
#[test]
fn what_is_open_is_not_more_than_that() {
    for traffic in ["tcp/443", "50", "gre", "4"] {
        let found = run(
            &AwsEngine::new(),
            with_interface([SecurityGroup::aws("sg-1").with_rule(ingress(traffic, cidr("0.0.0.0/0"), "r"))]),
        );
        assert!(found.worst() <= Some(Severity::Info), "{traffic}: {found:?}");
    }
}

/// Every group whose own rules open a port is told of, whichever rule decides, and no other is.
#[test]
fn groups_are_judged_by_their_own_rules() {
    let accused = |lint: &Lint, code: &str| -> Vec<String> {
        lint.findings.iter().filter(|f| f.code == code).map(|finding| finding.subject.to_string()).collect()
    };
    let aws =
        |id: &str, traffic: &str, block: &str| SecurityGroup::aws(id).with_rule(ingress(traffic, cidr(block), id));
    let groups = [
        aws("sg-1", "tcp/22", "198.51.100.7/32"),
        aws("sg-2", "tcp/20-30", "0.0.0.0/0"),
        aws("sg-3", "all", "0.0.0.0/0"),
    ];
    let found = run(&AwsEngine::new(), with_interface(groups));
    assert_eq!(accused(&found, "EC2.13"), ["the group `sg-2`", "the group `sg-3`"]);
    // Halves in two groups open the port together, and both are told of.
    let groups =
        [aws("sg-1", "tcp/22", "0.0.0.0/1"), aws("sg-2", "tcp/22", "128.0.0.0/1"), aws("sg-3", "tcp/80", "10.0.0.0/8")];
    let found = run(&AwsEngine::new(), with_interface(groups));
    assert_eq!(accused(&found, "EC2.13"), ["the group `sg-1`", "the group `sg-2`"]);
    // A managed group opens the port at a better priority: the user's own group opens it all the same.
    let mut managed = basic("sg-1", [ingress("tcp/22", cidr("0.0.0.0/0"), "m").with_priority(Priority(1))]);
    managed.service_managed = true;
    let own = basic("sg-2", [ingress("tcp/22", cidr("0.0.0.0/0"), "o").with_priority(Priority(50))]);
    let found = run(&AlibabaEngine::new(), with_interface([managed, own]));
    assert_eq!(accused(&found, "sg-risky-ports-check"), ["the group `sg-2`"]);
    assert_eq!(of(&found, &eni(), "exposed-administration").len(), 1);
}

/// A basic group lets everything out by default (ALI-3), and no rule says so.
#[test]
fn exposure_by_default() {
    let found = run(&AlibabaEngine::new(), with_interface([basic("sg-1", [])]));
    assert_eq!(of(&found, &group("sg-1"), "ecs-security-group-egress-not-all-access").len(), 1);
}

/// A group that no interface has is judged by itself; controls of another cloud are not asked.
#[test]
fn exposure_of_groups_that_nobody_has() {
    let open = SecurityGroup::aws("sg-2").with_rule(ingress("tcp/3389", cidr("0.0.0.0/0"), "rdp"));
    let found = run(&AwsEngine::new(), with_interface([SecurityGroup::aws("sg-1")]).group(open));
    assert_eq!(rules(of(&found, &group("sg-2"), "EC2.14").first().unwrap()), ["rdp"]);
    assert!(found.findings.iter().all(|finding| !finding.code.starts_with("ecs-") && !finding.code.starts_with("sg-")));
}

/// More rules than the quota (AWS-78).
#[test]
fn over_quota() {
    let many = (0..61).map(|n| ingress(&format!("tcp/{n}"), cidr("10.0.0.0/8"), &format!("r{n}")));
    let found = run(&AwsEngine::new(), with_interface([SecurityGroup::aws("sg-1").with_rules(many)]));
    assert_eq!(of(&found, &group("sg-1"), codes::OVER_QUOTA).len(), 1);
}

/// Findings are in a fixed order, the worst first, and a configuration without faults has none.
#[test]
fn order_and_silence() {
    let clean = [
        ingress("tcp/443", cidr("10.0.0.0/8"), "web"),
        Rule::allow(Direction::Egress, Traffic::All, cidr("0.0.0.0/0")).with_id("out"),
    ];
    let found = run(&AwsEngine::new(), with_interface([SecurityGroup::aws("sg-1").with_rules(clean)]));
    assert!(found.findings.iter().all(|finding| finding.severity == Severity::Info), "{:?}", found.findings);
    assert!(found.indeterminate.is_empty());
}

#[cfg(feature = "proptest")]
mod random {
    use proptest::prelude::*;
    use secgroup::engine::Scope;
    use secgroup::model::{Action, Ports};
    use secgroup::net::{IcmpMessage, Payload, Protocol};
    use secgroup::set::Decided;
    use secgroup::strategy::{alibaba_inventory, aws_inventory};

    use super::*;

    const CASES: u32 = 128;

    fn config() -> ProptestConfig {
        let config = ProptestConfig::default();
        ProptestConfig { cases: config.cases.max(CASES), failure_persistence: None, ..config }
    }

    /// The rules with ids of their own.
    fn named(inventory: &Inventory) -> Inventory {
        let mut parts = serde_json::to_value(inventory).unwrap();
        for group in parts["groups"].as_array_mut().unwrap() {
            let id = group["id"].as_str().unwrap().to_owned();
            for (index, rule) in group["rules"].as_array_mut().unwrap().iter_mut().enumerate() {
                rule["id"] = serde_json::json!(format!("{id}-rule-{index}"));
            }
        }
        serde_json::from_value(parts).unwrap()
    }

    fn without(inventory: &Inventory, gone: &[&str]) -> Inventory {
        let mut parts = serde_json::to_value(inventory).unwrap();
        for group in parts["groups"].as_array_mut().unwrap() {
            group["rules"].as_array_mut().unwrap().retain(|rule| !gone.contains(&rule["id"].as_str().unwrap()));
        }
        serde_json::from_value(parts).unwrap()
    }

    /// What a member of a referenced group is told by a group by itself, from the words of the rules.
    fn told(rules: &[Rule], direction: Direction, member_of: &str, payload: Payload, port: u16) -> Option<Action> {
        let matches = |rule: &&Rule| {
            let service = match (&rule.traffic, payload) {
                (Traffic::All, _) => true,
                (Traffic::Tcp(ports), Payload::Tcp { destination, .. })
                | (Traffic::Udp(ports), Payload::Udp { destination, .. }) => match ports {
                    Ports::Any => true,
                    Ports::Range(range) => range.contains(destination),
                    Ports::List(_) => return false,
                },
                (Traffic::Icmp(selector), Payload::Icmp(message)) => selector.contains(message),
                (Traffic::Other(number), Payload::Other(protocol)) => *number == protocol,
                _ => false,
            };
            let source = rule.source_ports.is_none_or(|ports| {
                matches!(payload, Payload::Tcp { .. } | Payload::Udp { .. }) && ports.contains(port)
            });
            let peer = match &rule.peer {
                Peer::Group(reference) => {
                    reference.id.as_str() == member_of && reference.peering != Some(PeeringStatus::Gone)
                }
                Peer::Any => true,
                _ => false,
            };
            rule.direction == direction && rule.local.is_none() && service && source && peer
        };
        let rank =
            |rule: &&Rule| (rule.priority.map_or(1, |Priority(number)| number.max(1)), rule.action != Action::Deny);
        rules.iter().filter(matches).min_by_key(rank).map(|rule| rule.action)
    }

    fn holds(engine: &dyn PolicyEngine, inventory: &Inventory) -> Result<(), TestCaseError> {
        let inventory = named(inventory);
        let found = lint(engine, &inventory).unwrap();
        for interface in inventory.interfaces() {
            let subject = Subject::Interface(interface.id.clone());
            let decided = |inventory: &Inventory, direction| {
                let interface = inventory.interface(interface.id.as_str()).unwrap();
                Decided::new(&engine.lower(&Scope::new(inventory, interface, direction)).unwrap()).unwrap()
            };
            let open =
                Direction::ALL.iter().any(|direction| !decided(&inventory, *direction).indeterminate().is_empty());
            prop_assert_eq!(found.indeterminate.contains(&subject), open);
            for direction in Direction::ALL {
                // Removed from the configuration, nothing changes for the interface.
                let rest = without(&inventory, &removable(&found, &subject, direction));
                prop_assert!(
                    decided(&rest, direction).same_verdicts(&decided(&inventory, direction)).unwrap(),
                    "{}",
                    interface.id
                );
            }
        }
        // What a group says about the members of groups that it refers to does not change either. Rules with
        // a near address, or port lists that are not known, are left out of the question.
        for one in inventory.groups() {
            // So are references into other VPCs, which may never match.
            let plain = |rule: &Rule| {
                rule.local.is_none()
                    && !matches!(rule.traffic.ports(), Some(Ports::List(_)))
                    && !matches!(&rule.peer, Peer::Group(reference) if reference.vpc.is_some() || reference.peering.is_some())
            };
            if !one.rules.iter().all(plain) {
                continue;
            }
            let subject = group(one.id.as_str());
            for direction in Direction::ALL {
                let gone = removable(&found, &subject, direction);
                let rest: Vec<Rule> = one
                    .rules
                    .iter()
                    .filter(|rule| !gone.contains(&rule.id.as_ref().unwrap().as_str()))
                    .cloned()
                    .collect();
                let referenced = one.rules.iter().filter_map(|rule| match &rule.peer {
                    Peer::Group(reference) => Some(reference.id.as_str()),
                    _ => None,
                });
                for member_of in referenced {
                    // Members of an interconnected group of its own pass ahead of all rules (ALI-4).
                    if member_of == one.id.as_str() {
                        continue;
                    }
                    for port in [0, 21, 22, 23, 53, 79, 80, 443, 1023, 1024, 8080, 65535] {
                        let payloads = [
                            Payload::Tcp { source: None, destination: port },
                            Payload::Udp { source: None, destination: port },
                            Payload::Icmp(IcmpMessage::new(8, 0)),
                            Payload::Icmp(IcmpMessage::new(3, 4)),
                            Payload::Other(Protocol::GRE),
                        ];
                        for payload in payloads {
                            for source in [0, 1024, 40_000] {
                                let told = |rules: &[Rule]| told(rules, direction, member_of, payload, source);
                                let default = match (engine.name(), direction) {
                                    ("alibaba", Direction::Egress)
                                        if one.kind == Some(secgroup::model::GroupKind::Basic) =>
                                    {
                                        Action::Allow
                                    }
                                    _ => Action::Deny,
                                };
                                let known =
                                    one.kind.is_some() || direction == Direction::Ingress || engine.name() == "aws";
                                if known {
                                    prop_assert_eq!(
                                        told(&one.rules).unwrap_or(default),
                                        told(&rest).unwrap_or(default),
                                        "{} {:?} {:?}",
                                        one.id,
                                        direction,
                                        payload
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn what_lint_removes_changes_nothing_on_aws(inventory in aws_inventory()) {
            holds(&AwsEngine::new(), &inventory)?;
        }

        #[test]
        fn what_lint_removes_changes_nothing_on_alibaba(inventory in alibaba_inventory()) {
            holds(&AlibabaEngine::new(), &inventory)?;
        }
    }
}

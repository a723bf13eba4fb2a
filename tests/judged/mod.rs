//! Small configurations as text, and what checks find on them.
#![allow(dead_code, reason = "each test uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use secgroup::analysis::controls::{
    About, Check, Control, Openness, Subject, Violation, controls, evaluate, public_addresses, without_public_members,
};
use secgroup::engine::{AlibabaEngine, AwsEngine, PolicyEngine, Scope};
use secgroup::model::{Action, GroupKind, Interface, IntraGroupPolicy, Inventory, Peer, Rule, SecurityGroup};
use secgroup::net::Direction;
use secgroup::policy::{Policy, Verdict};
use secgroup::set::Decided;

/// `tcp/22 0.0.0.0/0`, where the far end is a block, `sg-...` or `pl-...`; out with `out ` in front.
pub(crate) fn rule(text: &str) -> Rule {
    let (direction, text) = match text.strip_prefix("out ") {
        Some(text) => (Direction::Egress, text),
        None => (Direction::Ingress, text),
    };
    let (traffic, peer) = text.split_once(' ').unwrap();
    let peer = match peer {
        peer if peer.starts_with("sg-") => Peer::group(peer),
        peer if peer.starts_with("pl-") => Peer::PrefixList(peer.into()),
        peer => Peer::Cidr(peer.parse().unwrap()),
    };
    Rule::new(direction, Action::Allow, traffic.parse().unwrap(), peer)
}

/// `5 drop tcp/22 0.0.0.0/0`: priority and policy in front.
pub(crate) fn ranked(text: &str) -> Rule {
    let (priority, text) = text.split_once(' ').unwrap();
    let (action, text) = text.split_once(' ').unwrap();
    let mut rule = rule(text).with_priority(priority.parse::<u32>().unwrap());
    rule.action = if action == "drop" { Action::Deny } else { Action::Allow };
    rule
}

/// An AWS inventory with one group, `sg-1`, on one interface.
pub(crate) fn aws(rules: &[&str]) -> Inventory {
    Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rules(rules.iter().copied().map(rule)))
        .interface(Interface::new("eni-1").with_groups(["sg-1"]).with_address("10.0.0.5".parse().unwrap()))
        .build()
        .unwrap()
}

/// An inventory of Alibaba Cloud with basic groups `sg-1`, `sg-2` and so on, all on one interface.
pub(crate) fn basic(groups: &[&[&str]]) -> Inventory {
    let ids: Vec<String> = (1..=groups.len()).map(|number| format!("sg-{number}")).collect();
    let mut builder =
        Inventory::builder().interface(Interface::new("eni-1").with_groups(ids.iter().map(String::as_str)));
    for (id, rules) in ids.iter().zip(groups) {
        let group = SecurityGroup::basic(id.as_str(), IntraGroupPolicy::Drop);
        builder = builder.group(group.with_rules(rules.iter().copied().map(ranked)));
    }
    builder.build().unwrap()
}

pub(crate) fn policy(engine: &dyn PolicyEngine, inventory: &Inventory, direction: Direction) -> Policy {
    engine.lower(&Scope::of(inventory, "eni-1", direction).unwrap()).unwrap()
}

pub(crate) fn engine_of(inventory: &Inventory) -> Box<dyn PolicyEngine> {
    match inventory.groups().next().and_then(|group| group.kind) {
        Some(GroupKind::Basic | GroupKind::Enterprise) => Box::new(AlibabaEngine::new()),
        _ => Box::new(AwsEngine::new()),
    }
}

/// What a check finds on `eni-1`.
pub(crate) fn found(inventory: &Inventory, check: &Check) -> Option<Violation> {
    let direction = if check.about() == About::Egress { Direction::Egress } else { Direction::Ingress };
    let policy = policy(&*engine_of(inventory), inventory, direction);
    let policy = without_public_members(&policy);
    let decided = Decided::new(&policy).unwrap();
    let violation = evaluate(check, Subject::Traffic(&Openness::of(&decided)));
    if let Some(violation) = &violation {
        is_sound(violation, &policy);
    }
    violation
}

/// What a violation shows is so: packets from public addresses, with verdicts that fit, decided by its clauses.
pub(crate) fn is_sound(violation: &Violation, policy: &Policy) {
    violation.packets.validate().unwrap();
    let witness = violation.packets.witness().unwrap();
    let decision = policy.decide(&witness);
    let verdict = if violation.certain { Verdict::Allow } else { Verdict::Indeterminate };
    assert_eq!(decision.verdict, verdict, "{witness}");
    assert!(public_addresses().contains(witness.remote()), "{witness}");
    match decision.clause {
        Some(clause) => assert!(violation.clauses.contains(&clause), "{witness} by {clause} in {violation:?}"),
        None => assert!(violation.by_default, "{witness}"),
    }
    assert!(violation.clauses.iter().all(|clause| policy.clause(*clause).is_some()));
}

/// The controls of this id, in order.
pub(crate) fn named(id: &str) -> Vec<Control> {
    controls().into_iter().filter(|control| control.id == id).collect()
}

/// The one check of this id.
pub(crate) fn check(id: &str) -> Check {
    let [control] = named(id).try_into().unwrap();
    control.check
}

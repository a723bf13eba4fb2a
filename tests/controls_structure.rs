//! Controls about groups and interfaces as they are configured, whom controls are about, and their parameters.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod judged;

use judged::{aws, check, found, named, policy, ranked, rule};
use secgroup::analysis::Severity;
use secgroup::analysis::controls::{Control, ControlError, Families, ServicePorts, Subject, evaluate, parse_ports};
use secgroup::engine::AlibabaEngine;
use secgroup::model::{Interface, IntraGroupPolicy, Inventory, RuleCoverage, SecurityGroup};
use secgroup::net::Direction;

fn on_group(inventory: &Inventory, group: &str, id: &str) -> Option<bool> {
    let group = inventory.group(group).unwrap();
    let violation = evaluate(&check(id), Subject::Group(inventory, group))?;
    assert!(violation.packets.is_empty() && violation.clauses.is_empty() && !violation.text.is_empty());
    Some(violation.certain)
}

/// AWS-121, AWS-130: a default group has no rule in either direction.
#[test]
fn default_groups_are_closed() {
    let group = |name: Option<&str>, rules: &[&str]| {
        let mut group = SecurityGroup::aws("sg-1").with_rules(rules.iter().copied().map(rule));
        group.name = name.map(str::to_owned);
        group
    };
    let mut partial = group(Some("default"), &[]);
    partial.coverage = RuleCoverage::OnlyDirection(Direction::Ingress);
    for (group, expected) in [
        (group(Some("default"), &["all sg-1"]), Some(true)),
        (group(Some("default"), &["out all 0.0.0.0/0"]), Some(true)),
        (group(Some("default"), &[]), None),
        (partial, Some(false)),
        (group(Some("web"), &["all sg-1"]), None),
        (group(None, &["all sg-1"]), None),
    ] {
        let inventory = Inventory::builder().group(group.clone()).build().unwrap();
        for id in ["EC2.2", "vpc-default-security-group-closed"] {
            assert_eq!(on_group(&inventory, "sg-1", id), expected, "{id}: {group:?}");
        }
    }
}

/// AWS-125, AWS-130: a group that is not a default one has an interface.
#[test]
fn groups_are_attached() {
    let mut default = SecurityGroup::aws("sg-default");
    default.name = Some("default".to_owned());
    let build = || {
        Inventory::builder()
            .group(SecurityGroup::aws("sg-used"))
            .group(SecurityGroup::aws("sg-unused"))
            .group(default.clone())
            .interface(Interface::new("eni-1").with_groups(["sg-used"]))
    };
    for id in ["EC2.22", "ec2-security-group-attached-to-eni-periodic"] {
        let inventory = build().build().unwrap();
        assert_eq!(on_group(&inventory, "sg-used", id), None);
        assert_eq!(on_group(&inventory, "sg-unused", id), Some(true));
        assert_eq!(on_group(&inventory, "sg-default", id), None);
        // Someone whom nobody knows may have it.
        for inventory in [build().members_incomplete(), build().interface(Interface::new("eni-2"))] {
            let inventory = inventory.build().unwrap();
            assert_eq!(on_group(&inventory, "sg-used", id), None);
            assert_eq!(on_group(&inventory, "sg-unused", id), Some(false));
        }
    }
}

#[test]
fn kinds_and_descriptions() {
    let described = |text: Option<&str>| {
        let mut group = SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop);
        group.description = text.map(str::to_owned);
        Inventory::builder().group(group).build().unwrap()
    };
    for (text, expected) in [(Some("web"), None), (Some(" "), Some(true)), (None, Some(true))] {
        assert_eq!(on_group(&described(text), "sg-1", "ecs-security-group-description-check"), expected, "{text:?}");
    }
    for (group, expected) in [
        (SecurityGroup::basic("sg-1", IntraGroupPolicy::Accept), Some(true)),
        (SecurityGroup::enterprise("sg-1"), None),
        (SecurityGroup::new("sg-1"), Some(false)),
    ] {
        let inventory = Inventory::builder().group(group).build().unwrap();
        assert_eq!(on_group(&inventory, "sg-1", "ecs-security-group-type-not-normal"), expected);
    }
}

/// ALI-80: an interface has a group, or one of those that are asked for.
#[test]
fn interfaces_have_groups() {
    let inventory = Inventory::default();
    let [any] = named("ecs-instance-attached-security-group").try_into().unwrap();
    let base = any.clone().with_groups(["sg-base", "sg-other"]).unwrap();
    for (interface, expected_any, expected_base) in [
        (Interface::new("eni-1").with_groups(["sg-base"]), None, None),
        (Interface::new("eni-1").with_groups(["sg-1"]), None, Some(true)),
        (Interface::new("eni-1").without_groups(), Some(true), Some(true)),
        (Interface::new("eni-1"), Some(false), Some(false)),
    ] {
        let certain = |control: &Control| {
            control.evaluate(Subject::Interface(&inventory, &interface)).map(|violation| violation.certain)
        };
        assert_eq!((certain(&any), certain(&base)), (expected_any, expected_base), "{interface:?}");
    }
}

/// ALI-29, ALI-80: what a cloud service owns is none of its user's business.
#[test]
fn managed_groups_are_left_out() {
    let mut managed =
        SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop).with_rule(ranked("1 accept tcp/22 0.0.0.0/0"));
    managed.service_managed = true;
    let own = SecurityGroup::basic("sg-2", IntraGroupPolicy::Drop).with_rule(ranked("2 accept tcp/23 0.0.0.0/0"));
    let inventory = Inventory::builder()
        .group(managed)
        .group(own)
        .interface(Interface::new("eni-1").with_groups(["sg-1", "sg-2"]))
        .interface(Interface::new("eni-2").with_groups(["sg-1"]))
        .build()
        .unwrap();
    let [control] = named("sg-risky-ports-check").try_into().unwrap();
    let group = |id: &str| inventory.group(id).unwrap();
    assert!(!control.applies_to_group(group("sg-1")) && control.applies_to_group(group("sg-2")));
    assert!(
        !control.applies_to_group(&SecurityGroup::aws("sg-3")) && control.applies_to_group(&SecurityGroup::new("sg-3"))
    );
    let interface = |id: &str| inventory.interface(id).unwrap();
    assert!(control.applies_to_interface(&inventory, interface("eni-1")));
    assert!(!control.applies_to_interface(&inventory, interface("eni-2")));
    assert!(control.applies_to_interface(&inventory, &Interface::new("eni-3")));
    // On a mixed interface the rules of the managed group do filter, and who brings what about is told apart.
    let policy = policy(&AlibabaEngine::new(), &inventory, Direction::Ingress);
    let only = |ports: &str| {
        let control = control.clone().with_ports(ServicePorts::tcp(parse_ports(ports).unwrap())).unwrap();
        found(&inventory, &control.check).unwrap().is_managed(&policy, &inventory)
    };
    assert!(only("22") && !only("23") && !only("22,23"));
}

#[test]
fn parameters_of_controls() {
    let [ssh] = named("EC2.13").try_into().unwrap();
    let other = ssh.clone().with_ports(ServicePorts::tcp(parse_ports("2222,2200-2210").unwrap())).unwrap();
    assert!(found(&aws(&["tcp/22 0.0.0.0/0"]), &other.check).is_none());
    assert!(found(&aws(&["tcp/2205 ::/0"]), &other.check).is_some());
    let v4 = other.with_families(Families::Ipv4).unwrap().with_severity(Severity::Info);
    assert!(found(&aws(&["tcp/2205 ::/0"]), &v4.check).is_none());
    assert_eq!((v4.id, v4.severity), ("EC2.13", Severity::Info));
    let [attached] = named("EC2.22").try_into().unwrap();
    assert_eq!(
        attached.clone().with_ports(ServicePorts::tcp(parse_ports("1").unwrap())),
        Err(ControlError::NoPorts("EC2.22"))
    );
    assert_eq!(attached.clone().with_families(Families::Both), Err(ControlError::NoFamilies("EC2.22")));
    assert_eq!(attached.with_groups(["sg-1"]), Err(ControlError::NoGroups("EC2.22")));
    assert_eq!(ControlError::NoPorts("EC2.22").to_string(), "the control `EC2.22` has no ports to set");
    // A port list that authorises more.
    let [authorised] = named("EC2.18").try_into().unwrap();
    let inventory = aws(&["tcp/80 0.0.0.0/0", "tcp/443 0.0.0.0/0", "udp/443 0.0.0.0/0", "tcp/1024 0.0.0.0/0"]);
    let ports = ServicePorts { tcp: parse_ports("80,443,1020-1025").unwrap(), udp: parse_ports("443").unwrap() };
    assert!(found(&inventory, &authorised.check).is_some());
    assert!(found(&inventory, &authorised.with_ports(ports).unwrap().check).is_none());
}

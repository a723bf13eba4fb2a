//! Auditors' controls on small configurations: each violated and held, and the traps that scanners fall into.

mod judged;

use std::collections::BTreeSet;

use judged::{aws, basic, check, found, is_sound, named, policy, ranked, rule};
use secgroup::analysis::Severity;
use secgroup::analysis::controls::{
    About, Cloud, Openness, Subject, Violation, controls, controls_of, evaluate, without_public_members,
};
use secgroup::engine::{AlibabaEngine, AwsEngine};
use secgroup::model::{Interface, IntraGroupPolicy, Inventory, Network, PrefixList, Rule, SecurityGroup, Traffic};
use secgroup::net::{AddressSet, Cidr, Direction, Family};
use secgroup::policy::Basis;
use secgroup::set::Decided;

fn violated(inventory: &Inventory, id: &str) -> bool {
    found(inventory, &check(id)).is_some_and(|violation| violation.certain)
}

/// The rules of one group.
type Rules = &'static [&'static str];

/// Every control about traffic by its id and its place among those of the id: configurations that violate it, and
/// such that do not.
const AWS: [(&str, usize, &[Rules], &[Rules]); 17] = [
    (
        "EC2.13",
        0,
        &[&["tcp/22 0.0.0.0/0"], &["tcp/22 ::/0"], &["tcp/20-25 0.0.0.0/0"], &["all 0.0.0.0/0"], &["tcp ::/0"]],
        &[&["tcp/23 0.0.0.0/0"], &["udp/22 0.0.0.0/0"], &["tcp/22 198.51.100.0/24"], &["out tcp/22 0.0.0.0/0"]],
    ),
    ("EC2.14", 0, &[&["tcp/3389 0.0.0.0/0"], &["tcp/3389 ::/0"]], &[&["udp/3389 0.0.0.0/0"], &["tcp/22 0.0.0.0/0"]]),
    (
        "EC2.18",
        0,
        &[&["tcp/8080 0.0.0.0/0"], &["tcp/443-444 ::/0"], &["udp/443 0.0.0.0/0"], &["all 0.0.0.0/0"]],
        &[&["tcp/80 0.0.0.0/0", "tcp/443 ::/0"], &["tcp/8080 203.0.113.0/24"], &["icmp 0.0.0.0/0", "47 0.0.0.0/0"]],
    ),
    (
        "EC2.19",
        0,
        &[&["tcp/9300 0.0.0.0/0"], &["tcp/20 ::/0"], &["udp/1434 0.0.0.0/0"], &["tcp/8887-8889 0.0.0.0/0"]],
        &[&["tcp/80 0.0.0.0/0", "tcp/443 0.0.0.0/0", "tcp/24 ::/0"], &["tcp/3306 10.0.0.0/8"]],
    ),
    ("EC2.53", 0, &[&["tcp/22 0.0.0.0/0"], &["udp/3389 0.0.0.0/0"]], &[&["tcp/22 ::/0"], &["tcp/23 0.0.0.0/0"]]),
    ("EC2.54", 0, &[&["tcp/22 ::/0"], &["all ::/0"]], &[&["tcp/22 0.0.0.0/0"], &["icmpv6 ::/0"]]),
    ("restricted-ssh", 0, &[&["tcp/22 0.0.0.0/0"], &["tcp/22 ::/0"]], &[&["udp/22 0.0.0.0/0"]]),
    (
        "restricted-common-ports",
        0,
        &[&["tcp/20 0.0.0.0/0"], &["tcp/21 ::/0"], &["tcp/3306 0.0.0.0/0"], &["tcp/4333 0.0.0.0/0"]],
        &[&["tcp/22 0.0.0.0/0"], &["udp/3306 0.0.0.0/0"]],
    ),
    (
        "vpc-sg-open-only-to-authorized-ports",
        0,
        &[&["tcp/81 ::/0"], &["udp/53 0.0.0.0/0"]],
        &[&["tcp/80 0.0.0.0/0", "tcp/443 ::/0", "icmp 0.0.0.0/0"]],
    ),
    (
        "vpc-sg-port-restriction-check",
        0,
        &[&["udp/22 ::/0"], &["tcp/3389 0.0.0.0/0"], &["all 0.0.0.0/0"]],
        &[&["tcp/23 0.0.0.0/0", "47 0.0.0.0/0"]],
    ),
    ("HCP4007jGY", 0, &[&["tcp/5500 0.0.0.0/0"]], &[&["tcp/22 ::/0"], &["tcp/8443 0.0.0.0/0", "tcp/465 0.0.0.0/0"]]),
    (
        "HCP4007jGY",
        1,
        &[&["tcp/8443 0.0.0.0/0"], &["udp/53 0.0.0.0/0"]],
        &[&["tcp/8443 ::/0"], &["tcp/22 0.0.0.0/0", "tcp/25 0.0.0.0/0", "tcp/80 0.0.0.0/0", "tcp/465 0.0.0.0/0"]],
    ),
    (
        "1iG5NDGVre",
        0,
        &[&["tcp/465 0.0.0.0/0"], &["tcp/22 0.0.0.0/0"]],
        &[&["tcp/25 0.0.0.0/0", "tcp/80 0.0.0.0/0", "tcp/443 0.0.0.0/0"], &["tcp/22 ::/0"]],
    ),
    (
        "exposed-everything",
        0,
        &[&["all 0.0.0.0/0"], &["all ::/0"]],
        &[&["tcp 0.0.0.0/0", "udp 0.0.0.0/0", "icmp 0.0.0.0/0"], &["all 10.0.0.0/8"], &["all sg-1"]],
    ),
    (
        "exposed-all-ports",
        0,
        &[&["tcp/0-65535 0.0.0.0/0"], &["udp/1-65535 ::/0"], &["all 0.0.0.0/0"]],
        &[&["tcp/2-65535 0.0.0.0/0"], &["tcp/1-65534 0.0.0.0/0", "udp/65535 0.0.0.0/0"], &["tcp 10.0.0.0/8"]],
    ),
    (
        "exposed-administration",
        0,
        &[&["tcp/22 0.0.0.0/0"], &["tcp/2376 ::/0"], &["tcp/5986 0.0.0.0/0"], &["tcp/10250 ::/0"], &["udp/623 ::/0"]],
        &[&["tcp/80 0.0.0.0/0", "tcp/443 ::/0", "udp/22 0.0.0.0/0"], &["tcp/22 203.0.113.9/32"]],
    ),
    (
        "exposed-clear-text",
        0,
        &[&["tcp/21 0.0.0.0/0"], &["tcp/23 ::/0"], &["udp/69 0.0.0.0/0"], &["tcp/514 0.0.0.0/0"], &["udp/161 ::/0"]],
        &[&["tcp/80 0.0.0.0/0"], &["tcp/69 0.0.0.0/0"], &["udp/23 0.0.0.0/0"], &["tcp/23 192.168.0.0/16"]],
    ),
];

/// The same for Alibaba Cloud.
const ALIBABA: [(&str, &[Rules], &[Rules]); 9] = [
    (
        "sg-public-access-check",
        &[&["1 accept all 0.0.0.0/0"], &["1 accept tcp/1-65535 0.0.0.0/0"]],
        &[
            &["1 accept all 10.0.0.0/8"],
            &["1 drop tcp/22 0.0.0.0/0", "1 drop udp/22 0.0.0.0/0", "2 accept all 0.0.0.0/0"],
        ],
    ),
    (
        "sg-risky-ports-check",
        &[&["1 accept tcp/6379 0.0.0.0/0"], &["1 accept tcp/20-30 0.0.0.0/0"], &["1 accept udp/27017 0.0.0.0/0"]],
        &[&["1 accept tcp/80 0.0.0.0/0"], &["1 accept tcp/6379 172.16.0.0/12"]],
    ),
    (
        "ecs-security-group-risky-ports-check-with-protocol",
        &[&["1 accept tcp/22 0.0.0.0/0"], &["1 accept udp/3389 0.0.0.0/0"]],
        &[&["5 accept tcp/22 0.0.0.0/0", "4 drop tcp/22 0.0.0.0/0"], &["1 accept tcp/6379 0.0.0.0/0"]],
    ),
    (
        "ecs-security-group-not-open-all-port",
        &[&["1 accept tcp/1-65535 0.0.0.0/0"], &["1 accept udp ::/0"]],
        &[&["1 accept tcp/1-65535 10.0.0.0/8"], &["2 accept tcp/1-65535 0.0.0.0/0", "1 drop all 0.0.0.0/0"]],
    ),
    (
        "ecs-security-group-not-open-all-protocol",
        &[&["1 accept all 0.0.0.0/0"], &["1 accept all ::/0"]],
        &[&["1 accept tcp/1-65535 0.0.0.0/0"], &["1 drop icmp 0.0.0.0/0", "2 accept all 0.0.0.0/0"]],
    ),
    (
        "ecs-security-group-white-list-port-check",
        &[&["1 accept tcp/8080 0.0.0.0/0"], &["1 accept all 0.0.0.0/0"]],
        &[&["1 accept tcp/80 0.0.0.0/0", "1 accept tcp/443 0.0.0.0/0", "1 accept icmp 0.0.0.0/0"]],
    ),
    (
        "ecs-security-group-egress-not-all-access",
        &[&["1 accept out all 0.0.0.0/0"], &["1 drop out tcp/25 ::/0"], &[]],
        &[
            &["1 drop out tcp/25 0.0.0.0/0", "1 drop out tcp/25 ::/0"],
            &["100 drop out all 0.0.0.0/0", "100 drop out all ::/0"],
        ],
    ),
    (
        "ecs-security-group-not-internet-cidr-access",
        &[&["1 accept tcp/80 0.0.0.0/0"], &["1 accept tcp/22 203.0.113.9/32"], &["1 accept icmpv6 2001:db8::/64"]],
        &[&["1 accept all 10.0.0.0/8"], &["1 accept all fd00::/8"], &["1 accept all 100.64.0.0/10"]],
    ),
    (
        "exposed-database",
        &[&["1 accept tcp/27018 ::/0"], &["1 accept udp/11211 0.0.0.0/0"]],
        &[&["1 accept udp/3306 ::/0"]],
    ),
];

#[test]
fn each_control_of_aws() {
    for (id, which, violating, fine) in AWS {
        let check = &named(id)[which].check;
        for rules in violating {
            assert!(found(&aws(rules), check).is_some_and(|v| v.certain && !v.by_default), "{id} with {rules:?}");
        }
        for rules in fine {
            assert_eq!(found(&aws(rules), check), None, "{id} with {rules:?}");
        }
        assert_eq!(found(&aws(&[]), check), None, "{id} without rules");
    }
}

#[test]
fn each_control_of_alibaba() {
    for (id, violating, fine) in ALIBABA {
        for rules in violating {
            assert!(violated(&basic(&[rules]), id), "{id} with {rules:?}");
        }
        for rules in fine {
            assert_eq!(found(&basic(&[rules]), &check(id)), None, "{id} with {rules:?}");
        }
    }
}

/// No control about traffic is without a case above, and the structural ones are those below.
#[test]
fn every_control_is_tested() {
    let tested: BTreeSet<&str> = AWS.iter().map(|case| case.0).chain(ALIBABA.iter().map(|case| case.0)).collect();
    let structural = [
        "EC2.2",
        "EC2.22",
        "vpc-default-security-group-closed",
        "ec2-security-group-attached-to-eni-periodic",
        "ecs-security-group-type-not-normal",
        "ecs-security-group-description-check",
        "ecs-instance-attached-security-group",
    ];
    for control in controls() {
        let about = control.check.about();
        let expected = matches!(about, About::Group | About::Interface);
        assert_eq!(structural.contains(&control.id), expected, "{}", control.id);
        assert_eq!(tested.contains(control.id), !expected, "{}", control.id);
        assert!(control.fact.starts_with("AWS-") || control.fact.starts_with("ALI-"), "{}", control.id);
    }
    assert_eq!(controls().len(), 8 + 6 + 3 + 11 + 5);
    assert_eq!(controls_of(Cloud::Aws).len(), 8 + 6 + 3 + 5);
    assert_eq!(controls_of(Cloud::Alibaba).len(), 11 + 5);
}

/// Trap T2: a GRE rule has no ports, so it opens no port of TCP.
#[test]
fn t2_protocols_without_ports_open_no_port() {
    for rules in [["47 0.0.0.0/0"], ["50 0.0.0.0/0"]] {
        for control in controls_of(Cloud::Aws).into_iter().filter(|control| control.check.about() == About::Ingress) {
            assert_eq!(found(&aws(&rules), &control.check), None, "{} with {rules:?}", control.id);
        }
    }
}

/// Trap T3: a UDP rule exposes no service of TCP.
#[test]
fn t3_udp_is_not_tcp() {
    assert!(!violated(&aws(&["udp/22 0.0.0.0/0"]), "restricted-ssh"));
    let violation = found(&aws(&["udp/0-65535 0.0.0.0/0"]), &check("exposed-administration")).unwrap();
    assert_eq!(violation.text, "allows udp/623, udp/3389 over IPv4 from anywhere");
}

/// Trap T9: port 0 is one port, not all of them.
#[test]
fn t9_port_zero_is_not_all_ports() {
    let inventory = aws(&["tcp/0 0.0.0.0/0", "udp/0 ::/0"]);
    for id in ["EC2.13", "exposed-all-ports", "exposed-administration"] {
        assert_eq!(found(&inventory, &check(id)), None, "{id}");
    }
}

/// Trap T11: both halves are anywhere, one is not; so is `::/0` however it is written, and all but a little.
#[test]
fn t11_anywhere_is_more_than_one_spelling() {
    for (rules, expected) in [
        (&["tcp/22 0.0.0.0/1", "tcp/22 128.0.0.0/1"][..], true),
        (&["tcp/22 0.0.0.0/1", "tcp/23 128.0.0.0/1"], false),
        (&["tcp/22 0.0.0.0/1"], false),
        (&["tcp/22 128.0.0.0/1"], false),
        (&["tcp/22 2000::/3"], true),
        (&["tcp/22 2000::/4", "tcp/22 3000::/4"], true),
        (&["tcp/22 2000::/4"], false),
        (&["tcp/22 0.0.0.0/2", "tcp/22 64.0.0.0/2", "tcp/22 128.0.0.0/2", "tcp/22 192.0.0.0/3"], true),
    ] {
        assert_eq!(violated(&aws(rules), "EC2.13"), expected, "{rules:?}");
    }
    // Of both halves, either rule is responsible.
    let halves = found(&aws(&["tcp/22 0.0.0.0/1", "tcp/20-30 128.0.0.0/1"]), &check("EC2.13")).unwrap();
    assert_eq!(halves.clauses.len(), 2);
}

/// Trap T12: a prefix list counts by its entries; that it is there hides no open block beside it.
#[test]
fn t12_prefix_lists_count() {
    let with_list = |list: PrefixList, rules: &[&str]| {
        let group = SecurityGroup::aws("sg-1").with_rules(rules.iter().copied().map(rule));
        let interface = Interface::new("eni-1").with_groups(["sg-1"]);
        Inventory::builder().prefix_list(list).group(group).interface(interface).build().unwrap()
    };
    let block = |text: &str| text.parse::<Cidr>().unwrap();
    let all = PrefixList::new("pl-1", [block("0.0.0.0/1"), block("128.0.0.0/1")]);
    assert!(violated(&with_list(all, &["tcp/22 pl-1"]), "EC2.13"));
    let office = PrefixList::new("pl-1", [block("203.0.113.0/24")]);
    assert_eq!(found(&with_list(office.clone(), &["tcp/22 pl-1"]), &check("EC2.13")), None);
    assert!(violated(&with_list(office, &["tcp/22 pl-1", "tcp/22 0.0.0.0/0"]), "EC2.13"));
    // Unknown entries are neither lost nor taken for anything, over the list's own family only.
    let mut unknown = PrefixList::unknown("pl-1");
    unknown.family = Some(Family::V6);
    let inventory = with_list(unknown, &["tcp/22 pl-1"]);
    let violation = found(&inventory, &check("EC2.13")).unwrap();
    assert!(!violation.certain);
    assert_eq!(violation.text, "may allow tcp/22 over IPv6 from anywhere");
    assert!(!found(&inventory, &check("EC2.54")).unwrap().certain);
    assert_eq!(found(&inventory, &check("EC2.53")), None);
    // One half that is open and another that may be are anywhere only together.
    let mut unknown = PrefixList::unknown("pl-1");
    unknown.family = Some(Family::V4);
    let violation = found(&with_list(unknown, &["tcp/22 0.0.0.0/1", "tcp/22 pl-1"]), &check("EC2.13")).unwrap();
    assert!(!violation.certain && violation.clauses.len() == 1);
}

/// AWS-132: a range or all protocols open the ports they include.
#[test]
fn aws_132_what_includes_a_port_opens_it() {
    for rules in [["tcp/0-65535 0.0.0.0/0"], ["all 0.0.0.0/0"], ["tcp/22-23 ::/0"], ["tcp 0.0.0.0/0"]] {
        assert!(violated(&aws(&rules), "EC2.13"), "{rules:?}");
    }
    assert!(violated(&aws(&["tcp/0-30000 0.0.0.0/0", "tcp/30001-65535 0.0.0.0/0"]), "exposed-all-ports"));
    // Halves of ports and of addresses together.
    let quarters =
        aws(&["tcp/0-99 0.0.0.0/1", "tcp/100-65535 0.0.0.0/1", "tcp/0-7 128.0.0.0/1", "tcp/8-65535 128.0.0.0/1"]);
    assert!(violated(&quarters, "exposed-all-ports"));
}

/// Everything from a group is nothing from the public, whether its members are known or not.
#[test]
fn a_private_group_is_not_public() {
    let known = aws(&["all sg-1"]);
    let unknown = Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rules([rule("all sg-1"), rule("tcp/22 sg-of-another-account")]))
        .interface(Interface::new("eni-1").with_groups(["sg-1"]))
        .members_incomplete()
        .build()
        .unwrap();
    for inventory in [&known, &unknown] {
        for control in controls().into_iter().filter(|control| control.check.about() == About::Ingress) {
            assert_eq!(found(inventory, &control.check), None, "{}", control.id);
        }
    }
    // Without that knowledge the data cannot tell.
    let policy = policy(&AwsEngine::new(), &unknown, Direction::Ingress);
    let decided = Decided::new(&policy).unwrap();
    let violation = evaluate(&check("EC2.13"), Subject::Traffic(&Openness::of(&decided))).unwrap();
    assert!(!violation.certain);
}

/// What is left out for members leaves everything else as it was, and the numbers of clauses.
#[test]
fn members_without_public_addresses_change_nothing_else() {
    let group = SecurityGroup::aws("sg-1").with_rules([
        rule("tcp/22 sg-9"),
        rule("tcp/22 pl-9"),
        rule("tcp/443 0.0.0.0/0"),
        rule("tcp/25 10.0.0.0/8"),
    ]);
    let inventory = Inventory::builder()
        .group(group)
        .interface(Interface::new("eni-1").with_groups(["sg-1"]))
        .members_incomplete()
        .build()
        .unwrap();
    let before = policy(&AwsEngine::new(), &inventory, Direction::Ingress);
    let after = without_public_members(&before);
    assert_ne!(before, *after);
    for (old, new) in before.lists()[0].clauses().iter().zip(after.lists()[0].clauses()) {
        assert_eq!(
            (&old.provenance, old.rank, old.action, &old.missing),
            (&new.provenance, new.rank, new.action, &new.missing)
        );
    }
    // The unknown list behind the reference is still seen, and is what is responsible.
    let violation = found(&inventory, &check("EC2.13")).unwrap_or_else(|| panic!("the prefix list is lost"));
    assert!(!violation.certain);
    let [owner] = violation.clauses[..] else { panic!("{violation:?}") };
    assert_eq!(after.clause(owner).unwrap().provenance.text(), "tcp/22 from pl-9");
    // Members that are known stay: one with a public address, beside others that are not known.
    let member = Interface::new("eni-2").with_groups(["sg-9"]).with_address("203.0.113.9".parse().unwrap());
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rule(rule("tcp/22 sg-9")))
        .interface(Interface::new("eni-1").with_groups(["sg-1"]))
        .interface(member)
        .members_incomplete()
        .build()
        .unwrap();
    let any_source = check("ecs-security-group-not-internet-cidr-access");
    let violation = found(&inventory, &any_source).unwrap();
    assert!(violation.certain);
    assert_eq!(violation.packets.remotes().to_string(), "203.0.113.9");
    assert!(matches!(
        without_public_members(&policy(&AwsEngine::new(), &aws(&["all sg-1"]), Direction::Ingress)),
        std::borrow::Cow::Borrowed(_)
    ));
}

/// Trap 7: prefix lists, groups and IPv6 have no IPv4 block, and are neither lost nor any.
#[test]
fn trap_7_of_alibaba_rules_without_a_block_of_ipv4() {
    let mut group = SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop);
    group.rules =
        vec![ranked("1 accept tcp/22 sg-2"), ranked("1 accept tcp/23 ::/0"), ranked("1 accept tcp/3389 pl-1")];
    let list = PrefixList::new("pl-1", ["0.0.0.0/0".parse().unwrap()]);
    let inventory = Inventory::builder()
        .group(group)
        .group(SecurityGroup::basic("sg-2", IntraGroupPolicy::Drop))
        .prefix_list(list)
        .interface(Interface::new("eni-1").with_groups(["sg-1"]))
        .build()
        .unwrap();
    let text = |id: &str| found(&inventory, &check(id)).map(|violation| violation.text);
    assert_eq!(text("exposed-administration").unwrap(), "allows tcp/3389 over IPv4 from anywhere");
    assert_eq!(text("exposed-clear-text").unwrap(), "allows tcp/23 over IPv6 from anywhere");
    assert_eq!(text("sg-risky-ports-check").unwrap(), "allows tcp/3389 over IPv4 from anywhere");
}

/// Trap 8: a drop rule is no exposure, and priorities count.
#[test]
fn trap_8_of_alibaba_drops_are_no_exposure() {
    let id = "ecs-security-group-risky-ports-check-with-protocol";
    for (rules, expected) in [
        (&["1 drop tcp/22 0.0.0.0/0"][..], false),
        (&["1 drop all 0.0.0.0/0", "1 drop all ::/0"], false),
        (&["1 accept tcp/22 0.0.0.0/0", "1 drop tcp/22 0.0.0.0/0"], false),
        (&["1 drop tcp/22 0.0.0.0/0", "2 accept tcp/22 0.0.0.0/0"], false),
        (&["1 accept tcp/22 0.0.0.0/0", "2 drop tcp/22 0.0.0.0/0"], true),
        // A drop of a few blocks or of one half.
        (&["1 drop tcp/22 198.51.100.0/24", "2 accept tcp/22 0.0.0.0/0"], true),
        (&["1 drop tcp/22 128.0.0.0/1", "2 accept tcp/22 0.0.0.0/0"], false),
        // The default of a rule's ports is all of them, and all protocols have no ports.
        (&["1 accept tcp 0.0.0.0/0"], true),
        (&["1 accept all 0.0.0.0/0"], true),
        // A drop of another protocol.
        (&["1 drop udp/22 0.0.0.0/0", "2 accept tcp/22 0.0.0.0/0"], true),
    ] {
        assert_eq!(violated(&basic(&[rules]), id), expected, "{rules:?}");
    }
}

/// Trap 9: another group of the interface masks what one opens, or does not.
#[test]
fn trap_9_of_alibaba_groups_of_one_interface_count_together() {
    let opens: &[&str] = &["5 accept tcp/22 0.0.0.0/0"];
    let id = "sg-risky-ports-check";
    assert!(violated(&basic(&[opens]), id));
    assert!(!violated(&basic(&[opens, &["5 drop tcp/22 0.0.0.0/0"]]), id));
    assert!(violated(&basic(&[opens, &["6 drop tcp/22 0.0.0.0/0"]]), id));
    // What two groups open in halves.
    assert!(violated(&basic(&[&["1 accept tcp/22 0.0.0.0/1"], &["1 accept tcp/22 128.0.0.0/1"]]), id));
}

/// Some source port and some near address are enough; those that the interface has are what counts.
#[test]
fn source_ports_and_near_addresses() {
    let with = |near: &str| {
        let mut group = SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop);
        group.rules =
            vec![ranked("1 accept tcp/22 0.0.0.0/0").with_local(near.parse().unwrap()).with_source_ports(1024)];
        Inventory::builder().group(group).interface(Interface::new("eni-1").with_groups(["sg-1"])).build().unwrap()
    };
    let inventory = with("10.0.0.9/32");
    let check = check("sg-risky-ports-check");
    assert!(found(&inventory, &check).is_some());
    let policy = policy(&AlibabaEngine::new(), &inventory, Direction::Ingress);
    let decided = Decided::new(&policy).unwrap();
    let at = |text: &str| {
        let near = AddressSet::from(text.parse::<Cidr>().unwrap());
        evaluate(&check, Subject::Traffic(&Openness::at(&decided, near)))
    };
    assert_eq!(at("10.0.0.5/32"), None);
    assert_eq!(at("2001:db8::5/128"), None);
    let violation = at("10.0.0.8/29").unwrap();
    is_sound(&violation, &policy);
    let witness = violation.packets.witness().unwrap();
    assert_eq!((witness.local(), witness.source_port()), (Some("10.0.0.9".parse().unwrap()), Some(1024)));
}

/// A violation names what is responsible: every rule that opens, none that does not.
#[test]
fn responsible_clauses() {
    let inventory =
        aws(&["tcp/22 0.0.0.0/0", "tcp/443 0.0.0.0/0", "all ::/0", "tcp/22 10.0.0.0/8", "tcp/3389 203.0.113.0/24"]);
    let policy = policy(&AwsEngine::new(), &inventory, Direction::Ingress);
    let violation = found(&inventory, &check("vpc-sg-port-restriction-check")).unwrap();
    let texts: Vec<&str> = violation.clauses.iter().map(|id| policy.clause(*id).unwrap().provenance.text()).collect();
    assert_eq!(texts, ["tcp/22 from 0.0.0.0/0", "all from ::/0"]);
    assert_eq!(
        violation.text,
        "allows tcp/22 over IPv4 and tcp/22, tcp/3389, udp/22, udp/3389 over IPv6 from anywhere"
    );
}

/// An interface without groups is not filtered, which no rule brings about.
#[test]
fn unfiltered_interfaces_violate_nothing() {
    let inventory = Inventory::builder().interface(Interface::new("eni-1").without_groups()).build().unwrap();
    let policy = policy(&AwsEngine::new(), &inventory, Direction::Ingress);
    let decided = Decided::new(&policy).unwrap();
    assert!(decided.parts().iter().all(|part| part.decision.basis == Basis::Unfiltered));
    for control in controls_of(Cloud::Aws) {
        assert_eq!(control.evaluate(Subject::Traffic(&Openness::of(&decided))), None, "{}", control.id);
    }
}

/// The default of a basic group lets everything out, which no clause says.
#[test]
fn a_default_is_named_as_such() {
    let violation = found(&basic(&[&[]]), &check("ecs-security-group-egress-not-all-access")).unwrap();
    assert!(violation.certain && violation.by_default && violation.clauses.is_empty());
    assert_eq!(violation.text, "allows all protocols over IPv4 and IPv6 to anywhere");
    // Ingress is not asked about egress.
    let policy = policy(&AlibabaEngine::new(), &basic(&[&["1 accept all 0.0.0.0/0"]]), Direction::Ingress);
    let decided = Decided::new(&policy).unwrap();
    let check = check("ecs-security-group-egress-not-all-access");
    assert_eq!(evaluate(&check, Subject::Traffic(&Openness::of(&decided))), None);
}

/// A group that was not loaded may open anything.
#[test]
fn what_was_not_loaded_is_not_certain() {
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rule(rule("tcp/3389 0.0.0.0/0")))
        .interface(Interface::new("eni-1").with_groups(["sg-1", "sg-missing"]))
        .build()
        .unwrap();
    assert!(!found(&inventory, &check("EC2.13")).unwrap().certain);
    assert!(!found(&inventory, &check("exposed-everything")).unwrap().certain);
    // What is certain hides what is not.
    let violation = found(&inventory, &check("EC2.53")).unwrap();
    assert!(violation.certain);
    assert_eq!(violation.text, "allows tcp/3389 over IPv4 from anywhere");
}

/// A sane configuration has nothing worse than information.
#[test]
fn a_sane_configuration_has_no_warning() {
    let mut web = SecurityGroup::aws("sg-web").with_rules(
        ["tcp/80 0.0.0.0/0", "tcp/443 0.0.0.0/0", "tcp/443 ::/0", "tcp/22 203.0.113.0/24", "out all 0.0.0.0/0"]
            .map(rule),
    );
    web.name = Some("web".to_owned());
    let mut default = SecurityGroup::aws("sg-default");
    default.name = Some("default".to_owned());
    let on_aws = Inventory::builder()
        .group(web)
        .group(default)
        .group(SecurityGroup::aws("sg-unused"))
        .interface(Interface::new("eni-1").with_groups(["sg-web"]))
        .build()
        .unwrap();
    let shop = SecurityGroup::basic("sg-shop", IntraGroupPolicy::Accept)
        .in_network(Network::Vpc("vpc-1".into()))
        .with_rules(["1 accept tcp/80 0.0.0.0/0", "1 accept tcp/443 0.0.0.0/0", "1 accept all 10.0.0.0/8"].map(ranked));
    let on_alibaba = Inventory::builder()
        .group(shop)
        .interface(Interface::new("eni-1").with_groups(["sg-shop"]).in_vpc("vpc-1"))
        .build()
        .unwrap();
    for (cloud, inventory) in [(Cloud::Aws, on_aws), (Cloud::Alibaba, on_alibaba)] {
        let mut informed = 0;
        for control in controls_of(cloud) {
            let violations: Vec<Violation> = match control.check.about() {
                About::Ingress | About::Egress => found(&inventory, &control.check).into_iter().collect(),
                About::Group => {
                    inventory.groups().filter_map(|group| control.evaluate(Subject::Group(&inventory, group))).collect()
                }
                About::Interface => {
                    let all = inventory.interfaces();
                    all.filter_map(|interface| control.evaluate(Subject::Interface(&inventory, interface))).collect()
                }
            };
            for violation in violations {
                assert_eq!(control.severity, Severity::Info, "{}: {}", control.id, violation.text);
                informed += 1;
            }
        }
        assert!(informed > 0, "{cloud}");
    }
}

/// One policy of a thousand rules is walked once, and all controls together cost little more.
#[test]
fn many_rules_are_one_walk() {
    let mut group = SecurityGroup::aws("sg-1");
    for number in 0..1000_u16 {
        let block: Cidr = format!("198.{}.{}.0/24", number % 7, number % 251).parse().unwrap();
        group.rules.push(Rule::allow(Direction::Ingress, Traffic::tcp(1000 + number), block));
    }
    group.rules.push(rule("tcp/22 0.0.0.0/0"));
    let inventory =
        Inventory::builder().group(group).interface(Interface::new("eni-1").with_groups(["sg-1"])).build().unwrap();
    let decided = Decided::new(&policy(&AwsEngine::new(), &inventory, Direction::Ingress)).unwrap();
    let openness = Openness::of(&decided);
    let mut ids: Vec<&str> = Vec::new();
    for _ in 0..200 {
        let all = controls_of(Cloud::Aws).into_iter();
        ids = all.filter(|control| control.evaluate(Subject::Traffic(&openness)).is_some()).map(|c| c.id).collect();
    }
    let expected = [
        "EC2.13",
        "EC2.18",
        "EC2.19",
        "EC2.53",
        "restricted-ssh",
        "vpc-sg-open-only-to-authorized-ports",
        "vpc-sg-port-restriction-check",
        "HCP4007jGY",
        "1iG5NDGVre",
        "exposed-administration",
    ];
    assert_eq!(ids, expected);
}

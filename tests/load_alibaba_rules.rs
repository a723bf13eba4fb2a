//! Rules of Alibaba Cloud, read into the model.
#![cfg(feature = "load")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod load_support;

use load_support::{kinds, load, rules_of, texts};
use secgroup::load::{Loaded, Loader, WarningKind};
use secgroup::model::{Action, IntraGroupPolicy, Network, NicType, Peer, Ports, Priority, RuleCoverage, Traffic};
use secgroup::net::{Direction, PortRange};

fn fixtures(names: &[&str]) -> Loaded {
    load_support::load_fixtures("alibaba", names)
}

/// An answer about `sg-1` in `vpc-1` with these rules.
fn attribute(permissions: &str) -> String {
    format!(
        r#"{{"SecurityGroupId": "sg-1", "VpcId": "vpc-1", "InnerAccessPolicy": "Drop",
            "Permissions": {{"Permission": [{permissions}]}}}}"#
    )
}

fn coverage_of(loaded: &Loaded) -> RuleCoverage {
    loaded.inventory.group("sg-1").unwrap().coverage
}

/// ALI-31 to ALI-40: every part of a rule.
#[test]
fn rules() {
    let loaded = fixtures(&["describe-security-group-attribute.sg-web01.json"]);
    let group = loaded.inventory.group("sg-web01").unwrap();
    assert_eq!(group.kind, None, "only the other call tells (ALI-28)");
    assert_eq!(group.intra_group, Some(IntraGroupPolicy::Accept));
    assert_eq!(group.network, Some(Network::Vpc("vpc-aa01".into())));
    assert_eq!(group.coverage, RuleCoverage::Complete);
    let rules: Vec<String> = group.rules.iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        [
            "allow ingress tcp/80 from 0.0.0.0/0 (priority 1)",
            "allow ingress tcp/22 from sg-exp01 (priority 2)",
            "deny egress all to 0.0.0.0/0 (priority 100)",
            "allow ingress udp/list:prl-web01 from pl-01 to 10.0.0.5/32, source port 1024-65535 (priority 10)",
            "allow ingress icmpv6 from 2001:db8::/32 (priority 3)",
            "allow egress gre to sg-web01 from 10.0.0.0/24 (priority 4)",
        ]
    );
    assert_eq!(group.rules[0].id, Some("sgr-0001".into()));
    assert_eq!(group.rules[0].nic, Some(NicType::Intranet));
    assert_eq!(group.rules[0].source_ports, None);
    assert_eq!(
        group.rules[0].place.as_ref().unwrap().to_string(),
        "describe-security-group-attribute.sg-web01.json: Permissions.Permission[0]"
    );
    assert_eq!(group.rules[1].description.as_deref(), Some("bastion"));
    match &group.rules[1].peer {
        Peer::Group(reference) => assert_eq!(reference.owner, Some("100000000001".into())),
        other => panic!("{other}"),
    }
    assert_eq!((group.rules[2].direction, group.rules[2].action), (Direction::Egress, Action::Deny));
    assert_eq!(group.rules[3].traffic, Traffic::Udp(Ports::List("prl-web01".into())));
    assert_eq!(group.rules[3].source_ports, Some(PortRange::new(1024, 65535).unwrap()));
}

/// ALI-32, ALI-52 and trap 4: a number or a text that holds one; compared as a number; 1 if absent.
#[test]
fn priorities() {
    let cases = [
        (r#""Priority": 10,"#, 10),
        (r#""Priority": "2","#, 2),
        (r#""Priority": "","#, 1),
        (r#""Priority": null,"#, 1),
        ("", 1),
        (r#""Priority": 110,"#, 110),
    ];
    for (field, priority) in cases {
        let document = attribute(&format!(
            r#"{{{field} "Direction": "ingress", "IpProtocol": "ALL", "PortRange": "-1/-1", "SourceCidrIp": "0.0.0.0/0", "Policy": "Accept"}}"#
        ));
        let loaded = load(&[("a.json", &document)]).unwrap();
        let group = loaded.inventory.group("sg-1").unwrap();
        assert_eq!(group.rules[0].priority, Some(Priority(priority)), "{field}");
        assert_eq!(kinds(&loaded).contains(&WarningKind::PriorityOutOfRange), priority == 110, "{field}");
    }
    assert!(Priority(2) < Priority(10));
    for number in [0, 101] {
        let document = attribute(&format!(
            r#"{{"Priority": {number}, "Direction": "ingress", "IpProtocol": "ALL", "SourceCidrIp": "0.0.0.0/0", "Policy": "Accept"}}"#
        ));
        let loaded = load(&[("a.json", &document)]).unwrap();
        assert_eq!(
            texts(&loaded)[0],
            format!(
                "a.json: Permissions.Permission[0].Priority: the priority {number} is outside 1 to 100; it was kept"
            )
        );
    }
}

/// Trap 7 and ALI-38: an empty text is not "any", and the object that counts is chosen in this order.
#[test]
fn objects() {
    let cases = [
        (r#""SourceCidrIp": "", "SourceGroupId": "sg-2", "SourcePrefixListId": """#, "sg-2", None),
        (r#""SourceCidrIp": "", "SourceGroupId": null, "SourcePrefixListId": "pl-2""#, "pl-2", None),
        (r#""SourceCidrIp": "", "Ipv6SourceCidrIp": "::/0""#, "::/0", None),
        (
            r#""SourceCidrIp": "10.0.0.0/8", "SourceGroupId": "sg-2""#,
            "10.0.0.0/8",
            Some("`SourceCidrIp` counts, not `SourceGroupId`"),
        ),
        (
            r#""SourceGroupId": "sg-2", "SourcePrefixListId": "pl-2""#,
            "sg-2",
            Some("`SourceGroupId` counts, not `SourcePrefixListId`"),
        ),
        (
            r#""Ipv6SourceCidrIp": "::/0", "SourceGroupId": "sg-2", "SourcePrefixListId": "pl-2""#,
            "::/0",
            Some("`Ipv6SourceCidrIp` counts, not `SourceGroupId` or `SourcePrefixListId`"),
        ),
    ];
    for (object, peer, warning) in cases {
        let document = attribute(&format!(
            r#"{{"Direction": "ingress", "IpProtocol": "TCP", "PortRange": "22/22", {object}, "Policy": "Accept"}}"#
        ));
        let loaded = load(&[("a.json", &document)]).unwrap();
        assert_eq!(rules_of(&loaded), [format!("allow ingress tcp/22 from {peer} (priority 1)")], "{object}");
        let told = loaded.warnings.iter().find(|warning| warning.kind == WarningKind::SeveralPeers);
        assert_eq!(
            told.map(ToString::to_string),
            warning.map(|text| format!("a.json: Permissions.Permission[0]: the rule names several objects; {text}"))
        );
    }
}

/// ALI-40: the near end is a block or nothing.
#[test]
fn near_end() {
    let document = attribute(
        r#"{"Direction": "egress", "IpProtocol": "ALL", "SourceGroupId": "sg-2", "DestCidrIp": "10.0.0.0/8", "Policy": "Drop"}"#,
    );
    let loaded = load(&[("a.json", &document)]).unwrap();
    assert_eq!(rules_of(&loaded), ["deny egress all to 10.0.0.0/8 (priority 1)"]);
    assert_eq!(
        texts(&loaded)[0],
        "a.json: Permissions.Permission[0].SourceGroupId: a group or list at the near end of a rule means nothing and \
         was ignored"
    );
}

/// Trap 11 and ALI-36, ALI-39: "" and -1/-1, bare addresses, host bits, null lists.
#[test]
fn lenient_values() {
    let document = attribute(
        r#"{"Direction": "INGRESS", "IpProtocol": "tcp", "PortRange": "22/22", "SourcePortRange": "", "SourceCidrIp": "203.0.113.9", "Policy": "ACCEPT", "NicType": "Intranet"},
           {"Direction": "ingress", "IpProtocol": "6", "PortRange": "22/22", "SourcePortRange": "-1/-1", "Ipv6SourceCidrIp": "2001:db8::9", "Policy": "drop"},
           {"Direction": "egress", "IpProtocol": "Udp", "PortRange": "53/54", "DestCidrIp": "172.16.5.0/12", "SourceCidrIp": "", "Policy": "Drop"}"#,
    );
    let loaded = load(&[("a.json", &document)]).unwrap();
    assert_eq!(
        rules_of(&loaded),
        [
            "allow ingress tcp/22 from 203.0.113.9/32 (priority 1)",
            "deny ingress tcp/22 from 2001:db8::9/128 (priority 1)",
            "deny egress udp/53-54 to 172.16.0.0/12 (priority 1)",
        ]
    );
    assert_eq!(
        texts(&loaded)[0],
        "a.json: Permissions.Permission[2].DestCidrIp: `172.16.5.0/12` has bits set beyond its prefix; read as 172.16.0.0/12"
    );
    for list in ["null", r#"{"Permission": null}"#, r#"{"Permission": []}"#, "[]", r#""""#] {
        let document = format!(
            r#"{{"SecurityGroupId": "sg-1", "VpcId": "vpc-1", "InnerAccessPolicy": "accept", "Permissions": {list}}}"#
        );
        let loaded = load(&[("a.json", &document)]).unwrap();
        assert!(rules_of(&loaded).is_empty(), "{list}");
        assert_eq!(coverage_of(&loaded), RuleCoverage::Complete, "{list}");
        assert_eq!(loaded.inventory.group("sg-1").unwrap().intra_group, Some(IntraGroupPolicy::Accept));
    }
}

/// ALI-35, ALI-38, ALI-43 and trap 15: which ports mean something.
#[test]
fn ports() {
    let cases = [
        (r#""IpProtocol": "TCP", "PortRange": "1/65535""#, "tcp/1-65535", None),
        (r#""IpProtocol": "TCP", "PortRange": "0/65535""#, "tcp/0-65535", None),
        (r#""IpProtocol": "TCP", "PortRange": "", "PortRangeListId": "prl-1""#, "tcp/list:prl-1", None),
        (r#""IpProtocol": "TCP", "PortRange": "-1/-1", "PortRangeListId": "prl-1""#, "tcp/list:prl-1", None),
        (r#""IpProtocol": "UDP", "PortRangeListId": "prl-1""#, "udp/list:prl-1", None),
        (
            r#""IpProtocol": "TCP", "PortRange": "80/80", "PortRangeListId": "prl-1""#,
            "tcp/80",
            Some(": `PortRange` counts, not the port list `prl-1`"),
        ),
        (r#""IpProtocol": "17", "PortRange": "-1/-1""#, "udp", Some(": the UDP rule has no ports; read as all ports")),
        (r#""IpProtocol": "TCP""#, "tcp", Some(": the TCP rule has no ports; read as all ports")),
        (r#""IpProtocol": "ICMP", "PortRange": "-1/-1""#, "icmp", None),
        (r#""IpProtocol": "gre""#, "gre", None),
        (r#""IpProtocol": "50", "PortRange": "-1/-1""#, "esp", None),
        (
            r#""IpProtocol": "all", "PortRange": "1/65535""#,
            "all",
            Some(".PortRange: ports mean nothing with the protocol `all` and were ignored"),
        ),
        (
            r#""IpProtocol": "ICMP", "PortRange": "8/0""#,
            "icmp",
            Some(".PortRange: ports mean nothing with the protocol `ICMP` and were ignored"),
        ),
        (
            r#""IpProtocol": "GRE", "PortRange": "-1/-1", "SourcePortRange": "1/2""#,
            "gre",
            Some(".SourcePortRange: source ports mean nothing with the protocol of this rule, gre, and were ignored"),
        ),
    ];
    for (fields, traffic, warning) in cases {
        let document = attribute(&format!(
            r#"{{"Direction": "ingress", {fields}, "SourceCidrIp": "10.0.0.0/8", "Policy": "Accept"}}"#
        ));
        let loaded = load(&[("a.json", &document)]).unwrap();
        assert_eq!(rules_of(&loaded), [format!("allow ingress {traffic} from 10.0.0.0/8 (priority 1)")], "{fields}");
        let told = loaded
            .warnings
            .iter()
            .find(|warning| matches!(warning.kind, WarningKind::AllPorts | WarningKind::IgnoredPorts));
        assert_eq!(
            told.map(ToString::to_string),
            warning.map(|text| format!("a.json: Permissions.Permission[0]{text}")),
            "{fields}"
        );
    }
}

/// ALI-37, ALI-90: families that cannot meet.
#[test]
fn rules_that_never_match_are_told() {
    let rule =
        |fields: &str| format!(r#"{{"Direction": "ingress", "PortRange": "-1/-1", "Policy": "Accept", {fields}}}"#);
    let document = attribute(
        &[
            rule(r#""IpProtocol": "ICMP", "Ipv6SourceCidrIp": "::/0""#),
            rule(r#""IpProtocol": "ICMPv6", "SourceCidrIp": "0.0.0.0/0""#),
            rule(r#""IpProtocol": "ALL", "SourceCidrIp": "0.0.0.0/0", "Ipv6DestCidrIp": "2001:db8::/64""#),
            rule(r#""IpProtocol": "ICMP", "SourceGroupId": "sg-1", "Ipv6DestCidrIp": "2001:db8::/64""#),
        ]
        .join(","),
    );
    let loaded = load(&[("a.json", &document)]).unwrap();
    let told: Vec<String> = loaded
        .warnings
        .iter()
        .filter(|warning| warning.kind == WarningKind::NeverMatches)
        .map(ToString::to_string)
        .collect();
    let place = "a.json: Permissions.Permission";
    assert_eq!(
        told,
        [
            format!("{place}[0]: the rule matches nothing: ICMP is IPv4 only, and ::/0 is not"),
            format!("{place}[1]: the rule matches nothing: ICMPv6 is IPv6 only, and 0.0.0.0/0 is not"),
            format!("{place}[2]: the rule matches nothing: its ends 0.0.0.0/0 and 2001:db8::/64 are of two families"),
            format!("{place}[3]: the rule matches nothing: ICMP is IPv4 only, and 2001:db8::/64 is not"),
        ]
    );
}

/// ALI-85, ALI-86: exported rules, in three forms, with the group's id from the name or the caller.
#[test]
fn exported_rules() {
    let loaded = fixtures(&["ecs_cn-example_sg-exp01.json"]);
    let group = loaded.inventory.group("sg-exp01").unwrap();
    assert_eq!((group.kind, group.network.clone(), group.intra_group), (None, None, None));
    let rules: Vec<String> = group.rules.iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        ["allow ingress tcp/22 from 192.0.2.0/24 (priority 1)", "deny egress all to 198.51.100.7/32 (priority 5)"]
    );
    assert_eq!(group.rules[1].place.as_ref().unwrap().path(), "[1]");

    let rule = r#"{"Direction": "ingress", "IpProtocol": "ALL", "PortRange": "-1/-1", "SourceCidrIp": "10.0.0.0/8", "Policy": "Accept", "Priority": 1}"#;
    for document in [
        format!("[{rule}]"),
        format!(r#"{{"Permission": [{rule}]}}"#),
        format!(r#"{{"Permissions": {{"Permission": [{rule}]}}}}"#),
    ] {
        for (name, given) in [
            ("rules.sg-1.json", None),
            ("ecs_sgRule_sg-1_cn-example_20260102.json", None),
            ("folder_of_sg-9/x.sg-1.JSON", None),
            ("rules.json", Some("sg-1")),
            ("rules.sg-2.json", Some("sg-1")),
        ] {
            let loaded = Loader::new().document(name, document.as_bytes(), given).unwrap().finish().unwrap();
            assert_eq!(rules_of(&loaded), ["allow ingress all from 10.0.0.0/8 (priority 1)"], "{name}");
        }
    }
}

/// Rules without ids are known by what they say (ALI-45); within one answer a repetition is told.
#[test]
fn rules_without_ids() {
    let rule = r#"{"Direction": "ingress", "IpProtocol": "TCP", "PortRange": "22/22", "SourceCidrIp": "10.0.0.0/8", "NicType": "intranet", "Policy": "Accept", "Priority": 1}"#;
    let with_id = rule.replacen('{', r#"{"SecurityGroupRuleId": "sgr-1", "#, 1);
    let drop = rule.replace("Accept", "Drop");
    let loaded = load(&[
        ("rules.sg-1.json", &format!("[{rule}, {drop}]")),
        ("a.json", &attribute(&format!("{with_id}, {drop}"))),
    ])
    .unwrap();
    let group = loaded.inventory.group("sg-1").unwrap();
    assert_eq!(group.rules.len(), 2, "accept and drop twins coexist, and nothing is there twice");
    assert!(group.rules.iter().any(|rule| rule.id == Some("sgr-1".into())));
    assert!(!kinds(&loaded).contains(&WarningKind::Duplicate));

    let loaded = load(&[("a.json", &attribute(&format!("{rule}, {rule}")))]).unwrap();
    assert_eq!(rules_of(&loaded).len(), 1);
    assert!(
        texts(&loaded).contains(
            &"a.json: Permissions.Permission[1]: the rule of `sg-1` repeats another one, `allow ingress tcp/22 from \
          10.0.0.0/8 (priority 1)`, and was left out"
                .to_owned()
        )
    );
}

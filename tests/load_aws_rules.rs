//! Rules and groups of AWS, read into the model.
#![cfg(feature = "load")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod load_support;

use load_support::{fixture, kinds, load, rules_of};
use secgroup::load::{Loaded, Provider, WarningKind};
use secgroup::model::{GroupKind, Network, Peer, PeeringStatus, Ports, Rule, RuleCoverage, Traffic};

fn fixtures(names: &[&str]) -> Loaded {
    load_support::load_fixtures("aws", names)
}

/// A document with one group `sg-1` in `vpc-1` and these inbound permissions.
fn group(permissions: &str) -> String {
    format!(
        r#"{{"SecurityGroups": [{{"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [{permissions}],
            "IpPermissionsEgress": []}}]}}"#
    )
}

fn warnings(loaded: &Loaded) -> Vec<(WarningKind, String)> {
    loaded.warnings.iter().map(|warning| (warning.kind, warning.to_string())).collect()
}

/// AWS-1, AWS-13, AWS-16 and trap T15: every source of a permission is a rule of its own.
#[test]
fn groups() {
    let loaded = fixtures(&["describe-security-groups.json"]);
    assert_eq!(loaded.provider, Provider::Aws);
    assert_eq!(loaded.documents, 1);
    let group = loaded.inventory.group("sg-0aaa000000000000a").unwrap();
    assert_eq!(group.kind, Some(GroupKind::Aws));
    assert_eq!(group.network, Some(Network::Vpc("vpc-0a1".into())));
    assert_eq!(group.name.as_deref(), Some("web"));
    assert_eq!(group.description.as_deref(), Some("web tier"));
    assert_eq!(group.owner, Some("111122223333".into()));
    assert_eq!(group.tags["Name"], "web");
    assert_eq!(group.coverage, RuleCoverage::Complete);
    assert_eq!(group.place.as_ref().unwrap().to_string(), "describe-security-groups.json: SecurityGroups[0]");
    let rules: Vec<String> = group.rules.iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        [
            "allow ingress tcp/443 from 0.0.0.0/0",
            "allow ingress tcp/443 from ::/0",
            "allow ingress tcp/22 from pl-0corp00000000000",
            "allow ingress tcp/22 from sg-0bbb000000000000b",
            "allow ingress icmp/8 from 10.0.0.0/8",
            "allow ingress icmpv6 from 2001:db8::/32",
            "allow ingress esp from 198.51.100.7/32",
            "allow ingress udp/53 from sg-0ccc000000000000c",
            "allow ingress udp/53 from sg-0ddd000000000000d",
            "allow ingress udp/53 from sg-0eee000000000000e",
            "allow ingress all from sg-0aaa000000000000a",
            "allow egress all to 0.0.0.0/0",
            "allow egress all to ::/0",
        ]
    );
    let places: Vec<&str> = group.rules.iter().map(|rule| rule.place.as_ref().unwrap().path()).collect();
    assert_eq!(places[0], "SecurityGroups[0].IpPermissions[0].IpRanges[0]");
    assert_eq!(places[1], "SecurityGroups[0].IpPermissions[0].Ipv6Ranges[0]");
    assert_eq!(places[2], "SecurityGroups[0].IpPermissions[1].PrefixListIds[0]");
    assert_eq!(places[9], "SecurityGroups[0].IpPermissions[5].UserIdGroupPairs[2]");
    assert_eq!(places[12], "SecurityGroups[0].IpPermissionsEgress[0].Ipv6Ranges[0]");
    assert_eq!(group.rules[0].description.as_deref(), Some("https"));
    assert_eq!(group.rules[1].description, None);
    assert_eq!(group.rules[0].id, None);
    let empty = loaded.inventory.group("sg-0bbb000000000000b").unwrap();
    assert!(empty.rules.is_empty());
    assert_eq!(empty.coverage, RuleCoverage::Complete);
}

/// AWS-10: owner, VPC and peering state of a group of another VPC.
#[test]
fn references_into_other_vpcs() {
    let loaded = fixtures(&["describe-security-groups.json"]);
    let group = loaded.inventory.group("sg-0aaa000000000000a").unwrap();
    let reference = |i: usize| match &group.rules[i].peer {
        Peer::Group(reference) => reference.clone(),
        other => panic!("{other}"),
    };
    assert_eq!(reference(3).owner, Some("111122223333".into()));
    assert_eq!((reference(3).vpc, reference(3).peering), (None, None));
    assert_eq!(reference(7).vpc, Some("vpc-0peer".into()));
    assert_eq!(reference(7).peering, Some(PeeringStatus::Active));
    assert_eq!(reference(8).owner, None);
    assert_eq!(reference(8).peering, Some(PeeringStatus::Gone));
    assert_eq!(reference(9).peering, Some(PeeringStatus::Unsettled));
    // Trap T28: what is not in the snapshot is neither a crash nor silence.
    let place = "describe-security-groups.json: SecurityGroups[0].IpPermissions[5].UserIdGroupPairs";
    assert!(warnings(&loaded).contains(&(
        WarningKind::StaleReference,
        format!("{place}[1]: 1 rule refers to the group `sg-0ddd000000000000d`, which is gone; it matches nothing"),
    )));
    assert!(warnings(&loaded).contains(&(
        WarningKind::UnresolvedReference,
        format!("{place}[0]: 1 rule refers to the group `sg-0ccc000000000000c`, which was not loaded"),
    )));
}

/// AWS-17, AWS-18: the other view alone gives the same rules, with ids.
#[test]
fn rules_alone() {
    let loaded = fixtures(&["describe-security-group-rules.json"]);
    let group = loaded.inventory.group("sg-0aaa000000000000a").unwrap();
    assert_eq!(group.kind, Some(GroupKind::Aws));
    assert_eq!(group.network, None);
    assert_eq!(group.owner, Some("111122223333".into()));
    assert_eq!(group.coverage, RuleCoverage::Complete);
    assert_eq!(group.rules.len(), 13);
    assert_eq!(group.rules[0].id, Some("sgr-01".into()));
    assert_eq!(group.rules[0].tags["ticket"], "NET-7");
    assert_eq!(group.rules[0].place.as_ref().unwrap().path(), "SecurityGroupRules[0]");
}

/// AWS-21: the two views are lossless views of one rule set.
#[test]
fn both_views_hold_the_same_rules() {
    let by_group = fixtures(&["describe-security-groups.json"]);
    let by_rule = fixtures(&["describe-security-group-rules.json"]);
    let rules = |loaded: &Loaded| loaded.inventory.group("sg-0aaa000000000000a").unwrap().rules.clone();
    let (a, b) = (rules(&by_group), rules(&by_rule));
    assert_eq!(a.len(), b.len());
    for rule in &a {
        assert_eq!(b.iter().filter(|other| rule.same_meaning(other)).count(), 1, "{rule}");
    }

    // The count is the sum of all sources of all permissions.
    let document: serde_json::Value = serde_json::from_slice(&fixture("aws", "describe-security-groups.json")).unwrap();
    let group = &document["SecurityGroups"][0];
    let sources: usize = ["IpPermissions", "IpPermissionsEgress"]
        .iter()
        .flat_map(|list| group[list].as_array().unwrap())
        .flat_map(|permission| {
            ["IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"]
                .map(|list| permission[list].as_array().unwrap().len())
        })
        .sum();
    assert_eq!(a.len(), sources);
}

/// Ids and tags come from the rules, order and places from the groups.
#[test]
fn both_views_merge() {
    for names in [
        ["describe-security-groups.json", "describe-security-group-rules.json"],
        ["describe-security-group-rules.json", "describe-security-groups.json"],
    ] {
        let loaded = fixtures(&names);
        let group = loaded.inventory.group("sg-0aaa000000000000a").unwrap();
        assert_eq!(group.name.as_deref(), Some("web"));
        assert_eq!(group.rules.len(), 13);
        let ids: Vec<&str> = group.rules.iter().map(|rule| rule.id.as_ref().unwrap().as_str()).collect();
        assert_eq!(ids[0], "sgr-01");
        assert_eq!(ids[5], "sgr-06");
        assert_eq!(ids[12], "sgr-13");
        assert_eq!(group.rules[0].tags["ticket"], "NET-7");
        assert_eq!(
            group.rules[6].place.as_ref().unwrap().to_string(),
            "describe-security-groups.json: SecurityGroups[0].IpPermissions[4].IpRanges[0]"
        );
    }
}

/// A rules view whose last page is missing may hold fewer rules, never others.
#[test]
fn incomplete_rules_view() {
    let groups = group(
        r#"{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "172.16.0.0/12"}]}"#,
    );
    let page = r#"{"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": false,
        "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "10.0.0.0/8"}], "NextToken": "t"}"#;
    let loaded = load(&[("g.json", &groups), ("r.json", page)]).unwrap();
    let ids: Vec<Option<String>> = loaded
        .inventory
        .group("sg-1")
        .unwrap()
        .rules
        .iter()
        .map(|rule: &Rule| rule.id.as_ref().map(ToString::to_string))
        .collect();
    assert_eq!(ids, [Some("sgr-1".to_owned()), None]);
    assert!(warnings(&loaded).contains(&(
        WarningKind::IncompletePages,
        "r.json: the answers to DescribeSecurityGroupRules are incomplete: another page follows, and the last one is \
         not among the documents"
            .to_owned()
    )));
    let alone = load(&[("r.json", page)]).unwrap();
    assert_eq!(alone.inventory.group("sg-1").unwrap().coverage, RuleCoverage::Partial);
}

/// AWS-2 to AWS-8 and traps T4, T5, T6, T7, T8, T9: protocols and what stands in for ports.
#[test]
fn protocols_and_ports() {
    let cases: &[(&str, &str, &[&str])] = &[
        (r#""IpProtocol": "TCP", "FromPort": 80, "ToPort": 80"#, "tcp/80", &[]),
        (r#""IpProtocol": "6", "FromPort": "80", "ToPort": "81""#, "tcp/80-81", &[]),
        (r#""IpProtocol": "tcp", "FromPort": 0, "ToPort": 0"#, "tcp/0", &[]),
        (r#""IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535"#, "tcp/0-65535", &[]),
        (r#""IpProtocol": "icmp", "FromPort": 8, "ToPort": 0"#, "icmp/8/0", &[]),
        (r#""IpProtocol": "icmp", "FromPort": 8, "ToPort": 8"#, "icmp/8/8", &[]),
        (r#""IpProtocol": "1", "FromPort": 3, "ToPort": -1"#, "icmp/3", &[]),
        (r#""IpProtocol": "icmp", "FromPort": -1, "ToPort": -1"#, "icmp", &[]),
        (r#""IpProtocol": "gre""#, "gre", &[]),
        (r#""IpProtocol": "50", "FromPort": null, "ToPort": """#, "esp", &[]),
        (r#""IpProtocol": "-1", "FromPort": -1, "ToPort": -1"#, "all", &[]),
        (
            r#""IpProtocol": "tcp""#,
            "tcp",
            &["g.json: SecurityGroups[0].IpPermissions[0]: the TCP rule has no ports; read as all ports"],
        ),
        (
            r#""IpProtocol": "udp", "FromPort": -1"#,
            "udp",
            &["g.json: SecurityGroups[0].IpPermissions[0]: the UDP rule has no ports; read as all ports"],
        ),
        (
            r#""IpProtocol": "icmp", "FromPort": -1, "ToPort": 4"#,
            "icmp",
            &[
                "g.json: SecurityGroups[0].IpPermissions[0]: the ICMP rule has the code 4 but no type; read as any type and code",
            ],
        ),
        (
            r#""IpProtocol": "icmp""#,
            "icmp",
            &["g.json: SecurityGroups[0].IpPermissions[0]: the ICMP rule has no type and code; read as any"],
        ),
        (
            r#""IpProtocol": "icmp", "FromPort": 3"#,
            "icmp/3",
            &["g.json: SecurityGroups[0].IpPermissions[0]: the ICMP rule of type 3 has no code; read as any code"],
        ),
        (
            r#""IpProtocol": "-1", "FromPort": 8080, "ToPort": 8080"#,
            "all",
            &["g.json: SecurityGroups[0].IpPermissions[0]: ports mean nothing with every protocol and were ignored"],
        ),
        (
            r#""IpProtocol": "50", "FromPort": 1, "ToPort": 1"#,
            "esp",
            &["g.json: SecurityGroups[0].IpPermissions[0]: ports mean nothing with protocol esp and were ignored"],
        ),
        (
            r#""IpProtocol": "all""#,
            "all",
            &[
                "g.json: SecurityGroups[0].IpPermissions[0].IpProtocol: `all` is not a protocol of AWS; read as -1, every protocol",
            ],
        ),
    ];
    for (permission, traffic, expected) in cases {
        let document = group(&format!(r#"{{{permission}, "IpRanges": [{{"CidrIp": "10.0.0.0/8"}}]}}"#));
        let loaded = load(&[("g.json", &document)]).unwrap_or_else(|error| panic!("{permission}: {error}"));
        assert_eq!(rules_of(&loaded), [format!("allow ingress {traffic} from 10.0.0.0/8")], "{permission}");
        let texts: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(texts, *expected, "{permission}");
    }
    let port = group(r#"{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 0, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}"#);
    let loaded = load(&[("g.json", &port)]).unwrap();
    assert_eq!(loaded.inventory.group("sg-1").unwrap().rules[0].traffic, Traffic::tcp(0));
    let none = group(r#"{"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}"#);
    let loaded = load(&[("g.json", &none)]).unwrap();
    assert_eq!(loaded.inventory.group("sg-1").unwrap().rules[0].traffic, Traffic::Tcp(Ports::Any));
}

/// Trap T1 and AWS-14, AWS-18: absent ports of one view are -1/-1 of the other, never port 0.
#[test]
fn absent_and_minus_one_are_the_same() {
    let permissions = [
        (r#""IpProtocol": "-1""#, "all"),
        (r#""IpProtocol": "47""#, "gre"),
        (r#""IpProtocol": "icmpv6""#, "icmpv6"),
        (r#""IpProtocol": "tcp""#, "tcp"),
        (r#""IpProtocol": "17""#, "udp"),
        (r#""IpProtocol": 6"#, "tcp"),
    ];
    for (protocol, text) in permissions {
        let peer = if text == "icmpv6" { "::/0" } else { "0.0.0.0/0" };
        let (range, cidr) = if text == "icmpv6" {
            (r#""Ipv6Ranges": [{"CidrIpv6": "::/0"}]"#, "CidrIpv6")
        } else {
            (r#""IpRanges": [{"CidrIp": "0.0.0.0/0"}]"#, "CidrIpv4")
        };
        let groups = group(&format!("{{{protocol}, {range}}}"));
        let rules = format!(
            r#"{{"SecurityGroupRules": [{{"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": false,
                {protocol}, "FromPort": -1, "ToPort": "-1", "{cidr}": "{peer}"}}]}}"#
        );
        let loaded = load(&[("g.json", &groups), ("r.json", &rules)]).unwrap();
        assert_eq!(rules_of(&loaded), [format!("allow ingress {text} from {peer}")]);
        assert_eq!(loaded.inventory.group("sg-1").unwrap().rules[0].id, Some("sgr-1".into()));
        // Trap T26: documentation shows tcp with -1/-1, which AWS itself never emits.
        let all_ports = kinds(&loaded).into_iter().filter(|kind| *kind == WarningKind::AllPorts).count();
        assert_eq!(all_ports, if text == "tcp" || text == "udp" { 2 } else { 0 }, "{text}");
    }
}

/// AWS-35 and trap T19: host bits are masked, with a warning, not refused and not kept.
#[test]
fn host_bits_are_masked() {
    let document = group(
        r#"{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "100.68.0.18/18"}],
            "Ipv6Ranges": [{"CidrIpv6": "2001:db8::1/64"}]}"#,
    );
    let loaded = load(&[("g.json", &document)]).unwrap();
    assert_eq!(
        rules_of(&loaded),
        ["allow ingress tcp/22 from 100.68.0.0/18", "allow ingress tcp/22 from 2001:db8::/64"]
    );
    assert_eq!(
        warnings(&loaded)[0],
        (
            WarningKind::HostBits,
            "g.json: SecurityGroups[0].IpPermissions[0].IpRanges[0].CidrIp: `100.68.0.18/18` has bits set beyond its \
             prefix; read as 100.68.0.0/18"
                .to_owned()
        )
    );
    assert_eq!(kinds(&loaded), [WarningKind::HostBits, WarningKind::HostBits]);
}

/// AWS-34: ICMP of one family and a peer of the other.
#[test]
fn rules_that_never_match_are_told() {
    let document = group(
        r#"{"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
           {"IpProtocol": "icmpv6", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
           {"IpProtocol": "icmpv6", "PrefixListIds": [{"PrefixListId": "pl-4"}]}"#,
    );
    let lists = r#"{"PrefixLists": [{"PrefixListId": "pl-4", "Cidrs": ["10.0.0.0/8"]}]}"#;
    let loaded = load(&[("g.json", &document), ("l.json", lists)]).unwrap();
    let never: Vec<String> = warnings(&loaded)
        .into_iter()
        .filter_map(|(kind, text)| (kind == WarningKind::NeverMatches).then_some(text))
        .collect();
    assert_eq!(
        never,
        [
            "g.json: SecurityGroups[0].IpPermissions[0].Ipv6Ranges[0]: the rule matches nothing: icmp is IPv4 only, and ::/0 is not",
            "g.json: SecurityGroups[0].IpPermissions[1].IpRanges[0]: the rule matches nothing: icmpv6 is IPv6 only, and 0.0.0.0/0 is not",
            "g.json: SecurityGroups[0].IpPermissions[2].PrefixListIds[0]: the rule matches nothing: icmpv6 is IPv6 only, and the prefix list `pl-4` is not",
        ]
    );
}

/// AWS-36 and trap T20: descriptions and tags do not tell rules apart, so views that differ in them
/// agree. T14: ports 1 to 11 and 11 to 1 are not glued into one key.
#[test]
fn identity_is_what_a_rule_says() {
    let groups = group(
        r#"{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 11, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "a"}]},
           {"IpProtocol": "tcp", "FromPort": 11, "ToPort": 11, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
           {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}"#,
    );
    let rule = |id: &str, from: u16, to: u16| {
        format!(
            r#"{{"SecurityGroupRuleId": "{id}", "GroupId": "sg-1", "IsEgress": false, "IpProtocol": "tcp",
                "FromPort": {from}, "ToPort": {to}, "CidrIpv4": "10.0.0.0/8", "Description": "{id}"}}"#
        )
    };
    let rules = format!(
        r#"{{"SecurityGroupRules": [{}, {}, {}]}}"#,
        rule("sgr-c", 1, 1),
        rule("sgr-a", 1, 11),
        rule("sgr-b", 11, 11)
    );
    let loaded = load(&[("g.json", &groups), ("r.json", &rules)]).unwrap();
    let group = loaded.inventory.group("sg-1").unwrap();
    let ids: Vec<String> = group.rules.iter().map(|rule| rule.id.clone().unwrap().to_string()).collect();
    assert_eq!(ids, ["sgr-a", "sgr-b", "sgr-c"]);
    assert_eq!(group.rules[0].description.as_deref(), Some("a"));
}

/// A rule that repeats another one is kept once and told; the same page twice is not.
#[test]
fn repeated_rules() {
    let document = group(
        r#"{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/24"}, {"CidrIp": "10.0.0.9/24"}]},
           {"IpProtocol": "6", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/24", "Description": "x"}]}"#,
    );
    let loaded = load(&[("g.json", &document), ("again.json", &document)]).unwrap();
    assert_eq!(rules_of(&loaded), ["allow ingress tcp/22 from 10.0.0.0/24"]);
    let duplicates: Vec<String> = warnings(&loaded)
        .into_iter()
        .filter_map(|(kind, text)| (kind == WarningKind::Duplicate).then_some(text))
        .collect();
    assert_eq!(
        duplicates,
        [
            "g.json: SecurityGroups[0].IpPermissions[0].IpRanges[1]: the rule of `sg-1` repeats another one, `allow \
             ingress tcp/22 from 10.0.0.0/24`, and was left out",
            "g.json: SecurityGroups[0].IpPermissions[1].IpRanges[0]: the rule of `sg-1` repeats another one, `allow \
             ingress tcp/22 from 10.0.0.0/24`, and was left out",
        ]
    );
    for name in ["describe-security-group-rules.json", "describe-network-interfaces.json", "describe-instances.json"] {
        let once = fixtures(&[name]);
        let twice = fixtures(&[name, name]);
        let json = |loaded: &Loaded| serde_json::to_string(&loaded.inventory).unwrap();
        assert_eq!(json(&once), json(&twice), "{name}");
        assert_eq!(kinds(&once), kinds(&twice), "{name}");
    }
}

/// A permission without a source is no rule.
#[test]
fn no_source() {
    let document = group(r#"{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": []}"#);
    let loaded = load(&[("g.json", &document)]).unwrap();
    assert!(rules_of(&loaded).is_empty());
    assert_eq!(
        warnings(&loaded),
        [(
            WarningKind::NoPeer,
            "g.json: SecurityGroups[0].IpPermissions[0]: the permission names no address, prefix list or group, so it allows nothing"
                .to_owned()
        )]
    );
}

/// A group that a pair names without an id is looked up within the VPC.
#[test]
fn groups_by_name() {
    let document = r#"{"SecurityGroups": [
        {"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "IpPermissions": [
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
             "UserIdGroupPairs": [{"GroupId": "sg-3"}, {"GroupName": "bastion"}, {"GroupId": "", "GroupName": "web"}]}]},
        {"GroupId": "sg-2", "GroupName": "bastion", "VpcId": "vpc-1"},
        {"GroupId": "sg-3", "GroupName": "bastion", "VpcId": "vpc-2"}]}"#;
    let loaded = load(&[("g.json", document)]).unwrap();
    assert_eq!(
        rules_of(&loaded),
        [
            "allow ingress tcp/22 from 10.0.0.0/8",
            "allow ingress tcp/22 from sg-3",
            "allow ingress tcp/22 from sg-2",
            "allow ingress tcp/22 from sg-1",
        ]
    );
}

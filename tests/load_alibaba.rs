//! Groups, interfaces, instances and lists of Alibaba Cloud, read into the model.
#![cfg(feature = "load")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod load_support;

use load_support::{addresses, blocks, folder, kinds, load, texts};
use secgroup::load::{self, Loaded, Provider, WarningKind};
use secgroup::model::{GroupKind, IntraGroupPolicy, Network, NicType, RuleCoverage};
use secgroup::net::{Family, PortRange};

fn fixtures(names: &[&str]) -> Loaded {
    load_support::load_fixtures("alibaba", names)
}

/// An answer about the classic group `sg-1`.
fn classic(permissions: &str, token: &str) -> String {
    format!(
        r#"{{"SecurityGroupId": "sg-1", "VpcId": "", "InnerAccessPolicy": "Drop", "NextToken": "{token}",
            "Permissions": {{"Permission": [{permissions}]}}}}"#
    )
}

fn classic_rule(nic: &str, port: u16) -> String {
    format!(
        r#"{{"Direction": "ingress", "IpProtocol": "TCP", "PortRange": "{port}/{port}", "SourceCidrIp": "0.0.0.0/0",
            "NicType": "{nic}", "Policy": "Accept", "Priority": 1}}"#
    )
}

fn coverage_of(loaded: &Loaded) -> RuleCoverage {
    loaded.inventory.group("sg-1").unwrap().coverage
}

/// ALI-15, ALI-20, ALI-29: what the call that lists groups tells; rules stay unknown.
#[test]
fn listed_groups() {
    let loaded = fixtures(&["describe-security-groups.json"]);
    assert_eq!(loaded.provider, Provider::Alibaba);
    let group = |id: &str| loaded.inventory.group(id).unwrap();
    let web = group("sg-web01");
    assert_eq!(web.kind, Some(GroupKind::Basic));
    assert_eq!(web.name.as_deref(), Some("web"));
    assert_eq!(web.description, None);
    assert_eq!(web.network, Some(Network::Vpc("vpc-aa01".into())));
    assert_eq!(web.tags["env"], "test");
    assert!(!web.service_managed);
    assert_eq!(web.intra_group, None);
    assert_eq!((web.rules.len(), web.coverage), (0, RuleCoverage::Partial));
    let nat = group("sg-nat01");
    assert_eq!((nat.kind, nat.service_managed), (Some(GroupKind::Enterprise), true));
    assert_eq!(nat.intra_group, Some(IntraGroupPolicy::Drop), "ALI-16: always isolated");
    assert_eq!(group("sg-old01").network, Some(Network::Classic));
    assert_eq!(group("sg-old01").kind, Some(GroupKind::Basic));
    assert_eq!(group("sg-exp01").kind, None);
    assert!(
        texts(&loaded).contains(
            &"describe-security-groups.json: SecurityGroups.SecurityGroup[0]: not known of the group `sg-web01`: \
          intra-group policy (DescribeSecurityGroupAttribute tells), rules (DescribeSecurityGroupAttribute tells)"
                .to_owned()
        )
    );
}

/// ALI-28: type of one call and policy of the other, in either order.
#[test]
fn both_calls_merge() {
    let names = ["describe-security-groups.json", "describe-security-group-attribute.sg-web01.json"];
    for names in [names, [names[1], names[0]]] {
        let loaded = fixtures(&names);
        let group = loaded.inventory.group("sg-web01").unwrap();
        assert_eq!(group.kind, Some(GroupKind::Basic));
        assert_eq!(group.intra_group, Some(IntraGroupPolicy::Accept));
        assert_eq!((group.rules.len(), group.coverage), (6, RuleCoverage::Complete));
        assert_eq!(group.tags["env"], "test");
    }
}

/// The paging notes behind ALI-45 and trap 12: pages of one group's rules.
#[test]
fn pages_of_one_group() {
    let rule = |id: &str, port: u16| {
        format!(
            r#"{{"SecurityGroupRuleId": "{id}", "Direction": "ingress", "IpProtocol": "TCP", "PortRange": "{port}/{port}",
                "SourceCidrIp": "0.0.0.0/0", "NicType": "intranet", "Policy": "Accept", "Priority": 1}}"#
        )
    };
    let page = |rules: &str, token: &str| {
        format!(
            r#"{{"SecurityGroupId": "sg-1", "VpcId": "vpc-1", "InnerAccessPolicy": "Drop", "NextToken": "{token}",
                "Permissions": {{"Permission": [{rules}]}}}}"#
        )
    };
    let first = page(&rule("sgr-1", 1), "t");
    let last = page(&[rule("sgr-2", 2), rule("sgr-3", 2)].join(","), "");
    let loaded = load(&[("2.json", &last), ("1.json", &first), ("1-again.json", &first)]).unwrap();
    assert_eq!(loaded.inventory.group("sg-1").unwrap().rules.len(), 3);
    assert_eq!(coverage_of(&loaded), RuleCoverage::Complete);
    assert_eq!(kinds(&loaded), [WarningKind::PartlyKnownGroup]);

    let loaded = load(&[("1.json", &first)]).unwrap();
    assert_eq!(coverage_of(&loaded), RuleCoverage::Partial);
    assert_eq!(
        texts(&loaded)[0],
        "1.json: the rules of `sg-1` are incomplete: another page follows, and the last one is not among the documents"
    );
}

/// ALI-19, ALI-28 and trap 12: the classic network takes two calls.
#[test]
fn two_cards() {
    let internet = classic(&classic_rule("internet", 80), "");
    let intranet = classic(&classic_rule("intranet", 22), "");
    let empty = classic("", "");
    let open = classic(&classic_rule("intranet", 23), "t");
    let both = classic(&[classic_rule("internet", 80), classic_rule("intranet", 22)].join(","), "");
    let open_empty = classic("", "t");
    let no_nic = classic(&classic_rule("", 22), "");
    let internet_too = classic(&classic_rule("internet", 81), "");
    let only = RuleCoverage::OnlyNic;
    let cases: &[(&[&str], RuleCoverage)] = &[
        (&[&internet, &intranet], RuleCoverage::Complete),
        (&[&both], RuleCoverage::Complete),
        (&[&internet], only(NicType::Internet)),
        (&[&intranet], only(NicType::Intranet)),
        (&[&intranet, &intranet], only(NicType::Intranet)),
        (&[&empty], RuleCoverage::Partial),
        (&[&empty, &empty], RuleCoverage::Partial),
        (&[&no_nic], RuleCoverage::Partial),
        (&[&internet, &empty], RuleCoverage::Complete),
        (&[&open, &empty], RuleCoverage::Partial),
        (&[&open, &internet, &empty], RuleCoverage::Partial),
        (&[&open, &intranet, &empty], RuleCoverage::Complete),
        (&[&open_empty, &intranet], RuleCoverage::Partial),
        (&[&open_empty, &intranet, &internet], RuleCoverage::Complete),
        (&[&internet, &open], RuleCoverage::Partial),
        (&[&internet, &open, &intranet], RuleCoverage::Complete),
        (&[&open], RuleCoverage::Partial),
    ];
    for (i, (documents, coverage)) in cases.iter().enumerate() {
        let names: Vec<String> = (0..documents.len()).map(|j| format!("{j}.json")).collect();
        let documents: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(documents.iter().copied()).collect();
        let loaded = load(&documents).unwrap();
        assert_eq!(coverage_of(&loaded), *coverage, "case {i}");
        let told = |kind| kinds(&loaded).contains(&kind);
        let warned = told(WarningKind::OnlyOneNic) != told(WarningKind::IncompletePages);
        assert_eq!(warned, *coverage != RuleCoverage::Complete, "case {i}: {:?}", texts(&loaded));
        assert!(told(WarningKind::OnlyOneNic) || !matches!(coverage, RuleCoverage::OnlyNic(_)), "case {i}");
    }
    // Two whole answers about one card that differ are of different moments.
    assert!(load(&[("0.json", &internet), ("1.json", &internet_too)]).is_err());
    let loaded = load(&[("0.json", &intranet)]).unwrap();
    assert_eq!(
        texts(&loaded)[0],
        "0.json: only the rules of the intranet card of the classic group `sg-1` were loaded; the other card takes a \
         second call"
    );
    let loaded = load(&[("0.json", &empty)]).unwrap();
    assert_eq!(
        texts(&loaded)[0],
        "0.json: the rules of the classic group `sg-1` are not all known: no rule tells which network card the answers \
         are about, and each card takes a call of its own"
    );
    let loaded = fixtures(&[
        "describe-security-group-attribute.internet.sg-old01.json",
        "describe-security-group-attribute.intranet.sg-old01.json",
    ]);
    let group = loaded.inventory.group("sg-old01").unwrap();
    assert_eq!((group.rules.len(), group.coverage), (2, RuleCoverage::Complete));
    assert_eq!(group.network, Some(Network::Classic));
}

/// ALI-16: members of an enterprise group are always isolated, whatever its policy says.
#[test]
fn enterprise_groups_are_isolated() {
    let listed = |kind: &str| {
        format!(
            r#"{{"SecurityGroups": {{"SecurityGroup": [{{"SecurityGroupId": "sg-1", "VpcId": "vpc-1", "SecurityGroupType": "{kind}"}}]}}}}"#
        )
    };
    let answer =
        |policy: &str| classic("", "").replace(r#""VpcId": """#, r#""VpcId": "vpc-1""#).replace("Drop", policy);
    for (kind, policy, expected) in [
        ("enterprise", "Accept", IntraGroupPolicy::Drop),
        ("enterprise", "Drop", IntraGroupPolicy::Drop),
        ("normal", "Accept", IntraGroupPolicy::Accept),
    ] {
        let loaded = load(&[("l.json", &listed(kind)), ("a.json", &answer(policy))]).unwrap();
        assert_eq!(loaded.inventory.group("sg-1").unwrap().intra_group, Some(expected), "{kind} {policy}");
        let warned = (kind, policy) == ("enterprise", "Accept");
        assert_eq!(kinds(&loaded), Vec::from_iter(warned.then_some(WarningKind::IgnoredPolicy)), "{kind} {policy}");
        if warned {
            assert_eq!(
                texts(&loaded),
                [
                    "a.json: InnerAccessPolicy: the enterprise group `sg-1` says Accept, but members of enterprise groups are \
                     always isolated; read as Drop"
                ]
            );
        }
    }
}

/// ALI-20: no VPC means classic, unless the other call names one.
#[test]
fn networks() {
    let listed = |vpc: &str| {
        format!(r#"{{"SecurityGroups": {{"SecurityGroup": [{{"SecurityGroupId": "sg-1", "VpcId": "{vpc}"}}]}}}}"#)
    };
    let with_vpc = classic("", "").replace(r#""VpcId": """#, r#""VpcId": "vpc-1""#);
    let without = classic("", "");
    let vpc = Some(Network::Vpc("vpc-1".into()));
    for (documents, network) in [
        ([&listed("vpc-1"), &without], vpc.clone()),
        ([&listed(""), &with_vpc], vpc.clone()),
        ([&listed("vpc-1"), &with_vpc], vpc),
        ([&listed(""), &without], Some(Network::Classic)),
    ] {
        let loaded = load(&[("l.json", documents[0]), ("a.json", documents[1])]).unwrap();
        assert_eq!(loaded.inventory.group("sg-1").unwrap().network, network, "{documents:?}");
    }
}

/// Instances of the classic network are not among the interfaces.
#[test]
fn members_of_classic_groups() {
    let interfaces = r#"{"NetworkInterfaceSets": {"NetworkInterfaceSet": []}}"#;
    let group = classic(&classic_rule("intranet", 22), "");
    let loaded = load(&[("e.json", interfaces), ("g.json", &group)]).unwrap();
    assert!(!loaded.inventory.members_complete());
    assert!(kinds(&loaded).contains(&WarningKind::NoInterfaces));
    let instances = r#"{"Instances": {"Instance": []}}"#;
    let loaded = load(&[("e.json", interfaces), ("g.json", &group), ("i.json", instances)]).unwrap();
    assert!(loaded.inventory.members_complete());
}

/// ALI-17, ALI-18 and trap 13: primary and secondary interfaces of an instance.
#[test]
fn instances() {
    let loaded = fixtures(&["describe-instances.json"]);
    let interface = |id: &str| loaded.inventory.interface(id).unwrap();
    assert_eq!(loaded.inventory.instance("i-0001").unwrap().name.as_deref(), Some("web-1"));
    let primary = interface("eni-01");
    assert!(primary.primary);
    assert_eq!(primary.groups, Some(vec!["sg-web01".into()]), "the groups of the instance");
    assert_eq!(primary.addresses, addresses(&["10.0.0.5"]));
    assert_eq!(primary.public, addresses(&["203.0.113.5"]));
    assert_eq!(primary.vpc, Some("vpc-aa01".into()));
    for id in ["eni-02", "eni-03"] {
        assert!(!interface(id).primary);
        assert_eq!(interface(id).groups, None, "{id}: not known, whether null or empty");
    }
    assert!(loaded.inventory.members_complete());
    assert!(kinds(&loaded).contains(&WarningKind::OnlyInstances));
}

/// ALI-19: an instance of the classic network is two interfaces.
#[test]
fn classic_instances() {
    let loaded = fixtures(&["describe-instances.json"]);
    let own: Vec<&str> = loaded.inventory.interfaces_of("i-0002").map(|interface| interface.id.as_str()).collect();
    assert_eq!(own, ["i-0002:intranet", "i-0002:internet"]);
    let intranet = loaded.inventory.interface("i-0002:intranet").unwrap();
    assert_eq!((intranet.nic, intranet.primary), (Some(NicType::Intranet), true));
    assert_eq!(intranet.addresses, addresses(&["10.170.0.9"]));
    assert_eq!(intranet.groups, Some(vec!["sg-old01".into()]));
    assert_eq!(intranet.vpc, None);
    let internet = loaded.inventory.interface("i-0002:internet").unwrap();
    assert_eq!((internet.nic, internet.primary), (Some(NicType::Internet), false));
    assert!(internet.addresses.is_empty());
    assert_eq!(internet.public, addresses(&["203.0.113.9", "203.0.113.99"]));
    assert_eq!(internet.groups, Some(vec!["sg-old01".into()]));
}

/// Trap 13: the call about interfaces is the better witness; there, empty means empty (ALI-66).
#[test]
fn interfaces() {
    let loaded = fixtures(&["describe-instances.json", "describe-network-interfaces.json"]);
    let interface = |id: &str| loaded.inventory.interface(id).unwrap();
    let second = interface("eni-02");
    assert_eq!(second.groups, Some(vec!["sg-nat01".into()]));
    assert_eq!(second.addresses, addresses(&["10.0.0.6", "10.0.0.16", "2001:db8::6"]));
    assert_eq!(second.prefixes, blocks(&["10.0.0.64/28"]));
    assert_eq!(second.public, addresses(&["203.0.113.6"]));
    assert_eq!(second.instance, Some("i-0001".into()));
    assert_eq!(second.subnet, Some("vsw-01".into()));
    let loose = interface("eni-09");
    assert_eq!((loose.groups.clone(), loose.instance.clone()), (Some(vec![]), None));
    assert_eq!(loose.addresses, addresses(&["10.0.0.90"]));
    assert!(texts(&loaded).contains(
        &"describe-network-interfaces.json: NetworkInterfaceSets.NetworkInterfaceSet[1]: the interface `eni-09` has no \
          group, which this cloud does not allow"
            .to_owned()
    ));
    assert!(!kinds(&loaded).contains(&WarningKind::OnlyInstances));
}

/// Lists without their wrapping, as some samples show them.
#[test]
fn unwrapped_lists() {
    let document = r#"{"NetworkInterfaceSets": [{"NetworkInterfaceId": "eni-1", "SecurityGroupIds": ["sg-1"],
        "PrivateIpSets": [{"PrivateIpAddress": "10.0.0.1"}]}]}"#;
    let loaded = load(&[("e.json", document)]).unwrap();
    let interface = loaded.inventory.interface("eni-1").unwrap();
    assert_eq!(interface.groups, Some(vec!["sg-1".into()]));
    assert_eq!(interface.addresses, addresses(&["10.0.0.1"]));
    assert_eq!(interface.place.as_ref().unwrap().path(), "NetworkInterfaceSets[0]");
}

#[test]
fn instances_without_interfaces() {
    let document = r#"{"Instances": {"Instance": [{"InstanceId": "i-1", "InstanceNetworkType": "vpc",
        "SecurityGroupIds": {"SecurityGroupId": ["sg-1", "sg-1"]}, "PublicIpAddress": {"IpAddress": []},
        "EipAddress": {"IpAddress": "203.0.113.1"},
        "VpcAttributes": {"VpcId": "vpc-1", "VSwitchId": "vsw-1", "PrivateIpAddress": {"IpAddress": ["10.0.0.1"]}}}]}}"#;
    let loaded = load(&[("i.json", document)]).unwrap();
    let interface = loaded.inventory.interface("i-1:primary").unwrap();
    assert_eq!(interface.groups, Some(vec!["sg-1".into()]));
    assert_eq!(interface.addresses, addresses(&["10.0.0.1"]));
    assert_eq!(interface.public, addresses(&["203.0.113.1"]));
    assert_eq!((interface.vpc.clone(), interface.subnet.clone()), (Some("vpc-1".into()), Some("vsw-1".into())));
    assert!(kinds(&loaded).contains(&WarningKind::AssumedInterface));
}

/// ALI-42, ALI-43.
#[test]
fn lists() {
    let loaded = fixtures(&["describe-prefix-list-attributes.json", "describe-port-range-list-entries.prl-web01.json"]);
    let list = loaded.inventory.prefix_list("pl-01").unwrap();
    assert_eq!(list.name.as_deref(), Some("office"));
    assert_eq!((list.family, list.max_entries, list.complete), (Some(Family::V4), Some(10), true));
    assert_eq!(list.entries, blocks(&["192.0.2.0/24", "198.51.100.7/32"]));
    let ports = loaded.inventory.port_list("prl-web01").unwrap();
    assert_eq!(ports.entries, [PortRange::from(80), PortRange::new(8000, 8100).unwrap()]);
    assert!(ports.complete);
}

/// The whole folder, as a user has it.
#[test]
fn a_folder() {
    let loaded = load::dir(folder("alibaba")).unwrap();
    assert_eq!((loaded.provider, loaded.documents), (Provider::Alibaba, 10));
    assert_eq!(loaded.inventory.groups().len(), 4);
    assert_eq!(loaded.inventory.interfaces().len(), 6);
    assert!(loaded.inventory.groups().all(|group| group.coverage == RuleCoverage::Complete));
    // Trap 16: public addresses are not members.
    let members = loaded.inventory.members("sg-web01");
    assert!(members.addresses.contains("10.0.0.5".parse().unwrap()));
    assert!(!members.addresses.contains("203.0.113.5".parse().unwrap()));
    assert_eq!(kinds(&loaded), [WarningKind::PriorityOutOfRange, WarningKind::PartlyKnownGroup, WarningKind::NoGroups]);
}

//! What exceeds the quotas of a cloud, to the last rule that is allowed and the first that is not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use secgroup::analysis::controls::Cloud;
use secgroup::analysis::quotas::{QuotaSubject, Quotas, over};
use secgroup::model::{
    Interface, IntraGroupPolicy, Inventory, InventoryBuilder, Network, Peer, PortList, Ports, PrefixList, Rule,
    RuleCoverage, SecurityGroup, Traffic,
};
use secgroup::net::{Cidr, Direction, PortRange};

fn block(text: &str) -> Cidr {
    text.parse().unwrap()
}

/// Rules that differ in their ports.
fn rules(count: u16, direction: Direction, peer: &Peer) -> impl Iterator<Item = Rule> {
    (0..count).map(move |port| Rule::allow(direction, Traffic::tcp(port), peer.clone()))
}

/// What exceeds the default quotas, in words.
fn texts(builder: InventoryBuilder, cloud: Cloud) -> Vec<String> {
    texts_with(builder, cloud, &Quotas::default())
}

fn texts_with(builder: InventoryBuilder, cloud: Cloud, quotas: &Quotas) -> Vec<String> {
    let id = |subject: &QuotaSubject| match subject {
        QuotaSubject::Group(id) => id.to_string(),
        QuotaSubject::Interface(id) => id.to_string(),
        QuotaSubject::PrefixList(id) => id.to_string(),
        other => format!("{other:?}"),
    };
    let inventory = builder.build().unwrap();
    over(&inventory, cloud, quotas).iter().map(|over| format!("{}: {over}", id(&over.subject))).collect()
}

fn of_group(group: SecurityGroup) -> InventoryBuilder {
    Inventory::builder().group(group)
}

/// AWS-78, trap T21: 60 rules of each direction and each family, 240 in all.
#[test]
fn rules_of_aws_count_by_direction_and_family() {
    let [v4, v6] = ["10.0.0.0/8", "fd00::/8"].map(|text| Peer::Cidr(block(text)));
    let full = || {
        let group = SecurityGroup::aws("sg-1").with_rules(rules(60, Direction::Ingress, &v4));
        let group = group.with_rules(rules(60, Direction::Ingress, &v6));
        group.with_rules(rules(60, Direction::Egress, &v4)).with_rules(rules(60, Direction::Egress, &v6))
    };
    assert_eq!(texts(of_group(full()), Cloud::Aws), [""; 0]);
    for (peer, direction, expected) in [
        (&v4, Direction::Ingress, "sg-1: 61 inbound rules for IPv4, and the limit is 60 (AWS-78)"),
        (&v6, Direction::Ingress, "sg-1: 61 inbound rules for IPv6, and the limit is 60 (AWS-78)"),
        (&v4, Direction::Egress, "sg-1: 61 outbound rules for IPv4, and the limit is 60 (AWS-78)"),
        (&v6, Direction::Egress, "sg-1: 61 outbound rules for IPv6, and the limit is 60 (AWS-78)"),
    ] {
        let group = full().with_rule(Rule::allow(direction, Traffic::tcp(99), peer.clone()));
        assert_eq!(texts(of_group(group), Cloud::Aws), [expected]);
    }
    // AWS-81: a rule with a group counts in both families.
    let group = full().with_rule(Rule::allow(Direction::Ingress, Traffic::tcp(99), Peer::group("sg-1")));
    assert_eq!(texts(of_group(group), Cloud::Aws).len(), 2);
    // A quota can be raised, or left out, and groups of another cloud have none of it.
    let group = full().with_rule(Rule::allow(Direction::Ingress, Traffic::tcp(99), v4.clone()));
    let mut quotas = Quotas::default();
    quotas.aws.rules = Some(61);
    assert_eq!(texts_with(of_group(group.clone()), Cloud::Aws, &quotas), [""; 0]);
    quotas.aws.rules = None;
    assert_eq!(texts_with(of_group(group.clone()), Cloud::Aws, &quotas), [""; 0]);
    assert_eq!(texts(of_group(group), Cloud::Alibaba), [""; 0]);
    let other = SecurityGroup::other("sg-1").with_rules(rules(99, Direction::Ingress, &v4));
    assert_eq!(texts(of_group(other), Cloud::Aws), [""; 0]);
}

/// AWS-80, AWS-82: a prefix list costs what it is made for, or its weight, in its own family.
#[test]
fn prefix_lists_of_aws_cost_what_they_may_hold() {
    let group = |count: u16| {
        let filler = Peer::Cidr(block("10.0.0.0/8"));
        let list = Rule::allow(Direction::Ingress, Traffic::tcp(443), Peer::PrefixList("pl-1".into()));
        of_group(SecurityGroup::aws("sg-1").with_rules(rules(count, Direction::Ingress, &filler)).with_rule(list))
    };
    let list = |name: &str, max: Option<u32>, entries: &[&str]| {
        let mut list = PrefixList::new("pl-1", entries.iter().copied().map(block));
        (list.name, list.max_entries) = (Some(name.to_owned()), max);
        list
    };
    let v4 = |max| list("office", max, &["192.0.2.0/24", "198.51.100.0/24"]);
    assert_eq!(texts(group(40).prefix_list(v4(Some(20))), Cloud::Aws), [""; 0]);
    let expected = "sg-1: 61 inbound rules for IPv4, and the limit is 60 (AWS-78)";
    assert_eq!(texts(group(41).prefix_list(v4(Some(20))), Cloud::Aws), [expected]);
    // In its own family only.
    assert_eq!(texts(group(41).prefix_list(list("office", Some(20), &["2001:db8::/32"])), Cloud::Aws), [""; 0]);
    // Not known what it may hold: at least its entries.
    assert_eq!(texts(group(58).prefix_list(v4(None)), Cloud::Aws), [""; 0]);
    let expected = "sg-1: at least 61 inbound rules for IPv4, and the limit is 60 (AWS-78)";
    assert_eq!(texts(group(59).prefix_list(v4(None)), Cloud::Aws), [expected]);
    assert_eq!(texts(group(60), Cloud::Aws), [""; 0]);
    // CloudFront leaves 5 of 60.
    let edge = || list("com.amazonaws.global.cloudfront.origin-facing", None, &["192.0.2.0/24"]);
    assert_eq!(texts(group(5).prefix_list(edge()), Cloud::Aws), [""; 0]);
    let expected = "sg-1: 61 inbound rules for IPv4, and the limit is 60 (AWS-78)";
    assert_eq!(texts(group(6).prefix_list(edge()), Cloud::Aws), [expected]);
    let store = list("com.amazonaws.eu-central-1.s3", None, &["192.0.2.0/24", "198.51.100.0/24"]);
    assert_eq!(texts(group(59).prefix_list(store), Cloud::Aws), [""; 0]);
    // A name of one's own is no weight.
    let own = list("backup.s3", Some(2), &["192.0.2.0/24"]);
    assert_eq!(texts(group(59).prefix_list(own), Cloud::Aws).len(), 1);
    let large = list("office", Some(1001), &[]);
    assert_eq!(
        texts(Inventory::builder().prefix_list(large), Cloud::Aws),
        ["pl-1: 1001 entries, and the limit is 1000 (AWS-83)"]
    );
}

/// AWS-79: five groups an interface, and the product of both quotas.
#[test]
fn groups_of_an_interface_of_aws() {
    let interface = |count: usize| Interface::new("eni-1").with_groups((0..count).map(|number| format!("sg-{number}")));
    assert_eq!(texts(Inventory::builder().interface(interface(5)), Cloud::Aws), [""; 0]);
    let expected = "eni-1: 6 security groups, and the limit is 5 (AWS-79)";
    assert_eq!(texts(Inventory::builder().interface(interface(6)), Cloud::Aws), [expected]);
    let twice = Interface::new("eni-1").with_groups(["sg-1"; 6]);
    assert_eq!(texts(Inventory::builder().interface(twice), Cloud::Aws), [""; 0]);
    // Both raised.
    let mut quotas = Quotas::default();
    (quotas.aws.groups, quotas.aws.rules) = (Some(16), Some(200));
    let group = |count| {
        SecurityGroup::aws("sg-1").with_rules(rules(count, Direction::Egress, &Peer::Cidr(block("10.0.0.0/8"))))
    };
    let with = |rules, groups| of_group(group(rules)).group(SecurityGroup::aws("sg-0")).interface(interface(groups));
    assert_eq!(texts_with(with(62, 16), Cloud::Aws, &quotas), [""; 0]);
    let expected =
        "eni-1: 1008 as the product of 16 security groups and 63 rules of one of them, and the limit is 1000 (AWS-79)";
    assert_eq!(texts_with(with(63, 16), Cloud::Aws, &quotas), [expected]);
    let mut partial = group(61);
    partial.coverage = RuleCoverage::Partial;
    let expected = "sg-1: at least 61 outbound rules for IPv4, and the limit is 60 (AWS-78)";
    assert_eq!(texts(of_group(partial.clone()), Cloud::Aws), [expected]);
    partial.coverage = RuleCoverage::OnlyDirection(Direction::Egress);
    let expected = "sg-1: 61 outbound rules for IPv4, and the limit is 60 (AWS-78)";
    assert_eq!(texts(of_group(partial), Cloud::Aws), [expected]);
}

/// 1,000 rules an interface in both directions together, and lists count by what they may hold (ALI-44).
#[test]
fn rules_of_an_interface_of_alibaba() {
    let peer = Peer::Cidr(block("10.0.0.0/8"));
    let group = |id: &str, inbound, outbound| {
        let group = SecurityGroup::basic(id, IntraGroupPolicy::Drop);
        group.with_rules(rules(inbound, Direction::Ingress, &peer)).with_rules(rules(
            outbound,
            Direction::Egress,
            &peer,
        ))
    };
    let interface = || Interface::new("eni-1").with_groups(["sg-1", "sg-2"]);
    let with = |inbound| of_group(group("sg-1", inbound, 300)).group(group("sg-2", 200, 100)).interface(interface());
    assert_eq!(texts(with(400), Cloud::Alibaba), [""; 0]);
    let expected = "eni-1: 1001 rules over all security groups, and the limit is 1000 (Alibaba Cloud limits)";
    assert_eq!(texts(with(401), Cloud::Alibaba), [expected]);
    // The limit of a group that there was.
    let mut quotas = Quotas::default();
    quotas.alibaba.rules_of_group = Some(600);
    let expected = "sg-1: 601 rules, and the limit is 600 (Alibaba Cloud limits)";
    let found = texts_with(with(301), Cloud::Alibaba, &quotas);
    assert_eq!(found, [expected]);
    // Lists, known and not.
    let list = |max| {
        let mut list = PrefixList::new("pl-1", [block("192.0.2.0/24")]);
        list.max_entries = max;
        list
    };
    let rule = Rule::allow(Direction::Ingress, Traffic::tcp(1), Peer::PrefixList("pl-1".into()));
    let full = |rule: &Rule| {
        of_group(group("sg-1", 901, 0).with_rule(rule.clone())).interface(Interface::new("eni-1").with_groups(["sg-1"]))
    };
    assert_eq!(texts(full(&rule).prefix_list(list(Some(99))), Cloud::Alibaba), [""; 0]);
    assert_eq!(texts(full(&rule).prefix_list(list(Some(100))), Cloud::Alibaba).len(), 1);
    assert_eq!(texts(full(&rule).prefix_list(list(None)), Cloud::Alibaba), [""; 0]);
    let ports = PortList::new("prl-1", (0..100).map(PortRange::from));
    let rule = Rule::allow(Direction::Ingress, Traffic::Tcp(Ports::List("prl-1".into())), block("10.0.0.0/8"));
    let expected = "eni-1: at least 1001 rules over all security groups, and the limit is 1000 (Alibaba Cloud limits)";
    assert_eq!(texts(full(&rule).port_list(ports), Cloud::Alibaba), [expected]);
    assert_eq!(
        texts(Inventory::builder().prefix_list(list(Some(201))), Cloud::Alibaba),
        ["pl-1: 201 entries, and the limit is 200 (ALI-42)"]
    );
}

/// ALI-51: twenty rules of a basic group refer to a group. Ten groups an interface.
#[test]
fn references_and_groups_of_alibaba() {
    let group = |count| {
        SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop)
            .with_rules(rules(count, Direction::Ingress, &Peer::group("sg-2")))
            .with_rules(rules(5, Direction::Egress, &Peer::group("sg-3")))
    };
    assert_eq!(texts(of_group(group(15)), Cloud::Alibaba), [""; 0]);
    let expected = "sg-1: 21 rules that refer to groups, and the limit is 20 (ALI-51)";
    assert_eq!(texts(of_group(group(16)), Cloud::Alibaba), [expected]);
    let interface = |count: usize| Interface::new("eni-1").with_groups((0..count).map(|number| format!("sg-{number}")));
    assert_eq!(texts(Inventory::builder().interface(interface(10)), Cloud::Alibaba), [""; 0]);
    let expected = "eni-1: 11 security groups, and the limit is 10 (Alibaba Cloud limits)";
    assert_eq!(texts(Inventory::builder().interface(interface(11)), Cloud::Alibaba), [expected]);
}

/// Members of a group: addresses of a basic one, interfaces of an enterprise one.
#[test]
fn members_of_groups_of_alibaba() {
    let mut quotas = Quotas::default();
    (quotas.alibaba.basic_members, quotas.alibaba.classic_members, quotas.alibaba.enterprise_members) =
        (Some(5), Some(3), Some(2));
    let interfaces = |count: u8| {
        let builder = Inventory::builder();
        (0..count).fold(builder, |builder, number| {
            let interface = Interface::new(format!("eni-{number}")).with_groups(["sg-1", "sg-1"]);
            let addresses = [[10, 0, 0, number], [10, 0, 1, number]].map(Into::into);
            builder.interface(addresses.into_iter().fold(interface, Interface::with_address))
        })
    };
    let basic = || SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop);
    let found = |builder| texts_with(builder, Cloud::Alibaba, &quotas);
    assert_eq!(found(interfaces(2).group(basic())), [""; 0]);
    let expected = "sg-1: 6 private addresses of members, and the limit is 5 (Alibaba Cloud limits)";
    assert_eq!(found(interfaces(3).group(basic())), [expected]);
    let expected = "sg-1: at least 6 private addresses of members, and the limit is 5 (Alibaba Cloud limits)";
    assert_eq!(found(interfaces(3).group(basic()).members_incomplete()), [expected]);
    assert_eq!(found(interfaces(3).group(basic()).interface(Interface::new("eni-unknown"))), [expected]);
    let expected = "sg-1: 4 private addresses of members, and the limit is 3 (Alibaba Cloud limits)";
    assert_eq!(found(interfaces(2).group(basic().in_network(Network::Classic))), [expected]);
    let expected = "sg-1: 3 interfaces as members, and the limit is 2 (Alibaba Cloud limits)";
    assert_eq!(found(interfaces(2).group(SecurityGroup::enterprise("sg-1"))), [""; 0]);
    assert_eq!(found(interfaces(3).group(SecurityGroup::enterprise("sg-1"))), [expected]);
}

/// The documented figures.
#[test]
fn defaults() {
    let quotas = Quotas::default();
    let aws = &quotas.aws;
    assert_eq!((aws.rules, aws.groups, aws.product, aws.entries), (Some(60), Some(5), Some(1000), Some(1000)));
    let own = &quotas.alibaba;
    assert_eq!(
        (own.groups, own.rules_of_group, own.rules_of_interface, own.references),
        (Some(10), None, Some(1000), Some(20))
    );
    assert_eq!((own.basic_members, own.classic_members), (Some(6000), Some(1000)));
    assert_eq!((own.enterprise_members, own.entries), (Some(65_536), Some(200)));
}

//! Inventories, known in full or in part.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::alphabet::{
    DELEGATED, FOREIGN_GROUP, GROUPS, PORT_LIST, PREFIX_LISTS, PRIVATE, PUBLIC, VPCS, cidr, parsed, port_range,
};
use super::rule::{alibaba_rule_with, aws_rule_with, mostly};
use crate::model::{
    GroupId, GroupKind, Instance, Interface, IntraGroupPolicy, Inventory, Network, NicType, Peer, PortList, PrefixList,
    Rule, RuleCoverage, SecurityGroup, Subnet, Vpc, VpcRelation,
};
use crate::net::{Cidr, Direction, Family};

fn prefix_list(id: &'static str, doubt: bool) -> impl Strategy<Value = Option<PrefixList>> {
    let entries = (select(Family::ALL.to_vec()), vec(cidr(), 0..4)).prop_map(|(family, blocks)| {
        (family, blocks.into_iter().filter(|block| block.family() == family).collect::<Vec<_>>())
    });
    let complete = mostly(doubt, Just(true), Just(false));
    let present = mostly(doubt, Just(true), Just(false));
    (entries, complete, any::<bool>(), present).prop_map(move |((family, entries), complete, tells, present)| {
        let mut list = PrefixList::new(id, entries);
        list.complete = complete;
        list.family = tells.then_some(family);
        present.then_some(list)
    })
}

fn port_list(doubt: bool) -> impl Strategy<Value = Option<PortList>> {
    let complete = mostly(doubt, Just(true), Just(false));
    let present = mostly(doubt, Just(true), Just(false));
    (vec(port_range(), 0..3), complete, present).prop_map(|(entries, complete, present)| {
        let mut list = PortList::new(PORT_LIST, entries);
        list.complete = complete;
        present.then_some(list)
    })
}

fn vpc_of_thing(doubt: bool) -> impl Strategy<Value = Option<&'static str>> {
    // Not known often enough that an interface and its group both are not.
    if doubt {
        prop_oneof![2 => Just(Some("vpc-1")), 1 => option::of(select(VPCS))].boxed()
    } else {
        Just(Some("vpc-1")).boxed()
    }
}

fn coverage(doubt: bool) -> impl Strategy<Value = RuleCoverage> {
    let part = select(vec![
        RuleCoverage::Partial,
        RuleCoverage::OnlyDirection(Direction::Ingress),
        RuleCoverage::OnlyDirection(Direction::Egress),
    ]);
    mostly(doubt, Just(RuleCoverage::Complete), part)
}

/// Gives every second rule an id of its own.
fn with_ids(group: &str, rules: Vec<Rule>) -> Vec<Rule> {
    let name = |(index, rule): (usize, Rule)| {
        if index % 2 == 0 { rule.with_id(format!("sgr-{group}-{index}")) } else { rule }
    };
    rules.into_iter().enumerate().map(name).collect()
}

fn aws_group(id: &'static str, doubt: bool) -> impl Strategy<Value = SecurityGroup> {
    let kind = mostly(doubt, Just(Some(GroupKind::Aws)), Just(None));
    (vec(aws_rule_with(doubt), 0..5), vpc_of_thing(doubt), coverage(doubt), kind).prop_map(
        move |(rules, vpc, coverage, kind)| {
            let mut group = SecurityGroup::aws(id).with_rules(with_ids(id, rules));
            group.kind = kind;
            group.network = vpc.map(|vpc| Network::Vpc(vpc.into()));
            group.coverage = coverage;
            group
        },
    )
}

fn attached(doubt: bool) -> impl Strategy<Value = Option<Vec<GroupId>>> {
    let known = |ids: Vec<&str>| Some(ids.into_iter().map(GroupId::from).collect::<Vec<_>>());
    let some = subsequence(GROUPS, 1..=GROUPS.len()).prop_shuffle().prop_map(known);
    let rare = prop_oneof![
        1 => Just(None),
        1 => Just(Some(Vec::new())),
        2 => select(vec![vec!["sg-a", FOREIGN_GROUP], vec![FOREIGN_GROUP], vec!["sg-b", "sg-b"]]).prop_map(known),
    ];
    mostly(doubt, some, rare)
}

fn interface(id: &'static str, doubt: bool) -> impl Strategy<Value = Interface> {
    let addresses = vec(select(parsed::<IpAddr>(PRIVATE)), 0..4);
    let prefixes = vec(select(parsed::<Cidr>(DELEGATED)), 0..2);
    let public = vec(select(parsed::<IpAddr>(PUBLIC)), 0..2);
    let subnet = option::of(select(vec!["subnet-1", "subnet-2"]));
    let unknown = mostly(doubt, Just(false), prop::bool::weighted(0.3));
    (attached(doubt), (addresses, unknown), prefixes, public, vpc_of_thing(doubt), subnet).prop_map(
        move |(groups, (addresses, unknown), prefixes, public, vpc, subnet)| {
            let mut interface = Interface::new(id);
            interface.addresses_unknown = unknown;
            interface.groups = groups;
            interface.addresses = addresses;
            interface.prefixes = prefixes;
            interface.public = public;
            interface.vpc = vpc.map(Into::into);
            interface.subnet = subnet.map(Into::into);
            interface
        },
    )
}

/// What is around groups and interfaces: lists, VPCs and subnets, how VPCs are joined, and whether
/// the interfaces are all there are.
#[derive(Debug, Clone)]
struct Surroundings {
    prefix_lists: Vec<PrefixList>,
    port_list: Option<PortList>,
    places: bool,
    relations: Vec<(&'static str, &'static str, VpcRelation)>,
    members_complete: bool,
}

fn surroundings(doubt: bool) -> impl Strategy<Value = Surroundings> {
    let [first, second] = [0_usize, 1].map(|i| prefix_list(PREFIX_LISTS.get(i).copied().unwrap_or_default(), doubt));
    let relations = [("vpc-1", "vpc-2"), ("vpc-2", "vpc-3"), ("vpc-3", "vpc-1")].map(|(a, b)| {
        let relation =
            select(vec![VpcRelation::Same, VpcRelation::Peered, VpcRelation::TransitGateway, VpcRelation::Unknown]);
        option::of(relation).prop_map(move |relation| relation.map(|relation| (a, b, relation)))
    });
    let members_complete = mostly(doubt, Just(true), Just(false));
    (first, second, port_list(doubt), any::<bool>(), relations, members_complete).prop_map(
        |(first, second, port_list, places, relations, members_complete)| Surroundings {
            prefix_lists: first.into_iter().chain(second).collect(),
            port_list,
            places,
            relations: relations.into_iter().flatten().collect(),
            members_complete,
        },
    )
}

fn assemble(groups: Vec<SecurityGroup>, interfaces: Vec<Interface>, around: Surroundings) -> Option<Inventory> {
    let mut builder = Inventory::builder();
    for group in groups {
        builder = builder.group(group);
    }
    for interface in interfaces {
        builder = builder.interface(interface);
    }
    for list in around.prefix_lists {
        builder = builder.prefix_list(list);
    }
    if let Some(list) = around.port_list {
        builder = builder.port_list(list);
    }
    if around.places {
        let vpc = parsed::<Cidr>(&["2001:db8::/56", "10.0.0.0/16", "10.1.0.0/16"]);
        let subnet = parsed::<Cidr>(&["10.0.0.0/24", "2001:db8::/64"]);
        builder = builder.vpc(Vpc::new("vpc-1", vpc)).subnet(Subnet::new("subnet-1", "vpc-1", subnet));
    }
    for (a, b, relation) in around.relations {
        builder = builder.relation(a, b, relation);
    }
    if !around.members_complete {
        builder = builder.members_incomplete();
    }
    builder.build().ok()
}

/// An AWS inventory: up to three groups on three interfaces, with references within and across VPCs
/// (self references too), prefix lists, and whatever may be missing.
pub fn aws_inventory() -> impl Strategy<Value = Inventory> {
    any::<bool>().prop_flat_map(|doubt| {
        let groups = [0, 1, 2].map(|i: usize| aws_group(GROUPS.get(i).copied().unwrap_or_default(), doubt));
        let interfaces = ["eni-1", "eni-2", "eni-3"].map(|id| interface(id, doubt));
        let loaded = mostly(doubt, Just(3_usize), 0_usize..3);
        (groups, loaded, interfaces, surroundings(doubt)).prop_filter_map(
            "not an inventory",
            |(groups, loaded, interfaces, mut around)| {
                around.port_list = None;
                assemble(groups.into_iter().take(loaded).collect(), interfaces.into(), around)
            },
        )
    })
}

/// What kinds of groups an Alibaba inventory has.
#[derive(Debug, Clone, Copy)]
enum Kinds {
    Basic,
    Enterprise,
    Any,
}

fn alibaba_group(id: &'static str, kinds: Kinds, doubt: bool, classic: bool) -> impl Strategy<Value = SecurityGroup> {
    let kind = match kinds {
        Kinds::Basic => mostly(doubt, Just(Some(GroupKind::Basic)), Just(None)),
        Kinds::Enterprise => mostly(doubt, Just(Some(GroupKind::Enterprise)), Just(None)),
        Kinds::Any => select(vec![Some(GroupKind::Basic), Some(GroupKind::Enterprise), None]).boxed(),
    };
    let policy = select(vec![Some(IntraGroupPolicy::Accept), Some(IntraGroupPolicy::Drop)]);
    let policy = mostly(doubt, policy, Just(None));
    let nic = match (classic, doubt) {
        (false, _) => select(vec![None, None, Some(NicType::Intranet), Some(NicType::Internet)]).boxed(),
        (true, false) => select(vec![Some(NicType::Intranet), Some(NicType::Internet)]).boxed(),
        (true, true) => select(vec![Some(NicType::Intranet), Some(NicType::Internet), None]).boxed(),
    };
    let coverage = if classic && doubt {
        select(vec![
            RuleCoverage::Complete,
            RuleCoverage::OnlyNic(NicType::Intranet),
            RuleCoverage::OnlyNic(NicType::Internet),
            RuleCoverage::Partial,
        ])
        .boxed()
    } else {
        coverage(doubt).boxed()
    };
    let rules = vec(alibaba_rule_with(doubt, nic), 0..6);
    (kind, policy, rules, vpc_of_thing(doubt), coverage).prop_map(move |(kind, policy, mut rules, vpc, coverage)| {
        let mut group = SecurityGroup::new(id);
        group.kind = kind;
        group.intra_group = policy;
        if kind == Some(GroupKind::Enterprise) {
            // ALI-16: always isolated, and without rules about groups.
            group.intra_group = Some(IntraGroupPolicy::Drop);
            rules.retain(|rule| !matches!(rule.peer, Peer::Group(_)));
        }
        group.rules = with_ids(id, rules);
        group.network = if classic { Some(Network::Classic) } else { vpc.map(|vpc| Network::Vpc(vpc.into())) };
        group.coverage = coverage;
        group
    })
}

/// The two cards of a classic instance (ALI-19), both with the instance's groups.
fn classic_cards(interface: &Interface) -> [Interface; 2] {
    let instance = Instance::new(interface.id.as_str());
    [NicType::Intranet, NicType::Internet].map(|nic| {
        let mut card = instance.interface(format!("{}:{nic}", interface.id));
        card.primary = nic == NicType::Intranet;
        card.nic = Some(nic);
        card.groups.clone_from(&interface.groups);
        match nic {
            NicType::Intranet => card.addresses.clone_from(&interface.addresses),
            NicType::Internet => card.public.clone_from(&interface.public),
        }
        card
    })
}

/// An inventory of Alibaba Cloud, in a VPC or in the classic network: up to three basic or enterprise
/// groups on three interfaces, with priorities that tie, references, lists, and whatever may be
/// missing.
pub fn alibaba_inventory() -> impl Strategy<Value = Inventory> {
    let kinds = prop_oneof![4 => Just(Kinds::Basic), 2 => Just(Kinds::Enterprise), 1 => Just(Kinds::Any)];
    (any::<bool>(), prop::bool::weighted(0.2), kinds).prop_flat_map(|(doubt, classic, kinds)| {
        let kinds = if doubt || !matches!(kinds, Kinds::Any) { kinds } else { Kinds::Basic };
        let group = move |i: usize| alibaba_group(GROUPS.get(i).copied().unwrap_or_default(), kinds, doubt, classic);
        let interfaces = ["eni-1", "eni-2", "eni-3"].map(|id| interface(id, doubt));
        let loaded = mostly(doubt, Just(3_usize), 0_usize..3);
        ([0, 1, 2].map(group), loaded, interfaces, surroundings(doubt)).prop_filter_map(
            "not an inventory",
            move |(groups, loaded, interfaces, around)| {
                let interfaces = interfaces.into_iter();
                let interfaces = if classic {
                    interfaces.flat_map(|interface| classic_cards(&interface)).collect()
                } else {
                    interfaces.collect()
                };
                assemble(groups.into_iter().take(loaded).collect(), interfaces, around)
            },
        )
    })
}

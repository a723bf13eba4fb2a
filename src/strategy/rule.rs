//! Rules that a provider can hold.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::alphabet::{
    ABSENT_GROUP, ABSENT_PORT_LIST, ABSENT_PREFIX_LIST, FOREIGN_GROUP, GROUPS, PORT_LIST, PREFIX_LISTS, PRIORITIES,
    VPCS, bare_protocol, cidr, icmp_selector, port_range,
};
use crate::model::{Action, GroupReference, NicType, Peer, PeeringStatus, Ports, Priority, Rule, Traffic};
use crate::net::{Direction, IcmpSelector, PortRange};

fn ports() -> impl Strategy<Value = Ports> + Clone {
    prop_oneof![1 => Just(Ports::Any), 5 => port_range().prop_map(Ports::Range)]
}

/// What a rule of AWS can say about protocol, ports and ICMP.
pub fn aws_traffic() -> impl Strategy<Value = Traffic> + Clone {
    prop_oneof![
        2 => Just(Traffic::All),
        4 => ports().prop_map(Traffic::Tcp),
        2 => ports().prop_map(Traffic::Udp),
        2 => icmp_selector().prop_map(Traffic::Icmp),
        2 => icmp_selector().prop_map(Traffic::Icmpv6),
        1 => bare_protocol().prop_map(Traffic::protocol),
    ]
}

/// What a rule of Alibaba Cloud can say about protocol and ports; with port lists, which an inventory
/// must have or be without knowingly.
pub fn alibaba_traffic() -> impl Strategy<Value = Traffic> + Clone {
    alibaba_traffic_with(true)
}

fn alibaba_traffic_with(doubt: bool) -> impl Strategy<Value = Traffic> + Clone {
    // ALI-35: ports from 1.
    let range = port_range().prop_map(|range| {
        let first = range.first().max(1);
        PortRange::new(first, range.last().max(first)).unwrap_or(range)
    });
    let lists = if doubt { vec![PORT_LIST, ABSENT_PORT_LIST] } else { vec![PORT_LIST] };
    let ports = prop_oneof![
        1 => Just(Ports::Any),
        5 => range.prop_map(Ports::Range),
        1 => select(lists).prop_map(|id| Ports::List(id.into())),
    ];
    prop_oneof![
        4 => Just(Traffic::All),
        4 => ports.clone().prop_map(Traffic::Tcp),
        2 => ports.prop_map(Traffic::Udp),
        1 => Just(Traffic::Icmp(IcmpSelector::Any)),
        1 => Just(Traffic::Icmpv6(IcmpSelector::Any)),
        1 => bare_protocol().prop_map(Traffic::protocol),
    ]
}

fn direction() -> impl Strategy<Value = Direction> + Clone {
    select(Direction::ALL.to_vec())
}

/// `usual`, or where there may be doubt now and then `rare`.
pub(super) fn mostly<T: std::fmt::Debug + 'static>(
    doubt: bool,
    usual: impl Strategy<Value = T> + 'static,
    rare: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    if doubt { prop_oneof![5 => usual, 1 => rare].boxed() } else { usual.boxed() }
}

fn group_reference(doubt: bool) -> impl Strategy<Value = GroupReference> {
    let id = mostly(doubt, select(GROUPS), select(vec![FOREIGN_GROUP, ABSENT_GROUP]));
    let status = vec![PeeringStatus::Active, PeeringStatus::Gone, PeeringStatus::Unsettled];
    let elsewhere = (option::of(select(VPCS)), option::weighted(0.25, select(status)));
    (id, elsewhere).prop_map(move |(id, (vpc, peering))| {
        let mut reference = GroupReference::new(id);
        reference.vpc = vpc.filter(|_| doubt).map(Into::into);
        reference.peering = peering.filter(|_| doubt);
        reference
    })
}

fn peer(doubt: bool) -> impl Strategy<Value = Peer> {
    let list = mostly(doubt, select(PREFIX_LISTS), Just(ABSENT_PREFIX_LIST));
    prop_oneof![
        4 => cidr().prop_map(Peer::Cidr),
        3 => group_reference(doubt).prop_map(Peer::Group),
        1 => list.prop_map(|id| Peer::PrefixList(id.into())),
    ]
}

/// A rule of an AWS group (AWS-28: it allows, and has no priority).
pub fn aws_rule() -> impl Strategy<Value = Rule> {
    aws_rule_with(true)
}

pub(super) fn aws_rule_with(doubt: bool) -> impl Strategy<Value = Rule> {
    (direction(), aws_traffic(), peer(doubt))
        .prop_map(|(direction, traffic, peer)| Rule::allow(direction, traffic, peer))
}

/// A rule of an Alibaba Cloud group: accept or drop, with or without priority (ALI-52), source ports
/// and local block (ALI-40), sometimes for one card of a classic instance (ALI-19).
pub fn alibaba_rule() -> impl Strategy<Value = Rule> {
    alibaba_rule_with(
        true,
        prop_oneof![Just(None), Just(Some(NicType::Internet)), Just(Some(NicType::Intranet))].boxed(),
    )
}

pub(super) fn alibaba_rule_with(doubt: bool, nic: BoxedStrategy<Option<NicType>>) -> impl Strategy<Value = Rule> {
    let what = (direction(), select(vec![Action::Allow, Action::Deny]), alibaba_traffic_with(doubt), peer(doubt));
    let five_tuple = (option::weighted(0.3, port_range()), option::weighted(0.2, cidr()));
    (what, select(PRIORITIES), five_tuple, nic).prop_map(
        |((direction, action, traffic, peer), priority, (source_ports, local), nic)| {
            let has_ports = traffic.ports().is_some();
            let mut rule = Rule::new(direction, action, traffic, peer);
            rule.priority = priority.map(Priority);
            rule.source_ports = source_ports.filter(|_| has_ports);
            rule.local = local;
            rule.nic = nic;
            rule
        },
    )
}

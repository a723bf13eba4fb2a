//! Random policies of every shape, beyond what engines make, and flows at the edges of their clauses.
#![allow(dead_code, reason = "each test uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use secgroup::model::Action;
use secgroup::net::{
    AddressSet, Cidr, Direction, Family, Flow, IcmpMessage, IcmpSelector, PortRange, PortSet, Protocol,
};
use secgroup::policy::{Clause, Extent, Fallback, Missing, Policy, Provenance, Rank, RuleList, Selector, Space};

pub(crate) const BLOCKS: &[&str] = &[
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.1.2.0/25",
    "10.1.2.128/25",
    "10.1.2.3/32",
    "10.1.2.4/32",
    "10.1.3.0/24",
    "10.2.0.0/15",
    "255.255.255.255/32",
    "0.0.0.0/32",
    "255.255.0.0/16",
    "10.1.255.255/32",
    "10.2.0.0/32",
    "::/0",
    "::/128",
    "2001:db8::/32",
    "2001:db8::/64",
    "2001:db8::1/128",
    "2001:db8::2/127",
    "2001:db8:0:1::/64",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
    "::ffff:0:0/96",
];
pub(crate) const PORTS: &[u16] = &[0, 1, 21, 22, 23, 63, 64, 65, 79, 80, 443, 1023, 1024, 32767, 32768, 65534, 65535];

pub(crate) fn block() -> impl Strategy<Value = Cidr> {
    select(BLOCKS).prop_map(|text| text.parse().unwrap())
}

pub(crate) fn port() -> impl Strategy<Value = u16> {
    select(PORTS)
}

pub(crate) fn port_range() -> impl Strategy<Value = PortRange> {
    prop_oneof![
        1 => Just(PortRange::ALL),
        9 => (port(), port()).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap()),
    ]
}

pub(crate) fn ports() -> impl Strategy<Value = PortSet> {
    prop_oneof![
        1 => Just(PortSet::all()),
        6 => port_range().prop_map(PortSet::from),
        3 => vec(port_range(), 0..4).prop_map(|ranges| ranges.into_iter().collect()),
    ]
}

pub(crate) fn icmp() -> impl Strategy<Value = IcmpSelector> {
    prop_oneof![
        Just(IcmpSelector::Any),
        select(vec![0_u8, 8, 128, 255]).prop_map(IcmpSelector::Type),
        (select(vec![0_u8, 8, 128, 255]), select(vec![0_u8, 1, 255]))
            .prop_map(|(kind, code)| IcmpSelector::Message(IcmpMessage::new(kind, code))),
    ]
}

pub(crate) fn selector() -> BoxedStrategy<Selector> {
    prop_oneof![
        2 => Just(Selector::All),
        5 => ports().prop_map(Selector::Tcp),
        3 => ports().prop_map(Selector::Udp),
        2 => icmp().prop_map(Selector::Icmp),
        2 => icmp().prop_map(Selector::Icmpv6),
        2 => select(vec![0_u8, 1, 6, 17, 47, 58, 255]).prop_map(|number| Selector::Other(Protocol::new(number))),
    ]
    .boxed()
}

pub(crate) fn remote() -> BoxedStrategy<AddressSet> {
    prop_oneof![
        6 => block().prop_map(AddressSet::from),
        3 => vec(block(), 0..5).prop_map(|blocks| blocks.into_iter().collect()),
        1 => Just(AddressSet::all()),
    ]
    .boxed()
}

/// A space; three in four have neither source ports nor near addresses, as most rules.
pub(crate) fn space() -> BoxedStrategy<Space> {
    let plain = (selector(), remote()).prop_map(|(selector, remote)| Space::new(selector, remote));
    prop_oneof![
        3 => plain,
        1 => (selector(), remote(), option::of(port_range()), option::of(block())).prop_map(
            |(selector, remote, ports, local)| {
                Space::new(selector, remote).with_source_ports(ports).with_local(local)
            }
        ),
    ]
    .boxed()
}

/// An extent; the certain part of one that is known in part may reach beyond the possible part.
pub(crate) fn extent() -> BoxedStrategy<Extent> {
    prop_oneof![
        6 => space().prop_map(Extent::Exact),
        1 => space().prop_map(Extent::uncertain),
        2 => (space(), space()).prop_map(|(certain, possible)| Extent::Partial { certain: Some(certain), possible }),
        // What engines make: the certain part within the possible one.
        2 => (selector(), remote(), remote()).prop_map(|(selector, certain, more)| {
            let possible = Space::new(selector.clone(), certain.union(&more));
            Extent::Partial { certain: Some(Space::new(selector, certain)), possible }
        }),
    ]
    .boxed()
}

pub(crate) fn list() -> BoxedStrategy<Policy> {
    let action = prop_oneof![4 => Just(Action::Allow), 3 => Just(Action::Deny), 1 => Just(Action::Pass)];
    let clause = (0..6_u64, action, extent()).prop_map(|(order, action, extent)| {
        let rank = Rank::new(0, order).deny_first(action);
        Clause::partial(rank, action, extent, Provenance::implied("test", "a clause"), vec![Missing::SourcePort])
    });
    let fallback = select(vec![
        Fallback::deny(),
        Fallback::allow(),
        Fallback::pass(),
        Fallback::unfiltered(),
        Fallback::indeterminate(vec![Missing::SourcePort]),
    ]);
    (vec(clause, 0..14), fallback)
        .prop_map(|(clauses, fallback)| {
            Policy::rules(Direction::Ingress, RuleList::new("test", clauses, fallback).unwrap()).unwrap()
        })
        .boxed()
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    list().prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(|stages| Policy::all_of(stages).unwrap()),
            vec(inner, 1..4).prop_map(|stages| Policy::first_decisive(stages).unwrap()),
        ]
    })
}

/// First and last address of a block, one beyond on both sides, and one within.
pub(crate) fn edges(block: Cidr) -> Vec<IpAddr> {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    let (first, last) = (number(block.first()), number(block.last()));
    let end = if block.family() == Family::V4 { u128::from(u32::MAX) } else { u128::MAX };
    let numbers = [first, last, first.saturating_sub(1), last.saturating_add(1).min(end), first + (last - first) / 2];
    numbers
        .map(|number| match block.family() {
            Family::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap())),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        })
        .to_vec()
}

pub(crate) fn address() -> impl Strategy<Value = IpAddr> {
    (block(), any::<Index>()).prop_map(|(block, which)| *which.get(&edges(block)))
}

pub(crate) fn near_port() -> impl Strategy<Value = u16> {
    prop_oneof![3 => port(), 1 => any::<u16>()]
}

pub(crate) fn flow() -> BoxedStrategy<Flow> {
    let message = (select(vec![0_u8, 8, 9, 128, 255]), select(vec![0_u8, 1, 254, 255]));
    let service = prop_oneof![
        4 => near_port().prop_map(|port| (6_u8, port)),
        3 => near_port().prop_map(|port| (17, port)),
        2 => message.prop_map(|(kind, code)| (1, u16::from_be_bytes([kind, code]))),
        1 => select(vec![0_u8, 1, 47, 58, 255]).prop_map(|number| (number, 0)),
    ];
    (address(), service, option::of(near_port()), option::of(address()))
        .prop_map(|(remote, (protocol, selector), source, local)| {
            let [kind, code] = selector.to_be_bytes();
            let flow = match protocol {
                6 => Flow::tcp(remote, selector),
                17 => Flow::udp(remote, selector),
                _ => Flow::other(remote, Protocol::new(protocol))
                    .unwrap_or_else(|_| Flow::icmp(remote, IcmpMessage::new(kind, code))),
            };
            let flow = source.map_or(flow, |port| flow.from_port(port));
            local.and_then(|local| flow.at(local).ok()).unwrap_or(flow)
        })
        .boxed()
}

//! Small alphabets at edges: addresses, blocks, ports, protocols, and the names of things.

use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;

use crate::net::{Cidr, IcmpMessage, IcmpSelector, PortRange, Protocol};

/// Blocks of rules and prefix lists: everything, halves, and small blocks inside and beside each
/// other.
pub(super) const BLOCKS: &[&str] = &[
    "0.0.0.0/0",
    "0.0.0.0/1",
    "128.0.0.0/1",
    "10.0.0.0/8",
    "10.0.0.0/24",
    "10.0.0.0/31",
    "10.0.0.4/31",
    "10.0.0.1/32",
    "10.0.0.5/32",
    "203.0.113.9/32",
    "100.64.0.0/10",
    "::/0",
    "::/1",
    "8000::/1",
    "2001:db8::/32",
    "2001:db8::/64",
    "2001:db8::2/127",
    "2001:db8::1/128",
];
/// Private addresses of interfaces.
pub(super) const PRIVATE: &[&str] = &["10.0.0.1", "10.0.0.5", "10.0.0.6", "10.1.0.1", "2001:db8::1", "2001:db8::2"];
/// Delegated prefixes of interfaces.
pub(super) const DELEGATED: &[&str] = &["10.0.0.16/28", "2001:db8::10/124"];
/// Public addresses of interfaces.
pub(super) const PUBLIC: &[&str] = &["203.0.113.9", "198.51.100.7"];
/// Far ends that providers treat in a way of their own, and an IPv4-mapped address, which is IPv6.
pub(super) const SPECIAL: &[&str] = &[
    "169.254.169.254",
    "169.254.169.253",
    "169.254.169.123",
    "fd00:ec2::253",
    "fd00:ec2::254",
    "255.255.255.255",
    "100.100.100.200",
    "100.64.0.1",
    "::ffff:10.0.0.1",
];
/// Ports at edges.
const PORTS: &[u16] = &[0, 1, 21, 22, 23, 53, 79, 80, 81, 443, 65_534, 65_535];
/// Priorities; few, so that ties are many. 110 is that of old system rules (ALI-53).
pub(super) const PRIORITIES: &[Option<u32>] =
    &[None, Some(1), Some(1), Some(2), Some(5), Some(5), Some(100), Some(110)];

pub(super) const GROUPS: &[&str] = &["sg-a", "sg-b", "sg-c"];
/// A group that is never loaded; interfaces may carry it.
pub(super) const FOREIGN_GROUP: &str = "sg-foreign";
/// A group that is neither loaded nor carried.
pub(super) const ABSENT_GROUP: &str = "sg-absent";
pub(super) const VPCS: &[&str] = &["vpc-1", "vpc-2", "vpc-3"];
pub(super) const PREFIX_LISTS: &[&str] = &["pl-1", "pl-2"];
/// A prefix list that is never loaded.
pub(super) const ABSENT_PREFIX_LIST: &str = "pl-absent";
pub(super) const PORT_LIST: &str = "prl-1";
/// A port list that is never loaded.
pub(super) const ABSENT_PORT_LIST: &str = "prl-absent";

pub(super) fn parsed<T: std::str::FromStr>(texts: &[&str]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// A block of the alphabet, of either family.
pub fn cidr() -> impl Strategy<Value = Cidr> + Clone {
    select(parsed::<Cidr>(BLOCKS))
}

/// An address of an interface, of a service of the provider, or at the edge of a block, of either
/// family.
pub fn address() -> impl Strategy<Value = IpAddr> + Clone {
    let mut addresses: BTreeSet<IpAddr> = [PRIVATE, PUBLIC, SPECIAL].into_iter().flat_map(parsed::<IpAddr>).collect();
    for block in [BLOCKS, DELEGATED].into_iter().flat_map(parsed::<Cidr>) {
        addresses.extend(edges(block));
    }
    select(addresses.into_iter().collect::<Vec<_>>())
}

/// A port at an edge.
pub fn port() -> impl Strategy<Value = u16> + Clone {
    select(PORTS)
}

/// A range between two such ports; often one port.
pub fn port_range() -> impl Strategy<Value = PortRange> + Clone {
    prop_oneof![
        2 => port().prop_map(PortRange::from),
        2 => (port(), port()).prop_filter_map("reversed", |(first, last)| PortRange::new(first, last).ok()),
        1 => Just(PortRange::ALL),
    ]
}

/// A protocol that has neither ports nor ICMP messages.
pub(super) fn bare_protocol() -> impl Strategy<Value = Protocol> + Clone {
    select(vec![Protocol::GRE, Protocol::new(50), Protocol::new(0), Protocol::new(255)])
}

pub(super) fn icmp_message() -> impl Strategy<Value = IcmpMessage> + Clone {
    (select(vec![0_u8, 3, 8, 128]), select(vec![0_u8, 4, 8])).prop_map(|(kind, code)| IcmpMessage::new(kind, code))
}

pub(super) fn icmp_selector() -> impl Strategy<Value = IcmpSelector> + Clone {
    prop_oneof![
        Just(IcmpSelector::Any),
        icmp_message().prop_map(|message| IcmpSelector::Type(message.kind)),
        icmp_message().prop_map(IcmpSelector::Message),
    ]
}

/// First and last address of a block, and one before and behind it.
pub(super) fn edges(block: Cidr) -> Vec<IpAddr> {
    let (first, last) = block.range();
    let family = block.family();
    let before = first.checked_sub(1);
    let behind = last.checked_add(1).filter(|number| *number <= family.last());
    [Some(first), Some(last), before, behind].into_iter().flatten().map(|number| family.address(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text that does not parse would silently thin the alphabet out.
    #[test]
    fn alphabets_are_spelled_right() {
        assert_eq!(parsed::<Cidr>(BLOCKS).len(), BLOCKS.len());
        assert_eq!(parsed::<Cidr>(DELEGATED).len(), DELEGATED.len());
        for texts in [PRIVATE, PUBLIC, SPECIAL] {
            assert_eq!(parsed::<IpAddr>(texts).len(), texts.len());
        }
    }

    #[test]
    fn edges_of_a_block_are_inside_and_just_outside() {
        let edges = |text: &str| {
            let block: Cidr = text.parse().unwrap();
            edges(block).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(edges("10.0.0.0/24"), ["10.0.0.0", "10.0.0.255", "9.255.255.255", "10.0.1.0"]);
        assert_eq!(edges("0.0.0.0/1"), ["0.0.0.0", "127.255.255.255", "128.0.0.0"]);
        assert_eq!(edges("0.0.0.0/0"), ["0.0.0.0", "255.255.255.255"]);
        assert_eq!(edges("::/0"), ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
    }
}

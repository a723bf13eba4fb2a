//! The configuration of a whole account, made up, seeded, and shaped like real ones.
//!
//! Eight VPCs, of which the first holds about two thirds of the interfaces, all of them members of one
//! group; the first four are peered, and the last two have the same address ranges. Applications have a
//! group each and as many interfaces as Zipf's law gives them; four in ten interfaces carry one or two
//! groups that many share besides. Rules name blocks of both families, groups (their own, the large one,
//! others, now and then one of a peered VPC) and prefix lists.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "sizes of a benchmark are far from any limit"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use secgroup::model::{
    GroupId, Interface, InterfaceId, Inventory, Network, Peer, Ports, PrefixList, Rule, SecurityGroup, Subnet, Traffic,
    Vpc, VpcRelation,
};
use secgroup::net::{Cidr, Direction, Family, PortRange};

use super::random::{Random, SEED};

pub(crate) const VPCS: usize = 8;
pub(crate) const PEERED: usize = 4;
pub(crate) const SUBNETS: usize = 6;
/// Groups of a VPC that many applications carry.
pub(crate) const COMMON: usize = 40;
pub(crate) const LISTS: usize = 20;

/// How large it is.
pub(crate) struct Scale {
    pub(crate) interfaces: usize,
    /// Interfaces of the first VPC, all in its first group.
    pub(crate) large: usize,
    pub(crate) groups: usize,
    pub(crate) rules_of_a_group: usize,
}

impl Scale {
    pub(crate) fn of(percent: usize) -> Self {
        let scaled = |count: usize| count * percent / 100;
        Self {
            interfaces: scaled(100_000),
            large: scaled(65_536),
            // Each VPC has the common ones and some more.
            groups: scaled(10_000).max(VPCS * 2 * COMMON),
            rules_of_a_group: 20,
        }
    }
}

pub(crate) fn group_id(vpc: usize, place: usize) -> GroupId {
    format!("sg-{vpc:02x}{place:08x}").into()
}

pub(crate) fn interface_id(number: usize) -> InterfaceId {
    format!("eni-{number:08x}").into()
}

/// The range of a VPC; the last two share theirs.
pub(crate) fn range(vpc: usize) -> usize {
    vpc.min(VPCS - 2)
}

pub(crate) fn v4(vpc: usize, host: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | (range(vpc) as u32) << 20 | host as u32))
}

pub(crate) fn v6(vpc: usize, host: usize) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(0x2600_1f00_u128 << 96 | (range(vpc) as u128) << 72 | host as u128))
}

pub(crate) fn below(random: &mut Random, bound: usize) -> usize {
    random.below(u32::try_from(bound).unwrap_or(u32::MAX)) as usize
}

/// A place by Zipf's law: the first is twice as frequent as the second, and so on.
pub(crate) fn zipf(random: &mut Random, count: usize) -> usize {
    let uniform = f64::from(random.below(u32::MAX)) / f64::from(u32::MAX);
    (((count as f64 + 1.0).powf(uniform)) as usize).saturating_sub(1).min(count - 1)
}

pub(crate) fn traffic(random: &mut Random) -> Traffic {
    const PORTS: [u16; 14] = [443, 80, 22, 5432, 3306, 6379, 8080, 8443, 9090, 9100, 27017, 9200, 2049, 53];
    let port = *random.pick(&PORTS).unwrap_or(&443);
    match random.below(100) {
        0..70 => Traffic::tcp(port),
        70..78 => Traffic::Tcp(PortRange::new(1024, 65_535).map_or(Ports::Any, Ports::Range)),
        78..86 => Traffic::Tcp(PortRange::new(port, port.saturating_add(10)).map_or(Ports::Any, Ports::Range)),
        86..92 => Traffic::udp(port),
        92..95 => "icmp".parse().unwrap_or(Traffic::All),
        _ => Traffic::All,
    }
}

pub(crate) fn peer(random: &mut Random, vpc: usize, place: usize, groups: usize) -> Peer {
    let block = |address: IpAddr, length: u8| Cidr::containing(address, length).map_or(Peer::Any, Peer::Cidr);
    match random.below(100) {
        0..40 => {
            let lengths = [8_u8, 12, 16, 20, 24, 24, 28, 32, 32];
            let address = v4(below(random, VPCS), below(random, 1 << 20));
            block(address, *random.pick(&lengths).unwrap_or(&24))
        }
        40..45 => block(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        45..57 => {
            block(v6(below(random, VPCS), below(random, 1 << 20)), *random.pick(&[48_u8, 56, 64, 128]).unwrap_or(&64))
        }
        57..60 => block(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
        60..66 => Peer::group(group_id(vpc, place)),
        66..70 => Peer::group(group_id(vpc, 0)),
        70..88 => Peer::group(group_id(vpc, zipf(random, groups))),
        88..90 if vpc < PEERED => Peer::group(group_id(below(random, PEERED), zipf(random, groups))),
        _ => Peer::PrefixList(format!("pl-{:04x}", below(random, LISTS)).into()),
    }
}

pub(crate) fn group(random: &mut Random, vpc: usize, place: usize, groups: usize, rules: usize) -> SecurityGroup {
    let mut group = SecurityGroup::aws(group_id(vpc, place)).in_network(Network::Vpc(vpc_id(vpc)));
    let all = |family| Rule::allow(Direction::Egress, Traffic::All, Peer::Cidr(Cidr::all(family)));
    // Most groups let everything out; the others say what.
    let open = random.percent(80);
    for number in 0..rules {
        let rule = match number {
            0 if open => all(Family::V4),
            1 if open => all(Family::V6),
            _ => {
                let egress = !open && random.percent(30);
                let direction = if egress { Direction::Egress } else { Direction::Ingress };
                Rule::allow(direction, traffic(random), peer(random, vpc, place, groups))
            }
        };
        group = group.with_rule(rule.with_id(format!("sgr-{vpc:02x}{place:06x}{number:04x}")));
    }
    group
}

pub(crate) fn vpc_id(vpc: usize) -> secgroup::model::VpcId {
    format!("vpc-{vpc:04x}").into()
}

pub(crate) fn inventory(scale: &Scale) -> Inventory {
    let mut random = Random::new(SEED);
    let mut builder = Inventory::builder();
    let block = |address, length| Cidr::containing(address, length).ok();
    for vpc in 0..VPCS {
        builder =
            builder.vpc(Vpc::new(vpc_id(vpc), [block(v4(vpc, 0), 12), block(v6(vpc, 0), 56)].into_iter().flatten()));
        for subnet in 0..SUBNETS {
            let cidrs = block(v4(vpc, subnet << 17), 15).into_iter();
            builder = builder.subnet(Subnet::new(format!("subnet-{vpc:02x}{subnet:02x}"), vpc_id(vpc), cidrs));
        }
        for other in vpc + 1..PEERED {
            builder = builder.relation(vpc_id(vpc), vpc_id(other), VpcRelation::Peered);
        }
    }
    for list in 0..LISTS {
        let count = 10 << (list % 6);
        let entries = (0..count).filter_map(|_| {
            let length = *random.pick(&[16_u8, 20, 24, 24, 28, 32]).unwrap_or(&24);
            block(IpAddr::V4(Ipv4Addr::from(random.below(u32::MAX))), length)
        });
        builder = builder.prefix_list(PrefixList::new(format!("pl-{list:04x}"), entries.collect::<Vec<_>>()));
    }
    let groups = scale.groups / VPCS;
    for vpc in 0..VPCS {
        for place in 0..groups {
            builder = builder.group(group(&mut random, vpc, place, groups, scale.rules_of_a_group));
        }
    }
    let mut hosts = [0_usize; VPCS];
    for number in 0..scale.interfaces {
        let vpc = if number < scale.large { 0 } else { 1 + below(&mut random, VPCS - 1) };
        let host = hosts.get_mut(vpc).map_or(0, |host| {
            *host += 1;
            *host
        });
        let application = COMMON + zipf(&mut random, groups - COMMON);
        let mut carried = vec![group_id(vpc, application)];
        // What an application carries besides is the same for all of its interfaces, by and large.
        if application % 10 < 4 {
            carried.push(group_id(vpc, 1 + application % (COMMON - 1)));
        }
        if random.percent(2) {
            carried.push(group_id(vpc, 1 + below(&mut random, COMMON - 1)));
        }
        if vpc == 0 {
            carried.push(group_id(0, 0));
        }
        // Applications live in two or three subnets.
        let subnet = (application + below(&mut random, 2 + application % 2)) % SUBNETS;
        let mut interface = Interface::new(interface_id(number))
            .with_groups(carried)
            .in_vpc(vpc_id(vpc))
            .in_subnet(format!("subnet-{vpc:02x}{subnet:02x}"))
            .with_address(v4(vpc, host + 16));
        if random.percent(60) {
            interface = interface.with_address(v6(vpc, host + 16));
        }
        builder = builder.interface(interface);
    }
    builder.build().unwrap_or_default()
}

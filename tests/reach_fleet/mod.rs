//! A made-up AWS fleet of any size, the same for the same size.
//!
//! Four VPCs: the first two are peered, the third is joined to the first by a transit gateway, of the fourth
//! nothing is known. Applications have a group each, lie in three subnets, and have as many interfaces as Zipf's law gives them; four
//! in ten applications carry one or two groups besides that many share. Rules name blocks of both families,
//! their own group, others, and now and then one of a joined VPC.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use secgroup::model::{
    GroupReference, Interface, Inventory, Network, Peer, PeeringStatus, Ports, Rule, SecurityGroup, Traffic,
    VpcRelation,
};
use secgroup::net::{Cidr, Direction, PortRange};

const VPCS: u32 = 4;
/// Subnets of a VPC, of 4,096 addresses each.
const SUBNETS: u32 = 12;
/// Groups of a VPC that many interfaces share.
const SHARED: u32 = 10;

/// Numbers that look random, by the splitmix64 recurrence.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((u64::from(bound) * ((z ^ (z >> 31)) >> 32)) >> 32).unwrap()
    }

    /// A place by Zipf's law: about as often in each doubling.
    fn zipf(&mut self, count: u32) -> u32 {
        let doublings = count.max(1).ilog2() + 1;
        let base = 1_u32 << self.below(doublings);
        (base + self.below(base) - 1).min(count - 1)
    }
}

fn group_id(vpc: u32, place: u32) -> String {
    format!("sg-{vpc}-{place:05}")
}

fn v4(vpc: u32, host: u32) -> IpAddr {
    // The first and the last VPC have the same range.
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | ((vpc % (VPCS - 1)) << 20) | host))
}

fn v6(vpc: u32, host: u32) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from((0x2600_1f00_u128 << 96) | (u128::from(vpc) << 72) | u128::from(host)))
}

fn traffic(random: &mut Random) -> Traffic {
    const PORTS: [u16; 10] = [443, 80, 22, 5432, 3306, 6379, 8080, 9090, 27017, 53];
    let port = PORTS[usize::try_from(random.below(10)).unwrap()];
    match random.below(10) {
        0..7 => Traffic::tcp(port),
        7 => Traffic::Tcp(Ports::Range(PortRange::new(1024, u16::MAX).unwrap())),
        8 => Traffic::udp(port),
        _ => Traffic::All,
    }
}

fn peer(random: &mut Random, vpc: u32, place: u32, groups: u32) -> Peer {
    let block = |address, prefix| Peer::Cidr(Cidr::containing(address, prefix).unwrap());
    match random.below(20) {
        0..4 => block(v4(random.below(VPCS), random.below(SUBNETS << 12)), [16, 20, 20, 32][random.below(4) as usize]),
        4 => block(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        5 => block(v6(random.below(VPCS), random.below(SUBNETS << 12)), [56, 64][random.below(2) as usize]),
        6..9 => Peer::group(group_id(vpc, place)),
        9 if vpc < 3 => {
            let other = random.below(3);
            let mut reference = GroupReference::new(group_id(other, random.zipf(groups)));
            if other != vpc {
                reference.vpc = Some(format!("vpc-{other}").into());
                reference.peering = (vpc + other == 1).then_some(PeeringStatus::Active);
            }
            Peer::Group(reference)
        }
        _ => Peer::group(group_id(vpc, random.zipf(groups))),
    }
}

/// A fleet of so many interfaces, groups and rules.
pub(crate) fn fleet(interfaces: u32, groups: u32, rules: u32) -> Inventory {
    let mut random = Random(7);
    let groups = groups / VPCS;
    let mut builder = Inventory::builder().relation("vpc-0", "vpc-1", VpcRelation::Peered).relation(
        "vpc-0",
        "vpc-2",
        VpcRelation::TransitGateway,
    );
    for vpc in 0..VPCS {
        for place in 0..groups {
            let mut group =
                SecurityGroup::aws(group_id(vpc, place)).in_network(Network::Vpc(format!("vpc-{vpc}").into()));
            for number in 0..rules / groups / VPCS {
                // One in five rules is about egress, and every second group lets everything out.
                let direction = if number % 5 == 4 { Direction::Egress } else { Direction::Ingress };
                let rule = if direction == Direction::Egress && place % 2 == 0 {
                    Rule::allow(direction, Traffic::All, Peer::Cidr("0.0.0.0/0".parse().unwrap()))
                } else {
                    Rule::allow(direction, traffic(&mut random), peer(&mut random, vpc, place, groups))
                };
                group = group.with_rule(rule);
            }
            builder = builder.group(group);
        }
    }
    for number in 0..interfaces {
        let vpc = number % VPCS;
        // All interfaces of an application but a few have the same shared groups.
        let application = random.zipf(groups - SHARED);
        let mut variant = Random((u64::from(application * VPCS + vpc) << 1) | u64::from(random.below(16) == 0));
        let mut own = vec![group_id(vpc, SHARED + application)];
        if variant.below(10) < 4 {
            own.extend((0..=variant.below(2)).map(|_| group_id(vpc, variant.below(SHARED))));
        }
        let mut interface = Interface::new(format!("eni-{number:06}")).with_groups(own).in_vpc(format!("vpc-{vpc}"));
        // An application lies in three subnets.
        let host = (((application * 3 + random.below(3)) % SUBNETS) << 12) | (number / VPCS);
        interface.addresses.push(v4(vpc, host));
        if random.below(4) == 0 {
            interface.addresses.push(v6(vpc, host));
        }
        builder = builder.interface(interface);
    }
    builder.build().unwrap()
}

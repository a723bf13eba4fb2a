//! What rules look like.
//!
//! - Protocol: TCP 80 %, UDP 10, ICMP 5, all 5.
//! - Far addresses: a single one 58 %, /24 16, /16 8, /8 4, everything 3, the rest /20 to /28. Of all
//!   addresses 60 % lie in few *hot* /24 networks, one for every 12 rules. Over IPv6: /128 35 %, /64 23,
//!   /56 16, /52 8, /48 4, everything 3, the rest /56 to /120; hot networks are /56.
//! - Ports: 443, 22, 80, 3306, 5432, 3389, 6379 and 8080 69 %, any single one 14, any range 7, 9200-9300 3,
//!   1024-65535 3, all 4. What everybody may reach is always one popular port over TCP, else nothing would
//!   miss.
//! - Groups have members scattered over 10.0.0.0/8 (over IPv6 a /48), prefix lists have blocks from /16 to
//!   /32 (over IPv6 /48 to /96).

use std::collections::HashSet;

use secgroup::net::Family;

use super::super::random::Random;
use super::shape::{Order, SetShape, Shape};

/// Protocol numbers.
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// Ports that rules like, by how much.
const POPULAR: [(u16, u32); 8] = [(443, 20), (22, 14), (80, 10), (3306, 6), (5432, 6), (3389, 4), (6379, 4), (8080, 5)];

/// Port ranges, bounds included.
pub(crate) type Ports = (u16, u16);
pub(crate) const ALL_PORTS: Ports = (0, u16::MAX);

/// An aligned block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Block {
    pub(crate) first: u128,
    pub(crate) length: u32,
}

/// Whom a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Block(Block),
    /// A group or prefix list, by its place.
    Set(usize),
}

/// One rule, as people write them.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) allow: bool,
    /// From 1 to 100, or 0 where there are none.
    pub(crate) priority: u32,
    /// `None` is every protocol.
    pub(crate) protocol: Option<u8>,
    pub(crate) peer: Peer,
    /// Of TCP and UDP only, like `destination`.
    pub(crate) source: Ports,
    pub(crate) local: Block,
    pub(crate) destination: Ports,
}

impl Rule {
    pub(crate) fn has_ports(&self) -> bool {
        matches!(self.protocol, Some(TCP | UDP))
    }
}

impl Block {
    /// The block of this length that an address lies in.
    pub(crate) fn around(address: u128, length: u32, family: Family) -> Self {
        Self { first: address & mask(length, family), length }
    }

    /// Any address of the block.
    pub(crate) fn any(self, random: &mut Random, family: Family) -> u128 {
        self.first | (random.wide() & !mask(self.length, family) & all_bits(family))
    }
}

pub(crate) fn bits(family: Family) -> u32 {
    match family {
        Family::V4 => 32,
        Family::V6 => 128,
    }
}

pub(crate) fn all_bits(family: Family) -> u128 {
    u128::MAX >> (128 - bits(family))
}

/// The bits that a prefix fixes.
pub(crate) fn mask(length: u32, family: Family) -> u128 {
    let host_bits = bits(family).saturating_sub(length);
    u128::MAX.checked_shl(host_bits).unwrap_or_default() & all_bits(family)
}

pub(crate) fn icmp(family: Family) -> u8 {
    match family {
        Family::V4 => 1,
        Family::V6 => 58,
    }
}

/// Where the addresses of the interface come from: 10.200.0.0/16, `fd00:c8::/48`.
pub(crate) fn local_network(family: Family) -> Block {
    match family {
        Family::V4 => Block { first: 0x0ac8_0000, length: 16 },
        Family::V6 => Block { first: 0xfd00_00c8 << 96, length: 48 },
    }
}

/// Any address that a host may have: private 50 %, public 50 %; over IPv6 in `2000::/3`.
pub(crate) fn address(random: &mut Random, family: Family) -> u128 {
    let block = match (family, random.below(10)) {
        (Family::V6, _) => Block { first: 0x2 << 124, length: 3 },
        (Family::V4, 0..4) => Block { first: 0x0a00_0000, length: 8 },
        (Family::V4, 4) => Block { first: 0xac10_0000, length: 12 },
        (Family::V4, _) => Block { first: u128::from(1 + random.below(223)) << 24, length: 8 },
    };
    block.any(random, family)
}

/// A popular port.
pub(crate) fn popular_port(random: &mut Random) -> u16 {
    let mut left = random.below(POPULAR.iter().map(|(_, weight)| weight).sum());
    for (port, weight) in POPULAR {
        match left.checked_sub(weight) {
            Some(rest) => left = rest,
            None => return port,
        }
    }
    443
}

fn ports(random: &mut Random) -> Ports {
    let port = match random.below(100) {
        0..69 => popular_port(random),
        69..83 => random.port(),
        83..90 => return wide_range(random),
        90..93 => return (9200, 9300),
        93..96 => return (1024, u16::MAX),
        _ => return ALL_PORTS,
    };
    (port, port)
}

/// Any range.
fn wide_range(random: &mut Random) -> Ports {
    let (a, b) = (random.port(), random.port());
    (a.min(b), a.max(b))
}

fn length(random: &mut Random, family: Family) -> u32 {
    match (family, random.below(100)) {
        (Family::V4, 0..58) => 32,
        (Family::V4, 58..74) => 24,
        (Family::V4, 74..82) => 16,
        (Family::V4, 82..86) => 8,
        (Family::V6, 0..35) => 128,
        (Family::V6, 35..58) => 64,
        (Family::V6, 58..74) => 56,
        (Family::V6, 74..82) => 52,
        (Family::V6, 82..86) => 48,
        (_, 86..89) => 0,
        (Family::V4, _) => 20 + random.below(9),
        (Family::V6, _) => 56 + random.below(65),
    }
}

/// Rules in the order in which they decide, and the sets that they refer to.
pub(crate) fn generate(random: &mut Random, shape: &Shape) -> (Vec<Rule>, Vec<Vec<Block>>) {
    let hot_length = if shape.family == Family::V4 { 24 } else { 56 };
    let hot: Vec<Block> = (0..=shape.rules / 12)
        .map(|_| Block::around(address(random, shape.family), hot_length, shape.family))
        .collect();
    let mut rules: Vec<Rule> = (0..shape.rules).map(|_| rule(random, shape, &hot)).collect();

    let sets = shape.sets.iter().map(|set| entries(random, *set, shape.family)).collect();
    let mut places: Vec<usize> = (0..rules.len()).collect();
    random.shuffle(&mut places);
    let references = shape.sets.iter().enumerate().flat_map(|(set, of)| std::iter::repeat_n(set, of.references));
    for (place, set) in places.into_iter().zip(references) {
        if let Some(rule) = rules.get_mut(place) {
            rule.peer = Peer::Set(set);
        }
    }
    if shape.order == Order::Priorities {
        rules.sort_by_key(|rule| (rule.priority, rule.allow));
    }
    (rules, sets)
}

fn rule(random: &mut Random, shape: &Shape, hot: &[Block]) -> Rule {
    let family = shape.family;
    if shape.order == Order::Nested {
        return nested(random, shape);
    }
    let length = length(random, family);
    let near = random.pick(hot).copied().filter(|_| random.percent(60));
    let address = match near {
        Some(network) => network.any(random, family),
        None => address(random, family),
    };
    let protocol = match random.below(100) {
        0..80 => Some(TCP),
        80..90 => Some(UDP),
        90..95 => Some(icmp(family)),
        _ => None,
    };
    let mut rule = Rule {
        allow: shape.order == Order::AllowOnly || !random.percent(30),
        priority: if shape.order == Order::Priorities { 1 + random.below(100) } else { 0 },
        protocol,
        peer: Peer::Block(Block::around(address, length, family)),
        source: ALL_PORTS,
        local: Block { first: 0, length: 0 },
        destination: ports(random),
    };
    if length == 0 {
        let port = popular_port(random);
        (rule.protocol, rule.destination) = (Some(TCP), (port, port));
    }
    if !rule.has_ports() {
        rule.destination = ALL_PORTS;
    }
    if rule.has_ports() && random.percent(shape.source_ports) {
        let exact = random.port();
        let choices = [(exact, exact), (1024, u16::MAX), (32_768, 60_999), wide_range(random)];
        rule.source = random.pick(&choices).copied().unwrap_or(ALL_PORTS);
    }
    if random.percent(shape.local) {
        rule.local = local(random, family);
    }
    rule
}

/// A block of the interface's own network.
fn local(random: &mut Random, family: Family) -> Block {
    let network = local_network(family);
    let length = random.pick(&[24, 28, 32]).copied().unwrap_or(32) * bits(family) / 32;
    Block::around(network.any(random, family), length, family)
}

/// A rule that overlaps with nearly every other one and equals none.
fn nested(random: &mut Random, shape: &Shape) -> Rule {
    let network = Block { first: 0x0a10_0000, length: 12 };
    let family = shape.family;
    let length = 12 + random.below(21);
    let source = if random.percent(shape.source_ports) { wide_range(random) } else { ALL_PORTS };
    let has_local = random.percent(shape.local);
    Rule {
        allow: random.percent(50),
        priority: 0,
        protocol: Some(if random.percent(80) { TCP } else { UDP }),
        peer: Peer::Block(Block::around(network.any(random, family), length, family)),
        source,
        local: if has_local { local(random, family) } else { Block { first: 0, length: 0 } },
        destination: wide_range(random),
    }
}

/// The blocks of a group or prefix list, each once.
fn entries(random: &mut Random, set: SetShape, family: Family) -> Vec<Block> {
    let home = match family {
        Family::V4 => Block { first: 0x0a00_0000, length: 8 },
        Family::V6 => Block::around(address(random, family), 48, family),
    };
    let mut seen = HashSet::new();
    let mut blocks = Vec::with_capacity(set.entries);
    while blocks.len() < set.entries {
        let lengths = if family == Family::V4 { [16, 20, 24, 28, 32] } else { [48, 52, 56, 64, 96] };
        let block = if set.group {
            Block { first: home.any(random, family), length: bits(family) }
        } else {
            let length = random.pick(&lengths).copied().unwrap_or(32);
            Block::around(address(random, family), length, family)
        };
        if seen.insert(block) {
            blocks.push(block);
        }
    }
    blocks
}

//! What flows look like: half hits, half misses, in random order.
//!
//! - A hit is drawn from a rule, and rules by Zipf's law over a random order of them, in which those that
//!   refer to groups and prefix lists come first: the *k*-th is chosen with a weight of 1/*k*. So of the hits
//!   on 1,000 rules, 6 that refer to groups get a third. Within the rule everything is uniform, members of its
//!   group included.
//! - A miss is in equal parts a scan (any host, a popular port), the right peer at a wrong port, an address
//!   a little above the rule's, and random in every field. Where a rule would match it, another is drawn.

use std::error::Error;

use super::super::random::Random;
use super::rules::{Block, Peer, Rule, TCP, UDP, address, all_bits, icmp, local_network, mask, popular_port};
use super::scan::{Deciding, LinearScan};
use super::shape::Shape;

/// A protocol that has neither ports nor rules of its own: GRE.
const PORTLESS: u8 = 47;
/// The source ports that systems hand out.
const EPHEMERAL: (u16, u16) = (32_768, 60_999);

/// The opening packet of a flow. Ports are 0 where the protocol has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) remote: u128,
    pub(crate) local: u128,
    pub(crate) protocol: u8,
    pub(crate) source: u16,
    pub(crate) destination: u16,
}

impl Packet {
    pub(crate) fn has_ports(&self) -> bool {
        matches!(self.protocol, TCP | UDP)
    }

    /// The destination port, or type and code of an echo request.
    pub(crate) fn selector(&self) -> u16 {
        match self.protocol {
            1 => 8 << 8,
            58 => 128 << 8,
            _ => self.destination,
        }
    }
}

/// The number of an IPv4 address.
pub(crate) fn low(number: u128) -> u32 {
    u32::try_from(number & u128::from(u32::MAX)).unwrap_or_default()
}

struct Generator<'a> {
    random: &'a mut Random,
    shape: &'a Shape,
    rules: &'a [Rule],
    sets: &'a [Vec<Block>],
    /// Rules in the order of their weight, and the sums of weights up to each.
    order: Vec<usize>,
    sums: Vec<u64>,
}

type Traffic = (Vec<Packet>, Vec<Option<Deciding>>);

pub(crate) fn generate(
    random: &mut Random,
    shape: &Shape,
    rules: &[Rule],
    sets: &[Vec<Block>],
    scan: &LinearScan,
    flows: usize,
) -> Result<Traffic, Box<dyn Error>> {
    // A flow cannot come from a group without members.
    let has_peer = |rule: &Rule| match rule.peer {
        Peer::Block(_) => true,
        Peer::Set(set) => sets.get(set).is_some_and(|blocks| !blocks.is_empty()),
    };
    let peopled = rules.iter().enumerate().filter(|(_, rule)| has_peer(rule));
    let mut order: Vec<usize> = peopled.map(|(place, _)| place).collect();
    random.shuffle(&mut order);
    // Stable: within both parts the random order stays.
    order.sort_by_key(|place| rules.get(*place).is_some_and(|rule| matches!(rule.peer, Peer::Block(_))));
    let weights = (1..=u64::try_from(order.len())?).map(|place| (1_u64 << 32) / place);
    let sums = weights.scan(0_u64, |sum, weight| {
        *sum += weight;
        Some(*sum)
    });
    let mut generator = Generator { shape, rules, sets, order, sums: sums.collect(), random };
    let mut all = Vec::with_capacity(flows);
    for _ in 0..flows / 2 {
        let packet = generator.hit().ok_or("there are no rules to draw flows from")?;
        let deciding = scan.decide(&packet).ok_or_else(|| format!("nothing matches the hit {packet:?}"))?;
        all.push((packet, Some(deciding)));
    }
    for kind in 0..flows - flows / 2 {
        all.push((generator.miss(kind, scan)?, None));
    }
    // Hits and misses must not come in blocks, or the processor learns them.
    generator.random.shuffle(&mut all);
    Ok(all.into_iter().unzip())
}

impl Generator<'_> {
    fn rule(&mut self) -> Option<&Rule> {
        let wanted = self.random.below_wide(self.sums.last().copied()?);
        let place = self.sums.partition_point(|sum| *sum <= wanted);
        self.rules.get(*self.order.get(place)?)
    }

    /// A rule with one block of its peer.
    fn rule_and_block(&mut self) -> Option<(Rule, Block)> {
        let rule = self.rule()?.clone();
        let block = match rule.peer {
            Peer::Block(block) => block,
            Peer::Set(set) => *self.random.pick(self.sets.get(set)?)?,
        };
        Some((rule, block))
    }

    /// A packet that the rule matches.
    fn within(&mut self, rule: &Rule, block: Block) -> Packet {
        let family = self.shape.family;
        let random = &mut *self.random;
        let protocol = rule.protocol.unwrap_or_else(|| match random.below(10) {
            0..6 => TCP,
            6..8 => UDP,
            8 => icmp(family),
            _ => PORTLESS,
        });
        let network = if rule.local.length == 0 { local_network(family) } else { rule.local };
        let mut packet = Packet {
            remote: block.any(random, family),
            local: network.any(random, family),
            protocol,
            source: 0,
            destination: 0,
        };
        if packet.has_ports() {
            let (first, last) = if rule.source == super::rules::ALL_PORTS { EPHEMERAL } else { rule.source };
            packet.source = random.port_within(first, last);
            packet.destination = random.port_within(rule.destination.0, rule.destination.1);
        }
        packet
    }

    fn hit(&mut self) -> Option<Packet> {
        let (rule, block) = self.rule_and_block()?;
        Some(self.within(&rule, block))
    }

    fn miss(&mut self, kind: usize, scan: &LinearScan) -> Result<Packet, Box<dyn Error>> {
        // Where everything near the rules is matched, misses of that kind are not to be had.
        const TRIES: usize = 200;
        for attempt in 0..TRIES {
            let kind = if attempt < TRIES / 2 { kind } else { kind + attempt };
            let packet = self.candidate(kind).ok_or("there are no rules to draw flows from")?;
            if scan.decide(&packet).is_none() {
                return Ok(packet);
            }
        }
        Err(format!("no miss of {} in {TRIES} tries", self.shape.name).into())
    }

    fn candidate(&mut self, kind: usize) -> Option<Packet> {
        let family = self.shape.family;
        let (rule, block) = self.rule_and_block()?;
        let mut packet = self.within(&rule, block);
        let random = &mut *self.random;
        match kind % 4 {
            0 => {
                packet.remote = address(random, family);
                packet.protocol = if random.percent(85) { TCP } else { UDP };
                packet.destination = popular_port(random);
            }
            1 if packet.has_ports() => packet.destination = random.port(),
            1 => packet.protocol = PORTLESS,
            2 => {
                let last = block.first | (all_bits(family) & !mask(block.length, family));
                packet.remote = last.wrapping_add(1 + u128::from(random.below(16))) & all_bits(family);
            }
            _ => {
                packet.remote = random.wide() & all_bits(family);
                packet.protocol = random.pick(&[TCP, TCP, UDP, icmp(family), PORTLESS]).copied()?;
                packet.destination = random.port();
            }
        }
        if packet.has_ports() {
            packet.source =
                if packet.source == 0 { random.port_within(EPHEMERAL.0, EPHEMERAL.1) } else { packet.source };
        } else {
            (packet.source, packet.destination) = (0, 0);
        }
        Some(packet)
    }
}

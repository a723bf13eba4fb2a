//! What to expect: rule after rule, the first that matches. It shares no code with the crate, and is the
//! baseline of all ratios.
//!
//! A group or prefix list is a hash table for each prefix length that it has, so that large ones are
//! affordable here too. What is cheap to compare is compared first.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::BitAnd;

use secgroup::net::Family;

use super::flows::{Packet, low};
use super::rules::{Block, Peer, Rule, mask};

/// The rule that decides a flow, and which entry of its group or prefix list; both from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deciding {
    pub(crate) rule: u32,
    pub(crate) entry: u32,
}

/// Every protocol; a number that no protocol has.
const ANY: u16 = 256;
/// No set: the rule has a block.
const NO_SET: usize = usize::MAX;

/// An address of one family.
trait Number: Copy + Eq + Hash + BitAnd<Output = Self> {
    fn of(number: u128) -> Self;
}

impl Number for u32 {
    fn of(number: u128) -> Self {
        low(number)
    }
}

impl Number for u128 {
    fn of(number: u128) -> Self {
        number
    }
}

#[derive(Debug, Clone, Copy)]
struct Line<A> {
    remote: (A, A),
    local: (A, A),
    set: usize,
    protocol: u16,
    has_ports: bool,
    source: (u16, u16),
    destination: (u16, u16),
}

#[derive(Debug, Clone, Copy)]
struct Key<A> {
    remote: A,
    local: A,
    protocol: u16,
    source: u16,
    destination: u16,
}

#[derive(Debug)]
struct Scan<A> {
    lines: Vec<Line<A>>,
    /// For each set and each of its lengths: mask, and the places of its blocks in the set.
    sets: Vec<Vec<(A, HashMap<A, u32>)>>,
}

impl<A: Number> Scan<A> {
    fn new(family: Family, rules: &[Rule], sets: &[Vec<Block>]) -> Self {
        let masked = |block: Block| (A::of(mask(block.length, family)), A::of(block.first));
        let everything = masked(Block { first: 0, length: 0 });
        let line = |rule: &Rule| Line {
            remote: if let Peer::Block(block) = rule.peer { masked(block) } else { everything },
            local: masked(rule.local),
            set: if let Peer::Set(set) = rule.peer { set } else { NO_SET },
            protocol: rule.protocol.map_or(ANY, u16::from),
            has_ports: rule.has_ports(),
            source: rule.source,
            destination: rule.destination,
        };
        let table = |blocks: &Vec<Block>| {
            let mut lengths: Vec<(A, HashMap<A, u32>)> = Vec::new();
            for (place, block) in (0..).zip(blocks) {
                let (mask, first) = masked(*block);
                match lengths.iter_mut().find(|(other, _)| *other == mask) {
                    Some((_, places)) => {
                        places.entry(first).or_insert(place);
                    }
                    None => lengths.push((mask, HashMap::from([(first, place)]))),
                }
            }
            lengths
        };
        Self { lines: rules.iter().map(line).collect(), sets: sets.iter().map(table).collect() }
    }

    fn matches(&self, line: &Line<A>, key: &Key<A>) -> bool {
        let within = |(first, last): (u16, u16), port| first <= port && port <= last;
        let (mask, first) = line.remote;
        let (local_mask, local_first) = line.local;
        key.remote & mask == first
            && (line.protocol == key.protocol || line.protocol == ANY)
            && (!line.has_ports || within(line.destination, key.destination) && within(line.source, key.source))
            && key.local & local_mask == local_first
            && (line.set == NO_SET || self.entry(line, key).is_some())
    }

    /// Which entry of the rule's set has the address, the first if several do.
    fn entry(&self, line: &Line<A>, key: &Key<A>) -> Option<u32> {
        let lengths = self.sets.get(line.set)?;
        lengths.iter().filter_map(|(mask, places)| places.get(&(key.remote & *mask)).copied()).min()
    }

    fn find(&self, key: &Key<A>) -> Option<usize> {
        self.lines.iter().position(|line| self.matches(line, key))
    }

    fn decide(&self, key: &Key<A>) -> Option<Deciding> {
        let place = self.find(key)?;
        let entry = self.entry(self.lines.get(place)?, key).unwrap_or_default();
        Some(Deciding { rule: u32::try_from(place).ok()?, entry })
    }
}

fn key<A: Number>(packet: &Packet) -> Key<A> {
    Key {
        remote: A::of(packet.remote),
        local: A::of(packet.local),
        protocol: u16::from(packet.protocol),
        source: packet.source,
        destination: packet.destination,
    }
}

/// The scan of either family.
#[derive(Debug)]
pub(crate) struct LinearScan(Either);

#[derive(Debug)]
enum Either {
    V4(Scan<u32>),
    V6(Scan<u128>),
}

impl LinearScan {
    pub(crate) fn new(family: Family, rules: &[Rule], sets: &[Vec<Block>]) -> Self {
        Self(match family {
            Family::V4 => Either::V4(Scan::new(family, rules, sets)),
            Family::V6 => Either::V6(Scan::new(family, rules, sets)),
        })
    }

    pub(crate) fn decide(&self, packet: &Packet) -> Option<Deciding> {
        match &self.0 {
            Either::V4(scan) => scan.decide(&key(packet)),
            Either::V6(scan) => scan.decide(&key(packet)),
        }
    }
}

/// A scan with its flows, so that only scanning is timed.
#[derive(Debug)]
pub(crate) struct PreparedScan(Prepared);

#[derive(Debug)]
enum Prepared {
    V4(Scan<u32>, Vec<Key<u32>>),
    V6(Scan<u128>, Vec<Key<u128>>),
}

impl PreparedScan {
    pub(super) fn new(scan: LinearScan, packets: &[Packet]) -> Self {
        Self(match scan.0 {
            Either::V4(scan) => Prepared::V4(scan, packets.iter().map(key).collect()),
            Either::V6(scan) => Prepared::V6(scan, packets.iter().map(key).collect()),
        })
    }

    /// Writes the place of the deciding rule of the first flows, as many as there is room for.
    pub(crate) fn run(&self, found: &mut [Option<usize>]) {
        match &self.0 {
            Prepared::V4(scan, keys) => found.iter_mut().zip(keys).for_each(|(to, key)| *to = scan.find(key)),
            Prepared::V6(scan, keys) => found.iter_mut().zip(keys).for_each(|(to, key)| *to = scan.find(key)),
        }
    }
}

//! Pairs of classes.

use std::sync::Arc;

use hashbrown::HashMap;

use super::reached::{Fates, Reached};
use super::table::Row;
use super::{Reach, ReachClass, Spot};
use crate::net::Family;

/// What becomes of traffic from the interfaces of one class to those of another.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Link<'r, 'i> {
    /// The senders.
    pub from: &'r ReachClass<'i>,
    /// The receivers; where it is the same class, the others of it.
    pub to: &'r ReachClass<'i>,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What is known about traffic between two classes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was judged at both ends.
    Judged(Arc<Reached>),
    /// They are in VPCs that are not joined as far as is known; [`Reach::between`] tells what their groups
    /// would do.
    NotJoined,
    /// They have no addresses of one family, as far as the data has addresses.
    NoCommonFamily,
}

impl Outcome {
    /// What becomes of the traffic, if it was judged.
    pub fn judged(&self) -> Option<&Reached> {
        match self {
            Self::Judged(reached) => Some(reached),
            Self::NotJoined | Self::NoCommonFamily => None,
        }
    }

    /// Whether something is or may be allowed.
    pub fn is_open(&self) -> bool {
        self.judged().is_some_and(Reached::is_open)
    }
}

type Known<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What was computed before. What becomes of traffic has a number, equal results the same.
#[derive(Debug, Default)]
pub(super) struct Memory {
    results: Vec<(Fates, Arc<Reached>)>,
    numbers: Known<Fates, u32>,
    /// By rows of egress and ingress.
    pairs: Known<(Row, Row), u32>,
    /// By the numbers of two results, of what they come to together.
    both: Known<(u32, u32), u32>,
}

impl Memory {
    fn number(&mut self, fates: Fates) -> u32 {
        let next = super::addresses::number(self.results.len());
        *self.numbers.entry(fates).or_insert_with_key(|fates| {
            self.results.push((fates.clone(), Arc::new(fates.reached(true))));
            next
        })
    }

    fn get(&self, number: u32) -> Option<&(Fates, Arc<Reached>)> {
        self.results.get(usize::try_from(number).ok()?)
    }

    /// What becomes of traffic between two addresses more.
    fn and(&mut self, before: Option<u32>, reach: &Reach<'_>, out: Row, into: Row) -> Option<u32> {
        let pair = if let Some(pair) = self.pairs.get(&(out, into)) {
            *pair
        } else {
            let (family, egress) = reach.rows.get(out)?;
            let (_, ingress) = reach.rows.get(into)?;
            let pair = self.number(Fates::new(*family, egress, ingress));
            self.pairs.insert((out, into), pair);
            pair
        };
        let Some(before) = before.filter(|before| *before != pair) else { return Some(pair) };
        if let Some(both) = self.both.get(&(before, pair)) {
            return Some(*both);
        }
        let together = self.get(before)?.0.or(&self.get(pair)?.0);
        let together = self.number(together);
        self.both.insert((before, pair), together);
        Some(together)
    }
}

/// An address of a receiver.
#[derive(Debug, Clone, Copy)]
struct At {
    place: u32,
    family: Family,
    /// The line of its rows of ingress in a block.
    line: usize,
}

/// A receiver, apart from its addresses.
#[derive(Debug, Clone, Copy)]
struct Receiver {
    vpc: usize,
    appearance: u32,
}

impl<'i> Reach<'i> {
    /// What becomes of traffic from a class to another, given the rows of ingress for each pair of their
    /// addresses.
    fn judge_by(
        &self,
        from: &ReachClass<'i>,
        (to, addresses): (Receiver, &[At]),
        ingress: impl Fn((usize, &Spot), (usize, &At)) -> Option<Row>,
        memory: &mut Memory,
    ) -> Outcome {
        if !self.vpcs.joined(from.vpc, to.vpc) {
            return Outcome::NotJoined;
        }
        let Some([egress, _]) = self.ends.get(from.policies) else { return Outcome::NoCommonFamily };
        let mut found = None;
        for (number, sender) in from.spots.iter().enumerate() {
            let family = self.addresses.family(sender.place);
            let runs = egress.runs(sender.egress, to.vpc, to.appearance);
            for (index, receiver) in addresses.iter().enumerate().filter(|(_, at)| at.family == family) {
                let out = runs.and_then(|runs| runs.at(receiver.place));
                if let (Some(out), Some(into)) = (out, ingress((number, sender), (index, receiver))) {
                    found = memory.and(found, self, out, into);
                }
            }
        }
        match found.and_then(|number| memory.get(number)) {
            Some((_, reached)) => Outcome::Judged(reached.clone()),
            None => Outcome::NoCommonFamily,
        }
    }

    fn at(&self, spot: &Spot, line: usize) -> At {
        At { place: spot.place, family: self.addresses.family(spot.place), line }
    }

    /// A link between two classes; `None` if there are no two interfaces.
    pub(super) fn link(&self, from: usize, to: usize, memory: &mut Memory) -> Option<Link<'_, 'i>> {
        let (sender, receiver) = (self.classes.get(from)?, self.classes.get(to)?);
        if from == to && !sender.has_pairs() {
            return None;
        }
        let outcome = self.judge(sender, receiver, memory);
        Some(Link { from: sender, to: receiver, outcome })
    }

    /// What becomes of traffic from a class to another.
    pub(super) fn judge(&self, from: &ReachClass<'i>, to: &ReachClass<'i>, memory: &mut Memory) -> Outcome {
        let Some([_, ingress]) = self.ends.get(to.policies) else { return Outcome::NoCommonFamily };
        let addresses: Vec<At> = to.spots.iter().map(|spot| self.at(spot, 0)).collect();
        let row = |(_, sender): (usize, &Spot), (index, _): (usize, &At)| {
            ingress.row(to.spots.get(index)?.ingress, from.vpc, from.appearance, sender.place)
        };
        self.judge_by(from, (to.receiver(), &addresses), row, memory)
    }
}

impl ReachClass<'_> {
    fn receiver(&self) -> Receiver {
        Receiver { vpc: self.vpc, appearance: self.appearance }
    }
}

/// How many senders are looked up in the tables of a receiver together, while these are at hand.
const BLOCK: usize = 64;

/// The links between all classes, sender by sender.
#[derive(Debug)]
pub struct Matrix<'r, 'i> {
    reach: &'r Reach<'i>,
    memory: Memory,
    from: usize,
    to: usize,
    receivers: Receivers,
    block: Block,
}

/// All receivers side by side.
#[derive(Debug)]
struct Receivers {
    /// With the first of their addresses, and the one behind the last.
    all: Vec<(Receiver, usize, usize)>,
    addresses: Vec<At>,
    /// What has rows of ingress of its own: policies, by their place, at a kind of near address; with the VPC.
    lines: Vec<(usize, u32, usize)>,
}

impl Receivers {
    fn new(reach: &Reach<'_>) -> Self {
        let mut receivers = Self { all: Vec::new(), addresses: Vec::new(), lines: Vec::new() };
        let mut known: Known<(usize, u32), usize> = Known::default();
        for class in &reach.classes {
            let first = receivers.addresses.len();
            for spot in &class.spots {
                let line = *known.entry((class.policies, spot.ingress)).or_insert_with(|| {
                    receivers.lines.push((class.policies, spot.ingress, class.vpc));
                    receivers.lines.len() - 1
                });
                receivers.addresses.push(reach.at(spot, line));
            }
            receivers.all.push((class.receiver(), first, receivers.addresses.len()));
        }
        receivers
    }

    fn get(&self, receiver: usize) -> Option<(Receiver, &[At])> {
        let (receiver, first, end) = self.all.get(receiver)?;
        Some((*receiver, self.addresses.get(*first..*end)?))
    }
}

/// The rows of ingress at all receivers for some senders.
#[derive(Debug, Default)]
struct Block {
    /// Where the addresses of each sender of the block begin.
    senders: Vec<usize>,
    /// How many lines there are.
    height: usize,
    /// For each address of a sender the rows of all lines, or [`NO_ROW`].
    rows: Vec<Row>,
}

/// No row: there are never so many.
const NO_ROW: Row = Row::MAX;

impl Block {
    /// For the senders from this one on.
    fn fill(&mut self, reach: &Reach<'_>, receivers: &Receivers, from: usize) {
        let senders = || reach.classes.iter().skip(from).take(BLOCK);
        self.senders.clear();
        let mut width = 0;
        for sender in senders() {
            self.senders.push(width);
            width += sender.spots.len();
        }
        self.height = receivers.lines.len();
        self.rows.clear();
        self.rows.resize(width * self.height, NO_ROW);
        for (line, (policies, local, vpc)) in receivers.lines.iter().enumerate() {
            let Some([_, ingress]) = reach.ends.get(*policies) else { continue };
            let mut at = line;
            for sender in senders() {
                let joined = reach.vpcs.joined(sender.vpc, *vpc);
                let runs = joined.then(|| ingress.runs(*local, sender.vpc, sender.appearance)).flatten();
                for sender in &sender.spots {
                    if let (Some(slot), Some(row)) = (self.rows.get_mut(at), runs.and_then(|r| r.at(sender.place))) {
                        *slot = row;
                    }
                    at += self.height;
                }
            }
        }
    }

    /// The row of a line for an address of a sender.
    fn row(&self, sender: usize, line: usize) -> Option<Row> {
        self.rows.get(sender * self.height + line).copied().filter(|row| *row != NO_ROW)
    }
}

impl<'r, 'i> Matrix<'r, 'i> {
    pub(super) fn new(reach: &'r Reach<'i>) -> Self {
        let receivers = Receivers::new(reach);
        Self { reach, memory: Memory::default(), from: 0, to: 0, receivers, block: Block::default() }
    }
}

impl<'r, 'i> Iterator for Matrix<'r, 'i> {
    type Item = Link<'r, 'i>;

    fn next(&mut self) -> Option<Link<'r, 'i>> {
        let reach = self.reach;
        loop {
            let (from, to) = (self.from, self.to);
            let (sender, receiver) = (reach.classes.get(from)?, reach.classes.get(to)?);
            if from.is_multiple_of(BLOCK) && to == 0 {
                self.block.fill(reach, &self.receivers, from);
            }
            self.to += 1;
            if self.to == reach.classes.len() {
                (self.from, self.to) = (from + 1, 0);
            }
            if from == to && !sender.has_pairs() {
                continue;
            }
            let first = self.block.senders.get(from % BLOCK)?;
            let row = |(number, _): (usize, &Spot), (_, at): (usize, &At)| self.block.row(first + number, at.line);
            let outcome = reach.judge_by(sender, self.receivers.get(to)?, row, &mut self.memory);
            return Some(Link { from: sender, to: receiver, outcome });
        }
    }
}

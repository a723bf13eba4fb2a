//! Pairs of classes.

use std::sync::Arc;

use hashbrown::HashMap;

use super::reached::{Fates, Reached};
use super::table::Row;
use super::{Reach, ReachClass, Spot};

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

impl<'i> Reach<'i> {
    /// What becomes of traffic from a class to another, given the rows of ingress for each pair of their
    /// addresses.
    fn judge_by(
        &self,
        (from, to): (&ReachClass<'i>, &ReachClass<'i>),
        ingress: impl Fn((usize, &Spot), (usize, &Spot)) -> Option<Row>,
        memory: &mut Memory,
    ) -> Outcome {
        if !self.vpcs.joined(from.vpc, to.vpc) {
            return Outcome::NotJoined;
        }
        let Some([egress, _]) = self.ends.get(from.policies) else { return Outcome::NoCommonFamily };
        let mut found = None;
        for sender in from.spots.iter().enumerate() {
            let runs = egress.runs(sender.1.egress, to.vpc, to.appearance);
            for receiver in to.spots.iter().enumerate().filter(|(_, receiver)| self.one_family(sender.1, receiver)) {
                let (out, into) = (runs.and_then(|runs| runs.at(receiver.1.place)), ingress(sender, receiver));
                if let (Some(out), Some(into)) = (out, into) {
                    found = memory.and(found, self, out, into);
                }
            }
        }
        match found.and_then(|number| memory.get(number)) {
            Some((_, reached)) => Outcome::Judged(reached.clone()),
            None => Outcome::NoCommonFamily,
        }
    }

    fn one_family(&self, one: &Spot, other: &Spot) -> bool {
        self.addresses.family(one.place) == self.addresses.family(other.place)
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
        let row = |(_, sender): (usize, &Spot), (_, receiver): (usize, &Spot)| {
            ingress.row(receiver.ingress, from.vpc, from.appearance, sender.place)
        };
        self.judge_by((from, to), row, memory)
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
    block: Block,
}

/// The rows of ingress at all receivers for some senders.
#[derive(Debug, Default)]
struct Block {
    /// Where the addresses of each receiver begin, and those of each sender of the block.
    receivers: Vec<usize>,
    senders: Vec<usize>,
    /// How many addresses the receivers have.
    height: usize,
    /// For each address of a sender the rows at all addresses of receivers, or [`NO_ROW`].
    rows: Vec<Row>,
}

/// No row: there are never so many.
const NO_ROW: Row = Row::MAX;

impl Block {
    /// For the senders from this one on.
    fn fill(&mut self, reach: &Reach<'_>, from: usize) {
        let senders = || reach.classes.iter().skip(from).take(BLOCK);
        self.senders = begins(senders());
        self.receivers = begins(reach.classes.iter());
        let width: usize = senders().map(|sender| sender.spots.len()).sum();
        self.height = reach.classes.iter().map(|receiver| receiver.spots.len()).sum();
        self.rows.clear();
        self.rows.resize(width * self.height, NO_ROW);
        for (receiver, first) in reach.classes.iter().zip(&self.receivers) {
            let Some([_, ingress]) = reach.ends.get(receiver.policies) else { continue };
            for (spot, line) in receiver.spots.iter().zip(*first..) {
                let mut at = line;
                for sender in senders() {
                    let joined = reach.vpcs.joined(sender.vpc, receiver.vpc);
                    let runs = joined.then(|| ingress.runs(spot.ingress, sender.vpc, sender.appearance)).flatten();
                    for sender in &sender.spots {
                        if let (Some(slot), Some(row)) = (self.rows.get_mut(at), runs.and_then(|r| r.at(sender.place)))
                        {
                            *slot = row;
                        }
                        at += self.height;
                    }
                }
            }
        }
    }

    /// The row for an address of a sender at an address of a receiver.
    fn row(&self, sender: usize, receiver: usize) -> Option<Row> {
        self.rows.get(sender * self.height + receiver).copied().filter(|row| *row != NO_ROW)
    }
}

/// Where the addresses of each class begin.
fn begins<'r, 'i: 'r>(classes: impl Iterator<Item = &'r ReachClass<'i>>) -> Vec<usize> {
    let begin = |so_far: &mut usize, class: &ReachClass<'_>| {
        let begin = *so_far;
        *so_far += class.spots.len();
        Some(begin)
    };
    classes.scan(0, begin).collect()
}

impl<'r, 'i> Matrix<'r, 'i> {
    pub(super) fn new(reach: &'r Reach<'i>) -> Self {
        Self { reach, memory: Memory::default(), from: 0, to: 0, block: Block::default() }
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
                self.block.fill(reach, from);
            }
            self.to += 1;
            if self.to == reach.classes.len() {
                (self.from, self.to) = (from + 1, 0);
            }
            if from == to && !sender.has_pairs() {
                continue;
            }
            let block = &self.block;
            let row = |(s, _): (usize, &Spot), (r, _): (usize, &Spot)| {
                block.row(block.senders.get(from % BLOCK)? + s, block.receivers.get(to)? + r)
            };
            let outcome = reach.judge_by((sender, receiver), row, &mut self.memory);
            return Some(Link { from: sender, to: receiver, outcome });
        }
    }
}

//! Pairs of classes.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::reached::Reached;
use super::table::Row;
use super::{Reach, ReachClass};

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

/// Pairs of rows, of egress and ingress.
type Pairs = Box<[(Row, Row)]>;

/// What was computed before.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: HashMap<Pairs, Arc<Reached>, foldhash::fast::RandomState>,
    /// What is equal is kept once.
    results: HashSet<Arc<Reached>, foldhash::fast::RandomState>,
    pairs: Vec<(Row, Row)>,
}

impl<'i> Reach<'i> {
    /// What becomes of traffic from a class to another.
    pub(super) fn judge(&self, from: usize, to: usize, memory: &mut Memory) -> Outcome {
        let class = |place: usize| {
            let class = self.classes.get(place)?;
            Some((class, self.ends.get(class.policies)?))
        };
        let (Some((from, [egress, _])), Some((to, [_, ingress]))) = (class(from), class(to)) else {
            return Outcome::NoCommonFamily;
        };
        let vpc = |class: &ReachClass<'i>| class.members.first().and_then(|interface| interface.vpc.as_ref());
        if !self.joins.joined(vpc(from), vpc(to)) {
            return Outcome::NotJoined;
        }
        memory.pairs.clear();
        for sender in &from.spots {
            let family = self.addresses.family(sender.place);
            for receiver in to.spots.iter().filter(|receiver| self.addresses.family(receiver.place) == family) {
                let out = egress.row(sender.egress, to.appearance, receiver.place);
                let into = ingress.row(receiver.ingress, from.appearance, sender.place);
                memory.pairs.extend(out.zip(into));
            }
        }
        memory.pairs.sort_unstable();
        memory.pairs.dedup();
        if memory.pairs.is_empty() {
            return Outcome::NoCommonFamily;
        }
        if let Some(reached) = memory.known.get(memory.pairs.as_slice()) {
            return Outcome::Judged(reached.clone());
        }
        let rows = memory.pairs.iter().filter_map(|(out, into)| {
            let (family, out) = self.rows.get(*out)?;
            Some((*family, &**out, &*self.rows.get(*into)?.1))
        });
        let reached = Arc::new(Reached::of(true, rows));
        let reached = memory.results.get_or_insert(reached).clone();
        memory.known.insert(memory.pairs.as_slice().into(), reached.clone());
        Outcome::Judged(reached)
    }

    /// A link between two classes; `None` if there are no two interfaces.
    pub(super) fn link(&self, from: usize, to: usize, memory: &mut Memory) -> Option<Link<'_, 'i>> {
        let (sender, receiver) = (self.classes.get(from)?, self.classes.get(to)?);
        if from == to && !sender.has_pairs() {
            return None;
        }
        Some(Link { from: sender, to: receiver, outcome: self.judge(from, to, memory) })
    }
}

/// The links between all classes, sender by sender.
#[derive(Debug)]
pub struct Matrix<'r, 'i> {
    reach: &'r Reach<'i>,
    memory: Memory,
    from: usize,
    to: usize,
}

impl<'r, 'i> Matrix<'r, 'i> {
    pub(super) fn new(reach: &'r Reach<'i>) -> Self {
        Self { reach, memory: Memory::default(), from: 0, to: 0 }
    }
}

impl<'r, 'i> Iterator for Matrix<'r, 'i> {
    type Item = Link<'r, 'i>;

    fn next(&mut self) -> Option<Link<'r, 'i>> {
        let count = self.reach.classes.len();
        while self.from < count {
            let (from, to) = (self.from, self.to);
            self.to += 1;
            if self.to == count {
                (self.from, self.to) = (from + 1, 0);
            }
            if let Some(link) = self.reach.link(from, to, &mut self.memory) {
                return Some(link);
            }
        }
        None
    }
}

//! Which clauses of a policy matter: whether some verdict changes if one of them goes.

use std::ops::Range;

use hashbrown::HashSet;

use super::ground::{Ground, OnPlane};
use crate::policy::{Outline, Policy, Touch, Verdict};
use crate::set::plane::{Addresses, Piece, Plane};
use crate::set::sweep::{Trace, sweep};
use crate::set::{Budget, SetError, SetLimits, numbered};

/// The clauses of a policy, by number.
#[derive(Debug)]
pub(super) struct Weights {
    /// Whether some verdict changes if the clause, and no other, goes.
    pub(super) matters: Vec<bool>,
    /// Whether the clause matches, or may match, any packet.
    pub(super) matches: Vec<bool>,
}

/// Finds out which clauses matter, and which match anything.
pub(super) fn weigh(policy: &Policy, ground: Ground<'_>, limits: SetLimits) -> Result<Weights, SetError> {
    let count = numbered(policy).count();
    let judge = Judge::new(policy);
    let weights = Weights { matters: vec![false; count], matches: vec![false; count] };
    let mut weighing = Weighing { policy, judge, weights, budget: Budget::new(limits) };
    ground.each(&mut weighing)?;
    Ok(weighing.weights)
}

/// Gives verdicts on places where it is known which clauses touch them.
#[derive(Debug)]
pub(super) struct Judge {
    outline: Outline,
    /// The numbers of the clauses of each list.
    pub(super) lists: Vec<Range<u32>>,
}

impl Judge {
    pub(super) fn new(policy: &Policy) -> Self {
        let outline = policy.outline();
        let lists = outline.lists();
        Self { outline, lists }
    }

    /// The verdict where these clauses touch, those of each list in the order in which they decide.
    pub(super) fn verdict(&self, touched: &(impl Iterator<Item = (u32, Touch)> + Clone)) -> Verdict {
        self.outline.decide(|list| touched.clone().filter(move |(clause, _)| list.contains(clause))).verdict
    }
}

/// What is needed to tell whether the verdict changes if one clause goes: what comes out with it, and
/// what would come out behind the clause that ends the walk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Depth {
    pieces: [u32; 10],
    count: u8,
    /// The clause that ends the walk.
    closing: Option<u32>,
    /// How many clauses of each action may match before that; two are as good as more.
    before: [u8; 3],
    /// Whether a clause of each action may match behind it.
    behind: [bool; 3],
}

impl Depth {
    fn push(&mut self, place: u32) {
        if let Some(slot) = self.pieces.get_mut(usize::from(self.count)) {
            *slot = place;
            self.count += 1;
        }
    }
}

impl Trace for Depth {
    fn touched(&mut self, place: u32, piece: &Piece) -> bool {
        let action = piece.action as usize;
        match (self.closing, piece.touch) {
            // The rest of a clause that is known in part goes with it.
            (Some(closing), _) if closing == piece.clause => false,
            (Some(_), Touch::Certain) => {
                self.push(place);
                true
            }
            (None, Touch::Certain) => {
                self.push(place);
                self.closing = Some(piece.clause);
                false
            }
            (Some(_), _) => {
                if let Some(known) = self.behind.get_mut(action)
                    && !std::mem::replace(known, true)
                {
                    self.push(place);
                }
                false
            }
            (None, _) => {
                if let Some(known) = self.before.get_mut(action)
                    && *known < 2
                {
                    *known += 1;
                    self.push(place);
                }
                false
            }
        }
    }
}

struct Weighing<'p> {
    policy: &'p Policy,
    judge: Judge,
    weights: Weights,
    budget: Budget,
}

impl OnPlane for Weighing<'_> {
    fn plane<A: Addresses>(&mut self, addresses: &A) -> Result<(), SetError> {
        let plane = Plane::new(addresses, self.judge.lists.len(), numbered(self.policy), &mut self.budget)?;
        for piece in plane.pieces() {
            mark(&mut self.weights.matches, piece.clause);
        }
        let mut seen: HashSet<Vec<Depth>, foldhash::fast::RandomState> = HashSet::default();
        let (judge, matters) = (&self.judge, &mut self.weights.matters);
        sweep(&plane, &mut self.budget, |leaf, _| {
            for (_, traces) in leaf.intervals() {
                let traces: Vec<Depth> = traces.cloned().collect();
                if !seen.contains(&traces) {
                    weigh_place(&plane, judge, &traces, matters);
                    seen.insert(traces);
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// Marks the clauses without which the verdict on a place is another one.
fn weigh_place<N: crate::set::Coordinate + std::hash::Hash>(
    plane: &Plane<N>,
    judge: &Judge,
    traces: &[Depth],
    matters: &mut [bool],
) {
    let pieces = traces.iter().flat_map(|trace| trace.pieces.iter().take(trace.count.into()));
    let touched = pieces.filter_map(|place| plane.piece(*place)).map(|piece| (piece.clause, piece.touch));
    let verdict = judge.verdict(&touched);
    for trace in traces {
        let ends = trace.closing.is_some();
        for piece in trace.pieces.iter().take(trace.count.into()).filter_map(|place| plane.piece(*place)) {
            let known = usize::try_from(piece.clause).ok().and_then(|clause| matters.get(clause)).copied();
            if known == Some(false) {
                let without = touched.clone().filter(|(clause, _)| *clause != piece.clause);
                if judge.verdict(&without) != verdict {
                    mark(matters, piece.clause);
                }
            }
            if ends && trace.closing == Some(piece.clause) {
                // What stands behind does not decide while this one is there.
                break;
            }
        }
    }
}

fn mark(flags: &mut [bool], clause: u32) {
    if let Some(flag) = usize::try_from(clause).ok().and_then(|clause| flags.get_mut(clause)) {
        *flag = true;
    }
}

//! Which clauses of a policy matter: whether something may come out otherwise if one of them goes.
//!
//! What is not known counts in every way that it can turn out. It is not enough that a verdict stays
//! indeterminate: a clause goes only if, whatever clauses that may match do, the outcome is the same
//! without it. At a place where it can decide, everything that can come out behind it must be what it does.

use hashbrown::HashSet;

use super::ground::{Ground, OnPlane};
use crate::model::Action;
use crate::policy::{Policy, Touch, Verdict};
use crate::set::plane::{Addresses, Piece, Plane};
use crate::set::sweep::{Leaf, Trace, sweep};
use crate::set::{Budget, SetError, SetLimits, numbered};

/// The clauses of a policy, by number.
#[derive(Debug)]
pub(super) struct Weights {
    /// Whether something may come out otherwise if the clause, and no other, goes.
    pub(super) matters: Vec<bool>,
    /// Whether the clause matches, or may match, any packet.
    pub(super) matches: Vec<bool>,
}

/// Finds out which clauses matter, and which match anything.
pub(super) fn weigh(policy: &Policy, ground: Ground<'_>, limits: SetLimits) -> Result<Weights, SetError> {
    let count = numbered(policy).count();
    let weights = Weights { matters: vec![false; count], matches: vec![false; count] };
    let mut weighing = Weighing { policy, defaults: Defaults::of(policy), weights, budget: Budget::new(limits) };
    ground.each(&mut weighing)?;
    Ok(weighing.weights)
}

/// What can come out of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Outcomes(u8);

impl Outcomes {
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing else can come out.
    pub(super) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

/// What comes out of each list when no clause matches.
#[derive(Debug)]
pub(super) struct Defaults {
    by_list: Vec<Outcomes>,
    /// Whether leaving the decision to others comes to a denial, because there are no others.
    alone: bool,
}

impl Defaults {
    pub(super) fn of(policy: &Policy) -> Self {
        let lists = policy.lists();
        let mut defaults = Self { by_list: Vec::new(), alone: lists.len() == 1 };
        for list in lists {
            let outcomes = match list.fallback().verdict {
                Some(Verdict::Allow) => defaults.of_action(Action::Allow),
                Some(Verdict::Deny) => defaults.of_action(Action::Deny),
                Some(Verdict::Indeterminate) => {
                    defaults.of_action(Action::Allow).with(defaults.of_action(Action::Deny))
                }
                None => defaults.of_action(Action::Pass),
            };
            defaults.by_list.push(outcomes);
        }
        defaults
    }

    pub(super) fn of_action(&self, action: Action) -> Outcomes {
        Outcomes(match action {
            Action::Allow => 1,
            Action::Pass if !self.alone => 4,
            Action::Deny | Action::Pass => 2,
        })
    }

    /// What comes out of a list when no clause matches.
    pub(super) fn of_list(&self, list: usize) -> Outcomes {
        self.by_list.get(list).copied().unwrap_or_default()
    }

    /// How many lists there are.
    pub(super) fn lists(&self) -> usize {
        self.by_list.len()
    }
}

/// How many clauses that may match are told apart at one place; of more all are taken to matter.
const TOLD_APART: usize = 32;

/// What can decide a place, and what can come out behind the clause that certainly ends the walk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Depth {
    /// The clauses that may match before that, in order, with what they do.
    before: Vec<(u32, u8)>,
    /// Whether there are more of them than are told apart.
    crowded: bool,
    closing: Option<(u32, u8)>,
    /// What may come out behind, by the bits of actions.
    behind: u8,
    /// Whether some clause behind certainly matches, so that the default does not count.
    settled: bool,
}

fn bit(action: Action) -> u8 {
    1 << action as u8
}

/// The actions whose bits are set.
fn actions(bits: u8) -> impl Iterator<Item = Action> {
    [Action::Allow, Action::Deny, Action::Pass].into_iter().filter(move |action| bits & bit(*action) != 0)
}

impl Trace for Depth {
    fn touched(&mut self, _: u32, piece: &Piece) -> bool {
        let action = bit(piece.action);
        match (self.closing, piece.touch) {
            // The rest of a clause that is known in part goes with it.
            (Some((closing, _)), _) if closing == piece.clause => {}
            (Some(_), touch) => {
                self.behind |= action;
                self.settled = touch == Touch::Certain;
            }
            (None, Touch::Certain) => self.closing = Some((piece.clause, action)),
            (None, _) if self.before.len() < TOLD_APART => self.before.push((piece.clause, action)),
            (None, _) => self.crowded = true,
        }
        self.settled
    }
}

impl Depth {
    /// Marks the clauses behind which something else can come out than what they do.
    fn weigh(&self, default: Outcomes, defaults: &Defaults, matters: &mut [bool]) {
        let outcomes =
            |bits: u8| actions(bits).fold(Outcomes::default(), |all, action| all.with(defaults.of_action(action)));
        let behind = if self.settled { outcomes(self.behind) } else { outcomes(self.behind).with(default) };
        let mut later = default;
        if let Some((closing, action)) = self.closing {
            later = outcomes(action);
            if !behind.is_within(later) {
                mark(matters, closing);
            }
        }
        for (clause, action) in self.before.iter().rev() {
            let own = outcomes(*action);
            if !later.is_within(own) {
                mark(matters, *clause);
            }
            later = later.with(own);
        }
    }
}

struct Weighing<'p> {
    policy: &'p Policy,
    defaults: Defaults,
    weights: Weights,
    budget: Budget,
}

impl OnPlane for Weighing<'_> {
    fn plane<A: Addresses>(&mut self, addresses: &A) -> Result<(), SetError> {
        let plane = Plane::new(addresses, self.defaults.lists(), numbered(self.policy), &mut self.budget)?;
        for piece in plane.pieces() {
            mark(&mut self.weights.matches, piece.clause);
        }
        let mut seen: HashSet<(usize, Depth), foldhash::fast::RandomState> = HashSet::default();
        let (defaults, matters) = (&self.defaults, &mut self.weights.matters);
        let mut crowded = false;
        sweep(&plane, &mut self.budget, |leaf: &Leaf<'_, A::Number, Depth>, budget| {
            for (_, traces) in leaf.intervals() {
                for (list, trace) in traces.enumerate() {
                    crowded |= trace.crowded;
                    let pair = (list, trace.clone());
                    if seen.insert(pair) {
                        budget.cells(1 + trace.before.len())?;
                        trace.weigh(defaults.of_list(list), defaults, matters);
                    }
                }
            }
            Ok(())
        })?;
        if crowded {
            for piece in plane.pieces().iter().filter(|piece| piece.touch != Touch::Certain) {
                mark(matters, piece.clause);
            }
        }
        Ok(())
    }
}

fn mark(flags: &mut [bool], clause: u32) {
    if let Some(flag) = usize::try_from(clause).ok().and_then(|clause| flags.get_mut(clause)) {
        *flag = true;
    }
}

//! The part of a policy that decides once it is known which clauses a flow touches: actions, bases,
//! fallbacks and the combination of lists, without extents and provenance.

use std::ops::Range;

use super::clause::{ClauseId, Touch};
use super::decide::{Decision, Verdict, Walk};
use super::list::{Policy, RuleList, Stage};
use super::provenance::Basis;
use crate::model::Action;

/// What deciding asks of a list.
pub(super) trait Decides {
    /// The number of the first clause.
    fn first_id(&self) -> u32;

    /// Action and basis of the clause at this index.
    fn clause(&self, index: usize) -> Option<(Action, Basis)>;

    /// What happens if nothing matches.
    fn fallback(&self) -> (Option<Verdict>, Basis);
}

/// The number of the clause at this index of a list.
pub(super) fn id_of(list: &impl Decides, index: usize) -> ClauseId {
    ClauseId::within(list.first_id().saturating_add(u32::try_from(index).unwrap_or(u32::MAX)))
}

impl Decides for RuleList {
    fn first_id(&self) -> u32 {
        self.first_id
    }

    fn clause(&self, index: usize) -> Option<(Action, Basis)> {
        self.clauses.get(index).map(|clause| (clause.action, clause.provenance.basis()))
    }

    fn fallback(&self) -> (Option<Verdict>, Basis) {
        (self.fallback.verdict, self.fallback.basis)
    }
}

/// A policy without extents and provenance.
#[derive(Debug, Clone)]
pub(crate) struct Outline(Stage<ListOutline>);

/// A list without extents and provenance.
#[derive(Debug, Clone)]
struct ListOutline {
    first_id: u32,
    clauses: Vec<(Action, Basis)>,
    fallback: (Option<Verdict>, Basis),
}

impl Decides for ListOutline {
    fn first_id(&self) -> u32 {
        self.first_id
    }

    fn clause(&self, index: usize) -> Option<(Action, Basis)> {
        self.clauses.get(index).copied()
    }

    fn fallback(&self) -> (Option<Verdict>, Basis) {
        self.fallback
    }
}

impl Policy {
    /// The part that decides once it is known which clauses a flow touches.
    pub(crate) fn outline(&self) -> Outline {
        Outline(self.stage.outline())
    }
}

impl Stage {
    fn outline(&self) -> Stage<ListOutline> {
        let all = |stages: &[Self]| stages.iter().map(Self::outline).collect();
        match self {
            Self::Rules(list) => Stage::Rules(ListOutline {
                first_id: list.first_id,
                clauses: list.clauses.iter().map(|c| (c.action, c.provenance.basis())).collect(),
                fallback: Decides::fallback(list),
            }),
            Self::AllOf(stages) => Stage::AllOf(all(stages)),
            Self::FirstDecisive(stages) => Stage::FirstDecisive(all(stages)),
        }
    }
}

impl Stage<ListOutline> {
    fn lists(&self, ranges: &mut Vec<Range<u32>>) {
        match self {
            Self::Rules(list) => {
                let length = u32::try_from(list.clauses.len()).unwrap_or(u32::MAX);
                ranges.push(list.first_id..list.first_id.saturating_add(length));
            }
            Self::AllOf(stages) | Self::FirstDecisive(stages) => stages.iter().for_each(|stage| stage.lists(ranges)),
        }
    }
}

impl Outline {
    /// The numbers of the clauses of each list.
    pub(crate) fn lists(&self) -> Vec<Range<u32>> {
        let mut ranges = Vec::new();
        self.0.lists(&mut ranges);
        ranges
    }

    /// The decision on a flow that touches these clauses, given for each list (by the numbers of its
    /// clauses) in ascending order. It equals [`Policy::decide`] if every clause that is touched
    /// is among them, up to the first of the list that matches certainly.
    pub(crate) fn decide<I: Iterator<Item = (u32, Touch)>>(&self, touched: impl Fn(Range<u32>) -> I) -> Decision {
        let walk = |list: &ListOutline| {
            let length = u32::try_from(list.clauses.len()).unwrap_or(u32::MAX);
            let clauses = touched(list.first_id..list.first_id.saturating_add(length)).filter_map(|(id, touch)| {
                let index = usize::try_from(id.checked_sub(list.first_id)?).ok()?;
                let (action, _) = list.clause(index)?;
                Some((index, action, touch))
            });
            Walk::over(clauses, list.fallback.0)
        };
        self.0.evaluate_by(&walk).decision()
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.lists().iter().map(|list| list.len() * size_of::<(Action, Basis)>() + size_of::<ListOutline>()).sum()
    }
}

//! What a cell of a table says: a decision, or what is left to ask before there is one.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::limits::{Budget, BuildError};
use super::parts::{AllDemands, Demands, Rest};
use crate::policy::{Basis, Decision, Outline, Policy, Touch, Verdict};

/// A clause that a cell touches: its number, and whether the cell lies in its certain extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Touched(u32);

impl Touched {
    /// Clauses past this number cannot be written; no policy that fits into memory has them.
    pub(super) const MAX: u32 = u32::MAX >> 1;

    pub(super) fn new(clause: u32, certain: bool) -> Self {
        Self(clause << 1 | u32::from(certain))
    }

    fn clause(self) -> u32 {
        self.0 >> 1
    }

    fn certain(self) -> bool {
        self.0 & 1 == 1
    }
}

/// An answer while the answers are collected: the number of a decision, or of what is left to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer(u32);

impl Answer {
    const OPEN: u32 = 1 << 31;
    const OWN: u32 = 1 << 30;

    /// The answer at this place among those that the address has of its own.
    pub(super) fn own(place: u32) -> Self {
        Self(Self::OWN | place)
    }

    /// A number that tells answers apart.
    pub(super) fn number(self) -> u32 {
        self.0
    }
}

/// Collects the answers of all cells.
#[derive(Debug)]
pub(super) struct AnswerBuilder {
    outline: Outline,
    demands: AllDemands,
    decisions: Vec<Decision>,
    decision_numbers: HashMap<Decision, u32, RandomState>,
    open: Vec<Vec<Touched>>,
    open_numbers: HashMap<Vec<Touched>, u32, RandomState>,
}

impl AnswerBuilder {
    pub(super) fn new(policy: &Policy, demands: AllDemands) -> Self {
        Self {
            outline: policy.outline(),
            demands,
            decisions: Vec::new(),
            decision_numbers: HashMap::default(),
            open: Vec::new(),
            open_numbers: HashMap::default(),
        }
    }

    /// How a clause stands to every flow of a cell, if that does not depend on the flow.
    pub(super) fn settled(&self, touched: Touched) -> Option<Touch> {
        match self.demands.get(touched.clause()) {
            Some(demands) => demands.settled(touched.certain()),
            None => Some(Touch::Certain),
        }
    }

    /// Whether a clause certainly matches every flow that its services and far addresses fit.
    pub(super) fn is_certain(&self, clause: u32) -> bool {
        self.demands.get(clause).is_none()
    }

    /// Whether the extent of a clause is exact.
    pub(super) fn is_exact(&self, clause: u32) -> bool {
        self.demands.get(clause).is_none_or(Demands::is_exact)
    }

    /// One past the last clause of each list.
    pub(super) fn list_ends(&self) -> Vec<u32> {
        self.outline.lists().into_iter().map(|list| list.end).collect()
    }

    /// The answer of cells that touch exactly these clauses, given in ascending order, of each list
    /// up to the first that certainly matches.
    pub(super) fn answer(&mut self, touched: &[Touched], budget: &mut Budget) -> Result<Answer, BuildError> {
        budget.spend(touched.len())?;
        if touched.iter().all(|touched| self.settled(*touched).is_some()) {
            let decision = decide(&self.outline, &self.demands, touched, Rest { source: None, local: None });
            let next = u32::try_from(self.decisions.len()).unwrap_or(u32::MAX);
            let number = *self.decision_numbers.entry(decision).or_insert_with(|| {
                self.decisions.push(decision);
                next
            });
            return Ok(Answer(number));
        }
        if let Some(number) = self.open_numbers.get(touched) {
            return Ok(Answer(Answer::OPEN | *number));
        }
        budget.keep(3 * size_of_val(touched))?;
        let next = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        self.open.push(touched.to_vec());
        self.open_numbers.insert(touched.to_vec(), next);
        Ok(Answer(Answer::OPEN | next))
    }

    /// Adds the answers of cells that touch one of these clauses only, certainly, one after the other;
    /// returns the number of the first.
    pub(super) fn own(&mut self, clauses: impl Iterator<Item = u32>, budget: &mut Budget) -> Result<u32, BuildError> {
        let first = u32::try_from(self.decisions.len()).unwrap_or(u32::MAX);
        for clause in clauses {
            budget.keep(size_of::<Decision>())?;
            self.decisions.push(self.outline.decide(|_| std::iter::once((clause, Touch::Certain))));
        }
        Ok(first)
    }

    pub(super) fn finish(self) -> Answers {
        let open = if self.open.is_empty() {
            None
        } else {
            let mut touched = Vec::with_capacity(self.open.iter().map(Vec::len).sum());
            let mut ends = Vec::with_capacity(self.open.len());
            for list in &self.open {
                touched.extend_from_slice(list);
                ends.push(touched.len());
            }
            Some(Box::new(Open { outline: self.outline, demands: self.demands, touched, ends }))
        };
        Answers { decisions: self.decisions.into_boxed_slice(), open }
    }
}

fn decide(outline: &Outline, demands: &AllDemands, touched: &[Touched], rest: Rest) -> Decision {
    outline.decide(|list| {
        let start = touched.partition_point(|touched| touched.clause() < list.start);
        let clauses = touched.get(start..).unwrap_or_default().iter();
        clauses.take_while(move |touched| touched.clause() < list.end).map(move |touched| {
            let demands = demands.get(touched.clause());
            let touch = demands.map_or(Touch::Certain, |demands| demands.touch(touched.certain(), rest));
            (touched.clause(), touch)
        })
    })
}

fn number(clause: u32) -> usize {
    usize::try_from(clause).unwrap_or(usize::MAX)
}

/// The answers of all cells, by number: decisions first, then what is open.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    decisions: Box<[Decision]>,
    open: Option<Box<Open>>,
}

/// What is left to ask.
#[derive(Debug, Clone)]
struct Open {
    outline: Outline,
    demands: AllDemands,
    touched: Vec<Touched>,
    ends: Vec<usize>,
}

impl Answers {
    /// The place of an answer by the number that it had while they were collected, and whether it is
    /// counted from the first that the address has of its own.
    pub(super) fn place(&self, number: u32) -> (u32, bool) {
        if number & Answer::OPEN != 0 {
            let settled = u32::try_from(self.decisions.len()).unwrap_or(u32::MAX);
            return (settled.saturating_add(number & !Answer::OPEN), false);
        }
        (number & !Answer::OWN, number & Answer::OWN != 0)
    }

    /// The decision of an answer on a flow; `rest` is asked for only if it matters.
    #[inline]
    pub(super) fn decision(&self, answer: u32, rest: impl FnOnce() -> Rest) -> Decision {
        self.settled(answer).unwrap_or_else(|| self.ask(answer, rest()))
    }

    /// The decision of an answer, if it depends on nothing more.
    #[inline]
    pub(super) fn settled(&self, answer: u32) -> Option<Decision> {
        self.decisions.get(number(answer)).copied()
    }

    #[cold]
    #[inline(never)]
    fn ask(&self, answer: u32, rest: Rest) -> Decision {
        let place = number(answer).saturating_sub(self.decisions.len());
        match &self.open {
            Some(open) => {
                let end = open.ends.get(place).copied().unwrap_or_default();
                let start = place.checked_sub(1).and_then(|before| open.ends.get(before)).copied().unwrap_or_default();
                decide(&open.outline, &open.demands, open.touched.get(start..end).unwrap_or_default(), rest)
            }
            // No table holds a number past the answers.
            None => Decision { verdict: Verdict::Indeterminate, clause: None, basis: Basis::Undecided },
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |open| {
            size_of::<Open>()
                + open.outline.bytes()
                + open.demands.bytes()
                + size_of_val(open.touched.as_slice())
                + size_of_val(open.ends.as_slice())
        });
        size_of_val(&*self.decisions) + open
    }
}

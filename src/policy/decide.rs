//! The reference evaluation: what the verdict on a flow is, by definition.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::clause::{Clause, ClauseId, Touch};
use super::list::{Policy, RuleList, Stage};
use super::outline::{Decides, id_of};
use super::provenance::Basis;
use crate::model::Action;
use crate::net::Flow;

/// What becomes of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It passes.
    Allow,
    /// It is dropped.
    Deny,
    /// The data cannot tell.
    Indeterminate,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Indeterminate => "indeterminate",
        })
    }
}

/// A verdict, with the clause and the basis it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The clause that decides, the best by rank and then by index; `None` for the fallback. An
    /// indeterminate verdict names the best clause that may match, if one may.
    ///
    /// Of a policy with stages: the clause of the first stage that brings the verdict about; of
    /// stages that all allow, the first that filters at all.
    pub clause: Option<ClauseId>,
    /// What the verdict rests on.
    pub basis: Basis,
}

/// Whether a stage leaves the decision to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Passes {
    /// It decides.
    Never,
    /// The data cannot tell whether it decides, so its verdict is indeterminate.
    Maybe,
    /// It does not decide; were it the last stage, its verdict would be the denial it carries.
    Always,
}

/// A set of outcomes that are still possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcomes(u8);

impl Outcomes {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALLOW: Self = Self(1);
    pub(super) const DENY: Self = Self(2);
    pub(super) const NO_MATCH: Self = Self(4);

    pub(super) fn of(action: Action) -> Self {
        match action {
            Action::Allow => Self::ALLOW,
            Action::Deny => Self::DENY,
            Action::Pass => Self::NO_MATCH,
        }
    }

    pub(super) fn of_fallback(verdict: Option<Verdict>) -> Self {
        match verdict {
            Some(Verdict::Allow) => Self::ALLOW,
            Some(Verdict::Deny) => Self::DENY,
            Some(Verdict::Indeterminate) => Self::ALLOW.and(Self::DENY),
            None => Self::NO_MATCH,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Where nothing comes after: no match is a denial.
    fn closed(self) -> Self {
        if self.has(Self::NO_MATCH) { self.without(Self::NO_MATCH).and(Self::DENY) } else { self }
    }

    pub(super) fn verdict(self) -> Verdict {
        match self.closed() {
            Self::ALLOW => Verdict::Allow,
            Self::DENY => Verdict::Deny,
            _ => Verdict::Indeterminate,
        }
    }
}

/// What the walk through one list found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    pub(super) outcomes: Outcomes,
    /// The index of the clause that ended the walk; `None` if the fallback did.
    pub(super) closing: Option<usize>,
    /// The index of the best clause that matches or may match.
    pub(super) first: Option<usize>,
}

impl Walk {
    /// Walks from the best rank over the clauses that are touched, by ascending index: one that may
    /// match adds its outcome, one that certainly matches adds it and ends the walk; at the end the
    /// fallback is added.
    pub(super) fn over(touched: impl Iterator<Item = (usize, Action, Touch)>, fallback: Option<Verdict>) -> Self {
        let mut walk = Self { outcomes: Outcomes::NONE, closing: None, first: None };
        for (index, action, touch) in touched {
            if touch == Touch::No {
                continue;
            }
            walk.outcomes = walk.outcomes.and(Outcomes::of(action));
            walk.first = walk.first.or(Some(index));
            if touch == Touch::Certain {
                walk.closing = Some(index);
                return walk;
            }
        }
        walk.outcomes = walk.outcomes.and(Outcomes::of_fallback(fallback));
        walk
    }
}

impl RuleList {
    /// The walk through all clauses.
    pub(super) fn walk(&self, flow: &Flow) -> Walk {
        self.walk_over(flow, self.clauses.iter().enumerate())
    }

    /// The same walk over other clauses, for other readings of disputed ones.
    pub(super) fn walk_over<'a>(&self, flow: &Flow, clauses: impl Iterator<Item = (usize, &'a Clause)>) -> Walk {
        Walk::over(clauses.map(|(index, clause)| (index, clause.action, clause.touch(flow))), self.fallback.verdict)
    }
}

/// What a stage says of a flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evaluation {
    pub(super) outcomes: Outcomes,
    /// The clause that ended the evaluation, and its basis.
    closing: (Option<ClauseId>, Basis),
    /// The best clause that matches or may match.
    first: Option<ClauseId>,
}

impl Evaluation {
    /// No stage decided.
    const UNDECIDED: Self = Self { outcomes: Outcomes::NO_MATCH, closing: (None, Basis::Default), first: None };

    /// Whether a later stage has a say.
    pub(super) fn passes(self) -> Passes {
        match self.outcomes {
            Outcomes::NO_MATCH => Passes::Always,
            outcomes if outcomes.has(Outcomes::NO_MATCH) => Passes::Maybe,
            _ => Passes::Never,
        }
    }

    /// The decision of a stage that may decide and may pass.
    pub(super) fn undecided(self) -> Decision {
        Decision { verdict: Verdict::Indeterminate, clause: self.first, basis: Basis::Undecided }
    }

    pub(super) fn decision(self) -> Decision {
        let verdict = self.outcomes.verdict();
        let (clause, basis) = match verdict {
            Verdict::Indeterminate => (self.first, Basis::Undecided),
            Verdict::Allow | Verdict::Deny => self.closing,
        };
        Decision { verdict, clause, basis }
    }
}

impl<L: Decides> Stage<L> {
    /// What the stage says, given the walk through each of its lists.
    pub(super) fn evaluate_by(&self, walk: &impl Fn(&L) -> Walk) -> Evaluation {
        match self {
            Self::Rules(list) => {
                let walk = walk(list);
                // A clause that passes leaves the decision to others, like a fallback that does.
                let closing = walk.closing.and_then(|index| {
                    let (action, basis) = list.clause(index)?;
                    (action != Action::Pass).then(|| (Some(id_of(list, index)), basis))
                });
                let (_, fallback) = list.fallback();
                Evaluation {
                    outcomes: walk.outcomes,
                    closing: closing.unwrap_or((None, if walk.closing.is_some() { Basis::Default } else { fallback })),
                    first: walk.first.map(|index| id_of(list, index)),
                }
            }
            Self::AllOf(stages) => all_of(stages.iter().map(|stage| stage.evaluate_by(walk))),
            Self::FirstDecisive(stages) => first_decisive(stages.iter().map(|stage| stage.evaluate_by(walk))),
        }
    }
}

impl Stage {
    pub(super) fn evaluate(&self, flow: &Flow) -> Evaluation {
        self.evaluate_by(&|list: &RuleList| list.walk(flow))
    }
}

/// Denied if some stage certainly denies, allowed if all certainly allow, else both stay possible.
fn all_of(stages: impl Iterator<Item = Evaluation>) -> Evaluation {
    let mut allowing: Option<Evaluation> = None;
    let mut open: Option<Evaluation> = None;
    for stage in stages {
        let stage = Evaluation { outcomes: stage.outcomes.closed(), ..stage };
        match stage.outcomes.verdict() {
            Verdict::Deny => return stage,
            // A stage that filters says more about why than one that does not.
            Verdict::Allow => match allowing {
                Some(so_far) if so_far.closing.1 != Basis::Unfiltered => {}
                Some(_) if stage.closing.1 == Basis::Unfiltered => {}
                _ => allowing = Some(stage),
            },
            Verdict::Indeterminate => open = open.or(Some(stage)),
        }
    }
    open.or(allowing).unwrap_or(Evaluation::UNDECIDED)
}

/// Where no match is possible, it is dropped and what the next stage says is added.
fn first_decisive(stages: impl Iterator<Item = Evaluation>) -> Evaluation {
    let mut so_far = Evaluation { outcomes: Outcomes::NONE, ..Evaluation::UNDECIDED };
    for stage in stages {
        so_far.outcomes = so_far.outcomes.and(stage.outcomes.without(Outcomes::NO_MATCH));
        if stage.outcomes != Outcomes::NO_MATCH {
            so_far.first = so_far.first.or(stage.first);
        }
        if !stage.outcomes.has(Outcomes::NO_MATCH) {
            so_far.closing = stage.closing;
            return so_far;
        }
    }
    so_far.outcomes = so_far.outcomes.and(Outcomes::NO_MATCH);
    so_far
}

impl Policy {
    /// The verdict on a flow: the reference evaluation, which defines it. It cannot fail. Linear in
    /// the number of clauses.
    pub fn decide(&self, flow: &Flow) -> Decision {
        self.stage.evaluate(flow).decision()
    }
}

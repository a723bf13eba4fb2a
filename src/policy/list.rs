//! Ranked lists of clauses, and policies made of them.

use std::fmt;

use thiserror::Error;

use super::clause::{Clause, ClauseId};
use super::decide::Verdict;
use super::provenance::{Basis, Missing};
use super::rank::Rank;
use super::space::{Extent, Space};
use crate::net::Direction;

/// What happens to a flow that no clause of a list matches.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fallback {
    /// The answer; `None` leaves it to the next stage, and is a denial where there is none.
    pub verdict: Option<Verdict>,
    /// What the answer rests on: [`Basis::Default`] or [`Basis::Unfiltered`].
    pub basis: Basis,
    /// Why the answer is indeterminate; empty if it is not.
    pub missing: Vec<Missing>,
}

impl Fallback {
    /// What nothing matches is denied.
    pub fn deny() -> Self {
        Self { verdict: Some(Verdict::Deny), basis: Basis::Default, missing: Vec::new() }
    }

    /// What nothing matches is allowed.
    pub fn allow() -> Self {
        Self { verdict: Some(Verdict::Allow), basis: Basis::Default, missing: Vec::new() }
    }

    /// What nothing matches is left to the next stage.
    pub fn pass() -> Self {
        Self { verdict: None, basis: Basis::Default, missing: Vec::new() }
    }

    /// Nothing is filtered (AWS-25).
    pub fn unfiltered() -> Self {
        Self { verdict: Some(Verdict::Allow), basis: Basis::Unfiltered, missing: Vec::new() }
    }

    /// The default depends on what is missing.
    pub fn indeterminate(missing: Vec<Missing>) -> Self {
        Self { verdict: Some(Verdict::Indeterminate), basis: Basis::Default, missing }
    }
}

/// Clauses in the order in which they decide, with what happens when none matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleList {
    pub(super) label: String,
    pub(super) clauses: Vec<Clause>,
    pub(super) fallback: Fallback,
    pub(super) stateful: bool,
    pub(super) unapplied: Vec<Clause>,
    pub(super) remarks: Vec<Remark>,
    /// The id of the first clause; set by the policy that holds the list.
    pub(super) first_id: u32,
}

/// Something outside the list that may stop traffic which the list allows; explanations say so, and
/// verdicts do not depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remark {
    /// The traffic.
    pub space: Space,
    /// The number of the fact that says so.
    pub fact: String,
    /// What it says.
    pub text: String,
}

impl Remark {
    /// A remark on allowed traffic of this space.
    pub fn new(space: Space, fact: impl Into<String>, text: impl Into<String>) -> Self {
        Self { space, fact: fact.into(), text: text.into() }
    }
}

/// Why clauses do not make up a policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Two clauses of one rank have different actions, so their order would decide.
    #[error("clauses of different actions have the same rank {rank}: {first}, and {second}")]
    MixedRank {
        /// The rank.
        rank: Rank,
        /// One clause.
        first: String,
        /// The other.
        second: String,
    },
    /// Stages are about different directions.
    #[error("the stages of a policy are about different directions")]
    MixedDirections,
    /// A combination of no stages means nothing.
    #[error("a policy needs at least one stage")]
    NoStages,
    /// There are more clauses than can be numbered.
    #[error("a policy of {0} clauses is too large; the limit is {limit}", limit = ClauseId::MAX)]
    TooManyClauses(usize),
}

impl RuleList {
    /// Sorts clauses by rank; those of one rank stay in the order given.
    ///
    /// # Errors
    /// [`PolicyError::MixedRank`] if clauses of one rank have different actions.
    pub fn new(label: impl Into<String>, mut clauses: Vec<Clause>, fallback: Fallback) -> Result<Self, PolicyError> {
        clauses.sort_by_key(|clause| clause.rank);
        for pair in clauses.windows(2) {
            if let [first, second] = pair
                && first.rank == second.rank
                && first.action != second.action
            {
                return Err(PolicyError::MixedRank {
                    rank: first.rank,
                    first: format!("{} {}", first.action, first.provenance.text()),
                    second: format!("{} {}", second.action, second.provenance.text()),
                });
            }
        }
        Ok(Self {
            label: label.into(),
            clauses,
            fallback,
            stateful: true,
            unapplied: Vec::new(),
            remarks: Vec::new(),
            first_id: 0,
        })
    }

    /// The same list under another label, which tells it from other stages of a policy.
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same list, whose reply traffic is not tracked but asked for separately (a network ACL).
    pub fn stateless(mut self) -> Self {
        self.stateful = false;
        self
    }

    /// The same list with clauses that another reading of the documents would add; explanations say
    /// where the answer would differ.
    pub fn with_unapplied(mut self, clauses: Vec<Clause>) -> Self {
        self.unapplied = clauses;
        self
    }

    /// The same list with remarks on traffic that it allows.
    pub fn with_remarks(mut self, remarks: Vec<Remark>) -> Self {
        self.remarks = remarks;
        self
    }

    /// What the list is, for people.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The clauses by rank, and within a rank in the engine's order.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// What happens when no clause matches.
    pub fn fallback(&self) -> &Fallback {
        &self.fallback
    }

    /// Whether replies to allowed flows pass without being asked for.
    pub fn is_stateful(&self) -> bool {
        self.stateful
    }
}

/// What is done to the flows of one direction at one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    direction: Direction,
    pub(super) stage: Stage,
}

/// How lists combine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage<L = RuleList> {
    Rules(L),
    AllOf(Vec<Self>),
    FirstDecisive(Vec<Self>),
}

impl Policy {
    /// A policy of one list.
    ///
    /// # Errors
    /// [`PolicyError::TooManyClauses`] if the clauses cannot be numbered in 32 bits.
    pub fn rules(direction: Direction, list: RuleList) -> Result<Self, PolicyError> {
        Self::numbered(direction, Stage::Rules(list))
    }

    /// Allows what every stage allows: security groups and network ACL, or Azure's subnet and
    /// interface. A stage that does not decide denies.
    ///
    /// # Errors
    /// A [`PolicyError`] if there is no stage, or the stages differ in direction.
    pub fn all_of(stages: Vec<Policy>) -> Result<Self, PolicyError> {
        Self::combined(stages, Stage::AllOf)
    }

    /// The first stage that decides, decides; what none decides is denied.
    ///
    /// # Errors
    /// A [`PolicyError`] if there is no stage, or the stages differ in direction.
    pub fn first_decisive(stages: Vec<Policy>) -> Result<Self, PolicyError> {
        Self::combined(stages, Stage::FirstDecisive)
    }

    fn combined(stages: Vec<Policy>, how: fn(Vec<Stage>) -> Stage) -> Result<Self, PolicyError> {
        let direction = stages.first().ok_or(PolicyError::NoStages)?.direction;
        if stages.iter().any(|stage| stage.direction != direction) {
            return Err(PolicyError::MixedDirections);
        }
        Self::numbered(direction, how(stages.into_iter().map(|policy| policy.stage).collect()))
    }

    fn numbered(direction: Direction, mut stage: Stage) -> Result<Self, PolicyError> {
        let mut count = 0_usize;
        stage.for_each_list_mut(&mut |list| {
            list.first_id = u32::try_from(count).unwrap_or(u32::MAX);
            count += list.clauses.len();
        });
        if u32::try_from(count).is_ok_and(|count| count <= ClauseId::MAX) {
            return Ok(Self { direction, stage });
        }
        Err(PolicyError::TooManyClauses(count))
    }

    /// The direction of the flows it is about.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Its lists, in order.
    pub fn lists(&self) -> Vec<&RuleList> {
        let mut lists = Vec::new();
        self.stage.collect_lists(&mut lists);
        lists
    }

    /// The clauses that only one of two policies has, wherever those came from; `None` if the two are of
    /// different shape, so that no clause can be compared, or differ in too much to find out cheaply.
    ///
    /// A flow that none of these clauses can match is touched by the same clauses in both, and gets the
    /// same verdict for the same reasons.
    pub(crate) fn differing<'p>(&'p self, other: &'p Self) -> Option<Vec<&'p Clause>> {
        if self.direction != other.direction || !self.stage.has_shape_of(&other.stage) {
            return None;
        }
        let mut differing = Vec::new();
        for (ours, theirs) in self.lists().into_iter().zip(other.lists()) {
            differing.extend(differing_clauses(&ours.clauses, &theirs.clauses)?);
        }
        Some(differing)
    }

    /// The policy with only those of its clauses that are wanted by number, which get new numbers; the old
    /// number of each comes with it.
    pub(crate) fn with_clauses(&self, wanted: impl Fn(u32) -> bool) -> (Self, Vec<u32>) {
        let mut stage = self.stage.clone();
        let (mut number, mut first, mut kept) = (0, 0, Vec::new());
        stage.for_each_list_mut(&mut |list| {
            list.first_id = first;
            list.clauses.retain(|_| {
                let wanted = wanted(number);
                kept.extend(wanted.then_some(number));
                number += 1;
                wanted
            });
            first += u32::try_from(list.clauses.len()).unwrap_or(u32::MAX);
        });
        (Self { direction: self.direction, stage }, kept)
    }

    /// The clause with this number.
    pub fn clause(&self, id: ClauseId) -> Option<&Clause> {
        self.lists()
            .into_iter()
            .find_map(|list| list.clauses.get(usize::try_from(id.number().checked_sub(list.first_id)?).ok()?))
    }
}

impl Stage {
    fn for_each_list_mut(&mut self, visit: &mut impl FnMut(&mut RuleList)) {
        match self {
            Self::Rules(list) => visit(list),
            Self::AllOf(stages) | Self::FirstDecisive(stages) => {
                for stage in stages {
                    stage.for_each_list_mut(visit);
                }
            }
        }
    }

    fn has_shape_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rules(ours), Self::Rules(theirs)) => ours.fallback == theirs.fallback,
            (Self::AllOf(ours), Self::AllOf(theirs)) | (Self::FirstDecisive(ours), Self::FirstDecisive(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.has_shape_of(b))
            }
            _ => false,
        }
    }

    fn collect_lists<'a>(&'a self, lists: &mut Vec<&'a RuleList>) {
        match self {
            Self::Rules(list) => lists.push(list),
            Self::AllOf(stages) | Self::FirstDecisive(stages) => {
                for stage in stages {
                    stage.collect_lists(lists);
                }
            }
        }
    }
}

/// Up to how many pairs of clauses that stand in different places are compared.
const PAIRS_COMPARED: usize = 1_000_000;

/// The clauses that only one of two lists has.
fn differing_clauses<'p>(ours: &'p [Clause], theirs: &'p [Clause]) -> Option<Vec<&'p Clause>> {
    // Most of two versions stands in the same place, counted from the start or from the end.
    let same = |(a, b): &(&Clause, &Clause)| a.has_form_of(b);
    let start = ours.iter().zip(theirs).take_while(same).count();
    let (ours, theirs) = (ours.get(start..)?, theirs.get(start..)?);
    let end = ours.iter().rev().zip(theirs.iter().rev()).take_while(same).count();
    let (ours, theirs) = (ours.get(..ours.len() - end)?, theirs.get(..theirs.len() - end)?);
    if ours.len().saturating_mul(theirs.len()) > PAIRS_COMPARED {
        return None;
    }
    let mut left: Vec<&Clause> = theirs.iter().collect();
    let mut differing = Vec::new();
    for clause in ours {
        match left.iter().position(|other| clause.has_form_of(other)) {
            Some(place) => drop(left.swap_remove(place)),
            None => differing.push(clause),
        }
    }
    differing.extend(left);
    Some(differing)
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for list in self.lists() {
            writeln!(f, "{} ({})", list.label, self.direction)?;
            for clause in &list.clauses {
                writeln!(
                    f,
                    "  {} {}{} {} [{}]",
                    clause.rank,
                    if matches!(clause.extent, Extent::Exact(_)) { "" } else { "perhaps " },
                    clause.action,
                    clause.provenance.text(),
                    clause.provenance
                )?;
            }
            match list.fallback.verdict {
                Some(verdict) => writeln!(f, "  otherwise {verdict}")?,
                None => writeln!(f, "  otherwise the next stage")?,
            }
        }
        Ok(())
    }
}

//! Two policies held against each other: every packet, not samples.

use serde::Serialize;

use super::decided::{Decided, joined};
use super::layer;
use super::limits::{Budget, SetError, SetLimits};
use super::packet_set::PacketSet;
use crate::net::Flow;
use crate::policy::{Decision, Policy, Space, Verdict};

/// Whether something holds of two policies for every packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
#[must_use]
pub enum Answer<C = Counterexample> {
    /// It holds for every packet.
    Holds,
    /// It does not, as this shows.
    Fails(C),
    /// Nothing disproves it, but what the data leaves open can, as this shows.
    Unknown(C),
}

/// A packet for which something does not hold, and what both policies decide on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counterexample {
    /// The packet.
    pub flow: Flow,
    /// What the first policy decides, with the clause.
    pub ours: Decision,
    /// What the second policy decides, with the clause.
    pub theirs: Decision,
}

/// Packets that two policies decide differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The decision of the first.
    pub before: Decision,
    /// The decision of the second.
    pub after: Decision,
    /// The packets.
    pub packets: PacketSet,
}

/// The packets whose verdicts differ between two policies, by what owned them before and owns them after.
///
/// As [`Decided::changes`] of both, but where few clauses differ only the packets that these can match are
/// looked at, so that small changes of large policies cost little.
///
/// # Errors
/// [`SetError`] if the packets that are looked at have too many cells.
pub fn changes(before: &Policy, after: &Policy) -> Result<Vec<Change>, SetError> {
    match decided_where_different(before, after)? {
        Some((before, after)) => before.changes(&after),
        None => Ok(Vec::new()),
    }
}

/// Up to how many clauses that differ only the packets that these can match are looked at.
const CONFINED: usize = 64;

/// What two policies decide wherever that may differ; nothing if no clause does.
pub(crate) fn decided_where_different(before: &Policy, after: &Policy) -> Result<Option<(Decided, Decided)>, SetError> {
    let Some(differing) = before.differing(after).filter(|clauses| clauses.len() <= CONFINED) else {
        return Ok(Some((Decided::new(before)?, Decided::new(after)?)));
    };
    if differing.is_empty() {
        return Ok(None);
    }
    let spaces: Vec<&Space> = differing.iter().map(|clause| clause.extent.possible()).collect();
    Ok(Some((Decided::in_spaces(before, &spaces)?, Decided::in_spaces(after, &spaces)?)))
}

impl<C> Answer<C> {
    /// Whether it holds for every packet.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds)
    }

    /// The packet that shows that it does not hold, or may not.
    pub fn counterexample(&self) -> Option<&C> {
        match self {
            Self::Holds => None,
            Self::Fails(counterexample) | Self::Unknown(counterexample) => Some(counterexample),
        }
    }
}

impl Decided {
    /// Whether the other allows every packet that this one allows.
    ///
    /// # Errors
    /// [`SetError`] if the two together have too many cells.
    pub fn implies(&self, other: &Self) -> Result<Answer, SetError> {
        self.ask(other, |ours, theirs| match (ours, theirs) {
            (Verdict::Deny, _) | (_, Verdict::Allow) => Finding::Fine,
            (Verdict::Allow, Verdict::Deny) => Finding::Wrong,
            _ => Finding::Open,
        })
    }

    /// Whether both decide every packet the same way. What is indeterminate in one of them may differ.
    ///
    /// # Errors
    /// As [`Decided::implies`].
    pub fn equivalent(&self, other: &Self) -> Result<Answer, SetError> {
        self.ask(other, |ours, theirs| match (ours, theirs) {
            (Verdict::Indeterminate, _) | (_, Verdict::Indeterminate) => Finding::Open,
            (ours, theirs) if ours == theirs => Finding::Fine,
            _ => Finding::Wrong,
        })
    }

    /// Whether no packet is allowed by both.
    ///
    /// # Errors
    /// As [`Decided::implies`].
    pub fn disjoint(&self, other: &Self) -> Result<Answer, SetError> {
        self.ask(other, |ours, theirs| match (ours, theirs) {
            (Verdict::Deny, _) | (_, Verdict::Deny) => Finding::Fine,
            (Verdict::Allow, Verdict::Allow) => Finding::Wrong,
            _ => Finding::Open,
        })
    }

    /// Whether allow, deny and indeterminate are the same sets, whatever brings them about.
    ///
    /// # Errors
    /// As [`Decided::implies`].
    pub fn same_verdicts(&self, other: &Self) -> Result<bool, SetError> {
        let verdicts =
            |decided: &Self| (layer::map(&decided.v4, |d| d.verdict), layer::map(&decided.v6, |d| d.verdict));
        Ok(verdicts(self) == verdicts(other))
    }

    /// The packets whose verdicts differ, by what owned them before and owns them after.
    ///
    /// # Errors
    /// As [`Decided::implies`].
    pub fn changes(&self, after: &Self) -> Result<Vec<Change>, SetError> {
        let both = |before: Decision, after: Decision| before.verdict != after.verdict;
        self.pairs(after, both)
    }

    /// The packets whose pair of decisions is such, by the pair.
    pub(crate) fn pairs(
        &self,
        after: &Self,
        wanted: impl Fn(Decision, Decision) -> bool,
    ) -> Result<Vec<Change>, SetError> {
        let mut budget = Budget::new(SetLimits::DEFAULT);
        let mut pair = |before: &Decision, after: &Decision| wanted(*before, *after).then_some((*before, *after));
        let v4 = layer::zip(&self.v4, &after.v4, &mut budget, &mut pair)?;
        let v6 = layer::zip(&self.v6, &after.v6, &mut budget, &mut pair)?;
        let labelled = joined(layer::by_label(&v4), layer::by_label(&v6)).into_iter();
        Ok(labelled
            .filter_map(|(pair, packets)| pair.map(|(before, after)| Change { before, after, packets }))
            .collect())
    }

    fn ask(&self, other: &Self, judge: impl Fn(Verdict, Verdict) -> Finding) -> Result<Answer, SetError> {
        let mut budget = Budget::new(SetLimits::DEFAULT);
        let mut judged = |ours: &Decision, theirs: &Decision| judge(ours.verdict, theirs.verdict);
        let v4 = layer::zip(&self.v4, &other.v4, &mut budget, &mut judged)?;
        let v6 = layer::zip(&self.v6, &other.v6, &mut budget, &mut judged)?;
        let example = |wanted: Finding| {
            let packets = PacketSet {
                v4: layer::map(&v4, |finding| *finding == wanted),
                v6: layer::map(&v6, |finding| *finding == wanted),
            };
            let flow = packets.witness()?;
            Some(Counterexample { flow, ours: self.decision(&flow)?, theirs: other.decision(&flow)? })
        };
        Ok(match (example(Finding::Wrong), example(Finding::Open)) {
            (Some(wrong), _) => Answer::Fails(wrong),
            (None, Some(open)) => Answer::Unknown(open),
            (None, None) => Answer::Holds,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    Fine,
    Wrong,
    Open,
}

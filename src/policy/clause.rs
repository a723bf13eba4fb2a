//! A clause: one entry of a policy.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Serialize, Serializer};

use super::provenance::{Missing, Provenance};
use super::rank::Rank;
use super::space::{Extent, Field, FieldSet, Space};
use crate::model::Action;
use crate::net::Flow;

/// The number of a clause within its policy: lists in order, and within a list by rank, then by the
/// order in which the engine gave them.
///
/// One more than the number is stored, so that an `Option<ClauseId>` takes no more room and a
/// [`Decision`](super::Decision) has 8 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClauseId(NonZeroU32);

impl ClauseId {
    /// The greatest number that a clause can have.
    pub const MAX: u32 = u32::MAX - 1;

    /// The clause with this number, from 0; `None` past [`ClauseId::MAX`].
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::MIN.checked_add(number) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    /// The clause with this number; policies have no numbers past [`ClauseId::MAX`].
    pub(super) fn within(number: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(number))
    }

    /// The number, from 0.
    pub const fn number(self) -> u32 {
        self.0.get() - 1
    }
}

impl fmt::Debug for ClauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClauseId({})", self.number())
    }
}

impl fmt::Display for ClauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number())
    }
}

/// As its number.
impl Serialize for ClauseId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.number())
    }
}

/// One entry of a policy: what is done to which flows, and at which rank.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Clause {
    /// Where it stands.
    pub rank: Rank,
    /// What it does.
    pub action: Action,
    /// The flows it is about.
    pub extent: Extent,
    /// Where it came from.
    pub provenance: Provenance,
    /// Why the extent is not exact; empty if it is.
    pub missing: Vec<Missing>,
    /// Whether documents disagree on this clause.
    pub dispute: Option<Dispute>,
}

/// The documents disagree on whether a clause exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dispute {
    /// The number of the fact that describes the disagreement, such as `AMB-1`.
    pub fact: String,
    /// What the readings are and which one is taken.
    pub text: String,
}

/// How a clause stands to a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Touch {
    /// It does not match.
    No,
    /// It may match; what is not known decides.
    May,
    /// It matches.
    Certain,
}

impl Clause {
    /// A clause that matches exactly the flows of a space.
    pub fn new(rank: Rank, action: Action, space: Space, provenance: Provenance) -> Self {
        Self { rank, action, extent: Extent::Exact(space), provenance, missing: Vec::new(), dispute: None }
    }

    /// A clause whose extent depends on what is missing.
    pub fn partial(rank: Rank, action: Action, extent: Extent, provenance: Provenance, missing: Vec<Missing>) -> Self {
        Self { rank, action, extent, provenance, missing, dispute: None }
    }

    /// The same clause, marked as disputed.
    pub fn disputed(mut self, dispute: Dispute) -> Self {
        self.dispute = Some(dispute);
        self
    }

    /// Whether the two match the same flows in the same place and do the same to them, wherever they came
    /// from.
    pub(crate) fn has_form_of(&self, other: &Self) -> bool {
        (self.rank, self.action, &self.missing) == (other.rank, other.action, &other.missing)
            && self.extent == other.extent
    }

    /// Whether the clause matches the flow.
    pub fn touch(&self, flow: &Flow) -> Touch {
        let possible = self.extent.possible().fit(flow);
        if !possible.failed.is_empty() {
            return Touch::No;
        }
        let certain = match &self.extent {
            Extent::Exact(_) => possible.unknown.is_empty(),
            // What of it lies outside the possible extent does not count, and a flow that leaves something
            // open may lie there.
            Extent::Partial { certain: Some(space), .. } => {
                let fit = space.fit(flow);
                possible.unknown.is_empty() && fit.failed.is_empty() && fit.unknown.is_empty()
            }
            Extent::Partial { certain: None, .. } => false,
        };
        if certain { Touch::Certain } else { Touch::May }
    }

    /// The fields of the flow that keep the clause from matching; empty if it matches or may match.
    pub fn mismatch(&self, flow: &Flow) -> FieldSet {
        self.extent.possible().fit(flow).failed
    }

    /// What would tell whether a clause that may match does match.
    pub(crate) fn missing_for(&self, flow: &Flow) -> Vec<Missing> {
        let unknown = self.extent.possible().fit(flow).unknown;
        let mut missing = self.missing.clone();
        if unknown.contains(Field::SourcePort) {
            missing.push(Missing::SourcePort);
        }
        if unknown.contains(Field::Local) {
            missing.push(Missing::LocalAddress);
        }
        missing
    }
}

//! A clause: one entry of a policy.

use std::fmt;

use serde::Serialize;

use super::provenance::{Missing, Provenance};
use super::rank::Rank;
use super::space::{Extent, Field, FieldSet, Space};
use crate::model::Action;
use crate::net::Flow;

/// The number of a clause within its policy: lists in order, and within a list by rank, then by the
/// order in which the engine gave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ClauseId(pub u32);

impl fmt::Display for ClauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// Whether the clause matches the flow.
    pub fn touch(&self, flow: &Flow) -> Touch {
        let possible = self.extent.possible().fit(flow);
        if !possible.failed.is_empty() {
            return Touch::No;
        }
        let certain = match &self.extent {
            Extent::Exact(_) => possible.unknown.is_empty(),
            Extent::Partial { certain: Some(space), .. } => {
                let fit = space.fit(flow);
                fit.failed.is_empty() && fit.unknown.is_empty()
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

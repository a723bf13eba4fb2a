//! Why an analysis cannot be made.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::engine::LowerError;
use crate::model::{GroupId, InterfaceId, InventoryError, PrefixListId};
use crate::net::Direction;
use crate::set::SetError;

/// What an analysis is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// An interface with all its groups.
    Interface(InterfaceId),
    /// A group by itself.
    Group(GroupId),
    /// A prefix list.
    PrefixList(PrefixListId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(id) => write!(f, "the interface `{id}`"),
            Self::Group(id) => write!(f, "the group `{id}`"),
            Self::PrefixList(id) => write!(f, "the prefix list `{id}`"),
        }
    }
}

/// Why an analysis cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// The configuration cannot be lowered.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// There is no such group.
    #[error("there is no group `{0}`")]
    NoGroup(GroupId),
    /// The policy of a subject, or two of them together, cut the packets into too many parts.
    #[error("{subject}, {direction}: {source}")]
    Set {
        /// The subject.
        subject: Subject,
        /// The direction.
        direction: Direction,
        /// What is too much.
        source: SetError,
    },
    /// A group cannot stand by itself.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
}

impl AnalysisError {
    /// Says which subject and direction a set is about.
    pub(super) fn of_set(subject: &Subject, direction: Direction) -> impl FnOnce(SetError) -> Self {
        let subject = subject.clone();
        move |source| Self::Set { subject, direction, source }
    }
}

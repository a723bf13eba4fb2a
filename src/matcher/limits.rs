//! What a matcher may cost to build, and what happens beyond.

use thiserror::Error;

use super::Kind;

/// What building one matcher may cost. Beyond, a kind is refused: the chooser takes the next, and a
/// kind that was asked for is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of tables, while building and afterwards, each counted on its own.
    pub bytes: usize,
    /// Elementary steps, of which a core makes hundreds of millions in a second.
    pub steps: u64,
}

impl Limits {
    /// These limits; the defaults are 256 MiB and 150 million steps, a quarter of a second or so.
    pub const fn new(bytes: usize, steps: u64) -> Self {
        Self { bytes, steps }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(256 << 20, 150_000_000)
    }
}

/// Why a matcher was not built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The tables would take more bytes than allowed.
    #[error("the tables of a {kind} matcher for {clauses} clauses take more than {limit} bytes")]
    TooLarge {
        /// The kind.
        kind: Kind,
        /// Clauses of the policy.
        clauses: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Building would take more steps than allowed.
    #[error("building a {kind} matcher for {clauses} clauses takes more than {limit} steps")]
    TooSlow {
        /// The kind.
        kind: Kind,
        /// Clauses of the policy.
        clauses: usize,
        /// The limit in steps.
        limit: u64,
    },
    /// There are more classes of addresses or services than the tables of the kind can name.
    #[error("a {kind} matcher cannot name all classes of addresses or services of {clauses} clauses")]
    TooManyClasses {
        /// The kind.
        kind: Kind,
        /// Clauses of the policy.
        clauses: usize,
    },
}

/// What is left while building.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    kind: Kind,
    clauses: usize,
    bytes: usize,
    steps: u64,
}

impl Budget {
    pub(super) fn new(limits: Limits, kind: Kind, clauses: usize) -> Self {
        Self { limits, kind, clauses, bytes: 0, steps: 0 }
    }

    #[cfg(test)]
    pub(super) fn unlimited() -> Self {
        Self::new(Limits::new(usize::MAX, u64::MAX), Kind::Compact, 0)
    }

    /// Takes so many steps and one more.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), BuildError> {
        self.steps = self.steps.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)).saturating_add(1);
        let (kind, clauses, limit) = (self.kind, self.clauses, self.limits.steps);
        if self.steps > limit { Err(BuildError::TooSlow { kind, clauses, limit }) } else { Ok(()) }
    }

    /// Keeps so many bytes until the matcher is built.
    pub(super) fn keep(&mut self, bytes: usize) -> Result<(), BuildError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.bytes { Err(self.too_large()) } else { Ok(()) }
    }

    pub(super) fn too_large(&self) -> BuildError {
        BuildError::TooLarge { kind: self.kind, clauses: self.clauses, limit: self.limits.bytes }
    }

    /// Gives so many bytes back.
    pub(super) fn release(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn too_many_classes(&self) -> BuildError {
        BuildError::TooManyClasses { kind: self.kind, clauses: self.clauses }
    }
}

//! How much may be spent on a set.

use thiserror::Error;

/// What sets may cost. A set of boxes can have as many cells as the product of what each dimension is
/// cut into, so a few hundred hostile rules can ask for billions of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetLimits {
    /// The most cells that one computation may make. A cell takes 12 bytes over IPv4 and up to 32 over
    /// IPv6. The steps of the computation are limited to [`SetLimits::STEPS_PER_CELL`] times as many.
    pub cells: usize,
}

impl SetLimits {
    /// Four million cells, at most about 128 MiB.
    pub const DEFAULT: Self = Self { cells: 4_000_000 };

    /// How many elementary steps may be made for each cell that is allowed.
    pub const STEPS_PER_CELL: usize = 64;

    /// As many cells as this.
    pub const fn of_cells(cells: usize) -> Self {
        Self { cells }
    }
}

impl Default for SetLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A set would cost more than is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SetError {
    /// There are too many cells.
    #[error("the set has more than {limit} cells, the limit")]
    TooManyCells {
        /// The limit.
        limit: usize,
    },
    /// There are too many steps to make.
    #[error("computing the set takes more than {limit} steps, the limit for {cells} cells")]
    TooManySteps {
        /// The limit.
        limit: usize,
        /// The limit on cells that it follows from.
        cells: usize,
    },
}

/// What is left to spend.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: SetLimits,
    cells: usize,
    steps: usize,
}

impl Budget {
    pub(crate) fn new(limits: SetLimits) -> Self {
        Self { limits, cells: 0, steps: 0 }
    }

    /// Spends cells.
    pub(crate) fn cells(&mut self, count: usize) -> Result<(), SetError> {
        self.cells = self.cells.saturating_add(count);
        if self.cells > self.limits.cells {
            return Err(SetError::TooManyCells { limit: self.limits.cells });
        }
        Ok(())
    }

    /// Spends steps.
    pub(crate) fn steps(&mut self, count: usize) -> Result<(), SetError> {
        self.steps = self.steps.saturating_add(count);
        let limit = self.limits.cells.saturating_mul(SetLimits::STEPS_PER_CELL);
        if self.steps > limit {
            return Err(SetError::TooManySteps { limit, cells: self.limits.cells });
        }
        Ok(())
    }
}

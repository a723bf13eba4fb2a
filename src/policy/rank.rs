//! The order in which clauses decide.

use std::fmt;

use crate::model::Action;

/// Where a clause stands; the smallest rank that matches a flow decides it.
///
/// Compared by tier, then by order within the tier, then by the tie-break. Tiers keep apart what a
/// provider evaluates in blocks: traffic that is never filtered, implied clauses, rules.
///
/// ```
/// use secgroup::model::Action;
/// use secgroup::policy::Rank;
///
/// // Alibaba Cloud: priority first, and at equal priority drop before accept (ALI-1).
/// let drop_5 = Rank::new(2, 5).deny_first(Action::Deny);
/// let accept_5 = Rank::new(2, 5).deny_first(Action::Allow);
/// let accept_1 = Rank::new(2, 1).deny_first(Action::Allow);
/// assert!(accept_1 < drop_5 && drop_5 < accept_5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    tier: u16,
    order: u64,
    tie: u8,
}

impl Rank {
    /// The best rank of all, ahead of those of the same tier and order that have a tie-break.
    pub const FIRST: Self = Self::new(0, 0);

    /// A rank in this tier at this place of the order; smaller is better in both.
    pub const fn new(tier: u16, order: u64) -> Self {
        Self { tier, order, tie: 0 }
    }

    /// The same rank with ties broken in favour of denying: at equal tier and order, deny stands
    /// before pass, pass before allow (deny-overrides).
    pub const fn deny_first(self, action: Action) -> Self {
        let tie = match action {
            Action::Deny => 1,
            Action::Pass => 2,
            Action::Allow => 3,
        };
        Self { tie, ..self }
    }

    /// The same rank with ties broken in favour of allowing (permit-overrides).
    pub const fn allow_first(self, action: Action) -> Self {
        let tie = match action {
            Action::Allow => 1,
            Action::Pass => 2,
            Action::Deny => 3,
        };
        Self { tie, ..self }
    }

    /// Whether only the tie-break tells the two apart.
    pub fn ties_with(self, other: Self) -> bool {
        (self.tier, self.order) == (other.tier, other.order)
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.tier, self.order, self.tie)
    }
}

//! The codes of findings; the ids of controls come beside them.

/// A rule that never decides: better ones are always ahead of it.
pub const SHADOWED: &str = "shadowed-rule";
/// A rule without which everything is decided the same way, by other rules.
pub const REDUNDANT: &str = "redundant-rule";
/// A rule without which everything is decided the same way, by the default: it filters nothing. On Alibaba
/// Cloud egress accepts of a basic group are such (trap 1 of its facts).
pub const REDUNDANT_DEFAULT: &str = "redundant-under-default";
/// A rule that matches no packet.
pub const NEVER_MATCHES: &str = "never-matching-rule";
/// Rules of one priority and opposite actions that match the same packets.
pub const TIE: &str = "conflicting-tie";
/// Rules of opposite actions that overlap, neither of which has all of the other.
pub const CORRELATED: &str = "correlated-rules";
/// A reference that the data says is dead (AWS-44).
pub const STALE: &str = "stale-reference";
/// A reference whose addresses or ports are not known from the data.
pub const UNRESOLVED: &str = "unresolved-reference";
/// A group that no interface has and no rule refers to.
pub const UNUSED: &str = "unused-group";
/// A group that no interface has, but a rule refers to.
pub const UNATTACHED: &str = "unattached-group";
/// Groups of one network that mean the same (AWS-118).
pub const EQUAL_GROUPS: &str = "equal-groups";
/// More than the cloud's quota.
pub const OVER_QUOTA: &str = "over-quota";
/// Anywhere is reached by several rules together, none of which is anywhere by itself.
pub const SPLIT_ANYWHERE: &str = "split-anywhere";
/// A subject whose policy is too complex to be analysed within the limits.
pub const NOT_ANALYSED: &str = "not-analysed";

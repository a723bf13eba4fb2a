//! The one form that everything else reads: clauses with a rank, of which the smallest rank that
//! matches a flow decides it.
//!
//! Whatever a cloud calls it (priority, rule number, deny wins, most permissive), it is a total
//! preorder on the rules that match. An engine writes that order into [`Rank`]s, tie-breaks
//! included, so clauses of one rank always have one action. That is the whole semantics. No provider's
//! semantics are here; only [`Missing`] has words for what providers' documents may leave out.
//!
//! # Three values
//!
//! What the data cannot tell is part of the form. A [`Clause`] has two extents: the flows that it
//! certainly matches and those that it possibly matches. Evaluating a [`RuleList`] walks from the
//! best rank and collects what may come out: a clause that may match adds its action, one that
//! certainly matches adds it and ends the walk, and at the end stands the fallback. One outcome left
//! is the verdict; two are [`Verdict::Indeterminate`].
//!
//! Lists combine into a [`Policy`]: [`Policy::all_of`] allows what every stage allows,
//! [`Policy::first_decisive`] takes the first stage that decides.
//!
//! The evaluation here is the reference: linear, never optimised, the definition that every faster
//! reader must equal.

mod clause;
mod decide;
mod explain;
mod explain_text;
mod list;
mod outline;
mod provenance;
mod rank;
pub(crate) mod service;
mod space;

pub use clause::{Clause, ClauseId, Dispute, Touch};
pub use decide::{Decision, Passes, Verdict};
pub use explain::{ClauseReport, Explanation, FieldMiss, NearMiss, Note, OtherMatch, WhyNot};
pub use list::{Fallback, Policy, PolicyError, Remark, RuleList};
pub(crate) use outline::Outline;
pub use provenance::{Basis, Missing, Provenance, RuleOrigin};
pub use rank::Rank;
pub use space::{Extent, Field, FieldSet, Fit, Selector, Space};

//! Provider semantics, the only place that has any: what was configured is lowered into ranked
//! clauses.
//!
//! [`AwsEngine`] and [`AlibabaEngine`] come with the crate. Another provider is another
//! implementation of [`PolicyEngine`], in a few lines: say where a rule stands ([`PolicyEngine::rank`]),
//! what the provider cannot hold ([`PolicyEngine::admit`]), what it adds ([`PolicyEngine::implied`])
//! and what happens when nothing matches ([`PolicyEngine::fallback`]).

mod alibaba;
mod aws;
mod exempt;
mod lower;
mod path;
mod resolve;
mod scope;

use std::fmt;

use thiserror::Error;

pub use alibaba::{AlibabaEngine, IntraGroupEgress, LoadBalancerTraffic};
pub use aws::AwsEngine;
pub use exempt::{ExemptRemote, Exemption};
#[cfg(feature = "fleet")]
pub(crate) use path::both_ends;
pub use path::{PathEnd, PathError, PathReport, Probe, path};
pub use scope::{Attachment, RuleSite, Scope};

use crate::model::{Action, GroupId, InterfaceId, RuleId, SecurityGroup};
use crate::policy::{Clause, Fallback, Policy, PolicyError, Rank, Remark, RuleList};

/// Turns what a provider's rules say into clauses that everyone downstream can read.
///
/// The trait is open and dyn-safe. An implementation owes this: rules that get the same rank in one
/// policy have the same action, so a provider's tie-break is part of the rank.
pub trait PolicyEngine: fmt::Debug + Send + Sync {
    /// What the engine is called, for messages.
    fn name(&self) -> &'static str;

    /// Where this rule stands; the smallest rank that matches a flow decides it.
    fn rank(&self, site: &RuleSite<'_>) -> Rank;

    /// Refuses groups that are not the provider's.
    ///
    /// # Errors
    /// [`Unsupported`] with the reason in words.
    fn admit_group(&self, _group: &SecurityGroup) -> Result<(), Unsupported> {
        Ok(())
    }

    /// Refuses rules that the provider cannot hold, such as a deny in an AWS group.
    ///
    /// # Errors
    /// [`Unsupported`] with the reason in words.
    fn admit(&self, _site: &RuleSite<'_>) -> Result<(), Unsupported> {
        Ok(())
    }

    /// Clauses that nobody wrote: members of one Alibaba group reach each other, a provider's
    /// default rules, traffic that is never filtered.
    fn implied(&self, _scope: &Scope<'_>) -> Vec<Clause> {
        Vec::new()
    }

    /// Clauses that another reading of the documents would imply. They do not decide; explanations
    /// tell where they would.
    fn unapplied(&self, _scope: &Scope<'_>) -> Vec<Clause> {
        Vec::new()
    }

    /// What else may stop traffic that the rules allow; explanations say so, verdicts do not depend
    /// on it.
    fn remarks(&self, _scope: &Scope<'_>) -> Vec<Remark> {
        Vec::new()
    }

    /// The actions and best ranks that rules can have which exist but were not loaded. By default
    /// both, ahead of everything but clauses at [`Rank::FIRST`].
    fn unknown_ranks(&self) -> Vec<(Action, Rank)> {
        [Action::Deny, Action::Allow].map(|action| (action, Rank::FIRST.deny_first(action))).to_vec()
    }

    /// The answer when no clause matches; see [`Fallback::pass`] for leaving it to the next stage.
    fn fallback(&self, _scope: &Scope<'_>) -> Fallback {
        Fallback::deny()
    }

    /// What to call a rule that has no id of the provider's; by default `GROUP/DIRECTION#INDEX`,
    /// counted from 0 within the group and direction.
    fn rule_name(&self, site: &RuleSite<'_>) -> RuleId {
        RuleId::from(format!("{}/{}#{}", site.group.id, site.rule.direction, site.index))
    }

    /// All rules of the attached groups and all that is implied, in one list: the default lowering,
    /// for engines whose policies have several such stages.
    ///
    /// # Errors
    /// As [`PolicyEngine::lower`].
    fn rule_list(&self, scope: &Scope<'_>) -> Result<RuleList, LowerError> {
        lower::rule_list(self, scope)
    }

    /// How the attached groups make up the policy; by default the one list of
    /// [`PolicyEngine::rule_list`].
    ///
    /// # Errors
    /// [`LowerError`] if a rule cannot be held by the provider or the ranks contradict themselves.
    fn lower(&self, scope: &Scope<'_>) -> Result<Policy, LowerError> {
        Ok(Policy::rules(scope.direction, self.rule_list(scope)?)?)
    }
}

/// A rule says something that the provider cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unsupported(pub String);

impl Unsupported {
    /// The reason in words.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Why a configuration cannot be lowered into a policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LowerError {
    /// There is no such interface.
    #[error("there is no interface `{0}`")]
    NoInterface(InterfaceId),
    /// A rule says something that the provider cannot hold.
    #[error("the {engine} engine cannot hold the rule `{rule}` of the group `{group}`: {reason}")]
    Unsupported {
        /// The engine.
        engine: &'static str,
        /// The group.
        group: GroupId,
        /// The rule's id or name.
        rule: RuleId,
        /// The reason.
        reason: Unsupported,
    },
    /// A group is not the provider's.
    #[error("the {engine} engine cannot hold the group `{group}`: {reason}")]
    Group {
        /// The engine.
        engine: &'static str,
        /// The group.
        group: GroupId,
        /// The reason.
        reason: Unsupported,
    },
    /// The interface has groups in a way that the provider cannot hold.
    #[error("the {engine} engine cannot hold the groups of the interface `{interface}`: {reason}")]
    Groups {
        /// The engine.
        engine: &'static str,
        /// The interface.
        interface: InterfaceId,
        /// The reason.
        reason: Unsupported,
    },
    /// The clauses do not make up a policy: the engine gave contradicting ranks.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

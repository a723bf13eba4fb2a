//! Findings about rules that do nothing.

use super::codes;
use super::finding::Finding;
use crate::analysis::error::Subject;
use crate::analysis::severity::Severity;
use crate::analysis::superfluous::{IdleRule, Idleness, Superfluous};
use crate::model::{Action, RuleId};
use crate::net::Direction;
use crate::policy::{Clause, ClauseId, Policy};
use crate::set::PacketSet;

/// Where a policy comes from.
#[derive(Debug, Clone)]
pub(super) struct Where<'a> {
    pub(super) subject: &'a Subject,
    pub(super) direction: Direction,
    /// Whether addresses are those of packets; otherwise some stand for references.
    pub(super) addresses: bool,
}

/// The findings about the rules of a policy that do nothing.
pub(super) fn findings(at: &Where<'_>, policy: &Policy, superfluous: &Superfluous) -> Vec<Finding> {
    superfluous.idle.iter().filter_map(|idle| finding(at, policy, idle)).collect()
}

/// The ids of the rules that can go together.
pub(super) fn removable(policy: &Policy, superfluous: &Superfluous) -> Vec<RuleId> {
    let rule = |clause: &ClauseId| Some(policy.clause(*clause)?.provenance.rule()?.rule.clone());
    superfluous.removable.iter().filter_map(rule).collect()
}

fn finding(at: &Where<'_>, policy: &Policy, idle: &IdleRule) -> Option<Finding> {
    let clause = policy.clause(idle.clause)?;
    let origin = clause.provenance.rule()?;
    let covers: Vec<&Clause> = idle.covered_by.iter().filter_map(|id| policy.clause(*id)).collect();
    let rule = format!("`{}` ({} {})", origin.rule, clause.action, origin.text);
    let names = |clauses: &[&Clause]| listed(clauses.iter().map(|clause| name(clause)));
    let (code, severity, message) = match idle.idleness {
        Idleness::NeverMatches => {
            let unsettled = clause.extent.possible().remote.is_empty();
            let why = if unsettled {
                "it refers to no address"
            } else {
                "its protocol does not go with the family of its addresses"
            };
            // A reference without members may get some.
            let severity = if unsettled { Severity::Info } else { Severity::Warning };
            (codes::NEVER_MATCHES, severity, format!("{rule} matches no packet: {why}"))
        }
        Idleness::Shadowed => {
            let how = if covers.len() == 1 { "always ahead of it" } else { "together always ahead of it" };
            (codes::SHADOWED, Severity::Warning, format!("{rule} never decides: {} {how}", with_verb(&covers)))
        }
        Idleness::Redundant if idle.default_covers && covers.iter().all(|c| c.provenance.rule().is_none()) => {
            let message = format!("{rule} filters nothing: without it the default does the same");
            // What denies may stand there for when other groups join; what allows is often taken for a limit.
            let severity = if clause.action == Action::Deny { Severity::Info } else { Severity::Warning };
            (codes::REDUNDANT_DEFAULT, severity, message)
        }
        Idleness::Redundant => {
            let default = if idle.default_covers { " and the default" } else { "" };
            let verb = if covers.len() == 1 && !idle.default_covers { "does" } else { "do" };
            let message = format!("{rule} can go: {}{default} {verb} the same for all that it matches", names(&covers));
            // What another group does here it may not do elsewhere.
            let own = covers.iter().all(|cover| cover.provenance.rule().is_some_and(|rule| rule.group == origin.group));
            let spare = clause.action == Action::Deny && idle.default_covers;
            (codes::REDUNDANT, if own && !spare { Severity::Warning } else { Severity::Info }, message)
        }
    };
    let rules = std::iter::once(origin.rule.clone())
        .chain(covers.iter().filter_map(|cover| Some(cover.provenance.rule()?.rule.clone())))
        .collect();
    let packets = at.addresses.then(|| PacketSet::from(clause.extent.possible()));
    let suggestion = match (idle.idleness, at.subject) {
        (Idleness::Shadowed, _) if covers.iter().all(|cover| cover.provenance.rule().is_none()) => {
            format!("remove `{}`; no rule comes ahead of what covers it", origin.rule)
        }
        (Idleness::Shadowed, _) => {
            format!("remove `{}`, or see that it comes ahead of what covers it if it is meant", origin.rule)
        }
        (_, Subject::Interface(_)) => format!("remove `{}` if other interfaces do not need it", origin.rule),
        _ => format!("remove `{}`", origin.rule),
    };
    Some(
        Finding::new(code, severity, at.subject.clone(), message)
            .in_direction(at.direction)
            .about(rules)
            .suggesting(suggestion)
            .shown_by(packets),
    )
}

/// What to call a clause.
pub(super) fn name(clause: &Clause) -> String {
    match clause.provenance.rule() {
        Some(origin) => format!("`{}`", origin.rule),
        None => clause.provenance.to_string(),
    }
}

/// The first few, and how many more there are.
pub(super) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 6;
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<String> = names.take(SHOWN).collect();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn with_verb(clauses: &[&Clause]) -> String {
    let verb = if clauses.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", listed(clauses.iter().map(|clause| name(clause))))
}

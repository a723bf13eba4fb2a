//! Findings about rules of opposite actions that match the same packets.

use std::collections::BTreeMap;

use super::codes;
use super::finding::Finding;
use super::idle::{Where, listed, name};
use crate::analysis::ground::Ground;
use crate::analysis::overlap::{Opposed, opposed};
use crate::analysis::severity::Severity;
use crate::policy::{Clause, ClauseId, Policy};
use crate::set::{PacketSet, SetError};

/// One finding for each rule that ties with others, and for each that overlaps others without either having
/// all of the other. Others that have all of it, or of which it has all, are exceptions, which is what
/// priorities are for; if they are ahead of it, it is shadowed.
pub(super) fn findings(at: &Where<'_>, policy: &Policy, ground: Ground<'_>) -> Result<Vec<Finding>, SetError> {
    let mut ties: BTreeMap<ClauseId, Vec<ClauseId>> = BTreeMap::new();
    let mut correlated: BTreeMap<ClauseId, Vec<ClauseId>> = BTreeMap::new();
    for Opposed { better, worse, nested, tie } in opposed(policy, ground)? {
        if tie {
            ties.entry(worse).or_default().push(better);
        } else if !nested {
            correlated.entry(worse).or_default().push(better);
        }
    }
    let tie = |worse: ClauseId, better: &[ClauseId]| {
        let message = |rule: &str, others: &str| {
            format!(
                "{rule} has the priority of {others}, which does the opposite with some of the same packets and wins the tie"
            )
        };
        let suggestion = "give them different priorities, so that the order is visible";
        finding(at, policy, codes::TIE, Severity::Warning, worse, better, message, suggestion)
    };
    let overlap = |worse: ClauseId, better: &[ClauseId]| {
        let message = |rule: &str, others: &str| {
            format!(
                "{rule} overlaps {others}, which does the opposite and is ahead of it, without either having all of the other"
            )
        };
        finding(at, policy, codes::CORRELATED, Severity::Info, worse, better, message, "check that the order is meant")
    };
    let ties = ties.iter().filter_map(|(worse, better)| tie(*worse, better));
    let correlated = correlated.iter().filter_map(|(worse, better)| overlap(*worse, better));
    Ok(ties.chain(correlated).collect())
}

#[expect(clippy::too_many_arguments, reason = "the parts of a finding")]
fn finding(
    at: &Where<'_>,
    policy: &Policy,
    code: &'static str,
    severity: Severity,
    worse: ClauseId,
    better: &[ClauseId],
    message: impl Fn(&str, &str) -> String,
    suggestion: &str,
) -> Option<Finding> {
    let clause = policy.clause(worse)?;
    let origin = clause.provenance.rule()?;
    let others: Vec<_> = better.iter().filter_map(|id| policy.clause(*id)).collect();
    let rule = format!("`{}` ({} {})", origin.rule, clause.action, origin.text);
    let names = listed(others.iter().map(|other| name(other)));
    let rules = std::iter::once(origin.rule.clone())
        .chain(others.iter().filter_map(|other| Some(other.provenance.rule()?.rule.clone())))
        .collect();
    let own = PacketSet::from(clause.extent.possible());
    let shared = |other: &&Clause| own.intersection(&PacketSet::from(other.extent.possible())).ok();
    let packets = at.addresses.then(|| others.iter().find_map(shared)).flatten();
    Some(
        Finding::new(code, severity, at.subject.clone(), message(&rule, &names))
            .in_direction(at.direction)
            .about(rules)
            .suggesting(suggestion)
            .shown_by(packets),
    )
}

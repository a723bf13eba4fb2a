//! Rules of opposite actions that match the same packets.

use std::collections::BTreeMap;

use super::ground::{Ground, OnPlane};
use crate::model::Action;
use crate::policy::{ClauseId, Policy};
use crate::set::plane::{Addresses, Overlap, Plane};
use crate::set::{Budget, SetError, SetLimits, numbered};

/// Two rules of opposite actions that match some packets both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opposed {
    /// The rule that decides those packets, as far as the two are concerned.
    pub(super) better: ClauseId,
    /// The other.
    pub(super) worse: ClauseId,
    /// Whether one of them matches everything that the other matches.
    pub(super) nested: bool,
    /// Whether only the tie-break tells their ranks apart.
    pub(super) tie: bool,
}

/// All pairs of rules of one list with opposite actions that overlap. Quadratic in the number of rules, as
/// steps of the budget count.
pub(super) fn opposed(policy: &Policy, ground: Ground<'_>) -> Result<Vec<Opposed>, SetError> {
    let mut finding = Finding { policy, found: BTreeMap::new(), budget: Budget::new(SetLimits::DEFAULT) };
    ground.each(&mut finding)?;
    Ok(finding.found.into_values().collect())
}

struct Finding<'p> {
    policy: &'p Policy,
    found: BTreeMap<(ClauseId, ClauseId), Opposed>,
    budget: Budget,
}

impl OnPlane for Finding<'_> {
    fn plane<A: Addresses>(&mut self, addresses: &A) -> Result<(), SetError> {
        let lists = self.policy.lists().len();
        let rules: Vec<_> =
            numbered(self.policy).filter(|(_, _, clause)| super::superfluous::is_rule(clause)).collect();
        if !rules.iter().any(|(_, _, clause)| clause.action == Action::Deny) {
            return Ok(());
        }
        let plane = Plane::new(addresses, lists, rules.iter().copied(), &mut self.budget)?;
        for Overlap { first, second, first_has_second, second_has_first } in plane.opposed(&mut self.budget)? {
            let (Some(better), Some(worse)) = (ClauseId::new(first), ClauseId::new(second)) else { continue };
            let ranks = (self.policy.clause(better), self.policy.clause(worse));
            let tie = matches!(ranks, (Some(a), Some(b)) if a.rank.ties_with(b.rank));
            let nested = first_has_second || second_has_first;
            let known = self.found.entry((better, worse)).or_insert(Opposed { better, worse, nested, tie });
            known.nested &= nested;
        }
        Ok(())
    }
}

//! Rules that do nothing: they match nothing, better ones are always ahead of them, or without them
//! everything would be decided the same way.

use serde::Serialize;

use super::ground::{Ground, OnPlane};
use super::removal;
use super::weigh::weigh;
use crate::policy::{Clause, ClauseId, Policy, Rank, Touch};
use crate::set::plane::{Addresses, Piece, Plane};
use crate::set::sweep::{Trace, sweep};
use crate::set::{Budget, SetError, SetLimits, numbered};

/// Why a rule does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Idleness {
    /// It matches no packet: family and protocol cannot meet, or what it refers to is empty or stale.
    NeverMatches,
    /// Clauses of a better rank, one or several together, decide everything that it could: it never
    /// decides.
    Shadowed,
    /// It decides some packets, and without it they are decided the same way. A rule of equal priority
    /// and another action never makes a rule redundant where the tie goes to the latter (ALI-79).
    Redundant,
}

/// A rule that does nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IdleRule {
    /// The clause of the rule.
    pub clause: ClauseId,
    /// Why it does nothing.
    pub idleness: Idleness,
    /// The clauses that decide in its place, best first: a single one if one covers all of it. Empty if
    /// the default does.
    pub covered_by: Vec<ClauseId>,
    /// Whether the default decides some of it.
    pub default_covers: bool,
}

/// The rules of a policy that do nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Superfluous {
    /// Every rule that alone can be removed without changing any verdict, in the order of clauses.
    pub idle: Vec<IdleRule>,
    /// Rules that can all be removed together without changing any verdict, as many as could be found,
    /// after which no further rule can be removed. Of two equal rules only one is here.
    pub removable: Vec<ClauseId>,
}

/// Finds the rules of a policy that do nothing, over every packet of both families. The near address is
/// free: a rule for another address of the interface than it has does something.
///
/// What is not known counts in every way that it can turn out: a rule under something that may match is not
/// superfluous because the verdict is indeterminate with and without it.
///
/// A few times as costly as [`Decided::new`](crate::set::Decided::new), as long as few rules are idle.
///
/// ```
/// use secgroup::analysis::{Idleness, superfluous};
/// use secgroup::engine::{AwsEngine, PolicyEngine, Scope};
/// use secgroup::model::{Interface, Inventory, Rule, SecurityGroup, Traffic};
/// use secgroup::net::{Cidr, Direction};
///
/// let ssh_from = |block: &str| Ok::<_, secgroup::net::CidrError>(
///     Rule::allow(Direction::Ingress, Traffic::tcp(22), block.parse::<Cidr>()?)
/// );
/// let inventory = Inventory::builder()
///     .group(SecurityGroup::aws("sg-1").with_rules([ssh_from("10.0.0.0/9")?, ssh_from("10.128.0.0/9")?, ssh_from("10.0.0.0/8")?]))
///     .interface(Interface::new("eni-1").with_groups(["sg-1"]))
///     .build()?;
/// let policy = AwsEngine::new().lower(&Scope::of(&inventory, "eni-1", Direction::Ingress)?)?;
/// let superfluous = superfluous(&policy)?;
/// // Each of the three is covered by the others, but only the two halves can go together.
/// assert_eq!(superfluous.idle.len(), 3);
/// assert!(superfluous.idle.iter().all(|rule| rule.idleness == Idleness::Redundant));
/// assert_eq!(superfluous.removable.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SetError`] if the policy cuts the packets into more parts than the default limits allow.
pub fn superfluous(policy: &Policy) -> Result<Superfluous, SetError> {
    find(policy, Ground::Addresses, SetLimits::DEFAULT, is_rule)
}

/// Whether the clause is a rule that somebody wrote.
pub(super) fn is_rule(clause: &Clause) -> bool {
    clause.provenance.rule().is_some()
}

/// The same on this ground, of the clauses that may go.
pub(super) fn find(
    policy: &Policy,
    ground: Ground<'_>,
    limits: SetLimits,
    may_go: impl Fn(&Clause) -> bool,
) -> Result<Superfluous, SetError> {
    let weights = weigh(policy, ground, limits)?;
    let flags = weights.matters.iter().zip(&weights.matches);
    let targets: Vec<Target> = numbered(policy)
        .zip(flags)
        .filter(|((_, _, clause), (matters, _))| !**matters && is_rule(clause))
        .map(|((number, list, clause), (_, matches))| Target {
            number,
            list,
            rank: clause.rank,
            matches: *matches,
            shadowed: true,
            deciders: Vec::new(),
            default: false,
            holders: None,
        })
        .collect();
    if targets.is_empty() {
        return Ok(Superfluous::default());
    }
    let mut covering = Covering { policy, lists: policy.lists().len(), targets, budget: Budget::new(limits) };
    ground.each(&mut covering)?;
    let clauses: Vec<&Clause> = numbered(policy).map(|(_, _, clause)| clause).collect();
    let idle = covering.targets.iter().filter_map(|target| target.idle(&clauses)).collect();
    let removable = removal::removable(policy, ground, limits, weights, |clause| is_rule(clause) && may_go(clause))?;
    Ok(Superfluous { idle, removable: removable.into_iter().filter_map(ClauseId::new).collect() })
}

/// A rule that alone can go.
struct Target {
    number: u32,
    list: usize,
    rank: Rank,
    matches: bool,
    /// Whether clauses of a better rank decide everywhere, as far as has been seen.
    shadowed: bool,
    /// The clauses that decide in its place.
    deciders: Vec<u32>,
    /// Whether the default decides some of it.
    default: bool,
    /// Clauses that certainly match all of it, on all planes that have been seen.
    holders: Option<Vec<u32>>,
}

impl Target {
    fn idle(&self, clauses: &[&Clause]) -> Option<IdleRule> {
        let clause = |number: u32| usize::try_from(number).ok().and_then(|number| clauses.get(number)).copied();
        let own = clause(self.number)?;
        let idleness = match (self.matches, self.shadowed) {
            (false, _) => Idleness::NeverMatches,
            (true, true) => Idleness::Shadowed,
            (true, false) => Idleness::Redundant,
        };
        // One clause that has all of it says more than those that happen to decide parts of it.
        let single = self.holders.iter().flatten().copied().find(|holder| {
            clause(*holder).is_some_and(|holder| {
                holder.rank < own.rank || holder.action == own.action && idleness == Idleness::Redundant
            })
        });
        let single = single.filter(|_| !self.default);
        let numbers = single.map_or_else(|| self.deciders.clone(), |single| vec![single]);
        Some(IdleRule {
            clause: ClauseId::new(self.number)?,
            idleness,
            covered_by: numbers.into_iter().filter_map(ClauseId::new).collect(),
            default_covers: self.matches && self.default,
        })
    }
}

/// Who decides where a rule would.
#[derive(Debug, Clone, Copy, Default)]
struct InPlace {
    /// Whether the place is one of the rule's.
    inside: bool,
    closing: Option<u32>,
}

impl Trace for InPlace {
    fn touched(&mut self, _: u32, piece: &Piece) -> bool {
        if piece.marked {
            self.inside = true;
            return false;
        }
        if piece.touch == Touch::Certain {
            self.closing = Some(piece.clause);
        }
        piece.touch == Touch::Certain
    }
}

struct Covering<'p> {
    policy: &'p Policy,
    lists: usize,
    targets: Vec<Target>,
    budget: Budget,
}

impl OnPlane for Covering<'_> {
    fn plane<A: Addresses>(&mut self, addresses: &A) -> Result<(), SetError> {
        let plane = Plane::new(addresses, self.lists, numbered(self.policy), &mut self.budget)?;
        let ranks: Vec<Rank> = numbered(self.policy).map(|(_, _, clause)| clause.rank).collect();
        for target in &mut self.targets {
            if !plane.has(target.number) {
                continue;
            }
            let holders: Vec<u32> = plane.holders(target.number).collect();
            target.holders = Some(match target.holders.take() {
                None => holders,
                Some(before) => before.into_iter().filter(|number| holders.contains(number)).collect(),
            });
            let list = target.list;
            let there = plane.within(target.number, |piece| piece.list == list, &mut self.budget)?;
            sweep(&there, &mut self.budget, |leaf, _| {
                for (_, mut traces) in leaf.intervals() {
                    let Some(InPlace { inside: true, closing }) = traces.nth(list).copied() else { continue };
                    let Some(closing) = closing else {
                        (target.default, target.shadowed) = (true, false);
                        continue;
                    };
                    if !target.deciders.contains(&closing) {
                        target.deciders.push(closing);
                    }
                    let rank = usize::try_from(closing).ok().and_then(|closing| ranks.get(closing));
                    target.shadowed &= rank.is_some_and(|rank| *rank < target.rank);
                }
                Ok(())
            })?;
            target.deciders.sort_unstable();
        }
        Ok(())
    }
}

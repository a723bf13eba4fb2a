//! Which rules can be removed together.
//!
//! Every rule that alone can go is a candidate. A place where a rule that stays decides puts no
//! condition on the candidates; each other place is a condition: whatever turns out about clauses that may
//! match, with some of its candidates gone the outcome must be the same. Conditions that share no candidate are independent. Few candidates that
//! depend on each other are tried out in full; of many, several orders are gone through one by one, and
//! the best result counts. When the candidates are gone others may have become superfluous, so all of it
//! is done again until nothing is left to remove. At the end the verdicts on all packets are compared too.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use super::ground::{Ground, OnPlane};
use super::weigh::{Defaults, Outcomes, Weights, weigh};
use crate::model::Action;
use crate::net::Family;
use crate::policy::{Clause, Policy, Space, Touch, service};
use crate::set::plane::{Addresses, Piece, Plane};
use crate::set::sweep::{Leaf, Trace, sweep};
use crate::set::{Budget, SetError, SetLimits, decide_plane, numbered};

/// Up to how many candidates that depend on each other all combinations are tried.
const TRIED_OUT: usize = 12;
/// Up to how many conditions a combination is checked against.
const CONDITIONS_TRIED: usize = 400;

/// The numbers of clauses that can all be removed, given what each of them weighs: no verdict changes, and of those that `may_go` none is
/// left that could be removed too. As many as can be found; the most there are if not too many depend on
/// each other.
pub(super) fn removable(
    policy: &Policy,
    ground: Ground<'_>,
    limits: SetLimits,
    mut weights: Weights,
    may_go: impl Fn(&Clause) -> bool,
) -> Result<Vec<u32>, SetError> {
    let mut left = policy.clone();
    // The number in the original of each clause that is left.
    let mut numbers: Vec<u32> = numbered(policy).map(|(number, _, _)| number).collect();
    let mut removed = Vec::new();
    loop {
        let candidates: BTreeSet<u32> = numbered(&left)
            .zip(&weights.matters)
            .filter(|((_, _, clause), matters)| !**matters && may_go(clause))
            .map(|((number, _, _), _)| number)
            .collect();
        let gone = choose(&left, ground, limits, &candidates)?;
        if gone.is_empty() {
            break;
        }
        let original = |number: &u32| usize::try_from(*number).ok().and_then(|number| numbers.get(number)).copied();
        removed.extend(gone.iter().filter_map(original));
        let (rest, kept) = left.with_clauses(|number| !gone.contains(&number));
        numbers = kept.iter().filter_map(original).collect();
        left = rest;
        weights = weigh(&left, ground, limits)?;
    }
    removed.sort_unstable();
    // The proof. Should it fail, nothing is claimed.
    let proved = removed.is_empty() || same_verdicts(policy, &left, ground, limits)?;
    Ok(if proved { removed } else { Vec::new() })
}

/// Whether two policies give the same verdict everywhere.
fn same_verdicts(ours: &Policy, theirs: &Policy, ground: Ground<'_>, limits: SetLimits) -> Result<bool, SetError> {
    struct Comparing<'p> {
        ours: &'p Policy,
        theirs: &'p Policy,
        budget: Budget,
        same: bool,
    }
    impl OnPlane for Comparing<'_> {
        fn plane<A: Addresses>(&mut self, addresses: &A) -> Result<(), SetError> {
            let mut verdicts = |policy| {
                Ok::<_, SetError>(crate::set::verdicts_of(&decide_plane(policy, addresses, &mut self.budget)?))
            };
            self.same &= verdicts(self.ours)? == verdicts(self.theirs)?;
            Ok(())
        }
    }
    let mut comparing = Comparing { ours, theirs, budget: Budget::new(limits), same: true };
    ground.each(&mut comparing)?;
    Ok(comparing.same)
}

/// A condition: what of one list touches some place, up to the first clause that stays and ends the walk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Condition {
    list: usize,
    /// The number of each clause, whether it certainly matches, and what it does.
    touching: Vec<(u32, bool, Action)>,
}

/// Candidates that all can go at once, as many as can be found; not none if there are any.
fn choose(
    policy: &Policy,
    ground: Ground<'_>,
    limits: SetLimits,
    candidates: &BTreeSet<u32>,
) -> Result<BTreeSet<u32>, SetError> {
    if candidates.is_empty() {
        return Ok(BTreeSet::new());
    }
    let defaults = Defaults::of(policy);
    let lists = defaults.lists();
    let mut collecting =
        Collecting { policy, candidates, lists, conditions: HashSet::default(), budget: Budget::new(limits) };
    ground.each(&mut collecting)?;
    let mut conditions: Vec<Condition> = collecting.conditions.into_iter().collect();
    conditions.sort();
    let sizes: HashMap<u32, u128, foldhash::fast::RandomState> = numbered(policy)
        .filter(|(number, _, _)| candidates.contains(number))
        .map(|(number, _, clause)| (number, size(clause.extent.possible())))
        .collect();
    let mut gone = BTreeSet::new();
    for Component { members, conditions } in components(candidates, &conditions) {
        let check = Check { defaults: &defaults, conditions };
        let smallest_first = {
            let mut order = members.clone();
            order.sort_by_key(|number| (sizes.get(number), std::cmp::Reverse(*number)));
            order
        };
        let worst_first: Vec<u32> = members.iter().rev().copied().collect();
        let best = [check.one_by_one(&smallest_first), check.one_by_one(&worst_first), check.one_by_one(&members)]
            .into_iter()
            .rev()
            .max_by_key(BTreeSet::len)
            .unwrap_or_default();
        let tried = check.all_combinations(&smallest_first, best.len());
        gone.extend(tried.unwrap_or(best));
    }
    Ok(gone)
}

/// How large a space is, roughly: the order in which rules are tried depends on it, and nothing else.
fn size(space: &Space) -> u128 {
    let services = |family| -> u128 {
        let ranges = service::ranges(&space.selector, family, space.source_ports.is_some());
        ranges.iter().map(|(first, last)| u128::from(last - first) + 1).sum()
    };
    let v4: u128 = space.remote.numbers_v4().iter().map(|(first, last)| u128::from(last - first) + 1).sum();
    let v6 = space.remote.numbers_v6().iter();
    let v6 = v6.fold(0_u128, |sum, (first, last)| sum.saturating_add((last - first).saturating_add(1)));
    services(Family::V4).saturating_mul(v4).saturating_add(services(Family::V6).saturating_mul(v6))
}

/// Candidates that depend on each other, in ascending order, and their conditions.
struct Component<'c> {
    members: Vec<u32>,
    conditions: Vec<&'c Condition>,
}

fn components<'c>(candidates: &BTreeSet<u32>, conditions: &'c [Condition]) -> Vec<Component<'c>> {
    let places: HashMap<u32, usize, foldhash::fast::RandomState> =
        candidates.iter().enumerate().map(|(place, number)| (*number, place)).collect();
    let mut parents: Vec<usize> = (0..candidates.len()).collect();
    let root = |parents: &mut Vec<usize>, mut at: usize| {
        while let Some(parent) = parents.get(at).copied()
            && parent != at
        {
            let above = parents.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = parents.get_mut(at) {
                *slot = above;
            }
            at = parent;
        }
        at
    };
    let own = |condition: &Condition| -> Vec<usize> {
        condition.touching.iter().filter_map(|(clause, _, _)| places.get(clause).copied()).collect()
    };
    for condition in conditions {
        let own = own(condition);
        for pair in own.windows(2) {
            if let [a, b] = pair {
                let (a, b) = (root(&mut parents, *a), root(&mut parents, *b));
                if let Some(slot) = parents.get_mut(a) {
                    *slot = b;
                }
            }
        }
    }
    let mut by_root: HashMap<usize, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut found: Vec<Component<'c>> = Vec::new();
    for (place, number) in candidates.iter().enumerate() {
        let component = *by_root.entry(root(&mut parents, place)).or_insert_with(|| {
            found.push(Component { members: Vec::new(), conditions: Vec::new() });
            found.len() - 1
        });
        if let Some(component) = found.get_mut(component) {
            component.members.push(*number);
        }
    }
    for condition in conditions {
        let component = own(condition).first().and_then(|place| by_root.get(&root(&mut parents, *place)));
        if let Some(component) = component.and_then(|component| found.get_mut(*component)) {
            component.conditions.push(condition);
        }
    }
    found
}

/// Whether candidates can go together.
struct Check<'c> {
    defaults: &'c Defaults,
    conditions: Vec<&'c Condition>,
}

impl Check<'_> {
    /// Whether the outcome is the same: everything that can come out behind a clause that goes and could
    /// decide is what it did.
    fn holds(&self, condition: &Condition, gone: impl Fn(u32) -> bool) -> bool {
        // What can come out of those that stay, behind each place.
        let mut later = self.defaults.of_list(condition.list);
        let mut behind: Vec<Outcomes> = Vec::with_capacity(condition.touching.len());
        for (clause, certain, action) in condition.touching.iter().rev() {
            behind.push(later);
            if !gone(*clause) {
                let own = self.defaults.of_action(*action);
                later = if *certain { own } else { later.with(own) };
            }
        }
        for ((clause, certain, action), behind) in condition.touching.iter().zip(behind.into_iter().rev()) {
            if gone(*clause) && !behind.is_within(self.defaults.of_action(*action)) {
                return false;
            }
            if *certain {
                break;
            }
        }
        true
    }

    /// Removes one after the other what still can go.
    fn one_by_one(&self, order: &[u32]) -> BTreeSet<u32> {
        let mut about: HashMap<u32, Vec<&Condition>, foldhash::fast::RandomState> = HashMap::default();
        for condition in &self.conditions {
            for (clause, _, _) in &condition.touching {
                about.entry(*clause).or_default().push(condition);
            }
        }
        let mut gone = HashSet::<u32, foldhash::fast::RandomState>::default();
        for number in order {
            gone.insert(*number);
            let can_go = about
                .get(number)
                .is_none_or(|conditions| conditions.iter().all(|c| self.holds(c, |clause| gone.contains(&clause))));
            if !can_go {
                gone.remove(number);
            }
        }
        gone.into_iter().collect()
    }

    /// The most that can go, if that is more than what was found and there are not too many combinations.
    fn all_combinations(&self, members: &[u32], more_than: usize) -> Option<BTreeSet<u32>> {
        if members.len() > TRIED_OUT || self.conditions.len() > CONDITIONS_TRIED || more_than == members.len() {
            return None;
        }
        let mut combinations: Vec<u32> = (0..1_u32 << members.len()).collect();
        combinations.retain(|mask| usize::try_from(mask.count_ones()).is_ok_and(|count| count > more_than));
        combinations.sort_by_key(|mask| std::cmp::Reverse(mask.count_ones()));
        let chosen =
            |mask: u32| members.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1).map(|(_, n)| *n);
        let mask = combinations.into_iter().find(|mask| {
            let gone = |clause: u32| chosen(*mask).any(|number| number == clause);
            self.conditions.iter().all(|condition| self.holds(condition, gone))
        })?;
        Some(chosen(mask).collect())
    }
}

/// What touches a place: of clauses that stay what decides, of candidates all.
#[derive(Debug, Clone, Default)]
struct Kept {
    pieces: Vec<u32>,
    candidates: bool,
    /// Which actions may come out by clauses that stay, since the last candidate.
    actions: u8,
}

impl Trace for Kept {
    fn touched(&mut self, place: u32, piece: &Piece) -> bool {
        if piece.marked {
            self.candidates = true;
            // What comes out behind the candidate counts for it.
            self.actions = 0;
            self.pieces.push(place);
            return false;
        }
        let (action, ends) = (1 << piece.action as u8, piece.touch == Touch::Certain);
        if ends || self.actions & action == 0 {
            self.actions |= action;
            self.pieces.push(place);
        }
        ends
    }
}

struct Collecting<'p> {
    policy: &'p Policy,
    candidates: &'p BTreeSet<u32>,
    lists: usize,
    conditions: HashSet<Condition, foldhash::fast::RandomState>,
    budget: Budget,
}

impl OnPlane for Collecting<'_> {
    fn plane<A: Addresses>(&mut self, addresses: &A) -> Result<(), SetError> {
        // Of one rank, which has one action, what stays comes first: behind it candidates do not count.
        let mut clauses: Vec<_> = numbered(self.policy).collect();
        clauses.sort_by_key(|(number, list, clause)| (*list, clause.rank, self.candidates.contains(number)));
        let plane = Plane::new(addresses, self.lists, clauses, &mut self.budget)?
            .marked(|clause| self.candidates.contains(&clause));
        let conditions = &mut self.conditions;
        sweep(&plane, &mut self.budget, |leaf: &Leaf<'_, A::Number, Kept>, budget| {
            for (_, traces) in leaf.intervals() {
                for (list, trace) in traces.enumerate().filter(|(_, trace)| trace.candidates) {
                    let pieces = trace.pieces.iter().filter_map(|place| plane.piece(*place));
                    let touching: Vec<_> =
                        pieces.map(|piece| (piece.clause, piece.touch == Touch::Certain, piece.action)).collect();
                    budget.steps(touching.len())?;
                    if conditions.insert(Condition { list, touching }) {
                        budget.cells(1)?;
                    }
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

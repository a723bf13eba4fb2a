//! What a policy opens to the public, computed once for all controls.

use crate::net::{AddressSet, Direction, Family};
use crate::policy::{Basis, ClauseId, Decision, Verdict};
use crate::set::by_service::ServiceRanges;
use crate::set::{Decided, PacketSet};

use super::public::{is_anywhere, public};

/// Which services a policy opens to public addresses, and which to anywhere ([`is_anywhere`]).
///
/// A service is open to an address if a packet from some source port to some near address passes. What a
/// better clause drops is not open, however many worse ones allow it (trap 8 of Alibaba Cloud), and a
/// range or an all-protocols rule opens all it has (AWS-132). Traffic that groups never filter and interfaces
/// without groups are left out, because no rule opens them and none can close them.
///
/// Making it walks the cells of the [`Decided`] once; checks then read a few sorted ranges.
#[derive(Debug, Clone)]
pub struct Openness<'d> {
    decided: &'d Decided,
    near: Option<AddressSet>,
    families: [FamilyOpenness; 2],
}

/// How much of the public a service is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Reach {
    /// At least one public address.
    Some,
    /// Anywhere.
    Anywhere,
}

/// Whether the data can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Certainty {
    /// It is open.
    Certain,
    /// It is open, or the data cannot tell.
    Possible,
}

#[derive(Debug, Clone, Default)]
struct FamilyOpenness {
    /// Runs of services and their rows.
    runs: Vec<(u32, u32, usize)>,
    rows: Vec<Row>,
    /// Services that are open, by certainty and reach.
    open: [[ServiceRanges; 2]; 2],
}

/// Services that have everything else in common.
#[derive(Debug, Clone)]
struct Row {
    /// Whether they are open, by certainty and reach.
    open: [[bool; 2]; 2],
    /// What lets public addresses in, and what perhaps does; `None` is the default.
    owners: [Vec<Option<ClauseId>>; 2],
}

/// What lets packets in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Owners {
    pub(super) clauses: Vec<ClauseId>,
    /// Whether the default, too, lets some in.
    pub(super) by_default: bool,
}

impl<'d> Openness<'d> {
    /// What a policy opens, at any near address.
    ///
    /// Members of groups that are not known may have any address here; make the [`Decided`] of
    /// [`without_public_members`](super::without_public_members) if they have not.
    pub fn of(decided: &'d Decided) -> Self {
        Self::made(decided, None)
    }

    /// What a policy opens at these near addresses only: a rule for another address of the group's members
    /// (ALI-40) opens nothing here, and nothing is open over a family of which there is no address.
    pub fn at(decided: &'d Decided, near: AddressSet) -> Self {
        Self::made(decided, Some(near))
    }

    fn made(decided: &'d Decided, near: Option<AddressSet>) -> Self {
        let families = Family::ALL.map(|family| FamilyOpenness::of(decided, family, near.as_ref()));
        Self { decided, near, families }
    }

    /// The direction of the policy.
    pub fn direction(&self) -> Direction {
        self.decided.direction()
    }

    /// The services of a family that are open so far, sorted and disjoint.
    pub(in crate::analysis) fn open(&self, family: Family, certainty: Certainty, reach: Reach) -> &[(u32, u32)] {
        let [certain, possible] = &self.family(family).open;
        let [some, anywhere] = match certainty {
            Certainty::Certain => certain,
            Certainty::Possible => possible,
        };
        match reach {
            Reach::Some => some,
            Reach::Anywhere => anywhere,
        }
    }

    fn family(&self, family: Family) -> &FamilyOpenness {
        let [v4, v6] = &self.families;
        match family {
            Family::V4 => v4,
            Family::V6 => v6,
        }
    }

    /// The packets of these services, by family, that public addresses get through; those that they perhaps
    /// get through if that is asked for.
    pub(super) fn packets(&self, services: &[ServiceRanges; 2], certainty: Certainty) -> PacketSet {
        let [v4, v6] = services;
        let wanted = |decision: &Decision| side(*decision) == Some(certainty);
        self.decided.packets_of([v4, v6], self.near.as_ref(), public(), wanted)
    }

    /// What decides those packets.
    pub(super) fn owners(&self, services: &[ServiceRanges; 2], certainty: Certainty) -> Owners {
        let mut owners = Owners::default();
        for (family, services) in self.families.iter().zip(services) {
            // Many runs may share a row.
            let mut told = vec![false; family.rows.len()];
            for (first, last, place) in &family.runs {
                let after = services.partition_point(|(_, end)| end < first);
                let inside = services.get(after).is_some_and(|(start, _)| start <= last);
                let (Some(told), Some(row)) = (told.get_mut(*place), family.rows.get(*place)) else { continue };
                if !inside || std::mem::replace(told, true) {
                    continue;
                }
                let [allowing, perhaps] = &row.owners;
                let here = match certainty {
                    Certainty::Certain => allowing,
                    Certainty::Possible => perhaps,
                };
                owners.clauses.extend(here.iter().flatten());
                owners.by_default |= here.contains(&None);
            }
        }
        owners.clauses.sort_unstable();
        owners.clauses.dedup();
        owners
    }
}

/// On which side of openness a decision stands; `None` if it opens nothing.
fn side(decision: Decision) -> Option<Certainty> {
    match (decision.verdict, decision.basis) {
        (_, Basis::NeverFiltered | Basis::Unfiltered) | (Verdict::Deny, _) => None,
        (Verdict::Allow, _) => Some(Certainty::Certain),
        (Verdict::Indeterminate, _) => Some(Certainty::Possible),
    }
}

impl FamilyOpenness {
    fn of(decided: &Decided, family: Family, near: Option<&AddressSet>) -> Self {
        let mut rows = Vec::new();
        let runs = decided.by_service(family, near, |parts| {
            rows.push(Row::of(family, parts));
            rows.len() - 1
        });
        let ranges = |certainty: usize, reach: usize| -> ServiceRanges {
            let mut open: ServiceRanges = Vec::new();
            for (first, last, place) in &runs {
                let row = rows.get(*place).map(|row: &Row| &row.open);
                if row.and_then(|open| open.get(certainty)?.get(reach)) != Some(&true) {
                    continue;
                }
                match open.last_mut() {
                    Some((_, end)) if *end + 1 == *first => *end = *last,
                    _ => open.push((*first, *last)),
                }
            }
            open
        };
        let open = [0, 1].map(|certainty| [0, 1].map(|reach| ranges(certainty, reach)));
        Self { runs, rows, open }
    }
}

impl Row {
    fn of(family: Family, parts: Vec<(Decision, AddressSet)>) -> Self {
        let mut owners = [Vec::new(), Vec::new()];
        let [mut allowed, mut perhaps] = [Vec::new(), Vec::new()];
        for (decision, remotes) in parts {
            let Some(side) = side(decision) else { continue };
            let remotes = remotes.intersection(public());
            if remotes.is_empty() {
                continue;
            }
            let [allowing, maybe] = &mut owners;
            let (owners, sets) = match side {
                Certainty::Certain => (allowing, &mut allowed),
                Certainty::Possible => (maybe, &mut perhaps),
            };
            owners.push(decision.clause);
            sets.push(remotes);
        }
        let allowed = union(&allowed);
        let possible = allowed.union(&union(&perhaps));
        let open = [allowed, possible].map(|set| [!set.is_empty(), is_anywhere(&set, family)]);
        Self { open, owners }
    }
}

/// All addresses of some sets, joined at once.
fn union(sets: &[AddressSet]) -> AddressSet {
    let v4 = sets.iter().flat_map(|set| set.numbers_v4().iter().copied());
    let v6 = sets.iter().flat_map(|set| set.numbers_v6().iter().copied());
    AddressSet::of_numbers(v4.collect(), v6.collect())
}

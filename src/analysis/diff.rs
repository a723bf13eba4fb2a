//! What a change of configuration opens and closes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::alone::{cards, resolved};
use super::classes::InterfaceClass;
use super::error::AnalysisError;
use super::question::Side;
use crate::engine::Scope;
use crate::model::{Action, GroupId, Interface, InterfaceId, RuleId, SecurityGroup};
use crate::net::{AddressSet, Direction, Flow};
use crate::policy::{Decision, Fallback, Missing, Policy, Provenance, Rank, RuleList, Verdict};
use crate::set::{Change, Decided, PacketBox, PacketSet, SetError, decided_where_different};

/// Whether something is there before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is there before and after.
    Both,
    /// It is there only after. Before, nothing is allowed.
    Added,
    /// It is there only before. After, nothing is allowed.
    Removed,
}

/// What changes between two configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// By interface. Interfaces whose policies are the same share one entry.
    pub interfaces: BTreeMap<InterfaceId, Arc<SubjectDiff>>,
    /// By group: what changes for an interface that has only this group, with references resolved.
    pub groups: BTreeMap<GroupId, Arc<SubjectDiff>>,
}

/// What changes for an interface or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubjectDiff {
    /// Whether it is there before and after.
    pub status: Status,
    /// Whether what is allowed, denied and indeterminate is unchanged in both directions, although rules
    /// may have moved.
    pub equivalent: bool,
    /// Traffic that is allowed now and was denied.
    pub gained: Vec<ChangedTraffic>,
    /// Traffic that is denied now and was allowed.
    pub lost: Vec<ChangedTraffic>,
    /// Traffic about which the data cannot tell, before or after, and where that, or what it hangs on,
    /// changed.
    pub uncertain: Vec<ChangedTraffic>,
    /// Why a direction could not be compared, if one could not: its rules are too many or too entangled for
    /// the limits of sets. Then nothing is said about it.
    pub not_compared: Vec<(Direction, SetError)>,
}

/// Traffic that changes hands: all its packets had one owner before, and have one after.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedTraffic {
    /// The direction.
    pub direction: Direction,
    /// The packets.
    pub packets: PacketSet,
    /// The verdict before.
    pub verdict_before: Verdict,
    /// The verdict after.
    pub verdict_after: Verdict,
    /// What brought the verdict about before.
    pub before: Owner,
    /// What brings the verdict about after.
    pub after: Owner,
    /// Whether the public may be at the far end of some of it.
    pub public: bool,
}

/// A box of traffic that changes hands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedBox {
    /// The packets.
    pub part: PacketBox,
    /// One of them.
    pub witness: Option<Flow>,
    /// Whether the public may be at the far end of some of it.
    pub public: bool,
}

/// What decides some packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Owner {
    /// The rule, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The group of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// What it is, in words.
    pub text: String,
}

impl Owner {
    /// Nothing: the interface or group does not exist.
    fn absent() -> Self {
        Self { rule: None, group: None, text: "it does not exist".to_owned() }
    }

    /// The owner of a decision of a policy.
    pub(super) fn of(policy: &Policy, decision: Decision) -> Self {
        let Some(clause) = decision.clause.and_then(|id| policy.clause(id)) else {
            return Self { rule: None, group: None, text: "the default".to_owned() };
        };
        let action = clause.action;
        match &clause.provenance {
            Provenance::Rule(origin) => Self {
                rule: Some(origin.rule.clone()),
                group: Some(origin.group.clone()),
                text: format!("`{}` in {}: {action} {}", origin.rule, origin.group, origin.text),
            },
            other => Self { rule: None, group: None, text: format!("{other}: {action} {}", other.text()) },
        }
    }
}

impl ChangedTraffic {
    /// The boxes of the packets, each with a packet of it and whether some of it is from or to one of the
    /// public addresses, which then that packet is too; at one of these near addresses where it has one there.
    pub fn boxes(&self, locals: &[IpAddr], public: &AddressSet) -> Vec<ChangedBox> {
        let public = PacketSet::with_remote(public);
        let boxes = self.packets.boxes().into_iter();
        boxes
            .map(|part| {
                let packets = PacketSet::from(&part);
                // An intersection of a box has no more parts than the other set.
                let exposed = packets.intersection(&public).ok().and_then(|shared| shared.witness_at(locals));
                let witness = exposed.or_else(|| packets.witness_at(locals));
                ChangedBox { part, witness, public: exposed.is_some() }
            })
            .collect()
    }
}

impl Diff {
    /// Whether no meaning changed: not one packet is decided otherwise anywhere.
    pub fn is_equivalent(&self) -> bool {
        self.subjects().all(|subject| subject.equivalent)
    }

    /// Whether some traffic is certainly gained or lost.
    pub fn has_changes(&self) -> bool {
        self.subjects().any(|subject| !subject.gained.is_empty() || !subject.lost.is_empty())
    }

    /// Whether something may have changed that the data cannot tell, or that could not be compared.
    pub fn has_doubts(&self) -> bool {
        self.subjects().any(|subject| !subject.uncertain.is_empty() || !subject.not_compared.is_empty())
    }

    fn subjects(&self) -> impl Iterator<Item = &SubjectDiff> {
        self.interfaces.values().chain(self.groups.values()).map(AsRef::as_ref)
    }
}

/// What changes from one configuration to another, for each interface and each group: every packet, both
/// families, both directions. The near address is free.
///
/// `public` are the far addresses to which new exposure is called out. Policies are lowered once for each
/// class of interfaces ([`InterfaceClass`]) and held against each other packet by packet only where their
/// clauses differ.
///
/// # Errors
/// [`AnalysisError`] naming what cannot be judged.
pub fn diff(before: Side<'_>, after: Side<'_>, public: &AddressSet) -> Result<Diff, AnalysisError> {
    let public = PacketSet::with_remote(public);
    Ok(Diff { interfaces: interfaces(before, after, &public)?, groups: groups(before, after, &public)? })
}

/// The policies of one class in both directions.
type Policies = [Policy; 2];

/// Interfaces by the place of their class, with the classes' policies, which are lowered when needed.
struct Lowered<'i> {
    side: Side<'i>,
    classes: Vec<InterfaceClass<'i>>,
    class_of: HashMap<&'i InterfaceId, usize>,
    policies: Vec<Option<Arc<Policies>>>,
}

impl<'i> Lowered<'i> {
    fn new(side: Side<'i>) -> Self {
        let classes = InterfaceClass::all(side.inventory);
        let numbered = classes.iter().enumerate();
        let class_of = numbered.flat_map(|(place, class)| class.ids().map(move |id| (id, place))).collect();
        let policies = vec![None; classes.len()];
        Self { side, classes, class_of, policies }
    }

    fn policies(&mut self, class: usize) -> Result<Option<Arc<Policies>>, AnalysisError> {
        let Some(representative) = self.classes.get(class).map(InterfaceClass::representative) else { return Ok(None) };
        let Some(slot) = self.policies.get_mut(class) else { return Ok(None) };
        if slot.is_none() {
            *slot = Some(Arc::new(policies(self.side, representative)?));
        }
        Ok(slot.clone())
    }
}

fn policies(side: Side<'_>, interface: &Interface) -> Result<Policies, AnalysisError> {
    let lower = |direction| side.engine.lower(&Scope::new(side.inventory, interface, direction));
    Ok([lower(Direction::Ingress)?, lower(Direction::Egress)?])
}

fn interfaces(
    before: Side<'_>,
    after: Side<'_>,
    public: &PacketSet,
) -> Result<BTreeMap<InterfaceId, Arc<SubjectDiff>>, AnalysisError> {
    let (mut old, mut new) = (Lowered::new(before), Lowered::new(after));
    let ids: BTreeSet<&InterfaceId> = old.class_of.keys().chain(new.class_of.keys()).copied().collect();
    let mut known: HashMap<(Option<usize>, Option<usize>), Arc<SubjectDiff>> = HashMap::new();
    let mut diffs = BTreeMap::new();
    for id in ids {
        let pair = (old.class_of.get(id).copied(), new.class_of.get(id).copied());
        let diff = if let Some(diff) = known.get(&pair) {
            diff.clone()
        } else {
            let of = |lowered: &mut Lowered<'_>, class: Option<usize>| match class {
                Some(class) => lowered.policies(class),
                None => Ok(None),
            };
            let (before, after) = (of(&mut old, pair.0)?, of(&mut new, pair.1)?);
            let diff = Arc::new(compare(before.as_deref(), after.as_deref(), public));
            known.insert(pair, diff.clone());
            diff
        };
        diffs.insert(id.clone(), diff);
    }
    Ok(diffs)
}

fn groups(
    before: Side<'_>,
    after: Side<'_>,
    public: &PacketSet,
) -> Result<BTreeMap<GroupId, Arc<SubjectDiff>>, AnalysisError> {
    let all = before.inventory.groups().chain(after.inventory.groups());
    let ids: BTreeSet<&GroupId> = all.map(|group| &group.id).collect();
    let mut diffs = BTreeMap::new();
    for id in ids {
        let (old, new) = (before.inventory.group(id.as_str()), after.inventory.group(id.as_str()));
        // Both cards of a classic group, or the one of a VPC; those of both sides where they differ.
        let mut own_cards: Vec<_> = old.into_iter().chain(new).flat_map(cards).copied().collect();
        own_cards.sort();
        own_cards.dedup();
        let mut diff: Option<SubjectDiff> = None;
        for card in own_cards {
            let lower = |side: Side<'_>, group: Option<&SecurityGroup>| -> Result<Option<Policies>, AnalysisError> {
                let Some(group) = group else { return Ok(None) };
                let of = |direction| resolved(side.engine, side.inventory, group, card, direction);
                Ok(Some([of(Direction::Ingress)?, of(Direction::Egress)?]))
            };
            let (old, new) = (lower(before, old)?, lower(after, new)?);
            let next = compare(old.as_ref(), new.as_ref(), public);
            diff = Some(match diff {
                None => next,
                Some(mut diff) => {
                    diff.equivalent &= next.equivalent;
                    diff.gained.extend(next.gained);
                    diff.lost.extend(next.lost);
                    diff.uncertain.extend(next.uncertain);
                    diff.not_compared.extend(next.not_compared);
                    diff
                }
            });
        }
        diffs.extend(diff.map(|diff| (id.clone(), Arc::new(diff))));
    }
    Ok(diffs)
}

fn compare(before: Option<&Policies>, after: Option<&Policies>, public: &PacketSet) -> SubjectDiff {
    let status = match (before, after) {
        (Some(_), None) => Status::Removed,
        (None, Some(_)) => Status::Added,
        _ => Status::Both,
    };
    let mut diff = SubjectDiff {
        status,
        equivalent: true,
        gained: Vec::new(),
        lost: Vec::new(),
        uncertain: Vec::new(),
        not_compared: Vec::new(),
    };
    for (place, direction) in Direction::ALL.into_iter().enumerate() {
        let of = |policies: Option<&Policies>| policies.and_then(|policies| policies.get(place).cloned());
        let pair = Pair { direction, before: of(before), after: of(after), public };
        if let Err(error) = pair.compare(&mut diff) {
            diff.equivalent = false;
            diff.not_compared.push((direction, error));
        }
    }
    diff
}

/// What clauses that are not wholly known match for certain, and what they may match, by rank, action and
/// what is missing.
struct Doubts<'p>(BTreeMap<(Rank, Action, &'p [Missing]), (PacketSet, PacketSet)>);

impl<'p> Doubts<'p> {
    fn of(policy: &'p Policy) -> Result<Self, SetError> {
        let mut doubts = BTreeMap::new();
        let clauses = policy.lists().into_iter().flat_map(RuleList::clauses);
        for clause in clauses.filter(|clause| !clause.missing.is_empty()) {
            let key = (clause.rank, clause.action, clause.missing.as_slice());
            let (certain, possible) = doubts.entry(key).or_insert_with(|| (PacketSet::empty(), PacketSet::empty()));
            if let Some(space) = clause.extent.certain() {
                *certain = certain.union(&PacketSet::from(space))?;
            }
            *possible = possible.union(&PacketSet::from(clause.extent.possible()))?;
        }
        Ok(Self(doubts))
    }
}

/// The policies of one direction before and after.
struct Pair<'a> {
    direction: Direction,
    before: Option<Policy>,
    after: Option<Policy>,
    public: &'a PacketSet,
}

impl Pair<'_> {
    fn compare(&self, diff: &mut SubjectDiff) -> Result<(), SetError> {
        let nothing = || Decided::uniform(self.direction, Verdict::Deny);
        let decided = match (&self.before, &self.after) {
            (Some(before), Some(after)) => decided_where_different(before, after)?,
            // Nothing passes what does not exist.
            (Some(before), None) => Some((Decided::new(before)?, nothing())),
            (None, Some(after)) => Some((nothing(), Decided::new(after)?)),
            (None, None) => None,
        };
        let Some((before, after)) = decided else { return Ok(()) };
        for change in before.changes(&after)? {
            diff.equivalent = false;
            let list = match (change.before.verdict, change.after.verdict) {
                (Verdict::Deny, Verdict::Allow) => &mut diff.gained,
                (Verdict::Allow, Verdict::Deny) => &mut diff.lost,
                _ => &mut diff.uncertain,
            };
            list.push(self.traffic(change)?);
        }
        // What is as unknown as before may hang on something else now.
        let doubts = self.changed_doubts()?;
        if !doubts.is_empty() {
            let open = |decision: Decision| decision.verdict == Verdict::Indeterminate;
            for mut change in before.pairs(&after, |before, after| open(before) && open(after))? {
                change.packets = change.packets.intersection(&doubts)?;
                if !change.packets.is_empty() {
                    diff.uncertain.push(self.traffic(change)?);
                }
            }
        }
        Ok(())
    }

    fn traffic(&self, change: Change) -> Result<ChangedTraffic, SetError> {
        let owner =
            |policy: Option<&Policy>, decision| policy.map_or_else(Owner::absent, |policy| Owner::of(policy, decision));
        Ok(ChangedTraffic {
            direction: self.direction,
            public: !change.packets.is_disjoint(self.public)?,
            verdict_before: change.before.verdict,
            verdict_after: change.after.verdict,
            before: owner(self.before.as_ref(), change.before),
            after: owner(self.after.as_ref(), change.after),
            packets: change.packets,
        })
    }

    /// The packets that clauses may match of which one policy has no like, or for which the default is
    /// unknown for other reasons.
    fn changed_doubts(&self) -> Result<PacketSet, SetError> {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return Ok(PacketSet::empty()) };
        let fallbacks = |policy: &Policy| -> Vec<Fallback> {
            policy.lists().into_iter().map(RuleList::fallback).cloned().collect()
        };
        let missing = |fallbacks: &[Fallback]| -> Vec<_> { fallbacks.iter().map(|f| f.missing.clone()).collect() };
        if missing(&fallbacks(before)) != missing(&fallbacks(after)) {
            return Ok(PacketSet::all());
        }
        // Of clauses that hang on the same thing only what they match together counts.
        let (old, new) = (Doubts::of(before)?, Doubts::of(after)?);
        let mut changed = PacketSet::empty();
        for key in old.0.keys().chain(new.0.keys()) {
            let none = || (PacketSet::empty(), PacketSet::empty());
            let (was, is) =
                (old.0.get(key).cloned().unwrap_or_else(none), new.0.get(key).cloned().unwrap_or_else(none));
            if was != is {
                changed = changed.union(&was.1)?.union(&is.1)?;
            }
        }
        Ok(changed)
    }
}

//! Groups of AWS, and the merging of the two views of their rules (AWS-21).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::super::error::LoadError;
use super::super::rules::{kept, same_rule, warn_of_repetition};
use super::super::source::{At, Source};
use super::super::warning::{Warning, WarningKind};
use super::rule::{GroupName, Permissions, group_rule, list_field, permissions};
use crate::model::{
    AccountId, GroupId, Network, Peer, PeeringStatus, Place, Rule, RuleCoverage, RuleId, SecurityGroup, VpcId,
};
use crate::net::Direction;
use crate::wire::aws;

/// The call whose answer has an id for every rule.
pub(in super::super) const RULES_CALL: &str = "DescribeSecurityGroupRules";

/// What was read about groups, in both views.
#[derive(Default)]
pub(in super::super) struct Groups {
    groups: BTreeMap<GroupId, GroupView>,
    rules: BTreeMap<GroupId, RulesView>,
}

/// A group with its permissions.
struct GroupView {
    /// The group without its rules.
    group: SecurityGroup,
    place: Place,
    /// The rules of the directions that documents do not leave out.
    lists: BTreeMap<Direction, Permissions>,
}

/// The rules of one group, each by itself.
struct RulesView {
    /// The first rule's place stands for the view.
    place: Place,
    owner: Option<AccountId>,
    rules: Vec<Rule>,
    ids: BTreeMap<RuleId, usize>,
}

impl Groups {
    pub(super) fn add_group(&mut self, source: &mut Source, at: At<'_>, read: &aws::Group) -> Result<(), LoadError> {
        let id = source.need(at, "GroupId", &read.id, "the id of a group")?;
        let mut group = SecurityGroup::aws(id);
        group.name = read.name.get().map(str::to_owned);
        group.description = read.description.get().map(str::to_owned);
        group.network = read.vpc.get().map(|vpc| Network::Vpc(vpc.into()));
        group.owner = read.owner.get().map(Into::into);
        group.tags = super::tags(&read.tags);
        let mut lists = BTreeMap::new();
        for (direction, list) in [(Direction::Ingress, &read.ingress), (Direction::Egress, &read.egress)] {
            if let Some(list) = list.get() {
                lists.insert(direction, permissions(source, at, direction, &list.0)?);
            }
        }
        let place = source.place(at);
        group.place = Some(place.clone());
        match self.groups.entry(group.id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(GroupView { group, place, lists });
                Ok(())
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                if !known.agrees(&group, &lists) {
                    return Err(LoadError::Conflict {
                        first: known.place.clone(),
                        second: place,
                        what: format!("they describe the group `{id}` differently"),
                    });
                }
                for (direction, list) in lists {
                    known.lists.entry(direction).or_insert(list);
                }
                Ok(())
            }
        }
    }

    pub(super) fn add_rule(&mut self, source: &mut Source, at: At<'_>, read: &aws::GroupRule) -> Result<(), LoadError> {
        let group = source.need(at, "GroupId", &read.group, "the id of a group")?;
        let rule = group_rule(source, at, read)?;
        let place = source.place(at);
        let view = self.rules.entry(group.into()).or_insert_with(|| RulesView {
            place: place.clone(),
            owner: None,
            rules: Vec::new(),
            ids: BTreeMap::new(),
        });
        if view.owner.is_none() {
            view.owner = read.owner.get().map(Into::into);
        }
        let Some(id) = rule.id.clone() else {
            view.rules.push(rule);
            return Ok(());
        };
        match view.ids.get(&id).and_then(|&i| view.rules.get(i)) {
            Some(known) if same_rule(known, &rule) => Ok(()),
            Some(known) => Err(LoadError::Conflict {
                first: known.place.clone().unwrap_or_else(|| view.place.clone()),
                second: place,
                what: format!("they describe the rule `{id}` differently"),
            }),
            None => {
                view.ids.insert(id, view.rules.len());
                view.rules.push(rule);
                Ok(())
            }
        }
    }

    /// The groups, with ids and tags of the rules from the other view, which must agree.
    pub(in super::super) fn finish(
        mut self,
        rules_complete: bool,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<SecurityGroup>, LoadError> {
        self.resolve_names()?;
        let mut groups = Vec::with_capacity(self.groups.len());
        for (id, GroupView { mut group, lists, .. }) in self.groups {
            let known: BTreeSet<Direction> = lists.keys().copied().collect();
            group.coverage = match (known.first(), known.len()) {
                (None, _) => RuleCoverage::Partial,
                (Some(&direction), 1) => RuleCoverage::OnlyDirection(direction),
                _ => RuleCoverage::Complete,
            };
            let rules = lists.into_values().flat_map(|list| list.rules).collect();
            group.rules = each_once(&group.id, rules, warnings);
            if let Some(mut view) = self.rules.remove(&id) {
                view.rules = each_once(&id, view.rules, warnings);
                merge(&mut group, &known, view, rules_complete)?;
            }
            warn_if_partly_known(&group, &known, warnings);
            groups.push(group);
        }
        for (id, view) in self.rules {
            let mut group = SecurityGroup::aws(id);
            group.owner = view.owner;
            group.place = Some(view.place);
            group.rules = each_once(&group.id, view.rules, warnings);
            if !rules_complete {
                group.coverage = RuleCoverage::Partial;
            }
            groups.push(group);
        }
        Ok(groups)
    }

    /// Finds the groups that rules name without an id, within their VPC.
    fn resolve_names(&mut self) -> Result<(), LoadError> {
        if self.groups.values().flat_map(|view| view.lists.values()).all(|list| list.names.is_empty()) {
            return Ok(());
        }
        let by_name: BTreeMap<(Option<VpcId>, String), GroupId> = self
            .groups
            .values()
            .filter_map(|view| Some(((view.group.vpc().cloned(), view.group.name.clone()?), view.group.id.clone())))
            .collect();
        for GroupView { group, place, lists } in self.groups.values_mut() {
            let vpc = group.vpc().cloned();
            for Permissions { rules, names } in lists.values_mut() {
                for GroupName { rule, name } in names {
                    let Some(rule) = rules.get_mut(*rule) else {
                        continue;
                    };
                    let Some(id) = by_name.get(&(vpc.clone(), name.clone())) else {
                        let place = rule.place.as_ref().unwrap_or(place);
                        return Err(LoadError::Value {
                            place: Place::new(place.source(), format!("{}.GroupId", place.path())),
                            found: format!("only the name `{name}`, which no group of this VPC has"),
                            expected: "the id of a group".to_owned(),
                        });
                    };
                    if let Peer::Group(reference) = &mut rule.peer {
                        reference.id = id.clone();
                    }
                }
            }
        }
        Ok(())
    }
}

impl GroupView {
    /// Whether another description of the group says the same, as far as both have it.
    fn agrees(&self, group: &SecurityGroup, lists: &BTreeMap<Direction, Permissions>) -> bool {
        let same_rules = |a: &Permissions, b: &Permissions| {
            a.names == b.names
                && a.rules.len() == b.rules.len()
                && a.rules.iter().zip(&b.rules).all(|(a, b)| same_rule(a, b))
        };
        let bare = |group: &SecurityGroup| SecurityGroup { place: None, ..group.clone() };
        bare(&self.group) == bare(group)
            && lists.iter().all(|(direction, list)| self.lists.get(direction).is_none_or(|own| same_rules(own, list)))
    }
}

/// Rules without those that repeat another (AWS-36, trap T20).
fn each_once(group: &GroupId, rules: Vec<Rule>, warnings: &mut Vec<Warning>) -> Vec<Rule> {
    let mut seen = BTreeSet::new();
    let mut keep = Vec::with_capacity(rules.len());
    for rule in &rules {
        let new = seen.insert((rule.identity(), across(rule)));
        if !new {
            warn_of_repetition(group, rule, warnings);
        }
        keep.push(new);
    }
    drop(seen);
    kept(rules, keep)
}

/// The VPC and the peering that a reference goes through: there may be two to one group.
fn across(rule: &Rule) -> (Option<&VpcId>, Option<PeeringStatus>) {
    match &rule.peer {
        Peer::Group(reference) => (reference.vpc.as_ref(), reference.peering),
        _ => (None, None),
    }
}

/// Tells which rules the documents leave out.
fn warn_if_partly_known(group: &SecurityGroup, known: &BTreeSet<Direction>, warnings: &mut Vec<Warning>) {
    let Some(place) = group.place.clone().filter(|_| group.coverage != RuleCoverage::Complete) else {
        return;
    };
    let missing: Vec<String> = Direction::ALL
        .into_iter()
        .filter(|direction| !known.contains(direction))
        .map(|direction| format!("{direction} rules (`{}` is absent)", list_field(direction)))
        .collect();
    let message =
        format!("not known of the group `{}`: {}; DescribeSecurityGroupRules tells too", group.id, missing.join(", "));
    warnings.push(Warning { kind: WarningKind::PartlyKnownGroup, place, message });
}

/// Gives the rules of a group the ids and tags of the other view, and the rules of the directions that
/// the group's documents leave out; `known` are the others.
fn merge(
    group: &mut SecurityGroup,
    known: &BTreeSet<Direction>,
    view: RulesView,
    complete: bool,
) -> Result<(), LoadError> {
    let own = || group.rules.iter().enumerate();
    let exactly: BTreeMap<_, usize> = own().map(|(i, rule)| ((rule.identity(), across(rule)), i)).collect();
    let roughly: BTreeMap<_, (usize, &Rule)> = own().map(|(i, rule)| (rule.identity(), (i, rule))).collect();
    // One view may say less about a reference, but not something else.
    let agree = |a: &Rule, b: &Rule| {
        let ((vpc_a, peering_a), (vpc_b, peering_b)) = (across(a), across(b));
        vpc_a.zip(vpc_b).is_none_or(|(a, b)| a == b) && peering_a.zip(peering_b).is_none_or(|(a, b)| a == b)
    };
    let index = |rule: &Rule| {
        let rough = || roughly.get(&rule.identity()).filter(|(_, own)| agree(own, rule)).map(|(i, _)| *i);
        exactly.get(&(rule.identity(), across(rule))).copied().or_else(rough)
    };
    let mut details = vec![None; group.rules.len()];
    let mut others = Vec::new();
    let conflict = |rule: &Rule, other: Option<&Place>| LoadError::Conflict {
        first: rule.place.clone().unwrap_or_else(|| view.place.clone()),
        second: other.unwrap_or(&view.place).clone(),
        what: format!("only the first has the rule `{rule}` of the group `{}`", group.id),
    };
    for rule in view.rules {
        match index(&rule).and_then(|i| details.get_mut(i)) {
            // Two rules of the one view cannot be one of the other.
            Some(Some(_)) => return Err(conflict(&rule, group.place.as_ref())),
            Some(detail) => *detail = Some(rule),
            None if known.contains(&rule.direction) => return Err(conflict(&rule, group.place.as_ref())),
            None => others.push(rule),
        }
    }
    if complete && let Some((rule, _)) = group.rules.iter().zip(&details).find(|(_, detail)| detail.is_none()) {
        return Err(conflict(rule, None));
    }
    drop((exactly, roughly));
    for (rule, detail) in group.rules.iter_mut().zip(details) {
        let Some(detail) = detail else {
            continue;
        };
        rule.id = detail.id;
        rule.tags = detail.tags;
        rule.description = rule.description.take().or(detail.description);
        if let (Peer::Group(here), Peer::Group(there)) = (&mut rule.peer, detail.peer) {
            here.owner = here.owner.take().or(there.owner);
            here.vpc = here.vpc.take().or(there.vpc);
            here.peering = here.peering.or(there.peering);
        }
    }
    group.rules.extend(others);
    // Inbound rules first, as everywhere; the sort is stable.
    group.rules.sort_by_key(|rule| rule.direction);
    if complete {
        group.coverage = RuleCoverage::Complete;
    }
    if group.owner.is_none() {
        group.owner = view.owner;
    }
    Ok(())
}

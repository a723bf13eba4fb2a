//! Groups of AWS, and the merging of the two views of their rules (AWS-21).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::super::error::LoadError;
use super::super::source::{At, Source};
use super::super::warning::{Warning, WarningKind};
use super::rule::{GroupName, group_rule, permissions};
use crate::model::{AccountId, GroupId, Network, Peer, Place, Rule, RuleCoverage, RuleId, SecurityGroup, VpcId};
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
    group: SecurityGroup,
    place: Place,
    names: Vec<GroupName>,
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
        let mut names = Vec::new();
        permissions(source, at, Direction::Ingress, &read.ingress.0, &mut group.rules, &mut names)?;
        permissions(source, at, Direction::Egress, &read.egress.0, &mut group.rules, &mut names)?;
        let place = source.place(at);
        group.place = Some(place.clone());
        match self.groups.entry(group.id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(GroupView { group, place, names });
                Ok(())
            }
            Entry::Occupied(entry) if same_group(&entry.get().group, &group) => Ok(()),
            Entry::Occupied(entry) => Err(LoadError::Conflict {
                first: entry.get().place.clone(),
                second: place,
                what: format!("they describe the group `{id}` differently"),
            }),
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
        for (id, GroupView { mut group, .. }) in self.groups {
            group.rules = each_once(&group.id, group.rules, warnings);
            if let Some(mut view) = self.rules.remove(&id) {
                view.rules = each_once(&id, view.rules, warnings);
                merge(&mut group, view, rules_complete)?;
            }
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
        if self.groups.values().all(|view| view.names.is_empty()) {
            return Ok(());
        }
        let by_name: BTreeMap<(Option<VpcId>, String), GroupId> = self
            .groups
            .values()
            .filter_map(|view| Some(((view.group.vpc().cloned(), view.group.name.clone()?), view.group.id.clone())))
            .collect();
        for view in self.groups.values_mut() {
            let vpc = view.group.vpc().cloned();
            for GroupName { rule, name } in &view.names {
                let Some(rule) = view.group.rules.get_mut(*rule) else {
                    continue;
                };
                let Some(id) = by_name.get(&(vpc.clone(), name.clone())) else {
                    let place = rule.place.as_ref().unwrap_or(&view.place);
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
        Ok(())
    }
}

/// Rules without those that repeat another (AWS-36, trap T20).
fn each_once(group: &GroupId, rules: Vec<Rule>, warnings: &mut Vec<Warning>) -> Vec<Rule> {
    let mut first = BTreeMap::new();
    let mut repeated = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        match first.entry(rule.identity()) {
            Entry::Vacant(entry) => {
                entry.insert(i);
            }
            Entry::Occupied(_) => {
                repeated.push(i);
                let id = rule.id.as_ref().map(|id| format!(" `{id}`")).unwrap_or_default();
                let message = format!("the rule{id} of `{group}` repeats another one, `{rule}`, and was left out");
                if let Some(place) = rule.place.clone() {
                    warnings.push(Warning { kind: WarningKind::Duplicate, place, message });
                }
            }
        }
    }
    drop(first);
    let mut repeated = repeated.into_iter().peekable();
    rules
        .into_iter()
        .enumerate()
        .filter_map(|(i, rule)| if repeated.next_if_eq(&i).is_some() { None } else { Some(rule) })
        .collect()
}

/// Gives the rules of a group the ids and tags of the other view.
fn merge(group: &mut SecurityGroup, view: RulesView, complete: bool) -> Result<(), LoadError> {
    let known: BTreeMap<_, usize> = group.rules.iter().enumerate().map(|(i, rule)| (rule.identity(), i)).collect();
    let mut details = vec![None; group.rules.len()];
    let conflict = |rule: &Rule, other: Option<&Place>| LoadError::Conflict {
        first: rule.place.clone().unwrap_or_else(|| view.place.clone()),
        second: other.unwrap_or(&view.place).clone(),
        what: format!("only the first has the rule `{rule}` of the group `{}`", group.id),
    };
    for rule in &view.rules {
        match known.get(&rule.identity()).and_then(|&i| details.get_mut(i)) {
            Some(detail) => *detail = Some(rule),
            None => return Err(conflict(rule, group.place.as_ref())),
        }
    }
    if complete && let Some((rule, _)) = group.rules.iter().zip(&details).find(|(_, detail)| detail.is_none()) {
        return Err(conflict(rule, None));
    }
    drop(known);
    for (rule, detail) in group.rules.iter_mut().zip(details) {
        let Some(detail) = detail else {
            continue;
        };
        rule.id.clone_from(&detail.id);
        rule.tags.clone_from(&detail.tags);
        if rule.description.is_none() {
            rule.description.clone_from(&detail.description);
        }
        if let (Peer::Group(here), Peer::Group(there)) = (&mut rule.peer, &detail.peer) {
            here.owner = here.owner.take().or_else(|| there.owner.clone());
            here.vpc = here.vpc.take().or_else(|| there.vpc.clone());
            here.peering = here.peering.or(there.peering);
        }
    }
    if group.owner.is_none() {
        group.owner = view.owner;
    }
    Ok(())
}

/// Whether two rules are equal wherever they were read.
fn same_rule(a: &Rule, b: &Rule) -> bool {
    let bare = |rule: &Rule| Rule { place: None, ..rule.clone() };
    bare(a) == bare(b)
}

fn same_group(a: &SecurityGroup, b: &SecurityGroup) -> bool {
    let bare = |group: &SecurityGroup| SecurityGroup { place: None, rules: Vec::new(), ..group.clone() };
    bare(a) == bare(b) && a.rules.len() == b.rules.len() && a.rules.iter().zip(&b.rules).all(|(a, b)| same_rule(a, b))
}

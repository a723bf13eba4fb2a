//! Groups of Alibaba Cloud, put together from the two calls that describe them (ALI-28), from pages,
//! and from the two network cards of the classic network.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::super::error::LoadError;
use super::super::rules::{kept, same_rule, warn_of_repetition};
use super::super::source::{At, Source};
use super::super::warning::{Warning, WarningKind};
use super::lower;
use super::rule::rule;
use crate::model::{
    GroupId, GroupKind, IntraGroupPolicy, Network, NicType, Place, Rule, RuleCoverage, RuleId, SecurityGroup,
};
use crate::wire::{Id, alibaba};

/// What was read about groups.
#[derive(Default)]
pub(in super::super) struct Groups(BTreeMap<GroupId, Parts>);

#[derive(Default)]
struct Parts {
    /// From the call that lists groups: everything but policy and rules.
    listed: Option<SecurityGroup>,
    answers: Vec<Answer>,
}

/// One answer with rules, which may be a page of several, or about one network card of two.
struct Answer {
    place: Place,
    /// Another page follows.
    open: bool,
    name: Option<String>,
    description: Option<String>,
    network: Option<Network>,
    policy: Option<IntraGroupPolicy>,
    /// `None` if the answer leaves them out.
    rules: Option<Vec<Rule>>,
}

impl Answer {
    /// The network cards that its rules are about.
    fn cards(&self) -> impl Iterator<Item = NicType> {
        self.rules.iter().flatten().filter_map(|rule| rule.nic)
    }
}

impl Groups {
    /// A group from the call that lists them.
    pub(super) fn add_listed(
        &mut self,
        source: &mut Source,
        at: At<'_>,
        read: &alibaba::Group,
    ) -> Result<(), LoadError> {
        let id = source.need(at, "SecurityGroupId", &read.id, "the id of a group")?;
        let mut group = SecurityGroup::new(id);
        group.kind = match lower(&read.kind).as_deref() {
            None => None,
            Some("normal") => Some(GroupKind::Basic),
            Some("enterprise") => Some(GroupKind::Enterprise),
            Some(_) => {
                let text = read.kind.get().unwrap_or_default();
                return Err(source.wrong(at.field("SecurityGroupType"), text, "normal or enterprise"));
            }
        };
        group.name = read.name.get().map(str::to_owned);
        group.description = read.description.get().map(str::to_owned);
        group.network = Some(network(&read.vpc));
        group.service_managed = read.service_managed.is_set();
        group.tags = read
            .tags
            .items
            .iter()
            .filter_map(|tag| {
                let key = tag.name.get().or(tag.key.get())?;
                let value = tag.content.get().or(tag.value.get()).unwrap_or_default();
                Some((key.to_owned(), value.to_owned()))
            })
            .collect();
        let place = source.place(at);
        group.place = Some(place.clone());
        let listed = &mut self.0.entry(group.id.clone()).or_default().listed;
        match listed {
            None => *listed = Some(group),
            Some(known) if (SecurityGroup { place: known.place.clone(), ..group.clone() }) == *known => {}
            Some(known) => {
                return Err(LoadError::Conflict {
                    first: known.place.clone().unwrap_or_else(|| place.clone()),
                    second: place,
                    what: format!("they describe the group `{id}` differently"),
                });
            }
        }
        Ok(())
    }

    /// A page of the rules of a group, with its policy.
    pub(super) fn add_attribute(
        &mut self,
        source: &mut Source,
        id: GroupId,
        read: &alibaba::Answer,
    ) -> Result<(), LoadError> {
        let at = At::ROOT;
        let policy = match lower(&read.policy).as_deref() {
            None => None,
            Some("accept") => Some(IntraGroupPolicy::Accept),
            Some("drop") => Some(IntraGroupPolicy::Drop),
            Some(_) => {
                let text = read.policy.get().unwrap_or_default();
                return Err(source.wrong(at.field("InnerAccessPolicy"), text, "Accept or Drop"));
            }
        };
        let path = read.permissions.path("Permissions");
        let mut rules = Vec::with_capacity(read.permissions.items().len());
        for (i, permission) in read.permissions.items().iter().enumerate() {
            rules.push(rule(source, at.item(&path, i), permission)?);
        }
        let answer = Answer {
            place: source.place(at),
            open: read.next_token.get().is_some(),
            name: read.group_name.get().map(str::to_owned),
            description: read.description.get().map(str::to_owned),
            network: read.group.get().map(|_| network(&read.vpc)),
            policy,
            rules: (!read.permissions.is_absent()).then_some(rules),
        };
        self.0.entry(id).or_default().answers.push(answer);
        Ok(())
    }

    /// The rules of a group as the console exports them, which says nothing else about it (ALI-86).
    pub(super) fn add_exported(
        &mut self,
        source: &mut Source,
        id: GroupId,
        field: &str,
        permissions: &[alibaba::Permission],
    ) -> Result<(), LoadError> {
        let mut rules = Vec::with_capacity(permissions.len());
        for (i, permission) in permissions.iter().enumerate() {
            rules.push(rule(source, At::ROOT.item(field, i), permission)?);
        }
        let place = source.place(At::ROOT);
        let rules = Some(rules);
        let answer = Answer { place, open: false, name: None, description: None, network: None, policy: None, rules };
        self.0.entry(id).or_default().answers.push(answer);
        Ok(())
    }

    /// How many groups the call that lists them showed.
    pub(in super::super) fn listed_count(&self) -> usize {
        self.0.values().filter(|parts| parts.listed.is_some()).count()
    }

    /// The groups, each put together.
    pub(in super::super) fn finish(self, warnings: &mut Vec<Warning>) -> Result<Vec<SecurityGroup>, LoadError> {
        self.0.into_iter().map(|(id, parts)| parts.finish(id, warnings)).collect()
    }
}

/// No VPC means the classic network (ALI-20).
fn network(vpc: &Id) -> Network {
    vpc.get().map_or(Network::Classic, |vpc| Network::Vpc(vpc.into()))
}

impl Parts {
    fn finish(self, id: GroupId, warnings: &mut Vec<Warning>) -> Result<SecurityGroup, LoadError> {
        let listed_place = self.listed.as_ref().and_then(|group| group.place.clone());
        let mut group = self.listed.unwrap_or_else(|| SecurityGroup::new(id));
        let mut network_place = listed_place;
        let mut policy_place: Option<&Place> = None;
        for answer in &self.answers {
            let differ = |what: &str, first: &Place| LoadError::Conflict {
                first: first.clone(),
                second: answer.place.clone(),
                what: format!("they give the group `{}` different {what}", group.id),
            };
            match (&group.network, &answer.network) {
                (Some(Network::Vpc(known)), Some(Network::Vpc(other))) if known != other => {
                    return Err(differ("VPCs", network_place.as_ref().unwrap_or(&answer.place)));
                }
                // Only the absence of a VPC says classic, so an answer that names one knows better.
                (None, Some(other)) | (Some(Network::Classic), Some(other @ Network::Vpc(_))) => {
                    group.network = Some(other.clone());
                    network_place = Some(answer.place.clone());
                }
                _ => {}
            }
            match (group.intra_group, answer.policy) {
                (Some(known), Some(other)) if known != other => {
                    return Err(differ("intra-group policies", policy_place.unwrap_or(&answer.place)));
                }
                (None, Some(other)) => {
                    group.intra_group = Some(other);
                    policy_place = Some(&answer.place);
                }
                _ => {}
            }
            group.name = group.name.take().or_else(|| answer.name.clone());
            group.description = group.description.take().or_else(|| answer.description.clone());
        }
        if group.kind == Some(GroupKind::Enterprise) {
            // Members of these are always isolated (ALI-16).
            let said = group.intra_group.replace(IntraGroupPolicy::Drop);
            if let (Some(IntraGroupPolicy::Accept), Some(place)) = (said, policy_place) {
                let place = Place::new(place.source(), "InnerAccessPolicy");
                let message = format!(
                    "the enterprise group `{}` says Accept, but members of enterprise groups are always isolated; read \
                     as Drop",
                    group.id
                );
                warnings.push(Warning { kind: WarningKind::IgnoredPolicy, place, message });
            }
        }
        group.place = group.place.take().or_else(|| self.answers.first().map(|answer| answer.place.clone()));
        let one_moment = one_moment(&group, &self.answers);
        group.coverage = coverage(&group, &self.answers, warnings);
        warn_if_partly_known(&group, &self.answers, warnings);
        // Two descriptions of one rule say more than two sets of rules, so they go first.
        group.rules = union(self.answers, &group.id, warnings)?;
        one_moment?;
        Ok(group)
    }
}

/// Refuses two whole answers that hold different rules of one direction and card: they are of different
/// moments. Answers about different directions or cards are none, and pages are not compared.
fn one_moment(group: &SecurityGroup, answers: &[Answer]) -> Result<(), LoadError> {
    if answers.iter().any(|answer| answer.open) {
        return Ok(());
    }
    let classic = group.network == Some(Network::Classic);
    let mut known = BTreeMap::new();
    for answer in answers {
        let mut parts: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for rule in answer.rules.iter().flatten() {
            let part = (rule.direction, rule.nic.filter(|_| classic));
            parts.entry(part).or_default().insert(rule.identity());
        }
        for (part, rules) in parts {
            match known.entry(part) {
                Entry::Vacant(entry) => {
                    entry.insert((rules, &answer.place));
                }
                Entry::Occupied(entry) if entry.get().0 == rules => {}
                Entry::Occupied(entry) => {
                    return Err(LoadError::Conflict {
                        first: entry.get().1.clone(),
                        second: answer.place.clone(),
                        what: format!("they give the group `{}` different {} rules", group.id, part.0),
                    });
                }
            }
        }
    }
    Ok(())
}

fn warn_if_partly_known(group: &SecurityGroup, answers: &[Answer], warnings: &mut Vec<Warning>) {
    let Some(place) = group.place.clone() else {
        return;
    };
    let mut missing = Vec::new();
    if group.kind.is_none() {
        missing.push("kind (DescribeSecurityGroups tells)");
    }
    if group.intra_group.is_none() {
        missing.push("intra-group policy (DescribeSecurityGroupAttribute tells)");
    }
    if answers.iter().all(|answer| answer.rules.is_none()) {
        missing.push("rules (DescribeSecurityGroupAttribute tells)");
    }
    if !missing.is_empty() {
        let message = format!("not known of the group `{}`: {}", group.id, missing.join(", "));
        warnings.push(Warning { kind: WarningKind::PartlyKnownGroup, place, message });
    }
}

/// How much of the rules the answers hold.
fn coverage(group: &SecurityGroup, answers: &[Answer], warnings: &mut Vec<Warning>) -> RuleCoverage {
    let answers: Vec<&Answer> = answers.iter().filter(|answer| answer.rules.is_some()).collect();
    let Some(first) = answers.first() else {
        return RuleCoverage::Partial;
    };
    let (open, last): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.open);
    let classic = group.network == Some(Network::Classic);
    if let Some(page) = open.first()
        && (last.is_empty() || (classic && !closed(&open, &last)))
    {
        let message = format!(
            "the rules of `{}` are incomplete: another page follows, and the last one is not among the documents",
            group.id
        );
        warnings.push(Warning { kind: WarningKind::IncompletePages, place: page.place.clone(), message });
        return RuleCoverage::Partial;
    }
    if !classic {
        return RuleCoverage::Complete;
    }
    let cards: BTreeSet<NicType> = answers.iter().flat_map(|answer| answer.cards()).collect();
    // Beside an answer about one card, an empty one can only be about the other.
    let empty = last.iter().any(|answer| answer.rules.as_ref().is_some_and(Vec::is_empty));
    let (coverage, message) = match (cards.first(), cards.len()) {
        (Some(&card), 1) if !empty => (
            RuleCoverage::OnlyNic(card),
            format!(
                "only the rules of the {card} card of the classic group `{}` were loaded; the other card takes a second \
                 call",
                group.id
            ),
        ),
        (Some(_), _) => return RuleCoverage::Complete,
        (None, _) => (
            RuleCoverage::Partial,
            format!(
                "the rules of the classic group `{}` are not all known: no rule tells which network card the answers \
                 are about, and each card takes a call of its own",
                group.id
            ),
        ),
    };
    warnings.push(Warning { kind: WarningKind::OnlyOneNic, place: first.place.clone(), message });
    coverage
}

/// Whether the last pages of a classic group, each about one network card (ALI-28), close all that are
/// open. An empty page does not tell its card: it closes nothing as a last one, and as an open one it
/// is closed only if both cards are.
fn closed(open: &[&Answer], last: &[&Answer]) -> bool {
    let closed: BTreeSet<NicType> = last.iter().flat_map(|answer| answer.cards()).collect();
    closed.len() == 2
        || open
            .iter()
            .all(|answer| answer.cards().next().is_some() && answer.cards().all(|card| closed.contains(&card)))
}

/// The rules of all answers, each once: known by their ids, else by what they say (ALI-45).
fn union(answers: Vec<Answer>, group: &GroupId, warnings: &mut Vec<Warning>) -> Result<Vec<Rule>, LoadError> {
    let rules: Vec<(usize, Rule)> = answers
        .into_iter()
        .enumerate()
        .flat_map(|(i, answer)| answer.rules.into_iter().flatten().map(move |rule| (i, rule)))
        .collect();
    let mut keep = vec![false; rules.len()];
    let mut ids: BTreeMap<&RuleId, &Rule> = BTreeMap::new();
    let mut meanings = BTreeMap::new();
    for ((answer, rule), keep) in rules.iter().zip(&mut keep) {
        let Some(id) = &rule.id else {
            continue;
        };
        match ids.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(rule);
                meanings.entry(rule.identity()).or_insert(*answer);
                *keep = true;
            }
            Entry::Occupied(entry) if same_rule(entry.get(), rule) => {}
            Entry::Occupied(entry) => {
                let place = |rule: &Rule| rule.place.clone().unwrap_or_else(|| Place::new("", ""));
                return Err(LoadError::Conflict {
                    first: place(entry.get()),
                    second: place(rule),
                    what: format!("they describe the rule `{id}` differently"),
                });
            }
        }
    }
    for ((answer, rule), keep) in rules.iter().zip(&mut keep).filter(|((_, rule), _)| rule.id.is_none()) {
        match meanings.entry(rule.identity()) {
            Entry::Vacant(entry) => {
                entry.insert(*answer);
                *keep = true;
            }
            // Another answer repeats it: a page that was given twice, or an export beside the call.
            Entry::Occupied(entry) if entry.get() != answer => {}
            Entry::Occupied(_) => warn_of_repetition(group, rule, warnings),
        }
    }
    drop((ids, meanings));
    Ok(kept(rules.into_iter().map(|(_, rule)| rule), keep))
}

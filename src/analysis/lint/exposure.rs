//! Findings about what is open: the controls of auditors, by group, and exposures in general, by interface.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::codes;
use super::finding::Finding;
use super::idle::listed;
use crate::analysis::alone::{cards, resolved};
use crate::analysis::classes::InterfaceClass;
use crate::analysis::controls::{
    About, Certainty, Check, Cloud, Control, Openness, Reach, Subject as Checked, Violation, complement, is_anywhere,
    public_addresses, without_public_members,
};
use crate::analysis::error::{AnalysisError, Subject};
use crate::analysis::exposure::own_blocks;
use crate::analysis::quotas::{QuotaSubject, Quotas, over};
use crate::analysis::severity::Severity;
use crate::engine::PolicyEngine;
use crate::model::{Action, GroupId, Interface, InterfaceId, Inventory, RuleId, SecurityGroup};
use crate::net::{AddressSet, Direction, Family, common};
use crate::policy::{Policy, RuleList, Selector, service};
use crate::set::by_service::ServiceRanges;
use crate::set::{Decided, PacketSet, Services, SetError, numbered};

/// Collects what violates controls.
pub(super) struct Auditing<'a> {
    inventory: &'a Inventory,
    controls: &'a [Control],
    /// What was found about groups that interfaces have, by the place of the control, the group, and what is
    /// wrong in words, which can differ with the other groups of an interface.
    by_group: BTreeMap<(usize, GroupId, String), Grouped>,
    findings: Vec<Finding>,
}

/// What one group does to the violation of a control, on all interfaces where that is the same.
struct Grouped {
    certain: bool,
    direction: Direction,
    rules: Vec<RuleId>,
    interfaces: Vec<InterfaceId>,
    packets: PacketSet,
    /// The near addresses of the first interface.
    near: Vec<IpAddr>,
}

impl<'a> Auditing<'a> {
    pub(super) fn new(inventory: &'a Inventory, controls: &'a [Control]) -> Self {
        Self { inventory, controls, by_group: BTreeMap::new(), findings: Vec::new() }
    }

    /// Holds the policy of a class of interfaces against the controls.
    pub(super) fn class(&mut self, class: &InterfaceClass<'_>, policy: &Policy, decided: Option<&Decided>) {
        // Where members are all known the policy is judged as it is, and was decided already.
        let own;
        let decided = match (without_public_members(policy), decided) {
            (Cow::Borrowed(_), Some(decided)) => decided,
            (judged, _) => match Decided::new(&judged) {
                Ok(decided) => {
                    own = decided;
                    &own
                }
                Err(error) => {
                    let subjects = class.ids().map(|id| Subject::Interface(id.clone()));
                    let direction = policy.direction();
                    self.findings.extend(subjects.map(|subject| not_judged(subject, direction, &error)));
                    return;
                }
            },
        };
        for (near, interfaces) in by_near_addresses(class, policy) {
            let openness = Openness::at(decided, near);
            self.general(&interfaces, policy, &openness);
        }
        let openness = Openness::of(decided);
        let violated: Vec<(usize, Violation)> = (self.controls.iter().enumerate())
            .filter(|(_, control)| control.cloud.is_some())
            .filter_map(|(place, control)| Some((place, control.evaluate(Checked::Traffic(&openness))?)))
            .collect();
        if !violated.is_empty() {
            self.audited(class, policy, &violated);
        }
    }

    /// Exposures of interfaces, whatever auditors say.
    fn general(&mut self, interfaces: &[&Interface], policy: &Policy, openness: &Openness<'_>) {
        let Some(first) = interfaces.first() else { return };
        let subject = Subject::Interface(first.id.clone());
        let mut found = Vec::new();
        for control in self.controls.iter().filter(|control| control.cloud.is_none()) {
            let Some(violation) = control.evaluate(Checked::Traffic(openness)) else { continue };
            let by_default = if violation.by_default { ", by default" } else { "" };
            found.push(
                Finding::new(
                    control.id,
                    severity(control, violation.certain),
                    subject.clone(),
                    format!("it {}{by_default} (should hold: {})", violation.text, control.title),
                )
                .in_direction(policy.direction())
                .about(rules_of(policy, &violation))
                .suggesting(suggestion(control))
                .shown_by(Some(violation.packets)),
            );
        }
        if policy.direction() == Direction::Ingress {
            found.extend(split_anywhere(subject, policy, openness));
        }
        for interface in interfaces {
            self.findings.extend(found.iter().map(|finding| finding.at(interface)));
        }
    }

    /// Violations of auditors' controls. Each group is held against them with the rules that allow of its own
    /// and those that deny of all groups; what no group violates alone, all do whose rules have a part in it.
    fn audited(&mut self, class: &InterfaceClass<'_>, policy: &Policy, violated: &[(usize, Violation)]) {
        let mut alone: BTreeSet<usize> = BTreeSet::new();
        let groups = class.representative().groups.iter().flatten().filter_map(|id| self.inventory.group(id.as_str()));
        let clauses: Vec<_> = numbered(policy).map(|(_, _, clause)| clause).collect();
        for group in groups {
            let own = |number: u32| {
                let clause = usize::try_from(number).ok().and_then(|number| clauses.get(number));
                clause.is_some_and(|clause| {
                    let of = clause.provenance.rule().map(|origin| &origin.group);
                    clause.action != Action::Allow || of == Some(&group.id)
                })
            };
            let (rest, _) = policy.with_clauses(own);
            let judged = without_public_members(&rest);
            let Ok(decided) = Decided::new(&judged) else { continue };
            let openness = Openness::of(&decided);
            for (place, _) in violated {
                let Some(control) = self.controls.get(*place) else { continue };
                if let Some(violation) = control.evaluate(Checked::Traffic(&openness)) {
                    alone.insert(*place);
                    if control.applies_to_group(group) {
                        let rules = rules_of(&rest, &violation);
                        self.add(*place, group, class, policy.direction(), &violation, rules);
                    }
                }
            }
        }
        for (place, violation) in violated.iter().filter(|(place, _)| !alone.contains(place)) {
            let Some(control) = self.controls.get(*place) else { continue };
            let origins = violation.clauses.iter().filter_map(|id| policy.clause(*id)?.provenance.rule());
            let groups: BTreeSet<&GroupId> = origins.map(|origin| &origin.group).collect();
            for group in groups.into_iter().filter_map(|id| self.inventory.group(id.as_str())) {
                if control.applies_to_group(group) {
                    self.add(*place, group, class, policy.direction(), violation, rules_of(policy, violation));
                }
            }
        }
    }

    fn add(
        &mut self,
        place: usize,
        group: &SecurityGroup,
        class: &InterfaceClass<'_>,
        direction: Direction,
        violation: &Violation,
        rules: Vec<RuleId>,
    ) {
        let key = (place, group.id.clone(), violation.text.clone());
        let grouped = self.by_group.entry(key).or_insert_with(|| Grouped {
            certain: violation.certain,
            direction,
            rules,
            interfaces: Vec::new(),
            packets: violation.packets.clone(),
            near: class.representative().addresses.clone(),
        });
        grouped.interfaces.extend(class.ids().cloned());
    }

    /// Holds a group that no interface has against the controls about traffic, by itself.
    pub(super) fn unattached(
        &mut self,
        engine: &dyn PolicyEngine,
        group: &'a SecurityGroup,
    ) -> Result<(), AnalysisError> {
        for card in cards(group) {
            for direction in Direction::ALL {
                let policy = resolved(engine, self.inventory, group, *card, direction)?;
                let judged = without_public_members(&policy);
                let decided = match Decided::new(&judged) {
                    Ok(decided) => decided,
                    Err(error) => {
                        self.findings.push(not_judged(Subject::Group(group.id.clone()), direction, &error));
                        continue;
                    }
                };
                let openness = Openness::of(&decided);
                for control in self.controls.iter().filter(|control| control.applies_to_group(group)) {
                    let Some(violation) = control.evaluate(Checked::Traffic(&openness)) else { continue };
                    let rules = rules_of(&policy, &violation);
                    let message = format!(
                        "it {}, though no interface has it yet (should hold: {})",
                        violation.text, control.title
                    );
                    let finding = Finding::new(
                        control.id,
                        severity(control, violation.certain),
                        Subject::Group(group.id.clone()),
                        message,
                    );
                    let finding = finding.in_direction(direction).about(rules).suggesting(suggestion(control));
                    self.findings.push(finding.shown_by(Some(violation.packets)));
                }
            }
        }
        Ok(())
    }

    /// Holds a group, or an interface, against the controls about how it is configured.
    pub(super) fn structure(&mut self, subject: &Subject, checked: Checked<'_>, applies: impl Fn(&Control) -> bool) {
        for control in self.controls.iter().filter(|control| applies(control)) {
            if let Some(violation) = control.evaluate(checked) {
                let message = format!("it {} (should hold: {})", violation.text, control.title);
                let severity = severity(control, violation.certain);
                let finding = Finding::new(control.id, severity, subject.clone(), message);
                self.findings.push(finding.suggesting(suggestion(control)));
            }
        }
    }

    /// The findings.
    pub(super) fn finish(self) -> Vec<Finding> {
        let mut findings = self.findings;
        for ((place, group, text), mut grouped) in self.by_group {
            let Some(control) = self.controls.get(place) else { continue };
            grouped.interfaces.sort();
            grouped.interfaces.dedup();
            let at = listed(grouped.interfaces.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().into_iter());
            let message = format!("it {text}, at {at} (should hold: {})", control.title);
            let mut finding =
                Finding::new(control.id, severity(control, grouped.certain), Subject::Group(group), message)
                    .in_direction(grouped.direction)
                    .about(grouped.rules)
                    .suggesting(suggestion(control));
            finding.witness = grouped.packets.witness_at(&grouped.near);
            findings.push(finding);
        }
        findings
    }
}

/// That what is open could not be found out.
fn not_judged(subject: Subject, direction: Direction, error: &SetError) -> Finding {
    let message = format!("what it opens could not be judged, its rules are too many or too entangled: {error}");
    Finding::new(codes::NOT_ANALYSED, Severity::Warning, subject, message).in_direction(direction)
}

/// What to do about the violation of a control.
fn suggestion(control: &Control) -> &'static str {
    match control.check {
        Check::NotAllEgress { .. } => "name the addresses and ports that are needed",
        Check::NoRules => "remove the rules, and use a group of its own for what needs them",
        Check::Attached => "delete the group if nothing else needs it",
        Check::Described => "say what the group is for",
        Check::NotBasic => "use an enterprise group",
        Check::HasGroup { .. } => "attach a group that it should have",
        _ => "name the addresses that need it",
    }
}

/// What only may be so is worth knowing, no more.
fn severity(control: &Control, certain: bool) -> Severity {
    if certain { control.severity } else { Severity::Info }
}

/// The rules that bring a violation about.
fn rules_of(policy: &Policy, violation: &Violation) -> Vec<RuleId> {
    let rule = |id| policy.clause(id)?.provenance.rule();
    violation.clauses.iter().filter_map(|id| rule(*id)).map(|origin| origin.rule.clone()).collect()
}

/// The interfaces of a class by the near addresses that count: their own where some rule is about near
/// addresses, and otherwise all of the families that they have addresses of, or may have.
fn by_near_addresses<'i>(class: &InterfaceClass<'i>, policy: &Policy) -> Vec<(AddressSet, Vec<&'i Interface>)> {
    let mut clauses = policy.lists().into_iter().flat_map(RuleList::clauses);
    let exact = clauses.any(|clause| clause.extent.possible().local.is_some());
    let mut found: Vec<(AddressSet, Vec<&'i Interface>)> = Vec::new();
    for interface in class.members() {
        let (own, unknown) = own_blocks(interface, !exact);
        let near = if unknown { AddressSet::all() } else { own.into_iter().collect() };
        match found.iter_mut().find(|(known, _)| *known == near) {
            Some((_, interfaces)) => interfaces.push(interface),
            None => found.push((near, vec![interface])),
        }
    }
    found
}

/// Services that are open to anywhere by several rules together, none of which is anywhere by itself.
fn split_anywhere(subject: Subject, policy: &Policy, openness: &Openness<'_>) -> Option<Finding> {
    let clauses: Vec<_> = (policy.lists().into_iter().flat_map(RuleList::clauses))
        .filter(|clause| clause.action == Action::Allow && clause.provenance.rule().is_some())
        .collect();
    let public = public_addresses();
    let mut packets = PacketSet::empty();
    let (mut texts, mut rules) = (Vec::new(), BTreeSet::new());
    for family in Family::ALL {
        let services = |clause: &crate::policy::Clause| {
            let space = clause.extent.possible();
            let ranges = service::ranges(&space.selector, family, space.source_ports.is_some());
            // A protocol without selector is open as a whole.
            let whole = |(first, last): (u32, u32)| match space.selector {
                Selector::Other(_) => (first, first | u32::from(u16::MAX)),
                _ => (first, last),
            };
            ranges.into_iter().map(whole).collect::<ServiceRanges>()
        };
        let by_themselves = clauses.iter().filter(|clause| is_anywhere(&clause.extent.possible().remote, family));
        let whole: ServiceRanges = united(by_themselves.flat_map(|clause| services(clause)).collect());
        let open = openness.open(family, Certainty::Certain, Reach::Anywhere);
        let split = common(open, &complement(&whole));
        if split.is_empty() {
            continue;
        }
        texts.push(format!("{} over {family}", Services::of_ranges(family, &split)));
        for clause in &clauses {
            let space = clause.extent.possible();
            let reaches = !space.remote.of(family).intersection(&public).is_empty();
            if reaches && !common(&services(clause), &split).is_empty() {
                rules.extend(clause.provenance.rule().map(|origin| origin.rule.clone()));
                packets = packets.union(&PacketSet::from(space)).unwrap_or(packets);
            }
        }
    }
    if texts.is_empty() {
        return None;
    }
    let message = format!(
        "open to anywhere by several rules together, none of which is anywhere by itself: {}",
        texts.join(" and ")
    );
    Some(
        Finding::new(codes::SPLIT_ANYWHERE, Severity::Warning, subject, message)
            .in_direction(policy.direction())
            .about(rules.into_iter().collect())
            .suggesting("write anywhere as such if it is meant, and else name the addresses that need it")
            .shown_by(Some(packets)),
    )
}

/// Ranges in any order, as sorted disjoint ones.
fn united(mut ranges: ServiceRanges) -> ServiceRanges {
    ranges.sort_unstable();
    let mut united: ServiceRanges = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match united.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => united.push((first, last)),
        }
    }
    united
}

/// What is over the quotas of the clouds whose groups there are.
pub(super) fn quotas(inventory: &Inventory, quotas: &Quotas) -> Vec<Finding> {
    let clouds: BTreeSet<Cloud> = inventory.groups().filter_map(|group| Cloud::of(group.kind?)).collect();
    let found = clouds.into_iter().flat_map(|cloud| over(inventory, cloud, quotas));
    found
        .map(|over| {
            let subject = match &over.subject {
                QuotaSubject::Group(id) => Subject::Group(id.clone()),
                QuotaSubject::Interface(id) => Subject::Interface(id.clone()),
                QuotaSubject::PrefixList(id) => Subject::PrefixList(id.clone()),
            };
            Finding::new(codes::OVER_QUOTA, Severity::Warning, subject, over.to_string())
                .suggesting("remove what does nothing, join blocks and ports, or ask for a higher quota")
        })
        .collect()
}

/// Whether a control is about how groups are configured.
pub(super) fn is_about_groups(control: &Control) -> bool {
    control.check.about() == About::Group
}

/// Whether a control is about how interfaces are configured.
pub(super) fn is_about_interfaces(control: &Control) -> bool {
    control.check.about() == About::Interface
}

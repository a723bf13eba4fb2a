//! Findings about what is open: the controls of auditors, by group, and exposures in general, by interface.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::finding::Finding;
use super::idle::listed;
use crate::analysis::alone::{cards, resolved};
use crate::analysis::classes::InterfaceClass;
use crate::analysis::controls::{
    About, Certainty, Cloud, Control, Openness, Reach, Subject as Checked, Violation, complement, is_anywhere,
    without_public_members,
};
use crate::analysis::error::{AnalysisError, Subject};
use crate::analysis::quotas::{QuotaSubject, Quotas, over};
use crate::analysis::severity::Severity;
use crate::engine::PolicyEngine;
use crate::model::{Action, GroupId, Interface, InterfaceId, Inventory, RuleId, SecurityGroup};
use crate::net::{AddressSet, Cidr, Direction, Family, common};
use crate::policy::{Policy, RuleList, service};
use crate::set::projection::ServiceRanges;
use crate::set::{Decided, PacketSet, Services};

/// Collects what violates controls.
pub(super) struct Auditing<'a> {
    inventory: &'a Inventory,
    controls: &'a [Control],
    /// What was found about groups that interfaces have, by the place of the control and the group.
    by_group: BTreeMap<(usize, &'a GroupId), Grouped>,
    findings: Vec<Finding>,
}

/// What one group contributes to the violation of a control, on all interfaces.
struct Grouped {
    certain: bool,
    text: String,
    direction: Option<Direction>,
    /// Its own rules first, then those of other groups.
    own: BTreeSet<RuleId>,
    others: BTreeSet<RuleId>,
    interfaces: Vec<InterfaceId>,
    packets: PacketSet,
}

impl<'a> Auditing<'a> {
    pub(super) fn new(inventory: &'a Inventory, controls: &'a [Control]) -> Self {
        Self { inventory, controls, by_group: BTreeMap::new(), findings: Vec::new() }
    }

    /// Holds the policy of a class of interfaces against the controls.
    pub(super) fn class(&mut self, class: &InterfaceClass<'_>, policy: &Policy) {
        let judged = without_public_members(policy);
        // What has too many parts is told of elsewhere.
        let Ok(decided) = Decided::new(&judged) else { return };
        // Only rules about near addresses tell the interfaces of a class apart.
        let clauses = || policy.lists().into_iter().flat_map(RuleList::clauses);
        if clauses().any(|clause| clause.extent.possible().local.is_some()) {
            for interface in class.members() {
                let near: AddressSet =
                    interface.member_blocks().chain(interface.public.iter().copied().map(Cidr::host)).collect();
                let openness =
                    if interface.addresses_unknown { Openness::of(&decided) } else { Openness::at(&decided, near) };
                self.interfaces(&[*interface], policy, &openness);
            }
        } else {
            self.interfaces(class.members(), policy, &Openness::of(&decided));
        }
    }

    fn interfaces(&mut self, interfaces: &[&Interface], policy: &Policy, openness: &Openness<'_>) {
        for (place, control) in self.controls.iter().enumerate() {
            let Some(violation) = control.evaluate(Checked::Traffic(openness)) else { continue };
            if violation.is_managed(policy, self.inventory) {
                continue;
            }
            match control.cloud {
                None => self.general(interfaces, policy, control, &violation),
                Some(_) => self.audited(interfaces, policy, place, control, &violation),
            }
        }
        if policy.direction() == Direction::Ingress {
            let split = split_anywhere(policy, openness);
            for interface in interfaces {
                self.findings.extend(split.iter().map(|finding| finding.at(interface)));
            }
        }
    }

    /// An exposure of interfaces, whatever auditors say.
    fn general(&mut self, interfaces: &[&Interface], policy: &Policy, control: &Control, violation: &Violation) {
        let rules = rules_of(policy, violation).into_iter().map(|(_, rule)| rule).collect();
        let by_default = if violation.by_default { ", by default" } else { "" };
        let finding = Finding::new(
            control.id,
            severity(control, violation.certain),
            Subject::Interface("".into()),
            format!("it {}{by_default} (should hold: {})", violation.text, control.title),
        )
        .in_direction(policy.direction())
        .about(rules)
        .suggesting("name the addresses that need it")
        .shown_by(Some(violation.packets.clone()));
        self.findings.extend(interfaces.iter().map(|interface| finding.at(interface)));
    }

    /// A violation of an auditor's control, which counts for the groups whose rules bring it about.
    fn audited(
        &mut self,
        interfaces: &[&Interface],
        policy: &Policy,
        place: usize,
        control: &Control,
        violation: &Violation,
    ) {
        let rules = rules_of(policy, violation);
        let groups: BTreeSet<&GroupId> = rules.iter().map(|(group, _)| group).collect();
        for group in groups {
            let Some(group) = self.inventory.group(group.as_str()).filter(|group| control.applies_to_group(group))
            else {
                continue;
            };
            let grouped = self.by_group.entry((place, &group.id)).or_insert_with(|| Grouped {
                certain: false,
                text: violation.text.clone(),
                direction: Some(policy.direction()),
                own: BTreeSet::new(),
                others: BTreeSet::new(),
                interfaces: Vec::new(),
                packets: violation.packets.clone(),
            });
            if violation.certain && !grouped.certain {
                grouped.certain = true;
                grouped.text.clone_from(&violation.text);
                grouped.packets = violation.packets.clone();
            }
            for (of, rule) in &rules {
                let rules = if *of == group.id { &mut grouped.own } else { &mut grouped.others };
                rules.insert(rule.clone());
            }
            grouped.interfaces.extend(interfaces.iter().map(|interface| interface.id.clone()));
        }
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
                let Ok(decided) = Decided::new(&judged) else { continue };
                let openness = Openness::of(&decided);
                for control in self.controls.iter().filter(|control| control.applies_to_group(group)) {
                    let Some(violation) = control.evaluate(Checked::Traffic(&openness)) else { continue };
                    let rules = rules_of(&policy, &violation).into_iter().map(|(_, rule)| rule).collect();
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
                    self.findings.push(finding.in_direction(direction).about(rules).shown_by(Some(violation.packets)));
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
                self.findings.push(Finding::new(control.id, severity, subject.clone(), message));
            }
        }
    }

    /// The findings.
    pub(super) fn finish(self) -> Vec<Finding> {
        let mut findings = self.findings;
        for ((place, group), mut grouped) in self.by_group {
            let Some(control) = self.controls.get(place) else { continue };
            grouped.interfaces.sort();
            grouped.interfaces.dedup();
            let at = listed(grouped.interfaces.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().into_iter());
            let message = format!("it {}, at {at} (should hold: {})", grouped.text, control.title);
            let mut finding =
                Finding::new(control.id, severity(control, grouped.certain), Subject::Group(group.clone()), message)
                    .about(grouped.own.into_iter().chain(grouped.others).collect())
                    .shown_by(Some(grouped.packets));
            finding.direction = grouped.direction;
            findings.push(finding);
        }
        findings
    }
}

/// What only may be so is worth knowing, no more.
fn severity(control: &Control, certain: bool) -> Severity {
    if certain { control.severity } else { Severity::Info }
}

/// The rules that bring a violation about, with their groups.
fn rules_of(policy: &Policy, violation: &Violation) -> Vec<(GroupId, RuleId)> {
    let rule = |id| policy.clause(id)?.provenance.rule();
    let origins = violation.clauses.iter().filter_map(|id| rule(*id));
    origins.map(|origin| (origin.group.clone(), origin.rule.clone())).collect()
}

/// Services that are open to anywhere by several rules together, none of which is anywhere by itself.
fn split_anywhere(policy: &Policy, openness: &Openness<'_>) -> Option<Finding> {
    let clauses: Vec<_> = (policy.lists().into_iter().flat_map(RuleList::clauses))
        .filter(|clause| clause.action == Action::Allow && clause.provenance.rule().is_some())
        .collect();
    let mut packets = PacketSet::empty();
    let (mut texts, mut rules) = (Vec::new(), BTreeSet::new());
    for family in Family::ALL {
        let services = |clause: &crate::policy::Clause| {
            let space = clause.extent.possible();
            service::ranges(&space.selector, family, space.source_ports.is_some())
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
            if space.remote.has(family) && !common(&services(clause), &split).is_empty() {
                rules.extend(clause.provenance.rule().map(|origin| origin.rule.clone()));
                packets = packets.union(&PacketSet::from(space)).unwrap_or(packets);
            }
        }
    }
    if texts.is_empty() {
        return None;
    }
    let message = format!(
        "{} is open to anywhere by several rules together, none of which is anywhere by itself",
        texts.join(" and ")
    );
    Some(
        Finding::new(codes::SPLIT_ANYWHERE, Severity::Warning, Subject::Interface("".into()), message)
            .in_direction(policy.direction())
            .about(rules.into_iter().collect())
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

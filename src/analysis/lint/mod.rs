//! Faults in rules, judged by what they do: every packet, both families, all groups of an interface
//! together.

pub mod codes;
mod exposure;
mod finding;
mod groups;
mod idle;
mod opposed;
mod references;

use std::collections::{BTreeMap, BTreeSet};

pub use finding::{Finding, Lint, RulesByDirection};

use super::alone::{Alone, cards};
use super::classes::InterfaceClass;
use super::controls::{Cloud, Control, Subject as Checked, controls};
use super::error::{AnalysisError, Subject};
use super::ground::Ground;
use super::quotas::Quotas;
use super::severity::Severity;
use super::superfluous::{Superfluous, find, is_rule};
use crate::engine::{PolicyEngine, Scope};
use crate::model::{GroupId, Inventory, Peer, RuleId, SecurityGroup};
use crate::net::Direction;
use crate::policy::{Clause, Missing, Policy};
use crate::set::{Decided, SetError, SetLimits};
use exposure::Auditing;
use idle::Where;

/// Looks for faults in a configuration.
///
/// Rules are judged twice: on each interface, together with those of its other groups and with references
/// resolved as they are now; and in each group by itself, with references taken as unknown sets of
/// addresses. Interfaces with the same policy are judged once ([`InterfaceClass`]).
///
/// A policy that is too complex for the limits of sets is a finding ([`codes::NOT_ANALYSED`]), not an error.
///
/// What is open is judged by effect ([`controls`](super::controls)): by interface in general, and by group for the
/// controls that auditors use, on the interfaces that have it, or by itself if none has.
///
/// # Errors
/// [`AnalysisError`] if the engine cannot hold a group.
pub fn lint(engine: &dyn PolicyEngine, inventory: &Inventory) -> Result<Lint, AnalysisError> {
    lint_with(engine, inventory, &LintOptions::default())
}

/// What lint holds a configuration against.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LintOptions {
    /// The controls; all there are by default.
    pub controls: Vec<Control>,
    /// The quotas; the documented ones by default.
    pub quotas: Quotas,
}

impl Default for LintOptions {
    fn default() -> Self {
        Self { controls: controls(), quotas: Quotas::default() }
    }
}

/// The same with these controls and quotas.
///
/// # Errors
/// As [`lint`].
pub fn lint_with(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    options: &LintOptions,
) -> Result<Lint, AnalysisError> {
    let mut lint = Lint::default();
    let clouds = clouds(engine, inventory);
    let controls: Vec<Control> = options
        .controls
        .iter()
        .filter(|control| control.cloud.is_none_or(|cloud| clouds.contains(&cloud)))
        .cloned()
        .collect();
    let mut auditing = Auditing::new(inventory, &controls);
    let classes = InterfaceClass::all(inventory);
    for class in &classes {
        interfaces(engine, inventory, class, &mut lint, &mut auditing)?;
    }
    let attached: BTreeSet<&GroupId> =
        classes.iter().filter_map(|class| class.representative().groups.as_ref()).flatten().collect();
    for group in inventory.groups() {
        lint.findings.extend(references::findings(engine, inventory, group));
        alone(engine, inventory, group, &mut lint)?;
        let subject = Subject::Group(group.id.clone());
        auditing.structure(&subject, Checked::Group(inventory, group), |control| {
            exposure::is_about_groups(control) && control.applies_to_group(group)
        });
        if !attached.contains(&group.id) {
            auditing.unattached(engine, group)?;
        }
    }
    for interface in inventory.interfaces() {
        let subject = Subject::Interface(interface.id.clone());
        auditing.structure(&subject, Checked::Interface(inventory, interface), |control| {
            exposure::is_about_interfaces(control) && control.applies_to_interface(inventory, interface)
        });
    }
    lint.findings.extend(auditing.finish());
    lint.findings.extend(exposure::quotas(inventory, &options.quotas));
    lint.findings.extend(groups::unattached(inventory));
    lint.findings.extend(groups::equal(engine, inventory)?);
    lint.findings.sort_by(|a, b| {
        let key = |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.subject.clone(), finding.direction);
        key(a).cmp(&key(b))
    });
    Ok(lint)
}

/// The clouds whose groups there are; where no group tells, the one that the engine is for.
fn clouds(engine: &dyn PolicyEngine, inventory: &Inventory) -> BTreeSet<Cloud> {
    let told: BTreeSet<Cloud> = inventory.groups().filter_map(|group| Cloud::of(group.kind?)).collect();
    if !told.is_empty() {
        return told;
    }
    [Cloud::Aws, Cloud::Alibaba].into_iter().filter(|cloud| cloud.engine() == engine.name()).collect()
}

/// The findings about the policies of a class of interfaces, for each of them.
fn interfaces(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    class: &InterfaceClass<'_>,
    lint: &mut Lint,
    auditing: &mut Auditing<'_>,
) -> Result<(), AnalysisError> {
    let first = Subject::Interface(class.representative().id.clone());
    let (mut findings, mut removable, mut open) = (Vec::new(), RulesByDirection::new(), false);
    for direction in Direction::ALL {
        let policy = engine.lower(&Scope::new(inventory, class.representative(), direction))?;
        // Everything is decided once for what is open and what is not known.
        let decided = Decided::new(&policy);
        auditing.class(class, &policy, decided.as_ref().ok());
        let at = Where { subject: &first, direction, addresses: true };
        let judged = judge(&at, &policy, Ground::Addresses, |clause| keeps_kind(inventory, clause));
        removable.insert(direction, judged.removable);
        findings.extend(judged.findings);
        // What is too entangled may be anything, and has a finding.
        open |= decided.map_or(true, |decided| !decided.indeterminate().is_empty());
    }
    for interface in class.members() {
        let subject = Subject::Interface(interface.id.clone());
        lint.findings.extend(findings.iter().map(|finding: &Finding| finding.at(interface)));
        lint.removable.insert(subject.clone(), removable.clone());
        lint.indeterminate.extend(open.then_some(subject));
    }
    Ok(())
}

/// The findings about a group by itself.
fn alone(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    group: &SecurityGroup,
    lint: &mut Lint,
) -> Result<(), AnalysisError> {
    let subject = Subject::Group(group.id.clone());
    let mut removable: BTreeMap<Direction, Vec<RuleId>> = BTreeMap::new();
    for direction in Direction::ALL {
        // A rule of a classic group is about one card; what can go on one is not in the other's policy.
        let rules = removable.entry(direction).or_default();
        for card in cards(group) {
            let alone = Alone::new(inventory, group, *card, direction)?;
            let policy = alone.policy(engine, direction)?;
            let at = Where { subject: &subject, direction, addresses: false };
            // A rule that does not say which card it is about may be needed on the other.
            let one_card = |clause: &Clause| !clause.missing.iter().any(|m| matches!(m, Missing::RuleNic { .. }));
            let judged = judge(&at, &policy, Ground::References(&alone.symbols), |clause| {
                one_card(clause) && keeps_kind(inventory, clause)
            });
            lint.findings.extend(judged.findings);
            rules.extend(judged.removable);
        }
        rules.sort();
        rules.dedup();
    }
    lint.removable.insert(subject, removable);
    Ok(())
}

/// Whether the group of a rule stays what it is without the rule: a rule about a group can be all that
/// proves that a group of Alibaba Cloud is a basic one (ALI-16).
fn keeps_kind(inventory: &Inventory, clause: &Clause) -> bool {
    let Some(origin) = clause.provenance.rule() else { return true };
    let group = inventory.group(origin.group.as_str());
    group
        .is_none_or(|group| group.kind.is_some() || !group.rules.iter().any(|rule| matches!(rule.peer, Peer::Group(_))))
}

/// The limits for one policy: a fleet has thousands, and one that is beyond them is told of.
const LIMITS: SetLimits = SetLimits::of_cells(2_000_000);

/// What was found out about one policy.
struct Judged {
    findings: Vec<Finding>,
    removable: Vec<RuleId>,
}

fn judge(at: &Where<'_>, policy: &Policy, ground: Ground<'_>, may_go: impl Fn(&Clause) -> bool) -> Judged {
    let all = || -> Result<Judged, SetError> {
        let superfluous: Superfluous = find(policy, ground, LIMITS, |clause| is_rule(clause) && may_go(clause))?;
        let mut findings = idle::findings(at, policy, &superfluous);
        findings.extend(opposed::findings(at, policy, ground)?);
        Ok(Judged { findings, removable: idle::removable(policy, &superfluous) })
    };
    all().unwrap_or_else(|error| {
        let message = format!("its rules are too many or too entangled to be analysed: {error}");
        let finding = Finding::new(codes::NOT_ANALYSED, Severity::Warning, at.subject.clone(), message);
        Judged { findings: vec![finding.in_direction(at.direction)], removable: Vec::new() }
    })
}

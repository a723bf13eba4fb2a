//! The default lowering: all rules of all attached groups, in one list.

use super::resolve::{Resolved, resolve_peer, resolve_ports};
use super::scope::{Attachment, RuleSite, Scope};
use super::{LowerError, PolicyEngine};
use crate::model::{GroupId, RuleCoverage, SecurityGroup, Traffic};
use crate::net::PortSet;
use crate::policy::{Clause, Extent, Missing, Provenance, RuleList, RuleOrigin, Selector, Space};

/// All rules of all attached groups, what is implied, and what may be there and was not loaded.
pub(super) fn rule_list<E: PolicyEngine + ?Sized>(engine: &E, scope: &Scope<'_>) -> Result<RuleList, LowerError> {
    let mut clauses = engine.implied(scope);
    match &scope.groups {
        None => {
            let missing = Missing::InterfaceGroups { interface: scope.interface.id.clone() };
            let text = format!("any traffic, by the groups of {}", scope.interface.id);
            not_loaded(engine, &text, &missing, &mut clauses);
        }
        Some(groups) => {
            for (ordinal, attachment) in groups.iter().enumerate() {
                match attachment {
                    Attachment::Loaded(group) => group_clauses(engine, scope, group, number(ordinal), &mut clauses)?,
                    Attachment::Missing(id) => rules_of_group_not_loaded(engine, id, &mut clauses),
                }
            }
        }
    }
    let label = format!("security groups of {}", scope.interface.id);
    Ok(RuleList::new(label, clauses, engine.fallback(scope))?
        .with_unapplied(engine.unapplied(scope))
        .with_remarks(engine.remarks(scope)))
}

fn group_clauses<E: PolicyEngine + ?Sized>(
    engine: &E,
    scope: &Scope<'_>,
    group: &SecurityGroup,
    ordinal: u32,
    clauses: &mut Vec<Clause>,
) -> Result<(), LowerError> {
    engine.admit_group(group).map_err(|reason| LowerError::Group {
        engine: engine.name(),
        group: group.id.clone(),
        reason,
    })?;
    let rules = group.rules.iter().filter(|rule| rule.direction == scope.direction);
    for (index, rule) in rules.enumerate() {
        let site = RuleSite { group, ordinal, index: number(index), rule };
        let name = || rule.id.clone().unwrap_or_else(|| engine.rule_name(&site));
        engine.admit(&site).map_err(|reason| LowerError::Unsupported {
            engine: engine.name(),
            group: group.id.clone(),
            rule: name(),
            reason,
        })?;
        // In a classic network each rule is about one card (ALI-19); in a VPC the field means nothing.
        let nic_unknown = match (scope.nic(), rule.nic) {
            (Some(card), Some(named)) if card != named => continue,
            (Some(nic), None) => Some(Missing::RuleNic { group: group.id.clone(), nic }),
            _ => None,
        };
        clauses.push(rule_clause(engine, scope, &site, name(), nic_unknown));
    }
    let all_known = match group.coverage {
        RuleCoverage::Complete => true,
        RuleCoverage::Partial => false,
        RuleCoverage::OnlyNic(nic) => scope.nic() == Some(nic),
        RuleCoverage::OnlyDirection(direction) => scope.direction == direction,
    };
    if !all_known {
        rules_of_group_not_loaded(engine, &group.id, clauses);
    }
    Ok(())
}

fn rule_clause<E: PolicyEngine + ?Sized>(
    engine: &E,
    scope: &Scope<'_>,
    site: &RuleSite<'_>,
    name: crate::model::RuleId,
    nic_unknown: Option<Missing>,
) -> Clause {
    let rule = site.rule;
    let remote = resolve_peer(scope, site.group, rule);
    let (ports, ports_missing) = match rule.traffic.ports() {
        Some(ports) => resolve_ports(scope.inventory, ports),
        None => (Resolved::exact(PortSet::all()), None),
    };
    let space = |ports: &PortSet, remote| {
        Space::new(selector(&rule.traffic, ports), remote).with_source_ports(rule.source_ports).with_local(rule.local)
    };
    let possible = space(&ports.possible, remote.possible);
    let exact = remote.certain.is_none() && ports.certain.is_none() && nic_unknown.is_none();
    let extent = if exact {
        Extent::Exact(possible)
    } else {
        // Certain only where every dimension is; an uncertain dimension with no certain part has
        // none at all.
        let certain_remote = match remote.certain {
            None => Some(possible.remote.clone()),
            Some(set) => (!set.is_empty()).then_some(set),
        };
        let certain_ports = match ports.certain {
            None => Some(ports.possible),
            Some(set) => (!set.is_empty()).then_some(set),
        };
        let certain = match (certain_remote, certain_ports, &nic_unknown) {
            (Some(remote), Some(ports), None) => Some(space(&ports, remote)),
            _ => None,
        };
        Extent::Partial { certain, possible }
    };
    let mut origin = RuleOrigin::new(site.group.id.clone(), name, rule.direction, site.index, rule.about());
    origin.priority = rule.priority;
    origin.place.clone_from(&rule.place);
    let missing = remote.missing.into_iter().chain(ports_missing).chain(nic_unknown).collect();
    Clause::partial(engine.rank(site), rule.action, extent, Provenance::Rule(origin), missing)
}

/// Protocol and ports as a policy says them.
pub(super) fn selector(traffic: &Traffic, ports: &PortSet) -> Selector {
    match traffic {
        Traffic::All => Selector::All,
        Traffic::Tcp(_) => Selector::Tcp(ports.clone()),
        Traffic::Udp(_) => Selector::Udp(ports.clone()),
        Traffic::Icmp(messages) => Selector::Icmp(*messages),
        Traffic::Icmpv6(messages) => Selector::Icmpv6(*messages),
        Traffic::Other(protocol) => Selector::protocol(*protocol),
    }
}

fn rules_of_group_not_loaded<E: PolicyEngine + ?Sized>(engine: &E, group: &GroupId, clauses: &mut Vec<Clause>) {
    let missing = Missing::GroupRules { group: group.clone() };
    not_loaded(engine, &format!("any traffic, by rules of {group}"), &missing, clauses);
}

/// Rules that may exist: at the best rank they could take, any flow may match. A worse rank would add
/// nothing, for a clause that may match never ends the walk.
fn not_loaded<E: PolicyEngine + ?Sized>(engine: &E, text: &str, missing: &Missing, clauses: &mut Vec<Clause>) {
    for (action, rank) in engine.unknown_ranks() {
        clauses.push(Clause::partial(
            rank,
            action,
            Extent::uncertain(Space::everything()),
            Provenance::NotLoaded { text: text.to_owned() },
            vec![missing.clone()],
        ));
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

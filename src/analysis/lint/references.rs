//! Findings about what rules refer to.

use super::codes;
use super::finding::Finding;
use crate::analysis::error::Subject;
use crate::analysis::severity::Severity;
use crate::engine::{PolicyEngine, RuleSite};
use crate::model::{Inventory, Peer, PeeringStatus, Ports, Rule, RuleId, SecurityGroup};
use crate::net::Direction;

/// Stale references, and those whose addresses or ports are not known.
pub(super) fn findings(engine: &dyn PolicyEngine, inventory: &Inventory, group: &SecurityGroup) -> Vec<Finding> {
    let mut found = Vec::new();
    for (rule, id) in named(engine, group) {
        let about = |code, severity, message| {
            Finding::new(code, severity, Subject::Group(group.id.clone()), message)
                .in_direction(rule.direction)
                .about(vec![id.clone()])
        };
        let unresolved = |what: String| {
            about(codes::UNRESOLVED, Severity::Info, format!("`{id}` refers to {what}: what it matches is not known"))
                .suggesting("load what is missing, or state it")
        };
        match &rule.peer {
            Peer::Group(reference) if reference.peering == Some(PeeringStatus::Gone) => {
                let message = format!(
                    "`{id}` refers to the group `{}` over a peering that is gone: it matches nothing (AWS-44)",
                    reference.id
                );
                found.push(about(codes::STALE, Severity::Warning, message).suggesting(format!("remove `{id}`")));
            }
            Peer::Group(reference) if !inventory.members(reference.id.as_str()).complete => {
                found.push(unresolved(format!("the group `{}`, whose members are not all known", reference.id)));
            }
            Peer::PrefixList(list) if inventory.prefix_list(list.as_str()).is_none_or(|list| !list.complete) => {
                found.push(unresolved(format!("the prefix list `{list}`, whose entries are not all known")));
            }
            _ => {}
        }
        if let Some(Ports::List(list)) = rule.traffic.ports()
            && inventory.port_list(list.as_str()).is_none_or(|list| !list.complete)
        {
            found.push(unresolved(format!("the port list `{list}`, whose entries are not all known")));
        }
    }
    found
}

/// The rules of a group with their ids, or the names that an engine gives them.
pub(super) fn named<'g>(
    engine: &'g dyn PolicyEngine,
    group: &'g SecurityGroup,
) -> impl Iterator<Item = (&'g Rule, RuleId)> {
    let (mut ingress, mut egress) = (0_u32.., 0_u32..);
    group.rules.iter().map(move |rule| {
        let index = match rule.direction {
            Direction::Ingress => ingress.next(),
            Direction::Egress => egress.next(),
        };
        let site = RuleSite { group, ordinal: 0, index: index.unwrap_or(u32::MAX), rule };
        (rule, rule.id.clone().unwrap_or_else(|| engine.rule_name(&site)))
    })
}

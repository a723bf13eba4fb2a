//! Findings about whole groups: nobody has them, or others mean the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::codes;
use super::finding::Finding;
use super::idle::listed;
use crate::analysis::alone::{cards, resolved};
use crate::analysis::error::{AnalysisError, Subject};
use crate::analysis::severity::Severity;
use crate::engine::PolicyEngine;
use crate::model::{GroupId, GroupKind, Inventory, Network, Peer, SecurityGroup};
use crate::net::Direction;
use crate::set::{Decided, PacketSet};

/// Groups that no interface has. Nothing is said where interfaces may not all be known, and of the default
/// group of an AWS VPC, which cannot be deleted (AWS-51).
pub(super) fn unattached(inventory: &Inventory) -> Vec<Finding> {
    let all_known = inventory.members_complete()
        && inventory.interfaces().len() > 0
        && inventory.interfaces().all(|interface| interface.groups.is_some());
    if !all_known {
        return Vec::new();
    }
    let attached: BTreeSet<&GroupId> = inventory.interfaces().filter_map(|i| i.groups.as_ref()).flatten().collect();
    let mut referrers: BTreeMap<&GroupId, BTreeSet<&GroupId>> = BTreeMap::new();
    for group in inventory.groups() {
        for rule in &group.rules {
            if let Peer::Group(reference) = &rule.peer
                && reference.id != group.id
            {
                referrers.entry(&reference.id).or_default().insert(&group.id);
            }
        }
    }
    let is_default =
        |group: &SecurityGroup| group.kind == Some(GroupKind::Aws) && group.name.as_deref() == Some("default");
    let free = inventory.groups().filter(|group| !attached.contains(&group.id) && !is_default(group));
    free.map(|group| {
        let subject = Subject::Group(group.id.clone());
        match referrers.get(&group.id) {
            Some(others) => {
                let others = listed(others.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().into_iter());
                let message = format!("no interface has it, so what rules of {others} say about its members is void");
                Finding::new(codes::UNATTACHED, Severity::Info, subject, message)
                    .suggesting("attach it, or remove the rules that refer to it")
            }
            None => Finding::new(
                codes::UNUSED,
                Severity::Info,
                subject,
                "no interface has it and no other group refers to it".to_owned(),
            )
            .suggesting("delete the group if nothing else needs it"),
        }
    })
    .collect()
}

/// What a group by itself allows, and what it leaves open, for each card and direction.
type Meaning = Vec<(PacketSet, PacketSet)>;

/// Groups of one network and kind that do the same to an interface that has only them, with references
/// resolved. One finding for each group but the first of those that are equal; groups whose meaning is not
/// known, or has too many parts, are left out.
pub(super) fn equal(engine: &dyn PolicyEngine, inventory: &Inventory) -> Result<Vec<Finding>, AnalysisError> {
    let mut first: HashMap<(Option<&Network>, Option<GroupKind>, Meaning), &GroupId> = HashMap::new();
    let mut findings = Vec::new();
    for group in inventory.groups() {
        let Some(meaning) = meaning(engine, inventory, group)? else { continue };
        let key = (group.network.as_ref(), group.kind, meaning);
        if let Some(other) = first.get(&key) {
            let message = format!("it means the same as the group `{other}`, as references resolve now (AWS-118)");
            findings.push(
                Finding::new(codes::EQUAL_GROUPS, Severity::Info, Subject::Group(group.id.clone()), message)
                    .suggesting("use one of them, if members need not be told apart"),
            );
        } else {
            first.insert(key, &group.id);
        }
    }
    Ok(findings)
}

fn meaning(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    group: &SecurityGroup,
) -> Result<Option<Meaning>, AnalysisError> {
    let mut meaning = Vec::new();
    for card in cards(group) {
        for direction in Direction::ALL {
            let policy = resolved(engine, inventory, group, *card, direction)?;
            let Ok(decided) = Decided::new(&policy) else { return Ok(None) };
            let open = decided.indeterminate();
            if !open.is_empty() {
                return Ok(None);
            }
            meaning.push((decided.allow(), open));
        }
    }
    Ok(Some(meaning))
}

//! Answers of AWS into parts of the inventory.

mod group;
mod interface;
mod network;
mod rule;

use std::collections::BTreeMap;

pub(super) use group::{Groups, RULES_CALL};

use super::error::LoadError;
use super::source::{At, Source};
use super::state::State;
use super::subject::Subject;
use crate::wire::{List, aws};

/// Adds everything that an answer holds.
pub(super) fn add(
    state: &mut State,
    source: &mut Source,
    answer: &aws::Answer,
    subject: &Subject<'_>,
) -> Result<(), LoadError> {
    let open = answer.next_token.get().is_some();
    let place = source.place(At::ROOT);
    if let Some(groups) = &answer.groups {
        state.page("DescribeSecurityGroups", None, &place, open);
        for (i, group) in groups.0.iter().enumerate() {
            state.aws.add_group(source, At::ROOT.item("SecurityGroups", i), group)?;
        }
    }
    if let Some(rules) = &answer.rules {
        state.page(group::RULES_CALL, None, &place, open);
        for (i, rule) in rules.0.iter().enumerate() {
            state.aws.add_rule(source, At::ROOT.item("SecurityGroupRules", i), rule)?;
        }
    }
    if let Some(interfaces) = &answer.interfaces {
        state.page(super::interfaces::INTERFACES_CALL, None, &place, open);
        for (i, read) in interfaces.0.iter().enumerate() {
            let read = interface::described(source, At::ROOT.item("NetworkInterfaces", i), read)?;
            state.interfaces.add_described(read)?;
        }
    }
    if let Some(reservations) = &answer.reservations {
        state.page(super::interfaces::INSTANCES_CALL, None, &place, open);
        for (i, reservation) in reservations.0.iter().enumerate() {
            let at = At::ROOT.item("Reservations", i);
            for (j, read) in reservation.instances.0.iter().enumerate() {
                interface::instance(state, source, at.item("Instances", j), read)?;
            }
        }
    }
    if let Some(lists) = &answer.prefix_lists {
        state.page("DescribeManagedPrefixLists", None, &place, open);
        network::prefix_lists(state, source, &lists.0)?;
    }
    if let Some(entries) = &answer.entries {
        let list = subject.of(source, "prefix list", "pl-", super::PREFIX_LIST_EXAMPLE)?;
        network::entries(state, source, &list, &entries.0, open)?;
    }
    if let Some(vpcs) = &answer.vpcs {
        state.page("DescribeVpcs", None, &place, open);
        network::vpcs(state, source, &vpcs.0)?;
    }
    if let Some(subnets) = &answer.subnets {
        state.page("DescribeSubnets", None, &place, open);
        network::subnets(state, source, &subnets.0)?;
    }
    Ok(())
}

fn tags(tags: &List<aws::Tag>) -> BTreeMap<String, String> {
    tags.0
        .iter()
        .filter_map(|tag| Some((tag.key.get()?.to_owned(), tag.value.get().unwrap_or_default().to_owned())))
        .collect()
}

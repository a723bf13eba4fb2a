//! Answers of Alibaba Cloud into parts of the inventory.

mod group;
mod interface;
mod list;
mod rule;

pub(super) use group::Groups;

use super::error::LoadError;
use super::source::{At, Source};
use super::state::State;
use super::subject::Subject;
use crate::wire::{Text, alibaba};

/// The call about groups without their rules.
pub(super) const GROUPS_CALL: &str = "DescribeSecurityGroups";

/// Adds everything that an answer holds.
pub(super) fn add(
    state: &mut State,
    source: &mut Source,
    answer: &alibaba::Answer,
    subject: &Subject<'_>,
) -> Result<(), LoadError> {
    let open = answer.next_token.get().is_some();
    let total = answer.total.get();
    let place = source.place(At::ROOT);
    if let Some(groups) = &answer.groups {
        state.page(GROUPS_CALL, total, &place, open);
        let path = groups.path("SecurityGroups");
        for (i, group) in groups.items.iter().enumerate() {
            state.alibaba.add_listed(source, At::ROOT.item(&path, i), group)?;
        }
    }
    if !answer.permissions.is_absent() || answer.group.get().is_some() {
        let id = match answer.group.get() {
            Some(id) => id.to_owned(),
            None => group_id(source, subject)?,
        };
        state.alibaba.add_attribute(source, id.into(), answer)?;
    }
    if let Some(rules) = &answer.exported {
        let id = group_id(source, subject)?;
        state.alibaba.add_exported(source, id.into(), "Permission", &rules.0)?;
    }
    if let Some(instances) = &answer.instances {
        state.page(super::interfaces::INSTANCES_CALL, total, &place, open);
        let path = instances.path("Instances");
        for (i, instance) in instances.items.iter().enumerate() {
            interface::instance(state, source, At::ROOT.item(&path, i), instance)?;
        }
    }
    if let Some(interfaces) = &answer.interfaces {
        state.page(super::interfaces::INTERFACES_CALL, total, &place, open);
        let path = interfaces.path("NetworkInterfaceSets");
        for (i, read) in interfaces.items.iter().enumerate() {
            let read = interface::described(source, At::ROOT.item(&path, i), read)?;
            state.interfaces.add_described(read)?;
        }
    }
    if let Some(entries) = &answer.entries {
        let path = entries.path("Entries");
        let has_ports = entries.items.iter().any(|entry| entry.ports.get().is_some());
        if answer.prefix_list.get().is_none() && has_ports {
            let id = subject.of(source, "port list", "prl-", super::PORT_LIST_EXAMPLE)?;
            list::port_list(state, source, &id, &path, &entries.items, open)?;
        } else {
            list::prefix_list(state, source, answer, &path, &entries.items, open)?;
        }
    }
    Ok(())
}

/// Adds rules as the console exports them (ALI-86).
pub(super) fn add_exported(
    state: &mut State,
    source: &mut Source,
    rules: &[alibaba::Permission],
    subject: &Subject<'_>,
) -> Result<(), LoadError> {
    let id = group_id(source, subject)?;
    state.alibaba.add_exported(source, id.into(), "", rules)
}

fn group_id(source: &Source, subject: &Subject<'_>) -> Result<String, LoadError> {
    subject.of(source, "group", "sg-", "exported.sg-0123.json")
}

/// A value without regard to case, as the inputs of this cloud are (ALI-33).
fn lower(text: &Text) -> Option<String> {
    text.get().map(str::to_ascii_lowercase)
}

//! Interfaces, which two calls describe; the call about interfaces is the better witness (AWS-25,
//! trap 13).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use super::error::LoadError;
use super::value::count;
use super::warning::{Warning, WarningKind};
use crate::model::{Instance, InstanceId, Interface, InterfaceId, Place};

/// The call about interfaces, at both providers.
pub(super) const INTERFACES_CALL: &str = "DescribeNetworkInterfaces";
/// The call about instances, at both providers.
pub(super) const INSTANCES_CALL: &str = "DescribeInstances";

/// What was read about interfaces and instances.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    described: BTreeMap<InterfaceId, Interface>,
    of_instances: BTreeMap<InterfaceId, Interface>,
    assumed: BTreeMap<InterfaceId, Interface>,
    instances: BTreeMap<InstanceId, Instance>,
}

impl Interfaces {
    /// Adds an interface from its own call.
    pub(super) fn add_described(&mut self, interface: Interface) -> Result<(), LoadError> {
        add(&mut self.described, interface)
    }

    /// Adds an interface that an instance shows.
    pub(super) fn add_of_instance(&mut self, interface: Interface) -> Result<(), LoadError> {
        add(&mut self.of_instances, interface)
    }

    /// Adds an interface made up for an instance that shows none. It counts only if nothing better
    /// is known about the instance.
    pub(super) fn add_assumed(&mut self, interface: Interface) -> Result<(), LoadError> {
        add(&mut self.assumed, interface)
    }

    pub(super) fn add_instance(&mut self, instance: Instance) -> Result<(), LoadError> {
        match self.instances.entry(instance.id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(instance);
                Ok(())
            }
            Entry::Occupied(entry) if entry.get().name == instance.name => Ok(()),
            Entry::Occupied(entry) => Err(conflict(
                entry.get().place.as_ref(),
                instance.place.as_ref(),
                format!("they describe the instance `{}` differently", instance.id),
            )),
        }
    }

    pub(super) fn described_count(&self) -> usize {
        self.described.len()
    }

    pub(super) fn instance_count(&self) -> usize {
        self.instances.len()
    }

    /// All interfaces, each once, and all instances.
    pub(super) fn finish(mut self, warnings: &mut Vec<Warning>) -> (Vec<Interface>, Vec<Instance>) {
        let mut interfaces: Vec<Interface> = Vec::with_capacity(self.described.len());
        for (id, mut interface) in self.described {
            if let Some(shown) = self.of_instances.remove(&id) {
                complete(&mut interface, shown);
            }
            interfaces.push(interface);
        }
        interfaces.extend(self.of_instances.into_values());
        let known: BTreeSet<InstanceId> = interfaces.iter().filter_map(|own| own.instance.clone()).collect();
        for interface in self.assumed.into_values() {
            let Some(instance) = interface.instance.as_ref().filter(|instance| !known.contains(*instance)) else {
                continue;
            };
            let message = format!(
                "the instance `{instance}` shows no interfaces; one, `{}`, was made up from its address and groups",
                interface.id,
            );
            if let Some(place) = interface.place.clone() {
                warnings.push(Warning { kind: WarningKind::AssumedInterface, place, message });
            }
            interfaces.push(interface);
        }
        warn_about_addresses(&interfaces, warnings);
        (interfaces, self.instances.into_values().collect())
    }
}

fn add(known: &mut BTreeMap<InterfaceId, Interface>, interface: Interface) -> Result<(), LoadError> {
    match known.entry(interface.id.clone()) {
        Entry::Vacant(entry) => {
            entry.insert(interface);
            Ok(())
        }
        Entry::Occupied(entry) if same(entry.get(), &interface) => Ok(()),
        Entry::Occupied(entry) => Err(conflict(
            entry.get().place.as_ref(),
            interface.place.as_ref(),
            format!("they describe the interface `{}` differently", interface.id),
        )),
    }
}

/// Whether two descriptions are equal wherever they were read.
fn same(a: &Interface, b: &Interface) -> bool {
    let bare = |interface: &Interface| Interface { place: None, ..interface.clone() };
    bare(a) == bare(b)
}

fn conflict(first: Option<&Place>, second: Option<&Place>, what: String) -> LoadError {
    let place = |place: Option<&Place>| place.cloned().unwrap_or_else(|| Place::new("", ""));
    LoadError::Conflict { first: place(first), second: place(second), what }
}

/// Fills what an interface's own description leaves open from what its instance shows.
fn complete(interface: &mut Interface, shown: Interface) {
    if interface.instance.is_none() {
        interface.instance = shown.instance;
        interface.primary |= shown.primary;
    } else if interface.instance == shown.instance {
        interface.primary |= shown.primary;
    }
    interface.vpc = interface.vpc.take().or(shown.vpc);
    interface.subnet = interface.subnet.take().or(shown.subnet);
    interface.groups = interface.groups.take().or(shown.groups);
    interface.addresses_unknown &= shown.addresses_unknown;
    if interface.addresses.is_empty() {
        interface.addresses = shown.addresses;
    }
    if interface.prefixes.is_empty() {
        interface.prefixes = shown.prefixes;
    }
    if interface.public.is_empty() {
        interface.public = shown.public;
    }
}

/// Interfaces whose addresses neither call tells.
fn warn_about_addresses(interfaces: &[Interface], warnings: &mut Vec<Warning>) {
    let mut unknown = interfaces.iter().filter(|interface| interface.addresses_unknown);
    let Some(place) = unknown.next().and_then(|interface| interface.place.clone()) else {
        return;
    };
    let number = unknown.count() + 1;
    let message = format!(
        "the addresses of {} are not known, for the documents leave them out, so members of {} groups may have any \
         address",
        count(number, "interface", "interfaces"),
        if number == 1 { "its" } else { "their" },
    );
    warnings.push(Warning { kind: WarningKind::UnknownAddresses, place, message });
}

//! From everything that was read to an inventory, and what is odd about the whole.

use std::collections::{BTreeMap, BTreeSet};

use super::error::LoadError;
use super::interfaces::{INSTANCES_CALL, INTERFACES_CALL};
use super::provider::Provider;
use super::source::{At, Source};
use super::state::State;
use super::value::count;
use super::warning::{Warning, WarningKind};
use super::{Loaded, alibaba, aws};
use crate::model::{
    Interface, Inventory, Network, Peer, PeeringStatus, Place, Ports, PrefixList, SecurityGroup, Traffic, VpcId,
    VpcRelation,
};
use crate::net::Family;

/// Makes the inventory.
pub(super) fn finish(
    mut state: State,
    provider: Provider,
    relations: Vec<(VpcId, VpcId, VpcRelation)>,
    assume_complete: bool,
) -> Result<Loaded, LoadError> {
    settle_empty_entries(&mut state, provider)?;
    let listed = state.alibaba.listed_count();
    let (described, instances) = (state.interfaces.described_count(), state.interfaces.instance_count());
    for (call, pages) in &mut state.calls {
        pages.set_met(match *call {
            INTERFACES_CALL => described,
            INSTANCES_CALL => instances,
            alibaba::GROUPS_CALL if provider == Provider::Alibaba => listed,
            // No other call gives a total.
            _ => 0,
        });
        pages.warn_if_open(&format!("answers to {call}"), None, &mut state.warnings);
    }
    let complete = |call: &str| state.calls.get(call).is_some_and(super::pages::Pages::complete);
    let warnings = &mut state.warnings;
    let mut groups = state.aws.finish(complete(aws::RULES_CALL), warnings)?;
    groups.extend(state.alibaba.finish(warnings)?);
    let prefix_lists = state.prefix_lists.finish(warnings)?;
    let port_lists = state.port_lists.finish(warnings)?;
    let (interfaces, instances) = state.interfaces.finish(warnings);

    let mut inventory = Inventory::builder();
    // Instances of the classic network have no interfaces that the other call would show (ALI-19).
    let classic = groups.iter().find(|group| group.network == Some(Network::Classic));
    let without_classic = classic.filter(|_| !complete(INSTANCES_CALL) && complete(INTERFACES_CALL));
    let only_instances = !state.calls.contains_key(INTERFACES_CALL) && complete(INSTANCES_CALL);
    let described = only_instances || (complete(INTERFACES_CALL) && without_classic.is_none());
    let members_complete = described || assume_complete;
    if let Some((group, place)) = without_classic.and_then(|group| Some((group, group.place.clone()?))) {
        let message = format!(
            "the group `{}` is of the classic network, whose instances only DescribeInstances shows, so members of \
             groups are not known",
            group.id
        );
        warnings.push(warning(WarningKind::NoInterfaces, place, message));
    }
    if !members_complete {
        inventory = inventory.members_incomplete();
    }
    if only_instances && !assume_complete {
        let place = state.calls.get(INSTANCES_CALL).and_then(|pages| pages.first().cloned());
        let message = "instances were described but interfaces were not; members of groups may be missing";
        warnings.extend(place.map(|place| warning(WarningKind::OnlyInstances, place, message)));
    }
    let references = References::of(&groups, &interfaces);
    references.warn(&groups, &prefix_lists, &port_lists, warnings);
    if !members_complete
        && !state.calls.contains_key(INTERFACES_CALL)
        && !state.calls.contains_key(INSTANCES_CALL)
        && let Some((_, first)) = references.groups.values().next()
    {
        let message = "rules refer to groups, but no interface was described, so members of groups are not known";
        warnings.push(warning(WarningKind::NoInterfaces, first.clone(), message));
    }
    warn_about_families(&groups, &prefix_lists, warnings);
    match provider {
        Provider::Aws => warn_about_ranges(&interfaces, &state.vpcs, &state.subnets, warnings),
        Provider::Alibaba => warn_about_no_groups(&interfaces, warnings),
    }

    for group in groups {
        inventory = inventory.group(group);
    }
    for list in prefix_lists {
        inventory = inventory.prefix_list(list);
    }
    for list in port_lists {
        inventory = inventory.port_list(list);
    }
    for interface in interfaces {
        inventory = inventory.interface(interface);
    }
    for instance in instances {
        inventory = inventory.instance(instance);
    }
    for (vpc, _) in state.vpcs.into_values() {
        inventory = inventory.vpc(vpc);
    }
    for (subnet, _) in state.subnets.into_values() {
        inventory = inventory.subnet(subnet);
    }
    for (a, b, relation) in relations {
        inventory = inventory.relation(a, b, relation);
    }
    Ok(Loaded { inventory: inventory.build()?, provider, warnings: state.warnings, documents: state.documents })
}

fn warning(kind: WarningKind, place: Place, message: impl Into<String>) -> Warning {
    Warning { kind, place, message: message.into() }
}

/// Empty lists of entries, which look alike at both providers.
fn settle_empty_entries(state: &mut State, provider: Provider) -> Result<(), LoadError> {
    for (name, given, open) in std::mem::take(&mut state.no_entries) {
        let subject = super::subject::Subject { given: given.as_deref(), name: &name };
        let source = Source::new(&name);
        let place = source.place(At::ROOT);
        match provider {
            Provider::Aws => {
                let id = subject.of(&source, "prefix list", "pl-", super::PREFIX_LIST_EXAMPLE)?;
                state.prefix_lists.page(&id.into(), &place, open);
            }
            Provider::Alibaba => {
                let id = subject.of(&source, "port list", "prl-", super::PORT_LIST_EXAMPLE)?;
                state.port_lists.add(&id.into(), Vec::new(), &place, open);
            }
        }
    }
    Ok(())
}

/// What rules and interfaces refer to: how often, and where first.
struct References {
    groups: BTreeMap<String, (usize, Place)>,
    stale: BTreeMap<String, (usize, Place)>,
    attached: BTreeMap<String, (usize, Place)>,
    prefix_lists: BTreeMap<String, (usize, Place)>,
    port_lists: BTreeMap<String, (usize, Place)>,
}

impl References {
    fn of(groups: &[SecurityGroup], interfaces: &[Interface]) -> Self {
        let mut all = Self {
            groups: BTreeMap::new(),
            stale: BTreeMap::new(),
            attached: BTreeMap::new(),
            prefix_lists: BTreeMap::new(),
            port_lists: BTreeMap::new(),
        };
        let add = |map: &mut BTreeMap<String, (usize, Place)>, id: &str, place: Option<&Place>| {
            if let Some((number, _)) = map.get_mut(id) {
                *number += 1;
            } else {
                let place = place.cloned().unwrap_or_else(|| Place::new("", ""));
                map.insert(id.to_owned(), (1, place));
            }
        };
        for rule in groups.iter().flat_map(|group| &group.rules) {
            let place = rule.place.as_ref();
            match &rule.peer {
                Peer::Group(group) if group.peering == Some(PeeringStatus::Gone) => {
                    add(&mut all.stale, group.id.as_str(), place);
                }
                Peer::Group(group) => add(&mut all.groups, group.id.as_str(), place),
                Peer::PrefixList(id) => add(&mut all.prefix_lists, id.as_str(), place),
                Peer::Any | Peer::Cidr(_) => {}
            }
            if let Some(Ports::List(id)) = rule.traffic.ports() {
                add(&mut all.port_lists, id.as_str(), place);
            }
        }
        for interface in interfaces {
            for group in interface.groups.iter().flatten() {
                add(&mut all.attached, group.as_str(), interface.place.as_ref());
            }
        }
        all
    }

    fn warn(
        &self,
        groups: &[SecurityGroup],
        prefix_lists: &[PrefixList],
        port_lists: &[crate::model::PortList],
        warnings: &mut Vec<Warning>,
    ) {
        let rules = |number: usize| count(number, "rule refers", "rules refer");
        let loaded: BTreeSet<&str> = groups.iter().map(|group| group.id.as_str()).collect();
        for (id, (number, place)) in &self.stale {
            let nothing = if *number == 1 { "it matches" } else { "they match" };
            let message = format!("{} to the group `{id}`, which is gone; {nothing} nothing", rules(*number));
            warnings.push(warning(WarningKind::StaleReference, place.clone(), message));
        }
        let mut unresolved = |place: &Place, message: String| {
            warnings.push(warning(WarningKind::UnresolvedReference, place.clone(), message));
        };
        for (id, (number, place)) in &self.groups {
            if !loaded.contains(id.as_str()) && !self.attached.contains_key(id) {
                unresolved(place, format!("{} to the group `{id}`, which was not loaded", rules(*number)));
            }
        }
        for (id, (number, place)) in &self.attached {
            if !loaded.contains(id.as_str()) {
                let have = count(*number, "interface has", "interfaces have");
                unresolved(place, format!("{have} the group `{id}`, which was not loaded, so its rules are not known"));
            }
        }
        let with_entries = |list: &&PrefixList| list.complete || !list.entries.is_empty();
        let lists: BTreeSet<&str> = prefix_lists.iter().filter(with_entries).map(|list| list.id.as_str()).collect();
        for (id, (number, place)) in &self.prefix_lists {
            if !lists.contains(id.as_str()) {
                unresolved(
                    place,
                    format!("{} to the prefix list `{id}`, whose entries were not loaded", rules(*number)),
                );
            }
        }
        let lists: BTreeSet<&str> = port_lists.iter().map(|list| list.id.as_str()).collect();
        for (id, (number, place)) in &self.port_lists {
            if !lists.contains(id.as_str()) {
                unresolved(place, format!("{} to the port list `{id}`, whose entries were not loaded", rules(*number)));
            }
        }
    }
}

/// ICMP rules whose prefix list is of the other family (AWS-34, ALI-37).
fn warn_about_families(groups: &[SecurityGroup], lists: &[PrefixList], warnings: &mut Vec<Warning>) {
    let families: BTreeMap<&str, Family> =
        lists.iter().filter_map(|list| Some((list.id.as_str(), list.family?))).collect();
    for rule in groups.iter().flat_map(|group| &group.rules) {
        let (Peer::PrefixList(id), Some(place)) = (&rule.peer, &rule.place) else {
            continue;
        };
        let (protocol, family) = match rule.traffic {
            Traffic::Icmp(_) => ("icmp", Family::V4),
            Traffic::Icmpv6(_) => ("icmpv6", Family::V6),
            _ => continue,
        };
        if families.get(id.as_str()).is_some_and(|own| *own != family) {
            let message =
                format!("the rule matches nothing: {protocol} is {family} only, and the prefix list `{id}` is not");
            warnings.push(warning(WarningKind::NeverMatches, place.clone(), message));
        }
    }
}

/// Without the ranges, the resolver and the router cannot be told from other hosts (AWS-75).
fn warn_about_ranges(
    interfaces: &[Interface],
    vpcs: &BTreeMap<VpcId, (crate::model::Vpc, Place)>,
    subnets: &BTreeMap<crate::model::SubnetId, (crate::model::Subnet, Place)>,
    warnings: &mut Vec<Warning>,
) {
    let known = |interface: &Interface| {
        let vpc = interface.vpc.as_ref().and_then(|id| vpcs.get(id));
        let subnet = interface.subnet.as_ref().and_then(|id| subnets.get(id));
        vpc.is_some_and(|(vpc, _)| !vpc.cidrs.is_empty()) && subnet.is_some_and(|(subnet, _)| !subnet.cidrs.is_empty())
    };
    let unknown: Vec<&Interface> = interfaces.iter().filter(|interface| !known(interface)).collect();
    let Some(place) = unknown.first().and_then(|interface| interface.place.clone()) else {
        return;
    };
    let message = format!(
        "the ranges of VPC or subnet of {} are not known (DescribeVpcs and DescribeSubnets tell), so traffic with \
         the VPC's resolver and router is judged by rules although it is never filtered",
        count(unknown.len(), "interface", "interfaces"),
    );
    warnings.push(warning(WarningKind::VpcRangesUnknown, place, message));
}

/// Every interface of Alibaba Cloud has a group (ALI-66).
fn warn_about_no_groups(interfaces: &[Interface], warnings: &mut Vec<Warning>) {
    for interface in interfaces {
        if interface.groups.as_ref().is_some_and(Vec::is_empty)
            && let Some(place) = &interface.place
        {
            let message = format!("the interface `{}` has no group, which this cloud does not allow", interface.id);
            warnings.push(warning(WarningKind::NoGroups, place.clone(), message));
        }
    }
}

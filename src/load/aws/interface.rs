//! Interfaces and instances of AWS (AWS-22, AWS-24).

use std::net::IpAddr;

use super::super::error::LoadError;
use super::super::source::{At, Source};
use super::super::state::State;
use super::super::value::{Bare, address, attached, cidr, distinct, public_address};
use crate::model::{GroupId, Instance, Interface};
use crate::net::Family;
use crate::wire::{List, aws};

/// An interface from its own call.
pub(super) fn described(source: &mut Source, at: At<'_>, read: &aws::Interface) -> Result<Interface, LoadError> {
    let mut interface = interface(source, at, read)?;
    if let Some(attachment) = &read.attachment {
        interface.instance = attachment.instance.get().map(Into::into);
    }
    Ok(interface)
}

/// An instance, with the interfaces that its own call shows.
pub(super) fn instance(
    state: &mut State,
    source: &mut Source,
    at: At<'_>,
    read: &aws::Instance,
) -> Result<(), LoadError> {
    let id = source.need(at, "InstanceId", &read.id, "the id of an instance")?;
    let mut instance = Instance::new(id);
    instance.name = super::tags(&read.tags).remove("Name");
    instance.place = Some(source.place(at));
    let interfaces = &read.interfaces.0;
    for (i, own) in interfaces.iter().enumerate() {
        let mut interface = interface(source, at.item("NetworkInterfaces", i), own)?;
        interface.instance = Some(instance.id.clone());
        if interface.vpc.is_none() {
            interface.vpc = read.vpc.get().map(Into::into);
        }
        // The only interface is the primary one, also where its device index was left out.
        let no_index = own.attachment.as_ref().is_none_or(|attachment| attachment.device.get().is_none());
        interface.primary |= no_index && interfaces.len() == 1;
        state.interfaces.add_of_instance(interface)?;
    }
    if let (true, Some(text)) = (interfaces.is_empty(), read.address.get()) {
        let mut assumed = instance.primary_interface(format!("{id}:primary"));
        assumed.vpc = read.vpc.get().map(Into::into);
        assumed.subnet = read.subnet.get().map(Into::into);
        assumed.addresses.push(address(source, at.field("PrivateIpAddress"), text, None)?);
        if let Some(text) = read.v6.get() {
            assumed.addresses.push(address(source, at.field("Ipv6Address"), text, Some(Family::V6))?);
        }
        if let Some(text) = read.public.get() {
            assumed.public.push(address(source, at.field("PublicIpAddress"), text, None)?);
        }
        assumed.groups = groups(source, at, "SecurityGroups", read.groups.as_ref())?;
        assumed.place = Some(source.place(at));
        state.interfaces.add_assumed(assumed)?;
    }
    state.interfaces.add_instance(instance)
}

/// What both calls write alike.
fn interface(source: &mut Source, at: At<'_>, read: &aws::Interface) -> Result<Interface, LoadError> {
    let id = source.need(at, "NetworkInterfaceId", &read.id, "the id of an interface")?;
    let mut interface = Interface::new(id);
    interface.vpc = read.vpc.get().map(Into::into);
    interface.subnet = read.subnet.get().map(Into::into);
    interface.groups = groups(source, at, "Groups", read.groups.as_ref())?;
    if let Some(attachment) = &read.attachment {
        interface.primary = attachment.device.get() == Some(0) && attachment.card.get().is_none_or(|card| card == 0);
    }
    let mut public = Vec::new();
    let mut addresses = Vec::new();
    for (i, own) in read.addresses.items().iter().enumerate() {
        let at = at.item("PrivateIpAddresses", i);
        let text = source.need(at, "PrivateIpAddress", &own.address, "an IPv4 address")?;
        let read = address(source, at.field("PrivateIpAddress"), text, Some(Family::V4))?;
        addresses.push((!own.primary.is_set(), read));
        public.extend(associated(source, at, own.association.as_ref())?);
    }
    if let (true, Some(text)) = (addresses.is_empty(), read.address.text()) {
        addresses.push((false, address(source, at.field("PrivateIpAddress"), text, None)?));
    }
    let mut v6 = Vec::new();
    for (i, own) in read.v6.items().iter().enumerate() {
        let at = at.item("Ipv6Addresses", i);
        let text = source.need(at, "Ipv6Address", &own.address, "an IPv6 address")?;
        v6.push((!own.primary.is_set(), address(source, at.field("Ipv6Address"), text, Some(Family::V6))?));
    }
    // Primary addresses first; the sort is stable.
    addresses.sort_by_key(|&(secondary, _)| secondary);
    v6.sort_by_key(|&(secondary, _)| secondary);
    interface.addresses = distinct(addresses.into_iter().chain(v6).map(|(_, address)| address));
    interface.addresses_unknown = read.address.is_absent() && read.addresses.is_absent() && read.v6.is_absent();
    for (i, own) in read.v4_prefixes.0.iter().enumerate() {
        let at = at.item("Ipv4Prefixes", i);
        let text = source.need(at, "Ipv4Prefix", &own.prefix, "an IPv4 block")?;
        let block = cidr(source, at.field("Ipv4Prefix"), text, Some(Family::V4), Bare::Refused)?;
        interface.prefixes.push(block);
    }
    for (i, own) in read.v6_prefixes.0.iter().enumerate() {
        let at = at.item("Ipv6Prefixes", i);
        let text = source.need(at, "Ipv6Prefix", &own.prefix, "an IPv6 block")?;
        let block = cidr(source, at.field("Ipv6Prefix"), text, Some(Family::V6), Bare::Refused)?;
        interface.prefixes.push(block);
    }
    public.extend(associated(source, at, read.association.as_ref())?);
    interface.public = distinct(public);
    interface.place = Some(source.place(at));
    Ok(interface)
}

/// Groups that are attached; a missing list is unknown, an empty one is known to be empty (AWS-25).
fn groups(
    source: &Source,
    at: At<'_>,
    field: &str,
    groups: Option<&List<aws::GroupName>>,
) -> Result<Option<Vec<GroupId>>, LoadError> {
    let Some(List(groups)) = groups else {
        return Ok(None);
    };
    let ids: Result<Vec<GroupId>, LoadError> = groups
        .iter()
        .enumerate()
        .map(|(i, group)| source.need(at.item(field, i), "GroupId", &group.id, "the id of a group").map(Into::into))
        .collect();
    attached(source, at.field(field), ids?).map(Some)
}

/// The public address of an association.
fn associated(
    source: &Source,
    at: At<'_>,
    association: Option<&aws::Association>,
) -> Result<Option<IpAddr>, LoadError> {
    let text = association.and_then(|association| association.public.get());
    public_address(source, at.field("Association").field("PublicIp"), text)
}

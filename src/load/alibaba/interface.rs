//! Interfaces and instances of Alibaba Cloud (ALI-17 to ALI-19, trap 13).

use std::net::IpAddr;

use super::super::error::LoadError;
use super::super::source::{At, Source};
use super::super::state::State;
use super::super::value::{Bare, address, attached, cidr, distinct, public_address};
use super::lower;
use crate::model::{GroupId, Instance, Interface, NicType};
use crate::net::Family;
use crate::wire::alibaba;

/// An interface from its own call, where an empty list of groups means that there are none.
pub(super) fn described(source: &mut Source, at: At<'_>, read: &alibaba::Interface) -> Result<Interface, LoadError> {
    let mut interface = interface(source, at, read)?;
    interface.instance = read.instance.get().map(Into::into);
    interface.groups = groups(source, at, &read.groups)?;
    Ok(interface)
}

/// An instance, with the interfaces that its own call shows.
pub(super) fn instance(
    state: &mut State,
    source: &mut Source,
    at: At<'_>,
    read: &alibaba::Instance,
) -> Result<(), LoadError> {
    let id = source.need(at, "InstanceId", &read.id, "the id of an instance")?;
    let mut instance = Instance::new(id);
    instance.name = read.name.get().map(str::to_owned);
    instance.place = Some(source.place(at));
    let groups = groups(source, at, &read.groups)?;
    let vpc = read.vpc.as_ref().and_then(|vpc| vpc.vpc.get());
    let mut public = addresses(source, at, "PublicIpAddress", &read.public)?;
    if let Some(text) = read.eip.as_ref().and_then(|eip| eip.address.get()) {
        let at = at.field("EipAddress");
        public.push(address(source, at.field("IpAddress"), text, None)?);
    }
    let public = distinct(public);
    let classic = match lower(&read.network).as_deref() {
        Some("classic") => true,
        Some("vpc") => false,
        Some(_) => {
            return Err(source.wrong(
                at.field("InstanceNetworkType"),
                read.network.get().unwrap_or_default(),
                "vpc or classic",
            ));
        }
        None => vpc.is_none() && !read.inner.items().is_empty(),
    };
    if classic {
        let mut intranet = instance.primary_interface(format!("{id}:intranet"));
        intranet.nic = Some(NicType::Intranet);
        if let Some(inner) = read.inner.get() {
            intranet.addresses = distinct(addresses(source, at, "InnerIpAddress", inner)?);
        }
        intranet.addresses_unknown = read.inner.is_absent();
        let mut internet = instance.interface(format!("{id}:internet"));
        internet.nic = Some(NicType::Internet);
        internet.public = public;
        for mut interface in [intranet, internet] {
            interface.groups.clone_from(&groups);
            interface.place = Some(source.place(at));
            state.interfaces.add_of_instance(interface)?;
        }
        return state.interfaces.add_instance(instance);
    }
    let private = match &read.vpc {
        Some(vpc) => addresses(source, at.field("VpcAttributes"), "PrivateIpAddress", &vpc.addresses)?,
        None => Vec::new(),
    };
    let path = read.interfaces.path("NetworkInterfaces");
    // Only the first: two are an error later, and many would multiply what the instance says.
    let mut primary_met = false;
    for (i, own) in read.interfaces.items.iter().enumerate() {
        let at = at.item(&path, i);
        let mut interface = interface(source, at, own)?;
        interface.instance = Some(instance.id.clone());
        interface.primary |= own.kind.get().is_none() && read.interfaces.items.len() == 1;
        if interface.vpc.is_none() {
            interface.vpc = vpc.map(Into::into);
        }
        // A list that is null or empty says nothing here; that of the instance is about its primary
        // interface (ALI-18).
        interface.groups = self::groups(source, at, &own.groups)?.filter(|groups| !groups.is_empty());
        if interface.primary && !std::mem::replace(&mut primary_met, true) {
            interface.groups = interface.groups.or_else(|| groups.clone());
            if interface.addresses.is_empty() && !private.is_empty() {
                interface.addresses = distinct(private.iter().copied());
                interface.addresses_unknown = false;
            }
            interface.public = distinct(interface.public.into_iter().chain(public.iter().copied()));
        }
        state.interfaces.add_of_instance(interface)?;
    }
    if read.interfaces.items.is_empty() && !private.is_empty() {
        let mut assumed = instance.primary_interface(format!("{id}:primary"));
        assumed.vpc = vpc.map(Into::into);
        assumed.subnet = read.vpc.as_ref().and_then(|vpc| vpc.subnet.get()).map(Into::into);
        assumed.addresses = distinct(private);
        assumed.public = public;
        assumed.groups = groups;
        assumed.place = Some(source.place(at));
        state.interfaces.add_assumed(assumed)?;
    }
    state.interfaces.add_instance(instance)
}

/// What both calls write alike: everything but instance and groups.
fn interface(source: &mut Source, at: At<'_>, read: &alibaba::Interface) -> Result<Interface, LoadError> {
    let id = source.need(at, "NetworkInterfaceId", &read.id, "the id of an interface")?;
    let mut interface = Interface::new(id);
    interface.primary = lower(&read.kind).as_deref() == Some("primary");
    interface.vpc = read.vpc.get().map(Into::into);
    interface.subnet = read.subnet.get().map(Into::into);
    let mut public = Vec::new();
    let mut addresses = Vec::new();
    let path = read.addresses.path("PrivateIpSets");
    for (i, own) in read.addresses.items().iter().enumerate() {
        let at = at.item(&path, i);
        let text = source.need(at, "PrivateIpAddress", &own.address, "an IPv4 address")?;
        let read = address(source, at.field("PrivateIpAddress"), text, Some(Family::V4))?;
        addresses.push((!own.primary.is_set(), read));
        public.extend(associated(source, at, own.public.as_ref())?);
    }
    if addresses.is_empty() {
        for (field, text) in [("PrimaryIpAddress", &read.primary_address), ("PrivateIpAddress", &read.address)] {
            if let Some(text) = text.text() {
                addresses.push((false, address(source, at.field(field), text, Some(Family::V4))?));
            }
        }
    }
    addresses.sort_by_key(|&(secondary, _)| secondary);
    let mut all: Vec<IpAddr> = addresses.into_iter().map(|(_, address)| address).collect();
    let path = read.v6.path("Ipv6Sets");
    for (i, own) in read.v6.items().iter().enumerate() {
        let at = at.item(&path, i);
        let text = source.need(at, "Ipv6Address", &own.address, "an IPv6 address")?;
        all.push(address(source, at.field("Ipv6Address"), text, Some(Family::V6))?);
    }
    interface.addresses = distinct(all);
    interface.addresses_unknown = read.address.is_absent()
        && read.primary_address.is_absent()
        && read.addresses.is_absent()
        && read.v6.is_absent();
    let path = read.v4_prefixes.path("Ipv4PrefixSets");
    for (i, own) in read.v4_prefixes.items.iter().enumerate() {
        let at = at.item(&path, i);
        let text = source.need(at, "Ipv4Prefix", &own.prefix, "an IPv4 block")?;
        interface.prefixes.push(cidr(source, at.field("Ipv4Prefix"), text, Some(Family::V4), Bare::Host)?);
    }
    let path = read.v6_prefixes.path("Ipv6PrefixSets");
    for (i, own) in read.v6_prefixes.items.iter().enumerate() {
        let at = at.item(&path, i);
        let text = source.need(at, "Ipv6Prefix", &own.prefix, "an IPv6 block")?;
        interface.prefixes.push(cidr(source, at.field("Ipv6Prefix"), text, Some(Family::V6), Bare::Host)?);
    }
    public.extend(associated(source, at, read.public.as_ref())?);
    interface.public = distinct(public);
    interface.place = Some(source.place(at));
    Ok(interface)
}

/// Groups that are attached; null and a missing list are unknown (trap 13).
fn groups(source: &Source, at: At<'_>, read: &alibaba::GroupIds) -> Result<Option<Vec<GroupId>>, LoadError> {
    if !read.present {
        return Ok(None);
    }
    let path = read.path("SecurityGroupIds");
    let mut ids = Vec::with_capacity(read.items.len());
    for (i, id) in read.items.iter().enumerate() {
        let id = id.get().ok_or_else(|| source.missing(at.item(&path, i), "the id of a group"))?;
        ids.push(GroupId::from(id));
    }
    attached(source, at.field(&path), ids).map(Some)
}

fn addresses(source: &Source, at: At<'_>, field: &str, read: &alibaba::Addresses) -> Result<Vec<IpAddr>, LoadError> {
    let path = read.path(field);
    let mut addresses = Vec::with_capacity(read.items.len());
    for (i, text) in read.items.iter().enumerate() {
        if let Some(text) = text.get() {
            addresses.push(address(source, at.item(&path, i), text, None)?);
        }
    }
    Ok(addresses)
}

/// The public address of an association.
fn associated(source: &Source, at: At<'_>, read: Option<&alibaba::PublicIp>) -> Result<Option<IpAddr>, LoadError> {
    let text = read.and_then(|read| read.address.get());
    public_address(source, at.field("AssociatedPublicIp").field("PublicIpAddress"), text)
}

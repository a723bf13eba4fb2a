//! What the far end of a rule and its ports stand for, as far as the inventory can tell.

use std::sync::Arc;

use super::scope::Scope;
use crate::model::{
    GroupReference, Inventory, Peer, PeeringStatus, Ports, Rule, SecurityGroup, VpcId, VpcRelation, joined,
};
use crate::net::{AddressSet, Direction, PortSet};
use crate::policy::Missing;

/// A set that may be known in part only.
pub(super) struct Resolved<T> {
    /// What may be in it.
    pub(super) possible: T,
    /// What certainly is in it; `None` if that is all of `possible`.
    pub(super) certain: Option<T>,
}

impl<T> Resolved<T> {
    pub(super) fn exact(set: T) -> Self {
        Self { possible: set, certain: None }
    }

    /// What certainly is in it.
    pub(super) fn certainly(self) -> T {
        self.certain.unwrap_or(self.possible)
    }
}

/// The addresses of a rule's far end, and what is missing to know them.
pub(super) struct ResolvedPeer {
    pub(super) possible: Arc<AddressSet>,
    pub(super) certain: Option<Arc<AddressSet>>,
    pub(super) missing: Vec<Missing>,
}

impl ResolvedPeer {
    fn exact(set: impl Into<Arc<AddressSet>>) -> Self {
        Self { possible: set.into(), certain: None, missing: Vec::new() }
    }

    fn partial(certain: Arc<AddressSet>, possible: impl Into<Arc<AddressSet>>, missing: Missing) -> Self {
        Self { possible: possible.into(), certain: Some(certain), missing: vec![missing] }
    }
}

/// The far end of a rule of `group`, for the interface of `scope`.
pub(super) fn resolve_peer(scope: &Scope<'_>, group: &SecurityGroup, rule: &Rule) -> ResolvedPeer {
    match &rule.peer {
        Peer::Any => ResolvedPeer::exact(AddressSet::all()),
        Peer::Cidr(block) => ResolvedPeer::exact(AddressSet::from(*block)),
        Peer::Group(reference) => resolve_group(scope, group, reference),
        Peer::PrefixList(id) => {
            let known = scope.inventory.prefix_list_addresses(id);
            let list = scope.inventory.prefix_list(id.as_str());
            if list.is_some_and(|list| list.complete) {
                return ResolvedPeer::exact(known);
            }
            // A list has one family (AWS-46, ALI-42): it may match its own family only.
            let family = list.and_then(|list| list.family.or_else(|| list.entries.first().map(|entry| entry.family())));
            let possible = family.map_or_else(AddressSet::all, AddressSet::all_of);
            ResolvedPeer::partial(known, possible, Missing::PrefixListEntries { list: id.clone() })
        }
    }
}

fn resolve_group(scope: &Scope<'_>, group: &SecurityGroup, reference: &GroupReference) -> ResolvedPeer {
    // Behind a middlebox a reference matches nothing although addresses are unchanged (AWS-43); a
    // stale one never does (AWS-44).
    if !scope.identity_preserved || reference.peering == Some(PeeringStatus::Gone) {
        return ResolvedPeer::exact(AddressSet::empty());
    }
    let id = reference.id.as_str();
    let own = scope.interface.vpc.as_ref().or_else(|| group.vpc());
    let home = scope.inventory.group(id).and_then(SecurityGroup::vpc);
    let mut missing = Vec::new();
    // Documents give VPC and peering of a reference for another VPC only (AWS-10); without them the id
    // means the group's members wherever they are, which may be in several VPCs (AWS-41, AWS-45).
    let into_another = reference.vpc.is_some() || reference.peering.is_some();
    let theirs = |member: Option<&'_ VpcId>| match &reference.vpc {
        Some(vpc) => Some(vpc.clone()),
        None => member.filter(|_| !into_another).or(home).cloned(),
    };
    // Whether the reference works for members in this VPC; `None` if that is not known.
    let mut works = |member: Option<&VpcId>| match (reference.peering, own, theirs(member)) {
        (Some(PeeringStatus::Active), _, _) => Some(true),
        (_, Some(own), Some(theirs)) => {
            let works = match scope.inventory.relation(own, &theirs) {
                VpcRelation::Same | VpcRelation::Peered => Some(true),
                // Over a transit gateway references work in inbound rules only (AWS-42).
                VpcRelation::TransitGateway => Some(scope.direction == Direction::Ingress),
                VpcRelation::Unknown => None,
            };
            if works.is_none() {
                missing.push(Missing::VpcRelation { from: own.clone(), to: theirs });
            }
            works
        }
        _ if into_another => {
            missing.push(Missing::ReferencedVpc { group: reference.id.clone() });
            None
        }
        _ => Some(true),
    };
    // Who the far end is beats what its address suggests: in another VPC the same address may be a
    // member of the group here.
    if let Some(far) = scope.far
        && far.vpc.as_ref().zip(own).is_some_and(|(theirs, own)| theirs != own)
    {
        let addresses: Arc<AddressSet> = Arc::new(far.member_blocks().collect());
        let possible = if far.addresses_unknown { Arc::new(AddressSet::all()) } else { addresses.clone() };
        let member = far.groups.as_ref().map(|groups| groups.contains(&reference.id));
        return match (member, works(far.vpc.as_ref())) {
            (Some(false), _) | (_, Some(false)) => ResolvedPeer::exact(AddressSet::empty()),
            (Some(true), Some(true)) if far.addresses_unknown => {
                ResolvedPeer::partial(addresses, possible, Missing::GroupMembers { group: reference.id.clone() })
            }
            (Some(true), Some(true)) => ResolvedPeer::exact(addresses),
            (_, _) => {
                if member.is_none() {
                    missing.push(Missing::InterfaceGroups { interface: far.id.clone() });
                }
                ResolvedPeer { possible, certain: Some(Arc::default()), missing }
            }
        };
    }
    let mut certain: Vec<&Arc<AddressSet>> = Vec::new();
    let mut possible: Vec<&Arc<AddressSet>> = Vec::new();
    for (vpc, members) in scope.inventory.members_by_vpc(id) {
        match works(vpc.as_ref()) {
            Some(true) => certain.push(members),
            Some(false) => {}
            None => possible.push(members),
        }
    }
    let known = certain.len() + possible.len();
    for (vpc, addresses) in scope.inventory.undecided_by_vpc() {
        if works(vpc.as_ref()) != Some(false) {
            possible.push(addresses);
        }
    }
    let mut others = false;
    if scope.inventory.may_have_others(id) {
        // Others may be in any VPC, the interface's own too, unless the reference says which one.
        others = !into_another || works(None) != Some(false);
    }
    if others || certain.len() + possible.len() > known {
        missing.push(Missing::GroupMembers { group: reference.id.clone() });
    }
    let certain = joined(certain);
    let possible = if others { Arc::new(AddressSet::all()) } else { joined([&certain].into_iter().chain(possible)) };
    if possible == certain {
        return ResolvedPeer::exact(certain);
    }
    missing.sort();
    missing.dedup();
    ResolvedPeer { possible, certain: Some(certain), missing }
}

/// The destination ports of a rule.
pub(super) fn resolve_ports(inventory: &Inventory, ports: &Ports) -> (Resolved<PortSet>, Option<Missing>) {
    match ports {
        Ports::Any => (Resolved::exact(PortSet::all()), None),
        Ports::Range(range) => (Resolved::exact(PortSet::from(*range)), None),
        Ports::List(id) => {
            let list = inventory.port_list(id.as_str());
            let known: PortSet = list.into_iter().flat_map(|list| list.entries.iter().copied()).collect();
            if list.is_some_and(|list| list.complete) {
                return (Resolved::exact(known), None);
            }
            let missing = Missing::PortListEntries { list: id.clone() };
            (Resolved { possible: PortSet::all(), certain: Some(known) }, Some(missing))
        }
    }
}

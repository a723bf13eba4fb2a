//! What the far end of a rule and its ports stand for, as far as the inventory can tell.

use std::sync::Arc;

use super::scope::Scope;
use crate::model::{GroupReference, Inventory, Peer, PeeringStatus, Ports, Rule, SecurityGroup, VpcId, VpcRelation};
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
    let relation = relation(scope, group, reference);
    let works = match relation {
        _ if !scope.identity_preserved => Some(false),
        Relation::Stale => Some(false),
        Relation::Vpc(VpcRelation::Same | VpcRelation::Peered, ..) => Some(true),
        // References over a transit gateway work in inbound rules only (AWS-42).
        Relation::Vpc(VpcRelation::TransitGateway, ..) => Some(scope.direction == Direction::Ingress),
        Relation::Vpc(VpcRelation::Unknown, ..) => None,
    };
    let members = scope.inventory.members(reference.id.as_str());
    let mut resolved = match works {
        Some(false) => return ResolvedPeer::exact(AddressSet::empty()),
        Some(true) if members.complete => return ResolvedPeer::exact(members.addresses),
        Some(true) => {
            let missing = Missing::GroupMembers { group: reference.id.clone() };
            return ResolvedPeer::partial(members.addresses, members.possible, missing);
        }
        None => ResolvedPeer { possible: members.possible, certain: Some(Arc::default()), missing: Vec::new() },
    };
    resolved.missing.push(match relation {
        Relation::Vpc(_, Some((from, to))) => Missing::VpcRelation { from: from.clone(), to: to.clone() },
        _ => Missing::ReferencedVpc { group: reference.id.clone() },
    });
    if !members.complete {
        resolved.missing.push(Missing::GroupMembers { group: reference.id.clone() });
    }
    resolved
}

/// How the referenced group's network is joined with the interface's.
enum Relation<'a> {
    /// The data says that the reference leads nowhere (AWS-44).
    Stale,
    /// By this relation, between these VPCs if they differ.
    Vpc(VpcRelation, Option<(&'a VpcId, &'a VpcId)>),
}

fn relation<'a>(scope: &Scope<'a>, group: &'a SecurityGroup, reference: &'a GroupReference) -> Relation<'a> {
    match reference.peering {
        Some(PeeringStatus::Gone) => return Relation::Stale,
        Some(PeeringStatus::Active) => return Relation::Vpc(VpcRelation::Peered, None),
        Some(PeeringStatus::Unsettled) | None => {}
    }
    let own = scope.interface.vpc.as_ref().or_else(|| group.vpc());
    let theirs =
        reference.vpc.as_ref().or_else(|| scope.inventory.group(reference.id.as_str()).and_then(SecurityGroup::vpc));
    match (own, theirs) {
        (Some(own), Some(theirs)) if own != theirs => {
            Relation::Vpc(scope.inventory.relation(own, theirs), Some((own, theirs)))
        }
        (Some(_), Some(_)) => Relation::Vpc(VpcRelation::Same, None),
        // Documents give VPC and peering of a reference for another VPC only (AWS-10); without them
        // the id means a group of the same VPC (AWS-41).
        _ if reference.vpc.is_some() || reference.peering.is_some() => Relation::Vpc(VpcRelation::Unknown, None),
        _ => Relation::Vpc(VpcRelation::Same, None),
    }
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

//! A group by itself: what it would do to an interface that has no other.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::ground::Symbols;
use crate::engine::{LowerError, PolicyEngine, Scope};
use crate::model::{
    GroupId, GroupReference, Interface, Inventory, InventoryError, Network, NicType, Peer, PeeringStatus, Ports,
    SecurityGroup, VpcRelation,
};
use crate::net::{Cidr, Direction, Family};
use crate::policy::Policy;

/// The id of an interface that exists only to ask about a group.
const IMAGINED: &str = "(an interface with only this group)";
/// The first 64 bits of addresses that stand for sets: in a part of the IPv6 space that is not assigned.
/// Others after it are taken if someone names addresses there all the same.
const ZONE: u128 = 0x0053_4563_6752_6f71 << 64;
/// How far apart such addresses are, so that they never become one range.
const STEP: u32 = 8;

/// The cards that an interface with the group can have: two in the classic network (ALI-19), none in a
/// VPC.
pub(crate) fn cards(group: &SecurityGroup) -> &'static [Option<NicType>] {
    match group.network {
        Some(Network::Classic) => &[Some(NicType::Intranet), Some(NicType::Internet)],
        _ => &[None],
    }
}

/// The policy of an interface in the group's network that has only this group, with references resolved.
///
/// # Errors
/// [`LowerError`] if the engine cannot hold the group.
pub(crate) fn resolved(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    group: &SecurityGroup,
    nic: Option<NicType>,
    direction: Direction,
) -> Result<Policy, LowerError> {
    let interface = imagined(group, nic);
    engine.lower(&Scope::new(inventory, &interface, direction))
}

fn imagined(group: &SecurityGroup, nic: Option<NicType>) -> Interface {
    let mut interface = Interface::new(IMAGINED).with_groups([group.id.clone()]);
    interface.vpc = group.vpc().cloned();
    interface.nic = nic;
    interface
}

/// An inventory of one group, in which references are addresses that stand for them.
#[derive(Debug)]
pub(crate) struct Alone {
    inventory: Inventory,
    interface: Interface,
    /// What the addresses stand for.
    pub(crate) symbols: Symbols,
}

impl Alone {
    /// The group with every reference to a group, and to a prefix list that is not wholly known, taken as
    /// an unknown set of addresses of its own; a stale reference stays one.
    ///
    /// # Errors
    /// [`InventoryError`] if the parts do not make up an inventory, which those of one do.
    pub(crate) fn new(
        inventory: &Inventory,
        group: &SecurityGroup,
        nic: Option<NicType>,
        direction: Direction,
    ) -> Result<Self, InventoryError> {
        let mut group = group.clone();
        let vpc = group.vpc().cloned();
        // Egress rules into a VPC behind a transit gateway match nothing (AWS-42).
        let never = |reference: &GroupReference| {
            let behind_gateway = direction == Direction::Egress
                && vpc
                    .as_ref()
                    .zip(reference.vpc.as_ref())
                    .is_some_and(|(own, theirs)| inventory.relation(own, theirs) == VpcRelation::TransitGateway);
            reference.peering == Some(PeeringStatus::Gone)
                || (behind_gateway && reference.peering != Some(PeeringStatus::Active))
        };
        let mut stand_ins: Vec<GroupId> = vec![group.id.clone()];
        let mut lists = Vec::new();
        for rule in &mut group.rules {
            let stands_for = match &rule.peer {
                Peer::Group(reference) if never(reference) => {
                    let mut stale = GroupReference::new(reference.id.clone());
                    stale.peering = Some(PeeringStatus::Gone);
                    rule.peer = Peer::Group(stale);
                    continue;
                }
                Peer::Group(reference) => reference.id.clone(),
                Peer::PrefixList(id) => match inventory.prefix_list(id.as_str()) {
                    Some(list) if list.complete => {
                        lists.push(list);
                        continue;
                    }
                    _ => GroupId::from(id.as_str()),
                },
                Peer::Any | Peer::Cidr(_) => continue,
            };
            rule.peer = Peer::group(stands_for.clone());
            stand_ins.push(stands_for);
        }
        stand_ins.sort();
        stand_ins.dedup();
        lists.sort_by_key(|list| &list.id);
        lists.dedup_by_key(|list| &list.id);
        let zone = free_zone(&group, lists.iter().flat_map(|list| list.entries.iter().copied()));
        let mut builder = Inventory::builder();
        let mut symbols = BTreeMap::new();
        for (number, id) in (0_u32..).zip(&stand_ins) {
            let address = zone | u128::from(number) << STEP;
            symbols.insert(address, number);
            let mut member = Interface::new(format!("(a member of {id})")).with_groups([id.clone()]);
            member.vpc.clone_from(&vpc);
            member.addresses.push(IpAddr::V6(Ipv6Addr::from(address)));
            builder = builder.interface(member);
        }
        for list in lists {
            builder = builder.prefix_list(list.clone());
        }
        let ports = group.rules.iter().filter_map(|rule| match rule.traffic.ports() {
            Some(Ports::List(id)) => inventory.port_list(id.as_str()),
            _ => None,
        });
        let ports: BTreeMap<_, _> = ports.map(|list| (&list.id, list)).collect();
        for list in ports.into_values() {
            builder = builder.port_list(list.clone());
        }
        if let Some(vpc) = vpc.as_ref().and_then(|vpc| inventory.vpc(vpc.as_str())) {
            builder = builder.vpc(vpc.clone());
        }
        let interface = imagined(&group, nic);
        let inventory = builder.group(group).build()?;
        Ok(Self { inventory, interface, symbols: Symbols::new(symbols) })
    }

    /// The policy of an interface that has only this group.
    ///
    /// # Errors
    /// As [`resolved`].
    pub(crate) fn policy(&self, engine: &dyn PolicyEngine, direction: Direction) -> Result<Policy, LowerError> {
        engine.lower(&Scope::new(&self.inventory, &self.interface, direction))
    }
}

/// A zone of which nobody names a part.
fn free_zone(group: &SecurityGroup, entries: impl Iterator<Item = Cidr>) -> u128 {
    let named = group.rules.iter().filter_map(|rule| match &rule.peer {
        Peer::Cidr(block) => Some(*block),
        _ => None,
    });
    let mut taken: Vec<u128> = named
        .chain(entries)
        .filter(|block| block.family() == Family::V6 && block.prefix() > 64)
        .map(|block| block.range().0 >> 64)
        .collect();
    taken.sort_unstable();
    let mut zone = ZONE >> 64;
    while taken.binary_search(&zone).is_ok() {
        zone += 1;
    }
    zone << 64
}

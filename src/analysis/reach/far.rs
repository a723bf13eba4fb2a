//! Which VPCs are joined, and what a policy can see of an interface in another one.

use std::collections::BTreeSet;

use crate::model::{
    GroupId, Interface, InterfaceId, Inventory, NicType, Peer, PeeringStatus, SecurityGroup, VpcId, VpcRelation,
};
use crate::net::Direction;

/// Which VPCs are joined as far as is known.
#[derive(Debug)]
pub(super) struct Joins<'i> {
    inventory: &'i Inventory,
    /// Pairs with a reference over an active peering.
    active: BTreeSet<(&'i VpcId, &'i VpcId)>,
}

impl<'i> Joins<'i> {
    pub(super) fn new(inventory: &'i Inventory) -> Self {
        let mut active = BTreeSet::new();
        for group in inventory.groups() {
            let Some(own) = group.vpc() else { continue };
            for rule in &group.rules {
                let Peer::Group(reference) = &rule.peer else { continue };
                let home = || inventory.group(reference.id.as_str()).and_then(SecurityGroup::vpc);
                if reference.peering == Some(PeeringStatus::Active)
                    && let Some(theirs) = reference.vpc.as_ref().or_else(home)
                {
                    active.extend([(own, theirs), (theirs, own)]);
                }
            }
        }
        Self { inventory, active }
    }

    /// Whether traffic between two VPCs is known to be possible; where one of them is not known, it may be
    /// the same.
    pub(super) fn joined(&self, a: Option<&'i VpcId>, b: Option<&'i VpcId>) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return true };
        match self.inventory.relation(a, b) {
            VpcRelation::Same | VpcRelation::Peered | VpcRelation::TransitGateway => true,
            VpcRelation::Unknown => self.active.contains(&(a, b)),
        }
    }
}

/// The groups that a policy refers to, which may see an interface in another VPC as who it is and not as
/// its addresses.
#[derive(Debug)]
pub(super) struct References<'i> {
    /// The VPCs that the references stand in.
    own: BTreeSet<&'i VpcId>,
    groups: BTreeSet<&'i GroupId>,
}

/// What references can see of an interface in another VPC, beside its addresses: where two interfaces are
/// equal in this, a policy that is lowered towards one of them says the same as towards the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sight<'i> {
    vpc: &'i VpcId,
    /// Which of the groups it carries; `None` if that is not known.
    groups: Option<Vec<&'i GroupId>>,
    addresses_unknown: bool,
    /// A public card has other addresses than groups know it by.
    alone: Option<&'i InterfaceId>,
}

impl<'i> References<'i> {
    pub(super) fn new(inventory: &'i Inventory, interface: &'i Interface, direction: Direction) -> Self {
        let mut references = Self { own: BTreeSet::new(), groups: BTreeSet::new() };
        for group in interface.groups.iter().flatten().filter_map(|id| inventory.group(id.as_str())) {
            for rule in group.rules.iter().filter(|rule| rule.direction == direction) {
                if let Peer::Group(reference) = &rule.peer {
                    references.own.extend(interface.vpc.as_ref().or_else(|| group.vpc()));
                    references.groups.insert(&reference.id);
                }
            }
        }
        references
    }

    /// What the references see of an interface; `None` if they see its addresses.
    pub(super) fn sight(&self, far: &'i Interface) -> Option<Sight<'i>> {
        let vpc = far.vpc.as_ref()?;
        if self.own.iter().all(|own| *own == vpc) {
            return None;
        }
        let carried = |groups: &Vec<GroupId>| self.groups.iter().copied().filter(|id| groups.contains(id)).collect();
        Some(Sight {
            vpc,
            groups: far.groups.as_ref().map(carried),
            addresses_unknown: far.addresses_unknown,
            alone: (far.nic == Some(NicType::Internet)).then_some(&far.id),
        })
    }
}

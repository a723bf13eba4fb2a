//! Parts of an inventory, and inventories made of parts that were resolved elsewhere.
//!
//! A fleet keeps groups, members and lists in a form of its own. What it lowers a policy from is a
//! view: an inventory that holds what the scope can refer to, and shares it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Carried, Inventory, InventoryBuilder};
use crate::model::{
    GroupId, Instance, InstanceId, Interface, InterfaceId, PortList, PortListId, PrefixList, PrefixListId,
    SecurityGroup, Subnet, SubnetId, Vpc, VpcId, VpcRelation,
};
use crate::net::AddressSet;

/// What is around groups, lists and interfaces, and does not change with them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    port_lists: Arc<BTreeMap<PortListId, PortList>>,
    vpcs: Arc<BTreeMap<VpcId, Vpc>>,
    subnets: Arc<BTreeMap<SubnetId, Subnet>>,
    relations: Arc<BTreeMap<(VpcId, VpcId), VpcRelation>>,
    /// Whether the interfaces are all there are.
    pub(crate) members_complete: bool,
}

/// An inventory taken apart.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) groups: BTreeMap<GroupId, Arc<SecurityGroup>>,
    pub(crate) prefix_lists: BTreeMap<PrefixListId, Arc<PrefixList>>,
    pub(crate) interfaces: BTreeMap<InterfaceId, Interface>,
    pub(crate) instances: BTreeMap<InstanceId, Instance>,
    pub(crate) around: Surroundings,
}

/// What a policy can be lowered from.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) groups: BTreeMap<GroupId, Arc<SecurityGroup>>,
    pub(crate) prefix_lists: BTreeMap<PrefixListId, Arc<PrefixList>>,
    pub(crate) entries: BTreeMap<PrefixListId, Arc<AddressSet>>,
    pub(crate) interfaces: BTreeMap<InterfaceId, Interface>,
    /// What rules refer to.
    pub(crate) carried: Carried,
    /// What [`Inventory::members`] answers with, if that is something else.
    pub(crate) implied: Option<Box<Carried>>,
    pub(crate) open_groups: Option<BTreeSet<GroupId>>,
    pub(crate) around: Surroundings,
}

impl Inventory {
    /// Takes the inventory apart.
    pub(crate) fn into_parts(self) -> Parts {
        Parts {
            groups: self.groups,
            prefix_lists: self.prefix_lists,
            interfaces: self.interfaces,
            instances: self.instance_records,
            around: Surroundings {
                port_lists: self.port_lists,
                vpcs: self.vpcs,
                subnets: self.subnets,
                relations: self.relations,
                members_complete: self.members_complete,
            },
        }
    }
}

impl From<View> for Inventory {
    fn from(view: View) -> Self {
        Self {
            groups: view.groups,
            prefix_lists: view.prefix_lists,
            port_lists: view.around.port_lists,
            interfaces: view.interfaces,
            vpcs: view.around.vpcs,
            subnets: view.around.subnets,
            relations: view.around.relations,
            members_complete: view.around.members_complete,
            members: view.carried.members,
            undecided: view.carried.undecided,
            open_groups: view.open_groups,
            entries: view.entries,
            implied: view.implied,
            instances: BTreeMap::new(),
            instance_records: BTreeMap::new(),
        }
    }
}

impl Surroundings {
    /// The start of an inventory in these surroundings.
    pub(crate) fn builder(&self) -> InventoryBuilder {
        InventoryBuilder {
            port_lists: self.port_lists.values().cloned().collect(),
            vpcs: self.vpcs.values().cloned().collect(),
            subnets: self.subnets.values().cloned().collect(),
            relations: self.relations.iter().map(|((a, b), relation)| (a.clone(), b.clone(), *relation)).collect(),
            members_complete: self.members_complete,
            ..InventoryBuilder::default()
        }
    }
}

//! Everything that was loaded or built, and the resolution of references within it.

mod members;
#[cfg(feature = "fleet")]
pub(crate) mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::group::SecurityGroup;
use super::id::{GroupId, InstanceId, InterfaceId, PortListId, PrefixListId, SubnetId, VpcId};
use super::interface::{Instance, Interface};
use super::list::{PortList, PrefixList};
use super::vpc::{Subnet, Vpc, VpcRelation};
use crate::net::{AddressSet, Cidr};

pub use members::Members;
pub(crate) use members::{ByVpc, Carried, joined};

/// Groups, prefix lists, port lists, instances and interfaces: immutable once built.
///
/// ```
/// use secgroup::model::{Interface, Inventory, SecurityGroup};
///
/// let inventory = Inventory::builder()
///     .group(SecurityGroup::aws("sg-web"))
///     .interface(Interface::new("eni-1").with_groups(["sg-web"]).with_address("10.0.0.5".parse()?))
///     .build()?;
/// let members = inventory.members("sg-web");
/// assert!(members.complete && members.addresses.contains("10.0.0.5".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "InventoryBuilder", into = "InventoryBuilder")]
pub struct Inventory {
    // What is shared can stand in many views of one fleet without being copied.
    groups: BTreeMap<GroupId, Arc<SecurityGroup>>,
    prefix_lists: BTreeMap<PrefixListId, Arc<PrefixList>>,
    port_lists: Arc<BTreeMap<PortListId, PortList>>,
    instances: BTreeMap<InstanceId, Vec<InterfaceId>>,
    instance_records: BTreeMap<InstanceId, Instance>,
    interfaces: BTreeMap<InterfaceId, Interface>,
    vpcs: Arc<BTreeMap<VpcId, Vpc>>,
    subnets: Arc<BTreeMap<SubnetId, Subnet>>,
    relations: Arc<BTreeMap<(VpcId, VpcId), VpcRelation>>,
    members_complete: bool,
    /// Addresses of the members of each group that an interface carries.
    members: BTreeMap<GroupId, ByVpc>,
    /// Addresses of interfaces whose groups are not known: they may be members of any group.
    undecided: ByVpc,
    /// Groups with a member whose addresses are not known; `None` if that may be every group.
    open_groups: Option<BTreeSet<GroupId>>,
    /// Entries of each prefix list, as a set.
    entries: BTreeMap<PrefixListId, Arc<AddressSet>>,
    /// What [`Inventory::members`] reads in a view that tells it apart from what rules refer to.
    implied: Option<Box<Carried>>,
}

/// Why parts do not make up an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// One id was given twice for things of one kind.
    #[error("the {kind} `{id}` is given twice")]
    Duplicate {
        /// What kind of thing it is.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// An instance has several primary interfaces, and a question about it would be ambiguous.
    #[error("the instance `{instance}` has two primary interfaces, `{first}` and `{second}`")]
    TwoPrimaries {
        /// The instance.
        instance: InstanceId,
        /// One primary interface.
        first: InterfaceId,
        /// The other.
        second: InterfaceId,
    },
    /// An entry is of another family than its prefix list.
    #[error("the prefix list `{list}` of {family} has the entry {entry}")]
    EntryFamily {
        /// The list.
        list: PrefixListId,
        /// The list's family.
        family: crate::net::Family,
        /// The entry.
        entry: Cidr,
    },
}

/// An inventory of nothing, which is complete.
impl Default for Inventory {
    fn default() -> Self {
        Self {
            groups: BTreeMap::new(),
            prefix_lists: BTreeMap::new(),
            port_lists: Arc::default(),
            instances: BTreeMap::new(),
            instance_records: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            vpcs: Arc::default(),
            subnets: Arc::default(),
            relations: Arc::default(),
            members_complete: true,
            members: BTreeMap::new(),
            undecided: ByVpc::new(),
            open_groups: Some(BTreeSet::new()),
            entries: BTreeMap::new(),
            implied: None,
        }
    }
}

impl Inventory {
    /// Starts an inventory.
    pub fn builder() -> InventoryBuilder {
        InventoryBuilder::default()
    }

    /// The group with this id, if it was loaded.
    pub fn group(&self, id: &str) -> Option<&SecurityGroup> {
        self.groups.get(id).map(|group| &**group)
    }

    /// All groups, by id.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &SecurityGroup> {
        self.groups.values().map(|group| &**group)
    }

    /// The prefix list with this id, if it was loaded.
    pub fn prefix_list(&self, id: &str) -> Option<&PrefixList> {
        self.prefix_lists.get(id).map(|list| &**list)
    }

    /// All prefix lists, by id.
    pub fn prefix_lists(&self) -> impl ExactSizeIterator<Item = &PrefixList> {
        self.prefix_lists.values().map(|list| &**list)
    }

    /// The known entries of a prefix list, as a set.
    pub(crate) fn prefix_list_addresses(&self, id: &PrefixListId) -> Arc<AddressSet> {
        self.entries.get(id).cloned().unwrap_or_default()
    }

    /// The port list with this id, if it was loaded.
    pub fn port_list(&self, id: &str) -> Option<&PortList> {
        self.port_lists.get(id)
    }

    /// All port lists, by id.
    pub fn port_lists(&self) -> impl ExactSizeIterator<Item = &PortList> {
        self.port_lists.values()
    }

    /// The interface with this id.
    pub fn interface(&self, id: &str) -> Option<&Interface> {
        self.interfaces.get(id)
    }

    /// All interfaces, by id.
    pub fn interfaces(&self) -> impl ExactSizeIterator<Item = &Interface> {
        self.interfaces.values()
    }

    /// The ids of all instances, whether they were described or an interface named them.
    pub fn instance_ids(&self) -> impl ExactSizeIterator<Item = &InstanceId> {
        self.instances.keys()
    }

    /// The instance with this id, if it was described.
    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.instance_records.get(id)
    }

    /// The interfaces of an instance, the primary one first; empty if there is no such instance.
    pub fn interfaces_of(&self, instance: &str) -> impl Iterator<Item = &Interface> {
        self.instances.get(instance).into_iter().flatten().filter_map(|id| self.interfaces.get(id))
    }

    /// Whether an instance of this id was described or named by an interface.
    pub fn has_instance(&self, id: &str) -> bool {
        self.instances.contains_key(id)
    }

    /// The VPC with this id, if it was described.
    pub fn vpc(&self, id: &str) -> Option<&Vpc> {
        self.vpcs.get(id)
    }

    /// All VPCs that were described, by id.
    pub fn vpcs(&self) -> impl ExactSizeIterator<Item = &Vpc> {
        self.vpcs.values()
    }

    /// All subnets that were described, by id.
    pub fn subnets(&self) -> impl ExactSizeIterator<Item = &Subnet> {
        self.subnets.values()
    }

    /// The subnet with this id, if it was described.
    pub fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.get(id)
    }

    /// How two VPCs are joined, as the caller stated it; one VPC is always the same as itself.
    pub fn relation(&self, a: &VpcId, b: &VpcId) -> VpcRelation {
        if a == b {
            return VpcRelation::Same;
        }
        self.relations.get(&ordered(a.clone(), b.clone())).copied().unwrap_or_default()
    }

    /// Whether the interfaces are all there are, so that groups have no members but theirs.
    pub fn members_complete(&self) -> bool {
        self.members_complete
    }

    /// The private addresses of the interfaces that carry this group (AWS-38, AWS-39, ALI-46), the
    /// asking interface included.
    ///
    /// They are complete if all interfaces were described with their groups and addresses, and the group is one of
    /// those described or carried; of any other group nothing is known, for it may live in another
    /// account.
    pub fn members(&self, group: &str) -> Members {
        const NONE: &ByVpc = &BTreeMap::new();
        let (carried, undecided) = match &self.implied {
            Some(implied) => (implied.members.get(group).unwrap_or(NONE), &implied.undecided),
            None => (self.members_by_vpc(group), &self.undecided),
        };
        let addresses = joined(carried.values());
        let possible = if self.may_have_others(group) {
            Arc::new(AddressSet::all())
        } else {
            joined(carried.values().chain(undecided.values()))
        };
        let complete = possible == addresses;
        Members { addresses, possible, complete }
    }

    /// The addresses of the members that are known, by VPC: an interface may lie in another VPC than
    /// its group (AWS-45).
    pub(crate) fn members_by_vpc(&self, group: &str) -> &ByVpc {
        const NONE: &ByVpc = &BTreeMap::new();
        self.members.get(group).unwrap_or(NONE)
    }

    /// The addresses of interfaces whose groups are not known, by VPC.
    pub(crate) fn undecided_by_vpc(&self) -> &ByVpc {
        &self.undecided
    }

    /// Whether the group may have members that no interface of the inventory is.
    pub(crate) fn may_have_others(&self, group: &str) -> bool {
        !self.members_complete
            || self.open_groups.as_ref().is_none_or(|open| open.contains(group))
            || (!self.members.contains_key(group) && !self.groups.contains_key(group))
    }
}

/// Collects the parts of an [`Inventory`]; also its form in files.
///
/// What is given is taken to be everything: [`InventoryBuilder::members_incomplete`] says otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[must_use = "a builder does nothing until it is built"]
pub struct InventoryBuilder {
    groups: Vec<SecurityGroup>,
    prefix_lists: Vec<PrefixList>,
    port_lists: Vec<PortList>,
    instances: Vec<Instance>,
    interfaces: Vec<Interface>,
    vpcs: Vec<Vpc>,
    subnets: Vec<Subnet>,
    relations: Vec<(VpcId, VpcId, VpcRelation)>,
    members_complete: bool,
}

impl Default for InventoryBuilder {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            prefix_lists: Vec::new(),
            port_lists: Vec::new(),
            instances: Vec::new(),
            interfaces: Vec::new(),
            vpcs: Vec::new(),
            subnets: Vec::new(),
            relations: Vec::new(),
            members_complete: true,
        }
    }
}

impl InventoryBuilder {
    /// Adds a group.
    pub fn group(mut self, group: SecurityGroup) -> Self {
        self.groups.push(group);
        self
    }

    /// Adds a prefix list.
    pub fn prefix_list(mut self, list: PrefixList) -> Self {
        self.prefix_lists.push(list);
        self
    }

    /// Adds a port list.
    pub fn port_list(mut self, list: PortList) -> Self {
        self.port_lists.push(list);
        self
    }

    /// Adds an instance.
    pub fn instance(mut self, instance: Instance) -> Self {
        self.instances.push(instance);
        self
    }

    /// Adds an interface.
    pub fn interface(mut self, interface: Interface) -> Self {
        self.interfaces.push(interface);
        self
    }

    /// Adds a VPC.
    pub fn vpc(mut self, vpc: Vpc) -> Self {
        self.vpcs.push(vpc);
        self
    }

    /// Adds a subnet.
    pub fn subnet(mut self, subnet: Subnet) -> Self {
        self.subnets.push(subnet);
        self
    }

    /// States how two VPCs are joined; the last statement about a pair counts.
    pub fn relation(mut self, a: impl Into<VpcId>, b: impl Into<VpcId>, relation: VpcRelation) -> Self {
        self.relations.push((a.into(), b.into(), relation));
        self
    }

    /// States that there may be interfaces that were not given, so that any group may have more
    /// members.
    pub fn members_incomplete(mut self) -> Self {
        self.members_complete = false;
        self
    }

    /// States that the interfaces given are all there are, although documents leave it open.
    pub fn assume_members_complete(mut self) -> Self {
        self.members_complete = true;
        self
    }

    /// Builds the inventory. Time and memory are proportional to its size, times a logarithm, where an
    /// interface counts with its addresses once for each of its groups.
    ///
    /// References that lead nowhere are not errors: what they lead to is unknown, and decisions say
    /// so where it matters.
    ///
    /// # Errors
    /// An [`InventoryError`] if an id is given twice, an instance has two primary interfaces or an
    /// entry is not of its prefix list's family.
    pub fn build(self) -> Result<Inventory, InventoryError> {
        let mut carried: BTreeMap<GroupId, BTreeMap<Option<VpcId>, Vec<Cidr>>> = BTreeMap::new();
        let mut instances: BTreeMap<InstanceId, Vec<InterfaceId>> =
            self.instances.iter().map(|instance| (instance.id.clone(), Vec::new())).collect();
        let mut undecided: BTreeMap<Option<VpcId>, Vec<Cidr>> = BTreeMap::new();
        let mut open_groups = Some(BTreeSet::new());
        for interface in &self.interfaces {
            if interface.addresses_unknown {
                match (&interface.groups, &mut open_groups) {
                    (Some(groups), Some(open)) => open.extend(groups.iter().cloned()),
                    _ => open_groups = None,
                }
            }
            if interface.groups.is_none() {
                undecided.entry(interface.vpc.clone()).or_default().extend(interface.member_blocks());
            }
            for group in interface.groups.iter().flatten() {
                let by_vpc = carried.entry(group.clone()).or_default();
                by_vpc.entry(interface.vpc.clone()).or_default().extend(interface.member_blocks());
            }
            if let Some(instance) = &interface.instance {
                instances.entry(instance.clone()).or_default().push(interface.id.clone());
            }
        }
        let interfaces = by_id("interface", self.interfaces, |interface| interface.id.clone())?;
        for (instance, own) in &mut instances {
            let is_primary = |id: &InterfaceId| interfaces.get(id).is_some_and(|interface| interface.primary);
            own.sort_by_key(|id| !is_primary(id));
            if let [first, second, ..] = own.as_slice()
                && is_primary(second)
            {
                return Err(InventoryError::TwoPrimaries {
                    instance: instance.clone(),
                    first: first.clone(),
                    second: second.clone(),
                });
            }
        }
        let prefix_lists = by_id("prefix list", self.prefix_lists, |list| list.id.clone())?;
        for list in prefix_lists.values() {
            if let Some(family) = list.family
                && let Some(entry) = list.entries.iter().find(|entry| entry.family() != family)
            {
                return Err(InventoryError::EntryFamily { list: list.id.clone(), family, entry: *entry });
            }
        }
        Ok(Inventory {
            groups: shared(by_id("group", self.groups, |group| group.id.clone())?),
            port_lists: by_id("port list", self.port_lists, |list| list.id.clone())?.into(),
            instance_records: by_id("instance", self.instances, |instance| instance.id.clone())?,
            vpcs: by_id("VPC", self.vpcs, |vpc| vpc.id.clone())?.into(),
            subnets: by_id("subnet", self.subnets, |subnet| subnet.id.clone())?.into(),
            relations: Arc::new(self.relations.into_iter().map(|(a, b, r)| (ordered(a, b), r)).collect()),
            members_complete: self.members_complete,
            members: carried.into_iter().map(|(group, blocks)| (group, sets(blocks))).collect(),
            undecided: sets(undecided),
            open_groups,
            entries: prefix_lists
                .values()
                .map(|list| (list.id.clone(), Arc::new(list.entries.iter().copied().collect())))
                .collect(),
            prefix_lists: shared(prefix_lists),
            instances,
            interfaces,
            implied: None,
        })
    }
}

fn sets(blocks: BTreeMap<Option<VpcId>, Vec<Cidr>>) -> ByVpc {
    blocks.into_iter().map(|(vpc, blocks)| (vpc, Arc::new(blocks.into_iter().collect()))).collect()
}

fn shared<K: Ord, T>(items: BTreeMap<K, T>) -> BTreeMap<K, Arc<T>> {
    items.into_iter().map(|(id, item)| (id, Arc::new(item))).collect()
}

/// A pair whose order does not matter.
fn ordered(a: VpcId, b: VpcId) -> (VpcId, VpcId) {
    if a <= b { (a, b) } else { (b, a) }
}

fn by_id<K: Ord + ToString, T>(
    kind: &'static str,
    items: Vec<T>,
    id: impl Fn(&T) -> K,
) -> Result<BTreeMap<K, T>, InventoryError> {
    let mut map = BTreeMap::new();
    for item in items {
        let key = id(&item);
        if map.contains_key(&key) {
            return Err(InventoryError::Duplicate { kind, id: key.to_string() });
        }
        map.insert(key, item);
    }
    Ok(map)
}

impl TryFrom<InventoryBuilder> for Inventory {
    type Error = InventoryError;

    fn try_from(parts: InventoryBuilder) -> Result<Self, InventoryError> {
        parts.build()
    }
}

impl From<Inventory> for InventoryBuilder {
    fn from(inventory: Inventory) -> Self {
        Self {
            groups: inventory.groups.into_values().map(Arc::unwrap_or_clone).collect(),
            prefix_lists: inventory.prefix_lists.into_values().map(Arc::unwrap_or_clone).collect(),
            port_lists: Arc::unwrap_or_clone(inventory.port_lists).into_values().collect(),
            instances: inventory.instance_records.into_values().collect(),
            interfaces: inventory.interfaces.into_values().collect(),
            vpcs: Arc::unwrap_or_clone(inventory.vpcs).into_values().collect(),
            subnets: Arc::unwrap_or_clone(inventory.subnets).into_values().collect(),
            relations: Arc::unwrap_or_clone(inventory.relations).into_iter().map(|((a, b), r)| (a, b, r)).collect(),
            members_complete: inventory.members_complete,
        }
    }
}

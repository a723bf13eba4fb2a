//! One version of a fleet: everything that decisions and edits read. Cloning it takes constant time,
//! and an edit of the clone leaves the original alone.

use std::sync::Arc;

use imbl::{HashMap, OrdSet, Vector};

use super::compiled::Compiled;
use super::index::{AddressIndex, low};
use super::slab::{BUCKETS, NO_BUCKET};
use super::symbol::clashes;
use super::table::Table;
use crate::engine::PolicyEngine;
use crate::model::view::Surroundings;
use crate::model::{
    GroupId, Instance, InstanceId, Interface, InterfaceId, NicType, Peer, PrefixList, PrefixListId, SecurityGroup,
    SubnetId, VpcId,
};
use crate::net::{AddressSet, Direction, Family};

/// The number of interfaces whose groups are not known stands in place of a group: they may be members
/// of any.
pub(super) const UNDECIDED: u32 = 0;
/// The VPC of interfaces whose VPC is not known.
pub(super) const NO_VPC: u32 = 0;

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) engine: Arc<dyn PolicyEngine>,
    pub(super) around: Surroundings,
    pub(super) instances: Arc<Vec<Instance>>,
    /// The primary interface of each instance that has one.
    pub(super) primaries: HashMap<InstanceId, InterfaceId>,

    /// Interfaces by number: what decisions read, and the rest.
    pub(super) records: Table<Record>,
    pub(super) hosts: Table<Option<Arc<Host>>>,
    pub(super) host_numbers: HashMap<InterfaceId, u32>,
    pub(super) free_hosts: Vector<u32>,
    pub(super) addresses: AddressIndex,

    /// Groups by number, also those that are only referred to; numbers are never used again.
    pub(super) groups: Table<Arc<Group>>,
    pub(super) group_numbers: HashMap<GroupId, u32>,
    /// The number of interfaces that may be members of any group, at any address.
    pub(super) open_everywhere: u32,
    pub(super) buckets: u32,
    pub(super) lists: Table<Arc<List>>,
    pub(super) list_numbers: HashMap<PrefixListId, u32>,
    pub(super) vpcs: Table<Option<VpcId>>,
    pub(super) vpc_numbers: HashMap<VpcId, u32>,

    /// Classes of interfaces that have the same policies, by number.
    pub(super) classes: Table<Option<Arc<Class>>>,
    pub(super) class_numbers: HashMap<Arc<ClassKey>, u32>,
    pub(super) free_classes: Vector<u32>,
    /// The policies of each class, see [`policy_number`].
    pub(super) policies: Table<Compiled>,
}

/// Where the policy of a class stands in the table of policies.
#[inline]
pub(super) fn policy_number(class: u32, direction: Direction) -> u32 {
    let ingress = match direction {
        Direction::Egress => 0,
        Direction::Ingress => 1,
    };
    class.saturating_mul(2).saturating_add(ingress)
}

/// What decisions read of an interface: one cache line.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(super) struct Record {
    v6: u128,
    v4: u32,
    pub(super) generation: u32,
    pub(super) class: u32,
    pub(super) vpc: u32,
    buckets: [u32; BUCKETS],
    count: u8,
    pub(super) flags: Flags,
}

/// What is true of an interface.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags(u8);

impl Flags {
    /// There is such an interface.
    pub(super) const LIVE: Self = Self(1);
    pub(super) const HAS_V4: Self = Self(1 << 1);
    pub(super) const HAS_V6: Self = Self(1 << 2);
    /// The primary address is a member address, and of this interface only.
    pub(super) const OWN_V4: Self = Self(1 << 3);
    pub(super) const OWN_V6: Self = Self(1 << 4);
    /// Its primary addresses are public, and do not make it a member.
    pub(super) const PUBLIC: Self = Self(1 << 5);

    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    fn set(&mut self, flag: Self, on: bool) {
        self.0 = if on { self.0 | flag.0 } else { self.0 & !flag.0 };
    }
}

impl Record {
    /// The primary address of the family.
    #[inline]
    pub(super) fn address(&self, family: Family) -> Option<std::net::IpAddr> {
        let (has, number) = match family {
            Family::V4 => (Flags::HAS_V4, u128::from(self.v4)),
            Family::V6 => (Flags::HAS_V6, self.v6),
        };
        self.flags.has(has).then(|| family.address(number))
    }

    /// The primary IPv4 address, if there is one.
    #[inline]
    pub(super) fn v4(&self) -> u32 {
        self.v4
    }

    /// The primary IPv6 address, if there is one.
    #[inline]
    pub(super) fn v6(&self) -> u128 {
        self.v6
    }

    /// Whether there is a primary address of the family; `None` if it does not make the interface a member.
    #[inline]
    pub(super) fn member_in(&self, family: Family) -> Option<bool> {
        let has = self.flags.has(if family == Family::V4 { Flags::HAS_V4 } else { Flags::HAS_V6 });
        if has && self.flags.has(Flags::PUBLIC) { None } else { Some(has) }
    }

    /// Whether the primary address of the family belongs to no other interface.
    #[inline]
    pub(super) fn is_alone(&self, family: Family) -> bool {
        self.flags.has(if family == Family::V4 { Flags::OWN_V4 } else { Flags::OWN_V6 })
    }

    /// Whether this is the primary address, and belongs to no other interface.
    #[inline]
    pub(super) fn alone_has(&self, family: Family, address: u128) -> bool {
        match family {
            Family::V4 => self.flags.has(Flags::OWN_V4) && u128::from(self.v4) == address,
            Family::V6 => self.flags.has(Flags::OWN_V6) && self.v6 == address,
        }
    }

    /// The buckets that the interface is a member of; `None` if they do not fit.
    #[inline]
    pub(super) fn buckets(&self) -> Option<&[u32; BUCKETS]> {
        (usize::from(self.count) <= BUCKETS).then_some(&self.buckets)
    }
}

/// The rest of an interface.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) interface: Interface,
    /// The buckets that it is a member of.
    pub(super) buckets: Vec<u32>,
}

/// A group as a fleet knows it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) loaded: Option<Arc<SecurityGroup>>,
    /// Groups that its rules refer to, and prefix lists.
    pub(super) refers_to: Arc<[u32]>,
    pub(super) lists: Arc<[u32]>,
    /// Whether a rule names addresses that could be taken for symbols.
    pub(super) clashes: bool,
    /// Its members, by VPC.
    pub(super) buckets: Vec<Bucket>,
    /// Members that may have any address.
    pub(super) open: u32,
    /// Classes that carry it, and classes with a group whose rules refer to it; sorted.
    pub(super) carried_by: Arc<Vec<u32>>,
    pub(super) referred_by: Arc<Vec<u32>>,
}

/// The members of a group in one VPC.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) vpc: u32,
    /// Its number among all buckets.
    pub(super) number: u32,
    pub(super) carriers: OrdSet<u32>,
}

/// A prefix list as a fleet knows it.
#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) id: PrefixListId,
    pub(super) loaded: Option<Arc<PrefixList>>,
    pub(super) addresses: Arc<AddressSet>,
    /// Classes with a group whose rules refer to it; sorted.
    pub(super) listed_by: Arc<Vec<u32>>,
}

/// What an engine can look at of an interface, so that those that are equal in it have the same
/// policies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ClassKey {
    pub(super) groups: Option<Vec<GroupId>>,
    pub(super) vpc: Option<VpcId>,
    pub(super) subnet: Option<SubnetId>,
    pub(super) nic: Option<NicType>,
}

/// Interfaces that have the same policies.
#[derive(Debug, Clone)]
pub(super) struct Class {
    pub(super) key: Arc<ClassKey>,
    /// One of them, to stand for all.
    pub(super) example: InterfaceId,
    /// How many there are.
    pub(super) interfaces: u32,
    /// What the policies depend on: groups attached, groups referred to, prefix lists. Sorted.
    pub(super) attached: Vec<u32>,
    pub(super) refers_to: Vec<u32>,
    pub(super) lists: Vec<u32>,
}

impl Class {
    /// An interface that stands for all.
    pub(super) fn interface(&self) -> Interface {
        let mut interface = Interface::new(self.example.clone());
        interface.groups.clone_from(&self.key.groups);
        interface.vpc.clone_from(&self.key.vpc);
        interface.subnet.clone_from(&self.key.subnet);
        interface.nic = self.key.nic;
        interface
    }
}

/// Entries of tables must have a value before they are set.
impl Default for Group {
    fn default() -> Self {
        Self::new("".into())
    }
}

impl Default for List {
    fn default() -> Self {
        Self { id: "".into(), loaded: None, addresses: Arc::default(), listed_by: Arc::default() }
    }
}

impl Group {
    fn new(id: GroupId) -> Self {
        Self {
            id,
            loaded: None,
            refers_to: Arc::default(),
            lists: Arc::default(),
            clashes: false,
            buckets: Vec::new(),
            open: 0,
            carried_by: Arc::default(),
            referred_by: Arc::default(),
        }
    }

    /// The VPC that it belongs to, where that is known.
    pub(super) fn home(&self) -> Option<&VpcId> {
        self.loaded.as_ref().and_then(|group| group.vpc())
    }

    /// Whether some interface carries it.
    pub(super) fn is_carried(&self) -> bool {
        self.buckets.iter().any(|bucket| !bucket.carriers.is_empty())
    }
}

impl State {
    /// A fleet of nothing.
    pub(super) fn new(engine: Arc<dyn PolicyEngine>, around: Surroundings) -> Self {
        let mut groups = Table::default();
        groups.push(Arc::new(Group::default()));
        let mut vpcs = Table::default();
        vpcs.push(None);
        Self {
            engine,
            around,
            instances: Arc::default(),
            primaries: HashMap::new(),
            records: Table::default(),
            hosts: Table::default(),
            host_numbers: HashMap::new(),
            free_hosts: Vector::new(),
            addresses: AddressIndex::default(),
            groups,
            group_numbers: HashMap::new(),
            open_everywhere: 0,
            buckets: 0,
            lists: Table::default(),
            list_numbers: HashMap::new(),
            vpcs,
            vpc_numbers: HashMap::new(),
            classes: Table::default(),
            class_numbers: HashMap::new(),
            free_classes: Vector::new(),
            policies: Table::default(),
        }
    }

    /// An interface by id, with its number.
    pub(super) fn host(&self, id: &str) -> Option<(u32, &Arc<Host>)> {
        let number = *self.host_numbers.get(id)?;
        Some((number, self.hosts.get(number)?.as_ref()?))
    }

    /// The number of a group, which gets one if it has none.
    pub(super) fn group_number(&mut self, id: &GroupId) -> u32 {
        if let Some(number) = self.group_numbers.get(id) {
            return *number;
        }
        let number = self.groups.push(Arc::new(Group::new(id.clone())));
        self.group_numbers.insert(id.clone(), number);
        number
    }

    /// The number of a prefix list, which gets one if it has none.
    pub(super) fn list_number(&mut self, id: &PrefixListId) -> u32 {
        if let Some(number) = self.list_numbers.get(id) {
            return *number;
        }
        let number = self.lists.push(Arc::new(List { id: id.clone(), ..List::default() }));
        self.list_numbers.insert(id.clone(), number);
        number
    }

    /// The number of a VPC, which gets one if it has none.
    pub(super) fn vpc_number(&mut self, id: Option<&VpcId>) -> u32 {
        let Some(id) = id else { return NO_VPC };
        if let Some(number) = self.vpc_numbers.get(id) {
            return *number;
        }
        let number = self.vpcs.push(Some(id.clone()));
        self.vpc_numbers.insert(id.clone(), number);
        number
    }

    /// A group to change.
    pub(super) fn group_mut(&mut self, number: u32) -> Option<&mut Group> {
        self.groups.get_mut(number).map(Arc::make_mut)
    }

    /// A list to change.
    pub(super) fn list_mut(&mut self, number: u32) -> Option<&mut List> {
        self.lists.get_mut(number).map(Arc::make_mut)
    }

    /// The bucket of a group in a VPC, which is made if there is none.
    pub(super) fn bucket(&mut self, group: u32, vpc: u32) -> Option<&mut Bucket> {
        let next = self.buckets;
        let slot = self.groups.get_mut(group).map(Arc::make_mut)?;
        let known = slot.buckets.iter().position(|bucket| bucket.vpc == vpc);
        let place = known.unwrap_or_else(|| {
            self.buckets += 1;
            slot.buckets.push(Bucket { vpc, number: next, carriers: OrdSet::new() });
            slot.buckets.len() - 1
        });
        slot.buckets.get_mut(place)
    }

    /// Puts a group in place of what was known of it.
    pub(super) fn load_group(&mut self, number: u32, loaded: Option<Arc<SecurityGroup>>) {
        let rules = || loaded.iter().flat_map(|group| &group.rules);
        let (mut groups, mut lists) = (Vec::new(), Vec::new());
        for rule in rules() {
            match &rule.peer {
                Peer::Group(reference) => groups.push(self.group_number(&reference.id)),
                Peer::PrefixList(id) => lists.push(self.list_number(id)),
                Peer::Any | Peer::Cidr(_) => {}
            }
        }
        let clash = rules().any(|rule| matches!(rule.peer, Peer::Cidr(block) if clashes(block)));
        if let Some(home) = loaded.as_ref().and_then(|group| group.vpc()) {
            // So that the first member at home is no news to policies.
            let home = self.vpc_number(Some(home));
            self.bucket(number, home);
        }
        if let Some(group) = self.group_mut(number) {
            group.refers_to = sorted(groups).into();
            group.lists = sorted(lists).into();
            group.clashes = clash;
            group.loaded = loaded;
        }
    }

    /// Whether a group may have members that no interface is.
    pub(super) fn may_have_others(&self, group: &Group) -> bool {
        !self.around.members_complete
            || self.open_everywhere > 0
            || group.open > 0
            || (group.loaded.is_none() && !group.is_carried())
    }

    /// What decisions read of an interface, from the rest of it.
    pub(super) fn refresh(&mut self, number: u32) {
        let Some(Some(host)) = self.hosts.get(number) else { return };
        let host = Arc::clone(host);
        let interface = &host.interface;
        let own = |family| {
            let Some(address) = interface.local_address(family) else { return false };
            let mut holders = self.addresses.holders(address).peekable();
            // At a public card it is not the address that makes it a member.
            interface.nic != Some(NicType::Internet) && holders.peek().is_some() && holders.all(|held| held == number)
        };
        let (own_v4, own_v6) = (own(Family::V4), own(Family::V6));
        let Some(record) = self.records.get_mut(number) else { return };
        let number_of = |family| interface.local_address(family).map(crate::net::address_number);
        record.v4 = low(number_of(Family::V4).unwrap_or_default());
        record.v6 = number_of(Family::V6).unwrap_or_default();
        record.buckets = [NO_BUCKET; BUCKETS];
        for (place, bucket) in record.buckets.iter_mut().zip(&host.buckets) {
            *place = *bucket;
        }
        record.count = u8::try_from(host.buckets.len()).unwrap_or(u8::MAX);
        record.flags.set(Flags::LIVE, true);
        record.flags.set(Flags::HAS_V4, number_of(Family::V4).is_some());
        record.flags.set(Flags::HAS_V6, number_of(Family::V6).is_some());
        record.flags.set(Flags::OWN_V4, own_v4);
        record.flags.set(Flags::OWN_V6, own_v6);
        record.flags.set(Flags::PUBLIC, interface.nic == Some(NicType::Internet));
    }

    /// The number of interfaces, with numbers that are free.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (u32, &Arc<Host>)> {
        self.hosts.iter().filter_map(|(number, host)| Some((number, host.as_ref()?)))
    }
}

/// Sorted, without repetition.
pub(super) fn sorted(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

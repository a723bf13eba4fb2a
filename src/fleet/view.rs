//! Views: inventories that hold what the policies of some interfaces depend on, with symbols or with
//! the addresses themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::state::{Class, Group, State, UNDECIDED};
use super::symbol::{Symbol, clashes};
use crate::engine::{LowerError, Scope};
use crate::model::view::View;
use crate::model::{ByVpc, Carried, Interface, Inventory, InventoryError};
use crate::net::{AddressSet, Cidr, Direction};
use crate::policy::Policy;

/// Which groups and prefix lists a view holds; sorted.
#[derive(Debug, Default)]
pub(super) struct Extract {
    groups: BTreeSet<u32>,
    lists: BTreeSet<u32>,
}

impl Extract {
    /// What the policies of a class depend on.
    pub(super) fn add_class(&mut self, class: &Class) {
        self.groups.extend(class.attached.iter().chain(&class.refers_to));
        self.lists.extend(&class.lists);
    }

    /// What the policies of an interface depend on.
    pub(super) fn add_interface(&mut self, state: &State, interface: &Interface) {
        for id in interface.groups.iter().flatten() {
            let Some(number) = state.group_numbers.get(id) else { continue };
            self.groups.insert(*number);
            if let Some(group) = state.groups.get(*number) {
                self.groups.extend(group.refers_to.iter());
                self.lists.extend(group.lists.iter());
            }
        }
    }

    /// Whether a rule of these groups names addresses that could be taken for symbols.
    fn clashes(&self, state: &State) -> bool {
        self.groups.iter().filter_map(|number| state.groups.get(*number)).any(|group| group.clashes)
    }
}

impl State {
    /// A view in which symbols stand for members and entries.
    pub(super) fn symbolic_view(&self, extract: &Extract) -> Inventory {
        let mut view = self.frame(extract);
        let mut implied = Carried::default();
        for number in &extract.lists {
            if let Some(list) = self.lists.get(*number).filter(|list| list.loaded.is_some()) {
                view.entries.insert(list.id.clone(), Symbol::List(*number).set());
            }
        }
        for group in extract.groups.iter().filter_map(|number| self.groups.get(*number)) {
            if let Some(members) = self.by_vpc(group, |bucket| Symbol::Reference(bucket).set()) {
                view.carried.members.insert(group.id.clone(), members);
            }
            if let Some(members) = self.by_vpc(group, |bucket| Symbol::Members(bucket).set()) {
                implied.members.insert(group.id.clone(), members);
            }
        }
        if let Some(undecided) = self.groups.get(UNDECIDED) {
            let by_vpc = |symbol: fn(u32) -> Symbol| self.by_vpc(undecided, |bucket| symbol(bucket).set());
            view.carried.undecided = by_vpc(Symbol::Reference).unwrap_or_default();
            implied.undecided = by_vpc(Symbol::Members).unwrap_or_default();
        }
        view.implied = Some(Box::new(implied));
        view.into()
    }

    /// A view with the addresses themselves, as a fresh inventory has them.
    pub(super) fn real_view(&self, extract: &Extract, interfaces: &[&Interface]) -> Inventory {
        let mut view = self.frame(extract);
        for list in extract.lists.iter().filter_map(|number| self.lists.get(*number)) {
            if list.loaded.is_some() {
                view.entries.insert(list.id.clone(), Arc::clone(&list.addresses));
            }
        }
        for group in extract.groups.iter().filter_map(|number| self.groups.get(*number)) {
            let members = self.members(group);
            if !members.is_empty() {
                view.carried.members.insert(group.id.clone(), members);
            }
        }
        if let Some(undecided) = self.groups.get(UNDECIDED) {
            view.carried.undecided = self.members(undecided);
        }
        for interface in interfaces {
            view.interfaces.insert(interface.id.clone(), Interface::clone(interface));
        }
        view.into()
    }

    /// What views of both sorts have.
    fn frame(&self, extract: &Extract) -> View {
        let mut view = View { around: self.around.clone(), open_groups: Some(BTreeSet::new()), ..View::default() };
        for list in extract.lists.iter().filter_map(|number| self.lists.get(*number)) {
            if let Some(loaded) = &list.loaded {
                view.prefix_lists.insert(list.id.clone(), Arc::clone(loaded));
            }
        }
        for group in extract.groups.iter().filter_map(|number| self.groups.get(*number)) {
            if let Some(loaded) = &group.loaded {
                view.groups.insert(group.id.clone(), Arc::clone(loaded));
            }
            if group.open > 0
                && let Some(open) = &mut view.open_groups
            {
                open.insert(group.id.clone());
            }
        }
        if self.open_everywhere > 0 {
            view.open_groups = None;
        }
        view
    }

    /// A set for each bucket of a group that policies know of: the one at home, whether it has members
    /// or not, and those with members.
    fn by_vpc(&self, group: &Group, set: impl Fn(u32) -> Arc<AddressSet>) -> Option<ByVpc> {
        let home = group.home();
        let mut members = ByVpc::new();
        for bucket in &group.buckets {
            let vpc = self.vpcs.get(bucket.vpc)?;
            if !bucket.carriers.is_empty() || (home.is_some() && vpc.as_ref() == home) {
                members.insert(vpc.clone(), set(bucket.number));
            }
        }
        (!members.is_empty()).then_some(members)
    }

    /// The addresses of the members of a group.
    fn members(&self, group: &Group) -> ByVpc {
        let with_members = group.buckets.iter().filter(|bucket| !bucket.carriers.is_empty());
        let sets = with_members.filter_map(|bucket| {
            let hosts = bucket.carriers.iter().filter_map(|host| self.hosts.get(*host)?.as_ref());
            let blocks: AddressSet =
                hosts.flat_map(|host| host.interface.member_blocks()).collect::<Vec<Cidr>>().into_iter().collect();
            Some((self.vpcs.get(bucket.vpc)?.clone(), Arc::new(blocks)))
        });
        sets.collect()
    }

    /// The policy of an interface, as from a fresh inventory.
    pub(super) fn real_policy(
        &self,
        interface: &Interface,
        direction: Direction,
        scoped: impl FnOnce(Scope<'_>) -> Result<Policy, LowerError>,
    ) -> Result<Policy, LowerError> {
        let mut extract = Extract::default();
        extract.add_interface(self, interface);
        let view = self.real_view(&extract, &[interface]);
        scoped(Scope::new(&view, interface, direction))
    }

    /// The policy of an interface with symbols; `None` if addresses that someone names could be taken
    /// for symbols.
    pub(super) fn symbolic_policy(
        &self,
        interface: &Interface,
        far: Option<&Interface>,
        direction: Direction,
        scoped: impl FnOnce(Scope<'_>) -> Result<Policy, LowerError>,
    ) -> Option<Result<Policy, LowerError>> {
        let mut extract = Extract::default();
        extract.add_interface(self, interface);
        if extract.clashes(self) || far.is_some_and(|far| far.member_blocks().any(clashes)) {
            return None;
        }
        let view = self.symbolic_view(&extract);
        Some(scoped(Scope::new(&view, interface, direction)))
    }

    /// Everything as an inventory.
    pub(super) fn inventory(&self) -> Result<Inventory, InventoryError> {
        let mut builder = self.around.builder();
        for instance in self.instances.iter() {
            builder = builder.instance(instance.clone());
        }
        for (_, group) in self.groups.iter() {
            if let Some(loaded) = &group.loaded {
                builder = builder.group(loaded.as_ref().clone());
            }
        }
        for (_, list) in self.lists.iter() {
            if let Some(loaded) = &list.loaded {
                builder = builder.prefix_list(loaded.as_ref().clone());
            }
        }
        let hosts: BTreeMap<_, _> = self.hosts().map(|(_, host)| (&host.interface.id, host)).collect();
        for host in hosts.into_values() {
            builder = builder.interface(host.interface.clone());
        }
        builder.build()
    }
}

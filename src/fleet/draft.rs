//! The next version of a fleet in the making: edits, and what each of them touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compiled::Compiled;
use super::edit::{Edit, EditError};
use super::lower::Lowering;
use super::state::{Class, ClassKey, Flags, Host, NO_VPC, Record, State, UNDECIDED, policy_number, sorted};
use crate::engine::LowerError;
use crate::model::view::Parts;
use crate::model::{GroupId, Interface, InterfaceId, InventoryError, PrefixList, PrefixListId, Rule, SecurityGroup};
use crate::net::{Cidr, Direction};

/// A version in the making.
#[derive(Debug)]
pub(super) struct Draft {
    state: State,
    /// Classes that have to be lowered, again or for the first time.
    stale: BTreeSet<u32>,
    /// Classes that lost an interface.
    left: BTreeSet<u32>,
    /// Groups whose members changed, with what policies knew of them before.
    before: BTreeMap<u32, Outline>,
    everywhere_before: bool,
}

/// What policies know of the members of a group: which VPCs have some, and whether there may be
/// others.
#[derive(Debug, PartialEq, Eq)]
struct Outline {
    vpcs: Vec<u32>,
    carried: bool,
    open: bool,
}

impl Draft {
    pub(super) fn of(state: State) -> Self {
        let everywhere_before = state.open_everywhere > 0;
        Self { state, stale: BTreeSet::new(), left: BTreeSet::new(), before: BTreeMap::new(), everywhere_before }
    }

    /// Loads everything into a fleet of nothing.
    pub(super) fn load(&mut self, parts: Parts) {
        for (id, group) in parts.groups {
            let number = self.state.group_number(&id);
            self.state.load_group(number, Some(group));
        }
        for (id, list) in parts.prefix_lists {
            let number = self.state.list_number(&id);
            self.load_list(number, Some(list));
        }
        for interface in parts.interfaces.into_values() {
            self.insert_interface(interface);
        }
    }

    /// Applies an edit, except to the policies.
    pub(super) fn apply(&mut self, edit: Edit) -> Result<(), EditError> {
        match edit {
            Edit::AddInterface(interface) => self.add_interface(interface),
            Edit::RemoveInterface(id) => {
                let (number, _) = self.host(&id)?;
                self.detach(number);
                self.remove_host(number, &id);
                Ok(())
            }
            Edit::SetGroups { interface, groups } => self.change(&interface, |interface| {
                interface.groups = groups;
                Ok(())
            }),
            Edit::AddAddress { interface, address } => self.change(&interface, |interface| {
                interface.addresses.push(address);
                Ok(())
            }),
            Edit::RemoveAddress { interface, address } => self.change(&interface, |interface| {
                let place = interface.addresses.iter().position(|known| *known == address);
                let missing = || EditError::NoAddress { interface: interface.id.clone(), address };
                let place = place.ok_or_else(missing)?;
                interface.addresses.remove(place);
                Ok(())
            }),
            Edit::AddRule { group, rule } => self.change_rules(&group, |_, rules| {
                rules.push(rule);
                Ok(())
            }),
            Edit::RemoveRule { group, index } => self.change_rules(&group, |group, rules| {
                if index >= rules.len() {
                    return Err(EditError::NoRule { group: group.clone(), index });
                }
                rules.remove(index);
                Ok(())
            }),
            Edit::ReplaceRule { group, index, rule } => self.change_rules(&group, |group, rules| {
                let place = rules.get_mut(index).ok_or_else(|| EditError::NoRule { group: group.clone(), index })?;
                *place = rule;
                Ok(())
            }),
            Edit::SetGroup(group) => {
                let number = self.state.group_number(&group.id);
                self.set_group(number, Some(Arc::new(group)));
                Ok(())
            }
            Edit::RemoveGroup(id) => {
                let (number, _) = self.loaded_group(&id)?;
                self.set_group(number, None);
                Ok(())
            }
            Edit::SetPrefixList(list) => self.set_prefix_list(list),
            Edit::RemovePrefixList(id) => self.remove_prefix_list(id),
        }
    }

    /// Lowers what has to be, and hands out the version.
    pub(super) fn finish(mut self) -> Result<State, LowerError> {
        self.find_stale();
        for class in std::mem::take(&mut self.left) {
            self.remove_class_if_empty(class);
        }
        let mut state = self.state;
        let classes: Vec<u32> =
            self.stale.into_iter().filter(|class| state.classes.get(*class).is_some_and(Option::is_some)).collect();
        for class in &classes {
            state.find_dependencies(*class);
        }
        for (class, compiled) in Lowering::of(&state, &classes).run()? {
            for (direction, policy) in Direction::ALL.into_iter().zip(compiled) {
                state.policies.set(policy_number(class, direction), policy);
            }
        }
        Ok(state)
    }

    fn host(&self, id: &InterfaceId) -> Result<(u32, Arc<Host>), EditError> {
        let host = self.state.host(id.as_str()).map(|(number, host)| (number, Arc::clone(host)));
        host.ok_or_else(|| EditError::NoInterface(id.clone()))
    }

    fn loaded_group(&self, id: &GroupId) -> Result<(u32, Arc<SecurityGroup>), EditError> {
        let number = self.state.group_numbers.get(id).copied();
        let loaded = number.and_then(|number| Some((number, self.state.groups.get(number)?.loaded.clone()?)));
        loaded.ok_or_else(|| EditError::NoGroup(id.clone()))
    }

    fn add_interface(&mut self, interface: Interface) -> Result<(), EditError> {
        if self.state.host_numbers.contains_key(&interface.id) {
            return Err(InventoryError::Duplicate { kind: "interface", id: interface.id.to_string() }.into());
        }
        if let Some(instance) = interface.instance.as_ref().filter(|_| interface.primary)
            && let Some(first) = self.state.primaries.get(instance)
        {
            let (instance, first, second) = (instance.clone(), first.clone(), interface.id);
            return Err(InventoryError::TwoPrimaries { instance, first, second }.into());
        }
        self.insert_interface(interface);
        Ok(())
    }

    /// Adds an interface that is new.
    fn insert_interface(&mut self, interface: Interface) {
        let state = &mut self.state;
        if let Some(instance) = interface.instance.as_ref().filter(|_| interface.primary) {
            state.primaries.insert(instance.clone(), interface.id.clone());
        }
        let number = state.free_hosts.pop_back().unwrap_or_else(|| {
            state.hosts.push(None);
            state.records.push(Record::default())
        });
        state.host_numbers.insert(interface.id.clone(), number);
        self.attach(number, interface);
    }

    fn remove_host(&mut self, number: u32, id: &InterfaceId) {
        let state = &mut self.state;
        if let Some(Some(host)) = state.hosts.get(number)
            && let Some(instance) = host.interface.instance.as_ref().filter(|_| host.interface.primary)
        {
            state.primaries.remove(instance);
        }
        state.hosts.set(number, None);
        state.host_numbers.remove(id);
        state.free_hosts.push_back(number);
        if let Some(record) = state.records.get_mut(number) {
            // Keys to the interface mean no other one that gets its number.
            record.generation = record.generation.wrapping_add(1);
            record.flags = Flags::default();
        }
    }

    fn change(
        &mut self,
        id: &InterfaceId,
        change: impl FnOnce(&mut Interface) -> Result<(), EditError>,
    ) -> Result<(), EditError> {
        let (number, host) = self.host(id)?;
        let mut interface = host.interface.clone();
        change(&mut interface)?;
        self.detach(number);
        self.attach(number, interface);
        Ok(())
    }

    /// Takes an interface out of its groups, of the addresses and of its class.
    fn detach(&mut self, number: u32) {
        let Some(Some(host)) = self.state.hosts.get(number) else { return };
        let host = Arc::clone(host);
        let vpc = self.state.records.get(number).map_or(NO_VPC, |record| record.vpc);
        for group in self.groups_of(&host.interface) {
            self.remember(group);
            if let Some(bucket) = self.state.bucket(group, vpc) {
                bucket.carriers.remove(&number);
            }
        }
        self.count_open(&host.interface, |count| *count = count.saturating_sub(1));
        let class = self.state.records.get(number).map(|record| record.class);
        if let Some(class) = class
            && let Some(Some(slot)) = self.state.classes.get_mut(class)
        {
            Arc::make_mut(slot).interfaces -= 1;
            self.left.insert(class);
        }
        let blocks = blocks_of(&host.interface);
        for block in &blocks {
            self.state.addresses.remove(*block, number);
        }
        self.refresh_around(&blocks, number);
    }

    /// Puts an interface into its groups, the addresses and its class.
    fn attach(&mut self, number: u32, interface: Interface) {
        let vpc = self.state.vpc_number(interface.vpc.as_ref());
        let mut buckets = Vec::new();
        for group in self.groups_of(&interface) {
            self.remember(group);
            if let Some(bucket) = self.state.bucket(group, vpc) {
                bucket.carriers.insert(number);
                buckets.push(bucket.number);
            }
        }
        self.count_open(&interface, |count| *count += 1);
        let class = self.class_of(&interface);
        if let Some(record) = self.state.records.get_mut(number) {
            (record.class, record.vpc) = (class, vpc);
        }
        let blocks = blocks_of(&interface);
        for block in &blocks {
            self.state.addresses.add(*block, number);
        }
        self.state.hosts.set(number, Some(Arc::new(Host { interface, buckets })));
        self.state.refresh(number);
        self.refresh_around(&blocks, number);
    }

    /// The groups that an interface is a member of, each once.
    fn groups_of(&mut self, interface: &Interface) -> Vec<u32> {
        match &interface.groups {
            Some(groups) => sorted(groups.iter().map(|id| self.state.group_number(id)).collect()),
            None => vec![UNDECIDED],
        }
    }

    /// Counts an interface that may have more addresses.
    fn count_open(&mut self, interface: &Interface, count: impl Fn(&mut u32)) {
        if !interface.addresses_unknown {
            return;
        }
        if interface.groups.is_none() {
            count(&mut self.state.open_everywhere);
            return;
        }
        for group in self.groups_of(interface) {
            if let Some(group) = self.state.group_mut(group) {
                count(&mut group.open);
            }
        }
    }

    /// Looks again at those who share an address with an interface, if that may change for them whether
    /// they are alone there.
    ///
    /// Where two others hold the same, it does not, whoever comes or goes; where one other does, it may
    /// for that one only.
    fn refresh_around(&mut self, blocks: &[Cidr], number: u32) {
        let addresses = &self.state.addresses;
        let mut affected = Vec::new();
        for block in blocks {
            let is_host = block.prefix() == block.family().bits();
            let others: Vec<u32> = if is_host {
                first_two(addresses.holders(block.first()), number)
            } else {
                first_two(addresses.holding(*block).iter().copied(), number)
            };
            match others[..] {
                [] if !is_host => affected.extend(addresses.within(*block)),
                [other] => affected.push(other),
                _ => {}
            }
        }
        for other in sorted(affected).into_iter().filter(|other| *other != number) {
            self.state.refresh(other);
        }
    }

    /// The class of an interface, with the interface counted in.
    fn class_of(&mut self, interface: &Interface) -> u32 {
        let key = ClassKey {
            groups: interface.groups.clone(),
            vpc: interface.vpc.clone(),
            subnet: interface.subnet.clone(),
            nic: interface.nic,
        };
        let state = &mut self.state;
        if let Some(number) = state.class_numbers.get(&key) {
            if let Some(Some(class)) = state.classes.get_mut(*number) {
                Arc::make_mut(class).interfaces += 1;
            }
            return *number;
        }
        let number = state.free_classes.pop_back().unwrap_or_else(|| {
            for _ in Direction::ALL {
                state.policies.push(Compiled::default());
            }
            state.classes.push(None)
        });
        let key = Arc::new(key);
        state.class_numbers.insert(Arc::clone(&key), number);
        let class = Class {
            key,
            example: interface.id.clone(),
            interfaces: 1,
            attached: Vec::new(),
            refers_to: Vec::new(),
            lists: Vec::new(),
        };
        state.classes.set(number, Some(Arc::new(class)));
        self.stale.insert(number);
        number
    }

    fn remove_class_if_empty(&mut self, number: u32) {
        let Some(Some(class)) = self.state.classes.get(number) else { return };
        if class.interfaces > 0 {
            return;
        }
        let class = Arc::clone(class);
        self.state.depend(number, &class, false);
        self.state.class_numbers.remove(&class.key);
        self.state.classes.set(number, None);
        self.state.free_classes.push_back(number);
        for direction in Direction::ALL {
            self.state.policies.set(policy_number(number, direction), Compiled::default());
        }
    }

    fn change_rules(
        &mut self,
        id: &GroupId,
        change: impl FnOnce(&GroupId, &mut Vec<Rule>) -> Result<(), EditError>,
    ) -> Result<(), EditError> {
        let (number, mut group) = self.loaded_group(id)?;
        change(id, &mut Arc::make_mut(&mut group).rules)?;
        self.set_group(number, Some(group));
        Ok(())
    }

    fn set_group(&mut self, number: u32, loaded: Option<Arc<SecurityGroup>>) {
        self.remember(number);
        let before = self.state.groups.get(number).map(|group| (group.home().cloned(), group.loaded.is_some()));
        self.state.load_group(number, loaded);
        let Some(group) = self.state.groups.get(number) else { return };
        self.stale.extend(group.carried_by.iter());
        // Who refers to it asks only whether it was loaded, and where it is at home.
        if before != Some((group.home().cloned(), group.loaded.is_some())) {
            self.stale.extend(group.referred_by.iter());
        }
    }

    fn set_prefix_list(&mut self, list: PrefixList) -> Result<(), EditError> {
        if let Some(family) = list.family
            && let Some(entry) = list.entries.iter().find(|entry| entry.family() != family)
        {
            return Err(InventoryError::EntryFamily { list: list.id, family, entry: *entry }.into());
        }
        let number = self.state.list_number(&list.id);
        self.load_list(number, Some(Arc::new(list)));
        Ok(())
    }

    fn remove_prefix_list(&mut self, id: PrefixListId) -> Result<(), EditError> {
        let number = self.state.list_numbers.get(&id).copied();
        let number = number.filter(|number| self.state.lists.get(*number).is_some_and(|list| list.loaded.is_some()));
        self.load_list(number.ok_or(EditError::NoPrefixList(id))?, None);
        Ok(())
    }

    fn load_list(&mut self, number: u32, loaded: Option<Arc<PrefixList>>) {
        let complete = |list: &Option<Arc<PrefixList>>| list.as_ref().is_some_and(|list| list.complete);
        let Some(list) = self.state.list_mut(number) else { return };
        // Of a list that is complete policies know that it is; of any other its entries tell the family.
        if !complete(&list.loaded) || !complete(&loaded) {
            self.stale.extend(list.listed_by.iter());
        }
        list.addresses = Arc::new(loaded.iter().flat_map(|list| list.entries.iter().copied()).collect());
        list.loaded = loaded;
    }

    /// What policies know of a group now, unless that is known from before.
    fn remember(&mut self, number: u32) {
        if !self.before.contains_key(&number)
            && let Some(outline) = self.outline(number)
        {
            self.before.insert(number, outline);
        }
    }

    fn outline(&self, number: u32) -> Option<Outline> {
        let group = self.state.groups.get(number)?;
        let home = group.home();
        let at_home = |vpc: u32| home.is_some() && self.state.vpcs.get(vpc).is_some_and(|vpc| vpc.as_ref() == home);
        let buckets = group.buckets.iter();
        let mut vpcs: Vec<u32> = buckets
            .filter(|bucket| !bucket.carriers.is_empty() && !at_home(bucket.vpc))
            .map(|bucket| bucket.vpc)
            .collect();
        vpcs.sort_unstable();
        // Of a group that was loaded it does not matter.
        let carried = group.loaded.is_some() || group.is_carried();
        Some(Outline { vpcs, carried, open: group.open > 0 })
    }

    /// Finds the classes that know something of members that is no longer so.
    fn find_stale(&mut self) {
        let mut all = self.everywhere_before != (self.state.open_everywhere > 0);
        for (number, before) in std::mem::take(&mut self.before) {
            if self.outline(number).is_none_or(|now| now == before) {
                continue;
            }
            all |= number == UNDECIDED;
            if let Some(group) = self.state.groups.get(number) {
                self.stale.extend(group.carried_by.iter().chain(group.referred_by.iter()));
            }
        }
        if all {
            self.stale.extend(0..self.state.classes.len());
        }
    }
}

impl State {
    /// Finds what the policies of a class depend on.
    fn find_dependencies(&mut self, number: u32) {
        let Some(Some(class)) = self.classes.get(number) else { return };
        let old = Arc::clone(class);
        let attached = old.key.groups.iter().flatten().map(|id| self.group_number(id)).collect::<Vec<_>>();
        let groups = || attached.iter().filter_map(|group| self.groups.get(*group));
        let refers_to = sorted(groups().flat_map(|group| group.refers_to.iter().copied()).collect());
        let lists = sorted(groups().flat_map(|group| group.lists.iter().copied()).collect());
        let new = Class { attached: sorted(attached), refers_to, lists, ..Class::clone(&old) };
        if (&new.attached, &new.refers_to, &new.lists) != (&old.attached, &old.refers_to, &old.lists) {
            self.depend(number, &old, false);
            self.depend(number, &new, true);
            self.classes.set(number, Some(Arc::new(new)));
        }
    }

    /// Notes with groups and lists that a class depends on them, or no longer does.
    fn depend(&mut self, number: u32, class: &Class, depends: bool) {
        for group in &class.attached {
            if let Some(group) = self.group_mut(*group) {
                note(&mut group.carried_by, number, depends);
            }
        }
        for group in &class.refers_to {
            if let Some(group) = self.group_mut(*group) {
                note(&mut group.referred_by, number, depends);
            }
        }
        for list in &class.lists {
            if let Some(list) = self.list_mut(*list) {
                note(&mut list.listed_by, number, depends);
            }
        }
    }
}

/// Two different ones of these numbers that are not `number`, or one, or none.
fn first_two(numbers: impl Iterator<Item = u32>, number: u32) -> Vec<u32> {
    let mut others = numbers.filter(|other| *other != number);
    let first = others.next();
    let second = first.and_then(|first| others.find(|other| *other != first));
    first.into_iter().chain(second).collect()
}

/// Puts a number into a sorted list, or takes it out.
fn note(numbers: &mut Arc<Vec<u32>>, number: u32, present: bool) {
    match (numbers.binary_search(&number), present) {
        (Err(place), true) => Arc::make_mut(numbers).insert(place, number),
        (Ok(place), false) => {
            Arc::make_mut(numbers).remove(place);
        }
        _ => {}
    }
}

/// What makes an interface a member of its groups, each block once.
fn blocks_of(interface: &Interface) -> Vec<Cidr> {
    let mut blocks: Vec<Cidr> = interface.member_blocks().collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks
}

//! The policies of a class of interfaces in one direction, as tables over the fleet's addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::ReachError;
use super::addresses::{Addresses, number, own_addresses};
use super::far::{Joins, References, Sight};
use super::table::{Row, Rows, Runs, Table};
use crate::analysis::classes::InterfaceClass;
use crate::engine::{PolicyEngine, Scope};
use crate::model::{Interface, InterfaceId, Inventory, NicType};
use crate::net::{Cidr, Direction, Family};
use crate::policy::Policy;
use crate::set::SetError;
use crate::set::grid::{Budget, Parts};

/// What a class of interfaces decides in one direction.
#[derive(Debug)]
pub(super) struct End {
    /// For interfaces that are known by their addresses.
    plain: Table,
    /// For interfaces in other VPCs, as they appear.
    others: Vec<Table>,
    by_appearance: HashMap<u32, usize, foldhash::fast::RandomState>,
    /// The kinds of own addresses, by place; empty if they are all of kind 0.
    locals: HashMap<u32, u32, foldhash::fast::RandomState>,
}

impl End {
    /// The kind of an own address.
    pub(super) fn local(&self, place: u32) -> u32 {
        self.locals.get(&place).copied().unwrap_or_default()
    }

    /// The row at an own address of this kind towards a place of an interface that appears so.
    pub(super) fn row(&self, local: u32, appearance: u32, place: u32) -> Option<Row> {
        let other = self.by_appearance.get(&appearance).and_then(|other| self.others.get(*other));
        other.unwrap_or(&self.plain).row(local, place)
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        std::iter::once(&self.plain).chain(&self.others)
    }
}

/// What interfaces look like to references in other VPCs, at most.
#[derive(Debug)]
pub(super) struct Appearances<'i> {
    /// By number: one interface that looks so, and the addresses of all.
    all: Vec<(&'i Interface, Vec<IpAddr>)>,
    pub(super) of: BTreeMap<&'i InterfaceId, u32>,
}

impl<'i> Appearances<'i> {
    fn new(classes: &[InterfaceClass<'i>]) -> Self {
        let mut known: BTreeMap<(usize, bool, Option<&InterfaceId>), u32> = BTreeMap::new();
        let (mut all, mut of) = (Vec::new(), BTreeMap::new());
        for (class, members) in classes.iter().enumerate() {
            for interface in members.members() {
                // A public card has other addresses than groups know it by.
                let alone = (interface.nic == Some(NicType::Internet)).then_some(&interface.id);
                let next = number(all.len());
                let appearance = *known.entry((class, interface.addresses_unknown, alone)).or_insert(next);
                if appearance == next {
                    all.push((*interface, Vec::new()));
                }
                let slot = usize::try_from(appearance).ok().and_then(|appearance| all.get_mut(appearance));
                if let Some((_, addresses)) = slot {
                    addresses.extend(own_addresses(interface));
                }
                of.insert(&interface.id, appearance);
            }
        }
        Self { all, of }
    }
}

/// What all ends share.
#[derive(Debug)]
pub(super) struct Fleet<'i> {
    engine: &'i dyn PolicyEngine,
    inventory: &'i Inventory,
    pub(super) addresses: Addresses,
    pub(super) rows: Rows,
    pub(super) joins: Joins<'i>,
    pub(super) appearances: Appearances<'i>,
}

/// A policy towards interfaces in other VPCs that look the same.
struct Towards {
    policy: Policy,
    appearances: Vec<u32>,
    addresses: Addresses,
}

impl<'i> Fleet<'i> {
    pub(super) fn new(engine: &'i dyn PolicyEngine, inventory: &'i Inventory, classes: &[InterfaceClass<'i>]) -> Self {
        let addresses = inventory.interfaces().flat_map(own_addresses).copied();
        Self {
            engine,
            inventory,
            addresses: Addresses::new(addresses),
            rows: Rows::default(),
            joins: Joins::new(inventory),
            appearances: Appearances::new(classes),
        }
    }

    /// Lowers the policies of a class in a direction, and makes tables of them.
    pub(super) fn end(
        &mut self,
        class: &InterfaceClass<'i>,
        direction: Direction,
        budget: &mut Budget,
    ) -> Result<End, ReachError> {
        let scope = Scope::new(self.inventory, class.representative(), direction);
        let plain = self.engine.lower(&scope)?;
        let mut others = self.towards_others(&scope)?;
        let parts = Parts::new(&plain);
        let mut blocks = parts.locals();
        blocks.extend(others.iter().flat_map(|other| Parts::new(&other.policy).locals()));
        let (kinds, locals) = self.local_kinds(class, &blocks);
        let table = |parts: &Parts<'_>, addresses: &mut Addresses, rows: &mut Rows, budget: &mut Budget| {
            kinds
                .iter()
                .map(|local| Runs::new(parts, *local, addresses, rows, budget))
                .collect::<Result<Vec<Runs>, SetError>>()
        };
        let plain = Table { only: None, locals: table(&parts, &mut self.addresses, &mut self.rows, budget)? };
        let mut end = End { plain, others: Vec::new(), by_appearance: HashMap::default(), locals };
        for other in &mut others {
            let only = other.addresses.iter().filter_map(|address| self.addresses.place(address)).collect();
            let parts = Parts::new(&other.policy);
            let locals = table(&parts, &mut other.addresses, &mut self.rows, budget)?;
            end.by_appearance.extend(other.appearances.iter().map(|appearance| (*appearance, end.others.len())));
            end.others.push(Table { only: Some(only), locals });
        }
        Ok(end)
    }

    /// The policy towards interfaces in other VPCs that are joined, once for all that references see alike.
    fn towards_others(&self, scope: &Scope<'i>) -> Result<Vec<Towards>, ReachError> {
        let references = References::new(self.inventory, scope.interface, scope.direction);
        let mut sights: BTreeMap<Sight<'i>, Vec<u32>> = BTreeMap::new();
        for ((far, _), appearance) in self.appearances.all.iter().zip(0..) {
            if self.joins.joined(scope.interface.vpc.as_ref(), far.vpc.as_ref())
                && let Some(sight) = references.sight(far)
            {
                sights.entry(sight).or_default().push(appearance);
            }
        }
        let mut all = Vec::new();
        for appearances in sights.into_values() {
            let looks = || appearances.iter().filter_map(|appearance| self.appearances.all.get(place(*appearance)));
            let Some((example, _)) = looks().next() else { continue };
            let addresses: Vec<IpAddr> = looks().flat_map(|(_, addresses)| addresses).copied().collect();
            // One interface that stands for all of them has their addresses; a public card is by itself.
            let mut far = (*example).clone();
            if far.nic != Some(NicType::Internet) {
                far.addresses.clone_from(&addresses);
            }
            let policy = self.engine.lower(&scope.clone().towards(&far))?;
            all.push(Towards { policy, addresses: Addresses::new(addresses), appearances });
        }
        Ok(all)
    }

    /// Own addresses of a class by which of the blocks they are in: one for each kind, and the kind of each
    /// place. Without blocks there is one kind, of no address in particular.
    fn local_kinds(
        &self,
        class: &InterfaceClass<'i>,
        blocks: &[Cidr],
    ) -> (Vec<Option<IpAddr>>, HashMap<u32, u32, foldhash::fast::RandomState>) {
        let mut locals = HashMap::default();
        if blocks.is_empty() {
            return (vec![None], locals);
        }
        let mut known: BTreeMap<(Family, Vec<bool>), u32> = BTreeMap::new();
        let mut kinds = Vec::new();
        for address in class.members().iter().flat_map(|interface| own_addresses(interface)).copied() {
            let Some(place) = self.addresses.place(address) else { continue };
            let inside = blocks.iter().map(|block| block.contains(address)).collect();
            let next = number(kinds.len());
            let kind = *known.entry((Family::of(address), inside)).or_insert(next);
            if kind == next {
                kinds.push(Some(address));
            }
            locals.insert(place, kind);
        }
        (kinds, locals)
    }
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

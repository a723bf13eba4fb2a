//! The policies of a class of interfaces in one direction, as tables over the fleet's addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::ReachError;
use super::addresses::{Addresses, number};
use super::far::{Appearances, Others};
use super::table::{Row, Rows, Runs, Table};
use crate::analysis::classes::InterfaceClass;
use crate::engine::{PolicyEngine, Scope};
use crate::model::{Interface, Inventory};
use crate::net::{Cidr, Direction, Family};
use crate::policy::Policy;
use crate::set::grid::{Budget, Parts};

/// What a class of interfaces decides in one direction.
#[derive(Debug)]
pub(super) struct End {
    /// For interfaces that are known by their addresses.
    plain: Table,
    /// For interfaces in other VPCs.
    others: Vec<Table>,
    /// Those that are somebody to the policy, and the VPCs in which all others are nobody.
    somebody: HashMap<u32, usize, foldhash::fast::RandomState>,
    nobody: Vec<(usize, Vec<usize>)>,
    /// The kinds of own addresses, by place; empty if they are all of kind 0.
    locals: HashMap<u32, u32, foldhash::fast::RandomState>,
}

impl End {
    /// The kind of an own address.
    pub(super) fn local(&self, place: u32) -> u32 {
        self.locals.get(&place).copied().unwrap_or_default()
    }

    /// The rows at an own address of this kind towards interfaces in this VPC that appear so.
    pub(super) fn runs(&self, local: u32, vpc: usize, appearance: u32) -> Option<&Runs> {
        let nobody = || self.nobody.iter().find(|(_, vpcs)| vpcs.contains(&vpc)).map(|(table, _)| table);
        let table = if self.others.is_empty() {
            &self.plain
        } else {
            let other = self.somebody.get(&appearance).or_else(nobody);
            other.and_then(|other| self.others.get(*other)).unwrap_or(&self.plain)
        };
        table.get(usize::try_from(local).ok()?)
    }

    /// The row at an own address of this kind towards a place of an interface.
    pub(super) fn row(&self, local: u32, vpc: usize, appearance: u32, place: u32) -> Option<Row> {
        self.runs(local, vpc, appearance)?.at(place)
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        std::iter::once(&self.plain).chain(&self.others)
    }
}

/// What all ends share.
#[derive(Debug)]
pub(super) struct Fleet<'i> {
    engine: &'i dyn PolicyEngine,
    inventory: &'i Inventory,
    pub(super) addresses: Addresses,
    pub(super) rows: Rows,
    pub(super) appearances: Appearances<'i>,
}

impl<'i> Fleet<'i> {
    pub(super) fn new(engine: &'i dyn PolicyEngine, inventory: &'i Inventory, classes: &[InterfaceClass<'i>]) -> Self {
        Self {
            engine,
            inventory,
            addresses: Addresses::new(inventory.interfaces().flat_map(Interface::filtered_addresses).copied()),
            rows: Rows::default(),
            appearances: Appearances::new(inventory, classes),
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
        let Others { nobody, somebody } = self.appearances.others(&scope);
        let fars = somebody.iter().map(|seen| &seen.far).chain(nobody.iter().map(|(far, _)| far));
        let others: Vec<Policy> =
            fars.map(|far| self.engine.lower(&scope.clone().towards(far))).collect::<Result<_, _>>()?;
        let parts = Parts::new(&plain);
        let mut blocks = parts.locals();
        blocks.extend(others.iter().flat_map(|other| Parts::new(other).locals()));
        let (kinds, locals) = self.local_kinds(class, &blocks);
        let mut table = |parts: &Parts<'_>, again: bool| -> Result<Table, ReachError> {
            let (addresses, rows) = (&mut self.addresses, &mut self.rows);
            let runs = kinds.iter().map(|local| Runs::new(parts, (*local, again), addresses, rows, budget));
            Ok(runs.collect::<Result<Table, _>>()?)
        };
        let plain = table(&parts, true)?;
        let others = others.iter().map(|other| table(&Parts::new(other), false)).collect::<Result<Vec<_>, _>>()?;
        let nobody = (somebody.len()..).zip(nobody).map(|(table, (_, vpcs))| (table, vpcs)).collect();
        let seen = somebody.iter().enumerate();
        let seen = seen.flat_map(|(table, seen)| seen.appearances.iter().map(move |appearance| (*appearance, table)));
        Ok(End { plain, others, somebody: seen.collect(), nobody, locals })
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
        for address in class.members().iter().flat_map(|interface| interface.filtered_addresses()).copied() {
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

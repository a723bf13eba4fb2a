//! Who reaches whom: every pair of interfaces, in classes.
//!
//! Interfaces that no policy tells apart are one class: their own policies are equal, and every policy of
//! the fleet says the same about their addresses. So a fleet of ten thousand interfaces is a few hundred
//! or thousand classes, and what is true between two classes is true between any two interfaces of them.
//!
//! [`path`] is the definition: traffic between two addresses of two interfaces is allowed here if and only
//! if a path with a source port between these addresses is. What policies decide is computed for rows: for a
//! far address, every service and source port at once. Addresses that the same clauses name share a row.
//!
//! Not seen here: traffic of an interface to itself, delegated prefixes (a path to an address of one can be
//! asked for), routes, and addresses that the data does not have.

mod addresses;
mod columns;
mod direct;
mod ends;
mod far;
mod matrix;
mod reached;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

pub use matrix::{Link, Matrix, Outcome};
use reached::Fates;
pub use reached::Reached;

use super::classes::InterfaceClass;
use crate::engine::{LowerError, PathError, PathReport, PolicyEngine, Probe, path};
use crate::model::{Interface, InterfaceId, Inventory};
use crate::net::{Direction, Family};
use crate::set::grid::Budget;
use crate::set::{SetError, SetLimits};
use addresses::Addresses;
use columns::Columns;
use ends::{End, Fleet};
use far::{Appearances, Vpcs};
use matrix::Memory;
use table::Rows;

/// Why reachability cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReachError {
    /// There is no such interface.
    #[error("there is no interface `{0}`")]
    NoInterface(InterfaceId),
    /// A policy cannot be lowered.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// There is more to compute than the limits allow.
    #[error(transparent)]
    Set(#[from] SetError),
}

/// Interfaces that reach the same and are reached by the same.
#[derive(Debug, Clone)]
pub struct ReachClass<'i> {
    members: Vec<&'i Interface>,
    /// The place of the policies.
    policies: usize,
    vpc: usize,
    /// What others in another VPC can see of them, by number.
    appearance: u32,
    /// One address for all that are treated alike.
    spots: Vec<Spot>,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    /// Which others are treated like it, at the other end.
    column: u32,
    /// How the interface's own policies treat it.
    egress: u32,
    ingress: u32,
    /// The place of the address.
    place: u32,
}

impl<'i> ReachClass<'i> {
    /// All of them, in the order of their ids; never empty.
    pub fn members(&self) -> &[&'i Interface] {
        &self.members
    }

    /// The ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &'i InterfaceId> + '_ {
        self.members.iter().map(|interface| &interface.id)
    }
}

/// Who reaches whom in a fleet.
///
/// ```
/// use secgroup::analysis::Reach;
/// use secgroup::engine::AwsEngine;
/// use secgroup::model::{Interface, Inventory, Peer, Rule, SecurityGroup, Traffic};
/// use secgroup::net::{Cidr, Direction};
///
/// let anywhere: Cidr = "0.0.0.0/0".parse()?;
/// let web = SecurityGroup::aws("sg-web").with_rule(Rule::allow(Direction::Egress, Traffic::All, anywhere));
/// let db = SecurityGroup::aws("sg-db").with_rule(Rule::allow(
///     Direction::Ingress,
///     Traffic::tcp(5432),
///     Peer::group("sg-web"),
/// ));
/// let interface = |id: &str, group: &str, address: &str| -> Result<Interface, std::net::AddrParseError> {
///     Ok(Interface::new(id).with_groups([group]).with_address(address.parse()?))
/// };
/// let inventory = Inventory::builder()
///     .group(web)
///     .group(db)
///     .interface(interface("eni-1", "sg-web", "10.0.0.1")?)
///     .interface(interface("eni-2", "sg-web", "10.0.0.2")?)
///     .interface(interface("eni-3", "sg-db", "10.0.0.3")?)
///     .build()?;
/// let engine = AwsEngine::new();
/// let reach = Reach::new(&engine, &inventory)?;
/// assert_eq!(reach.classes().len(), 2);
/// assert_eq!(reach.between("eni-1", "eni-3")?.allowed.to_string(), "tcp/5432 over IPv4");
/// assert!(reach.between("eni-3", "eni-1")?.allowed.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reach<'i> {
    engine: &'i dyn PolicyEngine,
    inventory: &'i Inventory,
    classes: Vec<ReachClass<'i>>,
    class_of: BTreeMap<&'i str, usize>,
    addresses: Addresses,
    rows: Rows,
    /// Egress and ingress of each class of policies.
    ends: Vec<[End; 2]>,
    vpcs: Vpcs<'i>,
}

impl<'i> Reach<'i> {
    /// What [`Reach::new`] may spend: as many runs of addresses and intervals of rows as this.
    pub const LIMITS: SetLimits = SetLimits::of_cells(64_000_000);

    /// Lowers the policies of all interfaces, once for each class with the same, and finds out which
    /// interfaces they tell apart.
    ///
    /// Costs the lowering, and for each policy the runs of the fleet's addresses that its clauses name.
    /// For engines whose policies depend on what [`InterfaceClass`] says, and on the interface at the far
    /// end only by references of the attached groups' rules into other VPCs; those of this crate do.
    ///
    /// # Errors
    /// [`ReachError`] if a policy cannot be lowered or [`Reach::LIMITS`] do not suffice.
    pub fn new(engine: &'i dyn PolicyEngine, inventory: &'i Inventory) -> Result<Self, ReachError> {
        Self::within(engine, inventory, Self::LIMITS)
    }

    /// The same within these limits.
    ///
    /// # Errors
    /// As [`Reach::new`].
    pub fn within(
        engine: &'i dyn PolicyEngine,
        inventory: &'i Inventory,
        limits: SetLimits,
    ) -> Result<Self, ReachError> {
        let mut budget = Budget::new(limits);
        let policies = InterfaceClass::all(inventory);
        let mut fleet = Fleet::new(engine, inventory, &policies);
        let mut ends = Vec::with_capacity(policies.len());
        for class in &policies {
            ends.push([
                fleet.end(class, Direction::Egress, &mut budget)?,
                fleet.end(class, Direction::Ingress, &mut budget)?,
            ]);
        }
        let Fleet { mut addresses, mut rows, appearances, .. } = fleet;
        rows.done();
        addresses.done();
        let count = addresses.len();
        let (_, v4) = addresses.of(Family::V4);
        let mut columns = Columns::new(v4, count);
        for table in ends.iter().flatten().flat_map(End::tables) {
            columns.split(table, count);
        }
        let (classes, class_of) = classes(&policies, &appearances, &ends, &addresses, &columns);
        Ok(Self { engine, inventory, classes, class_of, addresses, rows, ends, vpcs: appearances.vpcs })
    }

    /// The classes of all interfaces, in the order of their first interface.
    pub fn classes(&self) -> &[ReachClass<'i>] {
        &self.classes
    }

    /// The class of an interface.
    ///
    /// # Errors
    /// [`ReachError::NoInterface`] if there is no such interface.
    pub fn class_of(&self, interface: &str) -> Result<&ReachClass<'i>, ReachError> {
        let class = self.class_of.get(interface).and_then(|class| self.classes.get(*class));
        class.ok_or_else(|| ReachError::NoInterface(interface.into()))
    }

    /// What becomes of all traffic from one interface to another, whether their VPCs are joined or not.
    ///
    /// # Errors
    /// [`ReachError`] if there is no such interface, or, where VPCs are not joined as far as is known, as
    /// for [`Reach::new`].
    pub fn between(&self, from: &str, to: &str) -> Result<Arc<Reached>, ReachError> {
        let interface = |id: &str| self.inventory.interface(id).ok_or_else(|| ReachError::NoInterface(id.into()));
        if from == to {
            interface(from)?;
            return Ok(Arc::new(Reached::itself()));
        }
        match self.judge(self.class_of(from)?, self.class_of(to)?, &mut Memory::default()) {
            Outcome::Judged(reached) => Ok(reached),
            Outcome::NoCommonFamily => Ok(Arc::new(Fates::default().reached(true))),
            Outcome::NotJoined => {
                let reached = direct::between(self.engine, self.inventory, interface(from)?, interface(to)?)?;
                Ok(Arc::new(reached))
            }
        }
    }

    /// Who reaches an interface: a link from each class, its own among them if that has others.
    ///
    /// # Errors
    /// [`ReachError::NoInterface`] if there is no such interface.
    pub fn to(&self, interface: &str) -> Result<Vec<Link<'_, 'i>>, ReachError> {
        self.links(interface, |own, other| (other, own))
    }

    /// What an interface reaches: a link to each class, its own among them if that has others.
    ///
    /// # Errors
    /// As [`Reach::to`].
    pub fn from(&self, interface: &str) -> Result<Vec<Link<'_, 'i>>, ReachError> {
        self.links(interface, |own, other| (own, other))
    }

    fn links(
        &self,
        interface: &str,
        ends: impl Fn(usize, usize) -> (usize, usize),
    ) -> Result<Vec<Link<'_, 'i>>, ReachError> {
        let own = self.class_of.get(interface).copied();
        let own = own.ok_or_else(|| ReachError::NoInterface(interface.into()))?;
        let mut memory = Memory::default();
        let links = (0..self.classes.len()).filter_map(|other| {
            let (from, to) = ends(own, other);
            self.link(from, to, &mut memory)
        });
        Ok(links.collect())
    }

    /// Every ordered pair of classes, and each class of several interfaces with itself, one after the
    /// other. Costs a logarithm a pair, and what traffic becomes once for each pair of rows.
    pub fn matrix(&self) -> Matrix<'_, 'i> {
        Matrix::new(self)
    }

    /// Why a packet passes or does not, at both ends, with the rules.
    ///
    /// # Errors
    /// [`PathError`] as [`path`].
    pub fn why(&self, from: &str, to: &str, probe: &Probe) -> Result<PathReport, PathError> {
        path(self.engine, self.inventory, from, to, probe)
    }
}

/// Interfaces by what is different of them: policies, what others see, and how addresses are treated.
fn classes<'i>(
    policies: &[InterfaceClass<'i>],
    appearances: &Appearances<'i>,
    ends: &[[End; 2]],
    addresses: &Addresses,
    columns: &Columns,
) -> (Vec<ReachClass<'i>>, BTreeMap<&'i str, usize>) {
    type Key = (usize, u32, Vec<(u32, u32, u32)>);
    let mut members: Vec<(&'i Interface, usize, &[End; 2])> = Vec::new();
    for ((place, class), ends) in policies.iter().enumerate().zip(ends) {
        members.extend(class.members().iter().map(|interface| (*interface, place, ends)));
    }
    members.sort_by_key(|(interface, ..)| &interface.id);
    let mut places: BTreeMap<Key, usize> = BTreeMap::new();
    let mut classes: Vec<ReachClass<'i>> = Vec::new();
    let mut class_of = BTreeMap::new();
    for (interface, policies, [egress, ingress]) in members {
        let spot = |address| {
            let place = addresses.place(address)?;
            let (egress, ingress) = (egress.local(place), ingress.local(place));
            Some(Spot { column: columns.of(place)?, egress, ingress, place })
        };
        let mut spots: Vec<Spot> = interface.filtered_addresses().iter().copied().filter_map(spot).collect();
        spots.sort_unstable();
        spots.dedup_by_key(|spot| (spot.column, spot.egress, spot.ingress));
        let appearance = appearances.of(&interface.id).unwrap_or_default();
        let alike = spots.iter().map(|spot| (spot.column, spot.egress, spot.ingress)).collect();
        let place = *places.entry((policies, appearance, alike)).or_insert(classes.len());
        if let Some(class) = classes.get_mut(place) {
            class.members.push(interface);
        } else {
            let vpc = appearances.vpc(appearance);
            classes.push(ReachClass { members: vec![interface], policies, vpc, appearance, spots });
        }
        class_of.insert(interface.id.as_str(), place);
    }
    (classes, class_of)
}

impl ReachClass<'_> {
    /// Whether there are two of them, so that one can reach another.
    fn has_pairs(&self) -> bool {
        self.members.len() > 1
    }
}

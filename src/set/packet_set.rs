//! Exact sets of packets.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use super::boxes::{self, PacketBox};
use super::count::{self, PacketCount};
use super::decided::at;
use super::layer::{self, Layer};
use super::limits::{Budget, SetError, SetLimits};
use super::plane::{Addresses, V4, V6, services_of};
use super::split::{Coordinate, Service};
use super::witness;
use crate::net::{AddressSet, Family, Flow, PortRange};
use crate::policy::{Selector, Space, service};

/// An exact set of packets of both families.
///
/// A packet has a protocol, a layer-4 selector (the destination port of TCP and UDP, the type and code
/// of ICMP over IPv4 and ICMPv6 over IPv6), a source port where it has ports, a remote and a local
/// address. Equal sets are equal values.
///
/// Sets can be cut into as many cells as the product of the cuts of each dimension, so what makes new
/// sets of two is bounded by [`SetLimits::DEFAULT`] and returns an error beyond it.
///
/// ```
/// use secgroup::net::{AddressSet, Cidr, PortRange};
/// use secgroup::policy::{Selector, Space};
/// use secgroup::set::PacketSet;
///
/// let inside = AddressSet::from("10.0.0.0/8".parse::<Cidr>()?);
/// let ssh = PacketSet::from(&Space::new(Selector::Tcp(PortRange::from(22).into()), inside.clone()));
/// let all = PacketSet::from(&Space::new(Selector::All, inside));
/// assert!(ssh.is_subset(&all)?);
/// let rest = all.difference(&ssh)?;
/// assert_eq!(rest.to_string(), "all protocols except tcp/22 remote 10.0.0.0/8");
/// assert_eq!(rest.union(&ssh)?, all);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PacketSet {
    pub(super) v4: Layer<u32, bool>,
    pub(super) v6: Layer<u128, bool>,
}

/// A set is not in the one form that stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{family}, {dimension}: {fault}")]
pub struct NotCanonical {
    /// The family.
    pub family: Family,
    /// The dimension.
    pub dimension: &'static str,
    /// What is wrong.
    pub fault: &'static str,
}

impl PacketSet {
    /// No packet.
    pub fn empty() -> Self {
        Self { v4: layer::everywhere(false), v6: layer::everywhere(false) }
    }

    /// Every packet.
    pub fn all() -> Self {
        Self { v4: layer::everywhere(true), v6: layer::everywhere(true) }
    }

    /// Every packet from and to these far addresses.
    pub fn with_remote(addresses: &AddressSet) -> Self {
        Self::from(&Space::new(Selector::All, addresses.clone()))
    }

    /// Every packet that has one of these near addresses.
    pub fn with_local(addresses: &AddressSet) -> Self {
        fn part<A: Addresses>(plane: &A, addresses: &AddressSet) -> Layer<A::Number, bool> {
            let all = [(A::Number::FIRST, A::Number::LAST)];
            layer::of_box(&[(Service::FIRST, Service::LAST)], &ALL_PORTS, &plane.remote(addresses), &all)
        }
        Self { v4: part(&V4, addresses), v6: part(&V6, addresses) }
    }

    /// A single packet; where the flow leaves source port or near address open, every packet that it can
    /// be.
    pub fn of_flow(flow: &Flow) -> Self {
        let protocol = flow.protocol().number();
        let first = Service(service::service(protocol, flow.selector()));
        let one = service::selector_mask(protocol, flow.family()) != 0;
        let last = if one { first } else { Service(first.0 | u32::from(u16::MAX)) };
        let source = flow.source_port().map_or(ALL_PORTS, |port| [(port, port)]);
        let mut set = Self::empty();
        match (flow.remote(), flow.local()) {
            (IpAddr::V4(remote), local) => {
                let local = match local {
                    Some(IpAddr::V4(local)) => (local.into(), local.into()),
                    _ => (u32::FIRST, <u32 as Coordinate>::LAST),
                };
                set.v4 = layer::of_box(&[(first, last)], &source, &[local], &[(remote.into(), remote.into())]);
            }
            (IpAddr::V6(remote), local) => {
                let local = match local {
                    Some(IpAddr::V6(local)) => (local.into(), local.into()),
                    _ => (u128::FIRST, <u128 as Coordinate>::LAST),
                };
                set.v6 = layer::of_box(&[(first, last)], &source, &[local], &[(remote.into(), remote.into())]);
            }
        }
        set
    }

    /// Whether no packet is in the set.
    pub fn is_empty(&self) -> bool {
        self.v4 == layer::everywhere(false) && self.v6 == layer::everywhere(false)
    }

    /// Whether the flow is in the set; `None` if that depends on a source port or near address that the
    /// flow does not name. Logarithmic for flows that name both.
    pub fn contains(&self, flow: &Flow) -> Option<bool> {
        at(&self.v4, &self.v6, flow).copied()
    }

    /// Every packet of both sets.
    ///
    /// # Errors
    /// [`SetError`] if the result has too many cells.
    pub fn union(&self, other: &Self) -> Result<Self, SetError> {
        self.combined(other, |ours, theirs| ours || theirs)
    }

    /// Every packet that both sets have.
    ///
    /// # Errors
    /// As [`PacketSet::union`].
    pub fn intersection(&self, other: &Self) -> Result<Self, SetError> {
        self.combined(other, |ours, theirs| ours && theirs)
    }

    /// Every packet that this set has and the other has not.
    ///
    /// # Errors
    /// As [`PacketSet::union`].
    pub fn difference(&self, other: &Self) -> Result<Self, SetError> {
        self.combined(other, |ours, theirs| ours && !theirs)
    }

    /// Every packet that one of the sets has.
    ///
    /// # Errors
    /// As [`PacketSet::union`].
    pub fn symmetric_difference(&self, other: &Self) -> Result<Self, SetError> {
        self.combined(other, |ours, theirs| ours != theirs)
    }

    /// Every packet that is not in the set.
    pub fn complement(&self) -> Self {
        Self { v4: layer::map(&self.v4, |inside| !inside), v6: layer::map(&self.v6, |inside| !inside) }
    }

    /// Whether the other set has every packet of this one.
    ///
    /// # Errors
    /// As [`PacketSet::union`].
    pub fn is_subset(&self, other: &Self) -> Result<bool, SetError> {
        Ok(self.difference(other)?.is_empty())
    }

    /// Whether no packet is in both sets.
    ///
    /// # Errors
    /// As [`PacketSet::union`].
    pub fn is_disjoint(&self, other: &Self) -> Result<bool, SetError> {
        Ok(self.intersection(other)?.is_empty())
    }

    fn combined(&self, other: &Self, f: impl Fn(bool, bool) -> bool) -> Result<Self, SetError> {
        let mut budget = Budget::new(SetLimits::DEFAULT);
        Ok(Self {
            v4: layer::zip(&self.v4, &other.v4, &mut budget, |ours, theirs| f(*ours, *theirs))?,
            v6: layer::zip(&self.v6, &other.v6, &mut budget, |ours, theirs| f(*ours, *theirs))?,
        })
    }

    /// How many packets are in the set, exactly.
    ///
    /// Of TCP and UDP each source and destination port counts, of ICMP each type and code; other
    /// protocols have one packet for each pair of addresses.
    pub fn count(&self) -> PacketCount {
        count::of(&self.v4, Family::V4) + count::of(&self.v6, Family::V6)
    }

    /// A packet of the set, `None` if there is none. It names source port and near address, so that the
    /// verdict on it depends on nothing else.
    ///
    /// Always the same one for the same set: TCP before UDP before ICMP before others, IPv4 before IPv6,
    /// an address for documentation before others, an ephemeral source port before others.
    pub fn witness(&self) -> Option<Flow> {
        self.witness_at(&[])
    }

    /// The same, at one of these near addresses if the set has a packet there.
    pub fn witness_at(&self, locals: &[IpAddr]) -> Option<Flow> {
        let at = |locals: Option<&[IpAddr]>| {
            witness::of(&self.v4, &V4, locals).or_else(|| witness::of(&self.v6, &V6, locals))
        };
        let there = if locals.is_empty() { None } else { at(Some(locals)) };
        there.or_else(|| at(None))
    }

    /// The set as boxes that together have exactly its packets, in a fixed order: each has the most far
    /// addresses that its services have in common, and the most services that have those. They may
    /// overlap. A set with more than [`PacketSet::OVERLAPPING`] different parts is cut into disjoint boxes
    /// in place of it.
    pub fn boxes(&self) -> Vec<PacketBox> {
        let mut found = boxes::of(&self.v4, Family::V4, Self::OVERLAPPING);
        found.extend(boxes::of(&self.v6, Family::V6, Self::OVERLAPPING));
        found
    }

    /// How many different parts a dimension of a set can have to be shown as overlapping boxes, which takes
    /// time proportional to the square of it.
    pub const OVERLAPPING: usize = 64;

    /// The number of cells that are kept, those in shared parts counted once.
    pub fn cells(&self) -> usize {
        layer::cells(&self.v4) + layer::cells(&self.v6)
    }

    /// The far addresses of the packets of a set, whatever else they are.
    pub fn remotes(&self) -> AddressSet {
        fn project<N: Coordinate>(layer: &Layer<N, bool>) -> Vec<(N, N)> {
            layer
                .values()
                .flat_map(|row| row.values())
                .flat_map(|locals| locals.values())
                .flat_map(|remotes| remotes.inside())
                .collect()
        }
        AddressSet::of_numbers(project(&self.v4), project(&self.v6))
    }

    /// Checks that the set is in the one form that stands for it, which is what makes equality of values
    /// equality of sets. Every set that this crate makes is.
    ///
    /// # Errors
    /// [`NotCanonical`] with what is wrong.
    pub fn validate(&self) -> Result<(), NotCanonical> {
        validate(&self.v4, Family::V4)?;
        validate(&self.v6, Family::V6)
    }
}

/// Every source port.
const ALL_PORTS: [(u16, u16); 1] = [(0, u16::MAX)];

fn validate<N: Coordinate>(layer: &Layer<N, bool>, family: Family) -> Result<(), NotCanonical> {
    let check = |dimension, fault: Option<&'static str>| match fault {
        Some(fault) => Err(NotCanonical { family, dimension, fault }),
        None => Ok(()),
    };
    check("services", layer.fault())?;
    for (first, last, row) in layer.iter() {
        check("source ports", row.fault())?;
        for locals in row.values() {
            check("local addresses", locals.fault())?;
            for remotes in locals.values() {
                check("remote addresses", remotes.fault())?;
            }
        }
        for protocol in count::protocols(first, last) {
            let all = (Service(u32::from(protocol) << 16), Service(u32::from(protocol) << 16 | u32::from(u16::MAX)));
            if service::selector_mask(protocol, family) == 0 && (first > all.0 || last < all.1) {
                check("services", Some("a protocol without ports or messages is in parts"))?;
            }
            if !service::has_ports(protocol) && row.len() != 1 {
                check("source ports", Some("a protocol without ports has some"))?;
            }
        }
    }
    Ok(())
}

/// The packets of a box.
impl From<&Space> for PacketSet {
    fn from(space: &Space) -> Self {
        fn part<A: Addresses>(space: &Space, plane: &A) -> Layer<A::Number, bool> {
            let services = services_of(&space.selector, plane.family(), space.source_ports.is_some());
            let sources = space.source_ports.unwrap_or(PortRange::ALL);
            let local = match space.local {
                None => Some((A::Number::FIRST, A::Number::LAST)),
                Some(block) => plane.local(block),
            };
            let local: Vec<_> = local.into_iter().collect();
            layer::of_box(&services, &[(sources.first(), sources.last())], &local, &plane.remote(&space.remote))
        }
        Self { v4: part(space, &V4), v6: part(space, &V6) }
    }
}

/// The boxes, with `; ` between them; the first few, and how many more there are.
impl fmt::Display for PacketSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 16;
        if self.is_empty() {
            return f.write_str("nothing");
        }
        let boxes = self.boxes();
        for (index, part) in boxes.iter().take(SHOWN).enumerate() {
            write!(f, "{}{part}", if index == 0 { "" } else { "; " })?;
        }
        match boxes.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "; and {more} more"),
        }
    }
}

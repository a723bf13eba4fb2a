//! How many packets there are.

use std::fmt;
use std::ops::Add;
use std::sync::Arc;

use hashbrown::HashMap;
use num_bigint::BigUint;
use serde::{Serialize, Serializer};

use super::layer::{Layer, Sources};
use super::split::{Coordinate, Service};
use crate::net::Family;
use crate::policy::service;

/// A number of packets, exact: all packets of IPv6 are more than 128 bits can count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PacketCount(BigUint);

impl PacketCount {
    /// The number, if it fits.
    pub fn to_u128(&self) -> Option<u128> {
        u128::try_from(&self.0).ok()
    }
}

impl fmt::Display for PacketCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Add for PacketCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl From<u128> for PacketCount {
    fn from(number: u128) -> Self {
        Self(number.into())
    }
}

/// As decimal digits, for most numbers are too large for JSON.
impl Serialize for PacketCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn length(first: impl Into<u128>, last: impl Into<u128>) -> BigUint {
    BigUint::from(last.into() - first.into()) + 1_u32
}

/// The protocols that have services in a range.
pub(super) fn protocols(first: Service, last: Service) -> impl Iterator<Item = u8> {
    let number = |service: Service| u8::try_from(service.0 >> 16).unwrap_or(u8::MAX);
    number(first)..=number(last)
}

/// The number of packets of a layer.
pub(super) fn of<N: Coordinate + Into<u128>>(layer: &Layer<N, bool>, family: Family) -> PacketCount {
    let mut known: HashMap<usize, (BigUint, BigUint), foldhash::fast::RandomState> = HashMap::default();
    let mut total = BigUint::default();
    for (first, last, row) in layer.iter() {
        let (with_ports, without) = known.entry(Arc::as_ptr(row).addr()).or_insert_with(|| of_row(row));
        for protocol in protocols(first, last) {
            let base = u32::from(protocol) << 16;
            let services = if service::selector_mask(protocol, family) == 0 {
                1
            } else {
                last.0.min(base | u32::from(u16::MAX)) - first.0.max(base) + 1
            };
            total += if service::has_ports(protocol) { &*with_ports } else { &*without } * services;
        }
    }
    PacketCount(total)
}

/// The number of combinations of source port and addresses, and of addresses at the first source port.
fn of_row<N: Coordinate + Into<u128>>(row: &Sources<N, bool>) -> (BigUint, BigUint) {
    let mut with_ports = BigUint::default();
    let mut without = None;
    for (first, last, locals) in row.iter() {
        let mut addresses = BigUint::default();
        for (first, last, remotes) in locals.iter() {
            let inside: BigUint = remotes.inside().into_iter().map(|(first, last)| length(first, last)).sum();
            addresses += length(first, last) * inside;
        }
        with_ports += length(first, last) * &addresses;
        without.get_or_insert(addresses);
    }
    (with_ports, without.unwrap_or_default())
}

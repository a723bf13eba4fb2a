//! What policies are compared on: addresses of both families, and references that stand for unknown
//! sets of addresses.

use std::collections::BTreeMap;

use crate::net::{AddressSet, Cidr, Family};
use crate::set::SetError;
use crate::set::plane::{Addresses, V4, V6};

/// Addresses that stand for sets, each with its number.
#[derive(Debug, Clone)]
pub(crate) struct Symbols(BTreeMap<u128, u32>);

/// The planes on which policies are compared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ground<'s> {
    /// Addresses.
    Addresses,
    /// Addresses, and references as unknown sets disjoint from all addresses and from each other.
    References(&'s Symbols),
}

/// Something that is done on each plane.
pub(crate) trait OnPlane {
    /// Does it on this plane.
    fn plane<A: Addresses>(&mut self, addresses: &A) -> Result<(), SetError>;
}

impl Ground<'_> {
    /// Does something on every plane.
    pub(crate) fn each(self, work: &mut impl OnPlane) -> Result<(), SetError> {
        work.plane(&V4)?;
        match self {
            Self::Addresses => work.plane(&V6),
            Self::References(symbols) => {
                work.plane(&OnlyAddresses(symbols))?;
                work.plane(&Referred4(symbols))?;
                work.plane(&Referred6(symbols))
            }
        }
    }
}

impl Symbols {
    pub(super) fn new(symbols: BTreeMap<u128, u32>) -> Self {
        Self(symbols)
    }

    /// The numbers of the symbols in a set; all numbers if the set has every address of both families.
    fn numbers(&self, set: &AddressSet) -> Vec<(u32, u32)> {
        if *set == AddressSet::all() {
            return vec![(0, u32::MAX)];
        }
        let hosts = set.numbers_v6().iter().filter(|(first, last)| first == last);
        let mut numbers: Vec<u32> = hosts.filter_map(|(address, _)| self.0.get(address).copied()).collect();
        numbers.sort_unstable();
        // Neighbours may stand side by side as ranges: only their bounds count.
        numbers.into_iter().map(|number| (number, number)).collect()
    }
}

/// The addresses of IPv6 without symbols.
struct OnlyAddresses<'s>(&'s Symbols);

/// What is referred to, over IPv4.
struct Referred4<'s>(&'s Symbols);

/// What is referred to, over IPv6.
struct Referred6<'s>(&'s Symbols);

impl Addresses for OnlyAddresses<'_> {
    type Number = u128;

    fn family(&self) -> Family {
        Family::V6
    }

    fn remote(&self, set: &AddressSet) -> Vec<(u128, u128)> {
        let ranges = set.numbers_v6().iter().copied();
        ranges.filter(|(first, last)| first != last || !self.0.0.contains_key(first)).collect()
    }

    fn local(&self, block: Cidr) -> Option<(u128, u128)> {
        V6.local(block)
    }
}

impl Addresses for Referred4<'_> {
    type Number = u32;

    fn family(&self) -> Family {
        Family::V4
    }

    fn remote(&self, set: &AddressSet) -> Vec<(u32, u32)> {
        self.0.numbers(set)
    }

    fn local(&self, block: Cidr) -> Option<(u32, u32)> {
        V4.local(block)
    }
}

impl Addresses for Referred6<'_> {
    type Number = u128;

    fn family(&self) -> Family {
        Family::V6
    }

    fn remote(&self, set: &AddressSet) -> Vec<(u128, u128)> {
        let wide = |(first, last): (u32, u32)| {
            (u128::from(first), if last == u32::MAX { u128::MAX } else { u128::from(last) })
        };
        self.0.numbers(set).into_iter().map(wide).collect()
    }

    fn local(&self, block: Cidr) -> Option<(u128, u128)> {
        V6.local(block)
    }
}

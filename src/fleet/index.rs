//! Which interfaces hold an address, by the private addresses and delegated prefixes that make them
//! members of their groups.

use std::net::IpAddr;
use std::sync::Arc;

use imbl::{HashMap, OrdMap};

use crate::net::{Cidr, Family};

/// The interfaces that hold one address or prefix: mostly one, but ranges of VPCs may overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holders {
    One(u32),
    Many(Arc<[u32]>),
}

impl Holders {
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(holder) => std::slice::from_ref(holder),
            Self::Many(holders) => holders,
        }
    }

    fn with(&self, holder: u32) -> Self {
        Self::Many(self.as_slice().iter().copied().chain([holder]).collect())
    }

    /// The others; `None` if there are none.
    fn without(&self, holder: u32) -> Option<Self> {
        let others: Vec<u32> = self.as_slice().iter().copied().filter(|other| *other != holder).collect();
        match others.as_slice() {
            [] => None,
            [one] => Some(Self::One(*one)),
            _ => Some(Self::Many(others.into())),
        }
    }
}

/// Holders by address and by prefix.
#[derive(Debug, Clone, Default)]
pub(super) struct AddressIndex {
    // In order, so that what lies in a prefix can be found.
    v4: OrdMap<u32, Holders>,
    v6: OrdMap<u128, Holders>,
    prefixes: HashMap<(Family, u8, u128), Holders>,
    /// Which lengths of prefixes there are, and how many prefixes of each.
    lengths: Arc<Vec<(Family, u8, u32)>>,
}

impl AddressIndex {
    /// Adds a holder, who must not hold the block yet.
    pub(super) fn add(&mut self, block: Cidr, holder: u32) {
        let (first, _) = block.range();
        let joined = |held: Option<&Holders>| held.map_or(Holders::One(holder), |held| held.with(holder));
        match (block.family(), block.prefix()) {
            (Family::V4, 32) => {
                let address = low(first);
                self.v4.insert(address, joined(self.v4.get(&address)));
            }
            (Family::V6, 128) => {
                self.v6.insert(first, joined(self.v6.get(&first)));
            }
            (family, length) => {
                let key = (family, length, first);
                if self.prefixes.insert(key, joined(self.prefixes.get(&key))).is_none() {
                    let lengths = Arc::make_mut(&mut self.lengths);
                    match lengths.iter_mut().find(|entry| (entry.0, entry.1) == (family, length)) {
                        Some(entry) => entry.2 += 1,
                        None => lengths.push((family, length, 1)),
                    }
                }
            }
        }
    }

    /// Removes a holder.
    pub(super) fn remove(&mut self, block: Cidr, holder: u32) {
        let (first, _) = block.range();
        match (block.family(), block.prefix()) {
            (Family::V4, 32) => {
                let address = low(first);
                match self.v4.get(&address).and_then(|held| held.without(holder)) {
                    Some(others) => self.v4.insert(address, others),
                    None => self.v4.remove(&address),
                };
            }
            (Family::V6, 128) => {
                match self.v6.get(&first).and_then(|held| held.without(holder)) {
                    Some(others) => self.v6.insert(first, others),
                    None => self.v6.remove(&first),
                };
            }
            (family, length) => {
                let key = (family, length, first);
                if let Some(others) = self.prefixes.get(&key).and_then(|held| held.without(holder)) {
                    self.prefixes.insert(key, others);
                } else if self.prefixes.remove(&key).is_some() {
                    let lengths = Arc::make_mut(&mut self.lengths);
                    for entry in lengths.iter_mut().filter(|entry| (entry.0, entry.1) == (family, length)) {
                        entry.2 -= 1;
                    }
                    lengths.retain(|entry| entry.2 > 0);
                }
            }
        }
    }

    /// Those who hold the address, by itself or in a prefix. One may come twice.
    pub(super) fn holders(&self, address: IpAddr) -> impl Iterator<Item = u32> + '_ {
        let (alone, number) = match address {
            IpAddr::V4(address) => (self.v4.get(&u32::from(address)), u128::from(u32::from(address))),
            IpAddr::V6(address) => (self.v6.get(&u128::from(address)), u128::from(address)),
        };
        let family = Family::of(address);
        let lengths = self.lengths.iter().filter(move |entry| entry.0 == family);
        let prefixes = lengths.filter_map(move |(_, length, _)| {
            // A prefix of no bits leaves nothing of the number.
            let low_bits = u32::from(family.bits().saturating_sub(*length));
            let first = number.checked_shr(low_bits).unwrap_or(0).checked_shl(low_bits).unwrap_or(0);
            self.prefixes.get(&(family, *length, first))
        });
        alone.into_iter().chain(prefixes).flat_map(|held| held.as_slice().iter().copied())
    }

    /// Those who hold exactly this prefix, which is of more than one address.
    pub(super) fn holding(&self, prefix: Cidr) -> &[u32] {
        let key = (prefix.family(), prefix.prefix(), prefix.range().0);
        self.prefixes.get(&key).map_or(&[], Holders::as_slice)
    }

    /// Those who hold an address of the block by itself.
    pub(super) fn within(&self, block: Cidr) -> Vec<u32> {
        let (first, last) = block.range();
        let held: Vec<&Holders> = match block.family() {
            Family::V4 => self.v4.range(low(first)..=low(last)).map(|(_, held)| held).collect(),
            Family::V6 => self.v6.range(first..=last).map(|(_, held)| held).collect(),
        };
        held.into_iter().flat_map(|held| held.as_slice().iter().copied()).collect()
    }
}

/// The number of an IPv4 address, which has no bits above 32.
pub(super) fn low(address: u128) -> u32 {
    u32::try_from(address & u128::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn holders(index: &AddressIndex, address: &str) -> Vec<u32> {
        let mut holders: Vec<u32> = index.holders(address.parse().unwrap()).collect();
        holders.sort_unstable();
        holders
    }

    #[test]
    fn addresses_and_prefixes_of_several_holders() {
        let mut index = AddressIndex::default();
        for (holder, text) in
            [(1, "10.0.0.1/32"), (2, "10.0.0.1/32"), (3, "10.0.0.0/28"), (4, "0.0.0.0/0"), (5, "::/0"), (6, "::1/128")]
        {
            index.add(block(text), holder);
        }
        assert_eq!(holders(&index, "10.0.0.1"), [1, 2, 3, 4]);
        assert_eq!(holders(&index, "10.0.0.16"), [4]);
        assert_eq!(holders(&index, "::1"), [5, 6]);
        assert_eq!(index.within(block("10.0.0.0/24")), [1, 2]);
        assert_eq!(index.within(block("::/0")), [6]);
        for (holder, text) in [(2, "10.0.0.1/32"), (4, "0.0.0.0/0"), (6, "::1/128"), (5, "::/0")] {
            index.remove(block(text), holder);
        }
        assert_eq!(holders(&index, "10.0.0.1"), [1, 3]);
        assert_eq!(holders(&index, "::1"), [0; 0]);
        assert_eq!(index.lengths.len(), 1);
    }
}

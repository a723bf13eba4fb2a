//! Symbols for sets of addresses that change: the members of a group in one VPC, the entries of a
//! prefix list.
//!
//! A policy is lowered from a view in which each such set is one reserved address that stands for it.
//! Lowering only unites sets or takes them as they are, so what comes out tells which sets a clause is
//! about, and the policy stays right whoever joins or leaves them.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::index::low;
use crate::net::{AddressSet, Cidr, Family};

/// Where the reserved addresses begin: 64 bits in a part of the IPv6 space that is not assigned to
/// anyone. Should rules or interfaces name addresses in there all the same, their policies are
/// evaluated without symbols.
const ZONE: u128 = 0x0053_4563_6752_6f70 << 64;
const ZONE_LAST: u128 = ZONE | 0xffff_ffff_ffff_ffff;

/// A set of addresses that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Symbol {
    /// The members of a group in one VPC, where a rule refers to them. On a path into another VPC the
    /// identity of the far end counts, not its address.
    Reference(u32),
    /// The same members, where the provider implies something about them. Their addresses count.
    Members(u32),
    /// The entries of a prefix list.
    List(u32),
}

impl Symbol {
    /// The set that stands for it.
    pub(super) fn set(self) -> Arc<AddressSet> {
        let (kind, number) = match self {
            Self::Reference(number) => (0, number),
            Self::Members(number) => (2, number),
            Self::List(number) => (4, number),
        };
        // Never neighbours, which would become one range.
        let address = ZONE | u128::from(number) << 8 | kind;
        Arc::new(Cidr::host(IpAddr::V6(Ipv6Addr::from(address))).into())
    }

    fn of_address(address: u128) -> Option<Self> {
        let number = u32::try_from((address & !ZONE) >> 8).ok()?;
        match address & 0xff {
            0 => Some(Self::Reference(number)),
            2 => Some(Self::Members(number)),
            4 => Some(Self::List(number)),
            _ => None,
        }
    }
}

/// Whether a block that someone names could be taken for symbols.
pub(super) fn clashes(block: Cidr) -> bool {
    let (first, last) = block.range();
    block.family() == Family::V6 && first <= ZONE_LAST && ZONE <= last && !(first <= ZONE && ZONE_LAST <= last)
}

/// Far addresses of a clause: those named, and those that symbols stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) v4: Vec<(u32, u32)>,
    pub(super) v6: Vec<(u128, u128)>,
    pub(super) symbols: Vec<Symbol>,
}

impl Area {
    /// Reads the symbols in a set; `None` if it was made by more than uniting.
    pub(super) fn of(set: &AddressSet) -> Option<Self> {
        let mut area = Self { v4: set.numbers_v4().to_vec(), ..Self::default() };
        for &(first, last) in set.numbers_v6() {
            if last < ZONE || ZONE_LAST < first || (first <= ZONE && ZONE_LAST <= last) {
                area.v6.push((first, last));
            } else if first == last {
                area.symbols.push(Symbol::of_address(first)?);
            } else {
                return None;
            }
        }
        Some(area)
    }

    /// Whether an address of the family may be in it.
    pub(super) fn may_have(&self, family: Family) -> bool {
        let named = match family {
            Family::V4 => !self.v4.is_empty(),
            Family::V6 => !self.v6.is_empty(),
        };
        named || !self.symbols.is_empty()
    }

    /// Whether the address is one of those named.
    pub(super) fn names(&self, family: Family, address: u128) -> bool {
        match family {
            Family::V4 => is_in(&self.v4, low(address)),
            Family::V6 => is_in(&self.v6, address),
        }
    }
}

/// Whether the value is in one of the ranges, which are sorted and disjoint.
fn is_in<T: Copy + Ord>(ranges: &[(T, T)], value: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= value);
    after.checked_sub(1).and_then(|place| ranges.get(place)).is_some_and(|(_, last)| value <= *last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn unions_can_be_read_back() {
        let symbols = [Symbol::Reference(0), Symbol::Members(0), Symbol::List(0), Symbol::Reference(u32::MAX)];
        let named: AddressSet = [block("10.0.0.0/8"), block("2001:db8::/32")].into_iter().collect();
        let all = symbols.iter().fold(named, |all, symbol| all.union(&symbol.set()));
        let area = Area::of(&all).unwrap();
        assert_eq!(area.symbols, symbols);
        assert_eq!((area.v4.len(), area.v6.len()), (1, 1));
        assert_eq!(Area::of(&AddressSet::all()).unwrap().symbols, []);
        // Everyone but the members is more than a union.
        assert_eq!(Area::of(&Symbol::Reference(7).set().complement()), None);
    }

    #[test]
    fn blocks_inside_the_zone_clash() {
        assert!(clashes(block("53:4563:6752:6f70::/128")) && clashes(block("53:4563:6752:6f70:ffff::/80")));
        for text in ["53:4563:6752:6f70::/64", "::/0", "53:4563:6752:6f71::/128", "0.0.0.0/0", "2001:db8::/32"] {
            assert!(!clashes(block(text)), "{text}");
        }
    }
}

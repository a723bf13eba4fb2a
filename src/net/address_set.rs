//! Sets of addresses of both families.

use std::fmt;
use std::net::IpAddr;

use super::cidr::Cidr;
use super::family::{Family, address_bits_apart, number};

/// A set of addresses: per family, sorted inclusive ranges that neither touch nor overlap, so equal
/// sets are equal values.
///
/// ```
/// use secgroup::net::{AddressSet, Cidr};
///
/// let halves: Vec<Cidr> = vec!["0.0.0.0/1".parse()?, "128.0.0.0/1".parse()?];
/// let all: Vec<Cidr> = vec!["0.0.0.0/0".parse()?];
/// assert_eq!(AddressSet::from_iter(halves), AddressSet::from_iter(all));
/// # Ok::<(), secgroup::net::CidrError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AddressSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// Sorted, disjoint, non-touching inclusive ranges of address numbers of one family.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Ranges<N>(Vec<(N, N)>);

/// An address of one family as a number of the family's width.
pub(crate) trait AddressNumber: Copy + Ord + Into<u128> {
    /// The first address of the family.
    const FIRST: Self;
    /// The last address of the family.
    const LAST: Self;

    /// The number from a wider one, which must be within the family.
    fn narrowed(number: u128) -> Self;

    /// The next number, if there is one.
    fn next(self) -> Option<Self>;

    /// The number before, if there is one.
    fn previous(self) -> Option<Self>;
}

impl AddressNumber for u32 {
    const FIRST: Self = 0;
    const LAST: Self = Self::MAX;

    fn narrowed(number: u128) -> Self {
        Self::try_from(number).unwrap_or(Self::MAX)
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl AddressNumber for u128 {
    const FIRST: Self = 0;
    const LAST: Self = Self::MAX;

    fn narrowed(number: u128) -> Self {
        number
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl AddressSet {
    /// No address.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Every address of both families.
    pub fn all() -> Self {
        Family::ALL.into_iter().map(Cidr::all).collect()
    }

    /// Every address of one family.
    pub fn all_of(family: Family) -> Self {
        Self::from(Cidr::all(family))
    }

    /// Whether the address is in the set. Logarithmic in the number of ranges of its family.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(address.into()),
            IpAddr::V6(address) => self.v6.contains(address.into()),
        }
    }

    /// Whether the set has no address.
    pub fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }

    /// Whether the set has at least one address of the family.
    pub fn has(&self, family: Family) -> bool {
        match family {
            Family::V4 => !self.v4.0.is_empty(),
            Family::V6 => !self.v6.0.is_empty(),
        }
    }

    /// The number of ranges of both families together.
    pub fn range_count(&self) -> usize {
        self.v4.0.len() + self.v6.0.len()
    }

    /// The ranges, IPv4 first, each with its first and last address.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> + '_ {
        let v4 = self.numbers_v4().iter().map(|&(first, last)| (Family::V4, first.into(), last.into()));
        let v6 = self.numbers_v6().iter().map(|&(first, last)| (Family::V6, first, last));
        v4.chain(v6).map(|(family, first, last)| (family.address(first), family.address(last)))
    }

    /// The ranges of IPv4, as numbers.
    pub(crate) fn numbers_v4(&self) -> &[(u32, u32)] {
        &self.v4.0
    }

    /// The ranges of IPv6, as numbers.
    pub(crate) fn numbers_v6(&self) -> &[(u128, u128)] {
        &self.v6.0
    }

    /// The set of these ranges of numbers, in any order.
    pub(crate) fn of_numbers(v4: Vec<(u32, u32)>, v6: Vec<(u128, u128)>) -> Self {
        Self { v4: Ranges::merged(v4), v6: Ranges::merged(v6) }
    }

    /// The addresses of one family.
    pub fn of(&self, family: Family) -> Self {
        match family {
            Family::V4 => Self { v4: self.v4.clone(), v6: Ranges::default() },
            Family::V6 => Self { v4: Ranges::default(), v6: self.v6.clone() },
        }
    }

    /// Every address of both sets.
    pub fn union(&self, other: &Self) -> Self {
        Self { v4: self.v4.union(&other.v4), v6: self.v6.union(&other.v6) }
    }

    /// Every address that both sets have.
    pub fn intersection(&self, other: &Self) -> Self {
        Self { v4: self.v4.intersection(&other.v4), v6: self.v6.intersection(&other.v6) }
    }

    /// Every address that is not in the set, of both families.
    pub fn complement(&self) -> Self {
        Self { v4: self.v4.complement(), v6: self.v6.complement() }
    }

    /// The address of the set that is nearest to `address`, within its family.
    pub(crate) fn nearest(&self, address: IpAddr) -> Option<IpAddr> {
        let family = Family::of(address);
        let wanted = number(address);
        let nearest = match family {
            Family::V4 => self.v4.nearest(u32::narrowed(wanted)).map(u128::from),
            Family::V6 => self.v6.nearest(wanted),
        };
        nearest.map(|nearest| family.address(nearest))
    }
}

impl<N> Default for Ranges<N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<N: AddressNumber> Ranges<N> {
    fn contains(&self, wanted: N) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= wanted);
        after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|&(_, last)| wanted <= last)
    }

    fn nearest(&self, wanted: N) -> Option<N> {
        let after = self.0.partition_point(|&(first, _)| first <= wanted);
        let below = after.checked_sub(1).and_then(|i| self.0.get(i)).map(|&(_, last)| last.min(wanted));
        let above = self.0.get(after).map(|&(first, _)| first);
        let gap = |high: N, low: N| high.into() - low.into();
        match (below, above) {
            (Some(below), Some(above)) if gap(above, wanted) < gap(wanted, below) => Some(above),
            (Some(below), _) => Some(below),
            (None, above) => above,
        }
    }

    fn union(&self, other: &Self) -> Self {
        Self::merged(self.0.iter().chain(&other.0).copied().collect())
    }

    fn intersection(&self, other: &Self) -> Self {
        Self(common(&self.0, &other.0))
    }

    /// The gaps, up to the last number of the family.
    fn complement(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        // The first number that no range so far reaches; `None` past the end of the family.
        let mut next = Some(N::narrowed(0));
        for &(first, end) in &self.0 {
            if let (Some(start), Some(before)) = (next, first.previous())
                && start < first
            {
                gaps.push((start, before));
            }
            next = end.next();
        }
        gaps.extend(next.map(|start| (start, N::LAST)));
        Self(gaps)
    }

    fn merged(mut ranges: Vec<(N, N)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(N, N)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(previous) if first <= previous.1 || first.previous() == Some(previous.1) => {
                    previous.1 = previous.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        merged.shrink_to_fit();
        Self(merged)
    }
}

/// What two lists of sorted disjoint ranges have in common. Both are walked once, side by side.
pub(crate) fn common<N: Copy + Ord>(ours: &[(N, N)], theirs: &[(N, N)]) -> Vec<(N, N)> {
    let mut common = Vec::new();
    let (mut ours, mut theirs) = (ours.iter().copied().peekable(), theirs.iter().copied().peekable());
    while let (Some(&(our_first, our_last)), Some(&(their_first, their_last))) = (ours.peek(), theirs.peek()) {
        let (first, last) = (our_first.max(their_first), our_last.min(their_last));
        if first <= last {
            common.push((first, last));
        }
        if our_last <= their_last {
            ours.next();
        } else {
            theirs.next();
        }
    }
    common
}

/// The same for ranges of places that are given by the first place and the one behind the last.
pub(crate) fn common_spans(ours: &[(u32, u32)], theirs: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let closed = |spans: &[(u32, u32)]| -> Vec<(u32, u32)> {
        spans.iter().map(|(first, end)| (*first, end.saturating_sub(1))).collect()
    };
    common(&closed(ours), &closed(theirs)).into_iter().map(|(first, last)| (first, last + 1)).collect()
}

impl FromIterator<Cidr> for AddressSet {
    fn from_iter<I: IntoIterator<Item = Cidr>>(blocks: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for block in blocks {
            match block.family() {
                Family::V4 => {
                    let (first, last) = block.range();
                    v4.push((u32::narrowed(first), u32::narrowed(last)));
                }
                Family::V6 => v6.push(block.range()),
            }
        }
        Self { v4: Ranges::merged(v4), v6: Ranges::merged(v6) }
    }
}

impl From<Cidr> for AddressSet {
    fn from(block: Cidr) -> Self {
        Self::from_iter([block])
    }
}

/// Lists the first few ranges, and how many more there are.
impl fmt::Display for AddressSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        if self.is_empty() {
            return f.write_str("no address");
        }
        for (i, (first, last)) in self.iter().take(SHOWN).enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            match block_of(first, last) {
                _ if first == last => write!(f, "{first}")?,
                // Two neighbours read better as such than as a /31.
                Some(block) if block.prefix() + 1 < block.family().bits() => write!(f, "{block}")?,
                _ => write!(f, "{first}-{last}")?,
            }
        }
        let more = self.range_count().saturating_sub(SHOWN);
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        Ok(())
    }
}

/// The CIDR block that is exactly this range, if there is one.
fn block_of(first: IpAddr, last: IpAddr) -> Option<Cidr> {
    let differing = address_bits_apart(first, last);
    let prefix = Family::of(first).bits().checked_sub(u8::try_from(differing).ok()?)?;
    let block = Cidr::containing(first, prefix).ok()?;
    (block.first() == first && block.last() == last).then_some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(blocks: &[&str]) -> AddressSet {
        blocks.iter().map(|b| b.parse::<Cidr>().unwrap()).collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn membership_at_the_edges_of_ranges() {
        let set = set(&["10.0.0.0/24", "10.0.1.0/24", "192.0.2.7/32", "2001:db8::/64"]);
        for (address, inside) in [
            ("9.255.255.255", false),
            ("10.0.0.0", true),
            ("10.0.1.255", true),
            ("10.0.2.0", false),
            ("192.0.2.6", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8::", true),
            ("2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8:0:1::", false),
            ("::ffff:10.0.0.1", false),
        ] {
            assert_eq!(set.contains(ip(address)), inside, "{address}");
        }
        assert_eq!(set.to_string(), "10.0.0.0/23, 192.0.2.7, 2001:db8::/64");
        assert_eq!(set.of(Family::V6).to_string(), "2001:db8::/64");
        let neighbours: AddressSet =
            ["10.0.0.2/32", "10.0.0.3/32"].iter().map(|b| b.parse::<Cidr>().unwrap()).collect();
        assert_eq!(neighbours.to_string(), "10.0.0.2-10.0.0.3");
    }

    #[test]
    fn whole_families_do_not_overflow() {
        assert_eq!(AddressSet::all(), set(&["0.0.0.0/0", "::/0"]));
        assert_eq!(set(&["::/1", "8000::/1"]), AddressSet::all_of(Family::V6));
        assert!(!AddressSet::all_of(Family::V4).contains(ip("::")));
        assert_eq!(AddressSet::all().union(&set(&["::/0", "0.0.0.0/32"])), AddressSet::all());
    }

    #[test]
    fn complements() {
        let complement = set(&["10.0.0.0/8", "::/1"]).complement();
        assert_eq!(complement.to_string(), "0.0.0.0-9.255.255.255, 11.0.0.0-255.255.255.255, 8000::/1");
        assert_eq!(AddressSet::empty().complement(), AddressSet::all());
        assert_eq!(AddressSet::all().complement(), AddressSet::empty());
        let ends = set(&["0.0.0.0/32", "255.255.255.255/32", "ffff::/16"]);
        assert_eq!(ends.complement().complement(), ends);
        assert!(!ends.complement().contains(ip("255.255.255.255")) && ends.complement().contains(ip("0.0.0.1")));
    }

    #[test]
    fn intersections() {
        let (a, b) =
            (set(&["10.0.0.0/8", "192.0.2.0/24", "::/1"]), set(&["10.1.0.0/16", "192.0.2.255/32", "7fff::/16"]));
        assert_eq!(a.intersection(&b), b);
        assert_eq!(b.intersection(&a), b);
        assert_eq!(a.intersection(&a.complement()), AddressSet::empty());
        assert_eq!(a.intersection(&AddressSet::all()), a);
        let crossing =
            set(&["10.0.0.0/30", "10.0.0.8/30"]).intersection(&set(&["10.0.0.2/31", "10.0.0.4/30", "10.0.0.11/32"]));
        assert_eq!(crossing, set(&["10.0.0.2/31", "10.0.0.11/32"]));
    }

    #[test]
    fn nearest_address() {
        let set = set(&["10.0.0.0/24", "10.0.2.0/24"]);
        assert_eq!(set.nearest(ip("10.0.1.3")), Some(ip("10.0.0.255")));
        assert_eq!(set.nearest(ip("10.0.1.250")), Some(ip("10.0.2.0")));
        assert_eq!(set.nearest(ip("10.0.2.9")), Some(ip("10.0.2.9")));
        assert_eq!(set.nearest(ip("::1")), None);
    }
}

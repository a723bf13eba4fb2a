//! A line of numbers cut into intervals that have values.

use crate::net::AddressNumber;

/// Protocol and layer-4 selector in one number, as a coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Service(pub(crate) u32);

/// Where something lies on one dimension.
pub(crate) trait Coordinate: Copy + Ord + std::fmt::Debug {
    /// The first place.
    const FIRST: Self;
    /// The last place.
    const LAST: Self;

    /// The next place, if there is one.
    fn after(self) -> Option<Self>;

    /// The place before, if there is one.
    fn before(self) -> Option<Self>;
}

impl Coordinate for u16 {
    const FIRST: Self = 0;
    const LAST: Self = Self::MAX;

    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl Coordinate for Service {
    const FIRST: Self = Self(0);
    const LAST: Self = Self(crate::policy::service::LAST);

    fn after(self) -> Option<Self> {
        (self < Self::LAST).then_some(Self(self.0 + 1))
    }

    fn before(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }
}

/// Addresses of either family.
impl<N: AddressNumber + std::fmt::Debug> Coordinate for N {
    const FIRST: Self = <Self as AddressNumber>::FIRST;
    const LAST: Self = <Self as AddressNumber>::LAST;

    fn after(self) -> Option<Self> {
        self.next()
    }

    fn before(self) -> Option<Self> {
        self.previous()
    }
}

/// All places of a dimension cut into intervals, each with the last place and the value. Neighbours
/// have different values, so equal functions are equal values of this type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Split<K, V>(Vec<(K, V)>);

impl<K: Coordinate, V: PartialEq> Split<K, V> {
    /// One value everywhere.
    pub(crate) fn uniform(value: V) -> Self {
        Self(vec![(K::LAST, value)])
    }

    /// One value inside sorted disjoint ranges and another outside.
    pub(crate) fn of_ranges(ranges: &[(K, K)], inside: &V, outside: &V) -> Self
    where
        V: Clone,
    {
        let mut split = Self::start(2 * ranges.len() + 1);
        for &(first, last) in ranges {
            if let Some(before) = first.before() {
                split.extend_to(before, outside.clone());
            }
            split.extend_to(last, inside.clone());
        }
        split.extend_to(K::LAST, outside.clone());
        split
    }

    /// Nothing yet; [`Split::extend_to`] has to reach the last place.
    pub(crate) fn start(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// The places behind those there are, up to `last`, have this value. Nothing happens if there are
    /// none.
    pub(crate) fn extend_to(&mut self, last: K, value: V) {
        match self.0.last_mut() {
            Some((end, _)) if *end >= last => {}
            Some((end, before)) if *before == value => *end = last,
            _ => self.0.push((last, value)),
        }
    }

    /// The intervals in order: first and last place, and the value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, K, &V)> {
        let firsts = std::iter::once(K::FIRST).chain(self.0.iter().filter_map(|(last, _)| last.after()));
        self.0.iter().zip(firsts).map(|((last, value), first)| (first, *last, value))
    }

    /// The values of the intervals in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The number of intervals.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The value, if there is only one.
    pub(crate) fn single(&self) -> Option<&V> {
        match self.0.as_slice() {
            [(_, value)] => Some(value),
            _ => None,
        }
    }

    /// The interval that has this place, and its value.
    pub(crate) fn at(&self, place: K) -> Option<(K, K, &V)> {
        let index = self.0.partition_point(|(last, _)| *last < place);
        let first = match index.checked_sub(1) {
            None => K::FIRST,
            Some(before) => self.0.get(before)?.0.after()?,
        };
        self.0.get(index).map(|(last, value)| (first, *last, value))
    }

    /// The same intervals with other values, joined where those are equal.
    pub(crate) fn map<R: PartialEq>(&self, mut f: impl FnMut(&V) -> R) -> Split<K, R> {
        let mut mapped = Split::start(self.len());
        for (last, value) in &self.0 {
            mapped.extend_to(*last, f(value));
        }
        mapped
    }

    /// Both at once: the values of two splits, place by place, made into one.
    pub(crate) fn zip<W: PartialEq, R: PartialEq, E>(
        &self,
        other: &Split<K, W>,
        mut f: impl FnMut(&V, &W) -> Result<R, E>,
    ) -> Result<Split<K, R>, E> {
        let mut zipped = Split::start(self.len().max(other.len()));
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some((our_last, our_value)), Some((their_last, their_value))) = (ours.peek(), theirs.peek()) {
            let last = *our_last.min(their_last);
            zipped.extend_to(last, f(our_value, their_value)?);
            if *our_last == last {
                ours.next();
            }
            if *their_last == last {
                theirs.next();
            }
        }
        Ok(zipped)
    }

    /// What keeps it from being in canonical form, in words.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let in_order = self.0.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a < b));
        let apart = self.0.windows(2).all(|pair| matches!(pair, [(_, a), (_, b)] if a != b));
        if self.0.last().is_none_or(|(last, _)| *last != K::LAST) {
            Some("intervals do not reach the last place")
        } else if !in_order {
            Some("intervals are out of order")
        } else if !apart {
            Some("neighbouring intervals have one value")
        } else {
            None
        }
    }
}

impl<K: Coordinate> Split<K, bool> {
    /// The intervals that are inside, in order.
    pub(crate) fn inside(&self) -> Vec<(K, K)> {
        self.iter().filter(|(_, _, inside)| **inside).map(|(first, last, _)| (first, last)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(parts: &[(u16, u8)]) -> Split<u16, u8> {
        let mut split = Split::start(0);
        for (last, value) in parts {
            split.extend_to(*last, *value);
        }
        split
    }

    #[test]
    fn neighbours_of_one_value_are_joined() {
        let joined = split(&[(9, 1), (19, 1), (29, 2), (u16::MAX, 2)]);
        assert_eq!(joined, split(&[(19, 1), (u16::MAX, 2)]));
        assert_eq!(joined.fault(), None);
        assert_eq!(joined.at(19), Some((0, 19, &1)));
        assert_eq!(joined.at(20), Some((20, u16::MAX, &2)));
        assert_eq!(joined.at(u16::MAX).map(|(_, _, value)| *value), Some(2));
        assert_eq!(split(&[(9, 1)]).fault(), Some("intervals do not reach the last place"));
    }

    #[test]
    fn ranges_at_both_ends() {
        let ends = Split::of_ranges(&[(0, 0), (u16::MAX, u16::MAX)], &true, &false);
        assert_eq!(ends.inside(), [(0, 0), (u16::MAX, u16::MAX)]);
        assert_eq!(ends.len(), 3);
        assert_eq!(Split::<u16, bool>::of_ranges(&[], &true, &false), Split::uniform(false));
        assert_eq!(Split::<u16, bool>::of_ranges(&[(0, u16::MAX)], &true, &false), Split::uniform(true));
    }

    #[test]
    fn two_at_once() {
        let (a, b) = (split(&[(9, 1), (u16::MAX, 0)]), split(&[(4, 0), (14, 1), (u16::MAX, 0)]));
        let sum: Result<_, ()> = a.zip(&b, |a, b| Ok(a + b));
        assert_eq!(sum, Ok(split(&[(4, 1), (9, 2), (14, 1), (u16::MAX, 0)])));
    }
}

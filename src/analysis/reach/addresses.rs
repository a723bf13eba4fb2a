//! The addresses of a fleet in order, and sets of addresses as runs of places in that order.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::net::{AddressSet, Family};

/// Sets of more ranges than this are remembered.
const MANY: usize = 2;

/// Places from the first to before the second.
pub(super) type Spans = Arc<[(u32, u32)]>;

/// Addresses in order, each once; its place is its number.
#[derive(Debug)]
pub(super) struct Addresses {
    all: Vec<IpAddr>,
    /// How many are of IPv4, which come first.
    v4: u32,
    /// What is known of sets, by where they are; the set is kept so that no other takes its place.
    known: HashMap<usize, (Arc<AddressSet>, Spans), foldhash::fast::RandomState>,
}

impl Addresses {
    pub(super) fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut all: Vec<IpAddr> = addresses.into_iter().collect();
        all.sort_unstable();
        all.dedup();
        let v4 = number(all.partition_point(IpAddr::is_ipv4));
        Self { all, v4, known: HashMap::default() }
    }

    pub(super) fn len(&self) -> u32 {
        number(self.all.len())
    }

    pub(super) fn place(&self, address: IpAddr) -> Option<u32> {
        self.all.binary_search(&address).ok().map(number)
    }

    pub(super) fn family(&self, place: u32) -> Family {
        if place < self.v4 { Family::V4 } else { Family::V6 }
    }

    /// The places of a family, from the first to before the second.
    pub(super) fn of(&self, family: Family) -> (u32, u32) {
        match family {
            Family::V4 => (0, self.v4),
            Family::V6 => (self.v4, self.len()),
        }
    }

    /// Forgets sets, when there will be no more.
    pub(super) fn done(&mut self) {
        self.known = HashMap::default();
    }

    /// The places of the addresses in a set, in order; runs neither touch nor overlap. Remembered if they will
    /// be asked for again.
    pub(super) fn spans(&mut self, set: &Arc<AddressSet>, again: bool) -> Spans {
        if !again || set.range_count() <= MANY {
            return self.fresh(set).into();
        }
        let key = Arc::as_ptr(set).addr();
        if let Some((_, spans)) = self.known.get(&key) {
            return spans.clone();
        }
        let spans: Spans = self.fresh(set).into();
        self.known.insert(key, (set.clone(), spans.clone()));
        spans
    }

    fn fresh(&self, set: &AddressSet) -> Vec<(u32, u32)> {
        let mut spans: Vec<(u32, u32)> = Vec::new();
        let mut add = |first: u32, end: u32| match spans.last_mut() {
            _ if first == end => {}
            Some((_, before)) if *before == first => *before = end,
            _ => spans.push((first, end)),
        };
        if set.range_count() > self.all.len() {
            for (address, place) in self.all.iter().zip(0..) {
                if set.contains(*address) {
                    add(place, place + 1);
                }
            }
            return spans;
        }
        for (first, last) in set.iter() {
            let from = self.all.partition_point(|address| *address < first);
            let end = self.all.partition_point(|address| *address <= last);
            add(number(from), number(end));
        }
        spans
    }
}

/// A place or count; there are fewer addresses than 32 bits can number.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Cidr;

    #[test]
    fn sets_become_runs_of_places() {
        let parse = |texts: &[&str]| -> Vec<IpAddr> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let mut addresses =
            Addresses::new(parse(&["2001:db8::1", "10.0.0.9", "10.0.0.1", "10.0.0.5", "10.0.0.1", "192.0.2.1"]));
        assert_eq!((addresses.len(), addresses.of(Family::V4), addresses.of(Family::V6)), (5, (0, 4), (4, 5)));
        assert_eq!(addresses.place("10.0.0.9".parse().unwrap()), Some(2));
        let mut spans = |blocks: &[&str]| {
            let set: AddressSet = blocks.iter().map(|block| block.parse::<Cidr>().unwrap()).collect();
            addresses.spans(&Arc::new(set), true).to_vec()
        };
        assert_eq!(spans(&["0.0.0.0/0"]), [(0, 4)]);
        assert_eq!(spans(&["0.0.0.0/0", "::/0"]), [(0, 5)]);
        assert_eq!(spans(&["10.0.0.1/32", "10.0.0.5/32", "192.0.2.1/32"]), [(0, 2), (3, 4)]);
        assert_eq!(spans(&["10.0.0.2/31", "172.16.0.0/12"]), []);
        let scattered = ["10.0.0.1/32", "10.0.0.3/32", "10.0.0.5/32", "10.0.0.7/32", "11.0.0.0/8", "::/1", "9000::/8"];
        assert_eq!(spans(&scattered), [(0, 2), (4, 5)]);
    }
}

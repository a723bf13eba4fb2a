//! Sets of packets seen from some far addresses, or at some near ones.

use std::sync::Arc;

use super::grid::Grid;
use super::layer::{Layer, Locals};
use super::packet_set::PacketSet;
use super::service_set::ServiceSet;
use super::split::{Coordinate, Split};
use crate::net::AddressSet;

impl PacketSet {
    /// The packets of the set with one of these near addresses, whatever near address they are then
    /// given.
    pub(crate) fn at_any_of(&self, locals: &AddressSet) -> Self {
        Self { v4: at_any_of(&self.v4, locals.numbers_v4()), v6: at_any_of(&self.v6, locals.numbers_v6()) }
    }

    /// The traffic of which the set has the packets of all of these far addresses, and all near ones; of a
    /// family without any of them there is none.
    pub(crate) fn services_from(&self, remotes: &AddressSet) -> ServiceSet {
        ServiceSet {
            v4: services_from(&self.v4, remotes.numbers_v4()),
            v6: services_from(&self.v6, remotes.numbers_v6()),
        }
    }
}

fn at_any_of<N: Coordinate>(layer: &Layer<N, bool>, wanted: &[(N, N)]) -> Layer<N, bool> {
    let here = |locals: &Arc<Locals<N, bool>>| {
        let meets = |first: N, last: N| {
            let next = wanted.partition_point(|(_, end)| *end < first);
            wanted.get(next).is_some_and(|(start, _)| *start <= last)
        };
        let mut found = Split::uniform(false);
        for (_, _, remotes) in locals.iter().filter(|(first, last, _)| meets(*first, *last)) {
            let united: Result<_, std::convert::Infallible> = found.zip(remotes, |a, b| Ok(*a || *b));
            let Ok(united) = united;
            found = united;
        }
        Arc::new(Split::uniform(Arc::new(found)))
    };
    layer.map(|row| Arc::new(row.map(here)))
}

fn services_from<N: Coordinate>(layer: &Layer<N, bool>, wanted: &[(N, N)]) -> Grid<bool> {
    let there = Split::of_ranges(wanted, &true, &false);
    let missing = |remotes: &Split<N, bool>| {
        let lacks: Result<_, std::convert::Infallible> = there.zip(remotes, |wanted, has| Ok(*wanted && !has));
        let Ok(lacks) = lacks;
        lacks != Split::uniform(false)
    };
    let whole = |locals: &Arc<Locals<N, bool>>| !wanted.is_empty() && !locals.values().any(|part| missing(part));
    layer.map(|row| Arc::new(row.map(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Cidr, Flow, PortRange};
    use crate::policy::{Selector, Space};

    #[test]
    fn near_addresses_are_joined_and_far_ones_asked_for_all() {
        let block = |text: &str| text.parse::<Cidr>().unwrap();
        let space = |port: u16, remote: &str, local: &str| {
            let ports = PortRange::from(port).into();
            PacketSet::from(
                &Space::new(Selector::Tcp(ports), AddressSet::from(block(remote))).with_local(Some(block(local))),
            )
        };
        let set = space(80, "10.0.0.0/9", "192.0.2.1/32").union(&space(80, "10.128.0.0/9", "192.0.2.9/32")).unwrap();
        let set = set.union(&space(22, "10.0.0.0/8", "192.0.2.5/32")).unwrap();
        let own = AddressSet::from_iter([block("192.0.2.0/30"), block("192.0.2.9/32")]);
        let seen = set.at_any_of(&own);
        seen.validate().unwrap();
        assert_eq!(seen.to_string(), "tcp/80 remote 10.0.0.0/8");
        let services = seen.services_from(&AddressSet::from(block("10.0.0.0/8")));
        assert_eq!(services.to_string(), "tcp/80 over IPv4");
        assert!(seen.services_from(&AddressSet::from(block("10.0.0.0/7"))).is_empty());
        assert!(seen.services_from(&AddressSet::empty()).is_empty());
        assert_eq!(seen.contains(&Flow::tcp([10, 200, 0, 1].into(), 80).from_port(9)), Some(true));
    }
}

//! Exact sets of traffic, whatever its addresses.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::boxes::{self, Services};
use super::grid::{self, Grid};
use super::layer::{Layer, Remotes};
use super::packet_set::PacketSet;
use super::split::{Coordinate, Service, Split};
use crate::net::{AddressNumber, AddressSet, Family, Flow, PortRange, PortSet};
use crate::policy::service;

/// An exact set of traffic of both families, whatever its addresses: protocols with destination ports or
/// ICMP messages, and source ports. Equal sets are equal values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceSet {
    pub(crate) v4: Grid<bool>,
    pub(crate) v6: Grid<bool>,
}

/// Traffic of one family that is a product of services and source ports.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ServiceBox {
    /// The family.
    pub family: Family,
    /// Protocols with destination ports or ICMP messages.
    pub services: Services,
    /// Source ports, of protocols that have them.
    pub source_ports: PortSet,
}

impl ServiceSet {
    /// No traffic.
    pub fn empty() -> Self {
        Self { v4: grid::uniform(false), v6: grid::uniform(false) }
    }

    /// All traffic of both families.
    pub fn all() -> Self {
        Self { v4: grid::uniform(true), v6: grid::uniform(true) }
    }

    /// All traffic of one family.
    pub fn all_of(family: Family) -> Self {
        Self { v4: grid::uniform(family == Family::V4), v6: grid::uniform(family == Family::V6) }
    }

    /// Whether no traffic is in the set.
    pub fn is_empty(&self) -> bool {
        !self.has(Family::V4) && !self.has(Family::V6)
    }

    /// Whether some traffic of the family is in the set.
    pub fn has(&self, family: Family) -> bool {
        self.grid(family).single().and_then(|row| row.single()) != Some(&false)
    }

    /// Whether the traffic of a flow is in the set, whatever its addresses; `None` if that depends on a
    /// source port that the flow does not name. Logarithmic for flows that name it.
    pub fn contains(&self, flow: &Flow) -> Option<bool> {
        let wanted = Service(service::service(flow.protocol().number(), flow.selector()));
        let (_, _, row) = self.grid(flow.family()).at(wanted)?;
        match flow.source_port() {
            Some(port) => row.at(port).map(|(_, _, inside)| *inside),
            None => row.single().copied(),
        }
    }

    /// The traffic of both sets.
    pub fn union(&self, other: &Self) -> Self {
        self.combined(other, |ours, theirs| ours || theirs)
    }

    /// The traffic that both sets have.
    pub fn intersection(&self, other: &Self) -> Self {
        self.combined(other, |ours, theirs| ours && theirs)
    }

    /// The traffic that this set has and the other has not.
    pub fn difference(&self, other: &Self) -> Self {
        self.combined(other, |ours, theirs| ours && !theirs)
    }

    /// The traffic that is not in the set.
    pub fn complement(&self) -> Self {
        Self { v4: grid::map(&self.v4, |inside| !inside), v6: grid::map(&self.v6, |inside| !inside) }
    }

    /// Whether the other set has all traffic of this one.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }

    fn combined(&self, other: &Self, f: impl Fn(bool, bool) -> bool) -> Self {
        let part = |ours: &Grid<bool>, theirs: &Grid<bool>| grid::zip(ours, theirs, |a, b| f(*a, *b));
        Self { v4: part(&self.v4, &other.v4), v6: part(&self.v6, &other.v6) }
    }

    fn grid(&self, family: Family) -> &Grid<bool> {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// The packets that are this traffic, with these far and near addresses.
    pub fn packets(&self, remote: &AddressSet, local: &AddressSet) -> PacketSet {
        PacketSet {
            v4: with_addresses(&self.v4, remote.numbers_v4(), local.numbers_v4()),
            v6: with_addresses(&self.v6, remote.numbers_v6(), local.numbers_v6()),
        }
    }

    /// The set as boxes that together have exactly its traffic, IPv4 first. They may overlap.
    pub fn boxes(&self) -> Vec<ServiceBox> {
        let everywhere = self.packets(&AddressSet::all(), &AddressSet::all());
        let mut found = boxes::of(&everywhere.v4, Family::V4, PacketSet::OVERLAPPING);
        found.extend(boxes::of(&everywhere.v6, Family::V6, PacketSet::OVERLAPPING));
        let reduced = found.into_iter();
        reduced
            .map(|part| ServiceBox { family: part.family, services: part.services, source_ports: part.source_ports })
            .collect()
    }
}

fn with_addresses<N: Coordinate + AddressNumber>(
    grid: &Grid<bool>,
    remote: &[(N, N)],
    local: &[(N, N)],
) -> Layer<N, bool> {
    let nowhere: Arc<Remotes<N, bool>> = Arc::new(Split::uniform(false));
    let there = Arc::new(Split::of_ranges(remote, &true, &false));
    let outside = Arc::new(Split::uniform(nowhere.clone()));
    let inside = Arc::new(Split::of_ranges(local, &there, &nowhere));
    grid.map(|row| Arc::new(row.map(|here| if *here { inside.clone() } else { outside.clone() })))
}

/// `tcp/443`, `udp/53 from source port 1024-65535`.
impl fmt::Display for ServiceBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.services.fmt(f)?;
        if self.source_ports.is_all() { Ok(()) } else { write!(f, " from source port {}", self.source_ports) }
    }
}

/// The boxes by family, `tcp/22; udp/53 over IPv4; tcp/22 over IPv6`; the first few, and how many more
/// there are.
impl fmt::Display for ServiceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let boxes = self.boxes();
        let text = |family: Family| {
            let own: Vec<String> = boxes.iter().filter(|b| b.family == family).map(ToString::to_string).collect();
            let mut text = own.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
            if let Some(more) = own.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                text.push_str(&format!("; and {more} more"));
            }
            text
        };
        let (v4, v6) = (text(Family::V4), text(Family::V6));
        match (v4.as_str(), v6.as_str()) {
            ("", "") => f.write_str("nothing"),
            (v4, "") => write!(f, "{v4} over IPv4"),
            ("", v6) => write!(f, "{v6} over IPv6"),
            (v4, v6) if v4 == v6 => write!(f, "{v4} over IPv4 and IPv6"),
            (v4, v6) => write!(f, "{v4} over IPv4; {v6} over IPv6"),
        }
    }
}

/// A box in a file, with exact numbers beside the text.
#[derive(Serialize)]
struct BoxFields {
    family: Family,
    text: String,
    services: Vec<ServiceFields>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    source_ports: Vec<PortRange>,
}

/// From a protocol and selector (a port, or an ICMP type times 256 and a code) to another.
#[derive(Serialize)]
struct ServiceFields {
    first: (u8, u16),
    last: (u8, u16),
}

/// Text and exact ranges of services; source ports where they are not all.
impl Serialize for ServiceBox {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = |service: u32| {
            let [_, protocol, high, low] = service.to_be_bytes();
            (protocol, u16::from_be_bytes([high, low]))
        };
        let ranges = self.services.ranges().iter();
        let ports = if self.source_ports.is_all() { Vec::new() } else { self.source_ports.ranges().to_vec() };
        let fields = BoxFields {
            family: self.family,
            text: self.to_string(),
            services: ranges.map(|(first, last)| ServiceFields { first: place(*first), last: place(*last) }).collect(),
            source_ports: ports,
        };
        fields.serialize(serializer)
    }
}

/// As its boxes.
impl Serialize for ServiceSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.boxes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Selector, Space};

    fn set(selector: Selector, remote: Family) -> ServiceSet {
        let packets = PacketSet::from(&Space::new(selector, AddressSet::all_of(remote)));
        packets.services_from(&AddressSet::all_of(remote))
    }

    #[test]
    fn in_words() {
        let ssh = Selector::Tcp(PortRange::from(22).into());
        let (v4, v6) = (set(ssh.clone(), Family::V4), set(ssh, Family::V6));
        assert_eq!(v4.to_string(), "tcp/22 over IPv4");
        assert_eq!(v4.union(&v6).to_string(), "tcp/22 over IPv4 and IPv6");
        assert_eq!(ServiceSet::all_of(Family::V6).union(&v4).to_string(), "tcp/22 over IPv4; all protocols over IPv6");
        assert_eq!(ServiceSet::empty().to_string(), "nothing");
        assert_eq!(v4.union(&v4.complement()), ServiceSet::all());
        assert!(v4.is_subset(&ServiceSet::all()) && !ServiceSet::all().is_subset(&v4));
        assert!(v4.intersection(&v6).is_empty() && v4.has(Family::V4) && !v4.has(Family::V6));
    }

    #[test]
    fn membership_needs_the_source_port_only_where_it_matters() {
        let all = AddressSet::all_of(Family::V4);
        let space = Space::new(Selector::Tcp(PortRange::from(22).into()), all.clone())
            .with_source_ports(PortRange::new(1024, 65_535).ok());
        let set = PacketSet::from(&space).services_from(&all);
        let flow = |port| Flow::tcp([192, 0, 2, 1].into(), port);
        assert_eq!(set.contains(&flow(22)), None);
        assert_eq!(set.contains(&flow(22).from_port(1023)), Some(false));
        assert_eq!(set.contains(&flow(22).from_port(1024)), Some(true));
        assert_eq!(set.contains(&flow(23)), Some(false));
        assert_eq!(set.to_string(), "tcp/22 from source port 1024-65535 over IPv4");
        let json = serde_json::to_value(&set).unwrap();
        assert_eq!(json[0]["services"][0]["first"], serde_json::json!([6, 22]));
        assert_eq!(json[0]["source_ports"], serde_json::json!(["1024-65535"]));
    }
}

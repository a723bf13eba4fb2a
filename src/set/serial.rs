//! Sets in files: the boxes, with exact numbers.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::boxes::{PacketBox, Services};
use super::layer;
use super::packet_set::PacketSet;
use super::split::Service;
use crate::net::{AddressSet, Cidr, Family, PortRange, PortSet};
use crate::policy::service;

/// A box in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoxFields {
    family: Family,
    services: Vec<ServiceFields>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    source_ports: Vec<PortRange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    local: Vec<Addresses>,
    remote: Vec<Addresses>,
}

/// A range of services: from a protocol and selector (a port, or an ICMP type times 256 and a code) to
/// another.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceFields {
    first: (u8, u16),
    last: (u8, u16),
}

/// A range of addresses.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Addresses {
    first: IpAddr,
    last: IpAddr,
}

impl From<&PacketBox> for BoxFields {
    fn from(part: &PacketBox) -> Self {
        let range = |(first, last)| Addresses { first, last };
        let place = |service: u32| {
            let [_, protocol, high, low] = service.to_be_bytes();
            (protocol, u16::from_be_bytes([high, low]))
        };
        let services = part.services.ranges().iter();
        let all_local = part.local == AddressSet::all_of(part.family);
        Self {
            family: part.family,
            services: services
                .map(|(first, last)| ServiceFields { first: place(*first), last: place(*last) })
                .collect(),
            source_ports: if part.source_ports.is_all() { Vec::new() } else { part.source_ports.ranges().to_vec() },
            local: if all_local { Vec::new() } else { part.local.iter().map(range).collect() },
            remote: part.remote.iter().map(range).collect(),
        }
    }
}

impl BoxFields {
    fn read(self) -> Result<PacketBox, String> {
        let family = self.family;
        let addresses = |ranges: Vec<Addresses>| -> Result<AddressSet, String> {
            let (mut v4, mut v6) = (Vec::new(), Vec::new());
            for Addresses { first, last } in ranges {
                match (first, last) {
                    (IpAddr::V4(first), IpAddr::V4(last)) if family == Family::V4 && first <= last => {
                        v4.push((first.into(), last.into()));
                    }
                    (IpAddr::V6(first), IpAddr::V6(last)) if family == Family::V6 && first <= last => {
                        v6.push((first.into(), last.into()));
                    }
                    _ => return Err(format!("`{first}` to `{last}` is not a range of {family} addresses")),
                }
            }
            Ok(AddressSet::of_numbers(v4, v6))
        };
        let mut services = Vec::new();
        for ServiceFields { first, last } in self.services {
            let at = |(protocol, selector)| service::service(protocol, selector);
            let (first, last) = (at(first), at(last));
            let in_order = services.last().is_none_or(|(_, before): &(Service, Service)| before.0 < first);
            if first > last || !in_order {
                return Err("ranges of services are out of order".to_owned());
            }
            services.push((Service(first), Service(last)));
        }
        let source_ports: PortSet =
            if self.source_ports.is_empty() { PortSet::all() } else { self.source_ports.into_iter().collect() };
        Ok(PacketBox {
            family,
            services: Services::of(family, services),
            source_ports,
            local: if self.local.is_empty() { Cidr::all(family).into() } else { addresses(self.local)? },
            remote: addresses(self.remote)?,
        })
    }
}

impl From<&PacketBox> for PacketSet {
    fn from(part: &PacketBox) -> Self {
        let services: Vec<(Service, Service)> =
            part.services.ranges().iter().map(|(first, last)| (Service(*first), Service(*last))).collect();
        let sources: Vec<(u16, u16)> = part.source_ports.ranges().iter().map(|p| (p.first(), p.last())).collect();
        let mut set = Self::empty();
        match part.family {
            Family::V4 => {
                set.v4 = layer::of_box(&services, &sources, part.local.numbers_v4(), part.remote.numbers_v4());
            }
            Family::V6 => {
                set.v6 = layer::of_box(&services, &sources, part.local.numbers_v6(), part.remote.numbers_v6());
            }
        }
        set
    }
}

impl Serialize for PacketBox {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        BoxFields::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PacketBox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BoxFields::deserialize(deserializer)?.read().map_err(de::Error::custom)
    }
}

/// As its boxes.
impl Serialize for PacketSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.boxes())
    }
}

/// From boxes, which may overlap; the form that comes out is the canonical one.
impl<'de> Deserialize<'de> for PacketSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let boxes = Vec::<PacketBox>::deserialize(deserializer)?;
        let set = Self::of_boxes(&boxes).map_err(de::Error::custom)?;
        set.validate().map_err(de::Error::custom)?;
        Ok(set)
    }
}

impl PacketSet {
    /// The packets of these boxes.
    ///
    /// # Errors
    /// [`SetError`](super::SetError) if the set has too many cells.
    pub fn of_boxes(boxes: &[PacketBox]) -> Result<Self, super::SetError> {
        // Pairs first, so that large sets are united only a few times.
        let mut sets: Vec<Self> = boxes.iter().map(Self::from).collect();
        while sets.len() > 1 {
            let mut joined = Vec::with_capacity(sets.len().div_ceil(2));
            for pair in sets.chunks(2) {
                match pair {
                    [one, other] => joined.push(one.union(other)?),
                    rest => joined.extend_from_slice(rest),
                }
            }
            sets = joined;
        }
        Ok(sets.pop().unwrap_or_else(Self::empty))
    }
}

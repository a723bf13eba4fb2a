//! Ports of TCP and of UDP, and the families that a control looks at.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::net::{Family, PortRange, PortRangeError, PortSet, Protocol};
use crate::policy::service;
use crate::set::by_service::ServiceRanges;

/// Destination ports of TCP and of UDP, which are told apart (trap T3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServicePorts {
    /// Ports of TCP.
    pub tcp: PortSet,
    /// Ports of UDP.
    pub udp: PortSet,
}

impl ServicePorts {
    /// These ports of TCP, and none of UDP.
    pub fn tcp(ports: PortSet) -> Self {
        Self { tcp: ports, udp: PortSet::empty() }
    }

    /// These ports of UDP, and none of TCP.
    pub fn udp(ports: PortSet) -> Self {
        Self { tcp: PortSet::empty(), udp: ports }
    }

    /// These ports of both protocols.
    pub fn both(ports: PortSet) -> Self {
        Self { tcp: ports.clone(), udp: ports }
    }

    /// Every port of both protocols, without protocol and selector of any other.
    pub(super) fn all() -> Self {
        Self::both(PortSet::all())
    }

    /// As ranges of services.
    pub(super) fn services(&self) -> ServiceRanges {
        let of = |protocol: Protocol, ports: &PortSet| -> ServiceRanges {
            let number = |port| service::service(protocol.number(), port);
            ports.ranges().iter().map(|range| (number(range.first()), number(range.last()))).collect()
        };
        let mut services = of(Protocol::TCP, &self.tcp);
        services.extend(of(Protocol::UDP, &self.udp));
        services
    }
}

/// `tcp/22,3389 and udp/3389`.
impl fmt::Display for ServicePorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tcp.is_empty(), self.udp.is_empty()) {
            (true, true) => f.write_str("no port"),
            (false, true) => write!(f, "tcp/{}", self.tcp),
            (true, false) => write!(f, "udp/{}", self.udp),
            (false, false) if self.tcp == self.udp => write!(f, "tcp and udp/{}", self.tcp),
            (false, false) => write!(f, "tcp/{} and udp/{}", self.tcp, self.udp),
        }
    }
}

/// As text.
impl Serialize for ServicePorts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads ports as auditors write them, `443,1020-1025` (AWS-128); spaces around commas do not count.
///
/// # Errors
/// [`PortRangeError`] if a part is not a port or a range.
pub fn parse_ports(text: &str) -> Result<PortSet, PortRangeError> {
    text.split(',').map(|part| part.trim().parse::<PortRange>()).collect()
}

/// Ports from a table of first and last ones. A range that ends before it begins is left out.
pub(super) fn ports(table: &[(u16, u16)]) -> PortSet {
    table.iter().filter_map(|(first, last)| PortRange::new(*first, *last).ok()).collect()
}

/// Single ports from a table.
pub(super) fn single(table: &[u16]) -> PortSet {
    table.iter().copied().map(PortRange::from).collect()
}

/// The address families that a control looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Families {
    /// Only sources such as `0.0.0.0/0`.
    Ipv4,
    /// Only sources such as `::/0`.
    Ipv6,
    /// Both, each by itself (AWS-33).
    Both,
}

impl Families {
    /// Whether the control looks at this family.
    pub fn has(self, family: Family) -> bool {
        match self {
            Self::Ipv4 => family == Family::V4,
            Self::Ipv6 => family == Family::V6,
            Self::Both => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_ports() {
        let both = parse_ports("443, 1020-1025").unwrap();
        assert_eq!(both.to_string(), "443,1020-1025");
        assert!(parse_ports("443,,80").is_err() && parse_ports("").is_err() && parse_ports("25-20").is_err());
        assert_eq!(ServicePorts::tcp(both.clone()).to_string(), "tcp/443,1020-1025");
        assert_eq!(ServicePorts::both(both.clone()).to_string(), "tcp and udp/443,1020-1025");
        let apart = ServicePorts { tcp: both, udp: single(&[53]) };
        assert_eq!(apart.to_string(), "tcp/443,1020-1025 and udp/53");
        assert_eq!(ServicePorts::udp(PortSet::empty()).to_string(), "no port");
        assert_eq!(apart.services(), [(0x06_01bb, 0x06_01bb), (0x06_03fc, 0x06_0401), (0x11_0035, 0x11_0035)]);
    }
}

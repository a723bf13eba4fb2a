//! The packet that every question is about.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::family::{Family, number};
use super::icmp::IcmpMessage;
use super::protocol::Protocol;

/// Which way a packet goes, seen from the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the interface: inbound.
    Ingress,
    /// Away from the interface: outbound.
    Egress,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

/// What a flow carries above IP, as far as rules can see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payload {
    /// A TCP segment that opens a connection.
    Tcp {
        /// The packet's source port; `None` if it is not known.
        source: Option<u16>,
        /// The packet's destination port.
        destination: u16,
    },
    /// A UDP datagram that opens a conversation.
    Udp {
        /// The packet's source port; `None` if it is not known.
        source: Option<u16>,
        /// The packet's destination port.
        destination: u16,
    },
    /// An ICMP message over IPv4 or an ICMPv6 message over IPv6.
    Icmp(IcmpMessage),
    /// Any other protocol, of which rules see the number only. Number 1 over IPv6 and number 58 over
    /// IPv4 are such bare numbers (AWS-34).
    Other(Protocol),
}

/// The opening packet of a conversation at one interface: the far address, the interface's own, and
/// what lies above IP.
///
/// Ports are the packet's own: the destination port is the local one on ingress and the remote one
/// on egress. What a caller may not know, the local address and the source port, may be left out; a
/// rule that depends on it then *may* match, and the answer can be `Indeterminate`.
///
/// ```
/// use secgroup::net::Flow;
///
/// let flow = Flow::tcp("198.51.100.7".parse()?, 443).from_port(40_000).at("10.0.1.10".parse()?)?;
/// assert_eq!(flow.to_string(), "tcp/443 between 198.51.100.7 and 10.0.1.10, source port 40000");
/// assert!(flow.at("2001:db8::1".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    // Plain numbers, because matchers look up billions of them: no field needs a branch to be read.
    remote: u128,
    /// 0 if it is not known.
    local: u128,
    family: Family,
    protocol: Protocol,
    /// The destination port, or the ICMP type and code in one number; 0 where there is neither.
    selector: u16,
    /// 0 if it is not known or there is none.
    source: u16,
    has_local: bool,
    has_source: bool,
}

/// Why parts do not make up a flow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The two addresses are of different families.
    #[error("the addresses {remote} and {local} are of different families")]
    MixedFamilies {
        /// The far address.
        remote: IpAddr,
        /// The interface's address.
        local: IpAddr,
    },
    /// ICMP goes over IPv4 only, ICMPv6 over IPv6 only.
    #[error("{protocol} messages do not travel over {family}")]
    IcmpFamily {
        /// `icmp` or `icmpv6`.
        protocol: Protocol,
        /// The family of the addresses.
        family: Family,
    },
    /// TCP and UDP have ports, ICMP has a type and code; a bare number is not enough.
    #[error("{0} needs more than its protocol number: ports, or an ICMP type and code")]
    NeedsPayload(Protocol),
}

impl Flow {
    /// A TCP connection to this destination port; source port and local address unknown.
    pub fn tcp(remote: IpAddr, destination_port: u16) -> Self {
        Self::new(remote, Payload::Tcp { source: None, destination: destination_port })
    }

    /// A UDP conversation to this destination port; source port and local address unknown.
    pub fn udp(remote: IpAddr, destination_port: u16) -> Self {
        Self::new(remote, Payload::Udp { source: None, destination: destination_port })
    }

    /// A message of the ICMP that belongs to the address's family.
    pub fn icmp(remote: IpAddr, message: IcmpMessage) -> Self {
        Self::new(remote, Payload::Icmp(message))
    }

    /// A packet of a protocol that has neither ports nor ICMP messages.
    ///
    /// # Errors
    /// [`FlowError::NeedsPayload`] for TCP, UDP, ICMP over IPv4 and ICMPv6 over IPv6.
    pub fn other(remote: IpAddr, protocol: Protocol) -> Result<Self, FlowError> {
        let flow = Self::new(remote, Payload::Other(protocol));
        let has_payload = [Protocol::TCP, Protocol::UDP, icmp_of(flow.family())];
        if has_payload.contains(&protocol) {
            return Err(FlowError::NeedsPayload(protocol));
        }
        Ok(flow)
    }

    /// A packet that carries this.
    ///
    /// # Errors
    /// As [`Flow::other`]: the number of a protocol with ports or messages says too little. 1 is a bare
    /// number over IPv6 and ICMP over IPv4.
    pub(crate) fn carrying(remote: IpAddr, payload: Payload) -> Result<Self, FlowError> {
        match payload {
            Payload::Other(protocol) => Self::other(remote, protocol),
            payload => Ok(Self::new(remote, payload)),
        }
    }

    fn new(remote: IpAddr, payload: Payload) -> Self {
        let family = Family::of(remote);
        let (protocol, selector, source) = match payload {
            Payload::Tcp { source, destination } => (Protocol::TCP, destination, source),
            Payload::Udp { source, destination } => (Protocol::UDP, destination, source),
            Payload::Icmp(message) => (icmp_of(family), message.selector(), None),
            Payload::Other(protocol) => (protocol, 0, None),
        };
        Self {
            remote: number(remote),
            local: 0,
            family,
            protocol,
            selector,
            source: source.unwrap_or_default(),
            has_local: false,
            has_source: source.is_some(),
        }
    }

    /// The same flow from this source port; no change where the protocol has no ports.
    pub fn from_port(mut self, port: u16) -> Self {
        if self.has_ports() {
            (self.source, self.has_source) = (port, true);
        }
        self
    }

    /// The same flow at this address of the interface.
    ///
    /// # Errors
    /// [`FlowError::MixedFamilies`] if the address is not of the remote address's family.
    pub fn at(mut self, local: IpAddr) -> Result<Self, FlowError> {
        if Family::of(local) != self.family() {
            return Err(FlowError::MixedFamilies { remote: self.remote(), local });
        }
        (self.local, self.has_local) = (number(local), true);
        Ok(self)
    }

    /// The far address: the source on ingress, the destination on egress.
    pub fn remote(&self) -> IpAddr {
        self.family.address(self.remote)
    }

    /// The interface's address, where it is known.
    pub fn local(&self) -> Option<IpAddr> {
        self.has_local.then(|| self.family.address(self.local))
    }

    /// What lies above IP.
    pub fn payload(&self) -> Payload {
        match self.protocol {
            Protocol::TCP => Payload::Tcp { source: self.source_port(), destination: self.selector },
            Protocol::UDP => Payload::Udp { source: self.source_port(), destination: self.selector },
            protocol if protocol == icmp_of(self.family) => Payload::Icmp(IcmpMessage::of_selector(self.selector)),
            protocol => Payload::Other(protocol),
        }
    }

    /// The address family of both ends.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The IP protocol number.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The packet's source port, where the protocol has one and it is known.
    pub fn source_port(&self) -> Option<u16> {
        self.has_source.then_some(self.source)
    }

    /// The packet's destination port, where the protocol has one.
    pub fn destination_port(&self) -> Option<u16> {
        self.has_ports().then_some(self.selector)
    }

    /// Whether the protocol has ports.
    pub(crate) fn has_ports(&self) -> bool {
        self.protocol == Protocol::TCP || self.protocol == Protocol::UDP
    }

    /// The far address as a number.
    pub(crate) fn remote_number(&self) -> u128 {
        self.remote
    }

    /// The interface's address as a number, where it is known.
    pub(crate) fn local_number(&self) -> Option<u128> {
        self.has_local.then_some(self.local)
    }

    /// The destination port, or the ICMP type and code in one number (`type << 8 | code`); 0 for
    /// other protocols.
    pub(crate) fn selector(&self) -> u16 {
        self.selector
    }

    /// What is asked for, without addresses: `tcp/443`, `icmp/8/0`, `esp`.
    pub fn service(&self) -> String {
        let protocol = self.protocol();
        match self.payload() {
            Payload::Tcp { destination, .. } | Payload::Udp { destination, .. } => format!("{protocol}/{destination}"),
            Payload::Icmp(message) => format!("{protocol}/{message}"),
            Payload::Other(_) => protocol.to_string(),
        }
    }
}

/// The protocol number of the ICMP that goes with a family.
fn icmp_of(family: Family) -> Protocol {
    match family {
        Family::V4 => Protocol::ICMP,
        Family::V6 => Protocol::ICMPV6,
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("remote", &self.remote())
            .field("local", &self.local())
            .field("payload", &self.payload())
            .finish()
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} between {} and ", self.service(), self.remote())?;
        match self.local() {
            Some(local) => write!(f, "{local}")?,
            None => f.write_str("the interface")?,
        }
        match self.source_port() {
            Some(port) => write!(f, ", source port {port}"),
            None => Ok(()),
        }
    }
}

/// The fields of a flow in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowFields {
    protocol: Protocol,
    remote: IpAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destination_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    icmp: Option<IcmpMessage>,
}

impl Serialize for Flow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let icmp = match self.payload() {
            Payload::Icmp(message) => Some(message),
            _ => None,
        };
        FlowFields {
            protocol: self.protocol(),
            remote: self.remote(),
            local: self.local(),
            source_port: self.source_port(),
            destination_port: self.destination_port(),
            icmp,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Flow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = FlowFields::deserialize(deserializer)?;
        let FlowFields { protocol, remote, local, source_port, destination_port, icmp } = fields;
        let has_ports = protocol == Protocol::TCP || protocol == Protocol::UDP;
        let payload = match (destination_port, icmp) {
            (Some(destination), None) if protocol == Protocol::TCP => Payload::Tcp { source: source_port, destination },
            (Some(destination), None) if protocol == Protocol::UDP => Payload::Udp { source: source_port, destination },
            (None, Some(message))
                if source_port.is_none() && (protocol == Protocol::ICMP || protocol == Protocol::ICMPV6) =>
            {
                let family = Family::of(remote);
                if protocol != icmp_of(family) {
                    return Err(de::Error::custom(FlowError::IcmpFamily { protocol, family }));
                }
                Payload::Icmp(message)
            }
            (None, None) if !has_ports && source_port.is_none() => {
                Self::other(remote, protocol).map_err(de::Error::custom)?.payload()
            }
            (None, _) if has_ports => return Err(de::Error::missing_field("destination_port")),
            _ => return Err(de::Error::custom(format!("{protocol} does not have these fields together"))),
        };
        let flow = Self::new(remote, payload);
        match local {
            Some(local) => flow.at(local).map_err(de::Error::custom),
            None => Ok(flow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// AWS-34: protocol 1 over IPv6 and 58 over IPv4 are bare numbers.
    #[test]
    fn icmp_of_the_other_family_is_a_bare_number() {
        assert!(Flow::other(ip("10.0.0.1"), Protocol::ICMP).is_err());
        assert!(Flow::other(ip("::1"), Protocol::ICMPV6).is_err());
        assert_eq!(Flow::other(ip("::1"), Protocol::ICMP).unwrap().protocol(), Protocol::ICMP);
        assert_eq!(Flow::other(ip("10.0.0.1"), Protocol::ICMPV6).unwrap().protocol(), Protocol::ICMPV6);
        assert_eq!(Flow::icmp(ip("::1"), IcmpMessage::ECHO_REQUEST_V6).protocol(), Protocol::ICMPV6);
    }

    #[test]
    fn serde_round_trip_and_strictness() {
        let flows = [
            Flow::tcp(ip("10.0.0.1"), 443).from_port(40_000).at(ip("10.0.0.2")).unwrap(),
            Flow::udp(ip("2001:db8::1"), 53),
            Flow::icmp(ip("10.0.0.1"), IcmpMessage::ECHO_REQUEST),
            Flow::other(ip("10.0.0.1"), Protocol::GRE).unwrap(),
        ];
        for flow in flows {
            let text = serde_json::to_string(&flow).unwrap();
            assert_eq!(serde_json::from_str::<Flow>(&text).unwrap(), flow, "{text}");
        }
        for text in [
            r#"{"protocol":"tcp","remote":"10.0.0.1"}"#,
            r#"{"protocol":"icmp","remote":"10.0.0.1"}"#,
            r#"{"protocol":"icmp","remote":"::1","icmp":{"type":8,"code":0}}"#,
            r#"{"protocol":"gre","remote":"10.0.0.1","destination_port":1}"#,
            r#"{"protocol":"tcp","remote":"10.0.0.1","destination_port":1,"local":"::1"}"#,
            r#"{"protocol":"tcp","remote":"10.0.0.1","destination_port":1,"port":2}"#,
            r#"{"protocol":"icmp","remote":"10.0.0.1","icmp":{"type":8,"code":0},"source_port":5}"#,
        ] {
            assert!(serde_json::from_str::<Flow>(text).is_err(), "{text} was accepted");
        }
    }
}

//! From one interface to another: out of the one and into the other.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;
use thiserror::Error;

use super::scope::Scope;
use super::{LowerError, PolicyEngine};
use crate::model::{Interface, InterfaceId, Inventory};
use crate::net::{Direction, Family, Flow, IcmpMessage, Payload, Protocol};
use crate::policy::{Basis, Explanation, Verdict};

/// The traffic that is sent along a path: what lies above IP, and the addresses if they matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// What lies above IP.
    pub payload: Payload,
    /// The only family it can use; `None` is either.
    pub family: Option<Family>,
    /// The sender's address; `None` chooses its primary address.
    pub from_address: Option<IpAddr>,
    /// The receiver's address; `None` chooses its primary address.
    pub to_address: Option<IpAddr>,
}

impl Probe {
    fn new(payload: Payload) -> Self {
        Self { payload, family: None, from_address: None, to_address: None }
    }

    /// A TCP connection to this port.
    pub fn tcp(destination_port: u16) -> Self {
        Self::new(Payload::Tcp { source: None, destination: destination_port })
    }

    /// A UDP conversation to this port.
    pub fn udp(destination_port: u16) -> Self {
        Self::new(Payload::Udp { source: None, destination: destination_port })
    }

    /// An ICMP message over IPv4.
    pub fn icmp(message: IcmpMessage) -> Self {
        Self { family: Some(Family::V4), ..Self::new(Payload::Icmp(message)) }
    }

    /// An ICMPv6 message over IPv6.
    pub fn icmpv6(message: IcmpMessage) -> Self {
        Self { family: Some(Family::V6), ..Self::new(Payload::Icmp(message)) }
    }

    /// A packet of another protocol.
    ///
    /// # Errors
    /// As [`Flow::other`].
    pub fn other(protocol: Protocol) -> Result<Self, crate::net::FlowError> {
        // ICMP over IPv6 and ICMPv6 over IPv4 are bare numbers, but nobody means them by a name.
        if [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6].contains(&protocol) {
            return Err(crate::net::FlowError::NeedsPayload(protocol));
        }
        Ok(Self::new(Payload::Other(protocol)))
    }

    /// The same probe over this family only.
    pub fn over(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// The same probe from this source port; no change where the protocol has no ports.
    pub fn from_port(mut self, port: u16) -> Self {
        if let Payload::Tcp { source, .. } | Payload::Udp { source, .. } = &mut self.payload {
            *source = Some(port);
        }
        self
    }

    /// The same probe between these addresses.
    pub fn between(mut self, from: IpAddr, to: IpAddr) -> Self {
        self.from_address = Some(from);
        self.to_address = Some(to);
        self
    }
}

/// What becomes of traffic from one interface to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct PathReport {
    /// Allowed if both ends allow, denied if one denies.
    pub verdict: Verdict,
    /// The sender's end and the receiver's end, in this order; empty if both are one interface,
    /// whose traffic to itself no group sees.
    pub ends: Vec<PathEnd>,
}

/// One end of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PathEnd {
    /// The interface.
    pub interface: InterfaceId,
    /// What it does and why.
    pub explanation: Explanation,
}

/// Why a path cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// There is no such interface.
    #[error("there is no interface `{0}`")]
    NoInterface(InterfaceId),
    /// The two ends have no address of one family that the traffic could use.
    #[error("`{from}` and `{to}` have no addresses of one family for this traffic ({wanted})", wanted = family.map_or("IPv4 or IPv6".to_owned(), |family| family.to_string()))]
    NoCommonFamily {
        /// The sender.
        from: InterfaceId,
        /// The receiver.
        to: InterfaceId,
        /// The family that the traffic is bound to.
        family: Option<Family>,
    },
    /// The addresses asked for do not go together.
    #[error(transparent)]
    Flow(#[from] crate::net::FlowError),
    /// The configuration cannot be lowered.
    #[error(transparent)]
    Lower(#[from] LowerError),
}

/// Judges traffic from one interface to another: egress at the sender and ingress at the receiver,
/// each by its own groups, with references resolved on both sides (AWS-30; section 0 of the Alibaba
/// facts).
///
/// Addresses are the primary private ones of a family that both have, IPv4 before IPv6, unless the
/// probe names them.
///
/// # Errors
/// [`PathError`] if there is no such interface, no common family, or a policy cannot be lowered.
pub fn path(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    from: &str,
    to: &str,
    probe: &Probe,
) -> Result<PathReport, PathError> {
    let interface = |id: &str| inventory.interface(id).ok_or_else(|| PathError::NoInterface(id.into()));
    let (from, to) = (interface(from)?, interface(to)?);
    if from.id == to.id {
        return Ok(PathReport { verdict: Verdict::Allow, ends: Vec::new() });
    }
    let (from_address, to_address) = addresses(from, to, probe)?;
    let out = Flow::new(to_address, probe.payload).at(from_address)?;
    let into = Flow::new(from_address, probe.payload).at(to_address)?;
    let end = |interface: &Interface, direction, flow: &Flow| -> Result<PathEnd, LowerError> {
        let policy = engine.lower(&Scope::new(inventory, interface, direction))?;
        Ok(PathEnd { interface: interface.id.clone(), explanation: policy.explain(flow) })
    };
    let ends = vec![end(from, Direction::Egress, &out)?, end(to, Direction::Ingress, &into)?];
    let verdicts = || ends.iter().map(|end| end.explanation.verdict);
    let verdict = if verdicts().any(|verdict| verdict == Verdict::Deny) {
        Verdict::Deny
    } else if verdicts().all(|verdict| verdict == Verdict::Allow) {
        Verdict::Allow
    } else {
        Verdict::Indeterminate
    };
    Ok(PathReport { verdict, ends })
}

fn addresses(from: &Interface, to: &Interface, probe: &Probe) -> Result<(IpAddr, IpAddr), PathError> {
    let bound = probe.family.or(probe.from_address.or(probe.to_address).map(Family::of));
    Family::ALL
        .into_iter()
        .filter(|family| bound.is_none_or(|bound| bound == *family))
        .find_map(|family| {
            let sender = probe.from_address.or_else(|| from.local_address(family))?;
            let receiver = probe.to_address.or_else(|| to.local_address(family))?;
            Some((sender, receiver))
        })
        .ok_or_else(|| PathError::NoCommonFamily { from: from.id.clone(), to: to.id.clone(), family: bound })
}

impl PathReport {
    /// Whether no group sees the traffic at either end.
    pub fn is_unfiltered(&self) -> bool {
        self.ends.iter().all(|end| end.explanation.basis == Basis::Unfiltered)
    }
}

impl fmt::Display for PathReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict.to_string().to_uppercase())?;
        if self.ends.is_empty() {
            return f.write_str(": traffic of an interface to itself does not pass its security groups");
        }
        let failing: Vec<&str> = self
            .ends
            .iter()
            .filter(|end| end.explanation.verdict == self.verdict && self.verdict != Verdict::Allow)
            .map(|end| end.interface.as_str())
            .collect();
        if failing.is_empty() {
            f.write_str(": both ends allow it")?;
        } else {
            write!(f, ": because of {}", failing.join(" and "))?;
        }
        for end in &self.ends {
            write!(f, "\n{}:\n{}", end.interface, end.explanation)?;
        }
        Ok(())
    }
}

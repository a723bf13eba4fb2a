//! From one interface to another: out of the one and into the other.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;
use thiserror::Error;

use super::scope::Scope;
use super::{LowerError, PolicyEngine};
use crate::model::{Interface, InterfaceId, Inventory};
use crate::net::{Direction, Family, Flow, FlowError, IcmpMessage, Payload, Protocol};
use crate::policy::{Basis, Explanation, Verdict};

/// The traffic that is sent along a path: what lies above IP, and the addresses if they matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    payload: Payload,
    /// The family that the protocol is bound to, for ICMP and ICMPv6.
    protocol_family: Option<Family>,
    family: Option<Family>,
    from_address: Option<IpAddr>,
    to_address: Option<IpAddr>,
    identity_preserved: bool,
}

impl Probe {
    fn new(payload: Payload, protocol_family: Option<Family>) -> Self {
        Self {
            payload,
            protocol_family,
            family: protocol_family,
            from_address: None,
            to_address: None,
            identity_preserved: true,
        }
    }

    /// A TCP connection to this port.
    pub fn tcp(destination_port: u16) -> Self {
        Self::new(Payload::Tcp { source: None, destination: destination_port }, None)
    }

    /// A UDP conversation to this port.
    pub fn udp(destination_port: u16) -> Self {
        Self::new(Payload::Udp { source: None, destination: destination_port }, None)
    }

    /// An ICMP message over IPv4.
    pub fn icmp(message: IcmpMessage) -> Self {
        Self::new(Payload::Icmp(message), Some(Family::V4))
    }

    /// An ICMPv6 message over IPv6.
    pub fn icmpv6(message: IcmpMessage) -> Self {
        Self::new(Payload::Icmp(message), Some(Family::V6))
    }

    /// A packet of another protocol.
    ///
    /// # Errors
    /// [`FlowError::NeedsPayload`] for TCP, UDP, ICMP and ICMPv6.
    pub fn other(protocol: Protocol) -> Result<Self, FlowError> {
        // ICMP over IPv6 and ICMPv6 over IPv4 are bare numbers, but nobody means them by a name.
        if [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6].contains(&protocol) {
            return Err(FlowError::NeedsPayload(protocol));
        }
        Ok(Self::new(Payload::Other(protocol), None))
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

    /// The same probe from this address of the sender, in place of its primary one.
    pub fn from_address(mut self, address: IpAddr) -> Self {
        self.from_address = Some(address);
        self
    }

    /// The same probe to this address of the receiver, in place of its primary one.
    pub fn to_address(mut self, address: IpAddr) -> Self {
        self.to_address = Some(address);
        self
    }

    /// The same probe between these addresses of sender and receiver.
    pub fn between(self, from: IpAddr, to: IpAddr) -> Self {
        self.from_address(from).to_address(to)
    }

    /// The same probe through something that hides who the sender is, so that references to groups
    /// match nothing (AWS-43).
    pub fn behind_middlebox(mut self) -> Self {
        self.identity_preserved = false;
        self
    }

    /// The packet as it leaves the sender and as it reaches the receiver, whose primary addresses of a
    /// family are given; `None` if they have no addresses of one family that the traffic can use.
    pub(crate) fn flows(
        &self,
        from: impl Fn(Family) -> Option<IpAddr>,
        to: impl Fn(Family) -> Option<IpAddr>,
    ) -> Result<Option<(Flow, Flow)>, FlowError> {
        if let (Some(wanted), Some(bound)) = (self.family, self.protocol_family)
            && wanted != bound
        {
            return Err(self.wrong_family(wanted));
        }
        let wanted = self.family.or(self.from_address.or(self.to_address).map(Family::of));
        let pair =
            Family::ALL.into_iter().filter(|family| wanted.is_none_or(|wanted| wanted == *family)).find_map(|family| {
                let sender = self.from_address.or_else(|| from(family))?;
                let receiver = self.to_address.or_else(|| to(family))?;
                Some((sender, receiver))
            });
        let Some((sender, receiver)) = pair else { return Ok(None) };
        match (self.protocol_family, self.family) {
            (Some(bound), _) if bound != Family::of(sender) => return Err(self.wrong_family(Family::of(sender))),
            (None, Some(wanted)) if wanted != Family::of(sender) => return Ok(None),
            _ => {}
        }
        let out = Flow::carrying(receiver, self.payload)?.at(sender)?;
        let into = Flow::carrying(sender, self.payload)?.at(receiver)?;
        Ok(Some((out, into)))
    }

    /// The family that the traffic takes between primary addresses, with protocol and destination port or
    /// ICMP message in one number; `None` if it is about other addresses, loses identity, has no family,
    /// or if `both` does not tell whether both ends have an address of a family.
    #[cfg(feature = "fleet")]
    #[inline]
    pub(crate) fn simply_between(&self, both: impl Fn(Family) -> Option<bool>) -> Option<(u32, Family)> {
        if !self.identity_preserved || self.from_address.is_some() || self.to_address.is_some() {
            return None;
        }
        let family = match self.family {
            Some(family) => both(family)?.then_some(family)?,
            None if both(Family::V4)? => Family::V4,
            None => both(Family::V6)?.then_some(Family::V6)?,
        };
        if self.protocol_family.is_some_and(|bound| bound != family) {
            return None;
        }
        let (protocol, selector) = match self.payload {
            Payload::Tcp { destination, .. } => (Protocol::TCP, destination),
            Payload::Udp { destination, .. } => (Protocol::UDP, destination),
            Payload::Icmp(message) if family == Family::V4 => (Protocol::ICMP, message.selector()),
            Payload::Icmp(message) => (Protocol::ICMPV6, message.selector()),
            // A bare number over one family may be a protocol with messages over the other (AWS-34).
            Payload::Other(Protocol::ICMP | Protocol::ICMPV6) => return None,
            Payload::Other(protocol) => (protocol, 0),
        };
        Some((u32::from(protocol.number()) << 16 | u32::from(selector), family))
    }

    /// That two interfaces have no addresses of one family that the traffic can use.
    pub(crate) fn no_common_family(&self, from: &Interface, to: &Interface) -> PathError {
        PathError::NoCommonFamily { from: from.id.clone(), to: to.id.clone(), family: self.family }
    }

    /// Whether the receiver sees who the sender is (AWS-43).
    #[cfg(feature = "fleet")]
    pub(crate) fn preserves_identity(&self) -> bool {
        self.identity_preserved
    }

    fn wrong_family(&self, family: Family) -> FlowError {
        let protocol = if self.protocol_family == Some(Family::V6) { Protocol::ICMPV6 } else { Protocol::ICMP };
        FlowError::IcmpFamily { protocol, family }
    }
}

/// The traffic of a flow, over its family, between whatever addresses.
impl From<&Flow> for Probe {
    fn from(flow: &Flow) -> Self {
        Self::new(flow.payload(), matches!(flow.payload(), Payload::Icmp(_)).then(|| flow.family())).over(flow.family())
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
    Flow(#[from] FlowError),
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
    let flows = probe.flows(|family| from.local_address(family), |family| to.local_address(family))?;
    let (out, into) = flows.ok_or_else(|| probe.no_common_family(from, to))?;
    let end = |interface: &Interface, far, direction, flow: &Flow| -> Result<PathEnd, LowerError> {
        let scope =
            Scope { identity_preserved: probe.identity_preserved, ..Scope::new(inventory, interface, direction) };
        let policy = engine.lower(&scope.towards(far))?;
        Ok(PathEnd { interface: interface.id.clone(), explanation: policy.explain(flow) })
    };
    let ends = vec![end(from, to, Direction::Egress, &out)?, end(to, from, Direction::Ingress, &into)?];
    let verdict = both_ends(ends.iter().map(|end| end.explanation.verdict));
    Ok(PathReport { verdict, ends })
}

/// What becomes of traffic by the verdicts of both ends.
pub(crate) fn both_ends(mut verdicts: impl Iterator<Item = Verdict> + Clone) -> Verdict {
    if verdicts.clone().any(|verdict| verdict == Verdict::Deny) {
        Verdict::Deny
    } else if verdicts.all(|verdict| verdict == Verdict::Allow) {
        Verdict::Allow
    } else {
        Verdict::Indeterminate
    }
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

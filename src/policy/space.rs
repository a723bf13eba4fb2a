//! The flows that a clause is about, as a box: protocol with its selector, source ports, remote
//! addresses, local addresses.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::net::{AddressSet, Cidr, Family, Flow, IcmpSelector, Payload, PortRange, PortSet, Protocol};

/// Protocols, with the destination ports or ICMP messages that belong to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Selector {
    /// Every protocol.
    All,
    /// TCP to these destination ports.
    Tcp(PortSet),
    /// UDP to these destination ports.
    Udp(PortSet),
    /// These ICMP messages over IPv4 (AWS-34).
    Icmp(IcmpSelector),
    /// These ICMPv6 messages over IPv6 (AWS-34).
    Icmpv6(IcmpSelector),
    /// A protocol without selector, by number.
    Other(Protocol),
}

impl Selector {
    /// Everything of one protocol.
    pub fn protocol(protocol: Protocol) -> Self {
        match protocol {
            Protocol::TCP => Self::Tcp(PortSet::all()),
            Protocol::UDP => Self::Udp(PortSet::all()),
            Protocol::ICMP => Self::Icmp(IcmpSelector::Any),
            Protocol::ICMPV6 => Self::Icmpv6(IcmpSelector::Any),
            other => Self::Other(other),
        }
    }
}

/// Reads like the protocol and ports of a rule: `tcp/80-443`, `icmp/8/any code`, `all`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all protocols"),
            Self::Tcp(ports) if ports.is_all() => f.write_str("tcp"),
            Self::Udp(ports) if ports.is_all() => f.write_str("udp"),
            Self::Tcp(ports) => write!(f, "tcp/{ports}"),
            Self::Udp(ports) => write!(f, "udp/{ports}"),
            Self::Icmp(messages) => write!(f, "icmp/{messages}"),
            Self::Icmpv6(messages) => write!(f, "icmpv6/{messages}"),
            Self::Other(protocol) => protocol.fmt(f),
        }
    }
}

/// A set of flows that is a product of its dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Space {
    /// Protocol, destination ports, ICMP messages.
    pub selector: Selector,
    /// Source ports; `None` is any. A flow without ports never matches a space that has some.
    pub source_ports: Option<PortRange>,
    /// Far addresses; shared, because a group may have many members and many references.
    pub remote: Arc<AddressSet>,
    /// Near addresses; `None` is any.
    pub local: Option<Cidr>,
}

impl Space {
    /// Every flow of both families.
    pub fn everything() -> Self {
        Self::new(Selector::All, AddressSet::all())
    }

    /// The flows of this selector with these far addresses, any source port and any near address.
    pub fn new(selector: Selector, remote: impl Into<Arc<AddressSet>>) -> Self {
        Self { selector, source_ports: None, remote: remote.into(), local: None }
    }

    /// The same space with these far addresses.
    pub fn with_remote(mut self, remote: impl Into<Arc<AddressSet>>) -> Self {
        self.remote = remote.into();
        self
    }

    /// The same space with these source ports; `None` is any.
    pub fn with_source_ports(mut self, ports: Option<PortRange>) -> Self {
        self.source_ports = ports;
        self
    }

    /// The same space with these near addresses; `None` is any.
    pub fn with_local(mut self, local: Option<Cidr>) -> Self {
        self.local = local;
        self
    }

    /// Which fields of the flow lie outside, and which are not known to lie inside.
    ///
    /// This is the one place where a flow is compared with a rule; decisions and explanations both
    /// come from here. Logarithmic in the number of address and port ranges.
    pub fn fit(&self, flow: &Flow) -> Fit {
        let mut fit = Fit::default();
        self.fit_selector(flow, &mut fit);
        if let Some(ports) = self.source_ports {
            match (flow.payload(), flow.source_port()) {
                (Payload::Tcp { .. } | Payload::Udp { .. }, None) if ports != PortRange::ALL => {
                    fit.unknown.insert(Field::SourcePort);
                }
                (Payload::Tcp { .. } | Payload::Udp { .. }, Some(port)) if !ports.contains(port) => {
                    fit.failed.insert(Field::SourcePort);
                }
                (Payload::Icmp(_) | Payload::Other(_), _) => fit.failed.insert(Field::SourcePort),
                _ => {}
            }
        }
        if !self.remote.has(flow.family()) {
            fit.failed.insert(Field::Family);
        } else if !self.remote.contains(flow.remote()) {
            fit.failed.insert(Field::Remote);
        }
        if let Some(block) = self.local {
            match flow.local() {
                Some(address) if !block.contains(address) => fit.failed.insert(Field::Local),
                Some(_) => {}
                None if block.family() != flow.family() => fit.failed.insert(Field::Local),
                None if block.is_all() => {}
                None => fit.unknown.insert(Field::Local),
            }
        }
        fit
    }

    fn fit_selector(&self, flow: &Flow, fit: &mut Fit) {
        match (&self.selector, flow.payload()) {
            (Selector::All, _) => {}
            (Selector::Tcp(ports), Payload::Tcp { destination, .. })
            | (Selector::Udp(ports), Payload::Udp { destination, .. }) => {
                if !ports.contains(destination) {
                    fit.failed.insert(Field::DestinationPort);
                }
            }
            (Selector::Icmp(messages), Payload::Icmp(message)) if flow.family() == Family::V4 => {
                fit_icmp(*messages, message, fit);
            }
            (Selector::Icmpv6(messages), Payload::Icmp(message)) if flow.family() == Family::V6 => {
                fit_icmp(*messages, message, fit);
            }
            (Selector::Other(wanted), Payload::Other(protocol)) if *wanted == protocol => {}
            _ => fit.failed.insert(Field::Protocol),
        }
    }
}

fn fit_icmp(selector: IcmpSelector, message: crate::net::IcmpMessage, fit: &mut Fit) {
    if !selector.contains(message) {
        let same_type = selector.kind().is_none_or(|kind| kind == message.kind);
        fit.failed.insert(if same_type { Field::IcmpCode } else { Field::IcmpType });
    }
}

/// How a flow stands to a [`Space`]: inside if nothing failed and nothing is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fit {
    /// Fields that lie outside.
    pub failed: FieldSet,
    /// Fields that the flow leaves open and the space restricts.
    pub unknown: FieldSet,
}

/// A field of a flow that a rule can restrict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Field {
    /// The IP protocol.
    Protocol,
    /// The destination port.
    DestinationPort,
    /// The ICMP type.
    IcmpType,
    /// The ICMP code, of the right type.
    IcmpCode,
    /// The source port.
    SourcePort,
    /// The address family.
    Family,
    /// The far address, of the right family.
    Remote,
    /// The near address.
    Local,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 8] = [
        Self::Protocol,
        Self::DestinationPort,
        Self::IcmpType,
        Self::IcmpCode,
        Self::SourcePort,
        Self::Family,
        Self::Remote,
        Self::Local,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FieldSet(u8);

impl FieldSet {
    /// Whether no field is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The number of fields.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the field is in the set.
    pub fn contains(self, field: Field) -> bool {
        self.0 & field.bit() != 0
    }

    /// The fields, in the order of [`Field::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.contains(*field))
    }

    pub(crate) fn insert(&mut self, field: Field) {
        self.0 |= field.bit();
    }
}

impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// The flows that a clause certainly matches, and those that it possibly matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Exactly these, and no doubt.
    Exact(Space),
    /// At least some, at most all of `possible`.
    Partial {
        /// Certainly matched. `None` if nothing is. What of it lies outside `possible` does not
        /// count.
        certain: Option<Space>,
        /// Possibly matched.
        possible: Space,
    },
}

impl Extent {
    /// May match any flow of the space, and certainly matches none.
    pub fn uncertain(possible: Space) -> Self {
        Self::Partial { certain: None, possible }
    }

    /// The flows that are possibly matched.
    pub fn possible(&self) -> &Space {
        match self {
            Self::Exact(space) | Self::Partial { possible: space, .. } => space,
        }
    }

    /// The flows that are certainly matched.
    pub fn certain(&self) -> Option<&Space> {
        match self {
            Self::Exact(space) => Some(space),
            Self::Partial { certain, .. } => certain.as_ref(),
        }
    }
}

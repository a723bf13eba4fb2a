//! Protocol and layer-4 selector as one number.

use super::space::Selector;
use crate::net::{Family, IcmpSelector, PortSet, Protocol};

/// The last service.
pub(crate) const LAST: u32 = 0xff_ffff;

/// A protocol with its selector (destination port, or ICMP type and code) as one number. Protocols
/// without a selector have the one with selector 0.
pub(crate) fn service(protocol: u8, selector: u16) -> u32 {
    u32::from(protocol) << 16 | u32::from(selector)
}

/// The bits of a selector that mean something for this protocol.
pub(crate) fn selector_mask(protocol: u8, family: Family) -> u16 {
    let protocol = Protocol::new(protocol);
    let has_selector = [Protocol::TCP, Protocol::UDP, icmp_of(family)].contains(&protocol);
    if has_selector { u16::MAX } else { 0 }
}

/// The service that a flow asks for.
#[cfg(feature = "fleet")]
pub(crate) fn of(flow: &crate::net::Flow) -> u32 {
    service(flow.protocol().number(), flow.selector())
}

/// Whether the protocol has ports.
pub(crate) fn has_ports(protocol: u8) -> bool {
    [Protocol::TCP, Protocol::UDP].contains(&Protocol::new(protocol))
}

fn icmp_of(family: Family) -> Protocol {
    match family {
        Family::V4 => Protocol::ICMP,
        Family::V6 => Protocol::ICMPV6,
    }
}

/// The services of a selector over a family, as sorted inclusive ranges; only those with ports if
/// source ports are asked for.
pub(crate) fn ranges(selector: &Selector, family: Family, only_ports: bool) -> Vec<(u32, u32)> {
    let whole = |protocol: Protocol| (service(protocol.number(), 0), service(protocol.number(), u16::MAX));
    let with_ports = |protocol: Protocol, ports: &PortSet| {
        let number = |port| service(protocol.number(), port);
        ports.ranges().iter().map(|range| (number(range.first()), number(range.last()))).collect()
    };
    let icmp = |protocol: Protocol, messages: IcmpSelector| match messages {
        IcmpSelector::Any => whole(protocol),
        IcmpSelector::Type(kind) => {
            let number = |code| service(protocol.number(), u16::from_be_bytes([kind, code]));
            (number(0), number(u8::MAX))
        }
        IcmpSelector::Message(message) => {
            let number = service(protocol.number(), message.selector());
            (number, number)
        }
    };
    match selector {
        Selector::All if only_ports => vec![whole(Protocol::TCP), whole(Protocol::UDP)],
        Selector::All => vec![(0, LAST)],
        Selector::Tcp(ports) => with_ports(Protocol::TCP, ports),
        Selector::Udp(ports) => with_ports(Protocol::UDP, ports),
        _ if only_ports => Vec::new(),
        Selector::Icmp(messages) if family == Family::V4 => vec![icmp(Protocol::ICMP, *messages)],
        Selector::Icmpv6(messages) if family == Family::V6 => vec![icmp(Protocol::ICMPV6, *messages)],
        Selector::Icmp(_) | Selector::Icmpv6(_) => Vec::new(),
        // A bare number never means a protocol that has a selector (AWS-34).
        Selector::Other(protocol) if selector_mask(protocol.number(), family) != 0 => Vec::new(),
        Selector::Other(protocol) => vec![(service(protocol.number(), 0), service(protocol.number(), 0))],
    }
}

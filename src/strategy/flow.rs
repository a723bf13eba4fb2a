//! Flows at the edges of rules.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::alphabet::{PRIVATE, SPECIAL, address, bare_protocol, edges, icmp_message, parsed, port};
use crate::model::{GroupId, Interface, Inventory, Peer, Ports, Rule, Traffic};
use crate::net::{Cidr, Family, Flow, IcmpMessage, IcmpSelector, PortRange, Protocol};

/// A flow with an address and a port of the alphabets, aimed at nothing.
pub fn flow() -> impl Strategy<Value = Flow> {
    let payload = prop_oneof![
        4 => port().prop_map(Service::Tcp),
        2 => port().prop_map(Service::Udp),
        2 => icmp_message().prop_map(Service::Icmp),
        1 => bare_protocol().prop_map(|protocol| Service::Number(protocol.number())),
        1 => select(vec![1_u8, 58]).prop_map(Service::Number),
    ];
    (address(), payload, option::of(port()), option::of(select(parsed::<IpAddr>(PRIVATE))))
        .prop_map(|(remote, service, source, local)| service.flow(remote, source, local))
}

/// What a flow carries, whatever its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    Tcp(u16),
    Udp(u16),
    Icmp(IcmpMessage),
    Number(u8),
}

impl Service {
    /// A flow of this; a local address of the other family is left out.
    fn flow(self, remote: IpAddr, source: Option<u16>, local: Option<IpAddr>) -> Flow {
        let flow = match self {
            Self::Tcp(port) => Flow::tcp(remote, port),
            Self::Udp(port) => Flow::udp(remote, port),
            Self::Icmp(message) => Flow::icmp(remote, message),
            Self::Number(number) => Flow::other(remote, Protocol::new(number))
                .unwrap_or_else(|_| Flow::icmp(remote, IcmpMessage::ECHO_REQUEST)),
        };
        let flow = source.map_or(flow, |port| flow.from_port(port));
        local.and_then(|local| flow.at(local).ok()).unwrap_or(flow)
    }
}

/// Flows that hit a rule or just miss it.
#[derive(Debug, Clone)]
struct Aim {
    services: Vec<Service>,
    remotes: Vec<IpAddr>,
    sources: Vec<Option<u16>>,
    locals: Vec<Option<IpAddr>>,
}

/// A flow at an edge of something in the inventory: most often aimed at one of its rules, with each
/// field inside or one beside what the rule says (first and last address of a block and one beyond,
/// ports lo-1, lo, hi and hi+1), with and without source port and local address.
pub fn flow_near(inventory: &Inventory) -> impl Strategy<Value = Flow> + use<> {
    let aims: Arc<[Aim]> = inventory
        .groups()
        .flat_map(|group| group.rules.iter().map(|rule| aim(inventory, rule)))
        .chain([members_aim(inventory)])
        .collect();
    let aimed = (any::<[Index; 5]>(),).prop_map(move |([which, service, remote, source, local],)| {
        let Aim { services, remotes, sources, locals } = which.get(&aims);
        let remote = *remote.get(remotes);
        let family = Family::of(remote);
        let locals: Vec<_> =
            locals.iter().copied().filter(|local| local.is_none_or(|a| Family::of(a) == family)).collect();
        service.get(services).flow(remote, *source.get(sources), *local.get(&locals))
    });
    prop_oneof![9 => aimed, 1 => flow()]
}

/// The private addresses of an interface and those beside them, prefixes included.
fn private_edges(interface: &Interface) -> Vec<IpAddr> {
    let addresses = interface.addresses.iter().copied().map(Cidr::host);
    addresses.chain(interface.prefixes.iter().copied()).flat_map(edges).collect()
}

/// The ports at and beside the ends of a range.
fn port_edges(range: PortRange) -> Vec<u16> {
    let (first, last) = (range.first(), range.last());
    [Some(first), Some(last), first.checked_sub(1), last.checked_add(1)].into_iter().flatten().collect()
}

/// The addresses of interfaces that carry the group or may carry it, with those just outside their
/// prefixes, and their public addresses.
fn members(inventory: &Inventory, group: &GroupId) -> Vec<IpAddr> {
    let carries = |interface: &&Interface| interface.groups.as_ref().is_none_or(|groups| groups.contains(group));
    let mut addresses = Vec::new();
    for interface in inventory.interfaces().filter(carries) {
        addresses.extend(private_edges(interface));
        addresses.extend(&interface.public);
    }
    addresses
}

fn aim(inventory: &Inventory, rule: &Rule) -> Aim {
    let echo = [IcmpMessage::ECHO_REQUEST, IcmpMessage::ECHO_REQUEST_V6].map(Service::Icmp);
    let tcp_ports = |ports: &Ports| match ports {
        Ports::Any => vec![0, 80, u16::MAX],
        Ports::Range(range) => port_edges(*range),
        Ports::List(id) => {
            let entries = inventory.port_list(id.as_str()).into_iter().flat_map(|list| &list.entries);
            entries.flat_map(|range| port_edges(*range)).chain([80]).collect()
        }
    };
    let icmp = |selector: &IcmpSelector| {
        let kind = selector.kind().unwrap_or(8);
        let code = selector.code().unwrap_or(0);
        [(kind, code), (kind, code.wrapping_add(1)), (kind.wrapping_add(1), code)]
            .map(|(kind, code)| Service::Icmp(IcmpMessage::new(kind, code)))
            .into_iter()
    };
    let services: Vec<Service> = match &rule.traffic {
        Traffic::All => [Service::Tcp(22), Service::Udp(53), Service::Number(47), Service::Number(1)]
            .into_iter()
            .chain(echo)
            .collect(),
        Traffic::Tcp(ports) => {
            tcp_ports(ports).into_iter().map(Service::Tcp).chain([Service::Udp(22), Service::Number(6)]).collect()
        }
        Traffic::Udp(ports) => tcp_ports(ports).into_iter().map(Service::Udp).chain([Service::Tcp(53)]).collect(),
        Traffic::Icmp(selector) => icmp(selector).chain([Service::Number(1)]).collect(),
        Traffic::Icmpv6(selector) => icmp(selector).chain([Service::Number(58)]).collect(),
        Traffic::Other(protocol) => {
            let number = protocol.number();
            vec![Service::Number(number), Service::Number(number), Service::Number(number ^ 1)]
        }
    };
    let mut remotes: Vec<IpAddr> = match &rule.peer {
        Peer::Any => parsed(PRIVATE),
        Peer::Cidr(block) => edges(*block),
        Peer::Group(reference) => members(inventory, &reference.id),
        Peer::PrefixList(id) => {
            let entries = inventory.prefix_list(id.as_str()).into_iter().flat_map(|list| &list.entries);
            entries.flat_map(|block| edges(*block)).collect()
        }
    };
    if remotes.is_empty() {
        remotes = parsed(PRIVATE);
    }
    let mut sources = vec![None, Some(40_000)];
    sources.extend(rule.source_ports.into_iter().flat_map(port_edges).map(Some));
    let mut locals = vec![None];
    locals.extend(inventory.interfaces().flat_map(|interface| &interface.addresses).copied().map(Some));
    locals.extend(rule.local.into_iter().flat_map(edges).map(Some));
    Aim { services, remotes, sources, locals }
}

/// Flows from and to interfaces, and what providers treat in a way of their own.
fn members_aim(inventory: &Inventory) -> Aim {
    let mut remotes: Vec<IpAddr> = parsed(SPECIAL);
    remotes.extend(inventory.interfaces().flat_map(private_edges));
    for block in parsed::<Cidr>(&["10.0.0.0/24"]) {
        remotes.extend([1, 2].into_iter().filter_map(|offset| block.nth(offset)));
    }
    let services = vec![Service::Tcp(80), Service::Udp(53), Service::Udp(123), Service::Tcp(22), Service::Number(50)];
    Aim { services, remotes, sources: vec![None, Some(1024)], locals: vec![None] }
}

//! One packet of a set, a likely one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::layer::{Layer, Locals, Remotes, Sources};
use super::plane::Addresses;
use super::split::{Coordinate, Service};
use crate::net::{Cidr, Family, Flow, IcmpMessage, Payload, Protocol};
use crate::policy::service;

/// Destination ports and messages that are preferred, as protocol and selector.
const LIKELY_SERVICES: [(u8, u16); 5] = [(6, 443), (6, 22), (17, 53), (1, 0x0800), (58, 0x8000)];
/// A source port that clients use.
const EPHEMERAL: u16 = 49_152;
/// Addresses that are preferred, those set aside for documentation first (RFC 5737, RFC 3849).
const LIKELY: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)),
    IpAddr::V4(Ipv4Addr::new(172, 16, 0, 7)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7)),
];

/// What a witness is looked for by.
struct Wanted<N> {
    /// The only near addresses that will do, or any.
    locals: Option<Vec<N>>,
    likely: Vec<N>,
}

/// A packet of a layer, at one of these near addresses or at any.
pub(super) fn of<A>(layer: &Layer<A::Number, bool>, plane: &A, locals: Option<&[IpAddr]>) -> Option<Flow>
where
    A: Addresses,
    A::Number: Into<u128>,
{
    let numbers = |addresses: &[IpAddr]| -> Vec<A::Number> {
        let number = |address: &IpAddr| Some(plane.local(Cidr::host(*address))?.0);
        addresses.iter().filter_map(number).collect()
    };
    let wanted = Wanted { locals: locals.map(numbers), likely: numbers(&LIKELY) };
    search(layer, plane.family(), &wanted)
}

fn search<N: Coordinate + Into<u128>>(layer: &Layer<N, bool>, family: Family, wanted: &Wanted<N>) -> Option<Flow> {
    let at = |service: Service| {
        let (source, local, remote) = in_row(layer.at(service)?.2, wanted)?;
        flow(family, service, source, local.into(), remote.into())
    };
    let likely = LIKELY_SERVICES.into_iter().filter(|(protocol, _)| service::selector_mask(*protocol, family) != 0);
    if let Some(flow) = likely.map(|(protocol, selector)| Service(service::service(protocol, selector))).find_map(at) {
        return Some(flow);
    }
    let icmp = if family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
    let first = [Protocol::TCP, Protocol::UDP, icmp].map(Protocol::number);
    let others = (0..=u8::MAX).filter(|protocol| !first.contains(protocol));
    first.into_iter().chain(others).find_map(|protocol| {
        let base = u32::from(protocol) << 16;
        let last = Service(base | u32::from(u16::MAX));
        let mut next = Some(Service(base));
        while let Some(service) = next {
            let (_, end, row) = layer.at(service)?;
            if let Some((source, local, remote)) = in_row(row, wanted) {
                return flow(family, service, source, local.into(), remote.into());
            }
            next = end.after().filter(|next| *next <= last);
        }
        None
    })
}

/// Source port, near and far address.
fn in_row<N: Coordinate + Into<u128>>(row: &Sources<N, bool>, wanted: &Wanted<N>) -> Option<(u16, N, N)> {
    let ephemeral = row.at(EPHEMERAL).map(|(_, _, locals)| (EPHEMERAL, locals));
    let others = row.iter().map(|(first, _, locals)| (first, locals));
    ephemeral.into_iter().chain(others).find_map(|(source, locals)| {
        let (local, remote) = in_locals(locals, wanted)?;
        Some((source, local, remote))
    })
}

fn in_locals<N: Coordinate + Into<u128>>(locals: &Locals<N, bool>, wanted: &Wanted<N>) -> Option<(N, N)> {
    let at = |local: &N| Some((*local, in_remotes(locals.at(*local)?.2, wanted)?));
    if let Some(own) = &wanted.locals {
        return own.iter().find_map(at);
    }
    // A near address that is not the far one.
    let likely = wanted.likely.iter().rev().find_map(|local| at(local).filter(|(local, remote)| local != remote));
    likely.or_else(|| locals.iter().find_map(|(first, _, remotes)| Some((first, in_remotes(remotes, wanted)?))))
}

fn in_remotes<N: Coordinate + Into<u128>>(remotes: &Remotes<N, bool>, wanted: &Wanted<N>) -> Option<N> {
    let likely = wanted.likely.iter().find(|remote| remotes.at(**remote).is_some_and(|(_, _, inside)| *inside));
    likely.copied().or_else(|| remotes.iter().find(|(_, _, inside)| **inside).map(|(first, _, _)| first))
}

fn flow(family: Family, service: Service, source: u16, local: u128, remote: u128) -> Option<Flow> {
    let [_, protocol, high, low] = service.0.to_be_bytes();
    let (protocol, selector) = (Protocol::new(protocol), u16::from_be_bytes([high, low]));
    let payload = match protocol {
        Protocol::TCP => Payload::Tcp { source: Some(source), destination: selector },
        Protocol::UDP => Payload::Udp { source: Some(source), destination: selector },
        _ if service::selector_mask(protocol.number(), family) != 0 => {
            Payload::Icmp(IcmpMessage::of_selector(selector))
        }
        _ => Payload::Other(protocol),
    };
    Flow::carrying(family.address(remote), payload).ok()?.at(family.address(local)).ok()
}

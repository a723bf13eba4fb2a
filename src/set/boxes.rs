//! Sets as boxes that people can read.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::count::protocols;
use super::layer::Layer;
use super::split::{Coordinate, Service, Split};
use crate::net::{AddressNumber, AddressSet, Direction, Family, IcmpMessage, PortRange, PortSet, Protocol};
use crate::policy::service;

/// Packets that are a product of their dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PacketBox {
    /// The family of the addresses.
    pub family: Family,
    /// Protocols with destination ports or ICMP messages.
    pub services: Services,
    /// Source ports, of protocols that have them.
    pub source_ports: PortSet,
    /// Near addresses.
    pub local: AddressSet,
    /// Far addresses.
    pub remote: AddressSet,
}

/// Protocols of one family, with destination ports or ICMP messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Services {
    family: Family,
    ranges: Vec<(u32, u32)>,
}

/// A part of a set on one dimension and those below.
trait Part: Clone + PartialEq {
    fn is_empty(&self) -> bool;

    fn minus(&self, other: &Self) -> Self;
}

impl Part for bool {
    fn is_empty(&self) -> bool {
        !self
    }

    fn minus(&self, other: &Self) -> Self {
        *self && !other
    }
}

impl<K: Coordinate, V: Part> Part for Arc<Split<K, V>> {
    fn is_empty(&self) -> bool {
        self.single().is_some_and(Part::is_empty)
    }

    fn minus(&self, other: &Self) -> Self {
        let left: Result<_, std::convert::Infallible> = self.zip(other, |ours, theirs| Ok(ours.minus(theirs)));
        let Ok(left) = left;
        Arc::new(left)
    }
}

/// The values of a split that are not empty, each with all intervals whose values have it whole; what
/// others have already is left out. Disjoint if there are more than `overlapping` values.
fn cover<K: Coordinate, V: Part>(split: &Split<K, V>, overlapping: usize) -> Vec<(Vec<(K, K)>, V)> {
    let mut values: Vec<(Vec<(K, K)>, V)> = Vec::new();
    for (first, last, value) in split.iter().filter(|(_, _, value)| !value.is_empty()) {
        match values.iter_mut().find(|(_, known)| known == value) {
            Some((intervals, _)) => intervals.push((first, last)),
            None => values.push((vec![(first, last)], value.clone())),
        }
        if values.len() > overlapping {
            return disjoint(split);
        }
    }
    // Which values have which whole.
    let holders: Vec<Vec<usize>> = values
        .iter()
        .map(|(_, value)| {
            let holder = |(index, (_, other)): (usize, &(_, V))| value.minus(other).is_empty().then_some(index);
            values.iter().enumerate().filter_map(holder).collect()
        })
        .collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(holders.get(*index).map_or(0, Vec::len)));
    let mut left: Vec<V> = values.iter().map(|(_, value)| value.clone()).collect();
    let mut boxes = Vec::new();
    for index in order {
        let (Some((_, value)), Some(holders)) = (values.get(index), holders.get(index)) else { continue };
        if left.get(index).is_none_or(Part::is_empty) {
            continue;
        }
        let mut intervals: Vec<(K, K)> = Vec::new();
        for holder in holders {
            intervals.extend(values.get(*holder).into_iter().flat_map(|(intervals, _)| intervals));
            if let Some(left) = left.get_mut(*holder) {
                *left = left.minus(value);
            }
        }
        intervals.sort_unstable();
        boxes.push((touching_joined(intervals), value.clone()));
    }
    boxes.sort_by_key(|(intervals, _)| intervals.first().copied());
    boxes
}

/// Each value with its own intervals.
fn disjoint<K: Coordinate, V: Part>(split: &Split<K, V>) -> Vec<(Vec<(K, K)>, V)> {
    let inside = split.iter().filter(|(_, _, value)| !value.is_empty());
    inside.map(|(first, last, value)| (vec![(first, last)], value.clone())).collect()
}

fn touching_joined<K: Coordinate>(intervals: Vec<(K, K)>) -> Vec<(K, K)> {
    let mut joined: Vec<(K, K)> = Vec::with_capacity(intervals.len());
    for (first, last) in intervals {
        match joined.last_mut() {
            Some((_, end)) if end.after() == Some(first) => *end = last,
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// The boxes of a layer.
pub(super) fn of<N: Coordinate + Into<u128>>(
    layer: &Layer<N, bool>,
    family: Family,
    overlapping: usize,
) -> Vec<PacketBox> {
    let set = |ranges: Vec<(N, N)>| -> AddressSet {
        let ranges = ranges.into_iter().map(|(first, last)| (first.into(), last.into()));
        match family {
            Family::V4 => {
                let narrow = <u32 as AddressNumber>::narrowed;
                AddressSet::of_numbers(ranges.map(|(a, b)| (narrow(a), narrow(b))).collect(), Vec::new())
            }
            Family::V6 => AddressSet::of_numbers(Vec::new(), ranges.collect()),
        }
    };
    let mut boxes = Vec::new();
    for (services, sources) in cover(layer, overlapping) {
        let services = services.into_iter().map(|(first, last)| (first.0, last.0)).collect();
        let services = Services { family, ranges: services };
        for (ports, locals) in cover(&sources, overlapping) {
            let ports = ports.into_iter().filter_map(|(first, last)| PortRange::new(first, last).ok());
            let source_ports: PortSet = ports.collect();
            for (local, remotes) in cover(&locals, overlapping) {
                boxes.push(PacketBox {
                    family,
                    services: services.clone(),
                    source_ports: source_ports.clone(),
                    local: set(local),
                    remote: set(remotes.inside()),
                });
            }
        }
    }
    boxes
}

impl PacketBox {
    /// The box in words, as packets of a direction: `tcp/22 from 10.0.0.0/8`.
    pub fn text(&self, direction: Direction) -> String {
        match direction {
            Direction::Ingress => self.words("from", "to"),
            Direction::Egress => self.words("to", "from"),
        }
    }

    fn words(&self, remote: &str, local: &str) -> String {
        let mut text = self.services.to_string();
        if self.remote == AddressSet::all_of(self.family) {
            text.push_str(&format!(" {remote} any {} address", self.family));
        } else {
            text.push_str(&format!(" {remote} {}", self.remote));
        }
        if self.local != AddressSet::all_of(self.family) {
            text.push_str(&format!(" {local} {}", self.local));
        }
        if !self.source_ports.is_all() {
            text.push_str(&format!(", source port {}", self.source_ports));
        }
        text
    }
}

/// `tcp/22 remote 10.0.0.0/8`.
impl fmt::Display for PacketBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words("remote", "local"))
    }
}

impl Services {
    /// The ranges, each as its first and last protocol and selector.
    pub(super) fn of(family: Family, ranges: Vec<(Service, Service)>) -> Self {
        Self { family, ranges: ranges.into_iter().map(|(first, last)| (first.0, last.0)).collect() }
    }

    /// The ranges: protocol in the upper, selector in the lower 16 bits.
    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Whether every protocol is in, whole.
    pub fn is_all(&self) -> bool {
        self.ranges == [(0, service::LAST)]
    }

    /// The destination ports of TCP or UDP, the messages of ICMP as `type << 8 | code`; empty for other
    /// protocols.
    pub fn selectors(&self, protocol: Protocol) -> PortSet {
        let base = u32::from(protocol.number()) << 16;
        if service::selector_mask(protocol.number(), self.family) == 0 {
            return PortSet::empty();
        }
        let within = self.ranges.iter().filter_map(|(first, last)| {
            let (first, last) = ((*first).max(base), (*last).min(base | u32::from(u16::MAX)));
            let port = |service: u32| u16::try_from(service & u32::from(u16::MAX)).ok();
            (first <= last).then(|| PortRange::new(port(first)?, port(last)?).ok()).flatten()
        });
        within.collect()
    }

    /// Each protocol, or run of protocols, in words.
    fn tokens(&self) -> Vec<String> {
        let mut tokens = Vec::new();
        // A run of protocols that are in whole.
        let mut run: Option<(u8, u8)> = None;
        for (first, last) in &self.ranges {
            for protocol in protocols(Service(*first), Service(*last)) {
                let base = u32::from(protocol) << 16;
                let end = base | u32::from(u16::MAX);
                if *first <= base && end <= *last {
                    match &mut run {
                        Some((_, last)) if last.checked_add(1) == Some(protocol) => *last = protocol,
                        _ => {
                            tokens.extend(run.take().map(run_text));
                            run = Some((protocol, protocol));
                        }
                    }
                    continue;
                }
                tokens.extend(run.take().map(run_text));
                let selector = |service: u32| u16::try_from(service & u32::from(u16::MAX)).unwrap_or_default();
                Self::part(
                    Protocol::new(protocol),
                    selector((*first).max(base)),
                    selector((*last).min(end)),
                    &mut tokens,
                );
            }
        }
        tokens.extend(run.map(run_text));
        tokens
    }

    /// A part of one protocol, in words.
    fn part(protocol: Protocol, first: u16, last: u16, tokens: &mut Vec<String>) {
        if service::has_ports(protocol.number()) {
            tokens.extend(PortRange::new(first, last).ok().map(|ports| format!("{protocol}/{ports}")));
            return;
        }
        // Messages: codes of one type, or whole types between.
        let (first, last) = (IcmpMessage::of_selector(first), IcmpMessage::of_selector(last));
        let codes = |kind: u8, first: u8, last: u8| match (first, last) {
            (0, u8::MAX) => format!("{protocol}/{kind}"),
            (first, last) if first == last => format!("{protocol}/{kind}/{first}"),
            (first, last) => format!("{protocol}/{kind}/{first}-{last}"),
        };
        if first.kind == last.kind {
            tokens.push(codes(first.kind, first.code, last.code));
            return;
        }
        let (mut from, mut to) = (first.kind, last.kind);
        if first.code != 0 {
            tokens.push(codes(first.kind, first.code, u8::MAX));
            from = from.saturating_add(1);
        }
        let tail = (last.code != u8::MAX).then(|| codes(last.kind, 0, last.code));
        if tail.is_some() {
            to = to.saturating_sub(1);
        }
        match from.cmp(&to) {
            std::cmp::Ordering::Less => tokens.push(format!("{protocol}/{from}-{to}")),
            std::cmp::Ordering::Equal => tokens.push(codes(from, 0, u8::MAX)),
            std::cmp::Ordering::Greater => {}
        }
        tokens.extend(tail);
    }

    /// What is not in.
    fn complement(&self) -> Self {
        let ranges: Vec<(Service, Service)> =
            self.ranges.iter().map(|(first, last)| (Service(*first), Service(*last))).collect();
        Self::of(self.family, Split::of_ranges(&ranges, &false, &true).inside())
    }
}

fn run_text((first, last): (u8, u8)) -> String {
    let name = |protocol| Protocol::new(protocol).to_string();
    match last - first {
        0 => name(first),
        1 => format!("{}, {}", name(first), name(last)),
        _ => format!("protocols {first}-{last}"),
    }
}

/// `tcp/22, udp/53`, or `all protocols except tcp/22` where that is shorter.
impl fmt::Display for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        if self.is_all() {
            return f.write_str("all protocols");
        }
        let tokens = self.tokens();
        let others = self.complement().tokens();
        let (start, tokens) =
            if others.len() < tokens.len() { ("all protocols except ", others) } else { ("", tokens) };
        f.write_str(start)?;
        for (index, token) in tokens.iter().take(SHOWN).enumerate() {
            write!(f, "{}{token}", if index == 0 { "" } else { ", " })?;
        }
        match tokens.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}

/// As text.
impl Serialize for Services {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

//! Packets of one family as bits, and the spaces of clauses as functions of these bits.

use std::net::IpAddr;
use std::ops::Range;

use biodivine_lib_bdd::{Bdd, BddPartialValuation, BddVariable, BddVariableSet};
use secgroup::net::{Family, Flow, IcmpSelector, Payload, PortSet};
use secgroup::policy::{Selector, Space};

/// The numbers that IANA gave the protocols.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// A field of the header, by the places of its bits, the most significant first.
///
/// The bits come in the order in which fields depend on each other (the protocol says what a selector
/// means), addresses last: functions of rules stay small that way.
type Bits = Range<usize>;

const PROTOCOL: Bits = 0..8;
/// Destination port, or ICMP type and code.
const SELECTOR: Bits = 8..24;
const SOURCE: Bits = 24..40;

/// The packets of one family.
pub(crate) struct Header {
    family: Family,
    variables: BddVariableSet,
    bits: Vec<BddVariable>,
    remote: Bits,
    local: Bits,
    with_ports: Bdd,
    universe: Bdd,
}

impl Header {
    pub(crate) fn new(family: Family) -> Self {
        let width = match family {
            Family::V4 => 32,
            Family::V6 => 128,
        };
        let (remote, local) = (SOURCE.end..SOURCE.end + width, SOURCE.end + width..SOURCE.end + 2 * width);
        let variables = BddVariableSet::new_anonymous(u16::try_from(local.end).unwrap());
        let nothing = variables.mk_false();
        let mut header = Self {
            family,
            bits: variables.variables(),
            variables,
            remote,
            local,
            with_ports: nothing.clone(),
            universe: nothing,
        };
        header.with_ports = header.protocol(TCP).or(&header.protocol(UDP));
        // What means nothing for a protocol is zero, so that each packet is there once.
        let with_selector = header.with_ports.or(&header.protocol(header.icmp()));
        let selected = with_selector.or(&header.between(&SELECTOR, 0, 0));
        header.universe = selected.and(&header.with_ports.or(&header.between(&SOURCE, 0, 0)));
        header
    }

    /// Every packet there is.
    pub(crate) fn universe(&self) -> &Bdd {
        &self.universe
    }

    pub(crate) fn nothing(&self) -> Bdd {
        self.variables.mk_false()
    }

    /// The packets of this family that lie in the space.
    pub(crate) fn space(&self, space: &Space) -> Bdd {
        let mut packets = self.universe.and(&self.selected(&space.selector));
        if let Some(ports) = space.source_ports {
            let from_ports = self.between(&SOURCE, ports.first().into(), ports.last().into());
            packets = packets.and(&self.with_ports).and(&from_ports);
        }
        if let Some(block) = space.local {
            packets = packets.and(&self.addresses(&self.local, block.first(), block.last()));
        }
        let remotes = space.remote.iter().map(|(first, last)| self.addresses(&self.remote, first, last));
        packets.and(&remotes.fold(self.nothing(), |all, range| all.or(&range)))
    }

    fn selected(&self, selector: &Selector) -> Bdd {
        match selector {
            Selector::All => self.variables.mk_true(),
            Selector::Tcp(ports) => self.to_ports(TCP, ports),
            Selector::Udp(ports) => self.to_ports(UDP, ports),
            Selector::Icmp(messages) if self.family == Family::V4 => self.messages(ICMP, *messages),
            Selector::Icmpv6(messages) if self.family == Family::V6 => self.messages(ICMPV6, *messages),
            // A bare number is a protocol without selector, whatever it is in the other family (AWS-34).
            Selector::Other(protocol) if ![TCP, UDP, self.icmp()].contains(&protocol.number()) => {
                self.protocol(protocol.number())
            }
            Selector::Icmp(_) | Selector::Icmpv6(_) | Selector::Other(_) => self.nothing(),
            other => panic!("the judge does not know {other:?}"),
        }
    }

    fn icmp(&self) -> u8 {
        match self.family {
            Family::V4 => ICMP,
            Family::V6 => ICMPV6,
        }
    }

    fn protocol(&self, number: u8) -> Bdd {
        self.between(&PROTOCOL, number.into(), number.into())
    }

    fn to_ports(&self, protocol: u8, ports: &PortSet) -> Bdd {
        let ranges = ports.ranges().iter();
        let ranges = ranges.map(|range| self.between(&SELECTOR, range.first().into(), range.last().into()));
        self.protocol(protocol).and(&ranges.fold(self.nothing(), |all, range| all.or(&range)))
    }

    fn messages(&self, protocol: u8, messages: IcmpSelector) -> Bdd {
        let (first, last) = match messages {
            IcmpSelector::Any => ([0, 0], [255, 255]),
            IcmpSelector::Type(kind) => ([kind, 0], [kind, 255]),
            IcmpSelector::Message(message) => ([message.kind, message.code], [message.kind, message.code]),
        };
        let number = |bytes| u128::from(u16::from_be_bytes(bytes));
        self.protocol(protocol).and(&self.between(&SELECTOR, number(first), number(last)))
    }

    fn addresses(&self, field: &Bits, first: IpAddr, last: IpAddr) -> Bdd {
        match (self.family, first, last) {
            (Family::V4, IpAddr::V4(first), IpAddr::V4(last)) => {
                self.between(field, u32::from(first).into(), u32::from(last).into())
            }
            (Family::V6, IpAddr::V6(first), IpAddr::V6(last)) => self.between(field, first.into(), last.into()),
            _ => self.nothing(),
        }
    }

    /// The packets whose field lies between two numbers, both included: the union of the aligned blocks
    /// that fill the range.
    fn between(&self, field: &Bits, first: u128, last: u128) -> Bdd {
        let width = u32::try_from(field.len()).unwrap();
        let mut blocks = Vec::new();
        let mut start = first;
        loop {
            let fits = |free: u32| {
                let below = if free == 128 { u128::MAX } else { (1 << free) - 1 };
                start & below == 0 && last - start >= below
            };
            let free = (0..=width).rev().find(|free| fits(*free)).unwrap();
            let mut block = BddPartialValuation::empty();
            self.fix(&mut block, field, start, free);
            blocks.push(block);
            match 1_u128.checked_shl(free).and_then(|size| start.checked_add(size)) {
                Some(next) if next <= last => start = next,
                _ => return self.variables.mk_dnf(&blocks),
            }
        }
    }

    /// Sets all but the last `free` bits of a field to those of a number.
    fn fix(&self, block: &mut BddPartialValuation, field: &Bits, number: u128, free: u32) {
        let significance = (0..field.len()).rev();
        for (variable, bit) in self.bits[field.clone()].iter().zip(significance) {
            if bit >= usize::try_from(free).unwrap() {
                block.set_value(*variable, number >> bit & 1 == 1);
            }
        }
    }

    /// The packets that a flow may be: one, unless it leaves the source port or the near address open.
    /// `None` if it is of the other family.
    pub(crate) fn flow(&self, flow: &Flow) -> Option<Bdd> {
        let number = |address: IpAddr| match (self.family, address) {
            (Family::V4, IpAddr::V4(address)) => Some(u128::from(u32::from(address))),
            (Family::V6, IpAddr::V6(address)) => Some(address.into()),
            _ => None,
        };
        let remote = number(flow.remote())?;
        let (protocol, selector, source) = match flow.payload() {
            Payload::Tcp { source, destination } => (TCP, destination, source),
            Payload::Udp { source, destination } => (UDP, destination, source),
            Payload::Icmp(message) => (self.icmp(), u16::from_be_bytes([message.kind, message.code]), Some(0)),
            Payload::Other(protocol) => (protocol.number(), 0, Some(0)),
        };
        let mut block = BddPartialValuation::empty();
        self.fix(&mut block, &PROTOCOL, protocol.into(), 0);
        self.fix(&mut block, &SELECTOR, selector.into(), 0);
        self.fix(&mut block, &self.remote, remote, 0);
        if let Some(source) = source {
            self.fix(&mut block, &SOURCE, source.into(), 0);
        }
        if let Some(local) = flow.local() {
            self.fix(&mut block, &self.local, number(local)?, 0);
        }
        Some(self.variables.mk_conjunctive_clause(&block))
    }
}

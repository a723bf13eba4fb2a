//! The workload in the crate's own form.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use secgroup::model::{Action, RuleId};
use secgroup::net::{
    AddressSet, Cidr, Direction, Family, Flow, IcmpMessage, IcmpSelector, PortRange, PortSet, Protocol,
};
use secgroup::policy::{Clause, Fallback, Policy, Provenance, Rank, RuleList, RuleOrigin, Selector, Space};

use super::flows::{Packet, low};
use super::rules::{ALL_PORTS, Block, Peer, Ports, Rule, TCP, UDP};

/// A clause for each rule; sets of addresses are shared by all rules that refer to them.
pub(crate) fn policy(rules: &[Rule], sets: &[Vec<Block>], family: Family) -> Result<Policy, Box<dyn Error>> {
    let shared = |blocks: &Vec<Block>| -> Result<Arc<AddressSet>, Box<dyn Error>> {
        let blocks = blocks.iter().map(|block| cidr(*block, family)).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(blocks.into_iter().collect()))
    };
    let sets = sets.iter().map(shared).collect::<Result<Vec<_>, _>>()?;
    let mut clauses = Vec::with_capacity(rules.len());
    for (order, rule) in (0..).zip(rules) {
        let remote = match rule.peer {
            Peer::Block(block) => Arc::new(AddressSet::from(cidr(block, family)?)),
            Peer::Set(set) => Arc::clone(sets.get(set).ok_or("a rule refers to a set that is not there")?),
        };
        let action = if rule.allow { Action::Allow } else { Action::Deny };
        let space = Space::new(selector(rule)?, remote)
            .with_source_ports(if rule.source == ALL_PORTS { None } else { Some(range(rule.source)?) })
            .with_local(if rule.local.length == 0 { None } else { Some(cidr(rule.local, family)?) });
        let id = RuleId::from(format!("rule-{order}"));
        let index = u32::try_from(order)?;
        let origin = RuleOrigin::new("sg-1".into(), id, Direction::Ingress, index, "a rule".to_owned());
        clauses.push(Clause::new(Rank::new(1, order), action, space, Provenance::Rule(origin)));
    }
    Ok(Policy::rules(Direction::Ingress, RuleList::new("benchmark", clauses, Fallback::deny())?)?)
}

fn selector(rule: &Rule) -> Result<Selector, Box<dyn Error>> {
    Ok(match rule.protocol {
        None => Selector::All,
        Some(TCP) => Selector::Tcp(PortSet::from(range(rule.destination)?)),
        Some(UDP) => Selector::Udp(PortSet::from(range(rule.destination)?)),
        Some(1) => Selector::Icmp(IcmpSelector::Any),
        Some(58) => Selector::Icmpv6(IcmpSelector::Any),
        Some(other) => Selector::Other(Protocol::new(other)),
    })
}

fn range((first, last): Ports) -> Result<PortRange, Box<dyn Error>> {
    Ok(PortRange::new(first, last)?)
}

pub(super) fn ip(number: u128, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(low(number)).into(),
        Family::V6 => Ipv6Addr::from(number).into(),
    }
}

pub(crate) fn cidr(block: Block, family: Family) -> Result<Cidr, Box<dyn Error>> {
    Ok(Cidr::containing(ip(block.first, family), u8::try_from(block.length)?)?)
}

pub(crate) fn flow(packet: &Packet, family: Family) -> Result<Flow, Box<dyn Error>> {
    let remote = ip(packet.remote, family);
    let flow = match packet.protocol {
        TCP => Flow::tcp(remote, packet.destination).from_port(packet.source),
        UDP => Flow::udp(remote, packet.destination).from_port(packet.source),
        1 => Flow::icmp(remote, IcmpMessage::ECHO_REQUEST),
        58 => Flow::icmp(remote, IcmpMessage::ECHO_REQUEST_V6),
        other => Flow::other(remote, Protocol::new(other))?,
    };
    Ok(flow.at(ip(packet.local, family))?)
}

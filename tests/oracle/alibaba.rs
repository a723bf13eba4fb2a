//! Alibaba Cloud, from section 0 of the facts and what it refers to.

use std::net::{IpAddr, Ipv4Addr};

use secgroup::model::{
    Action, GroupId, GroupKind, IntraGroupPolicy, Inventory, Network, NicType, Peer, Ports, Priority, Rule,
    RuleCoverage, SecurityGroup, Traffic,
};
use secgroup::net::{Direction, Flow, Payload};
use secgroup::policy::Basis;

use super::{Answer, Candidate, Otherwise, Question, Truth, contains, far_end, is_member, is_v4, judge};

/// How to read what the documents leave open.
#[derive(Debug, Clone, Copy, Default)]
pub struct Readings {
    /// AMB-1: custom egress rules never stop members of an interconnected group.
    pub intra_group_egress_always: bool,
    /// AMB-3: load balancers in 100.64.0.0/10 are never filtered.
    pub load_balancers_never_filtered: bool,
}

/// The verdict on a flow at an interface of Alibaba Cloud.
pub fn answer(question: &Question<'_>, readings: Readings, flow: &Flow) -> Answer {
    // Step 0: special traffic cannot be blocked by rules.
    let mut candidates = vec![special(question, readings, flow)];
    let Some(ids) = &question.interface.groups else {
        candidates.extend(rules_not_loaded());
        return judge(&candidates, Otherwise::Either);
    };
    let mut groups: Vec<(&GroupId, Option<&SecurityGroup>)> = Vec::new();
    for id in ids {
        if groups.iter().all(|(known, _)| *known != id) {
            groups.push((id, question.inventory.group(id.as_str())));
        }
    }
    // Step 2, ALI-4: traffic within an interconnected group, before custom rules. AMB-1: inbound only,
    // or both ways.
    if question.direction == Direction::Ingress || readings.intra_group_egress_always {
        for (id, group) in &groups {
            let truth = interconnected(&groups, *group).and(from_member(question, id.as_str(), flow.remote()));
            candidates.push(Candidate { place: (1, 0, 0), allows: true, truth, basis: Basis::Implied, rule: None });
        }
    }
    // Step 3, ALI-1: the custom rules of all groups of the interface in this direction.
    for (id, group) in &groups {
        let rules = group.iter().flat_map(|group| group.rules.iter());
        for (index, rule) in rules.filter(|rule| rule.direction == question.direction).enumerate() {
            let Some(group) = group else { continue };
            // ALI-52: the priority is 1 if the rule names none, or 0, which there is not. ALI-2: smaller first, drop before
            // accept, and nothing else ever breaks ties.
            let priority = rule.priority.map_or(1, |Priority(number)| number.max(1));
            let allows = rule.action == Action::Allow;
            let name = match &rule.id {
                Some(id) => id.to_string(),
                None => format!("{id}/{}#{index}", rule.direction),
            };
            candidates.push(Candidate {
                place: (2, priority, u32::from(allows)),
                allows,
                truth: matches(question, group, rule, flow),
                basis: Basis::Rule,
                rule: Some((id.to_string(), index, name)),
            });
        }
        // ALI-19, ALI-28: one call answers for one card of a classic group.
        let all_known = match group.map(|group| group.coverage) {
            Some(RuleCoverage::Complete) => true,
            Some(RuleCoverage::OnlyNic(card)) => question.interface.nic == Some(card),
            Some(RuleCoverage::OnlyDirection(direction)) => question.direction == direction,
            _ => false,
        };
        if !all_known {
            candidates.extend(rules_not_loaded());
        }
    }
    judge(&candidates, default(question, &groups))
}

/// Design 3: rules that were not loaded may accept or drop anything, at any priority (ALI-52; 110 by
/// ALI-53).
fn rules_not_loaded() -> Vec<Candidate> {
    let mut any = Vec::new();
    for priority in [1, 2, 100, 110] {
        for allows in [false, true] {
            any.push(Candidate {
                place: (2, priority, u32::from(allows)),
                allows,
                truth: Truth::Maybe,
                basis: Basis::Rule,
                rule: None,
            });
        }
    }
    any
}

/// ALI-62: outbound to the metadata service. ALI-64: DNS is not special. AMB-3: load balancers, if
/// one page is read so.
fn special(question: &Question<'_>, readings: Readings, flow: &Flow) -> Candidate {
    let remote = flow.remote();
    let never = match question.direction {
        Direction::Egress => remote == IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        Direction::Ingress => {
            let shared = match remote {
                IpAddr::V4(v4) => v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]),
                IpAddr::V6(_) => false,
            };
            readings.load_balancers_never_filtered && shared
        }
    };
    Candidate { place: (0, 0, 0), allows: true, truth: never.into(), basis: Basis::NeverFiltered, rule: None }
}

/// Whether members of the group reach each other without a rule (ALI-5).
fn interconnected(groups: &[(&GroupId, Option<&SecurityGroup>)], group: Option<&SecurityGroup>) -> Truth {
    // ALI-16: enterprise groups are always isolated.
    if group.is_some_and(|group| group.kind == Some(GroupKind::Enterprise)) {
        return Truth::No;
    }
    match group.and_then(|group| group.intra_group) {
        Some(IntraGroupPolicy::Accept) => Truth::Yes,
        Some(IntraGroupPolicy::Drop) => Truth::No,
        // ALI-12: all groups of one interface are of one type, so beside an enterprise group one of
        // unknown type is enterprise too.
        None => {
            let kind_unknown = group.is_none_or(|group| kind(group).is_none());
            let enterprise = has_kind(groups, GroupKind::Enterprise) && !has_kind(groups, GroupKind::Basic);
            if kind_unknown && enterprise { Truth::No } else { Truth::Maybe }
        }
    }
}

/// Whether the far end is a private address of another member; that is never so at the public card
/// of a classic instance, which sees public traffic only (ALI-19).
fn from_member(question: &Question<'_>, group: &str, remote: IpAddr) -> Truth {
    if question.interface.nic == Some(NicType::Internet) {
        return Truth::No;
    }
    is_member(question, group, remote, None, |_| Truth::Yes)
}

/// ALI-3: inbound is denied; outbound basic groups allow and enterprise groups deny.
fn default(question: &Question<'_>, groups: &[(&GroupId, Option<&SecurityGroup>)]) -> Otherwise {
    // ALI-66: no interface is without a group, so the data is wrong.
    if groups.is_empty() {
        return Otherwise::Either;
    }
    if question.direction == Direction::Ingress {
        return Otherwise::Deny;
    }
    // ALI-12: one type on one interface, so one group that is known tells.
    match (has_kind(groups, GroupKind::Basic), has_kind(groups, GroupKind::Enterprise)) {
        (true, false) => Otherwise::Allow,
        (false, true) => Otherwise::Deny,
        _ => Otherwise::Either,
    }
}

fn has_kind(groups: &[(&GroupId, Option<&SecurityGroup>)], wanted: GroupKind) -> bool {
    groups.iter().any(|(_, group)| group.and_then(kind) == Some(wanted))
}

/// The type as documented, or basic if the group has what only basic groups have: interconnection, the
/// classic network (ALI-16) or a rule about a group (ALI-47).
fn kind(group: &SecurityGroup) -> Option<GroupKind> {
    if group.kind.is_some() {
        return group.kind;
    }
    let about_a_group = group.rules.iter().any(|rule| matches!(rule.peer, Peer::Group(_)));
    let accepts = group.intra_group == Some(IntraGroupPolicy::Accept);
    let classic = group.network == Some(Network::Classic);
    (about_a_group || accepts || classic).then_some(GroupKind::Basic)
}

/// ALI-92: the match predicate.
fn matches(question: &Question<'_>, group: &SecurityGroup, rule: &Rule, flow: &Flow) -> Truth {
    // (a) In a classic network the card must be the rule's; in a VPC the field means nothing (ALI-19).
    let card = match (question.interface.nic, rule.nic) {
        (None, _) => Truth::Yes,
        (Some(_), None) => Truth::Maybe,
        (Some(card), Some(named)) => (card == named).into(),
    };
    // (e) The remote end. (f) The local end.
    card.and(protocol_and_ports(question.inventory, &rule.traffic, flow))
        .and(source_port(rule, flow))
        .and(far_end(question, group, rule, flow.remote()))
        .and(near_end(rule, flow))
}

/// (b) and (c): protocol and destination port.
fn protocol_and_ports(inventory: &Inventory, traffic: &Traffic, flow: &Flow) -> Truth {
    let number = flow.protocol().number();
    match traffic {
        // ALL matches every protocol.
        Traffic::All => Truth::Yes,
        Traffic::Tcp(ports) => Truth::from(number == 6).and(port_in(inventory, ports, flow)),
        Traffic::Udp(ports) => Truth::from(number == 17).and(port_in(inventory, ports, flow)),
        // ALI-37: ICMP is IPv4 only, ICMPv6 is IPv6 only. ALI-35: type and code cannot be expressed.
        Traffic::Icmp(_) => (number == 1 && is_v4(flow.remote())).into(),
        Traffic::Icmpv6(_) => (number == 58 && !is_v4(flow.remote())).into(),
        // Names and IANA numbers are equivalent; other protocols have no ports.
        Traffic::Other(protocol) => match protocol.number() {
            1 => (number == 1 && is_v4(flow.remote())).into(),
            58 => (number == 58 && !is_v4(flow.remote())).into(),
            other => (number == other).into(),
        },
    }
}

/// The port range, or any entry of the port list (ALI-43), contains the destination port.
fn port_in(inventory: &Inventory, ports: &Ports, flow: &Flow) -> Truth {
    let (Payload::Tcp { destination, .. } | Payload::Udp { destination, .. }) = flow.payload() else {
        return Truth::No;
    };
    match ports {
        Ports::Any => Truth::Yes,
        Ports::Range(range) => (range.first() <= destination && destination <= range.last()).into(),
        Ports::List(id) => {
            let list = inventory.port_list(id.as_str());
            let listed = list.iter().flat_map(|list| &list.entries);
            let mut inside = listed.filter(|range| range.first() <= destination && destination <= range.last());
            match list {
                _ if inside.next().is_some() => Truth::Yes,
                Some(list) if list.complete => Truth::No,
                _ => Truth::Maybe,
            }
        }
    }
}

/// (d) The source port range, if set, contains the source port; 0 to 65535 always does.
fn source_port(rule: &Rule, flow: &Flow) -> Truth {
    let Some(range) = rule.source_ports else { return Truth::Yes };
    match flow.payload() {
        Payload::Tcp { source: Some(port), .. } | Payload::Udp { source: Some(port), .. } => {
            (range.first() <= port && port <= range.last()).into()
        }
        Payload::Tcp { source: None, .. } | Payload::Udp { source: None, .. } => {
            if range.first() == 0 && range.last() == u16::MAX { Truth::Yes } else { Truth::Maybe }
        }
        Payload::Icmp(_) | Payload::Other(_) => Truth::No,
    }
}

/// (f) The near end's block, if set, contains the local address (ALI-40).
fn near_end(rule: &Rule, flow: &Flow) -> Truth {
    let Some(block) = rule.local else { return Truth::Yes };
    match flow.local() {
        Some(address) => contains(block, address).into(),
        // It is an address of the flow's family, but which one is not known.
        None if is_v4(block.first()) != is_v4(flow.remote()) => Truth::No,
        None if block.prefix() == 0 => Truth::Yes,
        None => Truth::Maybe,
    }
}

//! AWS, from sections 1.1, 2 and 4.4 of the facts.

use std::net::IpAddr;

use secgroup::model::{Ports, Rule, RuleCoverage, SecurityGroup, Traffic};
use secgroup::net::{Direction, Flow, IcmpSelector, Payload};
use secgroup::policy::Basis;

use super::{Answer, Candidate, Otherwise, Question, Truth, far_end, is_v4, judge, v4_is, v4_offset};

/// The verdict on a flow at an AWS interface.
pub fn answer(question: &Question<'_>, flow: &Flow) -> Answer {
    let Some(ids) = &question.interface.groups else {
        // Its groups are not known: they may allow it, and there may be none, which filters nothing.
        let unknown = candidate(1, Truth::Maybe, Basis::Rule, None);
        return judge(&[exempt(question, flow), unknown], Otherwise::Either);
    };
    // AWS-25: an interface without groups is not filtered.
    if ids.is_empty() {
        return judge(&[], Otherwise::Unfiltered);
    }
    // AWS-74: some traffic is never filtered.
    let mut candidates = vec![exempt(question, flow)];
    // AWS-28: all rules of all groups form one set, in no order, and any match allows.
    let mut seen = Vec::new();
    for id in ids {
        if seen.contains(&id) {
            continue;
        }
        seen.push(id);
        let group = question.inventory.group(id.as_str());
        for (index, rule) in group.iter().flat_map(|group| rules(group, question.direction)).enumerate() {
            let Some(group) = group else { continue };
            let truth = matches(question, group, rule, flow);
            let name = (id.to_string(), index, name(group, rule));
            candidates.push(candidate(1, truth, Basis::Rule, Some(name)));
        }
        // Design 3: rules that were not loaded may allow anything.
        let all_known = [RuleCoverage::Complete, RuleCoverage::OnlyDirection(question.direction)];
        if group.is_none_or(|group| !all_known.contains(&group.coverage)) {
            candidates.push(candidate(1, Truth::Maybe, Basis::Rule, None));
        }
    }
    // AWS-27: what no rule allows is denied, in each direction.
    judge(&candidates, Otherwise::Deny)
}

fn candidate(tier: u32, truth: Truth, basis: Basis, rule: Option<(String, usize, String)>) -> Candidate {
    Candidate { place: (tier, 0, 0), allows: true, truth, basis, rule }
}

fn rules(group: &SecurityGroup, direction: Direction) -> impl Iterator<Item = &Rule> {
    group.rules.iter().filter(move |rule| rule.direction == direction)
}

/// AWS-32: the matching predicate for one rule.
fn matches(question: &Question<'_>, group: &SecurityGroup, rule: &Rule, flow: &Flow) -> Truth {
    Truth::from(protocol_and_ports(&rule.traffic, flow)).and(far_end(question, group, rule, flow.remote()))
}

/// AWS-32, steps 1 and 2.
fn protocol_and_ports(traffic: &Traffic, flow: &Flow) -> bool {
    let number = flow.protocol().number();
    match traffic {
        // Step 1: `-1` is every protocol. AWS-8: all ports are allowed.
        Traffic::All => true,
        // AWS-5: an inclusive range of destination ports.
        Traffic::Tcp(ports) => number == 6 && port_in(ports, flow),
        Traffic::Udp(ports) => number == 17 && port_in(ports, flow),
        // AWS-34: `icmp` can only match IPv4 packets, `icmpv6` only IPv6.
        Traffic::Icmp(selected) => number == 1 && is_v4(flow.remote()) && type_and_code(*selected, flow),
        Traffic::Icmpv6(selected) => number == 58 && !is_v4(flow.remote()) && type_and_code(*selected, flow),
        // AWS-8: any other number has no ports. Numbers 1 and 58 are the names (AWS-3), each of its
        // own family.
        Traffic::Other(protocol) => match protocol.number() {
            1 => number == 1 && is_v4(flow.remote()),
            58 => number == 58 && !is_v4(flow.remote()),
            other => number == other,
        },
    }
}

fn port_in(ports: &Ports, flow: &Flow) -> bool {
    let (Payload::Tcp { destination, .. } | Payload::Udp { destination, .. }) = flow.payload() else { return false };
    match ports {
        Ports::Any => true,
        Ports::Range(range) => range.first() <= destination && destination <= range.last(),
        // AWS-1 knows no port lists.
        Ports::List(_) => false,
    }
}

/// AWS-6: `FromPort` is the type or any, `ToPort` the code or any; a pair, not a range.
fn type_and_code(selected: IcmpSelector, flow: &Flow) -> bool {
    let Payload::Icmp(message) = flow.payload() else { return false };
    match selected {
        IcmpSelector::Any => true,
        IcmpSelector::Type(kind) => kind == message.kind,
        IcmpSelector::Message(wanted) => wanted.kind == message.kind && wanted.code == message.code,
    }
}

/// AWS-74 with the addresses of AWS-75; ports by general knowledge.
fn exempt(question: &Question<'_>, flow: &Flow) -> Candidate {
    let inventory = question.inventory;
    let remote = flow.remote();
    let is = |text: &str| text.parse::<IpAddr>() == Ok(remote);
    let tcp = |port| matches!(flow.payload(), Payload::Tcp { destination, .. } if destination == port);
    let udp = |port| matches!(flow.payload(), Payload::Udp { destination, .. } if destination == port);
    // The router: subnet base + 1. Without DescribeSubnets it is not known, and not exempt.
    let subnet = question.interface.subnet.as_ref().and_then(|id| inventory.subnet(id.as_str()));
    let router = v4_is(remote, subnet.and_then(|subnet| v4_offset(&subnet.cidrs, 1)));
    // DNS: VPC base + 2, 169.254.169.253, fd00:ec2::253. AWS-76: no other resolver.
    let vpc = question.interface.vpc.as_ref().and_then(|id| inventory.vpc(id.as_str()));
    let base_2 = v4_is(remote, vpc.and_then(|vpc| v4_offset(&vpc.cidrs, 2)));
    let dns = (base_2 || is("169.254.169.253") || is("fd00:ec2::253")) && (tcp(53) || udp(53));
    // Instance metadata, time sync, ECS task metadata, Windows licence activation, DHCP.
    let metadata = (is("169.254.169.254") || is("fd00:ec2::254")) && tcp(80);
    let time = (is("169.254.169.123") || is("fd00:ec2::123")) && udp(123);
    let tasks = is("169.254.170.2") && tcp(80);
    let windows = (is("169.254.169.250") || is("169.254.169.251")) && tcp(1688);
    let dhcp = is("255.255.255.255") && udp(67) || is("ff02::1:2") && udp(547);
    let outbound = question.direction == Direction::Egress;
    let never = router || outbound && (dns || metadata || time || tasks || windows || dhcp);
    candidate(0, never.into(), Basis::NeverFiltered, None)
}

/// The id, or `GROUP/DIRECTION/PROTOCOL/FROM:TO/PEER` (AWS-36).
fn name(group: &SecurityGroup, rule: &Rule) -> String {
    if let Some(id) = &rule.id {
        return id.to_string();
    }
    let number = |value: Option<u8>| value.map_or("-1".to_owned(), |value| value.to_string());
    let pair = |selected: &IcmpSelector| match selected {
        IcmpSelector::Any => (None, None),
        IcmpSelector::Type(kind) => (Some(*kind), None),
        IcmpSelector::Message(message) => (Some(message.kind), Some(message.code)),
    };
    let ports = |ports: &Ports| match ports {
        Ports::Range(range) => format!("{}:{}", range.first(), range.last()),
        Ports::Any | Ports::List(_) => "*:*".to_owned(),
    };
    let (protocol, ports) = match &rule.traffic {
        Traffic::All => ("all".to_owned(), "*:*".to_owned()),
        Traffic::Tcp(range) => ("tcp".to_owned(), ports(range)),
        Traffic::Udp(range) => ("udp".to_owned(), ports(range)),
        Traffic::Icmp(selected) => {
            ("icmp".to_owned(), format!("{}:{}", number(pair(selected).0), number(pair(selected).1)))
        }
        // AWS-7: an icmpv6 rule may leave both out.
        Traffic::Icmpv6(IcmpSelector::Any) => ("icmpv6".to_owned(), "*:*".to_owned()),
        Traffic::Icmpv6(selected) => {
            ("icmpv6".to_owned(), format!("{}:{}", number(pair(selected).0), number(pair(selected).1)))
        }
        Traffic::Other(protocol) => (protocol.number().to_string(), "*:*".to_owned()),
    };
    format!("{}/{}/{protocol}/{ports}/{}", group.id, rule.direction, rule.peer)
}

//! A configuration of one interface, flows with their expected verdicts, and a plain scan over the
//! model's rules that says what to expect and is the baseline of all timings.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use secgroup::engine::{AlibabaEngine, AwsEngine, PolicyEngine, Scope};
use secgroup::model::{
    Action, GroupId, Interface, IntraGroupPolicy, Inventory, Peer, Ports, Priority, Rule, SecurityGroup, Traffic,
};
use secgroup::net::{Cidr, Direction, Family, Flow, IcmpMessage, IcmpSelector, Payload, PortRange};
use secgroup::policy::Verdict;

use super::random::{Random, SEED};

/// Flows in a case; half of them are matched by a rule.
pub(crate) const FLOWS: usize = 1024;
/// Rules in one group; a case of more has several groups on its interface, as quotas demand.
const RULES_IN_GROUP: usize = 200;
/// Groups that rules refer to, and their members.
const PEER_GROUPS: u32 = 8;
const MEMBERS: u32 = 8;
/// The interface in question.
const INTERFACE: &str = "eni-subject";
/// Ports that rules and flows like.
const PORTS: [u16; 12] = [22, 25, 53, 80, 123, 443, 3306, 3389, 5432, 6379, 8080, 9092];

/// Whose semantics a case is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cloud {
    Aws,
    Alibaba,
}

impl Cloud {
    pub(crate) fn engine(self) -> Box<dyn PolicyEngine> {
        match self {
            Self::Aws => Box::new(AwsEngine::new()),
            Self::Alibaba => Box::new(AlibabaEngine::new()),
        }
    }
}

/// One configuration with flows to decide.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) cloud: Cloud,
    pub(crate) inventory: Inventory,
    pub(crate) flows: Vec<Flow>,
    pub(crate) scan: Scan,
}

impl Case {
    /// The inbound rules of one interface, `rules` of them in all its groups together:
    /// - from a group in 20 of 100 cases, else from a block, of which 30 in 100 are IPv6, from a whole
    ///   family down to one address;
    /// - TCP to a port or range 65, UDP 20, ICMP 8, all protocols 7 in 100;
    /// - Alibaba only: a third denies; priorities are 1, 10 or 100 in 60 of 100 cases, else any from 1
    ///   to 100, so that ties are common.
    ///
    /// Flows are half hits (drawn from a rule) and half misses (no rule matches), in random order.
    pub(crate) fn new(cloud: Cloud, rules: usize) -> Result<Self, Box<dyn Error>> {
        let mut random = Random::new(SEED);
        let members: Vec<(GroupId, Vec<IpAddr>)> = (0..PEER_GROUPS)
            .map(|group| {
                let addresses = (0..MEMBERS).map(|_| address(&mut random, Family::V4)).collect();
                (GroupId::from(format!("sg-peer-{group}")), addresses)
            })
            .collect();
        let all: Vec<Rule> =
            (0..rules).map(|_| rule(&mut random, cloud, &members)).collect::<Result<_, Box<dyn Error>>>()?;

        let group = |id: &str| match cloud {
            Cloud::Aws => SecurityGroup::aws(id),
            Cloud::Alibaba => SecurityGroup::basic(id, IntraGroupPolicy::Drop),
        };
        let mut builder = Inventory::builder();
        let mut own = Vec::new();
        for (number, chunk) in all.chunks(RULES_IN_GROUP).enumerate() {
            own.push(format!("sg-own-{number}"));
            builder = builder.group(group(&format!("sg-own-{number}")).with_rules(chunk.iter().cloned()));
        }
        for (id, addresses) in &members {
            builder = builder.group(group(id.as_str()));
            for address in addresses {
                let interface = Interface::new(format!("eni-{id}-{address}"));
                builder = builder.interface(interface.with_groups([id.clone()]).with_address(*address));
            }
        }
        let inventory = builder.interface(Interface::new(INTERFACE).with_groups(own)).build()?;

        let scan = Scan::new(all, members.into_iter().collect());
        let flows = flows(&mut random, &scan)?;
        Ok(Self { cloud, inventory, flows, scan })
    }

    /// What the interface is asked for.
    pub(crate) fn scope(&self) -> Result<Scope<'_>, Box<dyn Error>> {
        Ok(Scope::of(&self.inventory, INTERFACE, Direction::Ingress)?)
    }
}

/// The baseline: rules as configured, scanned one by one. It shares no code with engines, policies
/// or address sets.
///
/// Alibaba's order (priority, then deny before allow) is made once, so that here too the first rule
/// that matches decides.
#[derive(Debug)]
pub(crate) struct Scan {
    rules: Vec<Rule>,
    members: BTreeMap<GroupId, Vec<IpAddr>>,
}

impl Scan {
    fn new(mut rules: Vec<Rule>, members: BTreeMap<GroupId, Vec<IpAddr>>) -> Self {
        rules.sort_by_key(|rule| (rule.priority, rule.action != Action::Deny));
        Self { rules, members }
    }

    /// Both clouds deny inbound packets that nothing matches.
    pub(crate) fn decide(&self, flow: &Flow) -> Verdict {
        match self.rules.iter().find(|rule| self.matches(rule, flow)) {
            Some(Rule { action: Action::Allow, .. }) => Verdict::Allow,
            _ => Verdict::Deny,
        }
    }

    fn is_hit(&self, flow: &Flow) -> bool {
        self.rules.iter().any(|rule| self.matches(rule, flow))
    }

    fn matches(&self, rule: &Rule, flow: &Flow) -> bool {
        let traffic = match (&rule.traffic, flow.payload()) {
            (Traffic::All, _) => true,
            (Traffic::Tcp(ports), Payload::Tcp { destination, .. })
            | (Traffic::Udp(ports), Payload::Udp { destination, .. }) => match ports {
                Ports::Any => true,
                Ports::Range(range) => range.first() <= destination && destination <= range.last(),
                Ports::List(_) => false,
            },
            (Traffic::Icmp(_), Payload::Icmp(_)) => flow.remote().is_ipv4(),
            (Traffic::Icmpv6(_), Payload::Icmp(_)) => flow.remote().is_ipv6(),
            _ => false,
        };
        traffic
            && match &rule.peer {
                Peer::Any => true,
                Peer::Cidr(block) => in_block(*block, flow.remote()),
                Peer::Group(group) => self.members.get(&group.id).is_some_and(|all| all.contains(&flow.remote())),
                _ => false,
            }
    }
}

fn in_block(block: Cidr, address: IpAddr) -> bool {
    match (block.first(), address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            let differing = u32::from(first) ^ u32::from(address);
            differing.leading_zeros() >= u32::from(block.prefix())
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => {
            let differing = u128::from(first) ^ u128::from(address);
            differing.leading_zeros() >= u32::from(block.prefix())
        }
        _ => false,
    }
}

/// An address in 10.0.0.0/8 or `2001:db8::/32`.
fn address(random: &mut Random, family: Family) -> IpAddr {
    let low = random.next();
    match family {
        Family::V4 => Ipv4Addr::from(0x0a00_0000 | (u32::try_from(low >> 32).unwrap_or_default() >> 8)).into(),
        Family::V6 => {
            let high = u128::from(random.next() >> 32);
            Ipv6Addr::from((0x2001_0db8_u128 << 96) | (high << 64) | u128::from(low)).into()
        }
    }
}

fn rule(random: &mut Random, cloud: Cloud, members: &[(GroupId, Vec<IpAddr>)]) -> Result<Rule, Box<dyn Error>> {
    let mut family = Family::V4;
    let peer = if random.percent(20) {
        let (group, _) = random.pick(members).ok_or("no groups to refer to")?;
        Peer::group(group.clone())
    } else {
        if random.percent(30) {
            family = Family::V6;
        }
        let (all, lengths): (bool, &[u8]) = match family {
            Family::V4 => (random.percent(5), &[16, 20, 24, 24, 24, 28, 32, 32]),
            Family::V6 => (random.percent(5), &[48, 56, 64, 64, 96, 128]),
        };
        let length = if all { 0 } else { random.pick(lengths).copied().unwrap_or_default() };
        Cidr::containing(address(random, family), length)?.into()
    };
    let whole_family = matches!(&peer, Peer::Cidr(block) if block.is_all());
    let ports = |random: &mut Random| {
        let first = random.pick(&PORTS).copied().unwrap_or_default();
        let span = if random.percent(25) { u16::try_from(random.below(1000)).unwrap_or_default() } else { 0 };
        PortRange::new(first, first.saturating_add(span))
    };
    let traffic = match random.below(100) {
        0..65 => Traffic::tcp(ports(random)?),
        65..85 => Traffic::udp(ports(random)?),
        // What a whole family may use is always a port: else nothing would miss.
        _ if whole_family => Traffic::tcp(ports(random)?),
        85..93 if family == Family::V4 => Traffic::Icmp(IcmpSelector::Any),
        85..93 => Traffic::Icmpv6(IcmpSelector::Any),
        _ => Traffic::All,
    };
    Ok(match cloud {
        Cloud::Aws => Rule::allow(Direction::Ingress, traffic, peer),
        Cloud::Alibaba => {
            let action = if random.percent(33) { Action::Deny } else { Action::Allow };
            // Like people do: a few favourite numbers, so that ties are common.
            let favourite = random.pick(&[1, 10, 100]).copied().filter(|_| random.percent(60));
            let priority = favourite.unwrap_or_else(|| 1 + random.below(100));
            Rule::new(Direction::Ingress, action, traffic, peer).with_priority(Priority(priority))
        }
    })
}

fn flows(random: &mut Random, scan: &Scan) -> Result<Vec<Flow>, Box<dyn Error>> {
    const TRIES: usize = 100 * FLOWS;
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        let rule = random.pick(&scan.rules).ok_or("no rules")?;
        let exact = random.percent(50);
        let flow = flow(random, scan, rule, exact);
        let side = if scan.is_hit(&flow) { &mut hits } else { &mut misses };
        if side.len() < FLOWS / 2 {
            side.push(flow);
        }
        if hits.len() + misses.len() == FLOWS {
            break;
        }
    }
    if hits.len() != misses.len() || hits.len() != FLOWS / 2 {
        return Err(format!("only {} hits and {} misses in {TRIES} tries", hits.len(), misses.len()).into());
    }
    let mut all: Vec<Flow> = hits.into_iter().chain(misses).collect();
    // Hits and misses must not come in blocks, or the processor learns them.
    random.shuffle(&mut all);
    Ok(all)
}

/// A flow that the rule matches if `exact`, else one with another address or port.
fn flow(random: &mut Random, scan: &Scan, rule: &Rule, exact: bool) -> Flow {
    let elsewhere = !exact && random.percent(50);
    let remote = match &rule.peer {
        Peer::Cidr(block) if elsewhere => address(random, block.family()),
        Peer::Cidr(block) => {
            // The low 64 bits are random, as far as the block has them.
            let offset = u128::from(random.next()) % (1_u128 << (block.family().bits() - block.prefix()).min(64));
            block.nth(offset).unwrap_or_else(|| block.first())
        }
        Peer::Group(group) if !elsewhere => {
            let members = scan.members.get(&group.id).map(Vec::as_slice).unwrap_or_default();
            random.pick(members).copied().unwrap_or_else(|| address(random, Family::V4))
        }
        _ => address(random, Family::V4),
    };
    let port = |random: &mut Random, ports: &Ports| match ports {
        Ports::Range(range) if exact || elsewhere => {
            let width = u32::from(range.last() - range.first()) + 1;
            range.first() + u16::try_from(random.below(width)).unwrap_or_default()
        }
        _ => random.port(),
    };
    match &rule.traffic {
        Traffic::Tcp(ports) => Flow::tcp(remote, port(random, ports)),
        Traffic::Udp(ports) => Flow::udp(remote, port(random, ports)),
        Traffic::Icmp(_) | Traffic::Icmpv6(_) => {
            let echo = if remote.is_ipv4() { IcmpMessage::ECHO_REQUEST } else { IcmpMessage::ECHO_REQUEST_V6 };
            Flow::icmp(remote, echo)
        }
        Traffic::All | Traffic::Other(_) => Flow::tcp(remote, random.port()),
    }
}

//! Bytes as a small model and a flow: the oracle, which knows the documents' sentences only, says the
//! same as the decision, its explanation and the compiled matchers.
//!
//! Unlike the strategies of the property tests this makes any block, port and priority there is, and
//! rules that no provider would write but the model can hold.
#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use oracle::Question;
use oracle::alibaba::Readings;
use secgroup::engine::{AlibabaEngine, AwsEngine, IntraGroupEgress, LoadBalancerTraffic, PolicyEngine, Scope};
use secgroup::matcher::{Kind, Matcher};
use secgroup::set::Decided;
use secgroup::model::{
    Action, GroupKind, GroupReference, Interface, IntraGroupPolicy, Inventory, Network, NicType, Peer, PeeringStatus,
    PortList, Ports, PrefixList, Priority, Rule, RuleCoverage, SecurityGroup, Subnet, Traffic, Vpc, VpcRelation,
};
use secgroup::net::{Cidr, Direction, Family, Flow, IcmpMessage, IcmpSelector, PortRange, Protocol};

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    // Too few bytes are no case; what is missing is read as zero, so this is rare.
    let _ = run(&mut bytes);
});

type Bytes<'a> = Unstructured<'a>;

fn run(bytes: &mut Bytes<'_>) -> Result<()> {
    let aws: bool = bytes.arbitrary()?;
    let (inventory, edges) = inventory(bytes, aws)?;
    let readings =
        Readings { intra_group_egress_always: bytes.arbitrary()?, load_balancers_never_filtered: bytes.arbitrary()? };
    let alibaba = AlibabaEngine::new()
        .with_intra_group_egress(match readings.intra_group_egress_always {
            true => IntraGroupEgress::AlwaysAllow,
            false => IntraGroupEgress::Table,
        })
        .with_load_balancers(match readings.load_balancers_never_filtered {
            true => LoadBalancerTraffic::NeverFiltered,
            false => LoadBalancerTraffic::Filtered,
        });
    let engine: &dyn PolicyEngine = if aws { &AwsEngine::new() } else { &alibaba };
    let identity_preserved = !bytes.ratio(1, 8)?;
    let flows = (0..4).map(|_| flow(bytes, &edges)).collect::<Result<Vec<_>>>()?;
    for interface in inventory.interfaces() {
        for direction in Direction::ALL {
            let mut scope = Scope::new(&inventory, interface, direction);
            scope.identity_preserved = identity_preserved;
            let policy = engine.lower(&scope).expect("the model is one that the provider can hold");
            // The fast tables differ from the small ones only in how they look up, and are large.
            let matcher = |kind| Matcher::builder().kind(kind).share_rows_from(0).build(&policy).expect("small");
            let matchers = [Kind::Compact, Kind::Linear].map(matcher);
            let decided = Decided::new(&policy).expect("small");
            let question = Question { inventory: &inventory, interface, direction, identity_preserved };
            for flow in &flows {
                let answer = match aws {
                    true => oracle::aws::answer(&question, flow),
                    false => oracle::alibaba::answer(&question, readings, flow),
                };
                let decision = policy.decide(flow);
                let explanation = policy.explain(flow);
                let rules: Vec<String> = explanation.rules().iter().map(ToString::to_string).collect();
                assert_eq!(
                    (decision.verdict, decision.basis, &rules),
                    (answer.verdict, answer.basis, &answer.rules),
                    "{direction} at {interface:?}, {flow}\n{policy}\n{answer:#?}\n{explanation:#?}\n{inventory:#?}"
                );
                assert_eq!(explanation.decision(), decision);
                // The sets are about packets that name everything.
                let near = if flow.remote().is_ipv4() { "10.0.1.10" } else { "2001:db8::10" };
                let whole = flow.from_port(flow.source_port().unwrap_or(40_000));
                let whole = if whole.local().is_none() {
                    whole.at(near.parse().expect("an address")).expect("of the family")
                } else {
                    whole
                };
                assert_eq!(decided.decision(&whole), Some(policy.decide(&whole)), "{whole}\n{policy:#?}");
                for matcher in &matchers {
                    assert_eq!(matcher.decide(flow), decision, "{}: {flow}\n{policy:#?}", matcher.kind());
                }
            }
        }
    }
    Ok(())
}

const GROUPS: [&str; 4] = ["sg-a", "sg-b", "sg-c", "sg-absent"];
const VPCS: [&str; 2] = ["vpc-1", "vpc-2"];

fn pick<T: Copy>(bytes: &mut Bytes<'_>, from: &[T]) -> Result<T> {
    bytes.choose(from).copied()
}

/// Few addresses near each other, or any.
fn address(bytes: &mut Bytes<'_>) -> Result<IpAddr> {
    Ok(match bytes.int_in_range(0..=5)? {
        0 | 1 => IpAddr::from([10, 0, 0, bytes.int_in_range(0..=7)?]),
        2 | 3 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, bytes.int_in_range(0..=7)?).into(),
        4 => Ipv4Addr::from_bits(bytes.arbitrary()?).into(),
        _ => Ipv6Addr::from_bits(bytes.arbitrary()?).into(),
    })
}

fn block(bytes: &mut Bytes<'_>) -> Result<Cidr> {
    let address = address(bytes)?;
    let bits = Family::of(address).bits();
    // Short and long ones more often than those in between.
    let prefix = match bytes.int_in_range(0..=2)? {
        0 => bytes.int_in_range(0..=2)?,
        1 => bits - bytes.int_in_range(0..=4)?,
        _ => bytes.int_in_range(0..=bits)?,
    };
    Ok(Cidr::containing(address, prefix).expect("the prefix is one of the family"))
}

fn range(bytes: &mut Bytes<'_>) -> Result<PortRange> {
    let (a, b): (u16, u16) = match bytes.arbitrary()? {
        true => (bytes.int_in_range(0..=8)?, bytes.int_in_range(0..=8)?),
        false => (bytes.arbitrary()?, bytes.arbitrary()?),
    };
    Ok(PortRange::new(a.min(b), a.max(b)).expect("in order"))
}

fn ports(bytes: &mut Bytes<'_>, aws: bool) -> Result<Ports> {
    Ok(match bytes.int_in_range(0..=4)? {
        0 => Ports::Any,
        1 if !aws => Ports::List(pick(bytes, &["prl-1", "prl-absent"])?.into()),
        _ => Ports::Range(range(bytes)?),
    })
}

fn messages(bytes: &mut Bytes<'_>, aws: bool) -> Result<IcmpSelector> {
    let (kind, code) = (bytes.int_in_range(0..=8)?, bytes.int_in_range(0..=2)?);
    Ok(match bytes.int_in_range(0..=2)? {
        1 if aws => IcmpSelector::Type(kind),
        2 if aws => IcmpSelector::Message(IcmpMessage::new(kind, code)),
        _ => IcmpSelector::Any,
    })
}

fn traffic(bytes: &mut Bytes<'_>, aws: bool) -> Result<Traffic> {
    Ok(match bytes.int_in_range(0..=6)? {
        0 => Traffic::All,
        1 | 2 => Traffic::Tcp(ports(bytes, aws)?),
        3 => Traffic::Udp(ports(bytes, aws)?),
        4 => Traffic::Icmp(messages(bytes, aws)?),
        5 => Traffic::Icmpv6(messages(bytes, aws)?),
        // Also 1, 6, 17 and 58 as bare numbers, which mean what their names mean (AWS-3, ALI-34).
        _ => Traffic::Other(Protocol::new(number(bytes)?)),
    })
}

fn number(bytes: &mut Bytes<'_>) -> Result<u8> {
    if bytes.arbitrary()? { pick(bytes, &[1, 6, 17, 47, 58]) } else { bytes.arbitrary() }
}

fn peer(bytes: &mut Bytes<'_>) -> Result<Peer> {
    Ok(match bytes.int_in_range(0..=7)? {
        0 => Peer::Any,
        1 => Peer::PrefixList(pick(bytes, &["pl-1", "pl-absent"])?.into()),
        2 | 3 => {
            let mut reference = GroupReference::new(pick(bytes, &GROUPS)?);
            if bytes.ratio(1, 4)? {
                reference.vpc = Some(pick(bytes, &VPCS)?.into());
            }
            if bytes.ratio(1, 6)? {
                let states = [PeeringStatus::Active, PeeringStatus::Gone, PeeringStatus::Unsettled];
                reference.peering = Some(pick(bytes, &states)?);
            }
            Peer::Group(reference)
        }
        _ => Peer::Cidr(block(bytes)?),
    })
}

fn rule(bytes: &mut Bytes<'_>, aws: bool) -> Result<Rule> {
    let direction = pick(bytes, &Direction::ALL)?;
    let (traffic, peer) = (traffic(bytes, aws)?, peer(bytes)?);
    if aws {
        return Ok(Rule::allow(direction, traffic, peer));
    }
    let mut rule = Rule::new(direction, pick(bytes, &[Action::Allow, Action::Deny])?, traffic, peer);
    rule.priority = match bytes.int_in_range(0..=3)? {
        0 => None,
        1 => Some(Priority(bytes.arbitrary()?)),
        _ => Some(Priority(bytes.int_in_range(1..=3)?)),
    };
    if bytes.ratio(1, 5)? && rule.traffic.ports().is_some() {
        rule.source_ports = Some(range(bytes)?);
    }
    if bytes.ratio(1, 5)? {
        rule.local = Some(block(bytes)?);
    }
    rule.nic = pick(bytes, &[None, Some(NicType::Internet), Some(NicType::Intranet)])?;
    Ok(rule)
}

fn vpc(bytes: &mut Bytes<'_>) -> Result<Option<&'static str>> {
    pick(bytes, &[Some("vpc-1"), Some("vpc-1"), Some("vpc-2"), None])
}

fn group(bytes: &mut Bytes<'_>, id: &str, aws: bool) -> Result<SecurityGroup> {
    let mut group = SecurityGroup::new(id);
    for _ in 0..bytes.int_in_range(0..=4)? {
        let mut rule = rule(bytes, aws)?;
        if bytes.arbitrary()? {
            rule = rule.with_id(format!("sgr-{id}-{}", group.rules.len()));
        }
        group.rules.push(rule);
    }
    group.kind = match (aws, bytes.int_in_range(0..=5)?) {
        (_, 0) => None,
        (true, _) => Some(GroupKind::Aws),
        (false, 1) => Some(GroupKind::Enterprise),
        (false, _) => Some(GroupKind::Basic),
    };
    group.intra_group = pick(bytes, &[Some(IntraGroupPolicy::Accept), Some(IntraGroupPolicy::Drop), None])?;
    group.network = vpc(bytes)?.map(|vpc| Network::Vpc(vpc.into()));
    group.coverage = match bytes.int_in_range(0..=9)? {
        0 => RuleCoverage::Partial,
        1 if !aws => RuleCoverage::OnlyNic(NicType::Intranet),
        2 if !aws => RuleCoverage::OnlyNic(NicType::Internet),
        _ => RuleCoverage::Complete,
    };
    Ok(group)
}

fn interface(bytes: &mut Bytes<'_>, id: &str, aws: bool) -> Result<Interface> {
    let mut interface = Interface::new(id);
    if !bytes.ratio(1, 10)? {
        let attached = (0..bytes.int_in_range(0..=3)?).map(|_| pick(bytes, &GROUPS).map(Into::into));
        interface.groups = Some(attached.collect::<Result<Vec<_>>>()?);
    }
    for _ in 0..bytes.int_in_range(0..=2)? {
        interface.addresses.push(address(bytes)?);
    }
    if bytes.ratio(1, 4)? {
        interface.prefixes.push(block(bytes)?);
    }
    if bytes.ratio(1, 4)? {
        interface.public.push(address(bytes)?);
    }
    interface.vpc = vpc(bytes)?.map(Into::into);
    interface.subnet = pick(bytes, &[None, Some("subnet-1")])?.map(Into::into);
    if !aws {
        interface.nic = pick(bytes, &[None, None, Some(NicType::Internet), Some(NicType::Intranet)])?;
    }
    Ok(interface)
}

/// An inventory, and the blocks in it, at whose edges flows are interesting.
fn inventory(bytes: &mut Bytes<'_>, aws: bool) -> Result<(Inventory, Vec<Cidr>)> {
    let mut builder = Inventory::builder();
    for id in ["sg-a", "sg-b", "sg-c"].into_iter().take(bytes.int_in_range(1..=3)?) {
        builder = builder.group(group(bytes, id, aws)?);
    }
    for id in ["eni-1", "eni-2"] {
        builder = builder.interface(interface(bytes, id, aws)?);
    }
    if bytes.arbitrary()? {
        let family = pick(bytes, &Family::ALL)?;
        let entries = (0..2).map(|_| block(bytes)).collect::<Result<Vec<_>>>()?;
        let mut list = PrefixList::new("pl-1", entries.into_iter().filter(|entry| entry.family() == family));
        list.family = bytes.arbitrary::<bool>()?.then_some(family);
        list.complete = bytes.arbitrary()?;
        builder = builder.prefix_list(list);
    }
    if bytes.arbitrary()? {
        let mut list = PortList::new("prl-1", [range(bytes)?]);
        list.complete = bytes.arbitrary()?;
        builder = builder.port_list(list);
    }
    if bytes.arbitrary()? {
        builder = builder.vpc(Vpc::new("vpc-1", [block(bytes)?, block(bytes)?]));
        builder = builder.subnet(Subnet::new("subnet-1", "vpc-1", [block(bytes)?, block(bytes)?]));
    }
    let relations = [VpcRelation::Same, VpcRelation::Peered, VpcRelation::TransitGateway, VpcRelation::Unknown];
    builder = builder.relation("vpc-1", "vpc-2", pick(bytes, &relations)?);
    if bytes.ratio(1, 8)? {
        builder = builder.members_incomplete();
    }
    let inventory = builder.build().expect("ids are given once and entries are of one family");
    let mut edges: Vec<Cidr> = inventory.interfaces().flat_map(Interface::member_blocks).collect();
    edges.extend(inventory.prefix_lists().flat_map(|list| list.entries.iter().copied()));
    for rule in inventory.groups().flat_map(|group| &group.rules) {
        edges.extend(match &rule.peer {
            Peer::Cidr(block) => Some(*block),
            _ => None,
        });
        edges.extend(rule.local);
    }
    Ok((inventory, edges))
}

/// An address at or beside an edge, or any.
fn near(bytes: &mut Bytes<'_>, edges: &[Cidr]) -> Result<IpAddr> {
    if edges.is_empty() || bytes.ratio(1, 5)? {
        return address(bytes);
    }
    let block = *bytes.choose(edges)?;
    let edge = if bytes.arbitrary()? { block.first() } else { block.last() };
    let step = bytes.int_in_range(-1..=1)?;
    Ok(match edge {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits().saturating_add_signed(step)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits().saturating_add_signed(step.into())).into(),
    })
}

fn port(bytes: &mut Bytes<'_>) -> Result<u16> {
    if bytes.arbitrary()? { bytes.int_in_range(0..=9) } else { bytes.arbitrary() }
}

fn flow(bytes: &mut Bytes<'_>, edges: &[Cidr]) -> Result<Flow> {
    let remote = match bytes.int_in_range(0..=9)? {
        0 => [169, 254, 169, 254].into(),
        1 => [100, 100, 100, 200].into(),
        2 => [100, 64, 0, 1].into(),
        _ => near(bytes, edges)?,
    };
    let mut flow = match bytes.int_in_range(0..=5)? {
        0 | 1 => Flow::tcp(remote, port(bytes)?),
        2 => Flow::udp(remote, port(bytes)?),
        3 => Flow::icmp(remote, IcmpMessage::new(bytes.int_in_range(0..=8)?, bytes.int_in_range(0..=2)?)),
        _ => match Flow::other(remote, Protocol::new(number(bytes)?)) {
            Ok(flow) => flow,
            Err(_) => Flow::tcp(remote, 80),
        },
    };
    if bytes.arbitrary()? {
        flow = flow.from_port(port(bytes)?);
    }
    if bytes.arbitrary()? {
        let local = near(bytes, edges)?;
        flow = flow.at(local).unwrap_or(flow);
    }
    Ok(flow)
}

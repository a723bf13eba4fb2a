//! Random inventories and flows for property tests, with `proptest`.
//!
//! The alphabets are small and lie at edges, so that overlaps, ties, hits and near misses all happen:
//! a handful of addresses and blocks of both families (from /0 over halves to single addresses),
//! ports one beside the other, the same few groups as owners, members and targets. About half of the
//! inventories are known in full; in the others anything may be missing that can be.
//!
//! What is generated can be held by its provider, so [`PolicyEngine::lower`] succeeds.
//!
//! ```
//! use proptest::prelude::*;
//! use secgroup::engine::{AwsEngine, PolicyEngine, Scope};
//! use secgroup::{Direction, strategy};
//!
//! // With `#[test]` on the function, as usual.
//! proptest! {
//!     fn decisions_and_explanations_agree(
//!         (inventory, flow) in strategy::aws_inventory()
//!             .prop_flat_map(|inventory| (strategy::flow_near(&inventory), Just(inventory)).prop_map(|(f, i)| (i, f)))
//!     ) {
//!         for interface in inventory.interfaces() {
//!             let scope = Scope::new(&inventory, interface, Direction::Ingress);
//!             let policy = AwsEngine::new().lower(&scope).unwrap();
//!             prop_assert_eq!(policy.decide(&flow), policy.explain(&flow).decision());
//!         }
//!     }
//! }
//! decisions_and_explanations_agree();
//! ```
//!
//! [`PolicyEngine::lower`]: crate::engine::PolicyEngine::lower

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::model::{
    Action, GroupId, GroupKind, GroupReference, Instance, Interface, IntraGroupPolicy, Inventory, Network, NicType,
    Peer, PeeringStatus, PortList, Ports, PrefixList, Priority, Rule, RuleCoverage, SecurityGroup, Subnet, Traffic,
    Vpc, VpcRelation,
};
use crate::net::{Cidr, Direction, Family, Flow, IcmpMessage, IcmpSelector, PortRange, Protocol};

/// Blocks of rules and prefix lists: everything, halves, and small blocks inside and beside each
/// other.
const BLOCKS: &[&str] = &[
    "0.0.0.0/0",
    "0.0.0.0/1",
    "128.0.0.0/1",
    "10.0.0.0/8",
    "10.0.0.0/24",
    "10.0.0.0/31",
    "10.0.0.4/31",
    "10.0.0.1/32",
    "10.0.0.5/32",
    "203.0.113.9/32",
    "100.64.0.0/10",
    "::/0",
    "::/1",
    "8000::/1",
    "2001:db8::/32",
    "2001:db8::/64",
    "2001:db8::2/127",
    "2001:db8::1/128",
];
/// Private addresses of interfaces.
const PRIVATE: &[&str] = &["10.0.0.1", "10.0.0.5", "10.0.0.6", "10.1.0.1", "2001:db8::1", "2001:db8::2"];
/// Delegated prefixes of interfaces.
const DELEGATED: &[&str] = &["10.0.0.16/28", "2001:db8::10/124"];
/// Public addresses of interfaces.
const PUBLIC: &[&str] = &["203.0.113.9", "198.51.100.7"];
/// Far ends that providers treat in a way of their own, and an IPv4-mapped address, which is IPv6.
const SPECIAL: &[&str] = &[
    "169.254.169.254",
    "169.254.169.253",
    "169.254.169.123",
    "fd00:ec2::253",
    "fd00:ec2::254",
    "255.255.255.255",
    "100.100.100.200",
    "100.64.0.1",
    "::ffff:10.0.0.1",
];
/// Ports at edges.
const PORTS: &[u16] = &[0, 1, 21, 22, 23, 53, 79, 80, 81, 443, 65_534, 65_535];
/// Priorities; few, so that ties are many. 110 is that of old system rules (ALI-53).
const PRIORITIES: &[Option<u32>] = &[None, Some(1), Some(1), Some(2), Some(5), Some(5), Some(100), Some(110)];

const GROUPS: &[&str] = &["sg-a", "sg-b", "sg-c"];
/// A group that is never loaded; interfaces may carry it.
const FOREIGN_GROUP: &str = "sg-foreign";
/// A group that is neither loaded nor carried.
const ABSENT_GROUP: &str = "sg-absent";
const VPCS: &[&str] = &["vpc-1", "vpc-2", "vpc-3"];
const PREFIX_LISTS: &[&str] = &["pl-1", "pl-2"];
/// A prefix list that is never loaded.
const ABSENT_PREFIX_LIST: &str = "pl-absent";
const PORT_LIST: &str = "prl-1";
/// A port list that is never loaded.
const ABSENT_PORT_LIST: &str = "prl-absent";

fn parsed<T: std::str::FromStr>(texts: &[&str]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// A block of the alphabet, of either family.
pub fn cidr() -> impl Strategy<Value = Cidr> + Clone {
    select(parsed::<Cidr>(BLOCKS))
}

/// An address of an interface, of a service of the provider, or at the edge of a block, of either
/// family.
pub fn address() -> impl Strategy<Value = IpAddr> + Clone {
    let mut addresses: BTreeSet<IpAddr> = [PRIVATE, PUBLIC, SPECIAL].into_iter().flat_map(parsed::<IpAddr>).collect();
    for block in [BLOCKS, DELEGATED].into_iter().flat_map(parsed::<Cidr>) {
        addresses.extend(edges(block));
    }
    select(addresses.into_iter().collect::<Vec<_>>())
}

/// A port at an edge.
pub fn port() -> impl Strategy<Value = u16> + Clone {
    select(PORTS)
}

/// A range between two such ports; often one port.
pub fn port_range() -> impl Strategy<Value = PortRange> + Clone {
    prop_oneof![
        2 => port().prop_map(PortRange::from),
        2 => (port(), port()).prop_filter_map("reversed", |(first, last)| PortRange::new(first, last).ok()),
        1 => Just(PortRange::ALL),
    ]
}

/// A protocol that has neither ports nor ICMP messages.
fn bare_protocol() -> impl Strategy<Value = Protocol> + Clone {
    select(vec![Protocol::GRE, Protocol::new(50), Protocol::new(0), Protocol::new(255)])
}

fn icmp_message() -> impl Strategy<Value = IcmpMessage> + Clone {
    (select(vec![0_u8, 3, 8, 128]), select(vec![0_u8, 4, 8])).prop_map(|(kind, code)| IcmpMessage::new(kind, code))
}

fn icmp_selector() -> impl Strategy<Value = IcmpSelector> + Clone {
    prop_oneof![
        Just(IcmpSelector::Any),
        icmp_message().prop_map(|message| IcmpSelector::Type(message.kind)),
        icmp_message().prop_map(IcmpSelector::Message),
    ]
}

fn ports() -> impl Strategy<Value = Ports> + Clone {
    prop_oneof![1 => Just(Ports::Any), 5 => port_range().prop_map(Ports::Range)]
}

/// What a rule of AWS can say about protocol, ports and ICMP.
pub fn aws_traffic() -> impl Strategy<Value = Traffic> + Clone {
    prop_oneof![
        2 => Just(Traffic::All),
        4 => ports().prop_map(Traffic::Tcp),
        2 => ports().prop_map(Traffic::Udp),
        2 => icmp_selector().prop_map(Traffic::Icmp),
        2 => icmp_selector().prop_map(Traffic::Icmpv6),
        1 => bare_protocol().prop_map(Traffic::protocol),
    ]
}

/// What a rule of Alibaba Cloud can say about protocol and ports; with port lists, which an inventory
/// must have or be without knowingly.
pub fn alibaba_traffic() -> impl Strategy<Value = Traffic> + Clone {
    alibaba_traffic_with(true)
}

fn alibaba_traffic_with(doubt: bool) -> impl Strategy<Value = Traffic> + Clone {
    // ALI-35: ports from 1.
    let range = port_range().prop_map(|range| {
        let first = range.first().max(1);
        PortRange::new(first, range.last().max(first)).unwrap_or(range)
    });
    let lists = if doubt { vec![PORT_LIST, ABSENT_PORT_LIST] } else { vec![PORT_LIST] };
    let ports = prop_oneof![
        1 => Just(Ports::Any),
        5 => range.prop_map(Ports::Range),
        1 => select(lists).prop_map(|id| Ports::List(id.into())),
    ];
    prop_oneof![
        4 => Just(Traffic::All),
        4 => ports.clone().prop_map(Traffic::Tcp),
        2 => ports.prop_map(Traffic::Udp),
        1 => Just(Traffic::Icmp(IcmpSelector::Any)),
        1 => Just(Traffic::Icmpv6(IcmpSelector::Any)),
        1 => bare_protocol().prop_map(Traffic::protocol),
    ]
}

fn direction() -> impl Strategy<Value = Direction> + Clone {
    select(Direction::ALL.to_vec())
}

/// `usual`, or where there may be doubt now and then `rare`.
fn mostly<T: std::fmt::Debug + 'static>(
    doubt: bool,
    usual: impl Strategy<Value = T> + 'static,
    rare: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    if doubt { prop_oneof![5 => usual, 1 => rare].boxed() } else { usual.boxed() }
}

fn group_reference(doubt: bool) -> impl Strategy<Value = GroupReference> {
    let id = mostly(doubt, select(GROUPS), select(vec![FOREIGN_GROUP, ABSENT_GROUP]));
    let status = vec![PeeringStatus::Active, PeeringStatus::Gone, PeeringStatus::Unsettled];
    let elsewhere = (option::of(select(VPCS)), option::weighted(0.25, select(status)));
    (id, elsewhere).prop_map(move |(id, (vpc, peering))| {
        let mut reference = GroupReference::new(id);
        reference.vpc = vpc.filter(|_| doubt).map(Into::into);
        reference.peering = peering.filter(|_| doubt);
        reference
    })
}

fn peer(doubt: bool) -> impl Strategy<Value = Peer> {
    let list = mostly(doubt, select(PREFIX_LISTS), Just(ABSENT_PREFIX_LIST));
    prop_oneof![
        4 => cidr().prop_map(Peer::Cidr),
        3 => group_reference(doubt).prop_map(Peer::Group),
        1 => list.prop_map(|id| Peer::PrefixList(id.into())),
    ]
}

/// A rule of an AWS group (AWS-28: it allows, and has no priority).
pub fn aws_rule() -> impl Strategy<Value = Rule> {
    aws_rule_with(true)
}

fn aws_rule_with(doubt: bool) -> impl Strategy<Value = Rule> {
    (direction(), aws_traffic(), peer(doubt))
        .prop_map(|(direction, traffic, peer)| Rule::allow(direction, traffic, peer))
}

/// A rule of an Alibaba Cloud group: accept or drop, with or without priority (ALI-52), source ports
/// and local block (ALI-40), sometimes for one card of a classic instance (ALI-19).
pub fn alibaba_rule() -> impl Strategy<Value = Rule> {
    alibaba_rule_with(
        true,
        prop_oneof![Just(None), Just(Some(NicType::Internet)), Just(Some(NicType::Intranet))].boxed(),
    )
}

fn alibaba_rule_with(doubt: bool, nic: BoxedStrategy<Option<NicType>>) -> impl Strategy<Value = Rule> {
    let what = (direction(), select(vec![Action::Allow, Action::Deny]), alibaba_traffic_with(doubt), peer(doubt));
    let five_tuple = (option::weighted(0.3, port_range()), option::weighted(0.2, cidr()));
    (what, select(PRIORITIES), five_tuple, nic).prop_map(
        |((direction, action, traffic, peer), priority, (source_ports, local), nic)| {
            let has_ports = traffic.ports().is_some();
            let mut rule = Rule::new(direction, action, traffic, peer);
            rule.priority = priority.map(Priority);
            rule.source_ports = source_ports.filter(|_| has_ports);
            rule.local = local;
            rule.nic = nic;
            rule
        },
    )
}

fn prefix_list(id: &'static str, doubt: bool) -> impl Strategy<Value = Option<PrefixList>> {
    let entries = (select(Family::ALL.to_vec()), vec(cidr(), 0..4)).prop_map(|(family, blocks)| {
        (family, blocks.into_iter().filter(|block| block.family() == family).collect::<Vec<_>>())
    });
    let complete = mostly(doubt, Just(true), Just(false));
    let present = mostly(doubt, Just(true), Just(false));
    (entries, complete, any::<bool>(), present).prop_map(move |((family, entries), complete, tells, present)| {
        let mut list = PrefixList::new(id, entries);
        list.complete = complete;
        list.family = tells.then_some(family);
        present.then_some(list)
    })
}

fn port_list(doubt: bool) -> impl Strategy<Value = Option<PortList>> {
    let complete = mostly(doubt, Just(true), Just(false));
    let present = mostly(doubt, Just(true), Just(false));
    (vec(port_range(), 0..3), complete, present).prop_map(|(entries, complete, present)| {
        let mut list = PortList::new(PORT_LIST, entries);
        list.complete = complete;
        present.then_some(list)
    })
}

fn vpc_of_thing(doubt: bool) -> impl Strategy<Value = Option<&'static str>> {
    mostly(doubt, Just(Some("vpc-1")), option::of(select(VPCS)))
}

fn coverage(doubt: bool) -> impl Strategy<Value = RuleCoverage> {
    mostly(doubt, Just(RuleCoverage::Complete), Just(RuleCoverage::Partial))
}

/// Gives every second rule an id of its own.
fn with_ids(group: &str, rules: Vec<Rule>) -> Vec<Rule> {
    let name = |(index, rule): (usize, Rule)| {
        if index % 2 == 0 { rule.with_id(format!("sgr-{group}-{index}")) } else { rule }
    };
    rules.into_iter().enumerate().map(name).collect()
}

fn aws_group(id: &'static str, doubt: bool) -> impl Strategy<Value = SecurityGroup> {
    let kind = mostly(doubt, Just(Some(GroupKind::Aws)), Just(None));
    (vec(aws_rule_with(doubt), 0..5), vpc_of_thing(doubt), coverage(doubt), kind).prop_map(
        move |(rules, vpc, coverage, kind)| {
            let mut group = SecurityGroup::aws(id).with_rules(with_ids(id, rules));
            group.kind = kind;
            group.network = vpc.map(|vpc| Network::Vpc(vpc.into()));
            group.coverage = coverage;
            group
        },
    )
}

fn attached(doubt: bool) -> impl Strategy<Value = Option<Vec<GroupId>>> {
    let known = |ids: Vec<&str>| Some(ids.into_iter().map(GroupId::from).collect::<Vec<_>>());
    let some = subsequence(GROUPS, 1..=GROUPS.len()).prop_shuffle().prop_map(known);
    let rare = prop_oneof![
        1 => Just(None),
        1 => Just(Some(Vec::new())),
        2 => select(vec![vec!["sg-a", FOREIGN_GROUP], vec![FOREIGN_GROUP], vec!["sg-b", "sg-b"]]).prop_map(known),
    ];
    mostly(doubt, some, rare)
}

fn interface(id: &'static str, doubt: bool) -> impl Strategy<Value = Interface> {
    let addresses = vec(select(parsed::<IpAddr>(PRIVATE)), 0..4);
    let prefixes = vec(select(parsed::<Cidr>(DELEGATED)), 0..2);
    let public = vec(select(parsed::<IpAddr>(PUBLIC)), 0..2);
    let subnet = option::of(select(vec!["subnet-1", "subnet-2"]));
    (attached(doubt), addresses, prefixes, public, vpc_of_thing(doubt), subnet).prop_map(
        move |(groups, addresses, prefixes, public, vpc, subnet)| {
            let mut interface = Interface::new(id);
            interface.groups = groups;
            interface.addresses = addresses;
            interface.prefixes = prefixes;
            interface.public = public;
            interface.vpc = vpc.map(Into::into);
            interface.subnet = subnet.map(Into::into);
            interface
        },
    )
}

/// What is around groups and interfaces: lists, VPCs and subnets, how VPCs are joined, and whether
/// the interfaces are all there are.
#[derive(Debug, Clone)]
struct Surroundings {
    prefix_lists: Vec<PrefixList>,
    port_list: Option<PortList>,
    places: bool,
    relations: Vec<(&'static str, &'static str, VpcRelation)>,
    members_complete: bool,
}

fn surroundings(doubt: bool) -> impl Strategy<Value = Surroundings> {
    let [first, second] = [0_usize, 1].map(|i| prefix_list(PREFIX_LISTS.get(i).copied().unwrap_or_default(), doubt));
    let relations = [("vpc-1", "vpc-2"), ("vpc-2", "vpc-3"), ("vpc-3", "vpc-1")].map(|(a, b)| {
        let relation =
            select(vec![VpcRelation::Same, VpcRelation::Peered, VpcRelation::TransitGateway, VpcRelation::Unknown]);
        option::of(relation).prop_map(move |relation| relation.map(|relation| (a, b, relation)))
    });
    let members_complete = mostly(doubt, Just(true), Just(false));
    (first, second, port_list(doubt), any::<bool>(), relations, members_complete).prop_map(
        |(first, second, port_list, places, relations, members_complete)| Surroundings {
            prefix_lists: first.into_iter().chain(second).collect(),
            port_list,
            places,
            relations: relations.into_iter().flatten().collect(),
            members_complete,
        },
    )
}

fn assemble(groups: Vec<SecurityGroup>, interfaces: Vec<Interface>, around: Surroundings) -> Option<Inventory> {
    let mut builder = Inventory::builder();
    for group in groups {
        builder = builder.group(group);
    }
    for interface in interfaces {
        builder = builder.interface(interface);
    }
    for list in around.prefix_lists {
        builder = builder.prefix_list(list);
    }
    if let Some(list) = around.port_list {
        builder = builder.port_list(list);
    }
    if around.places {
        let vpc = parsed::<Cidr>(&["2001:db8::/56", "10.0.0.0/16", "10.1.0.0/16"]);
        let subnet = parsed::<Cidr>(&["10.0.0.0/24", "2001:db8::/64"]);
        builder = builder.vpc(Vpc::new("vpc-1", vpc)).subnet(Subnet::new("subnet-1", "vpc-1", subnet));
    }
    for (a, b, relation) in around.relations {
        builder = builder.relation(a, b, relation);
    }
    if !around.members_complete {
        builder = builder.members_incomplete();
    }
    builder.build().ok()
}

/// An AWS inventory: up to three groups on three interfaces, with references within and across VPCs
/// (self references too), prefix lists, and whatever may be missing.
pub fn aws_inventory() -> impl Strategy<Value = Inventory> {
    any::<bool>().prop_flat_map(|doubt| {
        let groups = [0, 1, 2].map(|i: usize| aws_group(GROUPS.get(i).copied().unwrap_or_default(), doubt));
        let interfaces = ["eni-1", "eni-2", "eni-3"].map(|id| interface(id, doubt));
        let loaded = mostly(doubt, Just(3_usize), 0_usize..3);
        (groups, loaded, interfaces, surroundings(doubt)).prop_filter_map(
            "not an inventory",
            |(groups, loaded, interfaces, mut around)| {
                around.port_list = None;
                assemble(groups.into_iter().take(loaded).collect(), interfaces.into(), around)
            },
        )
    })
}

/// What kinds of groups an Alibaba inventory has.
#[derive(Debug, Clone, Copy)]
enum Kinds {
    Basic,
    Enterprise,
    Any,
}

fn alibaba_group(id: &'static str, kinds: Kinds, doubt: bool, classic: bool) -> impl Strategy<Value = SecurityGroup> {
    let kind = match kinds {
        Kinds::Basic => mostly(doubt, Just(Some(GroupKind::Basic)), Just(None)),
        Kinds::Enterprise => mostly(doubt, Just(Some(GroupKind::Enterprise)), Just(None)),
        Kinds::Any => select(vec![Some(GroupKind::Basic), Some(GroupKind::Enterprise), None]).boxed(),
    };
    let policy = select(vec![Some(IntraGroupPolicy::Accept), Some(IntraGroupPolicy::Drop)]);
    let policy = mostly(doubt, policy, Just(None));
    let nic = match (classic, doubt) {
        (false, _) => select(vec![None, None, Some(NicType::Intranet), Some(NicType::Internet)]).boxed(),
        (true, false) => select(vec![Some(NicType::Intranet), Some(NicType::Internet)]).boxed(),
        (true, true) => select(vec![Some(NicType::Intranet), Some(NicType::Internet), None]).boxed(),
    };
    let coverage = if classic && doubt {
        select(vec![
            RuleCoverage::Complete,
            RuleCoverage::OnlyNic(NicType::Intranet),
            RuleCoverage::OnlyNic(NicType::Internet),
            RuleCoverage::Partial,
        ])
        .boxed()
    } else {
        coverage(doubt).boxed()
    };
    let rules = vec(alibaba_rule_with(doubt, nic), 0..6);
    (kind, policy, rules, vpc_of_thing(doubt), coverage).prop_map(move |(kind, policy, mut rules, vpc, coverage)| {
        let mut group = SecurityGroup::new(id);
        group.kind = kind;
        group.intra_group = policy;
        if kind == Some(GroupKind::Enterprise) {
            // ALI-16: always isolated, and without rules about groups.
            group.intra_group = Some(IntraGroupPolicy::Drop);
            rules.retain(|rule| !matches!(rule.peer, Peer::Group(_)));
        }
        group.rules = with_ids(id, rules);
        group.network = if classic { Some(Network::Classic) } else { vpc.map(|vpc| Network::Vpc(vpc.into())) };
        group.coverage = coverage;
        group
    })
}

/// The two cards of a classic instance (ALI-19), both with the instance's groups.
fn classic_cards(interface: &Interface) -> [Interface; 2] {
    let instance = Instance::new(interface.id.as_str());
    [NicType::Intranet, NicType::Internet].map(|nic| {
        let mut card = instance.interface(format!("{}:{nic}", interface.id));
        card.primary = nic == NicType::Intranet;
        card.nic = Some(nic);
        card.groups.clone_from(&interface.groups);
        match nic {
            NicType::Intranet => card.addresses.clone_from(&interface.addresses),
            NicType::Internet => card.public.clone_from(&interface.public),
        }
        card
    })
}

/// An inventory of Alibaba Cloud, in a VPC or in the classic network: up to three basic or enterprise
/// groups on three interfaces, with priorities that tie, references, lists, and whatever may be
/// missing.
pub fn alibaba_inventory() -> impl Strategy<Value = Inventory> {
    let kinds = prop_oneof![4 => Just(Kinds::Basic), 2 => Just(Kinds::Enterprise), 1 => Just(Kinds::Any)];
    (any::<bool>(), prop::bool::weighted(0.2), kinds).prop_flat_map(|(doubt, classic, kinds)| {
        let kinds = if doubt || !matches!(kinds, Kinds::Any) { kinds } else { Kinds::Basic };
        let group = move |i: usize| alibaba_group(GROUPS.get(i).copied().unwrap_or_default(), kinds, doubt, classic);
        let interfaces = ["eni-1", "eni-2", "eni-3"].map(|id| interface(id, doubt));
        let loaded = mostly(doubt, Just(3_usize), 0_usize..3);
        ([0, 1, 2].map(group), loaded, interfaces, surroundings(doubt)).prop_filter_map(
            "not an inventory",
            move |(groups, loaded, interfaces, around)| {
                let interfaces = interfaces.into_iter();
                let interfaces = if classic {
                    interfaces.flat_map(|interface| classic_cards(&interface)).collect()
                } else {
                    interfaces.collect()
                };
                assemble(groups.into_iter().take(loaded).collect(), interfaces, around)
            },
        )
    })
}

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

/// First and last address of a block, and one before and behind it.
fn edges(block: Cidr) -> Vec<IpAddr> {
    let (first, last) = block.range();
    let family = block.family();
    let before = first.checked_sub(1);
    let behind = last.checked_add(1).filter(|number| *number <= family.last());
    [Some(first), Some(last), before, behind].into_iter().flatten().map(|number| family.address(number)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A text that does not parse would silently thin the alphabet out.
    #[test]
    fn alphabets_are_spelled_right() {
        assert_eq!(parsed::<Cidr>(BLOCKS).len(), BLOCKS.len());
        assert_eq!(parsed::<Cidr>(DELEGATED).len(), DELEGATED.len());
        for texts in [PRIVATE, PUBLIC, SPECIAL] {
            assert_eq!(parsed::<IpAddr>(texts).len(), texts.len());
        }
    }

    #[test]
    fn edges_of_a_block_are_inside_and_just_outside() {
        let edges = |text: &str| {
            let block: Cidr = text.parse().unwrap();
            edges(block).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(edges("10.0.0.0/24"), ["10.0.0.0", "10.0.0.255", "9.255.255.255", "10.0.1.0"]);
        assert_eq!(edges("0.0.0.0/1"), ["0.0.0.0", "127.255.255.255", "128.0.0.0"]);
        assert_eq!(edges("0.0.0.0/0"), ["0.0.0.0", "255.255.255.255"]);
        assert_eq!(edges("::/0"), ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
    }
}

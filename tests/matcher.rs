//! Compiled matchers against the reference evaluation, on random policies of every shape: extents
//! that are known in part, source ports, near addresses, both families, several lists, overlapping
//! ranges; on flows at the edges of all of them. Every kind is forced, and asked one flow at a time,
//! in batches and in columns.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod matchers;
mod policies;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use policies::{flow, policy};
use proptest::collection::vec;
use proptest::prelude::*;
use secgroup::matcher::{BuildError, Columns, Kind, Limits, Matcher};
use secgroup::model::Action;
use secgroup::net::{
    AddressSet, Cidr, Direction, Family, Flow, IcmpMessage, IcmpSelector, PortRange, PortSet, Protocol,
};
use secgroup::policy::{
    Clause, Extent, Fallback, Missing, Policy, Provenance, Rank, RuleList, Selector, Space, Verdict,
};

/// Random policies a run, at least; `PROPTEST_CASES` asks for more.
const CASES: u32 = 512;

/// The first difference between a matcher of any kind and the reference.
fn difference(policy: &Policy, flows: &[Flow]) -> Option<String> {
    matchers::difference(policy, flows, &Kind::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(CASES),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_kind_decides_as_the_reference(policy in policy(), flows in vec(flow(), 40..80)) {
        prop_assert_eq!(difference(&policy, &flows), None);
    }
}

fn rule(order: u64, action: Action, space: Space) -> Clause {
    Clause::new(Rank::new(1, order), action, space, Provenance::implied("test", format!("rule {order}")))
}

fn rules(clauses: Vec<Clause>) -> Policy {
    Policy::rules(Direction::Ingress, RuleList::new("test", clauses, Fallback::deny()).unwrap()).unwrap()
}

fn tcp(first: u16, last: u16) -> Selector {
    Selector::Tcp(PortRange::new(first, last).unwrap().into())
}

fn cidr(text: &str) -> AddressSet {
    text.parse::<Cidr>().unwrap().into()
}

fn all_kinds(policy: &Policy) -> Vec<Matcher> {
    Kind::ALL.iter().map(|kind| Matcher::builder().kind(*kind).build(policy).unwrap()).collect()
}

/// More than 16 pieces in one /16, in a /24 and in 16 neighbours, so that blocks of the fast form are
/// split as far as they can be.
#[test]
fn many_pieces_close_together() {
    let base = u32::from(Ipv4Addr::new(10, 1, 2, 0));
    for (count, step) in [(17, 1), (40, 2), (200, 3), (300, 256), (700, 37), (16, 1), (15, 1), (14, 1), (8, 2), (7, 2)]
    {
        let clauses = (0..count).map(|number| {
            let host = Cidr::host(Ipv4Addr::from(base + number * step).into());
            rule(u64::from(number), Action::Allow, Space::new(tcp(22, 22), AddressSet::from(host)))
        });
        let policy = rules(clauses.collect());
        let flows: Vec<Flow> =
            (0..count * step + 3).map(|offset| Flow::tcp(Ipv4Addr::from(base - 1 + offset).into(), 22)).collect();
        assert_eq!(difference(&policy, &flows), None, "{count} hosts, every {step}");
    }
}

/// A group of 65,536 scattered members in several clauses: its members are looked at once each.
#[test]
fn large_group_in_several_clauses() {
    let member = |number: u32| Ipv4Addr::from(0x0a00_0000 | number.wrapping_mul(0x9e37_79b1) & 0x00ff_ffff);
    let group: Arc<AddressSet> = Arc::new((0..65_536).map(|number| Cidr::host(member(number).into())).collect());
    let clauses = (0..6).map(|order| {
        let port = u16::try_from(1000 + order).unwrap();
        rule(order, Action::Allow, Space::new(tcp(port, port), group.clone()))
    });
    let policy = rules(clauses.chain([rule(9, Action::Deny, Space::new(Selector::All, cidr("10.0.0.0/8")))]).collect());
    let flows: Vec<Flow> = (0..2_000_u32)
        .map(|number| Flow::tcp(member(number * 31).into(), u16::try_from(999 + number % 8).unwrap()))
        .chain((0..500).map(|number| Flow::tcp(Ipv4Addr::from(u32::from(member(number)) + 1).into(), 1003)))
        .collect();
    assert_eq!(difference(&policy, &flows), None);
}

/// Thousands of rules for one address each, some of which have several, between rules for the blocks
/// around them: rows are shared, and the number of the rule is still the right one.
#[test]
fn thousands_of_rules_for_one_address_each() {
    for family in Family::ALL {
        // A small linear congruential generator (Knuth, MMIX), from which the upper bits are taken.
        let mut state = 7_u64;
        let mut random = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let host = |number: u64| match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | u32::try_from(number).unwrap())),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(
                0x2001_0db8_u128 << 96 | u128::from(number >> 4) << 64 | u128::from(number & 15),
            )),
        };
        let bits = family.bits();
        let services = [tcp(22, 22), tcp(80, 80), tcp(80, 443), Selector::All, tcp(0, 65_535)];
        let mut hosts = Vec::new();
        let make = |order: u64| {
            let service = services[usize::try_from(random(5)).unwrap()].clone();
            let (host, prefix) = match random(100) {
                0..3 => (host(random(1 << 20)), bits - 8),
                3..4 => (host(random(1 << 20)), bits - 12),
                4..20 if order > 10 => (hosts[usize::try_from(random(order / 2)).unwrap()], bits),
                _ => (host(random(1 << 20)), bits),
            };
            hosts.push(host);
            let action = if random(3) == 0 { Action::Deny } else { Action::Allow };
            // Late in the list something about everything, and something that is not known for sure.
            let service = if prefix == bits || random(9) > 0 { service } else { tcp(100, 200) };
            let space = Space::new(service, AddressSet::from(Cidr::containing(host, prefix).unwrap()));
            match order {
                4_000 => rule(order, action, Space::new(tcp(90, 100), AddressSet::all())),
                6_000 => Clause::partial(
                    Rank::new(1, order),
                    action,
                    Extent::uncertain(space.with_remote(AddressSet::all())),
                    Provenance::implied("test", "perhaps"),
                    vec![Missing::SourcePort],
                ),
                _ => rule(order, action, space),
            }
        };
        let clauses: Vec<Clause> = (0..9_000_u64).map(make).collect();
        for with_doubt in [false, true] {
            let known = |clause: &&Clause| with_doubt || matches!(clause.extent, Extent::Exact(_));
            let policy = rules(clauses.iter().filter(known).cloned().collect());
            let mut matchers = all_kinds(&policy);
            for kind in [Kind::Compact, Kind::Direct] {
                matchers.push(Matcher::builder().kind(kind).share_rows_from(0).build(&policy).unwrap());
            }
            for (number, host) in hosts.iter().enumerate().step_by(7) {
                for port in [22, 80, 95, 150, 443] {
                    let flow = Flow::tcp(*host, port);
                    let expected = policy.decide(&flow);
                    for matcher in &matchers {
                        assert_eq!(matcher.decide(&flow), expected, "{} {number}: {flow}", matcher.kind());
                    }
                }
            }
        }
    }
}

/// Regression: a block whose first address has a rule of its own is painted under that address first, and
/// alone afterwards; the row must still say "the rule of its own", for the next block shares it.
#[test]
fn a_block_that_begins_with_a_host_shares_its_row() {
    let blocks = [("10.1.2.0/24", 22), ("10.1.2.0/32", 80), ("10.1.3.0/24", 22)];
    let clause = |(order, (block, port)): (u64, (&str, u16))| {
        rule(order, Action::Allow, Space::new(tcp(port, port), cidr(block)))
    };
    let policy = rules((0..).zip(blocks).map(clause).collect());
    let flows = ["10.1.2.0", "10.1.2.5", "10.1.3.0", "10.1.3.5"]
        .into_iter()
        .flat_map(|address| [22, 80].map(|port| Flow::tcp(address.parse().unwrap(), port)));
    assert_eq!(difference(&policy, &flows.collect::<Vec<_>>()), None);
}

/// Every protocol number over both families; 1 over IPv6 and 58 over IPv4 are bare numbers (AWS-34).
#[test]
fn every_protocol_number() {
    let clauses = [(Selector::Icmp(IcmpSelector::Any), 0), (Selector::Icmpv6(IcmpSelector::Any), 1)].into_iter();
    let clauses = clauses.chain(
        [1_u8, 6, 17, 47, 58, 255]
            .into_iter()
            .zip(2..)
            .map(|(number, order)| (Selector::Other(Protocol::new(number)), order)),
    );
    let clauses = clauses.map(|(selector, order)| rule(order, Action::Allow, Space::new(selector, AddressSet::all())));
    let policy = rules(clauses.collect());
    let mut flows = Vec::new();
    for address in ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()] {
        flows.extend((0..=255).filter_map(|number| Flow::other(address, Protocol::new(number)).ok()));
        flows.extend([0, 8, 255].map(|kind| Flow::icmp(address, IcmpMessage::new(kind, 0))));
        flows.extend([Flow::tcp(address, 0), Flow::udp(address, 65_535)]);
    }
    assert_eq!(difference(&policy, &flows), None);
}

/// Rules that overlap in every dimension, with source ports, more than tables can hold: a forced kind
/// says so with numbers, the chooser takes the scan, and every answer is right.
#[test]
fn what_tables_cannot_hold_is_scanned() {
    let clauses = (0..300_u32).map(|number| {
        let port = |factor: u32| u16::try_from(number.wrapping_mul(factor) % 30_000).unwrap();
        let (low, source) = (port(7919), port(104_729));
        let first = Ipv4Addr::from(number * 0x0051_7cc1);
        let remote = AddressSet::from_iter([Cidr::containing(first.into(), 9).unwrap()]);
        let space = Space::new(tcp(low, low + 30_000), remote);
        let ports = PortRange::new(source, source + 30_000).unwrap();
        rule(u64::from(number), Action::Allow, space.with_source_ports(Some(ports)))
    });
    let policy = rules(clauses.collect());
    let small = Limits::new(64 << 10, 1_000_000);
    for kind in [Kind::Compact, Kind::Direct] {
        let refused = Matcher::builder().kind(kind).limits(small).build(&policy).unwrap_err();
        assert_eq!(refused, BuildError::TooLarge { kind, clauses: 300, limit: 64 << 10 });
        assert_eq!(
            refused.to_string(),
            format!("the tables of a {kind} matcher for 300 clauses take more than 65536 bytes")
        );
        let slow = Matcher::builder().kind(kind).limits(Limits::new(usize::MAX, 1000)).build(&policy).unwrap_err();
        assert_eq!(slow, BuildError::TooSlow { kind, clauses: 300, limit: 1000 });
    }
    let matcher = Matcher::builder().limits(small).build(&policy).unwrap();
    assert_eq!(matcher.kind(), Kind::Linear);
    for number in 0..500_u32 {
        let remote = Ipv4Addr::from(number.wrapping_mul(0x0123_4567));
        let port = u16::try_from(number * 131 % 65_536).unwrap();
        let flow = Flow::tcp(remote.into(), port).from_port(port.wrapping_mul(3));
        assert_eq!(matcher.decide(&flow), policy.decide(&flow), "{flow}");
    }
}

/// Policies made to be hard, 10,000 rules each: prefixes nested as deep as they go, ranges that all
/// differ in every dimension, source ports and near addresses in every rule. Whatever the chooser
/// takes is within its limits, and right.
#[test]
fn hard_policies_stay_within_their_limits() {
    let spread = |number: u32, factor: u32| number.wrapping_mul(factor);
    let port = |number: u32| u16::try_from(number >> 16).unwrap();
    let range = |number: u32, factor: u32| {
        let (a, b) = (port(spread(number, factor)), port(spread(number, factor.rotate_left(9) | 1)));
        PortRange::new(a.min(b), a.max(b)).unwrap()
    };
    let action = |number: u32| if number.is_multiple_of(3) { Action::Deny } else { Action::Allow };
    let nested = |number: u32| {
        let address = Ipv4Addr::from(0x0a10_0000 | spread(number, 0x9e37_79b1) >> 12);
        Cidr::containing(address.into(), 12 + u8::try_from(number % 21).unwrap()).unwrap()
    };
    let deep =
        |number: u32| Cidr::containing("2001:db8::1".parse().unwrap(), u8::try_from(number % 129).unwrap()).unwrap();
    let build = |space: &dyn Fn(u32) -> Space| {
        rules((0..10_000_u32).map(|number| rule(number.into(), action(number), space(number))).collect())
    };
    let tcp = |number: u32| Selector::Tcp(range(number, 0x85eb_ca6b).into());
    let policies = [
        ("nested", build(&|number| Space::new(tcp(number), AddressSet::from(nested(number))))),
        ("deep", build(&|number| Space::new(tcp(number), AddressSet::from(deep(number))))),
        (
            "source ports",
            build(&|number| {
                let space = Space::new(tcp(number), AddressSet::from(nested(number)));
                space.with_source_ports(Some(range(number, 0xc2b2_ae35))).with_local(Some(nested(spread(number, 77))))
            }),
        ),
        (
            "several blocks each",
            build(&|number| {
                Space::new(tcp(number), (0..3).map(|more| nested(spread(number, 31 + more))).collect::<AddressSet>())
            }),
        ),
    ];
    for (name, policy) in policies {
        // A tenth of the default of either.
        let limits = Limits::new(25 << 20, 30_000_000);
        let matcher = Matcher::builder().limits(limits).build(&policy).unwrap();
        // The scan shares its sets of addresses with the policy, and has little else.
        assert!(matcher.bytes() <= limits.bytes, "{name}: {} bytes", matcher.bytes());
        for number in 0..200_u32 {
            let flow = match name {
                "deep" => Flow::tcp("2001:db8::1".parse().unwrap(), port(spread(number, 0x0123_4567))),
                _ => Flow::tcp(nested(number).first(), port(spread(number, 0x0123_4567))),
            };
            let flow = if number % 2 == 0 { flow.from_port(port(spread(number, 0x7654_3211))) } else { flow };
            assert_eq!(matcher.decide(&flow), policy.decide(&flow), "{name}, {}: {flow}", matcher.kind());
        }
    }
}

/// Groups with a dense spot in every /16: a direct table would take gigabytes, and is refused before it
/// takes them.
#[test]
fn dense_spots_in_many_places_are_refused_in_time() {
    let host = |number: u32| Cidr::host(Ipv4Addr::from(((number / 9) << 16) | (number % 9 * 2)).into());
    let group: Arc<AddressSet> = Arc::new((0..65_536).map(host).collect());
    let clause = |order: u16| rule(order.into(), Action::Allow, Space::new(tcp(order, order), group.clone()));
    let policy = rules((0..3).map(clause).collect());
    let limits = Limits::new(64 << 20, 150_000_000);
    let refused = Matcher::builder().kind(Kind::Direct).limits(limits).build(&policy).unwrap_err();
    assert_eq!(refused, BuildError::TooLarge { kind: Kind::Direct, clauses: 3, limit: 64 << 20 });
    let matcher = Matcher::builder().limits(limits).build(&policy).unwrap();
    assert_eq!(matcher.kind(), Kind::Compact);
    for flow in [0x0003_0004, 0x0003_0005, 0x0003_0010].map(|address| Flow::tcp(Ipv4Addr::from(address).into(), 1)) {
        assert_eq!(matcher.decide(&flow), policy.decide(&flow), "{flow}");
    }
}

/// A group whose members are not all known, in many rules: its members beside everything are no sets of
/// their own, and neither is what two sets have in common each time anew.
#[test]
fn doubtful_members_are_not_copied_for_each_rule() {
    let members: Arc<AddressSet> =
        Arc::new((0..20_000_u32).map(|number| Cidr::host(Ipv4Addr::from(number * 5).into())).collect());
    for possible in [Arc::new(AddressSet::all()), Arc::new(cidr("0.0.0.0/1"))] {
        let clause = |order: u16| {
            let certain = Some(Space::new(tcp(order, order), members.clone()));
            let possible = Space::new(tcp(order, order), possible.clone());
            let (extent, from) = (Extent::Partial { certain, possible }, Provenance::implied("test", "perhaps"));
            Clause::partial(Rank::new(1, order.into()), Action::Allow, extent, from, vec![Missing::SourcePort])
        };
        let policy = rules((0..300).map(clause).collect());
        for kind in Kind::ALL {
            let matcher = Matcher::builder().kind(kind).build(&policy).unwrap();
            // Copies would take 48 MB.
            assert!(matcher.bytes() < 3_000_000, "{kind}: {}", matcher.bytes());
            for address in [0_u32, 1, 4, 5, 99_995, 99_996] {
                let flow = Flow::tcp(Ipv4Addr::from(address).into(), 7);
                assert_eq!(matcher.decide(&flow), policy.decide(&flow), "{kind}: {flow}");
            }
        }
    }
}

/// Thousands of port ranges in each clause, known in part.
#[test]
fn many_port_ranges_known_in_part() {
    let ports = |without: u16| -> PortSet {
        (0..16_384_u16).filter(|port| *port != without).map(|port| PortRange::from(port * 2)).collect()
    };
    let clause = |order: u16| {
        let certain = Some(Space::new(Selector::Tcp(ports(order)), AddressSet::all()));
        let possible = Space::new(Selector::Tcp(ports(u16::MAX)), AddressSet::all());
        let (extent, from) = (Extent::Partial { certain, possible }, Provenance::implied("test", "perhaps"));
        Clause::partial(Rank::new(1, order.into()), Action::Allow, extent, from, vec![Missing::SourcePort])
    };
    let policy = rules((0..10).map(clause).collect());
    for matcher in all_kinds(&policy) {
        for port in [0, 1, 2, 18, 20, 32_766, 32_768] {
            let flow = Flow::tcp([192, 0, 2, 1].into(), port);
            assert_eq!(matcher.decide(&flow), policy.decide(&flow), "{}: {flow}", matcher.kind());
        }
    }
}

#[test]
fn the_chooser_takes_what_fits() {
    let few = rules(vec![rule(0, Action::Allow, Space::new(tcp(22, 22), cidr("10.0.0.0/8")))]);
    assert_eq!(Matcher::new(&few).kind(), Kind::Linear);
    let many =
        rules((0..40).map(|order| rule(order, Action::Allow, Space::new(tcp(22, 22), cidr("10.0.0.0/8")))).collect());
    assert_eq!(Matcher::new(&many).kind(), Kind::Direct);
    assert_eq!(Kind::chosen_for(&many), [Kind::Direct, Kind::Compact, Kind::Linear]);
}

#[test]
fn columns_of_different_lengths_are_refused() {
    let policy = rules((0..40).map(|order| rule(order, Action::Allow, Space::everything())).collect());
    let decision = policy.decide(&Flow::tcp([192, 0, 2, 1].into(), 1));
    for matcher in all_kinds(&policy) {
        let mut decisions = [decision; 2];
        let remote = [1_u32, 2];
        let short = matcher.decide_columns(&Columns::new(&remote, &[6], &[1, 2]), &mut decisions).unwrap_err();
        assert_eq!(short.to_string(), "the column `protocol` has 1 entries, but the one of far addresses has 2");
        let mut columns = Columns::new(&remote, &[6, 6], &[1, 2]);
        columns.local = Some(&[]);
        assert_eq!(matcher.decide_columns(&columns, &mut decisions).unwrap_err().column, "local");
        columns.local = None;
        assert_eq!(matcher.decide_columns(&columns, &mut []).unwrap_err().column, "decisions");
        assert_eq!(matcher.decide_columns(&columns, &mut decisions), Ok(()));
        assert_eq!(matcher.decide_columns::<u128>(&Columns::new(&[], &[], &[]), &mut []), Ok(()));
    }
}

#[test]
fn matchers_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    shared::<Matcher>();
}

/// A policy without clauses, and one that leaves all to the next stage.
#[test]
fn empty_policies() {
    let flows = [Flow::tcp([192, 0, 2, 1].into(), 1), Flow::udp("2001:db8::1".parse().unwrap(), 53)];
    for fallback in [Fallback::deny(), Fallback::allow(), Fallback::pass(), Fallback::unfiltered()] {
        let policy = Policy::rules(Direction::Egress, RuleList::new("empty", Vec::new(), fallback).unwrap()).unwrap();
        assert_eq!(difference(&policy, &flows), None);
        let both = Policy::all_of(vec![policy.clone(), policy]).unwrap();
        assert_eq!(difference(&both, &flows), None);
        assert_ne!(both.decide(flows.first().unwrap()).verdict, Verdict::Indeterminate);
    }
}

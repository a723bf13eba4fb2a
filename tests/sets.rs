//! Exact sets of packets against the reference evaluation, and against the laws of sets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod policies;

use std::net::IpAddr;

use policies::{address, flow, list, policy, port, space};
use proptest::collection::vec;
use proptest::prelude::*;
use secgroup::model::Action;
use secgroup::net::{AddressSet, Cidr, Direction, Family, Flow, IcmpMessage, IcmpSelector, PortRange, Protocol};
use secgroup::policy::{
    Clause, Extent, Fallback, Missing, Policy, Provenance, Rank, RuleList, Selector, Space, Verdict,
};
use secgroup::set::{Decided, PacketCount, PacketSet, SetError, SetLimits};

/// Random cases a run, at least; `PROPTEST_CASES` asks for more.
const CASES: u32 = 384;

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(CASES), failure_persistence: None, ..config }
}

/// A flow that names everything a rule can depend on.
fn complete(flow: Flow, port: u16, local: IpAddr) -> Flow {
    let flow = if flow.source_port().is_none() { flow.from_port(port) } else { flow };
    let other = match flow.family() {
        Family::V4 => IpAddr::from([10, 1, 2, 3]),
        Family::V6 => "2001:db8::1".parse().unwrap(),
    };
    if flow.local().is_some() { flow } else { flow.at(local).or_else(|_| flow.at(other)).unwrap() }
}

fn complete_flow() -> impl Strategy<Value = Flow> {
    (flow(), port(), address()).prop_map(|(flow, port, local)| complete(flow, port, local))
}

fn spaces() -> impl Strategy<Value = Vec<Space>> {
    vec(space(), 0..7)
}

fn union(spaces: &[Space]) -> PacketSet {
    spaces.iter().fold(PacketSet::empty(), |set, space| set.union(&PacketSet::from(space)).unwrap())
}

/// A set that is more than a union of boxes.
fn any_set() -> impl Strategy<Value = PacketSet> {
    (spaces(), spaces()).prop_map(|(a, b)| union(&a).difference(&union(&b)).unwrap())
}

fn in_space(space: &Space, flow: &Flow) -> bool {
    let fit = space.fit(flow);
    fit.failed.is_empty() && fit.unknown.is_empty()
}

proptest! {
    #![proptest_config(config())]

    /// Membership in the partition is the reference decision; the owner of the cell is its clause.
    #[test]
    fn decided_is_the_reference_decision(policy in policy(), flows in vec(flow(), 30..60), port in port(), local in address()) {
        let decided = Decided::new(&policy).unwrap();
        let (allow, deny, open) = (decided.allow(), decided.deny(), decided.indeterminate());
        for set in [&allow, &deny, &open] {
            set.validate().unwrap();
        }
        prop_assert!(allow.is_disjoint(&deny).unwrap() && allow.is_disjoint(&open).unwrap() && deny.is_disjoint(&open).unwrap());
        prop_assert_eq!(allow.union(&deny).unwrap().union(&open).unwrap(), PacketSet::all());
        for flow in flows {
            let named = complete(flow, port, local);
            let expected = policy.decide(&named);
            prop_assert_eq!(decided.decision(&named), Some(expected), "{} in\n{:#?}", named, policy);
            let member = |set: &PacketSet| set.contains(&named).unwrap();
            prop_assert_eq!(
                (member(&allow), member(&deny), member(&open)),
                (expected.verdict == Verdict::Allow, expected.verdict == Verdict::Deny, expected.verdict == Verdict::Indeterminate)
            );
            // A flow that leaves something open is decided only if all it can be agree; the reference
            // may be less sure, never of another mind.
            if let Some(decision) = decided.decision(&flow) {
                let expected = policy.decide(&flow).verdict;
                prop_assert!(expected == decision.verdict || expected == Verdict::Indeterminate);
            }
        }
    }

    /// The parts are a partition, and each belongs to its decision.
    #[test]
    fn parts_have_their_owners(policy in policy()) {
        let decided = Decided::new(&policy).unwrap();
        let parts = decided.parts();
        let mut so_far = PacketSet::empty();
        for part in &parts {
            prop_assert!(part.packets.is_disjoint(&so_far).unwrap());
            so_far = so_far.union(&part.packets).unwrap();
            let witness = part.packets.witness().unwrap();
            prop_assert_eq!(policy.decide(&witness), part.decision);
            if let Some(clause) = part.decision.clause {
                prop_assert!(part.packets.is_subset(&decided.owned_by(clause)).unwrap());
            }
        }
        prop_assert_eq!(so_far, PacketSet::all());
    }

    /// Membership in what operations make is what the operation says of membership.
    #[test]
    fn operations_are_pointwise(a in spaces(), b in spaces(), flows in vec(complete_flow(), 20..40)) {
        let (set_a, set_b) = (union(&a), union(&b));
        let results = [
            set_a.union(&set_b).unwrap(),
            set_a.intersection(&set_b).unwrap(),
            set_a.difference(&set_b).unwrap(),
            set_a.symmetric_difference(&set_b).unwrap(),
            set_a.complement(),
        ];
        for set in &results {
            set.validate().unwrap();
        }
        for flow in flows {
            let (in_a, in_b) = (a.iter().any(|s| in_space(s, &flow)), b.iter().any(|s| in_space(s, &flow)));
            let expected = [in_a || in_b, in_a && in_b, in_a && !in_b, in_a != in_b, !in_a];
            for (set, expected) in results.iter().zip(expected) {
                prop_assert_eq!(set.contains(&flow), Some(expected), "{} in {}", flow, set);
            }
        }
    }

    #[test]
    fn laws_of_sets(a in any_set(), b in any_set(), c in any_set()) {
        let union = |x: &PacketSet, y: &PacketSet| x.union(y).unwrap();
        let both = |x: &PacketSet, y: &PacketSet| x.intersection(y).unwrap();
        let (none, all) = (PacketSet::empty(), PacketSet::all());
        // Commutativity, associativity, idempotence.
        prop_assert_eq!(union(&a, &b), union(&b, &a));
        prop_assert_eq!(both(&a, &b), both(&b, &a));
        prop_assert_eq!(union(&union(&a, &b), &c), union(&a, &union(&b, &c)));
        prop_assert_eq!(both(&both(&a, &b), &c), both(&a, &both(&b, &c)));
        prop_assert_eq!(union(&a, &a), a.clone());
        prop_assert_eq!(both(&a, &a), a.clone());
        // Identity, annihilation, complement, involution.
        prop_assert_eq!(union(&a, &none), a.clone());
        prop_assert_eq!(both(&a, &all), a.clone());
        prop_assert_eq!(union(&a, &all), all.clone());
        prop_assert_eq!(both(&a, &none), none.clone());
        prop_assert_eq!(union(&a, &a.complement()), all);
        prop_assert_eq!(both(&a, &a.complement()), none.clone());
        prop_assert_eq!(a.complement().complement(), a.clone());
        // De Morgan, absorption, distributivity.
        prop_assert_eq!(union(&a, &b).complement(), both(&a.complement(), &b.complement()));
        prop_assert_eq!(union(&a, &both(&a, &b)), a.clone());
        prop_assert_eq!(both(&a, &union(&b, &c)), union(&both(&a, &b), &both(&a, &c)));
        // Difference, subset.
        prop_assert_eq!(a.difference(&b).unwrap(), both(&a, &b.complement()));
        prop_assert!(both(&a, &b).is_subset(&a).unwrap() && a.is_subset(&union(&a, &b)).unwrap());
        prop_assert_eq!(a.is_subset(&b).unwrap(), union(&a, &b) == b);
        // Canonical: equal if and only if the symmetric difference has no witness.
        let apart = a.symmetric_difference(&b).unwrap();
        prop_assert_eq!(a == b, apart.witness().is_none());
        prop_assert_eq!(apart.witness().is_none(), apart.is_empty());
        // Inclusion and exclusion.
        prop_assert_eq!(a.count() + b.count(), union(&a, &b).count() + both(&a, &b).count());
        prop_assert_eq!(a.count() == PacketCount::from(0), a.is_empty());
    }

    #[test]
    fn witnesses_are_members(set in any_set(), local in address()) {
        match set.witness_at(&[local]) {
            None => prop_assert!(set.is_empty()),
            Some(flow) => {
                prop_assert_eq!(set.contains(&flow), Some(true));
                prop_assert!(flow.local().is_some() && (flow.destination_port().is_none() || flow.source_port().is_some()));
                let there = set.intersection(&PacketSet::with_local(&AddressSet::from(Cidr::host(local)))).unwrap();
                prop_assert_eq!(flow.local() == Some(local), !there.is_empty());
            }
        }
    }

    /// Boxes make up the set, each is within it, and sets survive being written.
    #[test]
    fn boxes_and_files_keep_the_set(set in any_set()) {
        let boxes = set.boxes();
        for part in &boxes {
            prop_assert!(PacketSet::from(part).is_subset(&set).unwrap());
        }
        prop_assert_eq!(PacketSet::of_boxes(&boxes).unwrap(), set.clone());
        let text = serde_json::to_string(&set).unwrap();
        prop_assert_eq!(serde_json::from_str::<PacketSet>(&text).unwrap(), set);
    }

    #[test]
    fn single_flows(flow in complete_flow(), open in flow(), set in any_set()) {
        let one = PacketSet::of_flow(&flow);
        one.validate().unwrap();
        prop_assert_eq!(one.count(), PacketCount::from(1));
        prop_assert_eq!(one.witness(), Some(flow));
        prop_assert_eq!(set.contains(&flow), Some(one.is_subset(&set).unwrap()));
        // A flow that leaves something open is in if all it can be is in.
        let open_set = PacketSet::of_flow(&open);
        open_set.validate().unwrap();
        let (within, outside) = (open_set.is_subset(&set).unwrap(), open_set.is_disjoint(&set).unwrap());
        prop_assert_eq!(set.contains(&open), match (within, outside) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        });
    }

    /// A change of few clauses, looked at only where these can match, is the whole change.
    #[test]
    fn small_changes_are_whole(policy in list(), which in any::<proptest::sample::Index>(), more in space(), allow: bool) {
        let lists = policy.lists();
        let list = lists.first().unwrap();
        let mut clauses = list.clauses().to_vec();
        if !clauses.is_empty() {
            clauses.remove(which.index(clauses.len()));
        }
        let action = if allow { Action::Allow } else { Action::Deny };
        let rank = Rank::new(0, 2).deny_first(action);
        clauses.push(Clause::new(rank, action, more, Provenance::implied("test", "added")));
        let list = RuleList::new("test", clauses, list.fallback().clone()).unwrap();
        let after = Policy::rules(Direction::Ingress, list).unwrap();
        let by_pair = |changes: Vec<secgroup::set::Change>| {
            let mut changes: Vec<_> = changes.into_iter().map(|c| (format!("{:?}", (c.before, c.after)), c.packets)).collect();
            changes.sort_by(|a, b| a.0.cmp(&b.0));
            changes
        };
        let anew = Decided::new(&policy).unwrap().changes(&Decided::new(&after).unwrap()).unwrap();
        prop_assert_eq!(by_pair(secgroup::set::changes(&policy, &after).unwrap()), by_pair(anew));
    }

    /// Two policies held against each other, at every flow.
    #[test]
    fn comparisons_agree_with_decisions(a in list(), b in list(), flows in vec(complete_flow(), 20..40)) {
        let (ours, theirs) = (Decided::new(&a).unwrap(), Decided::new(&b).unwrap());
        let changes = ours.changes(&theirs).unwrap();
        for change in &changes {
            let witness = change.packets.witness().unwrap();
            prop_assert_eq!((a.decide(&witness), b.decide(&witness)), (change.before, change.after));
        }
        for flow in flows {
            let (before, after) = (a.decide(&flow), b.decide(&flow));
            let change = changes.iter().find(|change| change.packets.contains(&flow) == Some(true));
            prop_assert_eq!(change.is_some(), before.verdict != after.verdict);
            if let Some(change) = change {
                prop_assert_eq!((change.before, change.after), (before, after));
            }
        }
        prop_assert_eq!(changes.is_empty(), ours.same_verdicts(&theirs).unwrap());
        prop_assert_eq!(secgroup::set::changes(&a, &b).unwrap().len(), changes.len());
        for (answer, wrong) in [
            (ours.implies(&theirs).unwrap(), (Verdict::Allow, Verdict::Deny)),
            (ours.disjoint(&theirs).unwrap(), (Verdict::Allow, Verdict::Allow)),
        ] {
            let outside = |verdict: Verdict| match verdict {
                Verdict::Allow => ours.allow(),
                Verdict::Deny => ours.deny(),
                Verdict::Indeterminate => ours.indeterminate(),
            };
            let (first, second) = (outside(wrong.0), if wrong.1 == Verdict::Allow { theirs.allow() } else { theirs.deny() });
            let proof = first.intersection(&second).unwrap();
            prop_assert_eq!(matches!(answer, secgroup::set::Answer::Fails(_)), !proof.is_empty());
            if let Some(example) = answer.counterexample() {
                prop_assert_eq!((a.decide(&example.flow), b.decide(&example.flow)), (example.ours, example.theirs));
            } else {
                let maybe = |decided: &Decided, verdict: Verdict| {
                    let sure = if verdict == Verdict::Allow { decided.allow() } else { decided.deny() };
                    sure.union(&decided.indeterminate()).unwrap()
                };
                prop_assert!(maybe(&ours, wrong.0).is_disjoint(&maybe(&theirs, wrong.1)).unwrap());
            }
        }
        let equal = ours.equivalent(&theirs).unwrap();
        let sure = ours.indeterminate().is_empty() && theirs.indeterminate().is_empty();
        prop_assert_eq!(equal.holds(), sure && changes.is_empty());
    }
}

fn cidr(text: &str) -> AddressSet {
    text.parse::<Cidr>().unwrap().into()
}

fn tcp(first: u16, last: u16) -> Selector {
    Selector::Tcp(PortRange::new(first, last).unwrap().into())
}

fn set(selector: Selector, remote: &str) -> PacketSet {
    PacketSet::from(&Space::new(selector, cidr(remote)))
}

/// Counted by hand: of each pair of addresses 253 protocols without selector, two with 65,536 ports on
/// each side, one with 65,536 messages.
#[test]
fn counts() {
    let per_pair = 253 + 2 * 65_536_u128 * 65_536 + 65_536;
    let v4 = PacketSet::with_remote(&AddressSet::all_of(Family::V4));
    assert_eq!(v4.count().to_u128(), Some(per_pair << 64));
    let v6 = PacketSet::with_remote(&AddressSet::all_of(Family::V6));
    assert_eq!(v6.count().to_u128(), None);
    // The same number times 2^256, as another program's integers have it.
    assert_eq!(
        v6.count().to_string(),
        "994654090665332118105945217605174416769682060373716602707995545661313290621952632815616"
    );
    // One TCP port over IPv4 from one address to any address of the interface.
    assert_eq!(set(tcp(22, 22), "10.0.0.1/32").count().to_u128(), Some(65_536 << 32));
    // ICMP type 8: 256 codes; over IPv6 type and code of number 1 do not exist.
    let icmp = set(Selector::Icmp(IcmpSelector::Type(8)), "10.0.0.1/32");
    assert_eq!(icmp.count().to_u128(), Some(256 << 32));
    assert!(set(Selector::Icmp(IcmpSelector::Any), "::/0").is_empty());
    let gre = set(Selector::Other(Protocol::GRE), "10.0.0.0/30");
    assert_eq!(gre.count().to_u128(), Some(4 << 32));
}

/// Number 1 over IPv6 and 58 over IPv4 are bare numbers (AWS-34).
#[test]
fn bare_numbers_of_icmp() {
    let bare = set(Selector::Other(Protocol::ICMP), "::/0");
    bare.validate().unwrap();
    let flow = Flow::other("2001:db8::1".parse().unwrap(), Protocol::ICMP).unwrap();
    assert_eq!(bare.contains(&flow), Some(true));
    assert!(set(Selector::Other(Protocol::ICMP), "0.0.0.0/0").is_empty());
    assert_eq!(bare.witness().unwrap().protocol(), Protocol::ICMP);
    assert_eq!(bare.to_string(), "icmp remote any IPv6 address");
}

/// Boxes as people would write them, whatever they were cut into.
#[test]
fn readable_boxes() {
    let text =
        |sets: &[PacketSet]| sets.iter().fold(PacketSet::empty(), |all, set| all.union(set).unwrap()).to_string();
    let web = set(tcp(443, 443), "0.0.0.0/0");
    let office = set(Selector::All, "10.0.0.0/8");
    // The office's rule is not cut by the port in it.
    assert_eq!(
        text(&[web.clone(), office.clone()]),
        "all protocols remote 10.0.0.0/8; tcp/443 remote any IPv4 address"
    );
    assert_eq!(
        office.difference(&set(tcp(22, 22), "10.0.0.0/8")).unwrap().to_string(),
        "all protocols except tcp/22 remote 10.0.0.0/8"
    );
    // Halves join, of addresses and of ports.
    assert_eq!(
        text(&[set(tcp(22, 22), "0.0.0.0/1"), set(tcp(22, 22), "128.0.0.0/1")]),
        "tcp/22 remote any IPv4 address"
    );
    assert_eq!(text(&[set(tcp(0, 99), "10.0.0.0/8"), set(tcp(100, 65535), "10.0.0.0/8")]), "tcp remote 10.0.0.0/8");
    let echo = |code| Selector::Icmp(IcmpSelector::Message(IcmpMessage::new(8, code)));
    assert_eq!(text(&[set(echo(0), "10.0.0.1/32"), set(echo(1), "10.0.0.1/32")]), "icmp/8/0-1 remote 10.0.0.1");
    assert_eq!(set(Selector::Icmp(IcmpSelector::Type(3)), "10.0.0.1/32").to_string(), "icmp/3 remote 10.0.0.1");
    let no_echo = set(Selector::Icmp(IcmpSelector::Any), "10.0.0.1/32").difference(&set(echo(0), "10.0.0.1/32"));
    assert_eq!(no_echo.unwrap().to_string(), "icmp/0-7, icmp/8/1-255, icmp/9-255 remote 10.0.0.1");
    let half = Space::new(tcp(22, 22), cidr("10.0.0.0/8"))
        .with_source_ports(Some(PortRange::new(1024, 65535).unwrap()))
        .with_local(Some("10.9.0.0/16".parse().unwrap()));
    let half = PacketSet::from(&half);
    assert_eq!(half.to_string(), "tcp/22 remote 10.0.0.0/8 local 10.9.0.0/16, source port 1024-65535");
    assert_eq!(
        half.boxes().first().unwrap().text(Direction::Egress),
        "tcp/22 to 10.0.0.0/8 from 10.9.0.0/16, source port 1024-65535"
    );
    assert_eq!(PacketSet::empty().to_string(), "nothing");
    assert_eq!(
        PacketSet::all().to_string(),
        "all protocols remote any IPv4 address; all protocols remote any IPv6 address"
    );
}

/// Many parts: boxes are disjoint, and still exactly the set.
#[test]
fn many_parts_are_cut_into_disjoint_boxes() {
    let parts = (0..200_u16).map(|n| set(tcp(n, n), &format!("10.0.{n}.0/24")));
    let all = parts.fold(PacketSet::empty(), |all, part| all.union(&part).unwrap());
    let boxes = all.boxes();
    assert_eq!(boxes.len(), 200);
    assert_eq!(PacketSet::of_boxes(&boxes).unwrap(), all);
}

/// Source ports that cover everything between them: the reference cannot tell of a flow without one, the
/// set can.
#[test]
fn sets_see_that_parts_cover_everything() {
    let clause = |first, last| {
        let space =
            Space::new(tcp(22, 22), cidr("10.0.0.0/8")).with_source_ports(Some(PortRange::new(first, last).unwrap()));
        Clause::new(Rank::new(1, 1), Action::Allow, space, Provenance::implied("test", "half"))
    };
    let policy = rules(vec![clause(0, 99), clause(100, 65535)]);
    let flow = Flow::tcp("10.0.0.1".parse().unwrap(), 22).at("10.1.0.1".parse().unwrap()).unwrap();
    assert_eq!(policy.decide(&flow).verdict, Verdict::Indeterminate);
    assert_eq!(Decided::new(&policy).unwrap().allow().contains(&flow), Some(true));
}

fn rules(clauses: Vec<Clause>) -> Policy {
    Policy::rules(Direction::Ingress, RuleList::new("test", clauses, Fallback::deny()).unwrap()).unwrap()
}

/// Rules that cut every dimension ask for billions of cells: an error with numbers, soon.
#[test]
fn hostile_rules_end_in_an_error() {
    let clause = |n: u16| {
        let space = Space::new(
            tcp(n, 65535 - n),
            AddressSet::from_iter([
                Cidr::containing([10, n.to_be_bytes()[0], n.to_be_bytes()[1], 0].into(), 24).unwrap()
            ]),
        )
        .with_source_ports(Some(PortRange::new(n * 3, 65535 - n).unwrap()))
        .with_local(Some(
            Cidr::containing([10, 200, n.to_be_bytes()[1], 0].into(), 8 + n.to_be_bytes()[1] % 24).unwrap(),
        ));
        Clause::new(
            Rank::new(1, n.into()),
            if n.is_multiple_of(2) { Action::Allow } else { Action::Deny },
            space,
            Provenance::implied("test", "n"),
        )
    };
    let policy = rules((0..2_000).map(clause).collect());
    let error = Decided::new(&policy).unwrap_err();
    assert!(matches!(error, SetError::TooManyCells { .. } | SetError::TooManySteps { .. }), "{error}");
    let few = Decided::within(&policy, SetLimits::of_cells(100)).unwrap_err();
    assert!(few.to_string().contains("100"), "{few}");
}

/// Of very many rules, which of them are active takes more room than what they decide: it counts too, so
/// that memory stays within what the limit says.
#[test]
fn what_is_remembered_of_many_rules_counts() {
    let clause = |n: u16| {
        let space = Space::new(tcp(n, 65_535 - n), cidr("10.0.0.0/8"));
        Clause::new(Rank::new(1, n.into()), Action::Allow, space, Provenance::implied("test", "nested"))
    };
    let few = rules((0..500).map(clause).collect());
    assert_eq!(Decided::new(&few).unwrap().allow().to_string(), "tcp remote 10.0.0.0/8");
    // 500 rules are 8 words, remembered twice for each of about 1,000 intervals of ports, which have 3 cells.
    assert!(Decided::within(&few, SetLimits::of_cells(4_000)).is_err());
    assert!(Decided::within(&few, SetLimits::of_cells(24_000)).is_ok());
}

/// What may match: two clauses of one action leave nothing open, and the owner is the best one.
#[test]
fn doubt_that_does_not_matter() {
    let space = Space::new(tcp(22, 22), cidr("10.0.0.0/8"));
    let maybe = Clause::partial(
        Rank::new(1, 1),
        Action::Allow,
        Extent::uncertain(space.clone()),
        Provenance::implied("test", "maybe"),
        vec![Missing::SourcePort],
    );
    let sure = Clause::new(Rank::new(1, 2), Action::Allow, space, Provenance::implied("test", "sure"));
    let decided = Decided::new(&rules(vec![maybe, sure])).unwrap();
    assert!(decided.indeterminate().is_empty());
    let part = decided.parts().into_iter().find(|part| part.decision.verdict == Verdict::Allow).unwrap();
    assert_eq!(part.decision.clause.unwrap().number(), 1);
}

#[test]
fn files_that_are_not_sets() {
    for text in [
        r#"[{"family":"ipv4","services":[{"first":[6,22],"last":[6,21]}],"remote":[]}]"#,
        r#"[{"family":"ipv4","services":[{"first":[6,22],"last":[6,30]},{"first":[6,25],"last":[6,40]}],"remote":[]}]"#,
        r#"[{"family":"ipv4","services":[],"remote":[{"first":"::1","last":"::2"}]}]"#,
        r#"[{"family":"ipv4","services":[],"remote":[{"first":"10.0.0.2","last":"10.0.0.1"}]}]"#,
        // GRE has no selector, so a part of it is not a set of packets.
        r#"[{"family":"ipv4","services":[{"first":[47,0],"last":[47,9]}],"remote":[{"first":"10.0.0.1","last":"10.0.0.1"}]}]"#,
        // Nor has ICMP source ports.
        r#"[{"family":"ipv4","services":[{"first":[1,0],"last":[1,65535]}],"source_ports":["5"],"remote":[{"first":"10.0.0.1","last":"10.0.0.1"}]}]"#,
    ] {
        assert!(serde_json::from_str::<PacketSet>(text).is_err(), "{text} was accepted");
    }
}

//! The exact sets held against a judge that shares no code with them: random policies of one list become
//! binary decision diagrams over the bits of a packet's header (`judges`), which must agree on numbers of
//! packets, comparisons, redundancy and shadowing; and on single flows with the reference decision, so
//! that the judge is judged too.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod judges;
mod policies;

use std::collections::BTreeSet;
use std::net::IpAddr;

use judges::{Claim, DISJOINT, EQUIVALENT, IMPLIES, Judgement, Truth, breaks, redundant, shadowed};
use num_bigint::BigUint;
use policies::{BLOCKS, address, block, edges, flow, list, near_port, port};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use secgroup::analysis::{Idleness, superfluous};
use secgroup::model::Action;
use secgroup::net::{AddressSet, Cidr, Direction, Family, Flow, IcmpSelector, PortRange, PortSet};
use secgroup::policy::{
    Clause, ClauseId, Extent, Fallback, Missing, Policy, Provenance, Rank, RuleList, RuleOrigin, Selector, Space,
    Verdict,
};
use secgroup::set::{Answer, Decided, PacketCount, PacketSet};

/// Random cases a run, at least; `PROPTEST_CASES` asks for more.
const CASES: u32 = 256;
const VERDICTS: [Verdict; 3] = [Verdict::Allow, Verdict::Deny, Verdict::Indeterminate];

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(CASES), failure_persistence: None, ..config }
}

proptest! {
    #![proptest_config(config())]

    /// The numbers of packets allowed, denied and left open are the numbers of solutions, and every flow is
    /// where the reference decision puts it.
    #[test]
    fn counts_and_members(policy in list(), flows in vec(flow(), 20..40), port in near_port(), local in address()) {
        let (judged, decided) = (Judgement::of(&policy), Decided::new(&policy).unwrap());
        let sets = VERDICTS.map(|verdict| (verdict, packets(&decided, verdict)));
        for (verdict, set) in &sets {
            prop_assert_eq!(set.count().to_string(), judged.count(*verdict).to_string(), "{} in\n{:#?}", verdict, policy);
        }
        for flow in flows {
            let named = complete(flow, port, local);
            prop_assert_eq!(judged.verdict(&named), Some(policy.decide(&named).verdict), "{} in\n{:#?}", named, policy);
            // A flow that leaves something open is many packets, which may have several verdicts.
            let verdict = judged.verdict(&flow);
            let reference = policy.decide(&flow).verdict;
            prop_assert!(verdict == Some(reference) || reference == Verdict::Indeterminate, "{} in\n{:#?}", flow, policy);
            for (wanted, set) in &sets {
                prop_assert_eq!(set.contains(&flow) == Some(true), verdict == Some(*wanted), "{} in\n{:#?}", flow, policy);
            }
        }
    }

    /// A policy and what edits make of it: every comparison has the judge's answer, and every example shows
    /// what it is said to show.
    #[test]
    fn comparisons((policy, edits) in (list(), vec(edit(), 1..4))) {
        let edited = edits.iter().fold(policy.clone(), |policy, edit| edit.apply(&policy));
        compare(&policy, &edited)?;
        if edits.iter().all(Edit::keeps_verdicts) {
            prop_assert!(Judgement::of(&policy).same_verdicts(&Judgement::of(&edited)), "{:?} of\n{:#?}", edits, policy);
        }
    }

    /// Two policies that have nothing to do with each other.
    #[test]
    fn comparisons_of_strangers(ours in list(), theirs in list()) {
        compare(&ours, &theirs)?;
    }

    /// Which clauses can go, and which never have a say.
    #[test]
    fn redundancy_and_shadowing(policy in edited_list()) {
        let (redundant, shadowed) = (redundant(&policy), shadowed(&policy));
        for reading in readings(&policy) {
            prop_assert_eq!(&reading.redundant, &redundant, "redundant, {}, in\n{:#?}", reading.by, policy);
            prop_assert_eq!(&reading.shadowed, &shadowed, "shadowed, {}, in\n{:#?}", reading.by, policy);
        }
        let decided = Decided::new(&policy).unwrap();
        for (number, (redundant, shadowed)) in (0..).zip(redundant.into_iter().zip(shadowed)) {
            // What never has a say can go, and owns nothing.
            prop_assert!(redundant || !shadowed);
            prop_assert!(!shadowed || decided.owned_by(ClauseId::new(number).unwrap()).is_empty());
        }
    }
}

/// What one reader says of every clause of a policy.
struct Reading {
    by: &'static str,
    redundant: Vec<bool>,
    shadowed: Vec<bool>,
}

/// All readers that the judge is compared with.
fn readings(policy: &Policy) -> Vec<Reading> {
    let by_sets =
        Reading { by: "by exact sets", redundant: redundant_by_sets(policy), shadowed: shadowed_by_sets(policy) };
    std::iter::once(by_sets).chain(by_analysis(policy)).collect()
}

/// What `analysis::superfluous` says, where nothing is unknown: it asks for more than the same three-valued
/// verdict, that whatever turns out the outcome is the same.
fn by_analysis(policy: &Policy) -> Option<Reading> {
    let list = policy.lists()[0];
    let known = list.clauses().iter().all(|clause| matches!(clause.extent, Extent::Exact(_)));
    if !known || list.fallback().verdict == Some(Verdict::Indeterminate) {
        return None;
    }
    // Only rules are asked about.
    let rule = |(index, clause): (usize, &Clause)| {
        let id = format!("rule-{index}").as_str().into();
        let index = u32::try_from(index).unwrap();
        let origin = RuleOrigin::new("sg-1".into(), id, policy.direction(), index, "a rule".to_owned());
        let mut clause = clause.clone();
        clause.provenance = Provenance::Rule(origin);
        clause
    };
    let clauses = list.clauses().iter().enumerate().map(rule).collect();
    let found = superfluous(&rules(clauses, list.fallback().clone())).unwrap();
    let mut reading = Reading {
        by: "by analysis",
        redundant: vec![false; list.clauses().len()],
        shadowed: vec![false; list.clauses().len()],
    };
    for idle in found.idle {
        let index = usize::try_from(idle.clause.number()).unwrap();
        reading.redundant[index] = true;
        reading.shadowed[index] = idle.idleness != Idleness::Redundant;
    }
    Some(reading)
}

fn redundant_by_sets(policy: &Policy) -> Vec<bool> {
    let list = policy.lists()[0];
    let whole = Decided::new(policy).unwrap();
    let without = |removed: usize| {
        let mut clauses = list.clauses().to_vec();
        clauses.remove(removed);
        Decided::new(&rules(clauses, list.fallback().clone())).unwrap()
    };
    (0..list.clauses().len()).map(|removed| without(removed).same_verdicts(&whole).unwrap()).collect()
}

fn shadowed_by_sets(policy: &Policy) -> Vec<bool> {
    let clauses = policy.lists()[0].clauses();
    let certain = |clause: &Clause| {
        let possible = PacketSet::from(clause.extent.possible());
        clause
            .extent
            .certain()
            .map_or_else(PacketSet::empty, |space| PacketSet::from(space).intersection(&possible).unwrap())
    };
    let shadowed = |clause: &Clause| {
        let better = clauses.iter().filter(|other| other.rank < clause.rank);
        let covered = better.fold(PacketSet::empty(), |all, other| all.union(&certain(other)).unwrap());
        PacketSet::from(clause.extent.possible()).is_subset(&covered).unwrap()
    };
    clauses.iter().map(shadowed).collect()
}

/// Every comparison of two policies, by the sets and by the judge.
fn compare(ours: &Policy, theirs: &Policy) -> Result<(), TestCaseError> {
    let (our_sets, their_sets) = (Decided::new(ours).unwrap(), Decided::new(theirs).unwrap());
    let (judged, other) = (Judgement::of(ours), Judgement::of(theirs));
    let both = || format!("{ours:#?}\nand\n{theirs:#?}");

    let same = judged.same_verdicts(&other);
    prop_assert_eq!(our_sets.same_verdicts(&their_sets).unwrap(), same, "same verdicts: {}", both());
    let answers: [(Claim, Answer); 3] = [
        (IMPLIES, our_sets.implies(&their_sets).unwrap()),
        (EQUIVALENT, our_sets.equivalent(&their_sets).unwrap()),
        (DISJOINT, our_sets.disjoint(&their_sets).unwrap()),
    ];
    for (claim, answer) in answers {
        let (truth, broken) = match answer {
            Answer::Holds => (Truth::Always, Truth::Never),
            Answer::Unknown(_) => (Truth::Depends, Truth::Depends),
            Answer::Fails(_) => (Truth::Never, Truth::Always),
        };
        prop_assert_eq!(truth, judged.holds(&other, claim), "{:?}: {}", claim, both());
        if let Some(example) = answer.counterexample() {
            let verdicts = (example.ours.verdict, example.theirs.verdict);
            prop_assert_eq!(judged.verdict(&example.flow), Some(verdicts.0), "{}: {}", example.flow, both());
            prop_assert_eq!(other.verdict(&example.flow), Some(verdicts.1), "{}: {}", example.flow, both());
            prop_assert_eq!(breaks(claim, verdicts.0, verdicts.1), broken, "{}: {}", example.flow, both());
        }
    }

    let changes = our_sets.changes(&their_sets).unwrap();
    prop_assert_eq!(changes.is_empty(), same);
    for before in VERDICTS {
        for after in VERDICTS {
            let expected = judged.count_both(before, &other, after).to_string();
            let common = packets(&our_sets, before).intersection(&packets(&their_sets, after)).unwrap();
            prop_assert_eq!(common.count().to_string(), &expected[..], "{} and {}: {}", before, after, both());
            if before != after {
                let moved =
                    changes.iter().filter(|change| (change.before.verdict, change.after.verdict) == (before, after));
                let moved = moved.fold(PacketCount::from(0), |sum, change| sum + change.packets.count());
                prop_assert_eq!(moved.to_string(), expected, "{} to {}: {}", before, after, both());
            }
        }
    }
    Ok(())
}

fn packets(decided: &Decided, verdict: Verdict) -> PacketSet {
    match verdict {
        Verdict::Allow => decided.allow(),
        Verdict::Deny => decided.deny(),
        Verdict::Indeterminate => decided.indeterminate(),
    }
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

fn rules(clauses: Vec<Clause>, fallback: Fallback) -> Policy {
    Policy::rules(Direction::Ingress, RuleList::new("test", clauses, fallback).unwrap()).unwrap()
}

/// What happens to one clause, or to the list. Clauses are chosen modulo their number.
#[derive(Debug, Clone)]
enum Edit {
    /// Its far addresses within a block and outside become two clauses.
    SplitRemote(Index, Cidr),
    /// Its near addresses become two clauses of half a block.
    SplitLocal(Index),
    /// The order within each rank is reversed.
    Reverse,
    /// It is there twice.
    Duplicate(Index),
    /// It is there again at another rank.
    Repeat(Index, u64),
    /// It goes.
    Drop(Index),
    /// One far address more or less.
    Address(Index, IpAddr),
    /// One destination port more or less, or another ICMP type.
    Port(Index, u16),
    /// Fewer source ports.
    SourcePorts(Index, u16),
    /// It may match what it matched, or the other way round.
    Doubt(Index),
    /// Another answer to what nothing matches.
    Default,
}

fn edit() -> impl Strategy<Value = Edit> {
    let which = any::<Index>;
    prop_oneof![
        3 => (which(), block()).prop_map(|(which, block)| Edit::SplitRemote(which, block)),
        1 => which().prop_map(Edit::SplitLocal),
        1 => Just(Edit::Reverse),
        1 => which().prop_map(Edit::Duplicate),
        1 => (which(), 0..6_u64).prop_map(|(which, order)| Edit::Repeat(which, order)),
        3 => which().prop_map(Edit::Drop),
        2 => (which(), address()).prop_map(|(which, address)| Edit::Address(which, address)),
        2 => (which(), port()).prop_map(|(which, port)| Edit::Port(which, port)),
        1 => (which(), port()).prop_map(|(which, port)| Edit::SourcePorts(which, port)),
        1 => which().prop_map(Edit::Doubt),
        1 => Just(Edit::Default),
    ]
}

/// Lists in which some clauses are parts and copies of others.
fn edited_list() -> impl Strategy<Value = Policy> {
    (list(), vec(edit(), 0..4))
        .prop_map(|(policy, edits)| edits.iter().fold(policy, |policy, edit| edit.apply(&policy)))
}

impl Edit {
    /// Whether it never changes a verdict.
    fn keeps_verdicts(&self) -> bool {
        matches!(self, Self::SplitRemote(..) | Self::SplitLocal(_) | Self::Reverse | Self::Duplicate(_))
    }

    fn apply(&self, policy: &Policy) -> Policy {
        let list = policy.lists()[0];
        let (mut clauses, mut fallback) = (list.clauses().to_vec(), list.fallback().clone());
        let mut chosen = |which: &Index, change: &dyn Fn(Clause) -> Vec<Clause>| {
            if !clauses.is_empty() {
                let place = which.index(clauses.len());
                let clause = clauses[place].clone();
                clauses.splice(place..=place, change(clause));
            }
        };
        match self {
            Self::SplitRemote(which, block) => chosen(which, &|clause| {
                let inside = AddressSet::from(*block);
                [inside.complement(), inside]
                    .map(|part| {
                        with_spaces(&clause, |space| {
                            let remote = space.remote.intersection(&part);
                            space.with_remote(remote)
                        })
                    })
                    .to_vec()
            }),
            Self::SplitLocal(which) => chosen(which, &|clause| {
                let halves = |space: &Space| space.local.and_then(halves);
                // Halves of one block cut both extents only if both have that block.
                let uncut =
                    clause.extent.certain().is_some_and(|certain| certain.local != clause.extent.possible().local);
                match halves(clause.extent.possible()) {
                    Some(halves) if !uncut => {
                        halves.map(|half| with_spaces(&clause, |space| space.with_local(Some(half)))).to_vec()
                    }
                    _ => vec![clause],
                }
            }),
            Self::Reverse => clauses.reverse(),
            Self::Duplicate(which) => chosen(which, &|clause| vec![clause.clone(), clause]),
            Self::Repeat(which, order) => chosen(which, &|clause| {
                let mut again = clause.clone();
                again.rank = Rank::new(0, *order).deny_first(clause.action);
                vec![clause, again]
            }),
            Self::Drop(which) => chosen(which, &|_| Vec::new()),
            Self::Address(which, address) => chosen(which, &|clause| {
                let host = AddressSet::from(Cidr::host(*address));
                vec![with_spaces(&clause, |space| {
                    let remote = if space.remote.contains(*address) {
                        space.remote.intersection(&host.complement())
                    } else {
                        space.remote.union(&host)
                    };
                    space.with_remote(remote)
                })]
            }),
            Self::Port(which, port) => chosen(which, &|clause| {
                vec![with_spaces(&clause, |mut space| {
                    space.selector = match space.selector {
                        Selector::Tcp(ports) => Selector::Tcp(toggled(&ports, *port)),
                        Selector::Udp(ports) => Selector::Udp(toggled(&ports, *port)),
                        Selector::Icmp(_) => Selector::Icmp(IcmpSelector::Type(port.to_be_bytes()[1])),
                        Selector::Icmpv6(_) => Selector::Icmpv6(IcmpSelector::Type(port.to_be_bytes()[1])),
                        other => other,
                    };
                    space
                })]
            }),
            Self::SourcePorts(which, port) => chosen(which, &|clause| {
                vec![with_spaces(&clause, |space| {
                    let range = space.source_ports.unwrap_or(PortRange::ALL);
                    let end = range.last().min(*port).max(range.first());
                    space.with_source_ports(PortRange::new(range.first(), end).ok())
                })]
            }),
            Self::Doubt(which) => chosen(which, &|mut clause| {
                clause.extent = match clause.extent {
                    Extent::Exact(possible) => Extent::uncertain(possible),
                    Extent::Partial { possible, .. } => Extent::Exact(possible),
                };
                vec![clause]
            }),
            Self::Default => {
                fallback = match fallback.verdict {
                    Some(Verdict::Allow) => Fallback::deny(),
                    Some(Verdict::Deny) => Fallback::pass(),
                    None => Fallback::indeterminate(vec![Missing::SourcePort]),
                    Some(Verdict::Indeterminate) => Fallback::allow(),
                }
            }
        }
        rules(clauses, fallback)
    }
}

/// The same clause with its spaces changed.
fn with_spaces(clause: &Clause, change: impl Fn(Space) -> Space) -> Clause {
    let mut clause = clause.clone();
    clause.extent = match clause.extent {
        Extent::Exact(space) => Extent::Exact(change(space)),
        Extent::Partial { certain, possible } => {
            Extent::Partial { certain: certain.map(&change), possible: change(possible) }
        }
    };
    clause
}

fn halves(block: Cidr) -> Option<[Cidr; 2]> {
    let half = |address| Cidr::containing(address, block.prefix() + 1).ok();
    Some([half(block.first())?, half(block.last())?])
}

fn toggled(ports: &PortSet, port: u16) -> PortSet {
    let one = PortRange::new(port, port).unwrap();
    if !ports.contains(port) {
        return ports.ranges().iter().copied().chain([one]).collect();
    }
    let rest = ports.ranges().iter().flat_map(|range| {
        let below = port.checked_sub(1).and_then(|end| PortRange::new(range.first(), range.last().min(end)).ok());
        let above = port.checked_add(1).and_then(|start| PortRange::new(range.first().max(start), range.last()).ok());
        [below, above].into_iter().flatten()
    });
    rest.collect()
}

/// What of a certain part lies outside the possible one does not count, whether or not the flow says where
/// it lies.
#[test]
fn open_flows_and_certain_parts_outside_the_possible_one() {
    let certain = Space::new(Selector::All, AddressSet::all());
    let possible = certain.clone().with_source_ports(Some(PortRange::new(0, 0).unwrap()));
    let extent = Extent::Partial { certain: Some(certain), possible };
    let provenance = Provenance::implied("test", "a clause");
    let clause = Clause::partial(Rank::new(0, 0), Action::Allow, extent, provenance, vec![Missing::SourcePort]);
    let policy = rules(vec![clause], Fallback::deny());
    let flow = Flow::tcp(IpAddr::from([10, 0, 0, 1]), 22);
    let verdicts = [flow.from_port(0), flow.from_port(1), flow].map(|flow| policy.decide(&flow).verdict);
    assert_eq!(verdicts, [Verdict::Allow, Verdict::Deny, Verdict::Indeterminate]);
}

/// The random policies ask something: clauses that can go for different reasons and such that cannot,
/// comparisons with every answer.
#[test]
fn every_answer_occurs() {
    let mut runner = TestRunner::deterministic();
    let (mut clauses, mut answers) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..48 {
        let policy = edited_list().new_tree(&mut runner).unwrap().current();
        clauses.extend(redundant(&policy).into_iter().zip(shadowed(&policy)));
        let edited = edit().new_tree(&mut runner).unwrap().current().apply(&policy);
        let stranger = list().new_tree(&mut runner).unwrap().current();
        let [ours, edited, stranger] = [&policy, &edited, &stranger].map(Judgement::of);
        for other in [edited, stranger] {
            answers.extend([IMPLIES, EQUIVALENT, DISJOINT].map(|claim| (claim, ours.holds(&other, claim))));
        }
    }
    assert_eq!(clauses, BTreeSet::from([(false, false), (true, false), (true, true)]));
    assert_eq!(answers.len(), 9, "{answers:?}");
}

/// The judge by itself, on a policy that can be read.
#[test]
fn the_judge_by_hand() {
    let clause = |order, action, selector, remote: &str| {
        let remote = AddressSet::from(remote.parse::<Cidr>().unwrap());
        let space = Space::new(selector, remote);
        Clause::new(Rank::new(0, order).deny_first(action), action, space, Provenance::implied("test", "a clause"))
    };
    let ssh = || Selector::Tcp(PortRange::new(22, 22).unwrap().into());
    let policy = rules(
        vec![
            clause(1, Action::Allow, ssh(), "10.0.0.0/8"),
            // In the same rank: not shadowed, yet redundant.
            clause(1, Action::Allow, ssh(), "10.1.0.0/16"),
            // Covered by a better rank.
            clause(2, Action::Deny, ssh(), "10.2.0.0/16"),
            // What the default does as well.
            clause(2, Action::Deny, Selector::All, "::/0"),
            // An IPv6 message over IPv4 matches nothing.
            clause(3, Action::Allow, Selector::Icmpv6(IcmpSelector::Any), "10.0.0.0/8"),
            clause(3, Action::Allow, Selector::Icmp(IcmpSelector::Type(8)), "10.0.0.1/32"),
        ],
        Fallback::deny(),
    );
    assert_eq!(redundant(&policy), [false, true, true, true, true, false]);
    assert_eq!(shadowed(&policy), [false, false, true, false, true, false]);
    // One port from 2^24 addresses and any source port, 256 codes from one; each to 2^32 addresses.
    let allowed = ((1_u128 << 24) * 65_536 + 256) << 32;
    let judged = Judgement::of(&policy);
    assert_eq!(judged.count(Verdict::Allow), allowed.into());
    // 253 protocols without selector, two with ports on both sides, one with messages.
    let per_pair = 253 + 2 * 65_536_u128 * 65_536 + 65_536;
    let [v4, v6] = [64, 256].map(|bits| BigUint::from(per_pair) << bits);
    assert_eq!(judged.count(Verdict::Deny), v4 + v6 - BigUint::from(allowed));
    let edges: Vec<IpAddr> = BLOCKS.iter().flat_map(|block| edges(block.parse().unwrap())).collect();
    for remote in edges {
        let flow = Flow::tcp(remote, 22).from_port(1);
        let inside = "10.0.0.0/8".parse::<Cidr>().unwrap().contains(remote);
        assert_eq!(judged.verdict(&flow), Some(if inside { Verdict::Allow } else { Verdict::Deny }), "{flow}");
    }
}

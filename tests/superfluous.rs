//! Rules that do nothing, against removing them one by one and together.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod policies;

use policies::space;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use secgroup::analysis::{Idleness, Superfluous, superfluous};
use secgroup::model::{Action, RuleId};
use secgroup::net::{AddressSet, Cidr, Direction, PortRange};
use secgroup::policy::{
    Clause, ClauseId, Extent, Fallback, Missing, Policy, Provenance, Rank, RuleList, RuleOrigin, Selector, Space,
    Verdict,
};
use secgroup::set::{Decided, PacketSet};

const CASES: u32 = 256;

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(CASES), failure_persistence: None, ..config }
}

fn origin(index: u32) -> Provenance {
    let rule = RuleId::from(format!("rule-{index}"));
    Provenance::Rule(RuleOrigin::new("sg-1".into(), rule, Direction::Ingress, index, "a rule".to_owned()))
}

/// Lists in which rules often cover each other: few blocks, few ports, few ranks.
fn list() -> BoxedStrategy<Policy> {
    let action = prop_oneof![3 => Just(Action::Allow), 2 => Just(Action::Deny)];
    let blocks = ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "::/0", "2001:db8::/32"];
    let ports = ["0-65535", "22", "0-99", "100-65535", "22-80"];
    let tidy = (select(blocks.to_vec()), select(ports.to_vec()), 0..5_u8).prop_map(|(block, ports, kind)| {
        let ports: PortRange = ports.parse().unwrap();
        let selector = match kind {
            0 => Selector::All,
            1 => Selector::Udp(ports.into()),
            _ => Selector::Tcp(ports.into()),
        };
        Space::new(selector, AddressSet::from(block.parse::<Cidr>().unwrap()))
    });
    let extent = prop_oneof![
        8 => tidy.clone().prop_map(Extent::Exact),
        1 => tidy.clone().prop_map(Extent::uncertain),
        // What is certain lies within what is possible, as engines make it.
        1 => (tidy.clone(), tidy).prop_map(|(certain, possible)| {
            let possible = Space::new(Selector::All, possible.remote.union(&certain.remote));
            Extent::Partial { certain: Some(certain), possible }
        }),
        1 => space().prop_map(Extent::Exact),
    ];
    let clause = (0..3_u64, action, extent);
    let fallback =
        select(vec![Fallback::deny(), Fallback::allow(), Fallback::indeterminate(vec![Missing::SourcePort])]);
    (vec(clause, 0..9), fallback)
        .prop_map(|(clauses, fallback)| {
            let clauses = (0..).zip(clauses).map(|(index, (order, action, extent))| {
                let rank = Rank::new(0, order).deny_first(action);
                Clause::partial(rank, action, extent, origin(index), vec![Missing::SourcePort])
            });
            rules(clauses.collect(), fallback)
        })
        .boxed()
}

fn rules(clauses: Vec<Clause>, fallback: Fallback) -> Policy {
    Policy::rules(Direction::Ingress, RuleList::new("test", clauses, fallback).unwrap()).unwrap()
}

/// The policy without some of its clauses, built anew.
fn without(policy: &Policy, gone: &[usize]) -> Policy {
    let lists = policy.lists();
    let list = lists.first().unwrap();
    let kept = list.clauses().iter().enumerate().filter(|(index, _)| !gone.contains(index)).map(|(_, c)| c.clone());
    rules(kept.collect(), list.fallback().clone())
}

fn same(a: &Policy, b: &Policy) -> bool {
    Decided::new(a).unwrap().same_verdicts(&Decided::new(b).unwrap()).unwrap()
}

/// What the policy can turn out to be: every clause that is known in part matches as little or as much as
/// it can, and a default that is not known is one or the other.
fn worlds(policy: &Policy) -> Vec<Policy> {
    let lists = policy.lists();
    let list = lists.first().unwrap();
    let doubtful: Vec<usize> = (list.clauses().iter().enumerate())
        .filter(|(_, clause)| matches!(clause.extent, Extent::Partial { .. }))
        .map(|(index, _)| index)
        .collect();
    let fallbacks = match list.fallback().verdict {
        Some(Verdict::Indeterminate) => vec![Fallback::allow(), Fallback::deny()],
        _ => vec![list.fallback().clone()],
    };
    let mut worlds = Vec::new();
    for mask in 0..1_usize << doubtful.len() {
        let settled = |(index, clause): (usize, &Clause)| {
            let much = doubtful.iter().position(|doubt| *doubt == index).is_none_or(|bit| mask >> bit & 1 == 1);
            let (possible, certain) = (clause.extent.possible(), clause.extent.certain());
            // Of the least extent only what lies in the possible one counts: two clauses could not say that,
            // so such cases are not made here.
            let space = if much { Some(possible) } else { certain };
            let mut clause = clause.clone();
            let nothing = Space::new(Selector::All, AddressSet::empty());
            clause.extent = Extent::Exact(space.cloned().unwrap_or(nothing));
            clause
        };
        let clauses: Vec<Clause> = list.clauses().iter().enumerate().map(settled).collect();
        worlds.extend(fallbacks.iter().map(|fallback| rules(clauses.clone(), fallback.clone())));
    }
    worlds
}

/// Whether the policy without some clauses is the same whatever turns out.
fn same_in_all_worlds(policy: &Policy, gone: &[usize]) -> bool {
    worlds(policy).iter().all(|world| same(world, &without(world, gone)))
}

fn number(clause: ClauseId) -> usize {
    usize::try_from(clause.number()).unwrap()
}

fn numbers(clauses: &[ClauseId]) -> Vec<usize> {
    clauses.iter().copied().map(number).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn idle_rules_are_those_that_can_go(policy in list()) {
        let found = superfluous(&policy).unwrap();
        let lists = policy.lists();
        let clauses = lists.first().unwrap().clauses();
        for (index, clause) in clauses.iter().enumerate() {
            let idle = found.idle.iter().find(|idle| number(idle.clause) == index);
            prop_assert_eq!(idle.is_some(), same_in_all_worlds(&policy, &[index]), "clause {} of\n{:#?}", index, policy);
            let Some(idle) = idle else { continue };
            // Shadowed: wholly within what better ranks certainly match.
            let own = PacketSet::from(clause.extent.possible());
            let certain = |clause: &Clause| match &clause.extent {
                Extent::Exact(space) => PacketSet::from(space),
                extent @ Extent::Partial { .. } => {
                    let certain = extent.certain().map_or_else(PacketSet::empty, PacketSet::from);
                    certain.intersection(&PacketSet::from(extent.possible())).unwrap()
                }
            };
            let better = clauses.iter().filter(|other| other.rank < clause.rank);
            let better = better.fold(PacketSet::empty(), |all, other| all.union(&certain(other)).unwrap());
            let expected = if own.is_empty() {
                Idleness::NeverMatches
            } else if own.is_subset(&better).unwrap() {
                Idleness::Shadowed
            } else {
                Idleness::Redundant
            };
            prop_assert_eq!(idle.idleness, expected);
            // Those that cover it, and the default, decide everywhere in its place.
            let covers = idle.covered_by.iter().fold(PacketSet::empty(), |all, cover| {
                all.union(&certain(clauses.get(number(*cover)).unwrap())).unwrap()
            });
            prop_assert!(idle.default_covers || own.is_subset(&covers).unwrap(), "covers of {} in\n{:#?}", index, policy);
            prop_assert!(!idle.covered_by.contains(&idle.clause));
        }
    }

    /// Removing what can be removed changes no verdict, and then nothing can be removed any more.
    #[test]
    fn what_is_removable_can_be_removed(policy in list()) {
        let found = superfluous(&policy).unwrap();
        let gone = numbers(&found.removable);
        let rest = without(&policy, &gone);
        prop_assert!(same(&policy, &rest) && same_in_all_worlds(&policy, &gone));
        let again = superfluous(&rest).unwrap();
        prop_assert!(again.idle.is_empty() && again.removable.is_empty(), "{:?} is left of\n{:#?}", again, policy);
    }

    /// Where only allow rules of one rank are, no larger set exists: all combinations are tried.
    #[test]
    fn no_larger_set_of_equals_exists(policy in list()) {
        let lists = policy.lists();
        let list = lists.first().unwrap();
        let equals = list.clauses().iter().filter(|clause| clause.action == Action::Allow).take(7).enumerate();
        let equals = equals.map(|(index, clause)| {
            Clause::partial(Rank::new(0, 0), Action::Allow, clause.extent.clone(), origin(u32::try_from(index).unwrap()), vec![])
        });
        let policy = rules(equals.collect(), list.fallback().clone());
        let count = policy.lists().first().unwrap().clauses().len();
        let largest = (0..1_usize << count)
            .map(|mask| (0..count).filter(|index| mask >> index & 1 == 1).collect::<Vec<_>>())
            .filter(|gone| same_in_all_worlds(&policy, gone))
            .map(|gone| gone.len())
            .max();
        prop_assert_eq!(Some(superfluous(&policy).unwrap().removable.len()), largest);
    }
}

fn rule(index: u32, order: u64, action: Action, ports: &str, block: &str) -> Clause {
    let ports: PortRange = ports.parse().unwrap();
    let space = Space::new(Selector::Tcp(ports.into()), AddressSet::from(block.parse::<Cidr>().unwrap()));
    Clause::new(Rank::new(1, order).deny_first(action), action, space, origin(index))
}

fn found(clauses: Vec<Clause>, fallback: Fallback) -> Superfluous {
    superfluous(&rules(clauses, fallback)).unwrap()
}

use Action::{Allow, Deny};

/// Two equal rules are not both removable, although each alone is.
#[test]
fn of_two_equal_rules_one_can_go() {
    let found =
        found(vec![rule(0, 1, Allow, "22", "10.0.0.0/8"), rule(1, 1, Allow, "22", "10.0.0.0/8")], Fallback::deny());
    assert_eq!(found.idle.len(), 2);
    assert!(found.idle.iter().all(|idle| idle.idleness == Idleness::Redundant && idle.covered_by.len() == 1));
    assert_eq!(found.removable.len(), 1);
}

/// Covered only by several together: a quarter, a quarter and a half, each beside other things.
#[test]
fn covered_by_several_together() {
    let clauses = vec![
        rule(0, 1, Deny, "0-30", "10.0.0.0/9"),
        rule(1, 1, Deny, "20-30", "10.128.0.0/10"),
        rule(2, 1, Deny, "22-25", "10.192.0.0/10"),
        rule(3, 2, Allow, "22", "10.0.0.0/8"),
    ];
    let found = found(clauses, Fallback::allow());
    let idle = found.idle.first().unwrap();
    assert_eq!((number(idle.clause), idle.idleness), (3, Idleness::Shadowed));
    assert_eq!(numbers(&idle.covered_by), [0, 1, 2]);
    assert!(!idle.default_covers);
    assert_eq!(numbers(&found.removable), [3]);
}

/// ALI-79: at equal priority an accept does not make a drop redundant, because drop sorts first; the drop
/// shadows the accept.
#[test]
fn at_one_priority_the_drop_is_not_the_redundant_one() {
    let found =
        found(vec![rule(0, 5, Deny, "80", "0.0.0.0/0"), rule(1, 5, Allow, "80", "0.0.0.0/0")], Fallback::deny());
    // The drop alone keeps the accept from opening the port, so only the accept can go first; without
    // it the drop says no more than the default, and goes too.
    assert_eq!(found.idle.len(), 1);
    let idle = found.idle.first().unwrap();
    assert_eq!((number(idle.clause), idle.idleness, numbers(&idle.covered_by)), (1, Idleness::Shadowed, vec![0]));
    assert_eq!(numbers(&found.removable), [0, 1]);
}

/// Trap 1 of Alibaba Cloud: an accept beside a default that allows filters nothing.
#[test]
fn an_accept_under_a_default_that_allows() {
    let found = found(vec![rule(0, 1, Allow, "443", "0.0.0.0/0")], Fallback::allow());
    let idle = found.idle.first().unwrap();
    assert_eq!((idle.idleness, idle.covered_by.len(), idle.default_covers), (Idleness::Redundant, 0, true));
}

/// A rule that matches nothing is never a cover, and can go.
#[test]
fn a_rule_that_never_matches() {
    let never = Clause::new(
        Rank::new(1, 1),
        Allow,
        Space::new(Selector::Icmp(secgroup::net::IcmpSelector::Any), AddressSet::from("::/0".parse::<Cidr>().unwrap())),
        origin(0),
    );
    let found = found(vec![never], Fallback::deny());
    assert_eq!(found.idle.first().unwrap().idleness, Idleness::NeverMatches);
    assert_eq!(found.removable.len(), 1);
}

/// A rule under clauses that may match, of which the verdict is indeterminate with and without it: it does
/// something if they turn out not to match.
#[test]
fn doubt_does_not_make_a_rule_idle() {
    let everything = || Space::new(Selector::All, AddressSet::all());
    let maybe = |order, action| {
        let rank = Rank::new(0, order).deny_first(action);
        let provenance = Provenance::implied("test", "rules that were not loaded");
        Clause::partial(rank, action, Extent::uncertain(everything()), provenance, vec![Missing::SourcePort])
    };
    let policy = rules(vec![maybe(0, Deny), maybe(0, Allow), rule(0, 2, Deny, "22", "10.0.0.0/8")], Fallback::allow());
    assert!(same(&policy, &without(&policy, &[2])));
    assert_eq!(superfluous(&policy).unwrap(), Superfluous::default());
    // Unless what may match does the same.
    let policy = rules(vec![maybe(0, Allow), rule(0, 2, Allow, "22", "10.0.0.0/8")], Fallback::allow());
    assert_eq!(superfluous(&policy).unwrap().removable.len(), 1);
}

/// What nobody wrote is never removable, but may cover.
#[test]
fn implied_clauses_cover_and_stay() {
    let implied = Clause::new(Rank::FIRST, Allow, Space::everything(), Provenance::implied("test", "everything"));
    let found = found(vec![implied, rule(1, 1, Allow, "22", "10.0.0.0/8")], Fallback::deny());
    assert_eq!(numbers(&found.removable), [1]);
    let idle = found.idle.first().unwrap();
    assert_eq!((number(idle.clause), idle.idleness, numbers(&idle.covered_by)), (1, Idleness::Shadowed, vec![0]));
}

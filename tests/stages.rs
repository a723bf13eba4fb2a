//! Three-valued evaluation of lists and their combinations, against the enumeration of every world
//! that the missing data leaves open: each clause that may match does, or does not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use secgroup::model::Action;
use secgroup::net::{AddressSet, Cidr, Direction, Flow};
use secgroup::policy::{
    Basis, Clause, ClauseId, Extent, Fallback, Missing, Policy, PolicyError, Provenance, Rank, RuleList, Selector,
    Space, Touch, Verdict,
};

/// How a clause of the test stands to the one flow of the test.
#[derive(Debug, Clone)]
struct Entry {
    order: u64,
    action: Action,
    touch: Touch,
}

#[derive(Debug, Clone)]
enum Tree {
    List(Vec<Entry>, Option<Verdict>),
    AllOf(Vec<Tree>),
    FirstDecisive(Vec<Tree>),
}

fn flow() -> Flow {
    Flow::tcp([192, 0, 2, 1].into(), 443)
}

fn clause(entry: &Entry) -> Clause {
    let elsewhere = Space::new(Selector::All, AddressSet::from(Cidr::host([198, 51, 100, 1].into())));
    let extent = match entry.touch {
        Touch::No => Extent::Exact(elsewhere),
        Touch::May => Extent::uncertain(Space::everything()),
        Touch::Certain => Extent::Exact(Space::everything()),
    };
    let missing = vec![Missing::SourcePort];
    let rank = Rank::new(0, entry.order).deny_first(entry.action);
    Clause::partial(rank, entry.action, extent, Provenance::implied("test", "a clause"), missing)
}

fn fallback(verdict: Option<Verdict>) -> Fallback {
    match verdict {
        None => Fallback::pass(),
        Some(Verdict::Allow) => Fallback::allow(),
        Some(Verdict::Deny) => Fallback::deny(),
        Some(Verdict::Indeterminate) => Fallback::indeterminate(vec![Missing::SourcePort]),
    }
}

fn policy(tree: &Tree) -> Policy {
    let stages = |trees: &[Tree]| trees.iter().map(policy).collect();
    match tree {
        Tree::List(entries, verdict) => {
            let list = RuleList::new("test", entries.iter().map(clause).collect(), fallback(*verdict)).unwrap();
            Policy::rules(Direction::Ingress, list).unwrap()
        }
        Tree::AllOf(trees) => Policy::all_of(stages(trees)).unwrap(),
        Tree::FirstDecisive(trees) => Policy::first_decisive(stages(trees)).unwrap(),
    }
}

/// The answers of one tree in one world; worlds are drawn from the bits of `world`, lowest first.
/// `None` is "no match".
fn answer(tree: &Tree, world: &mut u32) -> Option<bool> {
    let mut bit = || {
        let set = *world & 1 == 1;
        *world >>= 1;
        set
    };
    match tree {
        Tree::List(entries, default) => {
            let mut sorted = entries.clone();
            // Deny before pass before allow at one order.
            let tie = |action| [Action::Deny, Action::Pass, Action::Allow].iter().position(|a| *a == action);
            sorted.sort_by_key(|entry| (entry.order, tie(entry.action)));
            let matches: Vec<bool> = sorted
                .iter()
                .map(|entry| match entry.touch {
                    Touch::No => false,
                    Touch::May => bit(),
                    Touch::Certain => true,
                })
                .collect();
            let default = match default {
                None => None,
                Some(Verdict::Allow) => Some(true),
                Some(Verdict::Deny) => Some(false),
                Some(Verdict::Indeterminate) => Some(bit()),
            };
            match sorted.iter().zip(matches).find(|(_, matched)| *matched) {
                None => default,
                Some((Entry { action: Action::Allow, .. }, _)) => Some(true),
                Some((Entry { action: Action::Deny, .. }, _)) => Some(false),
                Some((Entry { action: Action::Pass, .. }, _)) => None,
            }
        }
        Tree::AllOf(trees) => {
            let answers: Vec<Option<bool>> = trees.iter().map(|tree| answer(tree, world)).collect();
            Some(answers.iter().all(|answer| *answer == Some(true)))
        }
        Tree::FirstDecisive(trees) => {
            let answers: Vec<Option<bool>> = trees.iter().map(|tree| answer(tree, world)).collect();
            answers.into_iter().flatten().next()
        }
    }
}

fn open_bits(tree: &Tree) -> u32 {
    match tree {
        Tree::List(entries, default) => {
            let may = entries.iter().filter(|entry| entry.touch == Touch::May).count();
            u32::try_from(may).unwrap() + u32::from(*default == Some(Verdict::Indeterminate))
        }
        Tree::AllOf(trees) | Tree::FirstDecisive(trees) => trees.iter().map(open_bits).sum(),
    }
}

fn by_worlds(tree: &Tree) -> Verdict {
    let bits = open_bits(tree);
    // At the root no match is a denial.
    let answers: Vec<bool> = (0..1_u32 << bits).map(|mut world| answer(tree, &mut world).unwrap_or(false)).collect();
    match (answers.contains(&true), answers.contains(&false)) {
        (true, false) => Verdict::Allow,
        (false, true) => Verdict::Deny,
        _ => Verdict::Indeterminate,
    }
}

fn entries() -> impl Strategy<Value = Tree> {
    let action = prop_oneof![Just(Action::Allow), Just(Action::Deny), Just(Action::Pass)];
    let touch = prop_oneof![2 => Just(Touch::No), 2 => Just(Touch::May), 1 => Just(Touch::Certain)];
    let entry = (0..3_u64, action, touch).prop_map(|(order, action, touch)| Entry { order, action, touch });
    let verdict = prop_oneof![
        Just(None),
        Just(Some(Verdict::Allow)),
        Just(Some(Verdict::Deny)),
        Just(Some(Verdict::Indeterminate))
    ];
    (prop::collection::vec(entry, 0..4), verdict).prop_map(|(entries, verdict)| Tree::List(entries, verdict))
}

fn trees() -> impl Strategy<Value = Tree> {
    entries().prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::AllOf),
            prop::collection::vec(inner, 1..4).prop_map(Tree::FirstDecisive),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn evaluation_is_what_holds_in_every_world(tree in trees()) {
        prop_assume!(open_bits(&tree) <= 14);
        let policy = policy(&tree);
        let decision = policy.decide(&flow());
        prop_assert_eq!(decision.verdict, by_worlds(&tree), "{}", policy);
        prop_assert_eq!(decision.basis == Basis::Undecided, decision.verdict == Verdict::Indeterminate);
        let explanation = policy.explain(&flow());
        prop_assert_eq!(explanation.decision(), decision);
        prop_assert_eq!(explanation.all_missing().is_empty(), decision.verdict != Verdict::Indeterminate);
        if let Some(id) = decision.clause {
            prop_assert!(policy.clause(id).is_some_and(|clause| clause.touch(&flow()) != Touch::No));
        }
    }
}

fn list(entries: &[(u64, Action, Touch)], verdict: Option<Verdict>) -> Tree {
    let entry = |&(order, action, touch): &(u64, Action, Touch)| Entry { order, action, touch };
    Tree::List(entries.iter().map(entry).collect(), verdict)
}

#[test]
fn a_certain_clause_ends_the_walk() {
    let tree = list(
        &[(1, Action::Allow, Touch::May), (2, Action::Allow, Touch::Certain), (3, Action::Deny, Touch::May)],
        Some(Verdict::Deny),
    );
    let decision = policy(&tree).decide(&flow());
    assert_eq!((decision.verdict, decision.clause.map(ClauseId::number)), (Verdict::Allow, Some(1)));
}

#[test]
fn what_may_match_names_the_best_clause() {
    let tree = list(&[(1, Action::Deny, Touch::No), (2, Action::Allow, Touch::May)], Some(Verdict::Deny));
    let decision = policy(&tree).decide(&flow());
    assert_eq!((decision.verdict, decision.clause.map(ClauseId::number)), (Verdict::Indeterminate, Some(1)));
    assert_eq!(policy(&tree).explain(&flow()).missing, [Missing::SourcePort]);
}

#[test]
fn explicit_and_implicit_denials_are_told_apart() {
    let explicit = policy(&list(&[(1, Action::Deny, Touch::Certain)], None)).decide(&flow());
    let implicit = policy(&list(&[(1, Action::Allow, Touch::No)], None)).decide(&flow());
    let passed = policy(&list(&[(1, Action::Pass, Touch::Certain)], Some(Verdict::Allow))).decide(&flow());
    assert_eq!((explicit.verdict, explicit.basis), (Verdict::Deny, Basis::Implied));
    assert_eq!((implicit.verdict, implicit.basis, implicit.clause), (Verdict::Deny, Basis::Default, None));
    assert_eq!((passed.verdict, passed.basis, passed.clause), (Verdict::Deny, Basis::Default, None));
}

#[test]
fn clause_ids_run_through_all_lists() {
    let one = policy(&list(&[(1, Action::Allow, Touch::Certain)], None));
    let two = policy(&list(&[(1, Action::Deny, Touch::No), (2, Action::Deny, Touch::Certain)], None));
    let both = Policy::all_of(vec![one, two]).unwrap();
    let decision = both.decide(&flow());
    assert_eq!((decision.verdict, decision.clause.map(ClauseId::number)), (Verdict::Deny, Some(2)));
    assert_eq!(both.clause(decision.clause.unwrap()).unwrap().action, Action::Deny);
    assert_eq!(both.lists().len(), 2);
}

#[test]
fn contradictions_are_refused() {
    let allow = clause(&Entry { order: 1, action: Action::Allow, touch: Touch::Certain });
    let mut deny = clause(&Entry { order: 1, action: Action::Deny, touch: Touch::Certain });
    deny.rank = allow.rank;
    let error = RuleList::new("test", vec![allow, deny], Fallback::deny()).unwrap_err();
    assert!(matches!(error, PolicyError::MixedRank { .. }));
    assert_eq!(Policy::all_of(Vec::new()).unwrap_err(), PolicyError::NoStages);
    let list =
        |direction| Policy::rules(direction, RuleList::new("test", Vec::new(), Fallback::deny()).unwrap()).unwrap();
    let mixed = Policy::first_decisive(vec![list(Direction::Ingress), list(Direction::Egress)]);
    assert_eq!(mixed.unwrap_err(), PolicyError::MixedDirections);
}

/// A stage that filters nothing is not what an allowed flow rests on, if another stage filters.
#[test]
fn an_unfiltered_stage_is_no_basis_beside_one_that_filters() {
    let unfiltered = || {
        let list = RuleList::new("unfiltered", Vec::new(), Fallback::unfiltered()).unwrap();
        Policy::rules(Direction::Ingress, list).unwrap()
    };
    let filtering = || policy(&list(&[(1, Action::Allow, Touch::Certain)], None));
    let decide = |stages| Policy::all_of(stages).unwrap().decide(&flow());
    for stages in [vec![unfiltered(), filtering()], vec![filtering(), unfiltered()]] {
        let decision = decide(stages);
        assert_eq!((decision.verdict, decision.basis), (Verdict::Allow, Basis::Implied));
        assert!(decision.clause.is_some());
    }
    assert_eq!(decide(vec![unfiltered(), unfiltered()]).basis, Basis::Unfiltered);
}

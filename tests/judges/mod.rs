//! A judge of policies of one list that shares no code with the exact sets nor with the reference
//! decision: clauses become boolean functions of the bits of a packet's header, kept as binary decision
//! diagrams, and verdicts are computed from these by their definition.
//!
//! A diagram is empty if and only if its function is false everywhere, so what the judge says of
//! equivalence, redundancy, shadowing and numbers of packets holds for every packet.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod header;

use std::sync::LazyLock;

use biodivine_lib_bdd::Bdd;
use header::Header;
use num_bigint::BigUint;
use secgroup::model::Action;
use secgroup::net::{Family, Flow};
use secgroup::policy::{Clause, Extent, Policy, Rank, RuleList, Verdict};

static HEADERS: LazyLock<[Header; 2]> = LazyLock::new(|| [Family::V4, Family::V6].map(Header::new));

/// What a policy decides on all packets.
pub(crate) struct Judgement([Verdicts; 2]);

/// A partition of the packets of one family.
struct Verdicts {
    allow: Bdd,
    deny: Bdd,
    indeterminate: Bdd,
}

/// Something that may hold of two policies: the verdicts of the first and second, `true` for allowed,
/// that no packet may have for it to hold.
pub(crate) type Claim = &'static [(bool, bool)];

/// What the first allows, the second allows.
pub(crate) const IMPLIES: Claim = &[(true, false)];
/// Both decide alike.
pub(crate) const EQUIVALENT: Claim = &[(true, false), (false, true)];
/// Nothing is allowed by both.
pub(crate) const DISJOINT: Claim = &[(true, true)];

/// Whether a claim holds, whatever is meant by the indeterminate verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    Always,
    Never,
    Depends,
}

/// Whether a packet with these two verdicts breaks the claim.
pub(crate) fn breaks(claim: Claim, ours: Verdict, theirs: Verdict) -> Truth {
    let may_be = |verdict, allowed| verdict == Verdict::Indeterminate || (verdict == Verdict::Allow) == allowed;
    let can = claim.iter().any(|pair| may_be(ours, pair.0) && may_be(theirs, pair.1));
    match can {
        false => Truth::Never,
        true if [ours, theirs].contains(&Verdict::Indeterminate) => Truth::Depends,
        true => Truth::Always,
    }
}

impl Judgement {
    pub(crate) fn of(policy: &Policy) -> Self {
        let list = only_list(policy);
        Self(HEADERS.each_ref().map(|header| walk(header, &touches(header, list), None, list.fallback().verdict)))
    }

    /// The number of packets with this verdict.
    pub(crate) fn count(&self, verdict: Verdict) -> BigUint {
        self.0.iter().map(|verdicts| verdicts.having(verdict).exact_cardinality()).sum()
    }

    /// The number of packets on which two policies have these verdicts.
    pub(crate) fn count_both(&self, ours: Verdict, other: &Self, theirs: Verdict) -> BigUint {
        let families = self.0.iter().zip(&other.0);
        families.map(|(a, b)| a.having(ours).and(b.having(theirs)).exact_cardinality()).sum()
    }

    /// The verdict on all packets that a flow may be, if they have one.
    pub(crate) fn verdict(&self, flow: &Flow) -> Option<Verdict> {
        let (packets, verdicts) =
            HEADERS.iter().zip(&self.0).find_map(|(header, verdicts)| Some((header.flow(flow)?, verdicts))).unwrap();
        [Verdict::Allow, Verdict::Deny, Verdict::Indeterminate]
            .into_iter()
            .find(|verdict| packets.and_not(verdicts.having(*verdict)).is_false())
    }

    /// Whether every packet has the same verdict from both.
    pub(crate) fn same_verdicts(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a.same(b))
    }

    /// Whether something holds of this policy and another.
    pub(crate) fn holds(&self, other: &Self, claim: Claim) -> Truth {
        let any = |packets: fn(&Verdicts, bool) -> Bdd| {
            let mut families = self.0.iter().zip(&other.0);
            families.any(|(a, b)| claim.iter().any(|pair| !packets(a, pair.0).and(&packets(b, pair.1)).is_false()))
        };
        if any(Verdicts::surely) {
            Truth::Never
        } else if any(Verdicts::possibly) {
            Truth::Depends
        } else {
            Truth::Always
        }
    }
}

impl Verdicts {
    fn having(&self, verdict: Verdict) -> &Bdd {
        match verdict {
            Verdict::Allow => &self.allow,
            Verdict::Deny => &self.deny,
            Verdict::Indeterminate => &self.indeterminate,
        }
    }

    fn same(&self, other: &Self) -> bool {
        let same = |a: &Bdd, b: &Bdd| a == b || a.xor(b).is_false();
        same(&self.allow, &other.allow)
            && same(&self.deny, &other.deny)
            && same(&self.indeterminate, &other.indeterminate)
    }

    fn surely(&self, allowed: bool) -> Bdd {
        if allowed { self.allow.clone() } else { self.deny.clone() }
    }

    fn possibly(&self, allowed: bool) -> Bdd {
        self.surely(allowed).or(&self.indeterminate)
    }
}

/// Of each clause, in the order of the list: whether the policy without it has the same verdicts.
pub(crate) fn redundant(policy: &Policy) -> Vec<bool> {
    let list = only_list(policy);
    let mut redundant = vec![true; list.clauses().len()];
    for header in HEADERS.iter() {
        let touches = touches(header, list);
        let without = |removed| walk(header, &touches, removed, list.fallback().verdict);
        let whole = without(None);
        for (index, redundant) in redundant.iter_mut().enumerate() {
            *redundant = *redundant && without(Some(index)).same(&whole);
        }
    }
    redundant
}

/// Of each clause, in the order of the list: whether every packet that it possibly matches is certainly
/// matched by clauses of strictly better rank, so that it never has a say.
pub(crate) fn shadowed(policy: &Policy) -> Vec<bool> {
    let list = only_list(policy);
    let mut shadowed = vec![true; list.clauses().len()];
    for header in HEADERS.iter() {
        let touches = touches(header, list);
        for (shadowed, touch) in shadowed.iter_mut().zip(&touches) {
            let better = touches.iter().filter(|other| other.rank < touch.rank);
            let covered = better.fold(header.nothing(), |covered, other| covered.or(&other.certain));
            *shadowed = *shadowed && touch.possible.and_not(&covered).is_false();
        }
    }
    shadowed
}

/// The packets that a clause matches.
struct Touches {
    rank: Rank,
    action: Action,
    possible: Bdd,
    certain: Bdd,
}

fn only_list(policy: &Policy) -> &RuleList {
    match policy.lists()[..] {
        [list] => list,
        _ => panic!("the judge knows policies of one list"),
    }
}

fn touches(header: &Header, list: &RuleList) -> Vec<Touches> {
    let touch = |clause: &Clause| {
        let (certain, possible) = match &clause.extent {
            Extent::Exact(space) => (header.space(space), header.space(space)),
            Extent::Partial { certain, possible } => {
                let possible = header.space(possible);
                let certain = certain.as_ref().map_or_else(|| header.nothing(), |space| header.space(space));
                // What of it lies outside the possible part does not count.
                (certain.and(&possible), possible)
            }
        };
        Touches { rank: clause.rank, action: clause.action, possible, certain }
    };
    list.clauses().iter().map(touch).collect()
}

/// The definition: from the best rank on, a clause adds its action to what may become of the packets
/// that it possibly matches, and ends the walk for those that it certainly matches; the fallback is added
/// for those whose walk has not ended. What nothing decides is denied.
fn walk(header: &Header, clauses: &[Touches], removed: Option<usize>, fallback: Option<Verdict>) -> Verdicts {
    let (mut allowed, mut denied, mut unmatched) = (header.nothing(), header.nothing(), header.nothing());
    let mut walking = header.universe().clone();
    for (index, clause) in clauses.iter().enumerate() {
        if removed == Some(index) {
            continue;
        }
        let outcome = match clause.action {
            Action::Allow => &mut allowed,
            Action::Deny => &mut denied,
            Action::Pass => &mut unmatched,
        };
        *outcome = outcome.or(&walking.and(&clause.possible));
        walking = walking.and_not(&clause.certain);
    }
    if matches!(fallback, Some(Verdict::Allow | Verdict::Indeterminate)) {
        allowed = allowed.or(&walking);
    }
    if matches!(fallback, Some(Verdict::Deny | Verdict::Indeterminate)) {
        denied = denied.or(&walking);
    }
    if fallback.is_none() {
        unmatched = unmatched.or(&walking);
    }
    let denied = denied.or(&unmatched);
    Verdicts { indeterminate: allowed.and(&denied), allow: allowed.and_not(&denied), deny: denied.and_not(&allowed) }
}

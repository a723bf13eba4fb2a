//! A policy in the form that decisions read: small, flat, with symbols for what changes.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::slab::{Address, BUCKETS, Candidate, Kind, Settled, Slab, SlabBuilder};
use super::symbol::{Area, Symbol};
use crate::net::{AddressSet, Family, Flow, PortRange};
use crate::policy::service;
use crate::policy::{Basis, Clause, Decision, Extent, Outline, Policy, RuleList, Space, Touch, Verdict};

/// What decides whether a far address is in the sets that symbols stand for.
pub(super) trait FarEnd {
    /// Whether a rule that refers to the members of this bucket means the far end.
    fn is_referred_to(&self, bucket: u32) -> bool;

    /// Whether the far address belongs to a member of this bucket.
    fn is_member(&self, bucket: u32) -> bool;

    /// Whether the far address is in this prefix list.
    fn is_listed(&self, list: u32) -> bool;

    /// Whether the far address is in the set that the symbol stands for.
    fn is_in(&self, symbol: Symbol) -> bool {
        match symbol {
            Symbol::Reference(bucket) => self.is_referred_to(bucket),
            Symbol::Members(bucket) => self.is_member(bucket),
            Symbol::List(list) => self.is_listed(list),
        }
    }
}

/// A policy of one class of interfaces in one direction.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Compiled {
    /// The clauses of this and other policies that were lowered with it, in one piece of memory.
    arena: Arc<[u32]>,
    /// Where those of IPv4 begin, and those of IPv6.
    v4: u32,
    v6: u32,
    /// What the simple form does not hold; `None` if nothing is left.
    rest: Option<Arc<Rest>>,
    /// The decision on a flow that no clause touches, in a policy of one list.
    fallback: Decision,
    pub(super) traits: Traits,
}

/// A policy before it is put into an arena.
#[derive(Debug, Clone)]
pub(super) struct Loose {
    v4: Vec<u32>,
    v6: Vec<u32>,
    rest: Option<Arc<Rest>>,
    fallback: Decision,
    traits: Traits,
}

/// Clauses of many policies, those that are the same once: what is told apart by symbols and clause
/// numbers only is often the same for many classes.
#[derive(Debug, Default)]
pub(super) struct Arena {
    words: Vec<u32>,
    /// Where slabs stand, and their lengths.
    known: HashTable<(u32, usize)>,
    hasher: RandomState,
    policies: Vec<Loose>,
    places: Vec<(u32, u32)>,
}

impl Arena {
    /// The words of a cache line, at whose beginning every slab stands.
    const LINE: usize = 16;

    /// Adds a policy behind the others.
    pub(super) fn push(&mut self, mut policy: Loose) {
        let places = (self.place(&policy.v4), self.place(&policy.v6));
        self.places.push(places);
        (policy.v4, policy.v6) = (Vec::new(), Vec::new());
        self.policies.push(policy);
    }

    fn place(&mut self, slab: &[u32]) -> u32 {
        let hash = self.hasher.hash_one(slab);
        let same = |(place, length): &(u32, usize)| {
            let begin = *place as usize;
            self.words.get(begin..begin + length) == Some(slab)
        };
        if let Some((place, _)) = self.known.find(hash, same) {
            return *place;
        }
        self.words.resize(self.words.len().next_multiple_of(Self::LINE), 0);
        // An arena of more words would not fit into memory as policies.
        let place = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.words.extend(slab);
        let (words, hasher) = (&self.words, &self.hasher);
        self.known.insert_unique(hash, (place, slab.len()), |(place, length)| {
            let begin = *place as usize;
            hasher.hash_one(words.get(begin..begin + length).unwrap_or_default())
        });
        place
    }

    /// The policies, in order.
    pub(super) fn finish(self) -> impl Iterator<Item = Compiled> {
        let words: Arc<[u32]> = self.words.into();
        self.policies.into_iter().zip(self.places).map(move |(policy, (v4, v6))| {
            let Loose { rest, fallback, traits, .. } = policy;
            Compiled { arena: Arc::clone(&words), v4, v6, rest, fallback, traits }
        })
    }
}

/// What has to be known about a policy before it is asked.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traits {
    /// It could not be compiled with symbols, and is lowered for every question.
    pub(super) opaque: bool,
    /// Some group that it refers to may have members that nobody knows.
    pub(super) open: bool,
    /// Some clause is about members whom the provider implies, not a rule.
    pub(super) members: bool,
    /// The VPC of the interface is not known, but that of some group is.
    pub(super) vpc_by_group: bool,
}

/// What a policy holds beside simple clauses.
#[derive(Debug)]
struct Rest {
    outline: Outline,
    /// Whether there is one list only.
    single: bool,
    complex: Box<[Complex]>,
}

/// A clause that more has to be asked about than service and one set of far addresses.
#[derive(Debug, Clone)]
struct Complex {
    possible: Part,
    certain: Option<Part>,
    exact: bool,
}

/// A space whose far addresses stand apart.
#[derive(Debug, Clone)]
struct Part {
    /// With all far addresses.
    space: Space,
    remote: Arc<Area>,
}

impl Part {
    fn new(space: &Space, everywhere: &Arc<AddressSet>) -> Option<Self> {
        let remote = Arc::new(Area::of(&space.remote)?);
        Some(Self { space: space.clone().with_remote(Arc::clone(everywhere)), remote })
    }

    /// Whether the flow may lie inside, and whether it certainly does.
    fn fit(&self, flow: &Flow, far: &impl FarEnd) -> (bool, bool) {
        let fit = self.space.fit(flow);
        let inside = fit.failed.is_empty()
            && (self.remote.names(flow.family(), flow.remote_number())
                || self.remote.symbols.iter().any(|symbol| far.is_in(*symbol)));
        (inside, inside && fit.unknown.is_empty())
    }
}

impl Complex {
    /// As [`Clause::touch`].
    fn touch(&self, flow: &Flow, far: &impl FarEnd) -> Touch {
        let (may, surely_within) = self.possible.fit(flow, far);
        if !may {
            return Touch::No;
        }
        let certain = || self.exact || self.certain.as_ref().is_some_and(|part| part.fit(flow, far).1);
        if surely_within && certain() { Touch::Certain } else { Touch::May }
    }
}

/// An entry that no policy has been compiled for.
impl Default for Compiled {
    fn default() -> Self {
        let Loose { rest, fallback, traits, .. } = Loose::opaque();
        Self { arena: Arc::default(), v4: 0, v6: 0, rest, fallback, traits }
    }
}

impl Loose {
    /// A policy that has to be lowered for every question.
    pub(super) fn opaque() -> Self {
        Self {
            v4: Vec::new(),
            v6: Vec::new(),
            rest: None,
            fallback: Decision { verdict: Verdict::Indeterminate, clause: None, basis: Basis::Undecided },
            traits: Traits { opaque: true, ..Traits::default() },
        }
    }

    /// Compiles a policy; opaque if its far addresses were made by more than uniting symbols, or if it has
    /// more than 131,072 clauses.
    pub(super) fn of(policy: &Policy, traits: Traits) -> Self {
        Self::compile(policy, traits).unwrap_or_else(Self::opaque)
    }

    /// The policy by itself.
    pub(super) fn alone(self) -> Compiled {
        let mut arena = Arena::default();
        arena.push(self);
        arena.finish().next().unwrap_or_default()
    }

    fn compile(policy: &Policy, traits: Traits) -> Option<Self> {
        let outline = policy.outline();
        let single = outline.lists().len() == 1;
        let everywhere = Arc::new(AddressSet::all());
        let (mut v4, mut v6) = (SlabBuilder::default(), SlabBuilder::default());
        let mut traits = traits;
        let mut complex = Vec::new();
        let clauses = policy.lists().into_iter().flat_map(RuleList::clauses);
        for (clause, number) in clauses.zip(0_u32..) {
            let possible = clause.extent.possible();
            let area = Area::of(&possible.remote)?;
            let decided = outline.decide(|list| list.contains(&number).then_some((number, Touch::Certain)).into_iter());
            let settled = Settled::of(decided);
            traits.members |= area.symbols.iter().any(|symbol| matches!(symbol, Symbol::Members(_)));
            let mut place = None;
            for family in Family::ALL {
                let builder = if family == Family::V4 { &mut v4 } else { &mut v6 };
                let services = service::ranges(&possible.selector, family, possible.source_ports.is_some());
                if services.is_empty() || !area.may_have(family) {
                    continue;
                }
                let simple = if is_simple(clause, family) { builder.simple(&area, family) } else { None };
                let what = if let Some(what) = simple {
                    what
                } else {
                    if place.is_none() {
                        place = Some(u32::try_from(complex.len()).ok()?);
                        complex.push(complex_of(clause, &everywhere)?);
                    }
                    (Kind::Complex, place?, 0)
                };
                builder.push(what, number, settled, services)?;
            }
        }
        let fallback = outline.decide(|_| std::iter::empty());
        let rest = (!single || !complex.is_empty())
            .then(|| Arc::new(Rest { outline, single, complex: complex.into_boxed_slice() }));
        Some(Self { v4: v4.finish(), v6: v6.finish(), rest, fallback, traits })
    }
}

impl Compiled {
    /// The slab of a family.
    #[inline]
    pub(super) fn slab(&self, family: Family) -> Slab<'_> {
        let begin = match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        };
        Slab { words: self.arena.get(begin as usize..).unwrap_or_default() }
    }

    /// Whether all clauses are simple, so that [`Compiled::decide_simply`] may be asked.
    #[inline]
    pub(super) fn is_simple(&self) -> bool {
        self.rest.is_none() && !self.traits.opaque
    }

    /// The decision, if all clauses are simple, on traffic with a member of these buckets and no other.
    #[inline]
    pub(super) fn decide_simply<A: Address>(
        &self,
        slab: Slab<'_>,
        mask: u64,
        service: u32,
        address: A,
        buckets: &[u32; BUCKETS],
        is_listed: impl Fn(u32) -> bool,
    ) -> Decision {
        let first = slab.first(mask, service, address, buckets, is_listed);
        first.map_or(self.fallback, Candidate::settled)
    }

    /// The decision, as [`Policy::decide`] of the policy that it was compiled from.
    pub(super) fn decide(&self, flow: &Flow, far: &impl FarEnd) -> Decision {
        let slab = self.slab(flow.family());
        if self.rest.as_ref().is_some_and(|rest| !rest.single) {
            return self.weigh(flow, far);
        }
        for candidate in slab.candidates(service::of(flow)) {
            match self.touch(candidate, slab, flow, far) {
                Touch::No => {}
                Touch::Certain => return candidate.settled(),
                Touch::May => return self.weigh(flow, far),
            }
        }
        self.fallback
    }

    /// The decision where clauses that may match or several lists have to be weighed.
    #[cold]
    fn weigh(&self, flow: &Flow, far: &impl FarEnd) -> Decision {
        let Some(rest) = &self.rest else { return self.fallback };
        let slab = self.slab(flow.family());
        let service = service::of(flow);
        rest.outline.decide(|list| {
            slab.candidates(service).filter(move |candidate| list.contains(&candidate.clause())).filter_map(
                move |candidate| {
                    let touch = self.touch(candidate, slab, flow, far);
                    (touch != Touch::No).then_some((candidate.clause(), touch))
                },
            )
        })
    }

    #[inline]
    fn touch(&self, candidate: Candidate, slab: Slab<'_>, flow: &Flow, far: &impl FarEnd) -> Touch {
        let inside = match candidate.kind() {
            Kind::Prefix4 => candidate.has_prefix(super::index::low(flow.remote_number())),
            Kind::Range6 => slab.range6(candidate.a).is_some_and(|(first, last)| {
                let address = flow.remote_number();
                first <= address && address <= last
            }),
            Kind::Reference => far.is_referred_to(candidate.a),
            Kind::Members => far.is_member(candidate.a),
            Kind::List => far.is_listed(candidate.a),
            Kind::Complex => {
                let place = usize::try_from(candidate.a).unwrap_or(usize::MAX);
                let complex = self.rest.as_ref().and_then(|rest| rest.complex.get(place));
                return complex.map_or(Touch::No, |complex| complex.touch(flow, far));
            }
        };
        if inside { Touch::Certain } else { Touch::No }
    }
}

/// Whether service and far address are all that a clause asks of flows of the family.
fn is_simple(clause: &Clause, family: Family) -> bool {
    let Extent::Exact(space) = &clause.extent else { return false };
    space.source_ports.is_none_or(|ports| ports == PortRange::ALL)
        && space.local.is_none_or(|block| block.is_all() && block.family() == family)
}

fn complex_of(clause: &Clause, everywhere: &Arc<AddressSet>) -> Option<Complex> {
    let possible = Part::new(clause.extent.possible(), everywhere)?;
    let (certain, exact) = match &clause.extent {
        Extent::Exact(_) => (None, true),
        Extent::Partial { certain, .. } => {
            let certain = match certain {
                Some(space) => Some(Part::new(space, everywhere)?),
                None => None,
            };
            (certain, false)
        }
    };
    Some(Complex { possible, certain, exact })
}

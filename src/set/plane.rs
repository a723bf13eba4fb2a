//! The clauses of a policy over one family, as boxes on numbered places.

use std::sync::Arc;

use hashbrown::HashMap;

use super::limits::{Budget, SetError};
use super::split::{Coordinate, Service};
use crate::model::Action;
use crate::net::{AddressSet, Cidr, Family, PortRange, common, common_spans};
use crate::policy::{Clause, Extent, Selector, Space, Touch, service};

/// One extent of a clause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    /// The number of the clause within its policy.
    pub(crate) clause: u32,
    /// The place of its list among those of the policy.
    pub(crate) list: usize,
    /// Whether it certainly matches the packets of the box.
    pub(crate) touch: Touch,
    pub(crate) action: Action,
    /// A mark for whoever asks; false unless set.
    pub(crate) marked: bool,
}

/// The box of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape<N> {
    pub(super) services: Vec<(Service, Service)>,
    pub(super) sources: Option<(u16, u16)>,
    pub(super) local: Option<(N, N)>,
    /// Which of the elementary intervals of far addresses, each as first and end.
    pub(super) spans: Arc<[(u32, u32)]>,
}

/// The clauses of a policy over one family.
#[derive(Debug)]
pub(crate) struct Plane<N> {
    pub(super) pieces: Vec<Piece>,
    pub(super) shapes: Vec<Shape<N>>,
    /// Where far addresses begin to differ, from the first address on.
    pub(super) starts: Arc<[N]>,
    /// How many lists the policy has.
    pub(super) lists: usize,
}

/// Two clauses that may match some packets both, the better one first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overlap {
    pub(crate) first: u32,
    pub(crate) second: u32,
    /// Whether the first matches everything that the second matches.
    pub(crate) first_has_second: bool,
    pub(crate) second_has_first: bool,
}

/// How the addresses of a plane stand in the sets of clauses.
pub(crate) trait Addresses {
    /// A number of the plane.
    type Number: Coordinate + std::hash::Hash;

    /// The family, which tells what ICMP is.
    fn family(&self) -> Family;

    /// The far addresses of a clause in this plane, in order.
    fn remote(&self, set: &AddressSet) -> Vec<(Self::Number, Self::Number)>;

    /// The near addresses of a block in this plane.
    fn local(&self, block: Cidr) -> Option<(Self::Number, Self::Number)>;
}

/// The addresses of IPv4.
#[derive(Debug, Clone, Copy)]
pub(crate) struct V4;

/// The addresses of IPv6.
#[derive(Debug, Clone, Copy)]
pub(crate) struct V6;

impl Addresses for V4 {
    type Number = u32;

    fn family(&self) -> Family {
        Family::V4
    }

    fn remote(&self, set: &AddressSet) -> Vec<(u32, u32)> {
        set.numbers_v4().to_vec()
    }

    fn local(&self, block: Cidr) -> Option<(u32, u32)> {
        AddressSet::from(block).numbers_v4().first().copied()
    }
}

impl Addresses for V6 {
    type Number = u128;

    fn family(&self) -> Family {
        Family::V6
    }

    fn remote(&self, set: &AddressSet) -> Vec<(u128, u128)> {
        set.numbers_v6().to_vec()
    }

    fn local(&self, block: Cidr) -> Option<(u128, u128)> {
        AddressSet::from(block).numbers_v6().first().copied()
    }
}

/// Makes boxes of clauses.
struct Drafting<'a, A: Addresses> {
    addresses: &'a A,
    /// Far addresses of a group stand in many clauses.
    known: HashMap<usize, Ranges<A::Number>, foldhash::fast::RandomState>,
}

/// Sorted disjoint ranges.
type Ranges<N> = Arc<[(N, N)]>;

impl<A: Addresses> Drafting<'_, A> {
    fn draft(&mut self, space: &Space) -> Option<Draft<A::Number>> {
        let remote = self
            .known
            .entry(Arc::as_ptr(&space.remote).addr())
            .or_insert_with(|| self.addresses.remote(&space.remote).into())
            .clone();
        Draft::of(space, self.addresses, remote)
    }

    /// The pieces of a clause: what it certainly matches, then what it may match.
    fn pieces(&mut self, clause: u32, list: usize, from: &Clause) -> Vec<(Piece, Draft<A::Number>)> {
        let piece = |touch| Piece { clause, list, touch, action: from.action, marked: false };
        let Some(possible) = self.draft(from.extent.possible()) else { return Vec::new() };
        if matches!(from.extent, Extent::Exact(_)) {
            return vec![(piece(Touch::Certain), possible)];
        }
        let certain = from.extent.certain().and_then(|space| self.draft(space));
        let certain = certain.and_then(|certain| certain.within(&possible));
        certain
            .map(|certain| (piece(Touch::Certain), certain))
            .into_iter()
            .chain([(piece(Touch::May), possible)])
            .collect()
    }
}

/// A box before far addresses have numbers.
#[derive(Clone)]
struct Draft<N> {
    services: Vec<(Service, Service)>,
    sources: Option<(u16, u16)>,
    local: Option<(N, N)>,
    remote: Arc<[(N, N)]>,
}

impl<N: Coordinate + std::hash::Hash> Plane<N> {
    /// The clauses, each with its number and the place of its list, in the order in which they decide.
    pub(crate) fn new<'p>(
        addresses: &impl Addresses<Number = N>,
        lists: usize,
        clauses: impl IntoIterator<Item = (u32, usize, &'p Clause)>,
        budget: &mut Budget,
    ) -> Result<Self, SetError> {
        let mut drafting = Drafting { addresses, known: HashMap::default() };
        let mut drafts = Vec::new();
        for (number, list, clause) in clauses {
            drafts.extend(drafting.pieces(number, list, clause));
        }
        Self::of_drafts(lists, drafts, budget)
    }

    /// The same, of which only what lies in some spaces counts. These stand first as pieces of a list of
    /// their own, which is the last.
    pub(crate) fn confined<'p>(
        addresses: &impl Addresses<Number = N>,
        lists: usize,
        clauses: impl IntoIterator<Item = (u32, usize, &'p Clause)>,
        spaces: &[&Space],
        budget: &mut Budget,
    ) -> Result<Self, SetError> {
        let mut drafting = Drafting { addresses, known: HashMap::default() };
        let confines: Vec<Draft<N>> = spaces.iter().filter_map(|space| drafting.draft(space)).collect();
        let own = Piece { clause: u32::MAX, list: lists, touch: Touch::Certain, action: Action::Pass, marked: true };
        let mut drafts: Vec<(Piece, Draft<N>)> = confines.iter().map(|draft| (own, draft.clone())).collect();
        for (number, list, clause) in clauses {
            for (piece, draft) in drafting.pieces(number, list, clause) {
                budget.steps(confines.len())?;
                for confine in confines.iter().filter(|confine| !draft.is_apart_from(confine)) {
                    budget.steps(draft.remote.len() + confine.remote.len())?;
                    drafts.extend(draft.clone().within(confine).map(|draft| (piece, draft)));
                }
            }
        }
        Self::of_drafts(lists + 1, drafts, budget)
    }

    fn of_drafts(lists: usize, drafts: Vec<(Piece, Draft<N>)>, budget: &mut Budget) -> Result<Self, SetError> {
        let (pieces, drafts): (Vec<Piece>, Vec<Draft<N>>) = drafts.into_iter().unzip();
        let mut remotes: HashMap<usize, Arc<[(N, N)]>, foldhash::fast::RandomState> = HashMap::default();
        for draft in &drafts {
            remotes.entry(draft.remote.as_ptr().addr()).or_insert_with(|| draft.remote.clone());
        }
        let starts = starts(remotes.values().flat_map(|ranges| ranges.iter().copied()));
        budget.steps(starts.len())?;
        let place = |at: N| u32::try_from(starts.partition_point(|start| *start < at)).unwrap_or(u32::MAX);
        let end = u32::try_from(starts.len()).unwrap_or(u32::MAX);
        let spans: HashMap<usize, Arc<[(u32, u32)]>, foldhash::fast::RandomState> = remotes
            .iter()
            .map(|(key, ranges)| {
                let spans = ranges.iter().map(|(first, last)| (place(*first), last.after().map_or(end, place)));
                (*key, spans.collect())
            })
            .collect();
        let shapes = drafts
            .into_iter()
            .map(|draft| Shape {
                spans: spans.get(&draft.remote.as_ptr().addr()).cloned().unwrap_or_default(),
                services: draft.services,
                sources: draft.sources,
                local: draft.local,
            })
            .collect();
        Ok(Self { pieces, shapes, starts: starts.into(), lists })
    }

    /// The same plane with these clauses marked.
    pub(crate) fn marked(mut self, which: impl Fn(u32) -> bool) -> Self {
        for piece in &mut self.pieces {
            piece.marked = which(piece.clause);
        }
        self
    }

    /// The pieces of one clause, which stand first and are marked, and what those others that are wanted
    /// have in common with its possible extent.
    pub(crate) fn within(
        &self,
        clause: u32,
        wanted: impl Fn(&Piece) -> bool,
        budget: &mut Budget,
    ) -> Result<Self, SetError> {
        budget.steps(self.pieces.len())?;
        let own = self.pieces.iter().zip(&self.shapes).filter(|(piece, _)| piece.clause == clause);
        let (mut pieces, mut shapes): (Vec<Piece>, Vec<Shape<N>>) =
            own.map(|(piece, shape)| (Piece { marked: true, ..*piece }, shape.clone())).unzip();
        // Of a clause that is known in part the possible extent stands last, and has the other.
        if let Some(place) = shapes.last().cloned() {
            for (piece, shape) in self.pieces.iter().zip(&self.shapes) {
                if piece.clause != clause && !shape.is_apart_from(&place) && wanted(piece) {
                    budget.steps(shape.spans.len() + shape.services.len())?;
                    if let Some(common) = shape.within(&place) {
                        pieces.push(*piece);
                        shapes.push(common);
                    }
                }
            }
        }
        Ok(Self { pieces, shapes, starts: self.starts.clone(), lists: self.lists })
    }

    /// The clauses that certainly match everything that this one may match.
    pub(crate) fn holders(&self, clause: u32) -> impl Iterator<Item = u32> + '_ {
        let own = self.pieces.iter().zip(&self.shapes).filter(move |(piece, _)| piece.clause == clause).last();
        let certain = self.pieces.iter().zip(&self.shapes).filter(|(piece, _)| piece.touch == Touch::Certain);
        certain
            .filter(move |(piece, shape)| piece.clause != clause && own.is_some_and(|(_, own)| shape.has(own)))
            .map(|(piece, _)| piece.clause)
    }

    /// Pairs of clauses of one list, in the order in which they decide, one of which allows and the other
    /// denies and which may match some packets both.
    pub(crate) fn opposed(&self, budget: &mut Budget) -> Result<Vec<Overlap>, SetError> {
        let mut found = Vec::new();
        // The possible extent of each clause stands last.
        let last = |at: usize, piece: &Piece| self.pieces.get(at + 1).is_none_or(|next| next.clause != piece.clause);
        let extents: Vec<(&Piece, &Shape<N>)> = (self.pieces.iter().zip(&self.shapes).enumerate())
            .filter(|(at, (piece, _))| last(*at, piece))
            .map(|(_, pair)| pair)
            .collect();
        for (at, (piece, shape)) in extents.iter().enumerate() {
            budget.steps(extents.len() - at)?;
            for (other, other_shape) in extents.iter().skip(at + 1) {
                let opposite = matches!(
                    (piece.action, other.action),
                    (Action::Allow, Action::Deny) | (Action::Deny, Action::Allow)
                );
                if !opposite || piece.list != other.list || shape.is_apart_from(other_shape) {
                    continue;
                }
                budget.steps(shape.spans.len() + other_shape.spans.len())?;
                if shape.within(other_shape).is_some() {
                    found.push(Overlap {
                        first: piece.clause,
                        second: other.clause,
                        first_has_second: shape.has(other_shape),
                        second_has_first: other_shape.has(shape),
                    });
                }
            }
        }
        Ok(found)
    }

    /// The pieces, in the order in which they decide.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether the clause matches, or may match, anything in the plane.
    pub(crate) fn has(&self, clause: u32) -> bool {
        self.pieces.iter().any(|piece| piece.clause == clause)
    }

    /// A piece by its place.
    pub(crate) fn piece(&self, place: u32) -> Option<&Piece> {
        self.pieces.get(usize::try_from(place).ok()?)
    }
}

/// The first place, and every place where a range begins or one has ended.
fn starts<N: Coordinate>(ranges: impl Iterator<Item = (N, N)>) -> Vec<N> {
    let mut starts = vec![N::FIRST];
    for (first, last) in ranges {
        starts.push(first);
        starts.extend(last.after());
    }
    starts.sort_unstable();
    starts.dedup();
    starts
}

impl<N: Coordinate> Draft<N> {
    /// The box of a space in a plane; `None` if nothing of the space lies in the plane.
    fn of(space: &Space, addresses: &impl Addresses<Number = N>, remote: Arc<[(N, N)]>) -> Option<Self> {
        let services = services_of(&space.selector, addresses.family(), space.source_ports.is_some());
        let local = match space.local {
            None => None,
            Some(block) => Some(addresses.local(block)?),
        };
        if services.is_empty() || remote.is_empty() {
            return None;
        }
        let sources = space.source_ports.filter(|ports| *ports != PortRange::ALL);
        Some(Self {
            services,
            sources: sources.map(|ports| (ports.first(), ports.last())),
            local: local.filter(|range| *range != (N::FIRST, N::LAST)),
            remote,
        })
    }

    /// Whether the bounds of services or far addresses tell that the two have nothing in common.
    fn is_apart_from(&self, other: &Self) -> bool {
        are_apart(&self.services, &other.services) || are_apart(&self.remote, &other.remote)
    }

    /// What it has in common with another box.
    fn within(self, other: &Self) -> Option<Self> {
        let whole = other.remote.first() == Some(&(N::FIRST, N::LAST));
        let remote = if whole { self.remote } else { common(&self.remote, &other.remote).into() };
        let services = common(&self.services, &other.services);
        if services.is_empty() || remote.is_empty() {
            return None;
        }
        Some(Self {
            services,
            sources: narrower(self.sources, other.sources)?,
            local: narrower(self.local, other.local)?,
            remote,
        })
    }
}

impl<N: Coordinate> Shape<N> {
    /// Whether the bounds of services or far addresses tell that the two have nothing in common.
    fn is_apart_from(&self, other: &Self) -> bool {
        are_apart(&self.services, &other.services) || self.spans_are_apart_from(other)
    }

    fn spans_are_apart_from(&self, other: &Self) -> bool {
        let bounds = |shape: &Self| Some((shape.spans.first()?.0, shape.spans.last()?.1));
        bounds(self).zip(bounds(other)).is_none_or(|(ours, theirs)| ours.1 <= theirs.0 || theirs.1 <= ours.0)
    }

    /// Whether it has all of another.
    fn has(&self, other: &Self) -> bool {
        fn all<T: Ord + Copy>(ours: Option<(T, T)>, theirs: Option<(T, T)>) -> bool {
            match (ours, theirs) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(ours), Some(theirs)) => ours.0 <= theirs.0 && theirs.1 <= ours.1,
            }
        }
        fn each<T: Ord + Copy>(ours: &[(T, T)], theirs: &[(T, T)]) -> bool {
            theirs.iter().all(|(first, last)| {
                let after = ours.partition_point(|(start, _)| start <= first);
                after.checked_sub(1).and_then(|at| ours.get(at)).is_some_and(|(_, end)| last <= end)
            })
        }
        all(self.sources, other.sources)
            && all(self.local, other.local)
            && each(&self.services, &other.services)
            && (Arc::ptr_eq(&self.spans, &other.spans) || each(&self.spans, &other.spans))
    }

    /// What it has in common with another; `None` if that is nothing.
    fn within(&self, other: &Self) -> Option<Self> {
        let sources = narrower(self.sources, other.sources)?;
        let local = narrower(self.local, other.local)?;
        let services = common(&self.services, &other.services);
        if services.is_empty() {
            return None;
        }
        let spans = if Arc::ptr_eq(&self.spans, &other.spans) {
            self.spans.clone()
        } else {
            common_spans(&self.spans, &other.spans).into()
        };
        (!spans.is_empty()).then_some(Self { services, sources, local, spans })
    }
}

/// Whether the bounds of two lists of ranges do not overlap.
fn are_apart<T: Ord + Copy>(ours: &[(T, T)], theirs: &[(T, T)]) -> bool {
    let bounds = |ranges: &[(T, T)]| Some((ranges.first()?.0, ranges.last()?.1));
    bounds(ours).zip(bounds(theirs)).is_none_or(|(ours, theirs)| ours.1 < theirs.0 || theirs.1 < ours.0)
}

/// What two ranges have in common, where `None` is everything; nothing if that is empty.
#[expect(clippy::option_option, reason = "the outer one is whether anything is left")]
fn narrower<N: Ord + Copy>(a: Option<(N, N)>, b: Option<(N, N)>) -> Option<Option<(N, N)>> {
    match (a, b) {
        (Some(a), Some(b)) => {
            let both = (a.0.max(b.0), a.1.min(b.1));
            (both.0 <= both.1).then_some(Some(both))
        }
        (one, other) => Some(one.or(other)),
    }
}

/// The services of a selector, where a protocol without selector has all of them as one.
pub(super) fn services_of(selector: &Selector, family: Family, only_ports: bool) -> Vec<(Service, Service)> {
    let whole = |(first, _): (u32, u32)| (Service(first), Service(first | u32::from(u16::MAX)));
    let ranges = service::ranges(selector, family, only_ports).into_iter();
    match selector {
        Selector::Other(_) => ranges.map(whole).collect(),
        _ => ranges.map(|(first, last)| (Service(first), Service(last))).collect(),
    }
}

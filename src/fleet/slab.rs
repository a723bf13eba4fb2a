//! The clauses of one policy for one family, in one piece of memory: which of them a service may
//! touch, and what they ask of the far address.
//!
//! A slab is a sequence of blocks of at most 64 clauses. A block has a sorted list of services at which
//! something changes, a mask of clauses for each, and the clauses; so finding the clauses that a
//! service touches is one search, and the size is linear in the clauses and their port ranges.
//!
//! What is asked often is asked without branches that depend on the answer: which of the clauses have
//! the address in their range, which refer to a group of the far end.

use super::index::low;

use super::symbol::{Area, Symbol};
use crate::net::Family;
use crate::policy::service;
use crate::policy::{Basis, ClauseId, Decision, Verdict};

/// Clauses of a block: as many as a mask has bits.
const BLOCK: usize = 64;
/// Words of a clause: what it is in bits, see [`Tag`], and what it asks for.
const ENTRY: usize = 2;
/// Words of the head of a block: where it begins, its services, its clauses, the mask of those that have a
/// range and the mask of those that have a bucket.
const HEAD: usize = 7;
/// What the services of a block are filled up to a multiple of, so that searches are of few lengths.
const SERVICES: usize = 16;
/// Buckets of a far end that are compared at once.
pub(super) const BUCKETS: usize = 6;
/// In place of a bucket where there is none.
pub(super) const NO_BUCKET: u32 = u32::MAX;

/// What a clause asks of the far address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To begin as `a` does, as many bits as the tag says.
    Prefix4,
    /// To be in the range at `a`.
    Range6,
    /// To be a member of the bucket `a`, by reference.
    Reference,
    /// To be a member of the bucket `a`, by address.
    Members,
    /// To be in the prefix list `a`.
    List,
    /// More than that: the complex clause `a`.
    Complex,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Prefix4, Self::Range6, Self::Reference, Self::Members, Self::List, Self::Complex];

    fn bits(self) -> u32 {
        match self {
            Self::Prefix4 => 0,
            Self::Range6 => 1,
            Self::Reference => 2,
            Self::Members => 3,
            Self::List => 4,
            Self::Complex => 5,
        }
    }
}

/// The decision of a policy of one list if a clause is the first that is touched, and certainly is:
/// verdict and basis, and whether the clause is named.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled(u32);

const VERDICTS: [Verdict; 3] = [Verdict::Allow, Verdict::Deny, Verdict::Indeterminate];
const BASES: [Basis; 6] =
    [Basis::Rule, Basis::Implied, Basis::Default, Basis::NeverFiltered, Basis::Unfiltered, Basis::Undecided];

impl Settled {
    pub(super) fn of(decision: Decision) -> Self {
        let verdict = (0..).zip(VERDICTS).find(|(_, verdict)| *verdict == decision.verdict).map_or(0, |(bits, _)| bits);
        let basis = (0..).zip(BASES).find(|(_, basis)| *basis == decision.basis).map_or(0, |(bits, _)| bits);
        Self(verdict | basis << 2 | u32::from(decision.clause.is_some()) << 5)
    }

    fn decision(self, clause: u32) -> Decision {
        let verdict = VERDICTS.get((self.0 & 3) as usize).copied().unwrap_or(Verdict::Indeterminate);
        let basis = BASES.get((self.0 >> 2 & 7) as usize).copied().unwrap_or(Basis::Undecided);
        let clause = if self.0 >> 5 & 1 == 1 { ClauseId::new(clause) } else { None };
        Decision { verdict, clause, basis }
    }
}

/// What a clause is, in one word: its kind, what it settles, the length of its prefix, its number.
#[derive(Debug, Clone, Copy)]
struct Tag(u32);

impl Tag {
    /// Clauses with a greater number do not fit.
    const LAST_CLAUSE: u32 = (1 << 17) - 1;

    fn new(kind: Kind, settled: Settled, length: u32, clause: u32) -> Option<Self> {
        (clause <= Self::LAST_CLAUSE).then_some(Self(kind.bits() | settled.0 << 3 | length << 9 | clause << 15))
    }

    fn kind(self) -> Kind {
        Kind::ALL.get((self.0 & 7) as usize).copied().unwrap_or(Kind::Complex)
    }

    fn settled(self) -> Settled {
        Settled(self.0 >> 3 & 63)
    }

    fn length(self) -> u32 {
        self.0 >> 9 & 63
    }

    fn clause(self) -> u32 {
        self.0 >> 15
    }
}

/// A clause whose services have the one that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    tag: Tag,
    pub(super) a: u32,
}

impl Candidate {
    fn of([tag, a]: [u32; ENTRY]) -> Self {
        Self { tag: Tag(tag), a }
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        self.tag.kind()
    }

    #[inline]
    pub(super) fn clause(self) -> u32 {
        self.tag.clause()
    }

    /// Whether the address begins as the clause asks.
    #[inline]
    pub(super) fn has_prefix(self, address: u32) -> bool {
        (u64::from(address ^ self.a) << self.tag.length()) >> 32 == 0
    }

    /// The decision if this clause is the first that is touched.
    #[inline]
    pub(super) fn settled(self) -> Decision {
        self.tag.settled().decision(self.tag.clause())
    }
}

/// The clauses of a policy that are about one family: words from the first of the slab on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slab<'a> {
    pub(super) words: &'a [u32],
}

/// One block of a slab.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    starts: &'a [u32],
    masks: &'a [[u32; 2]],
    entries: &'a [[u32; ENTRY]],
    ranges: u64,
    buckets: u64,
}

impl Block<'_> {
    /// Which clauses the service touches.
    #[inline]
    pub(super) fn mask(&self, service: u32) -> u64 {
        // Counting has no branches to mispredict, and the lists are short.
        let after: usize = if self.starts.len() <= 4 * SERVICES {
            self.starts.iter().fold(0_u32, |count, start| count.wrapping_add(u32::from(*start <= service))) as usize
        } else {
            self.starts.partition_point(|start| *start <= service)
        };
        after.checked_sub(1).and_then(|place| self.masks.get(place)).map_or(0, |words| joined(*words))
    }

    /// A clause.
    #[inline]
    pub(super) fn entry(&self, place: u32) -> Option<Candidate> {
        self.entries.get(place as usize).copied().map(Candidate::of)
    }

    /// Which of these clauses have the address in their range.
    #[inline]
    fn in_range<A: Address>(&self, mask: u64, slab: Slab<'_>, address: A) -> u64 {
        let mut rest = mask & self.ranges;
        let mut hits = 0;
        while rest != 0 {
            let place = rest.trailing_zeros();
            rest &= rest - 1;
            if let Some(candidate) = self.entry(place) {
                hits |= u64::from(address.is_in(candidate, slab)) << place;
            }
        }
        hits
    }

    /// Which of these clauses have one of the buckets.
    #[inline]
    fn in_buckets(&self, mask: u64, buckets: &[u32; BUCKETS]) -> u64 {
        let mut rest = mask & self.buckets;
        let mut hits = 0;
        while rest != 0 {
            let place = rest.trailing_zeros();
            rest &= rest - 1;
            if let Some([_, wanted]) = self.entries.get(place as usize) {
                let hit = buckets.iter().fold(0, |hit, bucket| hit | u64::from(bucket == wanted));
                hits |= hit << place;
            }
        }
        hits
    }
}

fn joined([low, high]: [u32; 2]) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn parted(mask: u64) -> [u32; 2] {
    [low(mask.into()), low(u128::from(mask >> 32))]
}

/// An address of a family as a number.
pub(super) trait Address: Copy + Into<u128> {
    /// Whether it is in the range of a clause.
    fn is_in(self, candidate: Candidate, slab: Slab<'_>) -> bool;
}

impl Address for u32 {
    #[inline]
    fn is_in(self, candidate: Candidate, _: Slab<'_>) -> bool {
        candidate.has_prefix(self)
    }
}

impl Address for u128 {
    #[inline]
    fn is_in(self, candidate: Candidate, slab: Slab<'_>) -> bool {
        slab.range6(candidate.a).is_some_and(|(first, last)| self.wrapping_sub(first) <= last.wrapping_sub(first))
    }
}

impl<'a> Slab<'a> {
    /// Reads a word of each of the first lines, so that they are near when they are needed.
    #[inline]
    pub(super) fn touch(self) -> u32 {
        let word = |place| self.words.get(place).copied().unwrap_or_default();
        word(0) ^ word(16) ^ word(32)
    }

    /// The same for the first clauses that the mask of the first block has.
    #[inline]
    pub(super) fn touch_clauses(self, mask: u64) -> u32 {
        let Some(block) = self.block(0) else { return 0 };
        let tag = |place: u32| block.entries.get(place as usize).map_or(0, |[tag, ..]| *tag);
        tag(mask.trailing_zeros()) ^ tag(63_u32.wrapping_sub(mask.leading_zeros()))
    }

    /// The block with this number.
    #[inline]
    pub(super) fn block(self, number: usize) -> Option<Block<'a>> {
        let head = number.checked_mul(HEAD)?.checked_add(1)?;
        let &[begin, services, clauses, low_ranges, high_ranges, low_buckets, high_buckets] =
            self.words.get(head..head + HEAD)?
        else {
            return None;
        };
        if number >= self.blocks() {
            return None;
        }
        let (services, clauses) = (services as usize, clauses as usize);
        let padded = services.next_multiple_of(SERVICES);
        let (starts, rest) = self.words.get(begin as usize..)?.split_at_checked(padded)?;
        let (masks, rest) = rest.split_at_checked(2 * services)?;
        let entries = rest.get(..ENTRY * clauses)?;
        Some(Block {
            starts,
            masks: masks.as_chunks().0,
            entries: entries.as_chunks().0,
            ranges: joined([low_ranges, high_ranges]),
            buckets: joined([low_buckets, high_buckets]),
        })
    }

    /// The number of blocks.
    #[inline]
    pub(super) fn blocks(self) -> usize {
        self.words.first().map_or(0, |blocks| *blocks as usize)
    }

    /// The first clause that touches a service and the far end, if no clause is complex: a far end that is
    /// a member of these buckets and no other.
    #[inline]
    pub(super) fn first<A: Address>(
        self,
        first: u64,
        service: u32,
        address: A,
        buckets: &[u32; BUCKETS],
        is_listed: impl Fn(u32) -> bool,
    ) -> Option<Candidate> {
        let mut number = 0;
        let mut mask = first;
        loop {
            let block = self.block(number)?;
            let hits = block.in_range(mask, self, address) | block.in_buckets(mask, buckets);
            // Those that are left count only if they stand before.
            let before = hits.wrapping_sub(1) & !hits;
            let mut rest = mask & before & !(block.ranges | block.buckets);
            while rest != 0 {
                let candidate = block.entry(rest.trailing_zeros())?;
                if is_listed(candidate.a) {
                    return Some(candidate);
                }
                rest &= rest - 1;
            }
            if hits != 0 {
                return block.entry(hits.trailing_zeros());
            }
            number += 1;
            mask = self.block(number)?.mask(service);
        }
    }

    /// Which clauses of the first block the service touches.
    #[inline]
    pub(super) fn first_mask(self, service: u32) -> u64 {
        self.block(0).map_or(0, |block| block.mask(service))
    }

    /// The clauses that the service touches, by number.
    #[inline]
    pub(super) fn candidates(self, service: u32) -> impl Iterator<Item = Candidate> + 'a {
        (0..self.blocks()).filter_map(move |number| self.block(number)).flat_map(move |block| {
            let mut mask = block.mask(service);
            std::iter::from_fn(move || {
                if mask == 0 {
                    return None;
                }
                let place = mask.trailing_zeros();
                mask &= mask - 1;
                block.entry(place)
            })
        })
    }

    /// The range of IPv6 addresses at this place.
    #[inline]
    pub(super) fn range6(self, place: u32) -> Option<(u128, u128)> {
        let place = place as usize;
        let (halves, _) = self.words.get(place..place + 8)?.as_chunks();
        let &[first, last] = halves else { return None };
        let number = |words: [u32; 4]| words.iter().fold(0_u128, |number, word| number << 32 | u128::from(*word));
        Some((number(first), number(last)))
    }
}

/// Collects the clauses of a slab by number.
#[derive(Debug, Default)]
pub(super) struct SlabBuilder {
    entries: Vec<[u32; ENTRY]>,
    services: Vec<Vec<(u32, u32)>>,
    ranges6: Vec<(u128, u128)>,
}

impl SlabBuilder {
    /// What is asked of the far address, if one question is enough for flows of the family.
    pub(super) fn simple(&mut self, area: &Area, family: Family) -> Option<(Kind, u32, u32)> {
        let (v4, v6): (&[_], &[_]) = match family {
            Family::V4 => (&area.v4, &[]),
            Family::V6 => (&[], &area.v6),
        };
        match (v4, v6, area.symbols.as_slice()) {
            (&[(first, last)], [], []) => Some((Kind::Prefix4, first, prefix_length(first, last)?)),
            ([], &[range], []) => {
                let known = self.ranges6.iter().position(|other| *other == range);
                let place = known.unwrap_or_else(|| {
                    self.ranges6.push(range);
                    self.ranges6.len() - 1
                });
                Some((Kind::Range6, u32::try_from(place).ok()?, 0))
            }
            ([], [], &[Symbol::Reference(bucket)]) => Some((Kind::Reference, bucket, 0)),
            ([], [], &[Symbol::Members(bucket)]) => Some((Kind::Members, bucket, 0)),
            ([], [], &[Symbol::List(list)]) => Some((Kind::List, list, 0)),
            _ => None,
        }
    }

    /// Adds a clause; `None` if its number is too great.
    pub(super) fn push(
        &mut self,
        (kind, a, length): (Kind, u32, u32),
        clause: u32,
        settled: Settled,
        services: Vec<(u32, u32)>,
    ) -> Option<()> {
        self.entries.push([Tag::new(kind, settled, length, clause)?.0, a]);
        self.services.push(services);
        Some(())
    }

    /// Lays everything out: the heads of the blocks, the blocks, the ranges of IPv6.
    pub(super) fn finish(self) -> Vec<u32> {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let blocks: Vec<_> = self
            .entries
            .chunks(BLOCK)
            .zip(self.services.chunks(BLOCK))
            .map(|(entries, services)| {
                let (starts, masks) = masks(services);
                (starts, masks, entries)
            })
            .collect();
        let mut words = vec![count(blocks.len())];
        let mut begin = 1 + HEAD * blocks.len();
        for (starts, _, entries) in &blocks {
            words.extend([count(begin), count(starts.len()), count(entries.len())]);
            let kinds = |kinds: &[Kind]| {
                let is_one = |[tag, _]: &[u32; ENTRY]| kinds.contains(&Tag(*tag).kind());
                (0..).zip(*entries).fold(0_u64, |mask, (place, entry)| mask | u64::from(is_one(entry)) << place)
            };
            words.extend(parted(kinds(&[Kind::Prefix4, Kind::Range6])));
            words.extend(parted(kinds(&[Kind::Reference, Kind::Members])));
            begin += starts.len().next_multiple_of(SERVICES) + 2 * starts.len() + ENTRY * entries.len();
        }
        let ranges6 = begin;
        for (starts, masks, entries) in blocks {
            let padding = starts.len().next_multiple_of(SERVICES) - starts.len();
            words.extend(starts);
            words.extend(std::iter::repeat_n(u32::MAX, padding));
            words.extend(masks.into_iter().flat_map(parted));
            for [tag, a] in entries.iter().copied() {
                let is_range = Tag(tag).kind() == Kind::Range6;
                words.extend([tag, if is_range { count(ranges6 + 8 * a as usize) } else { a }]);
            }
        }
        for (first, last) in self.ranges6 {
            let parts = |number: u128| [96, 64, 32, 0].map(|shift| low(number >> shift));
            words.extend(parts(first));
            words.extend(parts(last));
        }
        words
    }
}

/// The length of the prefix that is exactly this range, if it is one.
fn prefix_length(first: u32, last: u32) -> Option<u32> {
    let free = (first ^ last).trailing_ones();
    let is_prefix = (u64::from(first ^ last) + 1).is_power_of_two() && first.trailing_zeros() >= free;
    is_prefix.then_some(32 - free)
}

/// The services at which the clauses that are touched change, and the clauses from there on.
fn masks(services: &[Vec<(u32, u32)>]) -> (Vec<u32>, Vec<u64>) {
    let ranges = || services.iter().flatten();
    let mut starts: Vec<u32> = ranges().flat_map(|(first, last)| [*first, last + 1]).chain([0]).collect();
    starts.retain(|start| *start <= service::LAST);
    starts.sort_unstable();
    starts.dedup();
    let mut masks = vec![0_u64; starts.len()];
    for (place, ranges) in services.iter().enumerate() {
        for (first, last) in ranges {
            let begin = starts.partition_point(|start| start < first);
            let end = starts.partition_point(|start| start <= last);
            for mask in masks.get_mut(begin..end).unwrap_or_default() {
                *mask |= 1 << place;
            }
        }
    }
    // Neighbours that touch the same clauses are one.
    let mut before = None;
    let changes: Vec<(u32, u64)> =
        starts.into_iter().zip(masks).filter(|(_, mask)| before.replace(*mask) != Some(*mask)).collect();
    changes.into_iter().unzip()
}

//! Finding the piece of a dimension that a point lies in by tables: the fast form.
//!
//! IPv4 addresses by the method of DXR (Zec, Rizzo and Mikuc, "DXR: towards a billion routing
//! lookups per second in software", 2012), with blocks of one cache line: the upper half of the
//! address finds a block, and the lower half is compared with all 16 starts in it at once.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

use super::simd::Kernel;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use super::simd::Search;
use crate::net::Family;
use crate::policy::service::{selector_mask, service};

/// Pieces in a block.
pub(super) const PIECES: usize = 16;

/// Up to 16 pieces of a /16 or of a part of one.
pub(super) trait Block: Copy {
    /// Whether pieces have answers of their own.
    const OWNS: bool;

    /// A block in which one piece reaches from `start` on.
    fn filled(start: u16, piece: Piece) -> Self;

    /// Sets where the piece with this number starts; all after it are the same.
    fn set(&mut self, number: usize, start: u16, piece: Piece);

    /// The lower halves of the addresses where pieces start; the first is that of the block, and what
    /// is not used is the greatest number.
    fn starts(&self) -> &[u16; PIECES];

    /// The piece with this number.
    fn piece(&self, number: usize) -> Piece;
}

/// Where the answers of a piece are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) row: u16,
    /// The first of its own answers.
    pub(super) own: u32,
}

/// A block of pieces that have no answers of their own: one cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct PlainBlock {
    starts: [u16; PIECES],
    rows: [u16; PIECES],
}

/// A block of pieces that have answers of their own: two cache lines, of which the search reads the first.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(128))]
pub(super) struct OwnBlock {
    plain: PlainBlock,
    owns: [u32; PIECES],
}

impl Block for PlainBlock {
    const OWNS: bool = false;

    fn filled(start: u16, piece: Piece) -> Self {
        let mut block = Self { starts: [u16::MAX; PIECES], rows: [piece.row; PIECES] };
        block.set(0, start, piece);
        block
    }

    fn set(&mut self, number: usize, start: u16, piece: Piece) {
        if let Some(slot) = self.starts.get_mut(number) {
            *slot = start;
        }
        self.rows.iter_mut().skip(number).for_each(|row| *row = piece.row);
    }

    #[inline]
    fn starts(&self) -> &[u16; PIECES] {
        &self.starts
    }

    #[inline]
    fn piece(&self, number: usize) -> Piece {
        Piece { row: *self.rows.get(number % PIECES).unwrap_or(&0), own: 0 }
    }
}

impl Block for OwnBlock {
    const OWNS: bool = true;

    fn filled(start: u16, piece: Piece) -> Self {
        Self { plain: PlainBlock::filled(start, piece), owns: [piece.own; PIECES] }
    }

    fn set(&mut self, number: usize, start: u16, piece: Piece) {
        self.plain.set(number, start, piece);
        self.owns.iter_mut().skip(number).for_each(|own| *own = piece.own);
    }

    #[inline]
    fn starts(&self) -> &[u16; PIECES] {
        &self.plain.starts
    }

    #[inline]
    fn piece(&self, number: usize) -> Piece {
        Piece { own: *self.owns.get(number % PIECES).unwrap_or(&0), ..self.plain.piece(number) }
    }
}

/// The number of the piece that the lower half of an address lies in: the last that starts at it or
/// before.
#[inline]
fn reached(starts: &[u16; PIECES], lower: u16) -> usize {
    let mut piece = 0;
    for half in [8, 4, 2, 1] {
        let next = piece | half;
        let reached = *starts.get(next).unwrap_or(&u16::MAX) <= lower;
        // The processor cannot guess this, and a wrong guess costs more than the comparison.
        piece = std::hint::select_unpredictable(reached, next, piece);
    }
    piece
}

/// The number of the last block.
fn last<B>(blocks: &[B]) -> u32 {
    u32::try_from(blocks.len()).unwrap_or(u32::MAX).saturating_sub(1)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// IPv4 addresses to rows.
#[derive(Debug, Clone)]
pub(super) struct AddressBlocks<B> {
    /// For the upper half of an address: the first block, and in the lower 5 bits by how many bits
    /// the lower half is shifted to count from there.
    top: Box<[u32; 1 << 16]>,
    blocks: Box<[B]>,
}

impl<B: Block> AddressBlocks<B> {
    /// Builds from the starts of pieces, ascending from 0, the row of each and the first of its own
    /// answers. `None` if there are more rows than a block can name, or if it would take more bytes than
    /// this: one dense spot makes many blocks of a whole /16.
    pub(super) fn new(starts: &[u32], rows: &[u32], owns: &[u32], bytes: usize) -> Option<Self> {
        let most = bytes / size_of::<B>();
        let owns = owns.iter().copied().chain(std::iter::repeat(0));
        let piece = |(row, own): (&u32, u32)| Some(Piece { row: u16::try_from(*row).ok()?, own });
        let pieces: Vec<Piece> = rows.iter().zip(owns).map(piece).collect::<Option<_>>()?;
        let mut top = vec![0_u32; 1 << 16];
        let mut blocks: Vec<B> = Vec::new();
        // The block of a /16 that is one piece, by row.
        let mut whole: HashMap<(u16, u32), u32, RandomState> = HashMap::default();
        // The piece that the next /16 begins in.
        let mut current = 0;
        let mut upper = 0_u32;
        while upper < 1 << 16 {
            while starts.get(current + 1).is_some_and(|start| *start <= upper << 16) {
                current += 1;
            }
            // Up to the /16 in which the next piece starts all are one piece.
            let until = starts.get(current + 1).map_or(1 << 16, |start| start >> 16);
            if until > upper {
                let piece = pieces.get(current).copied().unwrap_or_default();
                let block = *whole.entry((piece.row, piece.own)).or_insert_with(|| {
                    blocks.push(B::filled(0, piece));
                    last(&blocks)
                });
                top.get_mut(index(upper)..index(until))?.fill(entry(block, 16)?);
                upper = until;
                continue;
            }
            let (first, end) = (upper << 16, upper << 16 | 0xffff);
            let ahead = starts.get(current + 1..)?;
            let inside = ahead.get(..ahead.partition_point(|start| *start <= end))?;
            let shift = shift(inside, first);
            let before = blocks.len();
            if before + (1 << (16 - shift)) > most {
                return None;
            }
            for part in 0..1_u32 << (16 - shift) {
                let from = first + (part << shift);
                while starts.get(current + 1).is_some_and(|start| *start <= from) {
                    current += 1;
                }
                blocks.push(block(starts, &pieces, current, from, from | ((1 << shift) - 1)));
            }
            *top.get_mut(index(upper))? = entry(u32::try_from(before).ok()?, shift)?;
            upper += 1;
        }
        Some(Self { top: top.into_boxed_slice().try_into().ok()?, blocks: blocks.into() })
    }

    /// The number of the block of an address.
    #[inline]
    fn place(&self, address: u32) -> u32 {
        let (upper, lower) = halves(address);
        let entry = self.top.get(usize::from(upper)).copied().unwrap_or_default();
        (entry >> 5).wrapping_add(u32::from(lower) >> (entry & 31))
    }

    /// The block with this number.
    #[inline]
    pub(super) fn block(&self, place: u32) -> Option<&B> {
        self.blocks.get(index(place))
    }

    /// The piece of an address.
    #[inline]
    pub(super) fn piece(&self, address: u32) -> Piece {
        let (_, lower) = halves(address);
        let block = self.block(self.place(address));
        block.map(|block| block.piece(reached(block.starts(), lower))).unwrap_or_default()
    }

    /// The pieces of many addresses. All blocks are found before one is searched: the processor can
    /// look ahead further over short chains of work than over long ones.
    #[inline]
    pub(super) fn pieces<const N: usize>(
        &self,
        kernel: Kernel,
        addresses: &[u32; N],
        rows: &mut [u32; N],
        owns: &mut [u32; N],
    ) {
        for (address, place) in addresses.iter().zip(rows.iter_mut()) {
            *place = self.place(*address);
        }
        match kernel {
            Kernel::Portable => {
                for ((address, row), own) in addresses.iter().zip(rows).zip(owns) {
                    let (_, lower) = halves(*address);
                    let block = self.block(*row);
                    let piece = block.map(|block| block.piece(reached(block.starts(), lower))).unwrap_or_default();
                    *row = u32::from(piece.row);
                    if B::OWNS {
                        *own = piece.own;
                    }
                }
            }
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Kernel::Avx2(simd) => simd.vectorize(Search { simd, blocks: self, addresses, rows, owns }),
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Kernel::Avx512(simd) => simd.vectorize(Search { simd, blocks: self, addresses, rows, owns }),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.top) + size_of_val(&*self.blocks)
    }
}

/// The upper and the lower half of an address.
#[inline]
pub(super) fn halves(address: u32) -> (u16, u16) {
    let [a, b, c, d] = address.to_be_bytes();
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

fn entry(block: u32, shift: u32) -> Option<u32> {
    (block < 1 << 27).then_some(block << 5 | shift)
}

/// By how many bits the lower half of addresses is shifted so that no part of a /16 has more pieces
/// than a block; `starts` are those within it.
fn shift(starts: &[u32], first: u32) -> u32 {
    let fits = |shift: &u32| {
        // A part has the piece that reaches into it, and those that start in it; but one that starts
        // with it leaves none that reaches in.
        starts.chunk_by(|one, next| (one - first) >> shift == (next - first) >> shift).all(|part| {
            let at_start = part.first().is_some_and(|start| (start - first) & ((1 << shift) - 1) == 0);
            part.len() + usize::from(!at_start) <= PIECES
        })
    };
    // Parts of 16 addresses cannot have more than 16 pieces.
    (4..=16).rev().find(fits).unwrap_or(4)
}

/// The block of the addresses from `from` to `to`, the first of which lies in the piece `current`.
fn block<B: Block>(starts: &[u32], pieces: &[Piece], current: usize, from: u32, to: u32) -> B {
    let mut block = B::filled(halves(from).1, pieces.get(current).copied().unwrap_or_default());
    let ahead = starts.iter().zip(pieces).skip(current + 1).take_while(|(start, _)| **start <= to);
    for (number, (start, piece)) in (1..).zip(ahead) {
        block.set(number, halves(*start).1, *piece);
    }
    block
}

/// Services to columns.
#[derive(Debug, Clone)]
pub(super) struct ServiceTable<C> {
    /// For each protocol, where its columns begin and which bits of the selector count; none where all
    /// selectors have one column.
    protocols: Box<[(u32, u16); 256]>,
    columns: Box<[C]>,
}

impl<C: Copy + Default + Eq + Hash + TryFrom<u32> + Into<u32>> ServiceTable<C> {
    /// Builds from the starts of services, ascending from 0, and the column of each. `None` if there
    /// are more columns than an entry can name.
    pub(super) fn new(starts: &[u32], columns: &[u32], family: Family) -> Option<Self> {
        let columns: Vec<C> = columns.iter().map(|column| C::try_from(*column).ok()).collect::<Option<_>>()?;
        let mut known = HashMap::<Vec<C>, u32, RandomState>::default();
        let (mut protocols, mut all) = (Vec::with_capacity(256), Vec::new());
        for protocol in 0..=u8::MAX {
            let (first, mask) = (service(protocol, 0), selector_mask(protocol, family));
            let own = pieces(starts, &columns, first, first | u32::from(mask));
            let uniform = own.windows(2).all(|pair| pair.first() == pair.last());
            let (mask, own) = if uniform { (0, own.into_iter().take(1).collect()) } else { (mask, own) };
            let next = u32::try_from(all.len()).ok()?;
            let start = *known.entry(own).or_insert_with_key(|own| {
                all.extend_from_slice(own);
                next
            });
            protocols.push((start, mask));
        }
        Some(Self { protocols: protocols.into_boxed_slice().try_into().ok()?, columns: all.into() })
    }

    /// The column of a service.
    #[inline]
    pub(super) fn column(&self, protocol: u8, selector: u16) -> u32 {
        let (start, mask) = *self.protocols.get(usize::from(protocol)).unwrap_or(&(0, 0));
        let place = start.wrapping_add(u32::from(selector & mask));
        self.columns.get(index(place)).copied().unwrap_or_default().into()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.protocols) + size_of_val(&*self.columns)
    }
}

/// The values of all points from `first` to `last`, given where pieces start, ascending from 0, and the
/// value of each.
fn pieces<V: Copy + Default>(starts: &[u32], values: &[V], first: u32, last: u32) -> Vec<V> {
    let mut points = Vec::with_capacity(index(last - first) + 1);
    let mut piece = starts.partition_point(|start| *start <= first).saturating_sub(1);
    loop {
        let next = starts.get(piece + 1).copied().filter(|next| *next <= last);
        let length = index(next.unwrap_or(last + 1) - first);
        points.resize(length, values.get(piece).copied().unwrap_or_default());
        if next.is_none() {
            return points;
        }
        piece += 1;
    }
}

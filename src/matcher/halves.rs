//! Finding the row of an IPv6 address: the upper 64 bits first, then the lower.
//!
//! Most rules end within the upper half, so the lower half is rarely cut; and processors compare 64
//! bits in one step, 128 in several. A table over the bits in which the upper halves differ tells
//! where to begin, so that few steps are left. The number of steps is the same for all addresses, for
//! a loop that is left early costs more than the steps it saves.

/// IPv6 addresses to rows.
#[derive(Debug, Clone)]
pub(super) struct AddressHalves {
    /// Where pieces of the upper half start, ascending from 0.
    uppers: Box<[u64]>,
    /// The second of them, where the table begins.
    base: u64,
    /// The table has an entry for each `1 << shift` upper halves from there.
    shift: u32,
    /// The piece in which they begin.
    table: Box<[u32]>,
    /// The widths of the steps from there.
    upper_steps: Steps,
    /// The pieces of the lower half in each piece of the upper: the first, and how many.
    spans: Box<[(u32, u32)]>,
    /// Where pieces of the lower half start, ascending from 0 in each span.
    lowers: Box<[u64]>,
    /// The widths of the steps within a span.
    lower_steps: Steps,
    rows: Box<[u32]>,
    /// The first of each piece's own answers; empty if no piece has any.
    owns: Box<[u32]>,
}

/// The widths of the steps of a binary search: powers of two, descending from this one.
#[derive(Debug, Clone, Copy)]
struct Steps(usize);

impl Steps {
    /// The steps that reach any of so many places beyond the first.
    fn reaching(places: usize) -> Self {
        Self(if places == 0 { 0 } else { 1 << places.ilog2() })
    }
}

/// Entries of the table for each piece of the upper half, at least.
const ENTRIES_A_PIECE: usize = 2;
/// Entries of the table, at most.
const ENTRIES: usize = 1 << 12;

impl AddressHalves {
    /// Builds from the starts of pieces, ascending from 0, the row of each and the first of its own
    /// answers.
    pub(super) fn new(starts: &[u128], rows: &[u32], owns: &[u32]) -> Self {
        let (mut uppers, mut firsts) = (Vec::new(), Vec::new());
        let (mut lowers, mut places) = (Vec::new(), Vec::new());
        let mut before = (0, 0);
        let all_owns = owns.iter().copied().chain(std::iter::repeat(0));
        let mut pieces = starts.iter().zip(rows.iter().copied().zip(all_owns)).peekable();
        while let Some((start, place)) = pieces.next() {
            let (upper, lower) = split(*start);
            if uppers.last() != Some(&upper) {
                uppers.push(upper);
                firsts.push(lowers.len());
                if lower != 0 {
                    // What began before reaches into this upper half.
                    lowers.push(0);
                    places.push(before);
                }
            }
            lowers.push(lower);
            places.push(place);
            before = place;
            // A piece that does not begin with its upper half ends that half's span, and goes on
            // in a span of its own unless the next piece begins right there.
            let next = pieces.peek().map(|(start, _)| split(**start).0);
            if let Some(after) = upper.checked_add(1)
                && next.is_none_or(|next| next > upper)
                && lower != 0
                && pieces.peek().is_none_or(|(start, _)| split(**start) != (after, 0))
            {
                uppers.push(after);
                firsts.push(lowers.len());
                lowers.push(0);
                places.push(place);
            }
        }
        let ends = firsts.iter().copied().skip(1).chain([lowers.len()]);
        let spans: Vec<(u32, u32)> =
            firsts.iter().zip(ends).map(|(first, end)| (number(*first), number(end - first))).collect();
        let longest = spans.iter().map(|(_, count)| index(*count)).max().unwrap_or_default();
        let base = uppers.get(1).copied().unwrap_or_default();
        let width = uppers.last().copied().unwrap_or_default().saturating_sub(base);
        let entries = (uppers.len() * ENTRIES_A_PIECE).next_power_of_two().min(ENTRIES);
        // The width in units of the shift must stay below the entries.
        let shift = (u64::BITS - width.leading_zeros()).saturating_sub(entries.ilog2());
        let table: Vec<usize> = (0..=width >> shift)
            .map(|entry| match entry {
                // What lies before the base is looked up here too.
                0 => 0,
                entry => uppers.partition_point(|start| *start <= base + (entry << shift)) - 1,
            })
            .collect();
        let last = uppers.len().saturating_sub(1);
        let ends = table.iter().copied().skip(1).chain([last]);
        let farthest = table.iter().zip(ends).map(|(first, last)| last - first).max().unwrap_or_default();
        Self {
            uppers: uppers.into(),
            base,
            shift,
            table: table.into_iter().map(number).collect(),
            upper_steps: Steps::reaching(farthest),
            spans: spans.into(),
            lowers: lowers.into(),
            lower_steps: Steps::reaching(longest.saturating_sub(1)),
            rows: places.iter().map(|(row, _)| *row).collect(),
            owns: if owns.is_empty() { Box::default() } else { places.iter().map(|(_, own)| *own).collect() },
        }
    }

    /// The piece of the upper half of an address.
    #[inline]
    fn upper_piece(&self, address: u128) -> usize {
        let (upper, _) = split(address);
        let entry = upper.saturating_sub(self.base) >> self.shift;
        let entry = usize::try_from(entry).unwrap_or(usize::MAX).min(self.table.len().wrapping_sub(1));
        let mut piece = index(self.table.get(entry).copied().unwrap_or_default());
        let mut width = self.upper_steps.0;
        while width > 0 {
            let next = piece.wrapping_add(width);
            let reached = *self.uppers.get(next).unwrap_or(&u64::MAX) <= upper;
            piece = std::hint::select_unpredictable(reached, next, piece);
            width /= 2;
        }
        // The greatest address reaches what is past the last piece, too.
        piece.min(self.uppers.len().wrapping_sub(1))
    }

    /// The row of an address whose upper half lies in this piece, and the first of its own answers.
    #[inline]
    fn place_in(&self, piece: usize, address: u128) -> (u32, u32) {
        let (_, lower) = split(address);
        let (first, count) = self.spans.get(piece).copied().unwrap_or_default();
        let (first, count) = (index(first), index(count));
        let mut piece = 0_usize;
        let mut width = self.lower_steps.0;
        while width > 0 {
            let next = piece.wrapping_add(width);
            let reached = (next < count) & (*self.lowers.get(first.wrapping_add(next)).unwrap_or(&u64::MAX) <= lower);
            piece = std::hint::select_unpredictable(reached, next, piece);
            width /= 2;
        }
        let piece = first.wrapping_add(piece);
        let at = |values: &[u32]| values.get(piece).copied().unwrap_or_default();
        (at(&self.rows), at(&self.owns))
    }

    /// The row of an address, and the first of its own answers.
    #[inline]
    pub(super) fn place(&self, address: u128) -> (u32, u32) {
        self.place_in(self.upper_piece(address), address)
    }

    /// The rows of many addresses, and the first of their own answers.
    #[inline]
    pub(super) fn places<const N: usize>(&self, addresses: &[u128; N], rows: &mut [u32; N], owns: &mut [u32; N]) {
        for (address, piece) in addresses.iter().zip(rows.iter_mut()) {
            *piece = number(self.upper_piece(*address));
        }
        for ((address, row), own) in addresses.iter().zip(rows).zip(owns) {
            (*row, *own) = self.place_in(index(*row), *address);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.uppers)
            + size_of_val(&*self.table)
            + size_of_val(&*self.spans)
            + size_of_val(&*self.lowers)
            + size_of_val(&*self.rows)
            + size_of_val(&*self.owns)
    }
}

#[inline]
fn split(address: u128) -> (u64, u64) {
    let half = |bits: u128| u64::try_from(bits).unwrap_or(u64::MAX);
    (half(address >> 64), half(address & u128::from(u64::MAX)))
}

#[inline]
fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[inline]
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_is_found() {
        let one = 1_u128 << 64;
        let sets: [&[u128]; 7] = [
            &[0],
            &[0, 1, 2, u128::MAX],
            &[0, 5 * one, 5 * one + 7, 6 * one, 6 * one + 1, 9 * one],
            &[0, 5 * one + 7, 5 * one + 9, 7 * one + 3],
            &[0, u128::MAX - 1],
            &[0, one, 2 * one, 3 * one, u128::MAX - one, u128::MAX - 1],
            &[0, (one - 1) * one, (one - 1) * one + 1],
        ];
        for starts in sets {
            let rows: Vec<u32> = (10..).take(starts.len()).collect();
            let owns: Vec<u32> = rows.iter().map(|row| row * 2).collect();
            let halves = AddressHalves::new(starts, &rows, &owns);
            for start in starts {
                for address in [start.saturating_sub(1), *start, start.saturating_add(1), start.saturating_add(one)] {
                    let expected = rows[starts.partition_point(|start| *start <= address) - 1];
                    assert_eq!(halves.place(address), (expected, expected * 2), "{starts:x?}, {address:x}");
                }
            }
        }
    }
}

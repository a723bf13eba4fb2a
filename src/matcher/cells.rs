//! The answers of a table, by row and column.

use super::pages::PAGE;

/// Columns in a page, as columns are counted.
const PAGE_WIDTH: u32 = 16;
const _: () = assert!(PAGE_WIDTH as usize == PAGE, "one page in two types");

/// A table's answers in the smallest of the forms that hold them.
#[derive(Debug, Clone)]
pub(super) enum Cells {
    FlatNarrow(Flat<u16>),
    Flat(Flat<u32>),
    PagedNarrow(Paged<u16>),
    Paged(Paged<u32>),
}

/// What a kernel asks for.
pub(super) trait Lookup {
    /// The answer in this row and column, for an address whose own answers begin at `own`.
    fn answer(&self, row: u32, column: u32, own: u32) -> u32;
}

/// A number as tables store it: the highest bit tells whether it counts from the first answer that
/// the address has of its own.
pub(super) trait Stored: Copy + Default {
    /// The number, if it fits.
    fn stored(number: u32, own: bool) -> Option<Self>;

    /// The number without that bit, and all bits set or none as it is set or not.
    fn split(self) -> (u32, u32);
}

impl Stored for u16 {
    fn stored(number: u32, own: bool) -> Option<Self> {
        let number = Self::try_from(number).ok().filter(|number| *number < 1 << 15)?;
        Some(number | Self::from(own) << 15)
    }

    #[inline]
    fn split(self) -> (u32, u32) {
        (u32::from(self & !(1 << 15)), 0_u32.wrapping_sub(u32::from(self >> 15)))
    }
}

impl Stored for u32 {
    fn stored(number: u32, own: bool) -> Option<Self> {
        (number < 1 << 31).then_some(number | Self::from(own) << 31)
    }

    #[inline]
    fn split(self) -> (u32, u32) {
        (self & !(1 << 31), 0_u32.wrapping_sub(self >> 31))
    }
}

/// The answer that a cell stands for.
#[inline]
fn resolved(cell: impl Stored, own: u32) -> u32 {
    let (number, is_own) = cell.split();
    number.wrapping_add(own & is_own)
}

/// One row after the other.
#[derive(Debug, Clone)]
pub(super) struct Flat<W> {
    cells: Box<[W]>,
    width: u32,
}

impl<W: Stored> Lookup for Flat<W> {
    #[inline]
    fn answer(&self, row: u32, column: u32, own: u32) -> u32 {
        let place = row.wrapping_mul(self.width).wrapping_add(column);
        resolved(self.cells.get(index(place)).copied().unwrap_or_default(), own)
    }
}

/// Rows made of pages, which equal parts of rows share.
#[derive(Debug, Clone)]
pub(super) struct Paged<W> {
    pages: Box<[W]>,
    cells: Box<[W]>,
    /// Pages in a row.
    width: u32,
}

impl<W: Stored> Lookup for Paged<W> {
    #[inline]
    fn answer(&self, row: u32, column: u32, own: u32) -> u32 {
        let place = row.wrapping_mul(self.width).wrapping_add(column / PAGE_WIDTH);
        let page = self.pages.get(index(place)).copied().unwrap_or_default().split().0;
        let place = page.wrapping_mul(PAGE_WIDTH).wrapping_add(column % PAGE_WIDTH);
        resolved(self.cells.get(index(place)).copied().unwrap_or_default(), own)
    }
}

impl Cells {
    /// Bytes up to which a flat table is taken where speed is asked for: what fits into the caches
    /// that are near a core.
    const FLAT_BYTES: usize = 512 << 10;

    /// Packs a table of `columns` columns: the page numbers of its rows and the cells of its pages.
    /// Where speed is asked for, a table that is small enough is laid out flat.
    ///
    /// `None` if a number is too great to be stored, which takes billions of answers.
    pub(super) fn pack(pages: &[u32], cells: &[(u32, bool)], columns: usize, fast: bool) -> Option<Self> {
        // Places are counted in 32 bits.
        u32::try_from(pages.len().max(cells.len())).ok()?;
        let width = columns.div_ceil(PAGE).max(1);
        let rows = pages.len() / width;
        let page_numbers: Vec<(u32, bool)> = pages.iter().map(|page| (*page, false)).collect();
        let narrow = stored::<u16>(cells);
        let size = if narrow.is_some() { size_of::<u16>() } else { size_of::<u32>() };
        if fast && rows.saturating_mul(columns).saturating_mul(size) <= Self::FLAT_BYTES {
            let width = u32::try_from(columns).ok()?;
            return Some(match narrow {
                Some(cells) => Self::FlatNarrow(Flat { cells: flat(pages, &cells, columns), width }),
                None => Self::Flat(Flat { cells: flat(pages, &stored::<u32>(cells)?, columns), width }),
            });
        }
        let width = u32::try_from(width).ok()?;
        Some(match (stored(&page_numbers), narrow) {
            (Some(pages), Some(cells)) => Self::PagedNarrow(Paged { pages, cells, width }),
            _ => Self::Paged(Paged { pages: stored(&page_numbers)?, cells: stored(cells)?, width }),
        })
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::FlatNarrow(flat) => size_of_val(&*flat.cells),
            Self::Flat(flat) => size_of_val(&*flat.cells),
            Self::PagedNarrow(paged) => size_of_val(&*paged.pages) + size_of_val(&*paged.cells),
            Self::Paged(paged) => size_of_val(&*paged.pages) + size_of_val(&*paged.cells),
        }
    }
}

impl Lookup for Cells {
    #[inline]
    fn answer(&self, row: u32, column: u32, own: u32) -> u32 {
        match self {
            Self::FlatNarrow(flat) => flat.answer(row, column, own),
            Self::Flat(flat) => flat.answer(row, column, own),
            Self::PagedNarrow(paged) => paged.answer(row, column, own),
            Self::Paged(paged) => paged.answer(row, column, own),
        }
    }
}

/// The numbers as tables store them, if all fit.
fn stored<W: Stored>(numbers: &[(u32, bool)]) -> Option<Box<[W]>> {
    numbers.iter().map(|(number, own)| W::stored(*number, *own)).collect()
}

/// Rows of pages as rows of cells.
fn flat<W: Copy>(pages: &[u32], cells: &[W], columns: usize) -> Box<[W]> {
    let mut flat = Vec::with_capacity(pages.len() * PAGE);
    for row in pages.chunks(columns.div_ceil(PAGE).max(1)) {
        let end = flat.len() + columns;
        for page in row {
            let from = index(*page) * PAGE;
            flat.extend_from_slice(cells.get(from..from + PAGE).unwrap_or_default());
        }
        flat.truncate(end);
    }
    flat.into()
}

#[inline]
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

//! Rows of answers, stored in pages so that equal parts of rows are stored once.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::limits::{Budget, BuildError};

/// Columns in a page of a row.
pub(super) const PAGE: usize = 16;

/// Distinct pages, and distinct rows made of them.
pub(super) struct Pages {
    hasher: RandomState,
    /// The answers of each page, one page after the other.
    pub(super) cells: Vec<u32>,
    known: HashTable<u32>,
    /// The pages of each row, one row after the other.
    pub(super) numbers: Vec<u32>,
    rows: HashTable<u32>,
    row: Vec<u32>,
}

impl Pages {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            cells: Vec::new(),
            known: HashTable::new(),
            numbers: Vec::new(),
            rows: HashTable::new(),
            row: Vec::new(),
        }
    }

    /// The number of a row with these answers.
    pub(super) fn row(&mut self, row: &[u32], budget: &mut Budget) -> Result<u32, BuildError> {
        self.row.clear();
        for chunk in row.chunks(PAGE) {
            let mut page = [0; PAGE];
            for (cell, answer) in page.iter_mut().zip(chunk) {
                *cell = *answer;
            }
            self.row.push(interned(&self.hasher, &mut self.cells, &mut self.known, &page, budget)?);
        }
        interned(&self.hasher, &mut self.numbers, &mut self.rows, &self.row, budget)
    }
}

/// The number of a block among blocks of one length that stand one after the other; appends it if it
/// is new.
fn interned(
    hasher: &RandomState,
    blocks: &mut Vec<u32>,
    known: &mut HashTable<u32>,
    block: &[u32],
    budget: &mut Budget,
) -> Result<u32, BuildError> {
    let length = block.len();
    let same = |number: &u32| blocks.get(index(*number) * length..).is_some_and(|rest| rest.starts_with(block));
    let hash = hasher.hash_one(block);
    if let Some(number) = known.find(hash, same) {
        return Ok(*number);
    }
    // Its place in the table of hashes included.
    budget.keep(size_of_val(block) + 2 * size_of::<u32>())?;
    let number = u32::try_from(blocks.len() / length.max(1)).unwrap_or(u32::MAX);
    blocks.extend_from_slice(block);
    known.insert_unique(hash, number, |number| {
        let start = index(*number) * length;
        hasher.hash_one(blocks.get(start..start + length).unwrap_or_default())
    });
    Ok(number)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

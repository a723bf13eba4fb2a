//! Addresses that no policy tells apart.

use hashbrown::HashMap;

use super::table::{Row, Table};

/// Classes of places: two are in one class if every table so far has the same rows for both.
#[derive(Debug)]
pub(super) struct Columns {
    class: Vec<u32>,
    next: u32,
}

impl Columns {
    /// Places in the classes of those of IPv4 and of the others.
    pub(super) fn new(v4: u32, count: u32) -> Self {
        Self { class: (0..count).map(|place| u32::from(place >= v4)).collect(), next: 2 }
    }

    pub(super) fn of(&self, place: u32) -> Option<u32> {
        self.class.get(usize::try_from(place).ok()?).copied()
    }

    /// Splits classes by the rows of a table. Of each, the places with the most frequent row stay in their
    /// class, so the cost is that of the others.
    pub(super) fn split(&mut self, table: &Table, count: u32) {
        for runs in table {
            let usual = usual(runs.iter(count));
            let mut moved: HashMap<(u32, Row), u32, foldhash::fast::RandomState> = HashMap::default();
            for (start, end, row) in runs.iter(count).filter(|(_, _, row)| Some(*row) != usual) {
                let places = usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
                for class in self.class.get_mut(places).unwrap_or_default() {
                    let next = &mut self.next;
                    *class = *moved.entry((*class, row)).or_insert_with(|| {
                        *next += 1;
                        *next - 1
                    });
                }
            }
        }
    }
}

/// The row of most places.
fn usual(runs: impl Iterator<Item = (u32, u32, Row)>) -> Option<Row> {
    let mut counts: HashMap<Row, u32, foldhash::fast::RandomState> = HashMap::default();
    for (start, end, row) in runs {
        *counts.entry(row).or_default() += end - start;
    }
    counts.into_iter().max_by_key(|(row, count)| (*count, *row)).map(|(row, _)| row)
}

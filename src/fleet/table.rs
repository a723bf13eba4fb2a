//! A table whose versions share what they have in common.
//!
//! What decisions read stands in such tables, not in a general persistent vector, because a lookup
//! should miss the cache once: the two upper levels are small enough to stay there.

use std::sync::Arc;

/// Entries of a leaf, and leaves of a branch.
const WIDTH: usize = 64;

/// Entries by number. Cloning takes constant time; changing an entry of a shared table copies its
/// leaf and the way to it.
#[derive(Debug, Clone)]
pub(super) struct Table<T> {
    branches: Arc<Vec<Branch<T>>>,
    length: u32,
}

type Branch<T> = Arc<[Leaf<T>]>;
type Leaf<T> = Arc<[T]>;

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { branches: Arc::default(), length: 0 }
    }
}

/// The places of an entry on the three levels.
fn places(number: u32) -> (usize, usize, usize) {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    (number / (WIDTH * WIDTH), number / WIDTH % WIDTH, number % WIDTH)
}

impl<T> Table<T> {
    /// The number of entries.
    pub(super) fn len(&self) -> u32 {
        self.length
    }

    /// An entry.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let (branch, leaf, place) = places(number);
        self.branches.get(branch)?.get(leaf)?.get(place)
    }

    /// The entries by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..self.length).filter_map(|number| Some((number, self.get(number)?)))
    }
}

impl<T: Clone + Default> Table<T> {
    /// An entry to change.
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (branch, leaf, place) = places(number);
        let branch = Arc::make_mut(&mut self.branches).get_mut(branch)?;
        let leaf = Arc::make_mut(branch).get_mut(leaf)?;
        Arc::make_mut(leaf).get_mut(place)
    }

    /// Changes an entry; nothing happens if there is none of this number.
    pub(super) fn set(&mut self, number: u32, entry: T) {
        if let Some(place) = self.get_mut(number) {
            *place = entry;
        }
    }

    /// Adds an entry behind the others and tells its number.
    pub(super) fn push(&mut self, entry: T) -> u32 {
        let number = self.length;
        if places(number).0 >= self.branches.len() {
            // All leaves are one until something is written.
            let leaf: Leaf<T> = vec![T::default(); WIDTH].into();
            Arc::make_mut(&mut self.branches).push(vec![leaf; WIDTH].into());
        }
        self.length += 1;
        self.set(number, entry);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_keep_what_they_had() {
        let mut table = Table::default();
        for number in 0..10_000_u32 {
            assert_eq!(table.push(number), number);
        }
        let before = table.clone();
        table.set(4_095, 1);
        table.set(4_096, 2);
        assert_eq!(table.push(3), 10_000);
        assert_eq!((before.get(4_095), before.get(4_096), before.len()), (Some(&4_095), Some(&4_096), 10_000));
        assert_eq!((table.get(4_095), table.get(4_096), table.get(10_000)), (Some(&1), Some(&2), Some(&3)));
        assert!(before.iter().all(|(number, entry)| number == *entry));
        assert_eq!(table.get(20_000), None);
        table.set(20_000, 4);
    }
}

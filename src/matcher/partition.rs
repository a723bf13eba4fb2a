//! Cutting one dimension into classes: points that lie in the same sets.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::limits::{Budget, BuildError};

/// A dimension cut where some set begins or ends, and the classes of its pieces.
#[derive(Debug)]
pub(super) struct Partition<N> {
    /// Where pieces start, ascending; the first is 0.
    pub(super) starts: Vec<N>,
    /// The class of each piece.
    pub(super) classes: Vec<u32>,
    /// The sets that each class lies in, ascending, one class after the other.
    sets: Vec<u32>,
    /// Where the sets of each class end.
    ends: Vec<usize>,
}

impl<N> Partition<N> {
    /// The number of classes.
    pub(super) fn class_count(&self) -> usize {
        self.ends.len()
    }

    /// The sets that a class lies in, ascending.
    pub(super) fn sets_of(&self, class: usize) -> &[u32] {
        let end = self.ends.get(class).copied().unwrap_or_default();
        let start = class.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        self.sets.get(start..end).unwrap_or_default()
    }
}

/// A place where sets begin or end.
pub(super) struct Event<N> {
    at: N,
    set: u32,
}

/// The events of a set that contains this inclusive range: its start, and the place after its end
/// unless the dimension ends with it.
pub(super) fn events<N>(set: u32, first: N, after: Option<N>) -> impl Iterator<Item = Event<N>> {
    [Some(first), after].into_iter().flatten().map(move |at| Event { at, set })
}

/// Cuts the dimension. A set's ranges must be disjoint and must not touch.
///
/// Takes n log n for n ranges, and for each piece as much as there are sets that it lies in.
pub(super) fn partition<N: Copy + Ord + Default>(
    mut events: Vec<Event<N>>,
    budget: &mut Budget,
) -> Result<Partition<N>, BuildError> {
    events.sort_unstable_by_key(|event| event.at);
    let mut result = Partition { starts: Vec::new(), classes: Vec::new(), sets: Vec::new(), ends: Vec::new() };
    let mut known: HashTable<u32> = HashTable::new();
    let hasher = RandomState::default();
    // The sets that the current piece lies in, ascending.
    let mut open: Vec<u32> = Vec::new();
    let mut events = events.into_iter().peekable();
    let mut at = N::default();
    loop {
        while let Some(event) = events.next_if(|event| event.at == at) {
            // A set that is open ends here, another one begins: its ranges do not touch.
            match open.binary_search(&event.set) {
                Ok(place) => {
                    open.remove(place);
                }
                Err(place) => open.insert(place, event.set),
            }
        }
        budget.spend(open.len())?;
        let hash = |sets: &[u32]| hasher.hash_one(sets);
        let found = known.find(hash(&open), |class| result.sets_of(index(*class)) == open).copied();
        let class = if let Some(class) = found {
            class
        } else {
            let class = u32::try_from(result.ends.len()).unwrap_or(u32::MAX);
            budget.keep(size_of_val(open.as_slice()))?;
            result.sets.extend_from_slice(&open);
            result.ends.push(result.sets.len());
            known.insert_unique(hash(&open), class, |class| hash(result.sets_of(index(*class))));
            class
        };
        if result.classes.last() != Some(&class) {
            result.starts.push(at);
            result.classes.push(class);
        }
        match events.peek() {
            Some(event) => at = event.at,
            None => return Ok(result),
        }
    }
}

fn index(class: u32) -> usize {
    usize::try_from(class).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_the_same_sets_are_of_one_class() {
        let ranges = [(0, 10, Some(20)), (1, 15, Some(30)), (0, 40, None), (2, 0, None)];
        let events = ranges.into_iter().flat_map(|(set, first, after)| events(set, first, after)).collect();
        let cut = partition::<u32>(events, &mut Budget::unlimited()).unwrap();
        assert_eq!(cut.starts, [0, 10, 15, 20, 30, 40]);
        assert_eq!(cut.classes, [0, 1, 2, 3, 0, 1]);
        let sets: Vec<&[u32]> = (0..cut.class_count()).map(|class| cut.sets_of(class)).collect();
        assert_eq!(sets, [&[2][..], &[0, 2], &[0, 1, 2], &[1, 2]]);
    }
}

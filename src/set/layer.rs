//! A function of the packets of one family: intervals of services, in each of them intervals of source
//! ports, in each of those intervals of near addresses, and in each of those intervals of far
//! addresses, which have labels.
//!
//! Parts that are equal are shared, and computed once.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashMap;

use super::limits::{Budget, SetError};
use super::split::{Coordinate, Service, Split};

/// Labels by far address.
pub(crate) type Remotes<N, L> = Split<N, L>;
/// Labels by near address and far address.
pub(crate) type Locals<N, L> = Split<N, Arc<Remotes<N, L>>>;
/// Labels by source port, near address and far address.
pub(crate) type Sources<N, L> = Split<u16, Arc<Locals<N, L>>>;
/// Labels of all packets of a family.
pub(crate) type Layer<N, L> = Split<Service, Arc<Sources<N, L>>>;

/// A place on all dimensions but the far address. What a flow leaves open is `None`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near<N> {
    pub(crate) service: Service,
    pub(crate) source: Option<u16>,
    pub(crate) local: Option<N>,
}

/// One label everywhere.
pub(crate) fn everywhere<N: Coordinate, L: PartialEq>(label: L) -> Layer<N, L> {
    Split::uniform(Arc::new(Split::uniform(Arc::new(Split::uniform(Arc::new(Split::uniform(label)))))))
}

/// Whether the packets of a box are inside.
pub(crate) fn of_box<N: Coordinate>(
    services: &[(Service, Service)],
    sources: &[(u16, u16)],
    local: &[(N, N)],
    remote: &[(N, N)],
) -> Layer<N, bool> {
    let outside_remotes = Arc::new(Split::uniform(false));
    let outside_locals = Arc::new(Split::uniform(outside_remotes.clone()));
    let outside = Arc::new(Split::uniform(outside_locals.clone()));
    let remotes = Arc::new(Split::of_ranges(remote, &true, &false));
    let locals = Arc::new(Split::of_ranges(local, &remotes, &outside_remotes));
    let sources = Arc::new(Split::of_ranges(sources, &locals, &outside_locals));
    Split::of_ranges(services, &sources, &outside)
}

/// Both functions at once, each pair of labels made into one.
pub(crate) fn zip<N: Coordinate, A: PartialEq, B: PartialEq, R: PartialEq>(
    ours: &Layer<N, A>,
    theirs: &Layer<N, B>,
    budget: &mut Budget,
    mut f: impl FnMut(&A, &B) -> R,
) -> Result<Layer<N, R>, SetError> {
    let mut known: HashMap<(usize, usize), Arc<Sources<N, R>>, foldhash::fast::RandomState> = HashMap::default();
    ours.zip(theirs, |our_row, their_row| {
        budget.steps(1)?;
        let pair = (Arc::as_ptr(our_row).addr(), Arc::as_ptr(their_row).addr());
        if let Some(row) = known.get(&pair) {
            return Ok(row.clone());
        }
        let row = our_row.zip(their_row, |ours, theirs| {
            budget.steps(1)?;
            let locals = ours.zip(theirs, |ours, theirs| {
                let remotes = ours.zip(theirs, |a, b| {
                    budget.steps(1)?;
                    Ok(f(a, b))
                })?;
                budget.cells(remotes.len())?;
                Ok(Arc::new(remotes))
            })?;
            Ok(Arc::new(locals))
        })?;
        let row = Arc::new(row);
        known.insert(pair, row.clone());
        Ok(row)
    })
}

/// The same function with other labels.
pub(crate) fn map<N: Coordinate, A: PartialEq, R: PartialEq>(
    layer: &Layer<N, A>,
    mut f: impl FnMut(&A) -> R,
) -> Layer<N, R> {
    let mut known: HashMap<usize, Arc<Sources<N, R>>, foldhash::fast::RandomState> = HashMap::default();
    layer.map(|row| {
        let mapped = known
            .entry(Arc::as_ptr(row).addr())
            .or_insert_with(|| Arc::new(row.map(|locals| Arc::new(locals.map(|part| Arc::new(part.map(&mut f)))))));
        mapped.clone()
    })
}

/// Values by label, in the order in which labels were met.
struct ByLabel<L, V> {
    places: HashMap<L, usize, foldhash::fast::RandomState>,
    values: Vec<(L, V)>,
}

impl<L: Copy + Eq + Hash, V> ByLabel<L, V> {
    fn new() -> Self {
        Self { places: HashMap::default(), values: Vec::new() }
    }

    fn of(&mut self, label: L, first: impl FnOnce() -> V) -> Option<&mut V> {
        let place = *self.places.entry(label).or_insert_with(|| {
            self.values.push((label, first()));
            self.values.len() - 1
        });
        self.values.get_mut(place).map(|(_, value)| value)
    }
}

/// Collects, for each label, the parts of a dimension that have it; elsewhere is `outside`.
struct Parts<K, L, V> {
    by_label: ByLabel<L, Split<K, V>>,
    outside: V,
}

impl<K: Coordinate, L: Copy + Eq + Hash, V: Clone + PartialEq> Parts<K, L, V> {
    fn new(outside: V) -> Self {
        Self { by_label: ByLabel::new(), outside }
    }

    /// The label has this value in an interval behind all that it had before.
    fn add(&mut self, label: L, first: K, last: K, value: V) {
        if let Some(split) = self.by_label.of(label, || Split::start(1)) {
            if let Some(before) = first.before() {
                split.extend_to(before, self.outside.clone());
            }
            split.extend_to(last, value);
        }
    }

    fn finish(self) -> impl Iterator<Item = (L, Split<K, V>)> {
        let outside = self.outside;
        self.by_label.values.into_iter().map(move |(label, mut split)| {
            split.extend_to(K::LAST, outside.clone());
            (label, split)
        })
    }
}

/// What a row has of each label.
type Labelled<N, L> = Vec<(L, Arc<Sources<N, bool>>)>;

/// The packets of each label, in the order in which labels are met. Costs the size of the layer.
pub(crate) fn by_label<N: Coordinate, L: Copy + Eq + Hash>(layer: &Layer<N, L>) -> Vec<(L, Layer<N, bool>)> {
    let no_remotes: Arc<Remotes<N, bool>> = Arc::new(Split::uniform(false));
    let no_locals: Arc<Locals<N, bool>> = Arc::new(Split::uniform(no_remotes.clone()));
    let nothing: Arc<Sources<N, bool>> = Arc::new(Split::uniform(no_locals.clone()));
    let of_row = |row: &Sources<N, L>| -> Labelled<N, L> {
        let mut sources = Parts::new(no_locals.clone());
        for (first_port, last_port, locals) in row.iter() {
            let mut near = Parts::new(no_remotes.clone());
            for (first, last, remotes) in locals.iter() {
                let mut far = Parts::new(false);
                for (first, last, label) in remotes.iter() {
                    far.add(*label, first, last, true);
                }
                far.finish().for_each(|(label, remotes)| near.add(label, first, last, Arc::new(remotes)));
            }
            near.finish().for_each(|(label, locals)| sources.add(label, first_port, last_port, Arc::new(locals)));
        }
        sources.finish().map(|(label, sources)| (label, Arc::new(sources))).collect()
    };
    let mut known: HashMap<usize, Labelled<N, L>, foldhash::fast::RandomState> = HashMap::default();
    let mut found = Parts::new(nothing);
    for (first, last, row) in layer.iter() {
        for (label, part) in known.entry(Arc::as_ptr(row).addr()).or_insert_with(|| of_row(row)).iter() {
            found.add(*label, first, last, part.clone());
        }
    }
    found.finish().collect()
}

/// The label of a packet; `None` if it depends on what is left open.
pub(crate) fn label<N: Coordinate, L: PartialEq>(layer: &Layer<N, L>, near: Near<N>, remote: N) -> Option<&L> {
    let (_, _, row) = layer.at(near.service)?;
    let mut labels = at_or_all(row, near.source)
        .flat_map(|locals| at_or_all(locals, near.local))
        .filter_map(|remotes| Some(remotes.at(remote)?.2));
    let first = labels.next()?;
    labels.all(|label| label == first).then_some(first)
}

/// The value at a place, or all there are.
pub(crate) fn at_or_all<K: Coordinate, V: PartialEq>(
    split: &Split<K, V>,
    place: Option<K>,
) -> impl Iterator<Item = &V> {
    let at = place.and_then(|place| Some(split.at(place)?.2));
    let all = place.is_none().then(|| split.values());
    at.into_iter().chain(all.into_iter().flatten())
}

/// The number of cells, those in shared parts counted once.
pub(crate) fn cells<N: Coordinate, L: PartialEq>(layer: &Layer<N, L>) -> usize {
    let mut seen: HashMap<usize, (), foldhash::fast::RandomState> = HashMap::default();
    layer
        .values()
        .filter(|row| seen.insert(Arc::as_ptr(row).addr(), ()).is_none())
        .flat_map(|row| row.values())
        .flat_map(|locals| locals.values())
        .map(|remotes| remotes.len())
        .sum()
}

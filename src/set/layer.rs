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

/// What a row has of the packets of one label, and the place of the label.
type Part<N> = (usize, Arc<Sources<N, bool>>);

/// The packets of each label. Costs the size of the layer for each label that is in a row of it.
pub(crate) fn by_label<N: Coordinate, L: Copy + Eq + Hash>(layer: &Layer<N, L>) -> Vec<(L, Layer<N, bool>)> {
    let outside: Arc<Sources<N, bool>> =
        Arc::new(Split::uniform(Arc::new(Split::uniform(Arc::new(Split::uniform(false))))));
    let mut places: HashMap<L, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut found: Vec<(L, Layer<N, bool>)> = Vec::new();
    let mut parts: HashMap<usize, Vec<Part<N>>, foldhash::fast::RandomState> = HashMap::default();
    for (first, last, row) in layer.iter() {
        let parts = parts.entry(Arc::as_ptr(row).addr()).or_insert_with(|| {
            let mut labels: Vec<L> = Vec::new();
            for label in row.values().flat_map(|locals| locals.values()).flat_map(|remotes| remotes.values()) {
                if !labels.contains(label) {
                    labels.push(*label);
                }
            }
            let part = |wanted: L| {
                let is = |label: &L| *label == wanted;
                Arc::new(row.map(|locals| Arc::new(locals.map(|part| Arc::new(part.map(is))))))
            };
            labels
                .into_iter()
                .map(|label| {
                    let place = *places.entry(label).or_insert_with(|| {
                        found.push((label, Split::start(1)));
                        found.len() - 1
                    });
                    (place, part(label))
                })
                .collect()
        });
        for (place, part) in parts.iter() {
            if let Some((_, layer)) = found.get_mut(*place) {
                if let Some(before) = first.before() {
                    layer.extend_to(before, outside.clone());
                }
                layer.extend_to(last, part.clone());
            }
        }
    }
    for (_, layer) in &mut found {
        layer.extend_to(Service::LAST, outside.clone());
    }
    found
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

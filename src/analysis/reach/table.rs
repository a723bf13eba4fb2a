//! What a policy decides about each address of a fleet.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use super::addresses::{Addresses, number};
use crate::net::{Family, common};
use crate::policy::Verdict;
use crate::set::SetError;
use crate::set::grid::{Budget, Grid, Parts, Touched, flip};

/// The number of a row.
pub(super) type Row = u32;

/// A row: the verdicts by service and source port where addresses are settled.
type Verdicts = Arc<Grid<Verdict>>;

/// All rows there are, each once.
#[derive(Debug, Default)]
pub(super) struct Rows {
    all: Vec<(Family, Verdicts)>,
    known: HashMap<(Family, Verdicts), Row, foldhash::fast::RandomState>,
}

impl Rows {
    fn number(&mut self, family: Family, verdicts: Grid<Verdict>) -> Row {
        let next = number(self.all.len());
        let row = (family, Arc::new(verdicts));
        *self.known.entry(row.clone()).or_insert_with(|| {
            self.all.push(row);
            next
        })
    }

    pub(super) fn get(&self, row: Row) -> Option<&(Family, Verdicts)> {
        self.all.get(usize::try_from(row).ok()?)
    }

    /// The rows, when there will be no more.
    pub(super) fn done(&mut self) {
        self.known = HashMap::default();
    }
}

/// The row of each place, in runs of places that have the same.
#[derive(Debug)]
pub(super) struct Runs {
    /// Where each run begins, from place 0 on.
    starts: Vec<u32>,
    rows: Vec<Row>,
}

impl Runs {
    /// The rows of a policy by far address, at a near address; `None` where no clause asks for one.
    pub(super) fn new(
        parts: &Parts<'_>,
        local: Option<IpAddr>,
        addresses: &mut Addresses,
        rows: &mut Rows,
        budget: &mut Budget,
    ) -> Result<Self, SetError> {
        let mut events: Vec<(u32, usize)> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            if local.is_some_and(|local| part.locals().any(|block| !block.contains(local))) {
                continue;
            }
            let mut sets = part.remotes();
            let Some(spans) = sets.next().map(|set| addresses.spans(set)) else { continue };
            let spans = match sets.next() {
                Some(set) => both(&spans, &addresses.spans(set)),
                None => spans.to_vec(),
            };
            // Of a near address of one family, far ones of the other are never asked for.
            let (from, to) = local.map_or((0, addresses.len()), |local| addresses.of(Family::of(local)));
            budget.steps(spans.len())?;
            for (first, end) in spans {
                let (first, end) = (first.max(from), end.min(to));
                if first < end {
                    events.extend([(first, index), (end, index)]);
                }
            }
        }
        events.sort_unstable();
        let mut touched = parts.none();
        let mut known: HashMap<(Family, Touched), Row, foldhash::fast::RandomState> = HashMap::default();
        let mut runs = Self { starts: Vec::new(), rows: Vec::new() };
        let mut events = events.into_iter().peekable();
        let (_, v4) = addresses.of(Family::V4);
        let mut at = 0;
        while at < addresses.len() {
            while let Some((_, index)) = events.next_if(|(place, _)| *place <= at) {
                flip(&mut touched, index);
            }
            budget.steps(touched.len() + 1)?;
            let family = addresses.family(at);
            let row = if let Some(row) = known.get(&(family, touched.clone())) {
                *row
            } else {
                let row = rows.number(family, parts.verdicts(family, &touched, budget)?);
                known.insert((family, touched.clone()), row);
                row
            };
            if runs.rows.last() != Some(&row) {
                runs.starts.push(at);
                runs.rows.push(row);
            }
            let next = events.peek().map_or(addresses.len(), |(place, _)| *place);
            at = if at < v4 { next.min(v4) } else { next };
        }
        budget.cells(runs.rows.len())?;
        runs.starts.shrink_to_fit();
        runs.rows.shrink_to_fit();
        Ok(runs)
    }

    pub(super) fn at(&self, place: u32) -> Option<Row> {
        let after = self.starts.partition_point(|start| *start <= place);
        self.rows.get(after.checked_sub(1)?).copied()
    }

    /// The runs, from the first to before the second place, of so many places.
    pub(super) fn iter(&self, count: u32) -> impl Iterator<Item = (u32, u32, Row)> {
        let ends = self.starts.iter().copied().skip(1).chain([count]);
        self.starts.iter().zip(ends).zip(&self.rows).map(|((start, end), row)| (*start, end, *row))
    }
}

/// What two lists of runs have in common.
fn both(ours: &[(u32, u32)], theirs: &[(u32, u32)]) -> Vec<(u32, u32)> {
    // Runs end before their second place, and `common` takes last places.
    let closed = |spans: &[(u32, u32)]| -> Vec<(u32, u32)> {
        spans.iter().map(|(first, end)| (*first, end.saturating_sub(1))).collect()
    };
    common(&closed(ours), &closed(theirs)).into_iter().map(|(first, last)| (first, last + 1)).collect()
}

/// What a policy decides about the places of a fleet, or about some of them.
#[derive(Debug)]
pub(super) struct Table {
    /// The places that it is about, in order; `None` if that is all of them.
    pub(super) only: Option<Vec<u32>>,
    /// By the kind of near address.
    pub(super) locals: Vec<Runs>,
}

impl Table {
    /// The row of a place, at a near address of this kind.
    pub(super) fn row(&self, local: u32, place: u32) -> Option<Row> {
        let place = match &self.only {
            None => place,
            Some(only) => number(only.binary_search(&place).ok()?),
        };
        self.locals.get(usize::try_from(local).ok()?)?.at(place)
    }
}

//! What a policy decides about each address of a fleet.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use super::addresses::{Addresses, number};
use crate::net::{Family, common_spans};
use crate::policy::Verdict;
use crate::set::SetError;
use crate::set::grid::{Areas, Budget, Grid, Key, Parts};
use crate::set::places::Places;

/// The number of a row.
pub(super) type Row = u32;

/// A row: the verdicts by service and source port where addresses are settled.
type Verdicts = Arc<Grid<Verdict>>;

/// All rows there are, each once.
#[derive(Debug, Default)]
pub(super) struct Rows {
    all: Vec<(Family, Verdicts)>,
    known: HashMap<(Family, Verdicts), Row, foldhash::fast::RandomState>,
    /// Rows by what they depend on, so that most need not be computed again.
    by_key: HashMap<Key, Row, foldhash::fast::RandomState>,
    areas: Areas,
}

impl Rows {
    /// The row where packets of a family lie in these parts and in no others, whose areas are given.
    fn of(
        &mut self,
        parts: &Parts<'_>,
        (family, areas): (Family, &[Option<u32>]),
        touched: &Places,
        budget: &mut Budget,
    ) -> Result<Row, SetError> {
        let key = parts.key(family, areas, touched);
        if let Some(row) = key.as_ref().and_then(|key| self.by_key.get(key)) {
            return Ok(*row);
        }
        let row = self.number(family, parts.verdicts(family, touched, budget)?);
        self.by_key.extend(key.map(|key| (key, row)));
        Ok(row)
    }

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
        (self.known, self.by_key, self.areas) = Default::default();
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
    /// The rows of a policy by far address, at a near address; `None` where no clause asks for one. Whether
    /// other policies have the same sets of far addresses.
    pub(super) fn new(
        parts: &Parts<'_>,
        (local, again): (Option<IpAddr>, bool),
        addresses: &mut Addresses,
        rows: &mut Rows,
        budget: &mut Budget,
    ) -> Result<Self, SetError> {
        let mut events: Vec<u64> = Vec::new();
        for (part, index) in parts.iter().zip(0_u32..) {
            if local.is_some_and(|local| part.locals().any(|block| !block.contains(local))) {
                continue;
            }
            let mut sets = part.remotes();
            let Some(spans) = sets.next().map(|set| addresses.spans(set, again)) else { continue };
            let spans = match sets.next() {
                Some(set) => common_spans(&spans, &addresses.spans(set, again)).into(),
                None => spans,
            };
            // Of a near address of one family, far ones of the other are never asked for.
            let (from, to) = local.map_or((0, addresses.len()), |local| addresses.of(Family::of(local)));
            budget.steps(spans.len())?;
            for (first, end) in spans.iter() {
                let (first, end) = ((*first).max(from), (*end).min(to));
                if first < end {
                    // Place and part in one number are sorted faster than as a pair.
                    events.extend([first, end].map(|place| u64::from(place) << 32 | u64::from(index)));
                }
            }
        }
        events.sort_unstable();
        let mut touched = parts.none();
        let mut known_v4: HashMap<Places, Row, foldhash::fast::RandomState> = HashMap::default();
        let mut known_v6 = known_v4.clone();
        let mut runs = Self { starts: Vec::new(), rows: Vec::new() };
        let areas = Family::ALL.map(|family| (family, parts.areas(family, &mut rows.areas)));
        let apart = |event: u64| (event >> 32, usize::try_from(event & u64::from(u32::MAX)).unwrap_or(usize::MAX));
        let mut events = events.into_iter().map(apart).peekable();
        let (_, v4) = addresses.of(Family::V4);
        let mut at = 0;
        while at < addresses.len() {
            while let Some((_, index)) = events.next_if(|(place, _)| *place <= u64::from(at)) {
                touched.flip(index);
            }
            budget.steps(touched.words() + 1)?;
            let [of_v4, of_v6] = &areas;
            let ((family, areas), known) = if at < v4 { (of_v4, &mut known_v4) } else { (of_v6, &mut known_v6) };
            let row = if let Some(row) = known.get(&touched) {
                *row
            } else {
                let row = rows.of(parts, (*family, areas), &touched, budget)?;
                known.insert(touched.clone(), row);
                row
            };
            if runs.rows.last() != Some(&row) {
                runs.starts.push(at);
                runs.rows.push(row);
            }
            let next = events.peek().and_then(|(place, _)| u32::try_from(*place).ok()).unwrap_or(addresses.len());
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

/// What a policy decides about the places of a fleet, by the kind of near address.
pub(super) type Table = Vec<Runs>;

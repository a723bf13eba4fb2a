//! From the boxes of clauses to what touches each packet.
//!
//! Services, source ports and near addresses are cut where some box begins or ends; between two cuts
//! the same boxes are active. Only for a set of boxes that was not active before, the far addresses are
//! walked: cut in the same way, each interval is told which boxes touch it, best first, until it has
//! heard enough.

use std::sync::Arc;

use hashbrown::HashMap;

use super::limits::{Budget, SetError};
use super::places::{Bits, Places};
use super::plane::{Piece, Plane};
use super::split::{Coordinate, Service, Split};

/// What an interval remembers of the pieces that touch it.
pub(crate) trait Trace: Clone + Default {
    /// The piece at this place touches the interval. Whether the interval has heard enough of the list.
    fn touched(&mut self, place: u32, piece: &Piece) -> bool;
}

/// The far addresses where service, source port and near address are settled.
pub(crate) struct Leaf<'a, N, T> {
    /// The first address of each interval.
    pub(crate) starts: &'a [N],
    /// What the intervals remember, those of the first list first.
    traces: &'a [T],
}

impl<N: Coordinate, T> Leaf<'_, N, T> {
    /// The intervals in order: the last address, and what is remembered of each list.
    pub(crate) fn intervals(&self) -> impl Iterator<Item = (N, impl Iterator<Item = &T> + Clone)> {
        let count = self.starts.len();
        let lasts = self.starts.iter().skip(1).map(|start| start.before().unwrap_or(N::FIRST));
        lasts
            .chain(std::iter::once(N::LAST))
            .enumerate()
            .map(move |(index, last)| (last, self.traces.iter().skip(index).step_by(count.max(1))))
    }
}

/// Results by service, source port and near address.
pub(crate) type Swept<N, R> = Split<Service, Arc<Row<N, R>>>;
/// Results by source port and near address.
type Row<N, R> = Split<u16, Arc<Split<N, Arc<R>>>>;

struct Sweep<'a, N, T, R, F> {
    plane: &'a Plane<N>,
    budget: &'a mut Budget,
    leaf: F,
    known: HashMap<Places, Arc<R>, foldhash::fast::RandomState>,
    scratch: Scratch<N, T>,
}

/// Room that is used again for each leaf.
struct Scratch<N, T> {
    starts: Vec<N>,
    traces: Vec<T>,
    /// For each list and interval, itself or a later one, with only closed intervals between.
    open: Vec<u32>,
    /// A bit for each elementary interval of the plane that begins an interval of the leaf, and how many
    /// there are before each word.
    marks: Vec<u64>,
    before: Vec<u32>,
}

/// Asks `leaf` about the far addresses for everything that differs in which pieces are active.
pub(crate) fn sweep<N, T, R>(
    plane: &Plane<N>,
    budget: &mut Budget,
    leaf: impl FnMut(&Leaf<'_, N, T>, &mut Budget) -> Result<R, SetError>,
) -> Result<Swept<N, R>, SetError>
where
    N: Coordinate,
    T: Trace,
    R: PartialEq,
{
    let scratch = Scratch {
        starts: Vec::new(),
        traces: Vec::new(),
        open: Vec::new(),
        marks: vec![0; plane.starts.len().div_ceil(64)],
        before: vec![0; plane.starts.len().div_ceil(64)],
    };
    Sweep { plane, budget, leaf, known: HashMap::default(), scratch }.services()
}

impl<N, T, R, F> Sweep<'_, N, T, R, F>
where
    N: Coordinate,
    T: Trace,
    R: PartialEq,
    F: FnMut(&Leaf<'_, N, T>, &mut Budget) -> Result<R, SetError>,
{
    fn services(mut self) -> Result<Swept<N, R>, SetError> {
        let mut events: Vec<(Service, usize)> = Vec::new();
        for (place, shape) in self.plane.shapes.iter().enumerate() {
            for (first, last) in &shape.services {
                events.push((*first, place));
                events.extend(last.after().map(|end| (end, place)));
            }
        }
        self.budget.steps(events.len())?;
        events.sort_unstable();
        let mut active = Places::none(self.plane.shapes.len());
        let mut rows: HashMap<Places, Arc<Row<N, R>>, foldhash::fast::RandomState> = HashMap::default();
        let mut swept = Split::start(events.len() + 1);
        let mut events = events.into_iter().peekable();
        let mut start = Some(Service::FIRST);
        while let Some(first) = start {
            // A piece whose ranges of services touch ends and begins at one place, and stays.
            while let Some((_, place)) = events.next_if(|(at, _)| *at <= first) {
                active.flip(place);
            }
            self.budget.steps(active.words() + 1)?;
            let row = if let Some(row) = rows.get(&active) {
                row.clone()
            } else {
                let row = Arc::new(self.sources(&active)?);
                // What is remembered takes room too: of many boxes more than what comes out.
                self.budget.cells(active.words())?;
                rows.insert(active.clone(), row.clone());
                row
            };
            start = events.peek().map(|(at, _)| *at);
            let last = start.and_then(Service::before).unwrap_or(Service::LAST);
            swept.extend_to(last, row);
        }
        Ok(swept)
    }

    fn sources(&mut self, active: &Places) -> Result<Row<N, R>, SetError> {
        let plane = self.plane;
        let bounds = |place: usize| plane.shapes.get(place).and_then(|shape| shape.sources);
        self.cut(active, bounds, |sweep, active| Ok(Arc::new(sweep.locals(active)?)))
    }

    fn locals(&mut self, active: &Places) -> Result<Split<N, Arc<R>>, SetError> {
        let plane = self.plane;
        let bounds = |place: usize| plane.shapes.get(place).and_then(|shape| shape.local);
        self.cut(active, bounds, Self::remotes)
    }

    /// Cuts a dimension where an active piece begins or ends, and asks for each part.
    fn cut<K: Coordinate, V: PartialEq>(
        &mut self,
        active: &Places,
        bounds: impl Fn(usize) -> Option<(K, K)>,
        mut part: impl FnMut(&mut Self, &Places) -> Result<V, SetError>,
    ) -> Result<Split<K, V>, SetError> {
        let bounded: Vec<(usize, (K, K))> = active.members().filter_map(|p| Some((p, bounds(p)?))).collect();
        if bounded.is_empty() {
            return Ok(Split::uniform(part(self, active)?));
        }
        let mut starts: Vec<K> = vec![K::FIRST];
        for (_, (first, last)) in &bounded {
            starts.push(*first);
            starts.extend(last.after());
        }
        starts.sort_unstable();
        starts.dedup();
        self.budget.steps(starts.len().saturating_mul(bounded.len()))?;
        let mut split = Split::start(starts.len());
        let mut ends = starts.iter().skip(1).map(|start| start.before().unwrap_or(K::FIRST));
        for start in &starts {
            let mut here = active.clone();
            for (place, (first, last)) in &bounded {
                if start < first || last < start {
                    here.flip(*place);
                }
            }
            let value = part(self, &here)?;
            split.extend_to(ends.next().unwrap_or(K::LAST), value);
        }
        Ok(split)
    }

    fn remotes(&mut self, active: &Places) -> Result<Arc<R>, SetError> {
        if let Some(result) = self.known.get(active) {
            return Ok(result.clone());
        }
        self.scratch.cut(self.plane, active, self.budget)?;
        self.scratch.paint(self.plane, active, self.budget)?;
        let leaf = Leaf { starts: &self.scratch.starts, traces: &self.scratch.traces };
        let result = Arc::new((self.leaf)(&leaf, self.budget)?);
        self.budget.cells(active.words())?;
        self.known.insert(active.clone(), result.clone());
        Ok(result)
    }
}

impl<N: Coordinate, T: Trace> Scratch<N, T> {
    /// Cuts far addresses where an active piece begins or ends.
    fn cut(&mut self, plane: &Plane<N>, active: &Places, budget: &mut Budget) -> Result<(), SetError> {
        self.marks.fill(0);
        let count = plane.starts.len();
        mark(&mut self.marks, 0);
        let mut spans = 0;
        for shape in active.members().filter_map(|place| plane.shapes.get(place)) {
            spans += shape.spans.len();
            for (first, end) in shape.spans.iter() {
                mark(&mut self.marks, *first);
                if usize::try_from(*end).is_ok_and(|end| end < count) {
                    mark(&mut self.marks, *end);
                }
            }
        }
        budget.steps(spans + self.marks.len())?;
        self.starts.clear();
        for (word, (bits, before)) in self.marks.iter().zip(&mut self.before).enumerate() {
            *before = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
            let places = Bits(*bits).map(|bit| 64 * word + bit);
            self.starts.extend(places.filter_map(|place| plane.starts.get(place)));
        }
        // Each list remembers something of each interval.
        budget.cells(self.starts.len().saturating_mul(plane.lists.max(1)))
    }

    /// The interval that begins at an elementary interval of the plane.
    fn interval(&self, place: u32) -> usize {
        let (word, bit) = (usize::try_from(place / 64).unwrap_or(usize::MAX), place % 64);
        let (Some(bits), Some(before)) = (self.marks.get(word), self.before.get(word)) else {
            return self.starts.len();
        };
        let below = bits & !(u64::MAX << bit);
        usize::try_from(before.saturating_add(below.count_ones())).unwrap_or(usize::MAX)
    }

    /// Tells the intervals which pieces touch them.
    fn paint(&mut self, plane: &Plane<N>, active: &Places, budget: &mut Budget) -> Result<(), SetError> {
        let count = self.starts.len();
        self.traces.clear();
        self.traces.resize(count * plane.lists, T::default());
        self.open.clear();
        // One more for each list, which is never closed.
        self.open.extend((0..plane.lists).flat_map(|_| 0..=u32::try_from(count).unwrap_or(u32::MAX)));
        for place in active.members() {
            let (Some(piece), Some(shape)) = (plane.pieces.get(place), plane.shapes.get(place)) else { continue };
            let number = u32::try_from(place).unwrap_or(u32::MAX);
            budget.steps(shape.spans.len())?;
            for (first, end) in shape.spans.iter() {
                let (first, end) = (self.interval(*first), self.interval(*end));
                let (open, traces) = (
                    self.open.get_mut(piece.list * (count + 1)..).unwrap_or_default(),
                    self.traces.get_mut(piece.list * count..).unwrap_or_default(),
                );
                let mut at = find(open, first);
                let mut steps = 0;
                while at < end {
                    let Some(trace) = traces.get_mut(at) else { break };
                    if trace.touched(number, piece)
                        && let Some(next) = open.get_mut(at)
                    {
                        *next = u32::try_from(at + 1).unwrap_or(u32::MAX);
                    }
                    at = find(open, at + 1);
                    steps += 1;
                }
                budget.steps(steps)?;
            }
        }
        Ok(())
    }
}

/// The first open interval from this one on; halves the way there for the next time.
fn find(open: &mut [u32], mut at: usize) -> usize {
    let next_of = |open: &[u32], at: usize| open.get(at).and_then(|next| usize::try_from(*next).ok()).unwrap_or(at);
    loop {
        let next = next_of(open, at);
        if next == at {
            return at;
        }
        let further = next_of(open, next);
        if let Some(slot) = open.get_mut(at) {
            *slot = u32::try_from(further).unwrap_or(u32::MAX);
        }
        at = further;
    }
}

fn mark(set: &mut [u64], place: u32) {
    if let Some(word) = usize::try_from(place / 64).ok().and_then(|word| set.get_mut(word)) {
        *word |= 1 << (place % 64);
    }
}

//! What a policy decides where both addresses are settled: by service and source port.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

pub(crate) use super::limits::Budget;
use super::limits::SetError;
use super::places::Places;
use super::plane::services_of;
use super::split::{Coordinate, Service, Split};
use crate::model::Action;
use crate::net::{AddressSet, Cidr, Family, PortRange, common};
use crate::policy::{Extent, Outline, Policy, RuleList, Space, Touch, Verdict};

/// Labels by service and source port.
pub(crate) type Grid<L> = Split<Service, Arc<Split<u16, L>>>;

/// One label everywhere.
pub(crate) fn uniform<L: PartialEq>(label: L) -> Grid<L> {
    Split::uniform(Arc::new(Split::uniform(label)))
}

/// Both at once, each pair of labels made into one.
pub(crate) fn zip<A: PartialEq, B: PartialEq, R: PartialEq>(
    ours: &Grid<A>,
    theirs: &Grid<B>,
    f: impl Fn(&A, &B) -> R,
) -> Grid<R> {
    let zipped: Result<_, std::convert::Infallible> = ours.zip(theirs, |ours, theirs| {
        let row: Result<_, std::convert::Infallible> = ours.zip(theirs, |a, b| Ok(f(a, b)));
        let Ok(row) = row;
        Ok(Arc::new(row))
    });
    let Ok(zipped) = zipped;
    zipped
}

/// The same with other labels.
pub(crate) fn map<L: PartialEq, R: PartialEq>(grid: &Grid<L>, f: impl Fn(&L) -> R) -> Grid<R> {
    grid.map(|row| Arc::new(row.map(&f)))
}

/// The extents of the clauses of a policy, and what is decided by those that touch a packet.
#[derive(Debug)]
pub(crate) struct Parts<'p> {
    all: Vec<Part<'p>>,
    outline: Outline,
    /// What happens if nothing matches, where the policy is one list.
    fallback: OneFallback,
}

/// The fallback of a policy of one list.
#[derive(Debug, Clone, Copy)]
enum OneFallback {
    Is(Option<Verdict>),
    SeveralLists,
}

/// What verdicts depend on, for policies of one list: equal for equal verdicts in most cases, and never for
/// others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    family: Family,
    fallback: Option<Verdict>,
    /// The areas that are touched, with action and certainty.
    touched: Vec<(u32, Action, bool)>,
}

/// Areas of services and source ports, numbered.
#[derive(Debug, Default)]
pub(crate) struct Areas(HashMap<Area, u32, foldhash::fast::RandomState>);

impl Areas {
    fn number(&mut self, area: Area) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(area).or_insert(next)
    }
}

/// One extent of a clause.
#[derive(Debug)]
pub(crate) struct Part<'p> {
    clause: u32,
    action: Action,
    touch: Touch,
    space: &'p Space,
    /// What else a packet must lie in: of what is certain only that counts which is possible.
    within: Option<&'p Space>,
}

impl<'p> Parts<'p> {
    /// The extents of all clauses, in the order in which they decide.
    pub(crate) fn new(policy: &'p Policy) -> Self {
        let clauses = policy.lists().into_iter().flat_map(RuleList::clauses);
        let mut parts = Vec::new();
        for (clause, number) in clauses.zip(0_u32..) {
            let (possible, action) = (clause.extent.possible(), clause.action);
            if matches!(clause.extent, Extent::Exact(_)) {
                parts.push(Part { clause: number, action, touch: Touch::Certain, space: possible, within: None });
                continue;
            }
            // What certainly matches ends the walk, so it comes first.
            if let Some(certain) = clause.extent.certain() {
                parts.push(Part {
                    clause: number,
                    action,
                    touch: Touch::Certain,
                    space: certain,
                    within: Some(possible),
                });
            }
            parts.push(Part { clause: number, action, touch: Touch::May, space: possible, within: None });
        }
        let fallback = match policy.lists().as_slice() {
            [list] => OneFallback::Is(list.fallback().verdict),
            _ => OneFallback::SeveralLists,
        };
        Self { all: parts, outline: policy.outline(), fallback }
    }

    /// The number of the area of each part over a family, where it has one.
    pub(crate) fn areas(&self, family: Family, areas: &mut Areas) -> Vec<Option<u32>> {
        self.all.iter().map(|part| part.area(family).map(|area| areas.number(area))).collect()
    }

    /// What the verdicts on packets in these parts and in no others depend on, given the areas of all parts;
    /// `None` if the policy has several lists.
    pub(crate) fn key(&self, family: Family, areas: &[Option<u32>], touched: &Places) -> Option<Key> {
        let OneFallback::Is(fallback) = self.fallback else { return None };
        let mut key = Key { family, fallback, touched: Vec::new() };
        let mut begin = 0;
        for place in touched.members() {
            let (Some(part), Some(Some(area))) = (self.all.get(place), areas.get(place)) else { continue };
            if key.touched.last().is_some_and(|(_, action, _)| *action != part.action) {
                key.touched.get_mut(begin..).unwrap_or_default().sort_unstable();
                begin = key.touched.len();
            }
            key.touched.push((*area, part.action, part.touch == Touch::Certain));
        }
        // Among neighbours of one action, order does not matter, nor how many there are.
        key.touched.get_mut(begin..).unwrap_or_default().sort_unstable();
        key.touched.dedup();
        Some(key)
    }

    /// The parts, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Part<'p>> {
        self.all.iter()
    }

    /// No part.
    pub(crate) fn none(&self) -> Places {
        Places::none(self.all.len())
    }

    /// The near addresses that some part asks for, and not any.
    pub(crate) fn locals(&self) -> Vec<Cidr> {
        let mut blocks: Vec<Cidr> = self.all.iter().flat_map(Part::spaces).filter_map(|space| space.local).collect();
        blocks.sort();
        blocks.dedup();
        blocks
    }

    /// The verdicts on packets of a family whose addresses lie in these parts and in no others.
    ///
    /// # Errors
    /// [`SetError`] if the parts cut services and source ports too often for what is left to spend.
    pub(crate) fn verdicts(
        &self,
        family: Family,
        touched: &Places,
        budget: &mut Budget,
    ) -> Result<Grid<Verdict>, SetError> {
        let areas: Vec<(usize, Area)> =
            touched.members().filter_map(|place| Some((place, self.all.get(place)?.area(family)?))).collect();
        let mut events: Vec<(Service, usize)> = Vec::new();
        for (index, (_, area)) in areas.iter().enumerate() {
            for (first, last) in &area.services {
                events.push((*first, index));
                events.extend(last.after().map(|end| (end, index)));
            }
        }
        budget.steps(events.len())?;
        events.sort_unstable();
        let mut active = Places::none(areas.len());
        let mut known: HashMap<Places, Arc<Split<u16, Verdict>>, foldhash::fast::RandomState> = HashMap::default();
        let mut grid = Split::start(events.len() + 1);
        let mut events = events.into_iter().peekable();
        let mut start = Some(Service::FIRST);
        while let Some(first) = start {
            // An area whose ranges touch ends and begins at one place, and stays.
            while let Some((_, index)) = events.next_if(|(at, _)| *at <= first) {
                active.flip(index);
            }
            budget.steps(active.words() + 1)?;
            let row = if let Some(row) = known.get(&active) {
                row.clone()
            } else {
                let row = Arc::new(self.sources(&areas, &active, budget)?);
                budget.cells(active.words() + row.len())?;
                known.insert(active.clone(), row.clone());
                row
            };
            start = events.peek().map(|(at, _)| *at);
            grid.extend_to(start.and_then(Service::before).unwrap_or(Service::LAST), row);
        }
        budget.cells(grid.len())?;
        Ok(grid)
    }

    /// The verdicts by source port, where only these areas are active.
    fn sources(
        &self,
        areas: &[(usize, Area)],
        active: &Places,
        budget: &mut Budget,
    ) -> Result<Split<u16, Verdict>, SetError> {
        let areas: Vec<&(usize, Area)> = active.members().filter_map(|index| areas.get(index)).collect();
        let mut starts: Vec<u16> = vec![0];
        for (first, last) in areas.iter().filter_map(|(_, area)| area.sources) {
            starts.push(first);
            starts.extend(last.after());
        }
        starts.sort_unstable();
        starts.dedup();
        budget.steps(starts.len().saturating_mul(areas.len() + 1))?;
        let mut split = Split::start(starts.len());
        let mut lasts = starts.iter().skip(1).map(|start| start.before().unwrap_or(0));
        for start in &starts {
            let here = |area: &Area| area.sources.is_none_or(|(first, last)| first <= *start && *start <= last);
            let touching: Vec<&Part<'_>> =
                areas.iter().filter(|(_, area)| here(area)).filter_map(|(place, _)| self.all.get(*place)).collect();
            let of_list = |list: Range<u32>| {
                let parts = touching.iter().filter(move |part| list.contains(&part.clause));
                parts.map(|part| (part.clause, part.touch))
            };
            let verdict = self.outline.decide(of_list).verdict;
            split.extend_to(lasts.next().unwrap_or(u16::MAX), verdict);
        }
        Ok(split)
    }
}

/// The services and source ports of a part.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Area {
    services: Vec<(Service, Service)>,
    sources: Option<(u16, u16)>,
}

impl Area {
    /// `None` if the space has no packet of the family.
    fn of(space: &Space, family: Family) -> Option<Self> {
        let services = services_of(&space.selector, family, space.source_ports.is_some());
        let sources = space.source_ports.filter(|ports| *ports != PortRange::ALL);
        (!services.is_empty()).then(|| Self { services, sources: sources.map(|ports| (ports.first(), ports.last())) })
    }

    fn within(self, other: &Self) -> Option<Self> {
        let services = common(&self.services, &other.services);
        let sources = match (self.sources, other.sources) {
            (Some(a), Some(b)) => Some((a.0.max(b.0), a.1.min(b.1))),
            (one, other) => one.or(other),
        };
        let empty = services.is_empty() || sources.is_some_and(|(first, last)| first > last);
        (!empty).then_some(Self { services, sources })
    }
}

impl<'p> Part<'p> {
    fn spaces(&self) -> impl Iterator<Item = &'p Space> {
        std::iter::once(self.space).chain(self.within)
    }

    /// Far addresses of the part are in all of these sets.
    pub(crate) fn remotes(&self) -> impl Iterator<Item = &'p Arc<AddressSet>> {
        self.spaces().map(|space| &space.remote)
    }

    /// Near addresses of the part are in all of these blocks.
    pub(crate) fn locals(&self) -> impl Iterator<Item = Cidr> {
        self.spaces().filter_map(|space| space.local)
    }

    fn area(&self, family: Family) -> Option<Area> {
        let area = Area::of(self.space, family)?;
        match self.within {
            Some(space) => area.within(&Area::of(space, family)?),
            None => Some(area),
        }
    }
}

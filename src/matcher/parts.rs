//! A policy as a matcher takes it in: for each clause the services, the far addresses, and what is
//! left to ask of a flow when both fit.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::net::{AddressSet, Cidr, Family, PortRange, common};
use crate::policy::service;
use crate::policy::{Extent, Policy, RuleList, Selector, Space, Touch};

/// What a flow leaves open or not beyond service and far address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    /// The source port, if the protocol has ports and it is known.
    pub(super) source: Option<u16>,
    /// The near address as a number, if it is known.
    pub(super) local: Option<u128>,
}

/// What a space asks of source port and near address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Demand {
    source: Option<(u16, u16)>,
    local: Option<(u128, u128)>,
}

/// How the rest of a flow stands to a demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meets {
    No,
    Unknown,
    Yes,
}

impl Demand {
    fn of(space: &Space) -> Self {
        Self {
            source: space.source_ports.filter(|ports| *ports != PortRange::ALL).map(|p| (p.first(), p.last())),
            local: space.local.filter(|block| !block.is_all()).map(Cidr::range),
        }
    }

    fn is_none(self) -> bool {
        self == Self::default()
    }

    fn met_by(self, rest: Rest) -> Meets {
        let source = self.source.map_or(Meets::Yes, |(first, last)| within(rest.source, first, last));
        let local = self.local.map_or(Meets::Yes, |(first, last)| within(rest.local, first, last));
        match (source, local) {
            (Meets::No, _) | (_, Meets::No) => Meets::No,
            (Meets::Unknown, _) | (_, Meets::Unknown) => Meets::Unknown,
            _ => Meets::Yes,
        }
    }
}

fn within<N: Copy + Ord>(value: Option<N>, first: N, last: N) -> Meets {
    match value {
        None => Meets::Unknown,
        Some(value) if first <= value && value <= last => Meets::Yes,
        Some(_) => Meets::No,
    }
}

/// What a clause demands of flows whose service and far address it may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demands {
    possible: Demand,
    /// Of its certain extent; the same as `possible` if the extent is exact.
    certain: Demand,
    exact: bool,
}

impl Demands {
    /// Whether the extent of the clause is exact.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// How the clause stands to all flows whose service and far address are in its possible extent,
    /// and in its certain one if `certain`; `None` if that depends on source port or near address.
    pub(super) fn settled(&self, certain: bool) -> Option<Touch> {
        match (self.possible.is_none(), certain, self.certain.is_none()) {
            (true, true, true) => Some(Touch::Certain),
            (true, false, _) => Some(Touch::May),
            _ => None,
        }
    }

    /// The same for one of these flows.
    pub(super) fn touch(&self, certain: bool, rest: Rest) -> Touch {
        match self.possible.met_by(rest) {
            Meets::No => Touch::No,
            Meets::Yes if self.exact => Touch::Certain,
            Meets::Unknown if self.exact => Touch::May,
            Meets::Yes if certain && self.certain.met_by(rest) == Meets::Yes => Touch::Certain,
            _ => Touch::May,
        }
    }
}

/// The services and far addresses of one extent of a clause.
#[derive(Debug)]
pub(super) struct Part<'p> {
    pub(super) clause: u32,
    /// Whether it is the certain extent of a clause that also has a wider possible one.
    pub(super) certain_only: bool,
    /// Which set of services.
    pub(super) services: u32,
    pub(super) remote: Remote<'p>,
}

/// Far addresses, borrowed from the policy where they can be.
#[derive(Debug, Clone)]
pub(super) enum Remote<'p> {
    Whole(&'p Arc<AddressSet>),
    Cut(Arc<AddressSet>),
}

impl Remote<'_> {
    pub(super) fn set(&self) -> &Arc<AddressSet> {
        match self {
            Self::Whole(set) => set,
            Self::Cut(set) => set,
        }
    }
}

/// Everything a policy says about flows of one family.
#[derive(Debug)]
pub(super) struct Parts<'p> {
    /// By clause, and of one clause the certain extent first.
    #[expect(clippy::struct_field_names, reason = "these are the parts")]
    pub(super) parts: Vec<Part<'p>>,
    /// Distinct sets of services, as sorted inclusive ranges.
    pub(super) services: Vec<Vec<(u32, u32)>>,
    /// Bytes of sets of addresses that the policy does not have.
    pub(super) cut_bytes: usize,
}

impl Demands {
    fn of(extent: &Extent) -> Self {
        let possible = Demand::of(extent.possible());
        match extent {
            Extent::Exact(_) => Self { possible, certain: possible, exact: true },
            Extent::Partial { certain, .. } => {
                let certain = certain.as_ref().map_or_else(Demand::default, Demand::of);
                Self { possible, certain, exact: false }
            }
        }
    }
}

/// The demands of all clauses. Most clauses have none and certainly match what their services and far
/// addresses fit, so only the others are kept.
#[derive(Debug, Clone, Default)]
pub(super) struct AllDemands {
    /// Whether a clause has demands, by number.
    has: Vec<bool>,
    demands: HashMap<u32, Demands, RandomState>,
}

impl AllDemands {
    fn push(&mut self, clause: u32, extent: &Extent) {
        let demands = Demands::of(extent);
        let has = !demands.exact || !demands.possible.is_none();
        self.has.push(has);
        if has {
            self.demands.insert(clause, demands);
        }
    }

    /// The demands of a clause; `None` if it certainly matches every flow that its services and far
    /// addresses fit.
    pub(super) fn get(&self, clause: u32) -> Option<&Demands> {
        let has = usize::try_from(clause).ok().and_then(|place| self.has.get(place)).copied();
        if has.unwrap_or_default() { self.demands.get(&clause) } else { None }
    }

    pub(super) fn bytes(&self) -> usize {
        self.has.len() + self.demands.capacity() * size_of::<(u32, Demands)>()
    }
}

/// A policy, read once: the parts of both families, and what is left to ask.
#[derive(Debug)]
pub(super) struct Reading<'p> {
    pub(super) v4: Parts<'p>,
    pub(super) v6: Parts<'p>,
    pub(super) demands: AllDemands,
}

impl<'p> Reading<'p> {
    pub(super) fn of(policy: &'p Policy) -> Self {
        let mut demands = AllDemands::default();
        let [mut v4, mut v6] = Family::ALL.map(PartsBuilder::new);
        let clauses = policy.lists().into_iter().flat_map(RuleList::clauses);
        for (clause, number) in clauses.zip(0..) {
            demands.push(number, &clause.extent);
            v4.push(number, &clause.extent);
            v6.push(number, &clause.extent);
        }
        Self { v4: v4.finish(), v6: v6.finish(), demands }
    }
}

struct PartsBuilder<'p> {
    family: Family,
    parts: Vec<Part<'p>>,
    sets: ServiceSets<'p>,
    /// What two sets of addresses have in common, by where they stand; clauses share both.
    cuts: HashMap<(usize, usize), Arc<AddressSet>, RandomState>,
}

impl<'p> PartsBuilder<'p> {
    fn new(family: Family) -> Self {
        Self { family, parts: Vec::new(), sets: ServiceSets::new(family), cuts: HashMap::default() }
    }

    /// Adds what a clause says about flows of the family.
    fn push(&mut self, clause: u32, extent: &'p Extent) {
        let possible = extent.possible();
        let Some(services) = self.sets.of(possible) else { return };
        if let Extent::Partial { certain: Some(certain), .. } = extent
            && let Some(certain_services) = self.sets.of(certain)
        {
            // What of it lies outside the possible extent does not count.
            let services = self.sets.common(certain_services, services);
            let remote = self.cut(&certain.remote, &possible.remote);
            if let Some(services) = services
                && remote.set().has(self.family)
            {
                self.parts.push(Part { clause, certain_only: true, services, remote });
            }
        }
        self.parts.push(Part { clause, certain_only: false, services, remote: Remote::Whole(&possible.remote) });
    }

    /// The addresses of both sets, of the family.
    fn cut(&mut self, certain: &'p Arc<AddressSet>, possible: &'p Arc<AddressSet>) -> Remote<'p> {
        let is_whole = match self.family {
            Family::V4 => possible.numbers_v4() == [(0, u32::MAX)],
            Family::V6 => possible.numbers_v6() == [(0, u128::MAX)],
        };
        // Where a group's members are not all known, the members stand beside everything.
        if is_whole || Arc::ptr_eq(certain, possible) {
            return Remote::Whole(certain);
        }
        let places = (Arc::as_ptr(certain).addr(), Arc::as_ptr(possible).addr());
        let cut = self.cuts.entry(places).or_insert_with(|| Arc::new(certain.intersection(possible)));
        Remote::Cut(Arc::clone(cut))
    }

    fn finish(self) -> Parts<'p> {
        let bytes = |set: &Arc<AddressSet>| match self.family {
            Family::V4 => size_of_val(set.numbers_v4()),
            Family::V6 => size_of_val(set.numbers_v6()),
        };
        Parts { parts: self.parts, services: self.sets.sets, cut_bytes: self.cuts.values().map(bytes).sum() }
    }
}

/// Distinct sets of services, by number.
struct ServiceSets<'p> {
    family: Family,
    sets: Vec<Vec<(u32, u32)>>,
    numbers: HashMap<Vec<(u32, u32)>, u32, RandomState>,
    /// What two sets have in common, by number.
    commons: HashMap<(u32, u32), Option<u32>, RandomState>,
    /// What was asked for last, and its set; neighbours in a policy often have the same.
    last: Option<(&'p Selector, bool, Option<u32>)>,
}

impl<'p> ServiceSets<'p> {
    fn new(family: Family) -> Self {
        Self { family, sets: Vec::new(), numbers: HashMap::default(), commons: HashMap::default(), last: None }
    }

    /// The services of a space; `None` if it has no flow of the family.
    fn of(&mut self, space: &'p Space) -> Option<u32> {
        if !space.remote.has(self.family) || space.local.is_some_and(|block| block.family() != self.family) {
            return None;
        }
        let only_ports = space.source_ports.is_some();
        if let Some((selector, ports, number)) = self.last
            && ports == only_ports
            && *selector == space.selector
        {
            return number;
        }
        let number = self.number(service::ranges(&space.selector, self.family, only_ports));
        self.last = Some((&space.selector, only_ports, number));
        number
    }

    /// What two sets have in common, if it is anything.
    fn common(&mut self, ours: u32, theirs: u32) -> Option<u32> {
        if ours == theirs {
            return Some(ours);
        }
        if let Some(known) = self.commons.get(&(ours, theirs)) {
            return *known;
        }
        let set = |number: u32| self.sets.get(usize::try_from(number).ok()?);
        let common = common(set(ours)?, set(theirs)?);
        let number = self.number(common);
        self.commons.insert((ours, theirs), number);
        number
    }

    /// The number of a set; `None` for no service.
    fn number(&mut self, ranges: Vec<(u32, u32)>) -> Option<u32> {
        if ranges.is_empty() {
            return None;
        }
        let next = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        Some(*self.numbers.entry(ranges).or_insert_with_key(|ranges| {
            self.sets.push(ranges.clone());
            next
        }))
    }
}

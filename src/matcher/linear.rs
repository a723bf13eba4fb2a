//! Clause after clause: takes no time to build and memory in proportion to the policy, whatever it
//! says.

use std::sync::Arc;

use super::parts::{AllDemands, Parts, Reading, Remote, Rest};
use super::rows::Ranged;
use crate::net::AddressSet;
use crate::policy::{Decision, Outline, Policy, Touch};

/// All clauses of a policy.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    outline: Outline,
    demands: AllDemands,
    v4: Entries<u32>,
    v6: Entries<u128>,
}

/// The clauses that say something about flows of one family, in order.
#[derive(Debug, Clone)]
struct Entries<N> {
    /// The ranges that hold all services and all far addresses of each: what most flows fail at,
    /// close together.
    hulls: Box<[Hull<N>]>,
    details: Box<[Entry<N>]>,
    /// Bytes of sets of addresses that the policy does not have.
    cut_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Hull<N> {
    services: (u32, u32),
    remote: (N, N),
}

impl<N: Ranged> Hull<N> {
    #[expect(clippy::needless_bitwise_bool, reason = "four comparisons cost less than one wrong guess")]
    fn contains(&self, address: N, service: u32) -> bool {
        (self.services.0 <= service)
            & (service <= self.services.1)
            & (self.remote.0 <= address)
            & (address <= self.remote.1)
    }
}

/// What one clause says about flows of one family.
#[derive(Debug, Clone)]
struct Entry<N> {
    clause: u32,
    possible: Area<N>,
    /// The certain extent, if it is another than the possible one.
    certain: Option<Box<Area<N>>>,
}

/// Services and far addresses: the range that holds all, and all of them if they are several.
#[derive(Debug, Clone)]
struct Area<N> {
    hull: Hull<N>,
    services: Option<Box<[(u32, u32)]>>,
    remote: Option<Arc<AddressSet>>,
}

impl<N: Ranged> Area<N> {
    fn new(services: &[(u32, u32)], remote: &Remote<'_>) -> Option<Self> {
        let addresses = N::ranges(remote.set());
        Some(Self {
            hull: Hull { services: hull(services)?, remote: hull(addresses)? },
            services: (services.len() > 1).then(|| services.into()),
            remote: (addresses.len() > 1).then(|| Arc::clone(remote.set())),
        })
    }

    /// Whether what lies within the hull lies within the area.
    fn has(&self, address: N, service: u32) -> bool {
        self.services.as_ref().is_none_or(|ranges| is_in(ranges, service))
            && self.remote.as_ref().is_none_or(|set| is_in(N::ranges(set), address))
    }
}

fn hull<T: Copy>(ranges: &[(T, T)]) -> Option<(T, T)> {
    Some((ranges.first()?.0, ranges.last()?.1))
}

/// Whether the value is in one of the ranges, which are sorted and disjoint.
fn is_in<T: Copy + Ord>(ranges: &[(T, T)], value: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= value);
    after.checked_sub(1).and_then(|place| ranges.get(place)).is_some_and(|(_, last)| value <= *last)
}

impl Linear {
    pub(super) fn new(policy: &Policy) -> Self {
        let Reading { v4, v6, demands } = Reading::of(policy);
        Self { outline: policy.outline(), demands, v4: entries(v4), v6: entries(v6) }
    }

    pub(super) fn decide_v4(&self, address: u32, service: u32, rest: Rest) -> Decision {
        self.decide(&self.v4, address, service, rest)
    }

    pub(super) fn decide_v6(&self, address: u128, service: u32, rest: Rest) -> Decision {
        self.decide(&self.v6, address, service, rest)
    }

    fn decide<N: Ranged>(&self, entries: &Entries<N>, address: N, service: u32, rest: Rest) -> Decision {
        self.outline.decide(|list| {
            let start = entries.details.partition_point(|entry| entry.clause < list.start);
            let hulls = entries.hulls.iter().enumerate().skip(start);
            let near = hulls.filter(move |(_, hull)| hull.contains(address, service));
            let near = near.filter_map(|(place, _)| entries.details.get(place));
            near.take_while(move |entry| entry.clause < list.end).filter_map(move |entry| {
                if !entry.possible.has(address, service) {
                    return None;
                }
                let certain = || {
                    let area = entry.certain.as_ref();
                    area.is_some_and(|area| area.hull.contains(address, service) && area.has(address, service))
                };
                let demands = self.demands.get(entry.clause);
                let touch = demands.map_or(Touch::Certain, |demands| demands.touch(certain(), rest));
                (touch != Touch::No).then_some((entry.clause, touch))
            })
        })
    }

    /// Bytes, without sets of addresses that are shared with the policy.
    pub(super) fn bytes(&self) -> usize {
        fn of<N>(entries: &Entries<N>) -> usize {
            let extra = |area: &Area<N>| area.services.as_ref().map_or(0, |ranges| size_of_val(&**ranges));
            let certain =
                |area: &Option<Box<Area<N>>>| area.as_ref().map_or(0, |area| size_of::<Area<N>>() + extra(area));
            let heap = entries.details.iter().map(|entry| extra(&entry.possible) + certain(&entry.certain));
            size_of_val(&*entries.hulls) + size_of_val(&*entries.details) + heap.sum::<usize>() + entries.cut_bytes
        }
        self.outline.bytes() + self.demands.bytes() + of(&self.v4) + of(&self.v6)
    }
}

fn entries<N: Ranged>(parts: Parts<'_>) -> Entries<N> {
    let Parts { parts, services, cut_bytes } = parts;
    let mut entries = Vec::with_capacity(parts.len());
    let mut certain = None;
    for part in parts {
        let services = usize::try_from(part.services).ok().and_then(|number| services.get(number));
        let Some(area) = services.and_then(|services| Area::new(services, &part.remote)) else { continue };
        if part.certain_only {
            certain = Some((part.clause, Box::new(area)));
        } else {
            let certain = certain.take().filter(|(clause, _)| *clause == part.clause).map(|(_, area)| area);
            entries.push(Entry { clause: part.clause, possible: area, certain });
        }
    }
    Entries { hulls: entries.iter().map(|entry| entry.possible.hull).collect(), details: entries.into(), cut_bytes }
}

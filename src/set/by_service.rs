//! What a policy decides about services, whatever source port and near address a packet has.

use std::convert::Infallible;
use std::hash::Hash;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::boxes::Services;
use super::decided::Decided;
use super::layer::{Layer, Sources};
use super::packet_set::PacketSet;
use super::plane::{Addresses, V4, V6};
use super::split::{Coordinate, Service, Split};
use crate::net::{AddressSet, Family};
use crate::policy::Decision;

/// Ranges of services, sorted and disjoint: protocol in the upper, selector in the lower 16 bits.
pub(crate) type ServiceRanges = Vec<(u32, u32)>;

impl Decided {
    /// For each run of services of a family, what `judge` makes of the decisions there, each with the far
    /// addresses that have it at some source port and some of the near addresses (`None` is any).
    ///
    /// Runs that share their parts are judged once, so this costs one walk over the cells that are kept.
    pub(crate) fn by_service<R: Clone>(
        &self,
        family: Family,
        near: Option<&AddressSet>,
        judge: impl FnMut(Vec<(Decision, AddressSet)>) -> R,
    ) -> Vec<(u32, u32, R)> {
        match family {
            Family::V4 => {
                let near = near.map(|near| V4.remote(near));
                by_service(&self.v4, near.as_deref(), |ranges| AddressSet::of_numbers(ranges, Vec::new()), judge)
            }
            Family::V6 => {
                let near = near.map(|near| V6.remote(near));
                by_service(&self.v6, near.as_deref(), |ranges| AddressSet::of_numbers(Vec::new(), ranges), judge)
            }
        }
    }

    /// The packets of these services, of IPv4 and of IPv6, with one of these near addresses (`None` is any)
    /// and one of these far addresses, whose decision is such.
    pub(crate) fn packets_of(
        &self,
        services: [&[(u32, u32)]; 2],
        near: Option<&AddressSet>,
        remotes: &AddressSet,
        wanted: impl Fn(&Decision) -> bool,
    ) -> PacketSet {
        let [v4, v6] = services;
        PacketSet {
            v4: part(&V4, &self.v4, v4, near, remotes, &wanted),
            v6: part(&V6, &self.v6, v6, near, remotes, &wanted),
        }
    }
}

impl Services {
    /// The services of these ranges.
    pub(crate) fn of_ranges(family: Family, ranges: &[(u32, u32)]) -> Self {
        Self::of(family, ranges.iter().map(|(first, last)| (Service(*first), Service(*last))).collect())
    }
}

fn by_service<N: Coordinate + Hash, R: Clone>(
    layer: &Layer<N, Decision>,
    near: Option<&[(N, N)]>,
    set: impl Fn(Vec<(N, N)>) -> AddressSet,
    mut judge: impl FnMut(Vec<(Decision, AddressSet)>) -> R,
) -> Vec<(u32, u32, R)> {
    let mut known: HashMap<usize, R, foldhash::fast::RandomState> = HashMap::default();
    layer
        .iter()
        .map(|(first, last, row)| {
            let judged = known.entry(Arc::as_ptr(row).addr()).or_insert_with(|| {
                let parts = of_row(row, near).into_iter();
                judge(parts.map(|(decision, ranges)| (decision, set(ranges))).collect())
            });
            (first.0, last.0, judged.clone())
        })
        .collect()
}

/// The far addresses of each decision of a row, in no order and perhaps several times.
fn of_row<N: Coordinate>(row: &Sources<N, Decision>, near: Option<&[(N, N)]>) -> Vec<(Decision, Vec<(N, N)>)> {
    let mut places: HashMap<Decision, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut found: Vec<(Decision, Vec<(N, N)>)> = Vec::new();
    // Equal parts are shared, and have nothing new to tell.
    let mut seen: HashSet<usize, foldhash::fast::RandomState> = HashSet::default();
    for locals in row.values() {
        for (first, last, remotes) in locals.iter() {
            let here = near.is_none_or(|near| near.iter().any(|(from, to)| *from <= last && first <= *to));
            if !here || !seen.insert(Arc::as_ptr(remotes).addr()) {
                continue;
            }
            for (first, last, decision) in remotes.iter() {
                let place = *places.entry(*decision).or_insert_with(|| {
                    found.push((*decision, Vec::new()));
                    found.len() - 1
                });
                if let Some((_, ranges)) = found.get_mut(place) {
                    ranges.push((first, last));
                }
            }
        }
    }
    found
}

/// The packets of one family.
fn part<A: Addresses>(
    plane: &A,
    layer: &Layer<A::Number, Decision>,
    services: &[(u32, u32)],
    near: Option<&AddressSet>,
    remotes: &AddressSet,
    wanted: &impl Fn(&Decision) -> bool,
) -> Layer<A::Number, bool> {
    let remotes = Split::of_ranges(&plane.remote(remotes), &true, &false);
    let near = match near {
        Some(near) => Split::of_ranges(&plane.remote(near), &true, &false),
        None => Split::uniform(true),
    };
    let nothing = Arc::new(Split::uniform(false));
    let outside: Arc<Sources<A::Number, bool>> = Arc::new(Split::uniform(Arc::new(Split::uniform(nothing.clone()))));
    let mut known: HashMap<usize, Arc<Sources<A::Number, bool>>, foldhash::fast::RandomState> = HashMap::default();
    let mut packets = Split::start(2 * services.len() + 1);
    for (first, last, row) in layer.iter() {
        let after = services.partition_point(|(_, end)| *end < first.0);
        let here = services.get(after..).unwrap_or_default().iter().take_while(|(start, _)| *start <= last.0);
        for (start, end) in here {
            let within = known.entry(Arc::as_ptr(row).addr()).or_insert_with(|| {
                Arc::new(row.map(|locals| {
                    let at_near: Result<_, Infallible> = locals.zip(&near, |labels, here| {
                        if !here {
                            return Ok(nothing.clone());
                        }
                        let inside: Result<_, Infallible> =
                            labels.zip(&remotes, |label, inside| Ok(*inside && wanted(label)));
                        let Ok(inside) = inside;
                        Ok(Arc::new(inside))
                    });
                    let Ok(at_near) = at_near;
                    Arc::new(at_near)
                }))
            });
            let (start, end) = (Service(*start).max(first), Service(*end).min(last));
            if let Some(before) = start.before() {
                packets.extend_to(before, outside.clone());
            }
            packets.extend_to(end, within.clone());
        }
    }
    packets.extend_to(Service::LAST, outside);
    packets
}

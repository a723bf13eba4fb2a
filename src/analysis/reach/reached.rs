//! What becomes of traffic between two interfaces.

use serde::Serialize;

use crate::net::{Family, Flow};
use crate::policy::Verdict;
use crate::set::ServiceSet;
use crate::set::grid::{self, Grid};

/// What becomes of all traffic from one interface to another, over the families of which both have
/// addresses.
///
/// Where they have several, traffic counts by the best of the address pairs: allowed if one of them lets it
/// through, indeterminate if one may, and stopped if none does. What is stopped may be stopped at both
/// ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Reached {
    /// Whether the two are in VPCs that are joined as far as is known; if not, this says only what their
    /// groups would do.
    pub joined: bool,
    /// The families of which both have addresses. Without any, there is no traffic to judge.
    pub families: Vec<Family>,
    /// What both ends allow.
    pub allowed: ServiceSet,
    /// What no end denies and some end may not allow.
    pub indeterminate: ServiceSet,
    /// What is stopped, and denied by the sender's groups.
    pub stopped_at_sender: ServiceSet,
    /// What is stopped, and denied by the receiver's groups.
    pub stopped_at_receiver: ServiceSet,
}

/// What can become of traffic, a bit each.
const ALLOWED: u8 = 1;
const OPEN: u8 = 2;
const AT_SENDER: u8 = 4;
const AT_RECEIVER: u8 = 8;

/// Both ends, between one pair of addresses.
fn between(egress: Verdict, ingress: Verdict) -> u8 {
    match (egress, ingress) {
        (Verdict::Deny, Verdict::Deny) => AT_SENDER | AT_RECEIVER,
        (Verdict::Deny, _) => AT_SENDER,
        (_, Verdict::Deny) => AT_RECEIVER,
        (Verdict::Allow, Verdict::Allow) => ALLOWED,
        _ => OPEN,
    }
}

/// What can become of the traffic of each family, between some pairs of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Fates {
    v4: Option<Grid<u8>>,
    v6: Option<Grid<u8>>,
}

impl Fates {
    /// Between one pair of addresses, by the verdicts of egress and ingress.
    pub(super) fn new(family: Family, egress: &Grid<Verdict>, ingress: &Grid<Verdict>) -> Self {
        let fates = Some(grid::zip(egress, ingress, |egress, ingress| between(*egress, *ingress)));
        match family {
            Family::V4 => Self { v4: fates, v6: None },
            Family::V6 => Self { v4: None, v6: fates },
        }
    }

    /// Between the pairs of both.
    pub(super) fn or(&self, other: &Self) -> Self {
        let either = |ours: &Option<Grid<u8>>, theirs: &Option<Grid<u8>>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => Some(grid::zip(ours, theirs, |a, b| a | b)),
            (one, other) => one.as_ref().or(other.as_ref()).cloned(),
        };
        Self { v4: either(&self.v4, &other.v4), v6: either(&self.v6, &other.v6) }
    }

    /// What becomes of it in the end.
    pub(super) fn reached(&self, joined: bool) -> Reached {
        let part = |wanted: u8, better: u8| {
            let of_family = |fates: &Option<Grid<u8>>| match fates {
                Some(fates) => grid::map(fates, |bits| bits & wanted != 0 && bits & better == 0),
                None => grid::uniform(false),
            };
            ServiceSet { v4: of_family(&self.v4), v6: of_family(&self.v6) }
        };
        let judged = [self.v4.as_ref().map(|_| Family::V4), self.v6.as_ref().map(|_| Family::V6)];
        Reached {
            joined,
            families: judged.into_iter().flatten().collect(),
            allowed: part(ALLOWED, 0),
            indeterminate: part(OPEN, ALLOWED),
            stopped_at_sender: part(AT_SENDER, ALLOWED | OPEN),
            stopped_at_receiver: part(AT_RECEIVER, ALLOWED | OPEN),
        }
    }
}

impl Reached {
    /// An interface and itself: its groups do not see the traffic.
    pub(super) fn itself() -> Self {
        Self {
            joined: true,
            families: Family::ALL.to_vec(),
            allowed: ServiceSet::all(),
            indeterminate: ServiceSet::empty(),
            stopped_at_sender: ServiceSet::empty(),
            stopped_at_receiver: ServiceSet::empty(),
        }
    }

    /// Whether something is or may be allowed.
    pub fn is_open(&self) -> bool {
        !self.allowed.is_empty() || !self.indeterminate.is_empty()
    }

    /// What becomes of the traffic of a flow, whatever its addresses; `None` if it is of a family that was
    /// not judged, or if that depends on a source port that the flow does not name.
    pub fn verdict(&self, flow: &Flow) -> Option<Verdict> {
        if !self.families.contains(&flow.family()) {
            return None;
        }
        match (self.allowed.contains(flow)?, self.indeterminate.contains(flow)?) {
            (true, _) => Some(Verdict::Allow),
            (_, true) => Some(Verdict::Indeterminate),
            _ => Some(Verdict::Deny),
        }
    }

    /// What is stopped, at either end.
    pub fn stopped(&self) -> ServiceSet {
        self.stopped_at_sender.union(&self.stopped_at_receiver)
    }
}

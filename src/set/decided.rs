//! What a policy decides about all packets at once.

use std::hash::Hash;
use std::net::IpAddr;
use std::ops::Range;

use hashbrown::HashMap;
use serde::Serialize;

use super::layer::{self, Layer, Near, Remotes};
use super::limits::{Budget, SetError, SetLimits};
use super::packet_set::PacketSet;
use super::plane::{Addresses, Piece, Plane, V4, V6};
use super::split::{Coordinate, Service, Split};
use super::sweep::{Trace, sweep};
use crate::net::{Direction, Flow};
use crate::policy::{Basis, ClauseId, Decision, Outline, Policy, Space, Touch, Verdict, service};

/// The decision of a policy on every packet: a partition of all packets, each part with the verdict and
/// the clause that owns it.
///
/// For every flow that names its source port and near address, [`Decided::decision`] is what
/// [`Policy::decide`] says, the clause and the basis included.
///
/// ```
/// use secgroup::engine::{AwsEngine, PolicyEngine, Scope};
/// use secgroup::model::{Interface, Inventory, Rule, SecurityGroup, Traffic};
/// use secgroup::net::{Cidr, Direction};
/// use secgroup::set::Decided;
///
/// let (inside, host): (Cidr, Cidr) = ("10.0.0.0/8".parse()?, "10.1.1.1/32".parse()?);
/// let inventory = Inventory::builder()
///     .group(SecurityGroup::aws("sg-1").with_rules([
///         Rule::allow(Direction::Ingress, Traffic::tcp(22), inside),
///         Rule::allow(Direction::Ingress, Traffic::tcp(22), host),
///     ]))
///     .interface(Interface::new("eni-1").with_groups(["sg-1"]))
///     .build()?;
/// let policy = AwsEngine::new().lower(&Scope::of(&inventory, "eni-1", Direction::Ingress)?)?;
/// let allowed = Decided::new(&policy)?.allow();
/// assert_eq!(allowed.to_string(), "tcp/22 remote 10.0.0.0/8");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    direction: Direction,
    pub(super) v4: Layer<u32, Decision>,
    pub(super) v6: Layer<u128, Decision>,
}

/// Packets that one clause decides, or the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Owned {
    /// The decision on them.
    pub decision: Decision,
    /// The packets.
    pub packets: PacketSet,
}

impl Owned {
    /// Whether no clause decides these packets.
    pub fn is_default(&self) -> bool {
        matches!(self.decision.basis, Basis::Default | Basis::Unfiltered)
    }
}

impl Decided {
    /// What a policy decides, within the default limits.
    ///
    /// Clauses are walked for every distinct set of them that is active for some service, source port
    /// and near address; the cost is the sum of the ranges of far addresses in those sets.
    ///
    /// # Errors
    /// [`SetError`] if the policy cuts the packets into more parts than the limits allow.
    pub fn new(policy: &Policy) -> Result<Self, SetError> {
        Self::within(policy, SetLimits::DEFAULT)
    }

    /// The same within these limits.
    ///
    /// # Errors
    /// As [`Decided::new`].
    pub fn within(policy: &Policy, limits: SetLimits) -> Result<Self, SetError> {
        let mut budget = Budget::new(limits);
        Ok(Self {
            direction: policy.direction(),
            v4: decide(policy, &V4, &mut budget)?,
            v6: decide(policy, &V6, &mut budget)?,
        })
    }

    /// What a policy decides in some spaces; elsewhere something is decided that means nothing, and is the
    /// same for every policy.
    pub(crate) fn in_spaces(policy: &Policy, spaces: &[&Space]) -> Result<Self, SetError> {
        let mut budget = Budget::new(SetLimits::DEFAULT);
        Ok(Self {
            direction: policy.direction(),
            v4: decide_within(policy, spaces, &V4, &mut budget)?,
            v6: decide_within(policy, spaces, &V6, &mut budget)?,
        })
    }

    /// One verdict on every packet, by default.
    pub fn uniform(direction: Direction, verdict: Verdict) -> Self {
        let decision = Decision { verdict, clause: None, basis: Basis::Default };
        Self { direction, v4: layer::everywhere(decision), v6: layer::everywhere(decision) }
    }

    /// The direction of the policy.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The packets that are allowed.
    pub fn allow(&self) -> PacketSet {
        self.having(|decision| decision.verdict == Verdict::Allow)
    }

    /// The packets that are denied.
    pub fn deny(&self) -> PacketSet {
        self.having(|decision| decision.verdict == Verdict::Deny)
    }

    /// The packets about which the data cannot tell.
    pub fn indeterminate(&self) -> PacketSet {
        self.having(|decision| decision.verdict == Verdict::Indeterminate)
    }

    /// The packets that this clause decides, or, where the verdict is indeterminate, is the best that may.
    pub fn owned_by(&self, clause: ClauseId) -> PacketSet {
        self.having(|decision| decision.clause == Some(clause))
    }

    /// The packets whose decision is such.
    pub fn having(&self, wanted: impl Fn(&Decision) -> bool) -> PacketSet {
        PacketSet { v4: layer::map(&self.v4, &wanted), v6: layer::map(&self.v6, &wanted) }
    }

    /// The decision on a flow; `None` if it depends on a source port or near address that the flow does
    /// not name.
    pub fn decision(&self, flow: &Flow) -> Option<Decision> {
        at(&self.v4, &self.v6, flow).copied()
    }

    /// Everything, by the decision that owns it.
    pub fn parts(&self) -> Vec<Owned> {
        joined(layer::by_label(&self.v4), layer::by_label(&self.v6))
            .into_iter()
            .map(|(decision, packets)| Owned { decision, packets })
            .collect()
    }

    /// The number of cells that are kept, those in shared parts counted once.
    pub fn cells(&self) -> usize {
        layer::cells(&self.v4) + layer::cells(&self.v6)
    }
}

/// The labels of both families joined.
pub(super) fn joined<L: Copy + Eq + Hash>(
    v4: Vec<(L, Layer<u32, bool>)>,
    v6: Vec<(L, Layer<u128, bool>)>,
) -> Vec<(L, PacketSet)> {
    let mut sets: Vec<(L, PacketSet)> =
        v4.into_iter().map(|(label, v4)| (label, PacketSet { v4, v6: layer::everywhere(false) })).collect();
    let places: HashMap<L, usize, foldhash::fast::RandomState> =
        sets.iter().enumerate().map(|(place, (label, _))| (*label, place)).collect();
    for (label, v6) in v6 {
        match places.get(&label).and_then(|place| sets.get_mut(*place)) {
            Some((_, set)) => set.v6 = v6,
            None => sets.push((label, PacketSet { v4: layer::everywhere(false), v6 })),
        }
    }
    sets
}

/// The label of a flow.
pub(super) fn at<'l, L: PartialEq>(v4: &'l Layer<u32, L>, v6: &'l Layer<u128, L>, flow: &Flow) -> Option<&'l L> {
    let service = Service(service::service(flow.protocol().number(), flow.selector()));
    // Where a protocol has no ports, all source ports are one.
    let source = if flow.has_ports() { flow.source_port() } else { Some(0) };
    match (flow.remote(), flow.local()) {
        (IpAddr::V4(remote), local) => {
            let local = local.and_then(|local| match local {
                IpAddr::V4(local) => Some(local.into()),
                IpAddr::V6(_) => None,
            });
            layer::label(v4, Near { service, source, local }, remote.into())
        }
        (IpAddr::V6(remote), local) => {
            let local = local.and_then(|local| match local {
                IpAddr::V4(_) => None,
                IpAddr::V6(local) => Some(local.into()),
            });
            layer::label(v6, Near { service, source, local }, remote.into())
        }
    }
}

/// The decisions of a policy over one plane.
pub(crate) fn decide<A: Addresses>(
    policy: &Policy,
    addresses: &A,
    budget: &mut Budget,
) -> Result<Layer<A::Number, Decision>, SetError> {
    let deciding = Deciding::new(policy);
    let plane = Plane::new(addresses, deciding.lists.len(), numbered(policy), budget)?;
    deciding.layer(&plane, budget, |_| true)
}

/// The same within some spaces; outside of them everything is [`OUTSIDE`].
fn decide_within<A: Addresses>(
    policy: &Policy,
    spaces: &[&Space],
    addresses: &A,
    budget: &mut Budget,
) -> Result<Layer<A::Number, Decision>, SetError> {
    let deciding = Deciding::new(policy);
    let plane = Plane::confined(addresses, deciding.lists.len(), numbered(policy), spaces, budget)?;
    // The last list has the spaces.
    deciding.layer(&plane, budget, |traces| traces.last().is_some_and(|spaces| spaces.count > 0))
}

/// What stands for a decision that was not asked for.
const OUTSIDE: Decision = Decision { verdict: Verdict::Deny, clause: None, basis: Basis::Default };

/// Decides places by what touches them.
struct Deciding {
    outline: Outline,
    lists: Vec<Range<u32>>,
}

impl Deciding {
    fn new(policy: &Policy) -> Self {
        let outline = policy.outline();
        let lists = outline.lists();
        Self { outline, lists }
    }

    fn layer<N: Coordinate + Hash>(
        &self,
        plane: &Plane<N>,
        budget: &mut Budget,
        wanted: impl Fn(&[Touching]) -> bool,
    ) -> Result<Layer<N, Decision>, SetError> {
        sweep(plane, budget, |leaf, _| {
            let mut remotes: Remotes<N, Decision> = Split::start(leaf.starts.len());
            let mut before: Option<(Vec<Touching>, Decision)> = None;
            for (last, traces) in leaf.intervals() {
                let decision = match &before {
                    Some((same, decision)) if traces.clone().eq(same.iter()) => *decision,
                    _ => {
                        let traces: Vec<Touching> = traces.copied().collect();
                        let decision = if wanted(&traces) {
                            self.outline.decide(|list| touched(plane, &self.lists, list, &traces))
                        } else {
                            OUTSIDE
                        };
                        before = Some((traces, decision));
                        decision
                    }
                };
                remotes.extend_to(last, decision);
            }
            Ok(remotes)
        })
    }
}

/// The verdicts of a plane, whoever owns them.
pub(crate) fn verdicts_of<N: Coordinate>(decisions: &Layer<N, Decision>) -> Layer<N, Verdict> {
    layer::map(decisions, |decision| decision.verdict)
}

/// The clauses of a policy with their numbers and the places of their lists.
pub(crate) fn numbered(policy: &Policy) -> impl Iterator<Item = (u32, usize, &crate::policy::Clause)> {
    let clauses = policy
        .lists()
        .into_iter()
        .enumerate()
        .flat_map(|(list, rules)| rules.clauses().iter().map(move |clause| (list, clause)));
    (0_u32..).zip(clauses).map(|(number, (list, clause))| (number, list, clause))
}

/// What touches a place, of the list with these numbers.
fn touched<'t, N: Coordinate + Hash>(
    plane: &'t Plane<N>,
    lists: &[Range<u32>],
    list: Range<u32>,
    traces: &'t [Touching],
) -> impl Iterator<Item = (u32, Touch)> + 't {
    // Empty lists may have equal ranges, and have nothing to tell.
    let index = lists.iter().position(|range| *range == list).filter(|_| !list.is_empty());
    let trace = index.and_then(|index| traces.get(index));
    trace.into_iter().flat_map(Touching::pieces).filter_map(|place| {
        let piece: &Piece = plane.piece(place)?;
        Some((piece.clause, piece.touch))
    })
}

/// What decides: the first piece, the first of each further action that may come out, and the one that
/// ends the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Touching {
    pieces: [u32; 4],
    count: u8,
    actions: u8,
}

impl Touching {
    fn pieces(&self) -> impl Iterator<Item = u32> + '_ {
        self.pieces.iter().copied().take(self.count.into())
    }
}

impl Trace for Touching {
    fn touched(&mut self, place: u32, piece: &Piece) -> bool {
        let action = 1 << piece.action as u8;
        let ends = piece.touch == Touch::Certain;
        if (ends || self.actions & action == 0)
            && let Some(slot) = self.pieces.get_mut(usize::from(self.count))
        {
            *slot = place;
            self.count += 1;
            self.actions |= action;
        }
        ends
    }
}

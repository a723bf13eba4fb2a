//! The policies of all interfaces at once, kept up to date edit by edit.
//!
//! A [`Fleet`] is made of an engine and an inventory. It answers what [`path`] and [`Policy::decide`]
//! answer, with the same verdict, the same clauses and the same bases, for any pair of interfaces, in a
//! fraction of a microsecond. [`Edit`]s change it in place of a rebuild, and touch what they must.
//!
//! ```
//! use std::sync::Arc;
//! use secgroup::fleet::{Edit, Fleet};
//! use secgroup::model::{Interface, Inventory, Peer, Rule, SecurityGroup, Traffic};
//! use secgroup::net::Cidr;
//! use secgroup::{AwsEngine, Direction, Probe, Verdict};
//!
//! let anywhere: Cidr = "0.0.0.0/0".parse()?;
//! let inventory = Inventory::builder()
//!     .group(SecurityGroup::aws("sg-web").with_rule(Rule::allow(Direction::Egress, Traffic::All, anywhere)))
//!     .group(SecurityGroup::aws("sg-db").with_rule(
//!         Rule::allow(Direction::Ingress, Traffic::tcp(5432), Peer::group("sg-web")),
//!     ))
//!     .interface(Interface::new("eni-web").with_groups(["sg-web"]).with_address("10.0.0.5".parse()?))
//!     .interface(Interface::new("eni-db").with_groups(["sg-db"]).with_address("10.0.1.5".parse()?))
//!     .build()?;
//! let fleet = Fleet::new(Arc::new(AwsEngine::new()), inventory)?;
//! assert_eq!(fleet.decide("eni-web", "eni-db", &Probe::tcp(5432))?.verdict, Verdict::Allow);
//!
//! // A second server joins; a question asked meanwhile sees the fleet before or after.
//! let web = Interface::new("eni-web-2").with_groups(["sg-web"]).with_address("10.0.0.6".parse()?);
//! fleet.apply([Edit::AddInterface(web)])?;
//! assert_eq!(fleet.decide("eni-web-2", "eni-db", &Probe::tcp(5432))?.verdict, Verdict::Allow);
//! assert_eq!(fleet.decide("eni-web-2", "eni-db", &Probe::tcp(22))?.verdict, Verdict::Deny);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//!
//! **Classes.** Interfaces with the same groups in the same VPC and subnet have the same policies, which
//! the engine lowers once for all of them. The fleet knows no provider.
//!
//! **Symbols.** The members of a group in one VPC are a *bucket*. A policy is lowered from a view of the
//! inventory in which a symbol stands for each bucket and each prefix list, so a rule that refers to
//! a group of 65,536 members holds one number, and stays right whoever joins or leaves. An index tells
//! which interfaces hold an address, and an interface knows its buckets: a clause with a bucket matches
//! if the far end has it.
//!
//! **Paths.** Into another VPC a rule's reference means who the far end is, not its address, for ranges
//! of VPCs may overlap; then the buckets of the far end itself are asked, as
//! [`Scope::towards`](crate::engine::Scope::towards) does. Questions for which that is not enough lower
//! the policy for the one far end: tens of microseconds, and the same answer. They are those on a path
//! that hides the sender, and into another VPC those where the far end's groups or addresses are not
//! known, where some group that is referred to may have members that nobody knows, or where the VPC of
//! the near end is not known but that of its groups is.
//!
//! **Versions.** A version of the fleet is immutable. Edits make the next one, which shares everything
//! that they do not touch, and swap it in. A [`Snapshot`] stays what it is while others edit; readers
//! never wait, and never see half of an edit or some of several that were applied together.
//!
//! # What an edit costs
//!
//! | edit | touches |
//! |---|---|
//! | an interface, its groups, its addresses | its record, the index at its addresses, the buckets of its groups; its class, if it is a new one |
//! | a rule | the policies of the classes that carry the group |
//! | a prefix list | nothing but the list, if its entries were and are all known; else the policies that refer to it |
//! | the first or last member in another VPC than the group's, or of a group that was not loaded | the policies that refer to the group |
//! | whether some interface's groups or addresses are not known | the policies that refer to its groups; all if the groups are not known |
//!
//! Lowering a class takes tens of microseconds, so the rule of a group that thousands of classes carry takes
//! a tenth of a second. Members by the ten thousand do not matter. Numbers are in `benches/fleet.rs`.
//!
//! # What engines must keep to
//!
//! Engines of this crate do, and so does any that leaves references to
//! [`PolicyEngine::rule_list`]. Another one must
//!
//! - look at nothing of the interface but its groups, VPC, subnet and card, and at nothing of the inventory
//!   but its groups, the groups and lists that their rules refer to, VPCs, subnets and their relations;
//! - take sets of members or entries as they are or unite them; policies made otherwise are noticed in most
//!   cases (a complement, a range across), and lowered for every question, but an intersection is not;
//! - look at [`Scope::far`](crate::engine::Scope::far) only by way of references in rules.

mod ask;
mod batch;
mod compiled;
mod draft;
mod edit;
mod index;
mod lower;
mod slab;
mod state;
mod symbol;
mod table;
mod view;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use ask::End;
pub use batch::Question;
use draft::Draft;
pub use edit::{Edit, EditError};
use state::{Flags, Record, State};

#[cfg(doc)]
use crate::engine::path;
use crate::engine::{LowerError, PathError, PolicyEngine, Probe, both_ends};
use crate::model::{Inventory, InventoryError};
use crate::net::{Direction, Flow};
use crate::policy::{Decision, Policy, Verdict};

/// The policies of all interfaces of an inventory.
///
/// It is `Send` and `Sync`: any number of threads may ask while one edits.
pub struct Fleet {
    current: ArcSwap<State>,
    /// Held by the one who edits; readers never ask for it.
    writer: Mutex<()>,
}

/// One version of a [`Fleet`], which does not change. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    state: Arc<State>,
}

/// An interface of a fleet, found by its id once.
///
/// It means the same interface in later versions. When the interface is removed it means none, also if
/// another one of the same id is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceKey {
    number: u32,
    generation: u32,
}

/// What becomes of traffic from one interface to another: a [`PathReport`](crate::engine::PathReport)
/// without explanations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PathDecision {
    /// Allowed if both ends allow, denied if one denies.
    pub verdict: Verdict,
    /// The sender's end and the receiver's end, in this order; `None` if both are one interface, whose
    /// traffic to itself no group sees.
    pub ends: Option<[Decision; 2]>,
}

impl PathDecision {
    fn of(ends: [Decision; 2]) -> Self {
        Self { verdict: both_ends(ends.iter().map(|end| end.verdict)), ends: Some(ends) }
    }
}

impl Fleet {
    /// Lowers and compiles the policies of all interfaces.
    ///
    /// Time and memory are proportional to the rules of the groups of each class, and to the interfaces with
    /// their groups and addresses, times a logarithm. Not to the members of the groups that rules refer to.
    ///
    /// # Errors
    /// [`LowerError`] if the engine refuses the policy of some interface.
    pub fn new(engine: Arc<dyn PolicyEngine>, inventory: Inventory) -> Result<Self, LowerError> {
        let mut parts = inventory.into_parts();
        let mut state = State::new(engine, std::mem::take(&mut parts.around));
        state.instances = Arc::new(std::mem::take(&mut parts.instances).into_values().collect());
        let mut draft = Draft::of(state);
        draft.load(parts);
        Ok(Self { current: ArcSwap::from_pointee(draft.finish()?), writer: Mutex::new(()) })
    }

    /// The current version.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { state: self.current.load_full() }
    }

    /// Applies edits in order. Readers see all of them or none; if one is refused, none is applied.
    ///
    /// One caller edits at a time, others wait. What an edit costs is said [above](self#what-an-edit-costs);
    /// a policy that several edits touch is lowered once.
    ///
    /// # Errors
    /// [`EditError`] if an edit is about something that there is not, if no inventory could hold the result,
    /// or if the engine refuses a policy that comes of it.
    pub fn apply(&self, edits: impl IntoIterator<Item = Edit>) -> Result<(), EditError> {
        // A writer that panicked has published nothing.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut draft = Draft::of(State::clone(&self.current.load()));
        for edit in edits {
            draft.apply(edit)?;
        }
        self.current.store(Arc::new(draft.finish()?));
        Ok(())
    }

    /// As [`Snapshot::decide`] of the current version.
    ///
    /// # Errors
    /// As there.
    pub fn decide(&self, from: &str, to: &str, probe: &Probe) -> Result<PathDecision, PathError> {
        self.snapshot().decide(from, to, probe)
    }

    /// As [`Snapshot::decide_flow`] of the current version.
    ///
    /// # Errors
    /// As there.
    pub fn decide_flow(&self, interface: &str, direction: Direction, flow: &Flow) -> Result<Decision, LowerError> {
        self.snapshot().decide_flow(interface, direction, flow)
    }

    /// As [`Snapshot::inventory`] of the current version.
    ///
    /// # Errors
    /// As there.
    pub fn inventory(&self) -> Result<Inventory, InventoryError> {
        self.snapshot().inventory()
    }
}

impl Snapshot {
    /// The interface with this id.
    pub fn key(&self, interface: &str) -> Option<InterfaceKey> {
        let number = *self.state.host_numbers.get(interface)?;
        let record = self.state.records.get(number)?;
        Some(InterfaceKey { number, generation: record.generation })
    }

    #[inline]
    fn record(&self, key: InterfaceKey) -> Option<&Record> {
        let record = self.state.records.get(key.number)?;
        (record.generation == key.generation && record.flags.has(Flags::LIVE)).then_some(record)
    }

    /// Judges traffic from one interface to another: egress at the sender and ingress at the receiver. Verdict
    /// and decisions are those of [`path`] over [`Snapshot::inventory`].
    ///
    /// # Errors
    /// Those of [`path`]: there is no such interface, no common family, or a policy that has to be lowered for
    /// the question is refused.
    pub fn decide(&self, from: &str, to: &str, probe: &Probe) -> Result<PathDecision, PathError> {
        let found = |id: &str| {
            let key = self.key(id).zip(self.state.host(id));
            key.ok_or_else(|| PathError::NoInterface(id.into()))
        };
        let ((from, (_, sender)), (to, (_, receiver))) = (found(from)?, found(to)?);
        let decision = self.decide_between(from, to, probe)?;
        decision.ok_or_else(|| probe.no_common_family(&sender.interface, &receiver.interface))
    }

    /// The same for interfaces that were found before; `None` if there is no such interface any more, or if
    /// the two have no addresses of one family that the traffic could use. A fraction of a microsecond;
    /// [`Snapshot::decide_batch`] is faster for many.
    ///
    /// # Errors
    /// [`PathError::Flow`] if the addresses asked for do not go together, [`PathError::Lower`] if a policy that
    /// has to be lowered for the question is refused.
    pub fn decide_between(
        &self,
        from: InterfaceKey,
        to: InterfaceKey,
        probe: &Probe,
    ) -> Result<Option<PathDecision>, PathError> {
        let (Some(sender), Some(receiver)) = (self.record(from), self.record(to)) else { return Ok(None) };
        if from == to {
            return Ok(Some(PathDecision { verdict: Verdict::Allow, ends: None }));
        }
        if let Some(ends) = self.decide_plainly(&Question { from, to, probe: *probe }, sender, receiver) {
            return Ok(Some(PathDecision::of(ends)));
        }
        let flows = probe.flows(|family| sender.address(family), |family| receiver.address(family))?;
        let Some((out, into)) = flows else { return Ok(None) };
        let (sender, receiver) = ((from.number, sender), (to.number, receiver));
        let preserved = probe.preserves_identity();
        let egress = End { near: sender, far: receiver, direction: Direction::Egress };
        let ingress = End { near: receiver, far: sender, direction: Direction::Ingress };
        let egress = self.state.decide_end(egress, &out, preserved)?;
        let ingress = self.state.decide_end(ingress, &into, preserved)?;
        Ok(Some(PathDecision::of([egress, ingress])))
    }

    /// The decision at one interface on a flow with whoever has the far address: that of
    /// [`Policy::decide`] of the policy of [`Snapshot::policy`].
    ///
    /// # Errors
    /// [`LowerError::NoInterface`]; others only if the policy has to be lowered for the question.
    pub fn decide_flow(&self, interface: &str, direction: Direction, flow: &Flow) -> Result<Decision, LowerError> {
        let missing = || LowerError::NoInterface(interface.into());
        let (number, host) = self.state.host(interface).ok_or_else(missing)?;
        let record = self.state.records.get(number).ok_or_else(missing)?;
        let policy = self.state.policy(record, direction).ok_or_else(missing)?;
        self.state.decide_flow(&host.interface, policy, direction, flow)
    }

    /// The policy of an interface, with provenance, for explanations. It is lowered for the call, from the
    /// addresses of all members of the groups that its rules refer to, and takes time in proportion.
    ///
    /// # Errors
    /// [`LowerError::NoInterface`] if there is no such interface.
    pub fn policy(&self, interface: &str, direction: Direction) -> Result<Policy, LowerError> {
        let (_, host) = self.state.host(interface).ok_or_else(|| LowerError::NoInterface(interface.into()))?;
        self.state.real_policy(&host.interface, direction, |scope| self.state.engine.lower(&scope))
    }

    /// Everything as an inventory. It is built for the call.
    ///
    /// # Errors
    /// None that is known: edits whose result no inventory could hold are refused.
    pub fn inventory(&self) -> Result<Inventory, InventoryError> {
        self.state.inventory()
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot().fmt(f)
    }
}

/// How many there are of what.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        f.debug_struct("Snapshot")
            .field("engine", &state.engine.name())
            .field("interfaces", &state.host_numbers.len())
            .field("classes", &state.class_numbers.len())
            .finish_non_exhaustive()
    }
}

//! Asking one version of a fleet.

use std::net::IpAddr;

use super::compiled::{Compiled, FarEnd, Loose, Traits};
use super::state::{Host, NO_VPC, Record, State, policy_number};
use crate::engine::{LowerError, Scope};
use crate::model::Interface;
use crate::net::{Direction, Flow};
use crate::policy::{Decision, Policy};

/// Who the far end is, as the sets behind symbols see it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Identity<'a> {
    /// A member of these buckets.
    Buckets(&'a [u32]),
    /// Whoever holds the address.
    Holders,
}

/// The far end of a flow.
pub(super) struct Far<'a> {
    pub(super) state: &'a State,
    pub(super) address: IpAddr,
    pub(super) referred: Identity<'a>,
    pub(super) member: Identity<'a>,
}

impl<'a> Far<'a> {
    /// Of which nothing is known but the address.
    pub(super) fn address(state: &'a State, address: IpAddr) -> Self {
        Self { state, address, referred: Identity::Holders, member: Identity::Holders }
    }

    fn is_in(&self, identity: Identity<'_>, bucket: u32) -> bool {
        match identity {
            Identity::Buckets(buckets) => buckets.contains(&bucket),
            Identity::Holders => {
                self.state.addresses.holders(self.address).any(|holder| self.state.buckets_of(holder).contains(&bucket))
            }
        }
    }
}

impl FarEnd for Far<'_> {
    #[inline]
    fn is_referred_to(&self, bucket: u32) -> bool {
        self.is_in(self.referred, bucket)
    }

    #[inline]
    fn is_member(&self, bucket: u32) -> bool {
        self.is_in(self.member, bucket)
    }

    fn is_listed(&self, list: u32) -> bool {
        self.state.is_listed(list, self.address)
    }
}

/// One end of a path: whose policy it is, and who is at the other end.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) near: (u32, &'a Record),
    pub(super) far: (u32, &'a Record),
    pub(super) direction: Direction,
}

impl State {
    fn interface(&self, number: u32) -> Option<&Host> {
        self.hosts.get(number)?.as_deref()
    }

    /// Whether an address is in a prefix list.
    pub(super) fn is_listed(&self, list: u32, address: IpAddr) -> bool {
        self.lists.get(list).is_some_and(|list| list.addresses.contains(address))
    }

    /// The buckets that an interface is a member of.
    #[inline]
    pub(super) fn buckets_of(&self, number: u32) -> &[u32] {
        match self.records.get(number).and_then(Record::buckets) {
            Some(inline) => inline,
            None => self.interface(number).map_or(&[], |host| &host.buckets),
        }
    }

    #[inline]
    pub(super) fn policy(&self, record: &Record, direction: Direction) -> Option<&Compiled> {
        self.policies.get(policy_number(record.class, direction))
    }

    /// The decision at one interface on a flow with whoever has the far address.
    pub(super) fn decide_flow(
        &self,
        host: &Interface,
        policy: &Compiled,
        direction: Direction,
        flow: &Flow,
    ) -> Result<Decision, LowerError> {
        if policy.traits.opaque {
            let policy = self.real_policy(host, direction, |scope| self.engine.lower(&scope))?;
            return Ok(policy.decide(flow));
        }
        Ok(policy.decide(flow, &Far::address(self, flow.remote())))
    }

    /// The decision at one end of a path.
    #[inline]
    pub(super) fn decide_end(
        &self,
        end: End<'_>,
        flow: &Flow,
        identity_preserved: bool,
    ) -> Result<Decision, LowerError> {
        let policy = self.policy(end.near.1, end.direction);
        let far = policy
            .filter(|policy| identity_preserved && !policy.traits.opaque)
            .and_then(|policy| Some((policy, self.far(end, policy.traits, flow)?)));
        match far {
            Some((policy, far)) => Ok(policy.decide(flow, &far)),
            None => self.decide_in_full(end, flow, identity_preserved),
        }
    }

    /// Who the far end of a path is to the policy of the near end; `None` if that has to be asked in
    /// full.
    #[inline]
    pub(super) fn far<'a>(&'a self, end: End<'a>, traits: Traits, flow: &Flow) -> Option<Far<'a>> {
        let ((_, near), (far_number, far)) = (end.near, end.far);
        let alone = far.alone_has(flow.family(), flow.remote_number());
        let own = || self.buckets_of(far_number);
        let member = if alone { Identity::Buckets(own()) } else { Identity::Holders };
        // By the VPC of the interface or, if that is not known, of the group whose rule it is.
        let elsewhere = far.vpc != NO_VPC && if near.vpc == NO_VPC { traits.vpc_by_group } else { near.vpc != far.vpc };
        let referred = if elsewhere {
            // Ranges of VPCs may overlap: what counts is who the far end is. If its groups are not known, it
            // has the bucket of those, which is in every reference that works; if its addresses are not
            // known, the references to its groups are open.
            if near.vpc == NO_VPC || traits.open {
                return None;
            }
            let has_address = || {
                let far = self.interface(far_number);
                far.is_some_and(|far| far.interface.member_blocks().any(|block| block.contains(flow.remote())))
            };
            Identity::Buckets(if alone || has_address() { own() } else { &[] })
        } else {
            member
        };
        Some(Far { state: self, address: flow.remote(), referred, member })
    }

    /// The same by lowering the policy for this far end.
    #[cold]
    pub(super) fn decide_in_full(
        &self,
        end: End<'_>,
        flow: &Flow,
        identity_preserved: bool,
    ) -> Result<Decision, LowerError> {
        let (near, far) = (self.interface(end.near.0), self.interface(end.far.0));
        let (Some(near), Some(far)) = (near, far) else {
            return Ok(Compiled::default().decide(flow, &Far::address(self, flow.remote())));
        };
        let (near, far) = (&near.interface, &far.interface);
        let lower = |scope: Scope<'_>| -> Result<Policy, LowerError> {
            self.engine.lower(&Scope { identity_preserved, ..scope }.towards(far))
        };
        if let Some(policy) = self.symbolic_policy(near, Some(far), end.direction, lower) {
            let compiled = Loose::of(&policy?, Traits::default()).alone();
            if !compiled.traits.opaque {
                return Ok(compiled.decide(flow, &Far::address(self, flow.remote())));
            }
        }
        Ok(self.real_policy(near, end.direction, lower)?.decide(flow))
    }
}

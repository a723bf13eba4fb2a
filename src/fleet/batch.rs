//! Many pairs at once.
//!
//! What a decision takes is mostly waiting for memory: the records of both interfaces, two policies, and
//! in each a place that depends on the service. So a batch goes through its pairs step by step, all pairs
//! through one step before the next, and the processor waits for many at once.

use super::compiled::Compiled;
use super::slab::Address;
use super::state::{NO_VPC, Record};
use super::{InterfaceKey, PathDecision, Snapshot};
use crate::engine::Probe;
use crate::net::{Direction, Family};
use crate::policy::Decision;

/// Pairs that go through the steps together: enough to wait for many, few enough to stay in the second
/// cache.
const TOGETHER: usize = 128;

/// A question about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The sender.
    pub from: InterfaceKey,
    /// The receiver.
    pub to: InterfaceKey,
    /// What is sent.
    pub probe: Probe,
}

/// One end of a path on its way through the steps, if nothing about it is out of the ordinary.
struct Pending<'a, A> {
    policy: &'a Compiled,
    near: &'a Record,
    far: &'a Record,
    service: u32,
    address: A,
    /// Where the decision goes.
    place: usize,
}

/// What a batch works with.
#[derive(Default)]
struct Work<'a> {
    records: Vec<Option<(&'a Record, &'a Record)>>,
    v4: Vec<Pending<'a, u32>>,
    v6: Vec<Pending<'a, u128>>,
    masks: Vec<u64>,
    ends: Vec<Option<Decision>>,
}

impl Snapshot {
    /// Decides many questions, each as [`Snapshot::decide_between`] does. As many decisions are written as
    /// both slices have place for; their number is returned. `None` stands where there is no answer: there
    /// is no such interface, or the ends have no addresses for this traffic.
    ///
    /// The more questions a call has, up to a hundred or so, the less each takes: the processor waits for the
    /// memory of many of them at once.
    pub fn decide_batch(&self, questions: &[Question], decisions: &mut [Option<PathDecision>]) -> usize {
        let mut work = Work::default();
        for (questions, decisions) in questions.chunks(TOGETHER).zip(decisions.chunks_mut(TOGETHER)) {
            self.decide_together(questions, decisions, &mut work);
        }
        questions.len().min(decisions.len())
    }

    /// Both ends of a path between two interfaces, if nothing about it is out of the ordinary.
    #[inline]
    pub(super) fn decide_plainly(
        &self,
        question: &Question,
        sender: &Record,
        receiver: &Record,
    ) -> Option<[Decision; 2]> {
        let (service, family) = simply(question, sender, receiver)?;
        let end = |near: &Record, far: &Record, direction| {
            let policy = self.state.policy(near, direction)?;
            let mask = policy.slab(family).first_mask(service);
            match family {
                Family::V4 => {
                    self.settle_one(&Pending { policy, near, far, service, address: far.v4(), place: 0 }, family, mask)
                }
                Family::V6 => {
                    self.settle_one(&Pending { policy, near, far, service, address: far.v6(), place: 0 }, family, mask)
                }
            }
        };
        Some([end(sender, receiver, Direction::Egress)?, end(receiver, sender, Direction::Ingress)?])
    }

    fn decide_together<'a>(
        &'a self,
        questions: &[Question],
        decisions: &mut [Option<PathDecision>],
        work: &mut Work<'a>,
    ) {
        work.clear(questions.len());
        let records = questions.iter().map(|question| Some((self.record(question.from)?, self.record(question.to)?)));
        work.records.extend(records);
        for ((question, records), place) in questions.iter().zip(&work.records).zip(0..) {
            let Some((sender, receiver)) = *records else { continue };
            let Some((service, family)) = simply(question, sender, receiver) else { continue };
            let ends = [(sender, receiver, Direction::Egress), (receiver, sender, Direction::Ingress)];
            for ((near, far, direction), place) in ends.into_iter().zip(2 * place..) {
                let Some(policy) = self.state.policy(near, direction) else { continue };
                match family {
                    Family::V4 => work.v4.push(Pending { policy, near, far, service, address: far.v4(), place }),
                    Family::V6 => work.v6.push(Pending { policy, near, far, service, address: far.v6(), place }),
                }
            }
        }
        self.settle(&work.v4, Family::V4, &mut work.masks, &mut work.ends);
        self.settle(&work.v6, Family::V6, &mut work.masks, &mut work.ends);
        let (ends, _) = work.ends.as_chunks();
        for ((question, decision), ends) in questions.iter().zip(decisions.iter_mut()).zip(ends) {
            *decision = match *ends {
                [Some(egress), Some(ingress)] => Some(PathDecision::of([egress, ingress])),
                // What is out of the ordinary is asked in the ordinary way.
                _ => self.decide_between(question.from, question.to, &question.probe).ok().flatten(),
            };
        }
    }

    /// Decides the ends of one family that need nothing looked up but their policies.
    fn settle<A: Address>(
        &self,
        pending: &[Pending<'_, A>],
        family: Family,
        masks: &mut [u64],
        ends: &mut [Option<Decision>],
    ) {
        // Reading a word of what the next step needs is all that safe code can do to have it brought near.
        let mut touched = 0_u32;
        for end in pending {
            touched ^= u32::from(end.policy.is_simple());
        }
        for end in pending {
            touched ^= end.policy.slab(family).touch();
        }
        for (end, mask) in pending.iter().zip(masks.iter_mut()) {
            *mask = end.policy.slab(family).first_mask(end.service);
        }
        for (end, mask) in pending.iter().zip(masks.iter()) {
            touched ^= end.policy.slab(family).touch_clauses(*mask);
        }
        std::hint::black_box(touched);
        for (end, mask) in pending.iter().zip(masks.iter()) {
            let decision = self.settle_one(end, family, *mask);
            if let Some(place) = ends.get_mut(end.place) {
                *place = decision;
            }
        }
    }

    #[inline]
    fn settle_one<A: Address>(&self, end: &Pending<'_, A>, family: Family, mask: u64) -> Option<Decision> {
        let traits = end.policy.traits;
        // As in `State::far`, without what that has to look up.
        let elsewhere = end.far.vpc != NO_VPC
            && if end.near.vpc == NO_VPC { traits.vpc_by_group } else { end.near.vpc != end.far.vpc };
        let plain = if elsewhere {
            let known = end.near.vpc != NO_VPC && !traits.open;
            known && (!traits.members || end.far.is_alone(family))
        } else {
            end.far.is_alone(family)
        };
        if !plain || !end.policy.is_simple() {
            return None;
        }
        let listed = |list| self.state.is_listed(list, family.address(end.address.into()));
        let slab = end.policy.slab(family);
        Some(end.policy.decide_simply(slab, mask, end.service, end.address, end.far.buckets()?, listed))
    }
}

/// Service and family of a question about two interfaces with member addresses, if it is about no others.
fn simply(question: &Question, sender: &Record, receiver: &Record) -> Option<(u32, Family)> {
    if question.from == question.to {
        return None;
    }
    question.probe.simply_between(|family| Some(sender.member_in(family)? & receiver.member_in(family)?))
}

impl Work<'_> {
    fn clear(&mut self, questions: usize) {
        self.records.clear();
        self.v4.clear();
        self.v6.clear();
        self.ends.clear();
        self.ends.resize(2 * questions, None);
        self.masks.resize(2 * TOGETHER, 0);
    }
}

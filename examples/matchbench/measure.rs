//! What deciding all flows takes, one by one and in batches.

use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use secgroup::matcher::{Columns, ColumnsError, Matcher};
use secgroup::net::{Flow, IcmpMessage, Payload};
use secgroup::policy::{Basis, Decision, Policy, Verdict};
use thiserror::Error;

use crate::clock::{median, timed};

/// Why there is nothing to print.
#[derive(Debug, Error)]
pub(crate) enum MeasureError {
    #[error(transparent)]
    Columns(#[from] ColumnsError),
    #[error("flow {flow} ({what}) is decided as {single:?} alone and as {batched:?} in a batch", flow = index + 1)]
    Disagreement { index: usize, what: Flow, single: Decision, batched: Decision },
    #[error("nothing was repeated")]
    NoRounds,
}

/// Decisions in the order of the flows, and medians of times.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) matcher: Matcher,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) build: Duration,
    pub(crate) single: Duration,
    pub(crate) batched: Duration,
}

/// Before anything is decided.
const NONE: Decision = Decision { verdict: Verdict::Indeterminate, clause: None, basis: Basis::Default };

pub(crate) fn measure(policy: &Policy, flows: &[Flow], repeat: u32) -> Result<Measured, MeasureError> {
    let (mut matcher, mut build) = timed(|| Matcher::new(policy));
    let mut builds = vec![build];
    for _ in 1..repeat {
        (matcher, build) = timed(|| Matcher::new(black_box(policy)));
        builds.push(build);
    }

    let (mut v4, mut v6) = (Batch::<u32>::default(), Batch::<u128>::default());
    for (index, flow) in flows.iter().enumerate() {
        match flow.remote() {
            IpAddr::V4(remote) => v4.push(index, flow, remote.into(), local_v4(flow)),
            IpAddr::V6(remote) => v6.push(index, flow, remote.into(), local_v6(flow)),
        }
    }
    let mut decisions = vec![NONE; flows.len()];
    let (mut out_v4, mut out_v6) = (vec![NONE; v4.index.len()], vec![NONE; v6.index.len()]);
    let (mut single_times, mut batch_times) = (Vec::new(), Vec::new());
    for _ in 0..repeat {
        let ((), time) = timed(|| {
            for (flow, decision) in flows.iter().zip(&mut decisions) {
                *decision = matcher.decide(black_box(flow));
            }
        });
        single_times.push(time);
        let (done, time) = timed(|| {
            matcher.decide_columns(&v4.columns(), &mut out_v4)?;
            matcher.decide_columns(&v6.columns(), &mut out_v6)
        });
        done?;
        batch_times.push(time);
        black_box((&decisions, &out_v4, &out_v6));
    }

    let batched = v4.index.iter().zip(&out_v4).chain(v6.index.iter().zip(&out_v6));
    for (&index, &batched) in batched {
        if let (Some(&single), Some(&what)) = (decisions.get(index), flows.get(index))
            && single != batched
        {
            return Err(MeasureError::Disagreement { index, what, single, batched });
        }
    }
    let middle = |times: &mut [Duration]| median(times, Ord::cmp).ok_or(MeasureError::NoRounds);
    let (build, single, batched) = (middle(&mut builds)?, middle(&mut single_times)?, middle(&mut batch_times)?);
    Ok(Measured { matcher, decisions, build, single, batched })
}

/// The flows of one family, a column for each field.
#[derive(Debug, Default)]
struct Batch<A> {
    /// Where each flow stands among all.
    index: Vec<usize>,
    remote: Vec<A>,
    local: Vec<A>,
    protocol: Vec<u8>,
    selector: Vec<u16>,
    source_port: Vec<u16>,
}

impl<A> Batch<A> {
    fn push(&mut self, index: usize, flow: &Flow, remote: A, local: A) {
        let selector = match flow.payload() {
            Payload::Tcp { destination, .. } | Payload::Udp { destination, .. } => destination,
            Payload::Icmp(IcmpMessage { kind, code, .. }) => u16::from_be_bytes([kind, code]),
            Payload::Other(_) => 0,
        };
        self.index.push(index);
        self.remote.push(remote);
        self.local.push(local);
        self.protocol.push(flow.protocol().number());
        self.selector.push(selector);
        self.source_port.push(flow.source_port().unwrap_or_default());
    }

    fn columns(&self) -> Columns<'_, A> {
        Columns {
            source_port: Some(&self.source_port),
            local: Some(&self.local),
            ..Columns::new(&self.remote, &self.protocol, &self.selector)
        }
    }
}

/// The near address, which every flow here has.
fn local_v4(flow: &Flow) -> u32 {
    match flow.local() {
        Some(IpAddr::V4(address)) => address.into(),
        _ => 0,
    }
}

fn local_v6(flow: &Flow) -> u128 {
    match flow.local() {
        Some(IpAddr::V6(address)) => address.into(),
        _ => 0,
    }
}

//! Every kind of matcher and every way to ask it, held against the reference evaluation.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::net::IpAddr;

use secgroup::matcher::{Columns, Kind, Matcher};
use secgroup::net::{Flow, Payload};
use secgroup::policy::{Decision, Policy};

/// Flows of one family as columns, with the place of each among all flows.
struct Transposed<A> {
    places: Vec<usize>,
    remote: Vec<A>,
    local: Vec<A>,
    protocol: Vec<u8>,
    selector: Vec<u16>,
    source: Vec<u16>,
}

/// The flows of one family that know, or do not know, source port and near address, as columns have
/// it.
fn transposed<A>(flows: &[Flow], knows: (bool, bool), number: impl Fn(IpAddr) -> Option<A>) -> Transposed<A> {
    let mut columns = Transposed {
        places: Vec::new(),
        remote: Vec::new(),
        local: Vec::new(),
        protocol: Vec::new(),
        selector: Vec::new(),
        source: Vec::new(),
    };
    for (place, flow) in flows.iter().enumerate() {
        let Some(remote) = number(flow.remote()) else { continue };
        let has_ports = flow.destination_port().is_some();
        if (flow.source_port().is_some(), flow.local().is_some()) != (knows.0 && has_ports, knows.1) {
            continue;
        }
        columns.places.push(place);
        columns.remote.push(remote);
        columns.local.extend(flow.local().and_then(&number));
        columns.protocol.push(flow.protocol().number());
        columns.selector.push(match flow.payload() {
            Payload::Tcp { destination, .. } | Payload::Udp { destination, .. } => destination,
            Payload::Icmp(message) => u16::from_be_bytes([message.kind, message.code]),
            // Means nothing, so anything may stand here.
            Payload::Other(_) => 0xabcd,
        });
        columns.source.push(flow.source_port().unwrap_or(0x1234));
    }
    columns
}

impl<A: secgroup::matcher::Address> Transposed<A> {
    fn decide(&self, matcher: &Matcher, knows: (bool, bool), before: Decision) -> Vec<Decision> {
        let mut columns = Columns::new(&self.remote, &self.protocol, &self.selector);
        columns.source_port = knows.0.then_some(&self.source);
        columns.local = knows.1.then_some(&self.local);
        let mut decisions = vec![before; self.places.len()];
        matcher.decide_columns(&columns, &mut decisions).expect("columns of one length");
        decisions
    }
}

/// The first difference between a matcher of one of these kinds and the reference, in words.
pub(crate) fn difference(policy: &Policy, flows: &[Flow], kinds: &[Kind]) -> Option<String> {
    let expected: Vec<Decision> = flows.iter().map(|flow| policy.decide(flow)).collect();
    let before = *expected.first()?;
    let forced = |kind: &Kind| {
        let matcher = Matcher::builder().kind(*kind).build(policy).expect("within the limits");
        assert_eq!(matcher.kind(), *kind);
        (kind.to_string(), matcher)
    };
    let mut matchers: Vec<(String, Matcher)> = kinds.iter().map(forced).collect();
    for kind in kinds.iter().filter(|kind| **kind != Kind::Linear) {
        let sharing = Matcher::builder().kind(*kind).share_rows_from(0).build(policy).expect("within the limits");
        matchers.push((format!("{kind}, rows shared"), sharing));
    }
    // With the feature `simd` the others may use vector instructions; without it this is one of them.
    if kinds.contains(&Kind::Direct) {
        let portable = Matcher::builder().kind(Kind::Direct).portable().build(policy).expect("within the limits");
        assert_eq!(portable.kernel(), "portable");
        matchers.push(("portable".to_owned(), portable));
    }
    for (name, matcher) in &matchers {
        let told = |place: usize, how: &str, found: Decision| -> Option<String> {
            let (flow, expected) = (flows.get(place)?, expected.get(place)?);
            (found != *expected)
                .then(|| format!("{name}, {how}: {flow}: expected {expected:?}, found {found:?} in\n{policy:#?}"))
        };
        let single = flows.iter().enumerate().find_map(|(place, flow)| told(place, "one", matcher.decide(flow)));
        let mut decisions = vec![before; flows.len()];
        assert_eq!(matcher.decide_batch(flows, &mut decisions), flows.len());
        let batch = decisions.iter().enumerate().find_map(|(place, found)| told(place, "batch", *found));
        let by_columns = [(false, false), (false, true), (true, false), (true, true)].into_iter().find_map(|knows| {
            let v4 = transposed(flows, knows, |address| match address {
                IpAddr::V4(address) => Some(u32::from(address)),
                IpAddr::V6(_) => None,
            });
            let v6 = transposed(flows, knows, |address| match address {
                IpAddr::V4(_) => None,
                IpAddr::V6(address) => Some(u128::from(address)),
            });
            let found = v4.places.iter().copied().zip(v4.decide(matcher, knows, before));
            let found = found.chain(v6.places.iter().copied().zip(v6.decide(matcher, knows, before)));
            found.into_iter().find_map(|(place, found)| told(place, "columns", found))
        });
        if let Some(difference) = single.or(batch).or(by_columns) {
            return Some(difference);
        }
    }
    None
}

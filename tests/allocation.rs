//! Deciding allocates nothing, whatever the kind of matcher and the way to ask.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocation_counter::measure;
use secgroup::matcher::{Columns, Kind, Matcher};
use secgroup::model::Action;
use secgroup::net::{AddressSet, Cidr, Direction, Flow, PortRange};
use secgroup::policy::{Clause, Extent, Fallback, Missing, Policy, Provenance, Rank, RuleList, Selector, Space};

/// Rules of every sort: with source ports, with near addresses, known in part, over both families; in
/// two lists, so that stages are combined too.
fn policy() -> Policy {
    let selector = |port: u16| Selector::Tcp(PortRange::from(port).into());
    let set = |text: &str| AddressSet::from(text.parse::<Cidr>().unwrap());
    let clauses = (0..40_u16).map(|order| {
        let remote = set(if order % 3 == 0 { "2001:db8::/32" } else { "10.0.0.0/8" });
        let space = match order % 4 {
            0 => Space::new(selector(order), remote).with_source_ports(Some(PortRange::new(1000, 2000).unwrap())),
            1 => Space::new(selector(order), remote).with_local(Some("192.168.0.0/16".parse().unwrap())),
            _ => Space::new(selector(order), remote),
        };
        let extent = if order % 7 == 0 { Extent::uncertain(space) } else { Extent::Exact(space) };
        let (rank, from) = (Rank::new(1, order.into()), Provenance::implied("test", "a clause"));
        Clause::partial(rank, Action::Allow, extent, from, vec![Missing::SourcePort])
    });
    let list = RuleList::new("test", clauses.collect(), Fallback::deny()).unwrap();
    let policy = Policy::rules(Direction::Ingress, list).unwrap();
    Policy::all_of(vec![policy.clone(), policy]).unwrap()
}

#[test]
fn deciding_allocates_nothing() {
    let policy = policy();
    let addresses = ["10.1.2.3", "192.0.2.1", "2001:db8::1", "2001:db9::1"].map(|text| text.parse().unwrap());
    let flows: Vec<Flow> = (0..50)
        .flat_map(|port| addresses.map(|address| Flow::tcp(address, port)))
        .flat_map(|flow| [flow, flow.from_port(1500)])
        .collect();
    let mut decisions = vec![policy.decide(&flows[0]); flows.len()];
    let (remote, protocol, selector) = (vec![0x0a01_0203_u32; 200], vec![6; 200], (0..200).collect::<Vec<u16>>());
    for kind in Kind::ALL {
        let matcher = Matcher::builder().kind(kind).build(&policy).unwrap();
        let counted = measure(|| {
            for flow in &flows {
                std::hint::black_box(matcher.decide(flow));
            }
            matcher.decide_batch(&flows, &mut decisions);
            matcher.decide_columns(&Columns::new(&remote, &protocol, &selector), &mut decisions[..200]).unwrap();
        });
        assert_eq!(counted.count_total, 0, "{kind}");
    }
    // The counter counts.
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
}

//! Agreement: the oracle, which knows the documents' sentences and the model only, says the same as
//! the reference evaluation of what the engine lowered, as every kind of matcher and as the explanation
//! of it: verdict, basis and which rules decide. Random inventories, flows at the edges of their rules.
//!
//! Needs the strategies: `cargo test --all-features`.
#![cfg(feature = "proptest")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod matchers;
mod oracle;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use oracle::alibaba::Readings;
use oracle::{Answer, Question, Touching};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use secgroup::engine::{AlibabaEngine, AwsEngine, IntraGroupEgress, LoadBalancerTraffic, PolicyEngine, Scope};
use secgroup::matcher::Kind;
use secgroup::model::{Action, Inventory, Peer};
use secgroup::net::{Direction, Family, Flow, IcmpMessage, Payload, PortRange, Protocol};
use secgroup::policy::{
    Basis, Clause, ClauseReport, Explanation, Field, NearMiss, Policy, Selector, Space, Touch, Verdict, WhyNot,
};
use secgroup::set::Decided;
use secgroup::strategy::{alibaba_inventory, aws_inventory, flow_near};

/// Random configurations a run and provider, at least; `PROPTEST_CASES` asks for more.
const CASES: u32 = 512;
/// Flows a configuration; each is asked in both directions.
const FLOWS: std::ops::Range<usize> = 12..24;

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(CASES), failure_persistence: None, ..config }
}

fn with_flows(inventory: impl Strategy<Value = Inventory>) -> impl Strategy<Value = (Inventory, Vec<Flow>)> {
    inventory.prop_flat_map(|inventory| {
        let flows = vec(flow_near(&inventory), FLOWS);
        (Just(inventory), flows)
    })
}

/// What was seen, so that a run that sees nothing fails.
type Seen = BTreeMap<String, usize>;

fn saw(seen: &mut Seen, what: impl Into<String>) {
    *seen.entry(what.into()).or_default() += 1;
}

/// Both engines, with every combination of readings.
#[derive(Clone, Copy)]
enum Cloud {
    Aws,
    Alibaba(Readings),
}

impl Cloud {
    const READINGS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

    fn alibaba() -> [Self; 4] {
        Self::READINGS.map(|(intra_group_egress_always, load_balancers_never_filtered)| {
            Self::Alibaba(Readings { intra_group_egress_always, load_balancers_never_filtered })
        })
    }

    fn engine(self) -> Box<dyn PolicyEngine> {
        match self {
            Self::Aws => Box::new(AwsEngine::new()),
            Self::Alibaba(readings) => {
                let egress = if readings.intra_group_egress_always {
                    IntraGroupEgress::AlwaysAllow
                } else {
                    IntraGroupEgress::Table
                };
                let load_balancers = if readings.load_balancers_never_filtered {
                    LoadBalancerTraffic::NeverFiltered
                } else {
                    LoadBalancerTraffic::Filtered
                };
                Box::new(AlibabaEngine::new().with_intra_group_egress(egress).with_load_balancers(load_balancers))
            }
        }
    }

    fn answer(self, question: &Question<'_>, flow: &Flow) -> Answer {
        match self {
            Self::Aws => oracle::aws::answer(question, flow),
            Self::Alibaba(readings) => oracle::alibaba::answer(question, readings, flow),
        }
    }
}

/// What a failure shows.
#[derive(Clone, Copy)]
struct Context<'a> {
    question: Question<'a>,
    policy: &'a Policy,
    answer: &'a Answer,
    explanation: &'a Explanation,
}

impl fmt::Display for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Question { inventory, interface, direction, identity_preserved } = self.question;
        writeln!(f, "{direction} at {interface:?}, identity preserved: {identity_preserved}")?;
        writeln!(f, "{}", self.explanation.flow)?;
        writeln!(f, "{}\n{:#?}\n{:#?}", self.policy, self.answer, self.explanation)?;
        writeln!(f, "{}", serde_json::to_string(inventory).map_err(|_| fmt::Error)?)
    }
}

/// Asks oracle, decision and explanation the same at every interface, in both directions, on paths
/// that keep identity and on those that do not.
fn agree(cloud: Cloud, inventory: &Inventory, flows: &[Flow], seen: &mut Seen) -> Result<(), TestCaseError> {
    let engine = cloud.engine();
    for interface in inventory.interfaces() {
        for direction in Direction::ALL {
            for identity_preserved in [true, false] {
                let mut scope = Scope::new(inventory, interface, direction);
                scope.identity_preserved = identity_preserved;
                let policy = engine.lower(&scope);
                prop_assert!(policy.is_ok(), "{:?}", policy.err());
                let policy = policy.unwrap();
                // The fast tables are large, and built often here; they differ from the small ones only
                // in how they look up, which has a test of its own.
                let kinds = if identity_preserved { &[Kind::Compact, Kind::Linear][..] } else { &[] };
                prop_assert_eq!(matchers::difference(&policy, flows, kinds), None);
                // The sets, for flows that name everything that a rule can depend on.
                let decided = Decided::new(&policy).unwrap();
                for flow in flows {
                    let other = if flow.remote().is_ipv4() { "10.0.1.10" } else { "2001:db8::10" };
                    let flow = flow.from_port(flow.source_port().unwrap_or(40_000));
                    let flow = if flow.local().is_none() { flow.at(other.parse().unwrap()).unwrap() } else { flow };
                    prop_assert_eq!(decided.decision(&flow), Some(policy.decide(&flow)), "{}", flow);
                }
                let question = Question { inventory, interface, direction, identity_preserved };
                for flow in flows {
                    let answer = cloud.answer(&question, flow);
                    let decision = policy.decide(flow);
                    let explanation = policy.explain(flow);
                    let context = Context { question, policy: &policy, answer: &answer, explanation: &explanation };
                    prop_assert_eq!(decision.verdict, answer.verdict, "verdict: {}", context);
                    prop_assert_eq!(decision.basis, answer.basis, "basis: {}", context);
                    prop_assert_eq!(explanation.decision(), decision, "explained decision: {}", context);
                    let rules: Vec<String> = explanation.rules().iter().map(ToString::to_string).collect();
                    prop_assert_eq!(&rules, &answer.rules, "deciding rules: {}", context);
                    // The clause is the first of those that decide, or may.
                    let clause = decision.clause.and_then(|id| policy.clause(id));
                    let place = clause.and_then(|clause| clause.provenance.rule());
                    let place = place.map(|origin| (origin.group.to_string(), origin.index as usize));
                    prop_assert_eq!(&place, &answer.first, "clause: {}", context);
                    let best = explanation.deciding.first().map(|report| report.clause);
                    prop_assert_eq!(decision.clause, best, "clause: {}", context);
                    let by_default = matches!(answer.basis, Basis::Default | Basis::Unfiltered);
                    prop_assert!(clause.is_none() || !by_default, "clause: {}", context);
                    sound(context, flow)?;
                    count(seen, &explanation, &answer, flow);
                }
            }
        }
    }
    Ok(())
}

/// Whether the lists of an explanation are right: what matches by the oracle is listed with the
/// right certainty and the right reason, near misses do not match and say rightly why.
fn sound(context: Context<'_>, flow: &Flow) -> Result<(), TestCaseError> {
    let Context { policy, explanation, answer, .. } = context;
    // Every rule that matches or may match is in one of the lists, once, and no other rule is.
    let listed = explanation.deciding.iter().chain(explanation.others.iter().map(|other| &other.clause));
    let mut listed: Vec<Touching> = listed
        .filter_map(|report| {
            let origin = report.provenance.rule()?;
            let index = origin.index as usize;
            Some(Touching { group: origin.group.to_string(), index, certain: report.certain })
        })
        .collect();
    let mut touching = answer.touching.clone();
    listed.sort();
    touching.sort();
    prop_assert_eq!(listed, touching, "rules listed: {}", context);

    let clause = |report: &ClauseReport| policy.clause(report.clause).unwrap();
    let definite = explanation.verdict != Verdict::Indeterminate;
    let closing = explanation.deciding.iter().find(|report| report.certain).map(|report| clause(report).rank);
    for report in &explanation.deciding {
        let (rank, touch) = (clause(report).rank, clause(report).touch(flow));
        prop_assert_ne!(touch, Touch::No, "deciding: {}", context);
        if definite {
            // Of a definite verdict: certain, at one rank, and of the verdict's action.
            prop_assert!(report.certain && Some(rank) == closing, "deciding: {}", context);
            let verdict = if report.action == Action::Allow { Verdict::Allow } else { Verdict::Deny };
            prop_assert_eq!(verdict, explanation.verdict, "deciding: {}", context);
        }
    }
    for other in &explanation.others {
        let rank = clause(&other.clause).rank;
        match (other.reason, closing) {
            (WhyNot::Outranked, Some(closing)) => {
                prop_assert!(closing < rank && !closing.ties_with(rank), "outranked: {}", context);
            }
            (WhyNot::LosesTie, Some(closing)) => {
                prop_assert!(closing < rank && closing.ties_with(rank), "loses the tie: {}", context);
                prop_assert_ne!(other.clause.action, Action::Deny, "loses the tie: {}", context);
            }
            (WhyNot::SameVerdict, _) => {
                prop_assert!(definite && !other.clause.certain, "same verdict: {}", context);
                prop_assert!(closing.is_none_or(|closing| rank <= closing), "same verdict: {}", context);
            }
            (reason, closing) => prop_assert!(false, "{:?} by {:?}: {}", reason, closing, context),
        }
    }
    // What is missing is named exactly if it matters.
    prop_assert_eq!(explanation.missing.is_empty(), definite, "missing: {}", context);
    near_misses_sound(context, flow, closing.is_none())
}

fn near_misses_sound(context: Context<'_>, flow: &Flow, by_default: bool) -> Result<(), TestCaseError> {
    let Context { policy, explanation, .. } = context;
    let near = &explanation.near_misses;
    let wanted = match explanation.verdict {
        Verdict::Deny => Some(Action::Allow),
        Verdict::Allow if explanation.basis == Basis::Default => Some(Action::Deny),
        _ => None,
    };
    for NearMiss { clause: report, failed, .. } in near {
        let clause = policy.clause(report.clause).unwrap();
        prop_assert_eq!(Some(report.action), wanted, "near miss: {}", context);
        prop_assert_eq!(clause.touch(flow), Touch::No, "near miss: {}", context);
        let fields: Vec<Field> = failed.iter().map(|miss| miss.field).collect();
        prop_assert!(!fields.is_empty(), "near miss: {}", context);
        mended(clause, flow, &fields, context)?;
    }
    // The fewest failures first, and none left out that is nearer.
    let failures: Vec<usize> = near.iter().map(|miss| miss.failed.len()).collect();
    prop_assert!(failures.is_sorted(), "near misses in order: {}", context);
    let mut all = 0;
    for (index, clause) in policy.lists()[0].clauses().iter().enumerate() {
        let reached = explanation.deciding.first().is_none_or(|best| index <= best.clause.number() as usize);
        let shown = near.iter().any(|miss| miss.clause.clause.number() as usize == index);
        // What is never filtered is near to nothing that anybody would ask for.
        let wanted = Some(clause.action) == wanted && clause.provenance.basis() != Basis::NeverFiltered;
        if !wanted || clause.touch(flow) != Touch::No || !(reached || by_default) {
            prop_assert!(!shown, "near miss without use: {}", context);
            continue;
        }
        all += 1;
        let worst = failures.last().copied().unwrap_or(0);
        prop_assert!(shown || clause.mismatch(flow).len() >= worst, "nearer miss left out: {}", context);
    }
    prop_assert_eq!(near.len() + explanation.near_misses_omitted, all, "near misses omitted: {}", context);
    Ok(())
}

/// Each field said to fail does fail on its own: with all of them changed to something expected the
/// clause matches or may, and with all but one it does not.
fn mended(clause: &Clause, flow: &Flow, fields: &[Field], context: Context<'_>) -> Result<(), TestCaseError> {
    let space = clause.extent.possible();
    if space.remote.is_empty() {
        // Nothing would match; the family is what fails then.
        prop_assert!(fields.contains(&Field::Family), "no address: {}", context);
        return Ok(());
    }
    let change = |skip: Option<Field>| {
        let fields: Vec<Field> = fields.iter().copied().filter(|field| Some(*field) != skip).collect();
        changed(space, flow, &fields)
    };
    if let Some(flow) = change(None) {
        prop_assert_ne!(clause.touch(&flow), Touch::No, "mended to {}: {}", flow, context);
    }
    // Where the protocol changes, its ports come along and mend themselves.
    let alone = |field: &&Field| **field != Field::SourcePort || !fields.contains(&Field::Protocol);
    for field in fields.iter().filter(alone) {
        if let Some(flow) = change(Some(*field)) {
            prop_assert_eq!(clause.touch(&flow), Touch::No, "{:?} does not fail, {}: {}", field, flow, context);
        }
    }
    Ok(())
}

/// The flow with these fields taken from the space and all others kept; `None` if there is no such
/// flow, because one field drags another along.
fn changed(space: &Space, flow: &Flow, fields: &[Field]) -> Option<Flow> {
    let has = |field| fields.contains(&field);
    // Another family is another near address too, and what ICMP means changes.
    let new_family = has(Field::Family);
    if new_family
        && (space.local.is_some()
            || flow.local().is_some()
            || matches!(flow.payload(), Payload::Icmp(_) | Payload::Other(_)))
    {
        return None;
    }
    let remote = if new_family || has(Field::Remote) {
        let other = |address: &IpAddr| (Family::of(*address) != flow.family()) == new_family;
        space.remote.iter().map(|(first, _)| first).find(other)?
    } else {
        flow.remote()
    };
    let family = Family::of(remote);
    let selector = [Field::Protocol, Field::DestinationPort, Field::IcmpType, Field::IcmpCode];
    let source = if has(Field::SourcePort) { space.source_ports.map(PortRange::first) } else { flow.source_port() };
    let mut changed = if selector.into_iter().any(has) {
        match &space.selector {
            Selector::Tcp(ports) => Flow::tcp(remote, ports.ranges().first()?.first()),
            Selector::Udp(ports) => Flow::udp(remote, ports.ranges().first()?.first()),
            Selector::Icmp(messages) if family == Family::V4 => {
                Flow::icmp(remote, IcmpMessage::new(messages.kind().unwrap_or(0), messages.code().unwrap_or(0)))
            }
            Selector::Icmpv6(messages) if family == Family::V6 => {
                Flow::icmp(remote, IcmpMessage::new(messages.kind().unwrap_or(0), messages.code().unwrap_or(0)))
            }
            Selector::Other(protocol) => Flow::other(remote, *protocol).ok()?,
            // ICMP of the other family, which no flow of this one can be.
            _ => return None,
        }
    } else {
        match flow.payload() {
            Payload::Tcp { destination, .. } => Flow::tcp(remote, destination),
            Payload::Udp { destination, .. } => Flow::udp(remote, destination),
            Payload::Icmp(message) => Flow::icmp(remote, message),
            Payload::Other(protocol) => Flow::other(remote, protocol).ok()?,
        }
    };
    if let Some(port) = source {
        changed = changed.from_port(port);
    }
    match (has(Field::Local), space.local) {
        (true, Some(block)) => changed.at(block.first()).ok(),
        _ => match flow.local() {
            Some(local) => changed.at(local).ok(),
            None => Some(changed),
        },
    }
}

/// Counts what kinds of things happened.
fn count(seen: &mut Seen, explanation: &Explanation, answer: &Answer, flow: &Flow) {
    saw(seen, format!("verdict {:?}", answer.verdict));
    saw(seen, format!("{:?} by {:?}", answer.verdict, answer.basis));
    if answer.basis == Basis::Rule {
        let by_rule = explanation.deciding.iter().filter(|report| report.provenance.rule().is_some());
        if by_rule.count() > 0 {
            saw(seen, format!("rule over {}", flow.family()));
            match flow.payload() {
                Payload::Icmp(_) => saw(seen, format!("rule about {} messages", flow.protocol())),
                Payload::Other(Protocol::ICMP | Protocol::ICMPV6) => saw(seen, "rule about ICMP of the other family"),
                Payload::Other(_) => saw(seen, "rule about another protocol"),
                Payload::Tcp { .. } | Payload::Udp { .. } => saw(seen, "rule about ports"),
            }
        }
        if answer.rules.len() > 1 {
            saw(seen, "several rules decide");
        }
    }
    for other in &explanation.others {
        saw(seen, format!("other {:?}", other.reason));
    }
    for near in &explanation.near_misses {
        for miss in &near.failed {
            saw(seen, format!("near miss by {:?}", miss.field));
        }
    }
    for missing in &explanation.missing {
        let text = format!("{missing:?}");
        saw(seen, format!("missing {}", text.split([' ', '{']).next().unwrap()));
    }
    for note in &explanation.notes {
        saw(seen, format!("note {}", note.fact));
    }
}

/// Counts the kinds of far ends of rules that match for certain.
fn count_peers(seen: &mut Seen, question: &Question<'_>, answer: &Answer) {
    for touching in answer.touching.iter().filter(|touching| touching.certain) {
        let group = question.inventory.group(&touching.group).unwrap();
        let mut rules = group.rules.iter().filter(|rule| rule.direction == question.direction);
        match rules.nth(touching.index).map(|rule| &rule.peer) {
            Some(Peer::Group(reference)) if reference.id == group.id => saw(seen, "self reference"),
            Some(Peer::Group(reference)) if reference.vpc.is_some() => saw(seen, "reference across VPCs"),
            Some(Peer::Group(_)) => saw(seen, "group reference"),
            Some(Peer::PrefixList(_)) => saw(seen, "prefix list"),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn aws_oracle_decision_and_explanation_agree((inventory, flows) in with_flows(aws_inventory())) {
        agree(Cloud::Aws, &inventory, &flows, &mut Seen::new())?;
    }

    #[test]
    fn alibaba_oracle_decision_and_explanation_agree(
        (inventory, flows) in with_flows(alibaba_inventory()),
        reading in 0_usize..4,
    ) {
        agree(Cloud::alibaba()[reading], &inventory, &flows, &mut Seen::new())?;
    }
}

/// Runs the agreement over a fixed set of cases and counts what they reach.
fn reached(cloud: &[Cloud], inventories: impl Strategy<Value = Inventory>, cases: usize) -> Seen {
    let mut seen = Seen::new();
    let mut runner = TestRunner::deterministic();
    let strategy = with_flows(inventories);
    for case in 0..cases {
        let (inventory, flows) = strategy.new_tree(&mut runner).unwrap().current();
        let cloud = cloud[case % cloud.len()];
        agree(cloud, &inventory, &flows, &mut seen).unwrap();
        for interface in inventory.interfaces() {
            for direction in Direction::ALL {
                let question = Question { inventory: &inventory, interface, direction, identity_preserved: true };
                for flow in &flows {
                    count_peers(&mut seen, &question, &cloud.answer(&question, flow));
                }
            }
        }
    }
    seen
}

/// The least number of times that each thing must happen in the fixed set; without this an agreement
/// could be one about nothing.
fn assert_reached(seen: &Seen, wanted: &[(&str, usize)]) {
    for (what, least) in wanted {
        let times = seen.get(*what).copied().unwrap_or(0);
        assert!(times >= *least, "{what}: {times} times, wanted {least}; all: {seen:#?}");
    }
}

/// What both clouds must reach.
const COMMON: &[(&str, usize)] = &[
    ("Allow by Rule", 800),
    ("Allow by NeverFiltered", 100),
    ("Deny by Default", 5000),
    ("Indeterminate by Undecided", 3000),
    ("rule over IPv4", 1000),
    ("rule over IPv6", 500),
    ("rule about ports", 800),
    ("rule about icmp messages", 200),
    ("rule about icmpv6 messages", 100),
    ("rule about ICMP of the other family", 20),
    ("rule about another protocol", 100),
    ("several rules decide", 10),
    ("group reference", 200),
    ("self reference", 100),
    ("reference across VPCs", 20),
    ("prefix list", 100),
    ("other Outranked", 100),
    ("other SameVerdict", 200),
    ("near miss by Protocol", 1000),
    ("near miss by DestinationPort", 500),
    ("near miss by Family", 1000),
    ("near miss by Remote", 1000),
    ("missing GroupRules", 1000),
    ("missing InterfaceGroups", 100),
    ("missing GroupMembers", 100),
    ("missing PrefixListEntries", 100),
    ("missing VpcRelation", 10),
    ("missing ReferencedVpc", 10),
];

#[test]
fn aws_cases_reach_everything() {
    let seen = reached(&[Cloud::Aws], aws_inventory(), 200);
    assert_reached(&seen, COMMON);
    let own = [("Allow by Unfiltered", 100), ("near miss by IcmpType", 200), ("near miss by IcmpCode", 50)];
    assert_reached(&seen, &own);
}

#[test]
fn alibaba_cases_reach_everything() {
    let seen = reached(&Cloud::alibaba(), alibaba_inventory(), 200);
    assert_reached(&seen, COMMON);
    let own = [
        ("Allow by Default", 3000),
        ("Allow by Implied", 800),
        ("Deny by Rule", 500),
        ("other LosesTie", 50),
        ("near miss by SourcePort", 200),
        ("near miss by Local", 500),
        ("missing GroupKind", 500),
        ("missing IntraGroupPolicy", 300),
        ("missing OneGroupKind", 100),
        ("missing AnyGroup", 100),
        ("missing PortListEntries", 10),
        ("missing RuleNic", 50),
        ("missing SourcePort", 20),
        ("missing LocalAddress", 20),
        ("note AMB-1", 100),
        ("note AMB-3", 100),
    ];
    assert_reached(&seen, &own);
}

//! What the matcher costs: time of a decision, time to build, bytes; for every case of
//! [`support::workload`], beside rivals in the same run.
//!
//! ```text
//! benches/run [CASE...]
//! ```
//!
//! One line a case, and indented beneath it one for each other way and rival:
//!
//! ```text
//! case kind rules Mdecisions/s ratio-to-linear build_ms bytes
//! ```
//!
//! | kind | what it is |
//! |---|---|
//! | `direct`, `compact`, `linear` | a kind of matcher, all flows in one call; the unindented line is of the kind that the matcher chose |
//! | the same with `/single` | one call a flow |
//! | `scan` | the baseline: a scan over an array of rules that shares no code with the crate; groups are hash tables |
//! | `reference` | the reference evaluation of the policy |
//! | `prefix-trie` | the crate of that name, asked for the longest prefix of the far address and for nothing else: what part of the work a good building block would do |
//!
//! Then follow the growth of time, build and bytes with rules and with members, and the latency of a decision
//! that the next flow depends on.
//!
//! Before anything is timed, every answer is compared with the expected one, rule number included. Times are
//! of this thread alone. Contenders take turns, round by round; a figure is the median of the rounds, and a
//! ratio the median of the ratios within a round. Slow contenders get the first part of the flows, which are
//! in random order.

mod support;

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use clap::Parser;
use prefix_trie::PrefixMap;
use secgroup::matcher::{Kind, Matcher};
use secgroup::net::Flow;
use secgroup::policy::{Basis, ClauseId, Decision, Policy, Verdict};

use support::clock::{median, millions, milliseconds, processor, timed};
use support::workload::{FLOWS, FlowColumns, Peer, Shape, Workload, catalogue};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Members of the one group in the sweep of members.
const MEMBERS: [usize; 8] = [0, 1, 16, 256, 1_000, 4_096, 16_384, 65_536];
/// Steps that a slow contender may take in one round: rules times flows.
const STEPS: usize = 40_000_000;
/// Flows of the dependent chain: they fit into a first-level cache, so that the decision is timed and not
/// the way to its flow.
const CHAIN: usize = 512;
/// Where building takes longer, it is timed fewer times.
const SLOW_BUILD: Duration = Duration::from_millis(100);
/// Before anything is decided.
const NONE: Decision = Decision { verdict: Verdict::Indeterminate, clause: None, basis: Basis::Default };

/// Time the matcher and its rivals.
#[derive(Parser, Debug)]
struct Args {
    /// The cases; all of them if none is given
    cases: Vec<String>,
    /// Rounds in which all contenders take their turn
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How many flows a case has
    #[arg(long, value_name = "N", default_value_t = FLOWS)]
    flows: usize,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    println!("# cpu {}", processor());
    println!("# kernel {}", kernel()?);
    println!("# {} flows, {} rounds", args.flows, args.rounds);
    println!("# case kind rules Mdecisions/s ratio-to-linear build_ms bytes");
    let sweep = MEMBERS.map(Shape::members);
    let mut results = BTreeMap::new();
    for shape in catalogue().into_iter().chain(sweep) {
        let name = shape.name.clone();
        if args.cases.is_empty() || args.cases.contains(&name) {
            let workload = Workload::new(shape, args.flows)?;
            let result = case(&workload, args.rounds).map_err(|error| format!("{name}: {error}"))?;
            results.insert(name, result);
        }
    }
    print_growth(&results);
    Ok(())
}

/// What runs batches where tables are direct.
fn kernel() -> Outcome<&'static str> {
    let policy = Workload::new(Shape::aws(10), 0)?.policy()?;
    Ok(Matcher::builder().kind(Kind::Direct).build(&policy)?.kernel())
}

/// What the chosen kind did in a case.
#[derive(Debug, Clone, Copy)]
struct Summary {
    nanoseconds: f64,
    build: Duration,
    bytes: usize,
}

/// Someone who decides flows, and what it took.
struct Contender<'a> {
    name: String,
    flows: usize,
    run: Box<dyn FnMut() + 'a>,
    times: Vec<Duration>,
    /// Time to build, and bytes.
    cost: Option<(Duration, usize)>,
}

impl<'a> Contender<'a> {
    fn new(name: impl Into<String>, flows: usize, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), flows, run: Box::new(run), times: Vec::new(), cost: None }
    }

    fn costing(self, (build, bytes): (Duration, usize)) -> Self {
        Self { cost: Some((build, bytes)), ..self }
    }

    fn rates(&self) -> impl Iterator<Item = f64> + '_ {
        self.times.iter().map(|time| millions(self.flows, *time))
    }
}

/// A matcher with what it took to build.
struct Built {
    matcher: Matcher,
    build: Duration,
}

impl Built {
    fn cost(&self) -> (Duration, usize) {
        (self.build, self.matcher.bytes())
    }
}

fn case(workload: &Workload, rounds: u32) -> Outcome<Summary> {
    let policy = workload.policy()?;
    let (flows, columns) = (workload.flows()?, workload.columns());
    let few = (STEPS / workload.rules.len().max(1)).min(flows.len());
    let affordable = |matcher: &Matcher| if matcher.kind() == Kind::Linear { few } else { flows.len() };
    let chosen = build(&policy, rounds, || Ok(Matcher::new(&policy)))?;
    let mut others = Vec::new();
    for kind in Kind::ALL {
        let forced = || Ok(Matcher::builder().kind(kind).build(&policy)?);
        // A kind that refuses a policy is no contender.
        if kind != chosen.matcher.kind()
            && let Ok(built) = build(&policy, rounds, forced)
        {
            others.push(built);
        }
    }
    for built in others.iter().chain([&chosen]) {
        check(&built.matcher, workload, &flows, &columns, affordable(&built.matcher))?;
    }
    check_reference(&policy, workload, &flows, few)?;

    let scan = workload.scan();
    let mut found = vec![None; few];
    let mut contenders = vec![
        batched(&chosen, workload, &columns, affordable(&chosen.matcher))?,
        Contender::new("scan", few, move || {
            scan.run(&mut found);
            black_box(&found);
        }),
        single(&chosen, flows.get(..affordable(&chosen.matcher)).unwrap_or_default()),
    ];
    for built in &others {
        contenders.push(batched(built, workload, &columns, affordable(&built.matcher))?);
    }
    let first = flows.get(..few).unwrap_or_default();
    contenders.push(Contender::new("reference", few, move || {
        for flow in first {
            black_box(policy.decide(black_box(flow)));
        }
    }));
    contenders.push(trie(workload, &columns)?);

    for _ in 0..rounds {
        for contender in &mut contenders {
            let ((), time) = timed(&mut contender.run);
            contender.times.push(time);
        }
    }
    let summary = print(workload, &contenders);
    if workload.shape.name == "aws1000" || workload.shape.name == "v6aws1000" {
        let single_flows: Vec<Flow> = flows.iter().take(CHAIN).copied().collect();
        println!("  {} latency {:.1} ns", workload.shape.name, latency(&chosen.matcher, &single_flows, rounds));
    }
    summary.ok_or_else(|| "nothing was timed".into())
}

/// Builds as often as there are rounds, and takes the median.
fn build(policy: &Policy, rounds: u32, make: impl Fn() -> Outcome<Matcher>) -> Outcome<Built> {
    black_box(policy);
    let (matcher, first) = timed(&make);
    let matcher = matcher?;
    let mut times = vec![first];
    let more = if first > SLOW_BUILD { 2.min(rounds - 1) } else { rounds - 1 };
    for _ in 0..more {
        let (again, time) = timed(&make);
        black_box(again?);
        times.push(time);
    }
    let build = median(&mut times, Ord::cmp).unwrap_or(first);
    Ok(Built { matcher, build })
}

/// A wrong matcher cannot be fast.
fn check(matcher: &Matcher, workload: &Workload, flows: &[Flow], columns: &FlowColumns, count: usize) -> Outcome<()> {
    let mut decisions = vec![NONE; flows.len()];
    decide_columns(matcher, workload, columns, decisions.get_mut(..count).unwrap_or_default())?;
    for (flow, decision) in flows.iter().zip(&decisions).take(count) {
        let alone = matcher.decide(flow);
        if alone != *decision {
            return Err(format!("{}: {flow}: alone {alone:?}, in a batch {decision:?}", matcher.kind()).into());
        }
    }
    expect(&matcher.kind().to_string(), workload, flows, decisions.iter().take(count).copied())
}

fn check_reference(policy: &Policy, workload: &Workload, flows: &[Flow], count: usize) -> Outcome<()> {
    expect("reference", workload, flows, flows.iter().take(count).map(|flow| policy.decide(flow)))
}

/// Compares verdict and clause with what the scan says.
fn expect(who: &str, workload: &Workload, flows: &[Flow], decisions: impl Iterator<Item = Decision>) -> Outcome<()> {
    for ((decision, expected), flow) in decisions.zip(&workload.expected).zip(flows) {
        let rule = expected.map(|deciding| deciding.rule);
        let allows = match rule {
            Some(rule) => workload.rules.get(usize::try_from(rule)?).is_some_and(|rule| rule.allow),
            None => false,
        };
        let verdict = if allows { Verdict::Allow } else { Verdict::Deny };
        if (decision.verdict, decision.clause.map(ClauseId::number)) != (verdict, rule) {
            return Err(format!("{who}: {flow}: expected {verdict} by {rule:?}, found {decision:?}").into());
        }
    }
    Ok(())
}

fn decide_columns(
    matcher: &Matcher,
    workload: &Workload,
    columns: &FlowColumns,
    decisions: &mut [Decision],
) -> Outcome<()> {
    let count = decisions.len();
    if workload.is_v6() {
        matcher.decide_columns(&columns.v6(count)?, decisions)?;
    } else {
        matcher.decide_columns(&columns.v4(count)?, decisions)?;
    }
    Ok(())
}

fn batched<'a>(
    built: &'a Built,
    workload: &'a Workload,
    columns: &'a FlowColumns,
    count: usize,
) -> Outcome<Contender<'a>> {
    let mut decisions = vec![NONE; count];
    // What cannot be decided now is an error now, not in the middle of timing.
    decide_columns(&built.matcher, workload, columns, &mut decisions)?;
    let run = move || {
        let done = decide_columns(&built.matcher, workload, columns, &mut decisions);
        black_box((done.is_ok(), &decisions));
    };
    Ok(Contender::new(built.matcher.kind().to_string(), count, run).costing(built.cost()))
}

fn single<'a>(built: &'a Built, flows: &'a [Flow]) -> Contender<'a> {
    let mut decisions = vec![NONE; flows.len()];
    let run = move || {
        for (flow, decision) in flows.iter().zip(&mut decisions) {
            *decision = built.matcher.decide(black_box(flow));
        }
        black_box(&decisions);
    };
    Contender::new(format!("{}/single", built.matcher.kind()), flows.len(), run).costing(built.cost())
}

/// The longest prefix that a rule or an entry of a group has for the far address.
fn trie<'a>(workload: &Workload, columns: &'a FlowColumns) -> Outcome<Contender<'a>> {
    let blocks = workload.rules.iter().zip(0_u32..).flat_map(|(rule, number)| {
        let (own, set) = match rule.peer {
            Peer::Block(block) => (Some(block), None),
            Peer::Set(set) => (None, workload.sets.get(set)),
        };
        own.into_iter().chain(set.into_iter().flatten().copied()).map(move |block| (block, number))
    });
    let (mut v4, mut v6) = (PrefixMap::<(u32, u8), u32>::new(), PrefixMap::<(u128, u8), u32>::new());
    for (block, number) in blocks {
        let length = u8::try_from(block.length)?;
        if workload.is_v6() {
            v6.insert((block.first, length), number);
        } else {
            v4.insert((u32::try_from(block.first)?, length), number);
        }
    }
    let count = workload.expected.len();
    let mut found = vec![None; count];
    let name = "prefix-trie";
    if workload.is_v6() {
        let run = move || {
            for (address, found) in columns.remote_v6.iter().zip(&mut found) {
                *found = v6.get_lpm(&(*address, 128)).map(|(_, number)| *number);
            }
            black_box(&found);
        };
        return Ok(Contender::new(name, count, run));
    }
    let run = move || {
        for (address, found) in columns.remote_v4.iter().zip(&mut found) {
            *found = v4.get_lpm(&(*address, 32)).map(|(_, number)| *number);
        }
        black_box(&found);
    };
    Ok(Contender::new(name, count, run))
}

/// A line for each contender; the first is the chosen kind.
fn print(workload: &Workload, contenders: &[Contender<'_>]) -> Option<Summary> {
    let (case, rules) = (&workload.shape.name, workload.rules.len());
    let scan = contenders.iter().find(|contender| contender.name == "scan")?;
    let mut summary = None;
    for contender in contenders {
        let rate = median(&mut contender.rates().collect::<Vec<_>>(), f64::total_cmp)?;
        let mut ratios: Vec<f64> = contender.rates().zip(scan.rates()).map(|(own, scan)| own / scan).collect();
        let ratio = median(&mut ratios, f64::total_cmp)?;
        let cost = contender
            .cost
            .map_or_else(|| "- -".to_owned(), |(build, bytes)| format!("{:.3} {bytes}", milliseconds(build)));
        let indent = if summary.is_none() { "" } else { "  " };
        println!("{indent}{case} {} {rules} {rate:.2} {ratio:.1} {cost}", contender.name);
        if let (None, Some((build, bytes))) = (&summary, contender.cost) {
            summary = Some(Summary { nanoseconds: 1e3 / rate, build, bytes });
        }
    }
    summary
}

/// What a decision takes if the next flow depends on it, in nanoseconds.
fn latency(matcher: &Matcher, flows: &[Flow], rounds: u32) -> f64 {
    const STEPS: u32 = 1_000_000;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let (place, time) = timed(|| {
            let mut place = 0_usize;
            for _ in 0..STEPS {
                let Some(flow) = flows.get(place) else { break };
                let decision = matcher.decide(flow);
                // The step is 1 or 2, and known only after the decision.
                place += 1 + usize::from(decision.clause.is_some());
                if place >= flows.len() {
                    place -= flows.len();
                }
            }
            place
        });
        black_box(place);
        times.push(time);
    }
    median(&mut times, Ord::cmp).unwrap_or_default().as_secs_f64() * 1e9 / f64::from(STEPS)
}

/// How time, build and bytes grow.
fn print_growth(results: &BTreeMap<String, Summary>) {
    let rules = [10, 60, 300, 1_000, 10_000].map(|rules| (rules, format!("aws{rules}")));
    let members = MEMBERS.map(|members| (members, format!("members{members}")));
    for (what, sweep) in [("rules", rules.as_slice()), ("members", &members)] {
        let known: Vec<_> = sweep.iter().filter_map(|(number, name)| Some((*number, *results.get(name)?))).collect();
        let Some((_, first)) = known.first().copied() else { continue };
        println!("# growth: {what} ns/decision times-the-first build_ms bytes");
        for (number, Summary { nanoseconds, build, bytes }) in known {
            let times = nanoseconds / first.nanoseconds;
            println!("growth {what} {number} {nanoseconds:.2} {times:.2} {:.3} {bytes}", milliseconds(build));
        }
    }
}

//! What exact sets cost: everything a policy decides, the difference of two policies, the rules that do
//! nothing; and for a whole account its diff, its lint and its classes. Beside the naive way in the same run.
//!
//! `cargo bench --bench sets` for policies; `cargo bench --bench sets -- account` for an account of 10,000
//! interfaces, 1,000 groups and 20,000 rules, of which two versions differ in ten rules; `-- reach` for who reaches
//! whom in it.
//!
//! | way | naive way |
//! |---|---|
//! | `decided`: [`Decided::new`] | `fold`: from the last rule to the first, uniting each with the set it goes to and taking it from the other |
//! | `diff`: [`changes`] of two that differ in ten rules; `diff-anew`: both decided, and [`Decided::changes`] | both folded, and the differences of the two sets |
//! | `superfluous`: [`superfluous`] | each rule left out in turn, and the rest decided anew; a few rules are tried and the time is scaled |
//!
//! One line a case: `case rules cells way ms naive_ms ratio`.

#![expect(clippy::cast_precision_loss, reason = "sizes of a benchmark are far from any limit")]

#[path = "support/account.rs"]
mod account;
mod support;

// What the generator of accounts draws from.
use support::random;

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use clap::Parser;
use secgroup::analysis::{InterfaceClass, Reach, Side, diff, lint::lint, superfluous};
use secgroup::engine::AwsEngine;
use secgroup::model::{Action, Inventory};
use secgroup::net::AddressSet;
use secgroup::policy::{Clause, Fallback, Policy, RuleList};
use secgroup::set::{Decided, PacketSet, changes};

use support::clock::{median, milliseconds, processor, timed};
use support::workload::{Shape, Workload};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rules that the naive way leaves out in turn.
const TRIED: usize = 20;

/// Time exact sets.
#[derive(Parser, Debug)]
struct Args {
    /// The cases, or `account`, or `reach`; the policies if none is given
    cases: Vec<String>,
    /// Rounds in which every way takes its turn
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How large the account is, in percent of 100,000 interfaces, 10,000 groups and 200,000 rules
    #[arg(long, value_name = "N", default_value_t = 10)]
    percent: usize,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    println!("# cpu {}", processor());
    println!("# {} rounds", args.rounds);
    if args.cases.iter().any(|case| case == "account") {
        return measure_account(args.percent, args.rounds);
    }
    if args.cases.iter().any(|case| case == "reach") {
        return measure_reach(args.percent, args.rounds);
    }
    println!("# case rules cells way ms naive_ms ratio");
    for shape in shapes() {
        if args.cases.is_empty() || args.cases.contains(&shape.name) {
            case(&shape, args.rounds).map_err(|error| format!("{}: {error}", shape.name))?;
        }
    }
    Ok(())
}

/// The policies, and the growth with rules.
fn shapes() -> Vec<Shape> {
    let sizes = [60, 125, 250, 500, 2_000].map(Shape::aws);
    let named = ["aws1000", "ali1000", "v6aws1000", "lists1000", "sports1000", "local1000", "adv1000", "grp1000x65k"];
    let catalogue = support::workload::catalogue();
    let of = |name: &str| catalogue.iter().find(|shape| shape.name == name).cloned();
    sizes.into_iter().chain(named.into_iter().filter_map(of)).collect()
}

/// What was worked out is not optimised away.
#[expect(clippy::unnecessary_wraps, reason = "it ends a timed closure, which can fail before")]
fn keep<T>(value: T) -> Outcome<()> {
    black_box(value);
    Ok(())
}

/// The middle of several times, in milliseconds.
fn rounds(count: u32, mut work: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..count {
        let (result, time) = timed(&mut work);
        result?;
        times.push(time);
    }
    Ok(median(&mut times, Ord::cmp).map_or(0.0, milliseconds))
}

fn case(shape: &Shape, count: u32) -> Outcome<()> {
    let policy = Workload::new(shape.clone(), 0)?.policy()?;
    let clauses = policy.lists().first().map(|list| list.clauses().to_vec()).unwrap_or_default();
    // Ten rules are missing in the other version, spread over the list.
    let step = clauses.len().div_ceil(10).max(1);
    let kept =
        clauses.iter().enumerate().filter(|(place, _)| place % step != step / 2).map(|(_, clause)| clause.clone());
    let other = rules(kept.collect())?;
    let decided = match Decided::new(&policy) {
        Ok(decided) => decided,
        Err(error) => {
            println!("{} {} - {error}", shape.name, clauses.len());
            return Ok(());
        }
    };
    let line = |way: &str, ours: f64, naive: Option<f64>| {
        let naive = naive.map_or_else(|| "- -".to_owned(), |naive| format!("{naive:.1} {:.1}", naive / ours.max(1e-9)));
        println!("{} {} {} {way} {ours:.2} {naive}", shape.name, clauses.len(), decided.cells());
    };
    // The naive way takes its turn once where it is slow.
    let naive_turns = if clauses.len() > 300 { 1 } else { count };
    let fold_time = match fold(&clauses) {
        Ok((allowed, _)) if allowed == decided.allow() => {
            Some(rounds(naive_turns, || fold(&clauses).map(|folded| drop(black_box(folded))))?)
        }
        Ok(_) => return Err("the naive way comes to another set".into()),
        Err(_) => None,
    };
    line("decided", rounds(count, || keep(Decided::new(&policy)?))?, fold_time);
    let naive_diff = fold_time.map(|_| {
        rounds(naive_turns, || {
            let (ours, theirs) = (fold(&clauses)?.0, fold(other.lists().first().map_or(&[], |list| list.clauses()))?.0);
            black_box((theirs.difference(&ours)?, ours.difference(&theirs)?));
            Ok(())
        })
    });
    let both = || -> Outcome<()> { keep(changes(&policy, &other)?) };
    let naive_diff = naive_diff.transpose()?;
    line("diff", rounds(count, both)?, naive_diff);
    line("diff-anew", rounds(count, || keep(Decided::new(&policy)?.changes(&Decided::new(&other)?)?))?, naive_diff);
    let naive = rounds(1, || {
        let verdicts = Decided::new(&policy)?;
        for tried in 0..TRIED {
            let left_out = tried * clauses.len() / TRIED;
            let rest = clauses.iter().enumerate().filter(|(place, _)| *place != left_out).map(|(_, c)| c.clone());
            black_box(Decided::new(&rules(rest.collect())?)?.same_verdicts(&verdicts)?);
        }
        Ok(())
    })?;
    let scaled = naive * clauses.len() as f64 / TRIED as f64;
    let found = superfluous(&policy)?;
    line("superfluous", rounds(count, || keep(superfluous(&policy)?))?, Some(scaled));
    println!("#   idle {} removable {}", found.idle.len(), found.removable.len());
    Ok(())
}

fn rules(clauses: Vec<Clause>) -> Outcome<Policy> {
    Ok(Policy::rules(secgroup::Direction::Ingress, RuleList::new("benchmark", clauses, Fallback::deny())?)?)
}

/// What is allowed and denied, rule by rule from the last to the first.
fn fold(clauses: &[Clause]) -> Outcome<(PacketSet, PacketSet)> {
    let (mut allowed, mut denied) = (PacketSet::empty(), PacketSet::all());
    for clause in clauses.iter().rev() {
        let own = PacketSet::from(clause.extent.possible());
        let (to, from) = match clause.action {
            Action::Allow => (&mut allowed, &mut denied),
            _ => (&mut denied, &mut allowed),
        };
        *to = to.union(&own)?;
        *from = from.difference(&own)?;
    }
    Ok((allowed, denied))
}

fn measure_account(percent: usize, count: u32) -> Outcome<()> {
    let before = account::inventory(&account::Scale::of(percent));
    let after = with_ten_rules_changed(&before)?;
    let engine = AwsEngine::new();
    let interfaces = before.interfaces().len();
    let rules: usize = before.groups().map(|group| group.rules.len()).sum();
    println!(
        "# {interfaces} interfaces, {} groups, {rules} rules, {} classes",
        before.groups().len(),
        InterfaceClass::all(&before).len()
    );
    let (old, new) = (Side { engine: &engine, inventory: &before }, Side { engine: &engine, inventory: &after });
    let public = AddressSet::all();
    let found = diff(old, new, &public)?;
    let changed = found.interfaces.values().filter(|subject| !subject.equivalent).count();
    println!("account diff {:.0} ms, {changed} interfaces changed", rounds(count, || keep(diff(old, new, &public)?))?);
    let (found, time) = timed(|| lint(&engine, &before));
    println!("account lint {:.0} ms, {} findings", milliseconds(time), found?.findings.len());
    println!("account peak memory with diff and lint {:.0} MiB", peak());
    Ok(())
}

/// Who reaches whom, every pair of classes.
fn measure_reach(percent: usize, count: u32) -> Outcome<()> {
    let inventory = account::inventory(&account::Scale::of(percent));
    let engine = AwsEngine::new();
    let (mut pairs, mut open, mut classes) = (0, 0, 0);
    let time = rounds(count, || {
        let reach = Reach::new(&engine, &inventory)?;
        (pairs, open, classes) = (0, 0, reach.classes().len());
        for link in reach.matrix() {
            pairs += 1;
            open += usize::from(link.outcome.is_open());
        }
        Ok(())
    })?;
    println!("reach {classes} classes, {pairs} pairs, {open} open, {time:.0} ms");
    println!("reach peak memory {:.0} MiB", peak());
    Ok(())
}

/// The same account with ten groups that have their last rule no more.
fn with_ten_rules_changed(inventory: &Inventory) -> Outcome<Inventory> {
    let mut parts = serde_json::to_value(inventory)?;
    let groups = parts.get_mut("groups").and_then(serde_json::Value::as_array_mut).ok_or("there are no groups")?;
    let step = groups.len().div_ceil(10).max(1);
    for group in groups.iter_mut().step_by(step) {
        let rules = group.get_mut("rules").and_then(serde_json::Value::as_array_mut);
        rules.and_then(Vec::pop);
    }
    Ok(serde_json::from_value(parts)?)
}

/// The most resident memory there was, in MiB, where the system tells it.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

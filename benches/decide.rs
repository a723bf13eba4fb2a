//! What the reference evaluation costs: deciding a flow at 10, 100 and 1,000 rules, explaining one,
//! and lowering a configuration. Beside each stands the baseline, a plain scan over the model's rules
//! in the same run, because on a shared machine only ratios mean something.
//!
//! ```text
//! cargo bench --bench decide
//! ```
//!
//! Before anything is timed, every verdict is compared with the baseline's. Results and method are in
//! `docs/benchmarks.md`.

mod support;

use std::error::Error;
use std::fmt::Debug;
use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use secgroup::policy::{Policy, Verdict};

use support::case::{Case, Cloud};

/// Numbers of rules.
const RULES: [usize; 3] = [10, 100, 1_000];

fn main() -> Result<(), Box<dyn Error>> {
    for cloud in [Cloud::Aws, Cloud::Alibaba] {
        for rules in RULES {
            check(cloud, rules)?;
        }
    }
    divan::main();
    Ok(())
}

/// A wrong engine cannot be fast.
fn check(cloud: Cloud, rules: usize) -> Result<(), Box<dyn Error>> {
    let case = Case::new(cloud, rules)?;
    let policy = lower(&case)?;
    let mut allowed = 0_usize;
    for flow in &case.flows {
        let (expected, found) = (case.scan.decide(flow), policy.decide(flow).verdict);
        let explained = policy.explain(flow).verdict;
        if (found, explained) != (expected, expected) {
            let told = policy.explain(flow);
            return Err(format!("{cloud:?}, {rules} rules: the scan says {expected}, but\n{told}").into());
        }
        allowed += usize::from(expected == Verdict::Allow);
    }
    let (flows, over_v6) = (case.flows.len(), case.flows.iter().filter(|flow| flow.remote().is_ipv6()).count());
    println!("{cloud:?}, {rules} rules, {flows} flows: {allowed} allowed, {over_v6} over IPv6; all verdicts agree");
    Ok(())
}

fn lower(case: &Case) -> Result<Policy, Box<dyn Error>> {
    Ok(case.cloud.engine().lower(&case.scope()?)?)
}

/// Benchmark functions cannot return errors.
fn or_exit<T>(result: Result<T, impl Debug>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("no benchmark: {error:?}");
        std::process::exit(1)
    })
}

/// Times a verdict on every flow of a case, as flows in a second.
fn each_flow(bencher: Bencher<'_, '_>, case: &Case, decide: impl Fn(&secgroup::Flow) -> Verdict) {
    bencher
        .counter(ItemsCount::new(case.flows.len()))
        .bench_local(|| case.flows.iter().filter(|flow| decide(black_box(flow)) == Verdict::Allow).count());
}

fn reference(bencher: Bencher<'_, '_>, cloud: Cloud, rules: usize) {
    let case = or_exit(Case::new(cloud, rules));
    let policy = or_exit(lower(&case));
    each_flow(bencher, &case, |flow| policy.decide(flow).verdict);
}

fn baseline(bencher: Bencher<'_, '_>, cloud: Cloud, rules: usize) {
    let case = or_exit(Case::new(cloud, rules));
    each_flow(bencher, &case, |flow| case.scan.decide(flow));
}

fn explained(bencher: Bencher<'_, '_>, cloud: Cloud, rules: usize) {
    let case = or_exit(Case::new(cloud, rules));
    let policy = or_exit(lower(&case));
    each_flow(bencher, &case, |flow| policy.explain(flow).verdict);
}

/// Times the way from the model to a policy, as rules in a second.
fn lowered(bencher: Bencher<'_, '_>, cloud: Cloud, rules: usize) {
    let case = or_exit(Case::new(cloud, rules));
    let (engine, scope) = (cloud.engine(), or_exit(case.scope()));
    bencher.counter(ItemsCount::new(rules)).bench_local(|| engine.lower(black_box(&scope)).is_ok());
}

/// One flow, AWS.
mod aws {
    use super::{Bencher, Cloud, RULES};

    #[divan::bench(args = RULES)]
    fn decide(bencher: Bencher<'_, '_>, rules: usize) {
        super::reference(bencher, Cloud::Aws, rules);
    }

    #[divan::bench(args = RULES)]
    fn scan(bencher: Bencher<'_, '_>, rules: usize) {
        super::baseline(bencher, Cloud::Aws, rules);
    }

    #[divan::bench(args = [100])]
    fn explain(bencher: Bencher<'_, '_>, rules: usize) {
        super::explained(bencher, Cloud::Aws, rules);
    }

    #[divan::bench(args = [1_000])]
    fn lower(bencher: Bencher<'_, '_>, rules: usize) {
        super::lowered(bencher, Cloud::Aws, rules);
    }
}

/// One flow, Alibaba Cloud.
mod alibaba {
    use super::{Bencher, Cloud, RULES};

    #[divan::bench(args = RULES)]
    fn decide(bencher: Bencher<'_, '_>, rules: usize) {
        super::reference(bencher, Cloud::Alibaba, rules);
    }

    #[divan::bench(args = RULES)]
    fn scan(bencher: Bencher<'_, '_>, rules: usize) {
        super::baseline(bencher, Cloud::Alibaba, rules);
    }

    #[divan::bench(args = [100])]
    fn explain(bencher: Bencher<'_, '_>, rules: usize) {
        super::explained(bencher, Cloud::Alibaba, rules);
    }

    #[divan::bench(args = [1_000])]
    fn lower(bencher: Bencher<'_, '_>, rules: usize) {
        super::lowered(bencher, Cloud::Alibaba, rules);
    }
}

//! Instructions of a decision and of building at 1,000 rules, counted by valgrind's callgrind: the figure
//! that does not depend on what else the machine does.
//!
//! ```text
//! cargo install --version 0.20.0 gungraun-runner    # the version of the crate in Cargo.toml
//! cargo bench --bench instructions
//! ```
//!
//! Only running it needs valgrind and the runner. Inputs are made outside of what is counted. A function
//! decides [`FLOWS`] flows; divide by that. Valgrind knows no AVX-512, so what is counted is what runs on a
//! processor without it.

#![expect(missing_docs, reason = "what the macros make has no documentation")]

mod support;

use std::error::Error;
use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use secgroup::matcher::Matcher;
use secgroup::net::Flow;
use secgroup::policy::{Basis, Decision, Policy, Verdict};

use support::workload::{FlowColumns, Workload};

/// Flows of a case.
const FLOWS: usize = 10_000;
/// Before anything is decided.
const NONE: Decision = Decision { verdict: Verdict::Indeterminate, clause: None, basis: Basis::Default };

/// What is decided, and by whom.
struct Question {
    matcher: Matcher,
    flows: Vec<Flow>,
    columns: FlowColumns,
    over_v6: bool,
    decisions: Vec<Decision>,
}

/// The runner counts functions that cannot fail; a case that cannot be made ends the program.
fn or_exit<T>(result: Result<T, Box<dyn Error>>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("no benchmark: {error}");
        std::process::exit(1)
    })
}

fn policy(case: &str) -> Policy {
    or_exit(Workload::named(case, FLOWS).and_then(|workload| workload.policy()))
}

fn question(case: &str) -> Question {
    let make = || -> Result<Question, Box<dyn Error>> {
        let workload = Workload::named(case, FLOWS)?;
        Ok(Question {
            matcher: Matcher::new(&workload.policy()?),
            flows: workload.flows()?,
            columns: workload.columns(),
            over_v6: workload.is_v6(),
            decisions: vec![NONE; FLOWS],
        })
    };
    or_exit(make())
}

#[library_benchmark]
#[bench::aws1000(args = ("aws1000"), setup = question)]
#[bench::ali1000(args = ("ali1000"), setup = question)]
#[bench::v6aws1000(args = ("v6aws1000"), setup = question)]
fn single(mut question: Question) -> Question {
    for (flow, decision) in question.flows.iter().zip(&mut question.decisions) {
        *decision = question.matcher.decide(black_box(flow));
    }
    question
}

#[library_benchmark]
#[bench::aws1000(args = ("aws1000"), setup = question)]
#[bench::ali1000(args = ("ali1000"), setup = question)]
#[bench::v6aws1000(args = ("v6aws1000"), setup = question)]
fn batched(mut question: Question) -> Question {
    let Question { matcher, columns, over_v6, decisions, .. } = &mut question;
    let decided = if *over_v6 {
        columns.v6(FLOWS).map(|columns| matcher.decide_columns(&columns, decisions))
    } else {
        columns.v4(FLOWS).map(|columns| matcher.decide_columns(&columns, decisions))
    };
    black_box(decided.is_ok());
    question
}

#[library_benchmark]
#[bench::aws1000(args = ("aws1000"), setup = policy)]
#[bench::ali1000(args = ("ali1000"), setup = policy)]
#[bench::v6aws1000(args = ("v6aws1000"), setup = policy)]
fn build(policy: Policy) -> (Policy, Matcher) {
    let matcher = Matcher::new(&policy);
    (policy, matcher)
}

library_benchmark_group!(name = matcher, benchmarks = [single, batched, build]);

main!(library_benchmark_groups = matcher);

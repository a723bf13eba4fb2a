//! Which rules do nothing, which do harm, and what would auditors say? Asked of a folder with a cloud's own
//! documents.
//!
//! Exit status: 0 no finding of the severity of `--fail-on` or worse, 1 there is one, 2 usage or input
//! error, 3 there is none, but the data cannot tell about some traffic.

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use secgroup::analysis::lint::{Finding, Lint, RulesByDirection, lint};
use secgroup::analysis::{Severity, Subject};
use secgroup::model::{GroupId, InterfaceId, PrefixListId, RuleId};
use secgroup::net::Direction;
use serde::Serialize;

use common::{Failure, INDETERMINATE, Reading, Witness, finish, printable};

/// Which rules do nothing, which do harm, and what would auditors say?
#[derive(Parser, Debug)]
#[command(
    name = "lint",
    after_help = "Exit status: 0 no finding of the severity of --fail-on or worse, 1 there is one, 2 usage or input\n\
    error, 3 there is none, but the data cannot tell about some traffic."
)]
struct Args {
    /// Folder with the cloud's documents (output of its describe calls, one JSON file each)
    folder: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// The mildest severity that makes the exit status 1: info, warning, error or critical
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    fail_on: Severity,
    /// The mildest severity that is printed; JSON has all
    #[arg(long, value_name = "SEVERITY", default_value = "info")]
    show: Severity,
}

fn main() -> ExitCode {
    finish(run(&Args::parse()))
}

fn run(args: &Args) -> Result<u8, Failure> {
    let loaded = args.reading.read(&args.folder)?;
    let engine = args.reading.engine(&loaded);
    let found = lint(engine.as_ref(), &loaded.inventory)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        serde_json::to_writer_pretty(&mut out, &Report::new(&found))?;
        writeln!(out)?;
    } else {
        print(&found, args.show, &mut out)?;
    }
    out.flush()?;
    Ok(match found.worst() {
        Some(worst) if worst >= args.fail_on => 1,
        _ if !found.indeterminate.is_empty() => INDETERMINATE,
        _ => 0,
    })
}

#[derive(Serialize)]
struct Report<'a> {
    findings: Vec<FindingReport<'a>>,
    removable: BTreeMap<&'a str, Removable<'a>>,
    /// Interfaces about some of whose traffic the data cannot tell.
    indeterminate: Vec<&'a str>,
}

#[derive(Serialize)]
struct Removable<'a> {
    ingress: &'a [RuleId],
    egress: &'a [RuleId],
}

#[derive(Serialize)]
struct FindingReport<'a> {
    code: &'a str,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a InterfaceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a GroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix_list: Option<&'a PrefixListId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    rules: &'a [RuleId],
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<Witness>,
}

fn id(subject: &Subject) -> &str {
    match subject {
        Subject::Interface(id) => id.as_str(),
        Subject::Group(id) => id.as_str(),
        Subject::PrefixList(id) => id.as_str(),
        other => unreachable!("this program does not know {other}"),
    }
}

impl<'a> Report<'a> {
    fn new(lint: &'a Lint) -> Self {
        let rules = |by_direction: &'a RulesByDirection, direction| -> &'a [RuleId] {
            by_direction.get(&direction).map(Vec::as_slice).unwrap_or_default()
        };
        let removable = |(subject, by_direction): (&'a Subject, &'a RulesByDirection)| {
            let removable = Removable {
                ingress: rules(by_direction, Direction::Ingress),
                egress: rules(by_direction, Direction::Egress),
            };
            (id(subject), removable)
        };
        Self {
            findings: lint.findings.iter().map(FindingReport::new).collect(),
            removable: lint.removable.iter().map(removable).collect(),
            indeterminate: lint.indeterminate.iter().map(id).collect(),
        }
    }
}

impl<'a> FindingReport<'a> {
    fn new(finding: &'a Finding) -> Self {
        let interface = match &finding.subject {
            Subject::Interface(id) => Some(id),
            _ => None,
        };
        let group = match &finding.subject {
            Subject::Group(id) => Some(id),
            _ => None,
        };
        let prefix_list = match &finding.subject {
            Subject::PrefixList(id) => Some(id),
            _ => None,
        };
        let witness = finding.witness.as_ref().zip(finding.direction);
        Self {
            code: finding.code,
            severity: finding.severity,
            interface,
            group,
            prefix_list,
            direction: finding.direction,
            rules: &finding.rules,
            message: &finding.message,
            suggestion: finding.suggestion.as_deref(),
            witness: witness.map(|(flow, direction)| Witness::new(interface, direction, flow)),
        }
    }
}

fn print(lint: &Lint, show: Severity, out: &mut impl Write) -> io::Result<()> {
    for finding in lint.findings.iter().filter(|finding| finding.severity >= show) {
        writeln!(out, "{}", printable(&finding.to_string()))?;
    }
    for (subject, by_direction) in &lint.removable {
        for (direction, rules) in by_direction.iter().filter(|(_, rules)| !rules.is_empty()) {
            let names: Vec<String> = rules.iter().map(|rule| format!("`{rule}`")).collect();
            writeln!(out, "removable together: {subject}, {direction}: {}", printable(&names.join(", ")))?;
        }
    }
    for subject in &lint.indeterminate {
        writeln!(out, "indeterminate: {subject}: the data cannot tell about some of its traffic")?;
    }
    let count = |severity| lint.findings.iter().filter(|finding| finding.severity == severity).count();
    let counts: Vec<String> = Severity::ALL.into_iter().rev().map(|s| format!("{} {s}", count(s))).collect();
    writeln!(out, "{} findings: {}", lint.findings.len(), counts.join(", "))
}

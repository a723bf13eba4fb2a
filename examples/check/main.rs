//! May this packet pass, and which rule says so? Asked of a folder with a cloud's own documents.
//!
//! - `check` answers telling questions about the configurations bundled under `examples/data`.
//! - `check --provider aws --config DIR --from ID --to ID --protocol tcp --port 443` answers one
//!   question; an ID is an interface, an instance or an IP address outside.
//! - `check --provider aws --config DIR --batch FILE` answers one question a line (JSON lines).
//!
//! Exit status: 0 allow, 1 deny, 2 usage or input error, 3 indeterminate; with `--batch` 0 if every
//! line was answered, 2 if not.

mod batch;
mod demo;
mod question;
mod single;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use secgroup::engine::{AlibabaEngine, AwsEngine, IntraGroupEgress, PolicyEngine};
use secgroup::load::{Loaded, Loader, Provider};

/// What went wrong, for people.
type Failure = Box<dyn std::error::Error>;

/// The status for usage and input errors.
const INPUT_ERROR: u8 = 2;
/// How many warnings are printed without `--all-warnings`.
const WARNINGS_SHOWN: usize = 1_000;

/// May this packet pass these security groups, and which rule says so?
///
/// Without arguments: questions about the bundled configurations, answered with reasons.
#[derive(Parser, Debug)]
#[command(
    name = "check",
    after_help = "Exit status: 0 allow, 1 deny, 2 usage or input error, 3 indeterminate.\n\
    With --batch: 0 if every line was answered, 2 if a line was bad or loading failed."
)]
struct Args {
    /// Whose documents the folder holds; recognised by their content if absent
    #[arg(long, value_parser = |text: &str| text.parse::<Provider>())]
    provider: Option<Provider>,
    /// Folder with the cloud's documents (output of its describe calls, one JSON file each)
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Read questions from FILE, one JSON object a line; - is standard input
    #[arg(long, value_name = "FILE", requires = "config", conflicts_with_all = QUESTION)]
    batch: Option<PathBuf>,
    #[command(flatten)]
    question: question::PacketArgs,
    /// Print the answer as JSON
    #[arg(long, conflicts_with = "batch")]
    json: bool,
    /// Alibaba: whether egress drops stop traffic between members of an interconnected group (AMB-1)
    #[arg(long, value_name = "READING", default_value = "table")]
    intra_group_egress: Egress,
    /// Take the loaded interfaces for all there are, so that groups have no other members
    #[arg(long)]
    assume_complete: bool,
    /// Print every warning of loading, not only the first thousand
    #[arg(long)]
    all_warnings: bool,
}

/// The arguments of a single question, which a batch does not take.
const QUESTION: [&str; 7] = ["from", "to", "protocol", "port", "source_port", "icmp_type", "icmp_code"];

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Egress {
    /// By the tables of rule order: they do
    Table,
    /// By the pages on policies: they never do
    Always,
}

impl From<Egress> for IntraGroupEgress {
    fn from(egress: Egress) -> Self {
        match egress {
            Egress::Table => Self::Table,
            Egress::Always => Self::AlwaysAllow,
        }
    }
}

fn main() -> ExitCode {
    if std::env::args_os().len() == 1 {
        return finish(demo::run());
    }
    let args = Args::parse();
    finish(run(&args))
}

/// An error goes to standard error; a reader that has gone away is none of ours.
fn finish(result: Result<u8, Failure>) -> ExitCode {
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let gone = error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
            if !gone {
                let _ = writeln!(io::stderr(), "error: {}", chain(error.as_ref()));
            }
            ExitCode::from(INPUT_ERROR)
        }
    }
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn run(args: &Args) -> Result<u8, Failure> {
    let Some(config) = &args.config else {
        return Err("--config DIR is needed (without any arguments, the bundled configurations are used)".into());
    };
    if args.batch.is_none() {
        // A bad question is refused before anything is read.
        args.question.validate()?;
    }
    let loaded = load(config, args.provider, args.assume_complete)?;
    print_warnings(&loaded, args.all_warnings);
    let engine = engine(loaded.provider, args.intra_group_egress.into());
    match &args.batch {
        Some(file) => batch::run(engine.as_ref(), &loaded.inventory, file),
        None => single::run(engine.as_ref(), &loaded.inventory, &args.question, args.json),
    }
}

/// Reads a folder.
fn load(config: &Path, provider: Option<Provider>, assume_complete: bool) -> Result<Loaded, Failure> {
    let mut loader = Loader::new();
    if let Some(provider) = provider {
        loader = loader.expect_provider(provider);
    }
    if assume_complete {
        loader = loader.assume_complete();
    }
    Ok(loader.dir(config)?.finish()?)
}

/// The engine for a provider's documents.
fn engine(provider: Provider, intra_group_egress: IntraGroupEgress) -> Box<dyn PolicyEngine> {
    match provider {
        Provider::Aws => Box::new(AwsEngine::new()),
        Provider::Alibaba => Box::new(AlibabaEngine::new().with_intra_group_egress(intra_group_egress)),
        other => unreachable!("this program does not know the provider {other}"),
    }
}

fn print_warnings(loaded: &Loaded, all: bool) {
    let shown = if all { loaded.warnings.len() } else { WARNINGS_SHOWN };
    let mut stderr = io::stderr().lock();
    for warning in loaded.warnings.iter().take(shown) {
        let _ = writeln!(stderr, "warning: {warning}");
    }
    let more = loaded.warnings.len().saturating_sub(shown);
    if more > 0 {
        let _ = writeln!(stderr, "warning: and {more} more; --all-warnings prints them");
    }
}

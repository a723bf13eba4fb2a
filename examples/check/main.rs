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
#[path = "../common/mod.rs"]
mod common;
mod demo;
mod question;
mod single;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use common::{Egress, Failure, INPUT_ERROR, engine, finish, load, print_warnings};
use secgroup::load::Provider;

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

fn main() -> ExitCode {
    if std::env::args_os().len() == 1 {
        return finish(demo::run());
    }
    let args = Args::parse();
    finish(run(&args))
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

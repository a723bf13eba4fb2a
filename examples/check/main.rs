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
use common::{Failure, INPUT_ERROR, Reading, finish};

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
    #[command(flatten)]
    reading: Reading,
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
    let loaded = args.reading.read(config)?;
    let engine = args.reading.engine(&loaded);
    match &args.batch {
        Some(file) => batch::run(engine.as_ref(), &loaded.inventory, file),
        None => single::run(engine.as_ref(), &loaded.inventory, &args.question, args.json),
    }
}

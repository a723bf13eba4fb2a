//! Writes a case of the benchmarks into files, so that other classifiers can be compared on the same
//! rules and flows: `workload CASE DIR`, `workload --list`.
//!
//! The files are described in `benches/support/workload/files.rs`. Rules and flows are the input of the
//! example `matchbench`.

#[path = "../benches/support/mod.rs"]
mod support;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use support::workload::{FLOWS, Workload, catalogue};

/// Write rules, flows and expected answers of a benchmark case.
#[derive(Parser, Debug)]
#[command(name = "workload")]
struct Args {
    /// The case, one of --list
    #[arg(required_unless_present = "list")]
    case: Option<String>,
    /// The directory to write to
    #[arg(required_unless_present = "list")]
    dir: Option<PathBuf>,
    /// How many flows
    #[arg(long, default_value_t = FLOWS, value_name = "N")]
    flows: usize,
    /// List the cases
    #[arg(long, conflicts_with_all = ["case", "dir"])]
    list: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let (Some(case), Some(dir)) = (&args.case, &args.dir) else {
        for shape in catalogue() {
            println!("{}", shape.name);
        }
        return Ok(());
    };
    let workload = Workload::named(case, args.flows)?;
    workload.write_files(dir)?;
    let hits = workload.expected.iter().flatten().count();
    println!(
        "{case}: {} rules, {} lines, {} flows, of which {hits} hits",
        workload.rules.len(),
        workload.expanded_rules(),
        workload.expected.len()
    );
    Ok(())
}

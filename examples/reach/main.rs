//! Who can reach whom, and on which traffic? Asked of a folder with a cloud's own documents.
//!
//! - `reach --config DIR --to ID` tells who can reach an interface;
//! - `reach --config DIR --from ID` tells what it can reach;
//! - `reach --config DIR --from ID --to ID` tells what passes from one to the other, where the rest is
//!   stopped, and why;
//! - `reach --config DIR --exposed [CIDR]` tells what answers to the outside;
//! - `reach --config DIR` prints the matrix of all interfaces by classes.
//!
//! Exit status: 0 answered; of a pair 0 something is allowed, 1 nothing is, 3 nothing is proved and
//! something is indeterminate; 2 usage or input error.

#[path = "../common/mod.rs"]
mod common;
mod many;
mod outside;
mod pair;

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use common::{Failure, Reading, finish, interface};
use secgroup::analysis::{Reach, Reached};
use secgroup::model::InterfaceId;
use secgroup::net::{AddressSet, Cidr};
use serde::Serialize;

/// Who can reach whom, and on which traffic?
///
/// Without --to, --from and --exposed: the matrix of all interfaces, by classes that reach the same.
#[derive(Parser, Debug)]
#[command(
    name = "reach",
    after_help = "Exit status: 0 answered, 2 usage or input error.\n\
    With --from and --to: 0 something is allowed, 1 nothing is, 3 nothing is for sure and something may be."
)]
struct Args {
    #[command(flatten)]
    reading: Reading,
    /// Folder with the cloud's documents (output of its describe calls, one JSON file each)
    #[arg(long, value_name = "DIR")]
    config: PathBuf,
    /// Who can reach this interface or instance
    #[arg(long, value_name = "ID")]
    to: Option<String>,
    /// What this interface or instance can reach
    #[arg(long, value_name = "ID")]
    from: Option<String>,
    /// What answers to these addresses outside; by default to all of them
    #[arg(long, value_name = "CIDR", num_args = 0..=1, value_parser = block, conflicts_with_all = ["to", "from"])]
    #[expect(clippy::option_option, reason = "whether it is given, and whether with a block")]
    exposed: Option<Option<Cidr>>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// A block, or a single address.
fn block(text: &str) -> Result<Cidr, String> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(Cidr::host(address)),
        Err(_) => text.parse::<Cidr>().map_err(|error| error.to_string()),
    }
}

fn main() -> ExitCode {
    finish(run(&Args::parse()))
}

fn run(args: &Args) -> Result<u8, Failure> {
    let loaded = args.reading.read(&args.config)?;
    let engine = args.reading.engine(&loaded);
    let inventory = &loaded.inventory;
    if let Some(block) = args.exposed {
        let from = block.map_or_else(AddressSet::all, AddressSet::from);
        let answer = outside::ask(engine.as_ref(), inventory, &from)?;
        return print(&answer, &answer.text(), args.json, 0);
    }
    let id = |text: &Option<String>| text.as_ref().map(|text| interface(inventory, text)).transpose();
    let (from, to) = (id(&args.from)?, id(&args.to)?);
    let reach = Reach::new(engine.as_ref(), inventory)?;
    match (from, to) {
        (Some(from), Some(to)) => {
            let answer = pair::ask(&reach, from, to)?;
            print(&answer, &answer.text(), args.json, answer.status())
        }
        (None, Some(to)) => {
            let answer = many::Answer::to(&reach, to)?;
            print(&answer, &answer.text(), args.json, 0)
        }
        (Some(from), None) => {
            let answer = many::Answer::from(&reach, from)?;
            print(&answer, &answer.text(), args.json, 0)
        }
        (None, None) => {
            let answer = many::Matrix::new(&reach);
            print(&answer, &answer.text(), args.json, 0)
        }
    }
}

/// Prints an answer; the result is the exit status.
fn print(answer: &impl Serialize, text: &str, json: bool, status: u8) -> Result<u8, Failure> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, answer)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{}", common::printable(text))?;
    }
    out.flush()?;
    Ok(status)
}

/// As what is shared.
fn shared<S: serde::Serializer>(reached: &Arc<Reached>, serializer: S) -> Result<S::Ok, S::Error> {
    reached.as_ref().serialize(serializer)
}

/// How many interfaces the text names.
const NAMED: usize = 6;

/// Interfaces by their ids, the first few.
fn names(ids: &[InterfaceId]) -> String {
    let mut text = ids.iter().take(NAMED).map(InterfaceId::as_str).collect::<Vec<_>>().join(", ");
    if let Some(more) = ids.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// A number of things, in the singular if it is one.
fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

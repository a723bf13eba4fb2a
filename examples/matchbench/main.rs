//! Times the matcher on a policy and flows in plain text, for comparison with other classifiers.
//!
//! ```text
//! cargo run --release --example matchbench -- --rules FILE --flows FILE [--repeat N]
//! ```
//!
//! **Rules**, one a line, the first that matches decides, numbered from 1; nothing matches is a denial by
//! rule 0:
//!
//! ```text
//! allow|deny PROTOCOL|* SOURCE-CIDR LO-HI DESTINATION-CIDR LO-HI
//! allow 6 10.1.2.0/24 0-65535 0.0.0.0/0 22-80
//! ```
//!
//! **Flows**, one a line:
//!
//! ```text
//! PROTOCOL SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT
//! 6 10.1.2.3 10.0.0.5 40000 22
//! ```
//!
//! A protocol is a number or a name; `*` in a rule is every protocol. Ranges include both bounds; they and
//! the ports of a flow are ignored for protocols other than TCP and UDP and for `*`. Both ends of a line are
//! of one family, IPv4 or IPv6, and lines of both may be mixed; a rule is about its own family only. Bits
//! beyond a prefix are masked, as the clouds do. Blank lines are skipped. The direction is ingress: the
//! source is remote.
//!
//! **Output**, one a line: how many flows are allowed (`allow N`) and denied (`deny N`), `checksum C`, which
//! is the sum over all flows of the deciding rule's number × (the flow's index from 0, plus 1) modulo 2^64,
//! `build_ms` for the matcher out of the policy, `bytes`, millions of decisions a second with one call a flow
//! (`single_mps`) and in one call for each family (`batched_mps`), `kind` of the matcher, and `cpu` with the kernel that ran batches. Times
//! are of this thread alone and medians of all repetitions; reading files is not timed. Every decision is
//! made in both ways, and a difference is an error.
//!
//! Exit status: 0, or 2 for a usage or input error.

#[path = "../../benches/support/clock.rs"]
mod clock;
mod input;
mod measure;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use secgroup::policy::Verdict;

use measure::Measured;

/// What went wrong, for people.
type Failure = Box<dyn std::error::Error>;

/// The status for usage and input errors.
const INPUT_ERROR: u8 = 2;

/// Time the matcher on rules and flows in plain text.
#[derive(Parser, Debug)]
#[command(
    name = "matchbench",
    after_help = "A rule: allow|deny protocol|* src-CIDR lo-hi dst-CIDR lo-hi\n\
    A flow: protocol src dst sport dport"
)]
struct Args {
    /// The rules, one a line, the first that matches decides
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// The flows, one a line
    #[arg(long, value_name = "FILE")]
    flows: PathBuf,
    /// How often everything is timed; medians are printed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeat: u32,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A reader that has gone away is none of ours.
            let gone = error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
            if !gone {
                let _ = writeln!(io::stderr(), "error: {error}");
            }
            ExitCode::from(INPUT_ERROR)
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let policy = input::policy(&args.rules)?;
    let flows = input::flows(&args.flows)?;
    let measured = measure::measure(&policy, &flows, args.repeat)?;
    print(&measured)?;
    Ok(())
}

fn print(measured: &Measured) -> io::Result<()> {
    let decisions = &measured.decisions;
    let allowed = decisions.iter().filter(|decision| decision.verdict == Verdict::Allow).count();
    // A clause has the number of its rule, from 0.
    let numbers = decisions.iter().map(|decision| decision.clause.map_or(0, |clause| u64::from(clause.number()) + 1));
    let checksum =
        (1_u64..).zip(numbers).fold(0_u64, |sum, (place, number)| sum.wrapping_add(number.wrapping_mul(place)));
    let mut out = io::stdout().lock();
    writeln!(out, "allow {allowed}")?;
    writeln!(out, "deny {}", decisions.len() - allowed)?;
    writeln!(out, "checksum {checksum}")?;
    writeln!(out, "build_ms {:.3}", clock::milliseconds(measured.build))?;
    writeln!(out, "bytes {}", measured.matcher.bytes())?;
    writeln!(out, "single_mps {:.2}", clock::millions(decisions.len(), measured.single))?;
    writeln!(out, "batched_mps {:.2}", clock::millions(decisions.len(), measured.batched))?;
    writeln!(out, "kind {}", measured.matcher.kind())?;
    writeln!(out, "cpu {}; kernel {}", clock::processor(), measured.matcher.kernel())
}

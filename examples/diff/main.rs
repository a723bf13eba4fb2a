//! What does a change of configuration open and close? Asked of two folders with a cloud's own documents.
//!
//! `diff BEFORE AFTER` tells for each interface and each group the traffic that is gained and lost, as few
//! boxes, each with a packet that shows it and the rules that decided before and decide after.
//!
//! Exit status: 0 the meaning is unchanged, 1 it changed, 2 usage or input error, 3 no change is proved, but
//! something that the data cannot tell may have changed.

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use secgroup::analysis::controls::public_addresses;
use secgroup::analysis::{ChangedBox, ChangedTraffic, Diff, Owner, Side, Status, SubjectDiff, diff};
use secgroup::model::{GroupId, InterfaceId, Inventory, RuleId};
use secgroup::net::{AddressSet, Cidr, Direction};
use serde::Serialize;

use common::{Failure, INDETERMINATE, Reading, Witness, chain, finish, printable};

/// What does a change of configuration open and close?
#[derive(Parser, Debug)]
#[command(
    name = "diff",
    after_help = "Exit status: 0 the meaning is unchanged, 1 it changed, 2 usage or input error, 3 no change is\n\
    proved, but something that the data cannot tell may have changed."
)]
struct Args {
    /// Folder with the documents before
    before: PathBuf,
    /// Folder with the documents after
    after: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Print the differences as JSON
    #[arg(long)]
    json: bool,
    /// Far addresses to which new exposure is called out; all public addresses if absent
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    public: Vec<Cidr>,
}

fn main() -> ExitCode {
    finish(run(&Args::parse()))
}

fn run(args: &Args) -> Result<u8, Failure> {
    // Both folders have files of the same names, so errors say which one is meant.
    let read = |folder: &PathBuf| {
        let loaded = args.reading.read(folder);
        loaded.map_err(|error| format!("in `{}`: {}", folder.display(), chain(error.as_ref())))
    };
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let (old, new) = (args.reading.engine(&before), args.reading.engine(&after));
    let old = Side { engine: old.as_ref(), inventory: &before.inventory };
    let new = Side { engine: new.as_ref(), inventory: &after.inventory };
    let public =
        if args.public.is_empty() { public_addresses() } else { args.public.iter().copied().collect::<AddressSet>() };
    let found = diff(old, new, &public)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let sides = Sides { before: &before.inventory, after: &after.inventory, public: &public };
    if args.json {
        serde_json::to_writer_pretty(&mut out, &sides.report(&found))?;
        writeln!(out)?;
    } else {
        sides.print(&found, &mut out)?;
    }
    out.flush()?;
    Ok(match (found.has_changes(), found.has_doubts()) {
        (true, _) => 1,
        (false, true) => INDETERMINATE,
        (false, false) => 0,
    })
}

/// Both configurations, to know the addresses of interfaces.
struct Sides<'a> {
    before: &'a Inventory,
    after: &'a Inventory,
    public: &'a AddressSet,
}

#[derive(Serialize)]
struct Report {
    interfaces: BTreeMap<InterfaceId, SubjectReport>,
    groups: BTreeMap<GroupId, SubjectReport>,
}

#[derive(Serialize)]
struct SubjectReport {
    equivalent: bool,
    status: Status,
    gained: Vec<BoxReport>,
    lost: Vec<BoxReport>,
    uncertain: Vec<BoxReport>,
    /// Why a direction could not be compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_compared: Vec<String>,
}

#[derive(Serialize)]
struct BoxReport {
    direction: Direction,
    #[serde(rename = "box")]
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<Witness>,
    before: Vec<RuleId>,
    after: Vec<RuleId>,
    /// What decided before and decides after, in words.
    reasons: Reasons,
    /// Whether the public may be at the far end.
    public: bool,
}

#[derive(Serialize)]
struct Reasons {
    before: String,
    after: String,
}

impl Sides<'_> {
    /// The near addresses of an interface.
    fn locals(&self, id: &InterfaceId) -> Vec<IpAddr> {
        let interface = self.after.interface(id.as_str()).or_else(|| self.before.interface(id.as_str()));
        interface.map(|interface| interface.addresses.clone()).unwrap_or_default()
    }

    fn report(&self, diff: &Diff) -> Report {
        let interface = |(id, subject): (&InterfaceId, &std::sync::Arc<SubjectDiff>)| {
            (id.clone(), SubjectReport::new(Some(id), &self.locals(id), subject, self.public))
        };
        let group = |(id, subject): (&GroupId, &std::sync::Arc<SubjectDiff>)| {
            (id.clone(), SubjectReport::new(None, &[], subject, self.public))
        };
        Report {
            interfaces: diff.interfaces.iter().map(interface).collect(),
            groups: diff.groups.iter().map(group).collect(),
        }
    }

    fn print(&self, diff: &Diff, out: &mut impl Write) -> io::Result<()> {
        // Interfaces that share a difference are told of together.
        let mut shared: Vec<(Vec<&InterfaceId>, &SubjectDiff)> = Vec::new();
        for (id, subject) in &diff.interfaces {
            match shared.iter_mut().find(|(_, known)| std::ptr::eq(*known, subject.as_ref())) {
                Some((ids, _)) => ids.push(id),
                None => shared.push((vec![id], subject)),
            }
        }
        for (ids, subject) in shared {
            let locals = ids.first().map(|id| self.locals(id)).unwrap_or_default();
            let names: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
            print_subject(out, &format!("interface {}", names.join(", ")), subject, &locals, self.public)?;
        }
        for (id, subject) in &diff.groups {
            print_subject(out, &format!("group {id}"), subject, &[], self.public)?;
        }
        let verdict = match (diff.is_equivalent(), diff.has_changes(), diff.has_doubts()) {
            (_, true, _) => "the meaning changed",
            (true, _, false) => "the meaning is unchanged",
            _ => "no change is proved, but what the data cannot tell may have changed",
        };
        writeln!(out, "{verdict}")
    }
}

impl SubjectReport {
    fn new(interface: Option<&InterfaceId>, locals: &[IpAddr], subject: &SubjectDiff, public: &AddressSet) -> Self {
        let boxes = |traffic: &[ChangedTraffic]| {
            traffic.iter().flat_map(|traffic| BoxReport::all(interface, locals, traffic, public)).collect()
        };
        Self {
            equivalent: subject.equivalent,
            status: subject.status,
            gained: boxes(&subject.gained),
            lost: boxes(&subject.lost),
            uncertain: boxes(&subject.uncertain),
            not_compared: subject
                .not_compared
                .iter()
                .map(|(direction, error)| format!("{direction}: {error}"))
                .collect(),
        }
    }
}

impl BoxReport {
    fn all(
        interface: Option<&InterfaceId>,
        locals: &[IpAddr],
        traffic: &ChangedTraffic,
        public: &AddressSet,
    ) -> Vec<Self> {
        let rules = |owner: &Owner| owner.rule.iter().cloned().collect();
        let report = |changed: ChangedBox| Self {
            direction: traffic.direction,
            text: changed.part.text(traffic.direction),
            witness: changed.witness.map(|flow| Witness::new(interface, traffic.direction, &flow)),
            before: rules(&traffic.before),
            after: rules(&traffic.after),
            reasons: Reasons { before: traffic.before.text.clone(), after: traffic.after.text.clone() },
            public: changed.public,
        };
        traffic.boxes(locals, public).into_iter().map(report).collect()
    }
}

fn print_subject(
    out: &mut impl Write,
    name: &str,
    subject: &SubjectDiff,
    locals: &[IpAddr],
    public: &AddressSet,
) -> io::Result<()> {
    let changed = !(subject.equivalent && subject.uncertain.is_empty());
    if !changed && subject.status == Status::Both {
        return Ok(());
    }
    let status = match subject.status {
        Status::Both => "",
        Status::Added => " (added)",
        Status::Removed => " (removed)",
    };
    writeln!(out, "{}{status}", printable(name))?;
    if !changed {
        writeln!(out, "  lets nothing through")?;
    }
    for (direction, error) in &subject.not_compared {
        writeln!(out, "  {direction} could not be compared: {error}")?;
    }
    for (sign, what, list) in
        [('+', "gained", &subject.gained), ('-', "lost", &subject.lost), ('?', "uncertain", &subject.uncertain)]
    {
        for traffic in list {
            for ChangedBox { part, witness, public, .. } in traffic.boxes(locals, public) {
                let public = if public && sign == '+' { ", PUBLIC" } else { "" };
                let text = part.text(traffic.direction);
                writeln!(out, "  {sign} {what}, {}{public}: {}", traffic.direction, printable(&text))?;
                if let Some(flow) = witness {
                    writeln!(out, "      for example {flow}")?;
                }
                let (old, new) = (traffic.verdict_before, traffic.verdict_after);
                writeln!(out, "      before: {old}: {}", printable(&traffic.before.text))?;
                writeln!(out, "      after:  {new}: {}", printable(&traffic.after.text))?;
            }
        }
    }
    Ok(())
}

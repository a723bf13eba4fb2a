//! What the examples share that read a folder with a cloud's documents.
#![allow(dead_code, reason = "each example uses its part")]

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use secgroup::engine::{AlibabaEngine, AwsEngine, IntraGroupEgress, PolicyEngine};
use secgroup::load::{Loaded, Loader, Provider};
use secgroup::model::{Interface, InterfaceId, Inventory};
use secgroup::net::{Direction, Flow, Payload, Protocol};
use serde::Serialize;

/// What went wrong, for people.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// The status for usage and input errors.
pub(crate) const INPUT_ERROR: u8 = 2;
/// The status where nothing is proved, but something is not known.
pub(crate) const INDETERMINATE: u8 = 3;
/// How many warnings are printed without `--all-warnings`.
const WARNINGS_SHOWN: usize = 1_000;

/// Alibaba: whether egress drops stop traffic between members of an interconnected group (AMB-1).
#[derive(ValueEnum, Clone, Copy, Debug, Default)]
enum Egress {
    /// By the tables of rule order: they do
    #[default]
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

/// An error goes to standard error; a reader that has gone away is none of ours.
pub(crate) fn finish(result: Result<u8, Failure>) -> ExitCode {
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
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
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

/// What every program asks about the documents and their meaning.
#[derive(Args, Debug, Default)]
pub(crate) struct Reading {
    /// Whose documents they are; recognised by their content if absent
    #[arg(long, value_parser = |text: &str| text.parse::<Provider>())]
    provider: Option<Provider>,
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

impl Reading {
    /// Reads a folder, and prints the warnings to standard error.
    pub(crate) fn read(&self, folder: &Path) -> Result<Loaded, Failure> {
        let loaded = self.load(folder)?;
        self.print_warnings(&loaded);
        Ok(loaded)
    }

    /// Reads a folder.
    pub(crate) fn load(&self, folder: &Path) -> Result<Loaded, Failure> {
        let mut loader = Loader::new();
        if let Some(provider) = self.provider {
            loader = loader.expect_provider(provider);
        }
        if self.assume_complete {
            loader = loader.assume_complete();
        }
        Ok(loader.dir(folder)?.finish()?)
    }

    /// The engine for what was read.
    pub(crate) fn engine(&self, loaded: &Loaded) -> Box<dyn PolicyEngine> {
        match loaded.provider {
            Provider::Aws => Box::new(AwsEngine::new()),
            Provider::Alibaba => Box::new(AlibabaEngine::new().with_intra_group_egress(self.intra_group_egress.into())),
            other => unreachable!("this program does not know the provider {other}"),
        }
    }

    fn print_warnings(&self, loaded: &Loaded) {
        let shown = if self.all_warnings { loaded.warnings.len() } else { WARNINGS_SHOWN };
        let mut stderr = io::stderr().lock();
        for warning in loaded.warnings.iter().take(shown) {
            let _ = writeln!(stderr, "warning: {warning}");
        }
        let more = loaded.warnings.len().saturating_sub(shown);
        if more > 0 {
            let _ = writeln!(stderr, "warning: and {more} more; --all-warnings prints them");
        }
    }
}

/// The interface with this id, or the primary interface of the instance with this id.
pub(crate) fn interface<'a>(inventory: &'a Inventory, id: &str) -> Result<&'a Interface, String> {
    if let Some(interface) = inventory.interface(id) {
        return Ok(interface);
    }
    if !inventory.has_instance(id) {
        return Err(format!("`{id}` is neither an interface nor an instance of the configuration"));
    }
    let own: Vec<&Interface> = inventory.interfaces_of(id).collect();
    match own.as_slice() {
        [] => Err(format!("the instance `{id}` has no interface in the configuration")),
        [first, rest @ ..] if first.primary || rest.is_empty() => Ok(first),
        [first, ..] => Err(format!(
            "which interface of the instance `{id}` is its primary one is not known; name one, such as `{}`",
            first.id
        )),
    }
}

/// Ids come from files, and a terminal obeys control characters.
pub(crate) fn printable(text: &str) -> String {
    let escape = |c: char| if c.is_control() && c != '\n' { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// A packet in the form in which `check --batch` reads questions.
#[derive(Serialize)]
pub(crate) struct Witness {
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<InterfaceId>,
    direction: Direction,
    protocol: Protocol,
    remote_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
}

impl Witness {
    pub(crate) fn new(interface: Option<&InterfaceId>, direction: Direction, flow: &Flow) -> Self {
        let message = match flow.payload() {
            Payload::Icmp(message) => Some((message.kind, message.code)),
            // Over the other family a bare number, for which the fields mean nothing but are asked for.
            Payload::Other(Protocol::ICMP | Protocol::ICMPV6) => Some((0, 0)),
            _ => None,
        };
        Self {
            interface: interface.cloned(),
            direction,
            protocol: flow.protocol(),
            remote_ip: flow.remote().to_string(),
            local_ip: flow.local().map(|local| local.to_string()),
            src_port: flow.source_port(),
            dst_port: flow.destination_port(),
            icmp_type: message.map(|(kind, _)| kind),
            icmp_code: message.map(|(_, code)| code),
        }
    }
}

//! Many questions, one a line, as JSON lines.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::IpAddr;
use std::path::Path;

use secgroup::engine::{PolicyEngine, Scope};
use secgroup::model::{Interface, InterfaceId, Inventory, RuleId};
use secgroup::net::{Direction, Family, Flow, FlowError, IcmpMessage, Protocol};
use secgroup::policy::{Basis, Policy};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::common::interface;
use crate::single::verdict_name;
use crate::{Failure, INPUT_ERROR};

/// How many clauses of lowered policies are kept for further lines; a question about an interface that
/// was forgotten lowers its policy again.
const CLAUSES_KEPT: usize = 200_000;
/// The longest line that is read, in bytes.
const LINE_LIMIT: usize = 1 << 20;

/// The id of a question, as it is written.
#[derive(Deserialize)]
struct Id<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// The fields of a question; what is needed depends on the protocol, so all may be absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    #[serde(rename = "id")]
    _id: Option<Value>,
    interface: Option<String>,
    instance: Option<String>,
    direction: Option<String>,
    protocol: Option<Value>,
    remote_ip: Option<String>,
    local_ip: Option<String>,
    src_port: Option<Value>,
    dst_port: Option<Value>,
    icmp_type: Option<Value>,
    icmp_code: Option<Value>,
}

#[derive(Serialize)]
struct Answer {
    id: Box<RawValue>,
    verdict: &'static str,
    rules: Vec<RuleId>,
    reason: String,
}

#[derive(Serialize)]
struct BadLine {
    id: Box<RawValue>,
    error: String,
}

impl BadLine {
    /// A line whose id is not known.
    fn new(error: impl Into<String>) -> Self {
        Self { id: RawValue::NULL.to_owned(), error: error.into() }
    }
}

/// Answers every line of a file in order; the result is the exit status.
pub(crate) fn run(engine: &dyn PolicyEngine, inventory: &Inventory, file: &Path) -> Result<u8, Failure> {
    let from_stdin = file == Path::new("-");
    let input: Box<dyn BufRead> = if from_stdin {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(
            File::open(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?,
        ))
    };
    let mut answering = Answering { engine, inventory, policies: HashMap::new(), clauses: 0 };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut all_good = true;
    let mut lines = Lines { input, first: true };
    while let Some(line) = lines.next()? {
        let answer = match line {
            Line::Text(text) if text.trim_ascii().is_empty() => continue,
            Line::Text(text) => answering.answer(&text),
            Line::TooLong => Err(BadLine::new(format!("the line is longer than {LINE_LIMIT} bytes"))),
        };
        match answer {
            Ok(answer) => serde_json::to_writer(&mut out, &answer)?,
            Err(bad) => {
                all_good = false;
                serde_json::to_writer(&mut out, &bad)?;
            }
        }
        out.write_all(b"\n")?;
        if from_stdin {
            out.flush()?;
        }
    }
    out.flush()?;
    Ok(if all_good { 0 } else { INPUT_ERROR })
}

/// A policy is lowered once for each interface and direction, as long as not too many are kept.
struct Answering<'a> {
    engine: &'a dyn PolicyEngine,
    inventory: &'a Inventory,
    policies: HashMap<(InterfaceId, Direction), Result<Policy, String>>,
    /// The clauses of all these policies.
    clauses: usize,
}

impl Answering<'_> {
    fn answer(&mut self, line: &[u8]) -> Result<Answer, BadLine> {
        let not_json = |error| BadLine::new(format!("the line is not JSON: {error}"));
        let value: Value = serde_json::from_slice(line).map_err(not_json)?;
        if !value.is_object() {
            return Err(BadLine::new("a question is a JSON object"));
        }
        let id = serde_json::from_slice::<Id<'_>>(line).map_err(not_json)?.id;
        let id = id.map_or_else(|| RawValue::NULL.to_owned(), ToOwned::to_owned);
        match self.judge(value) {
            Ok((verdict, rules, reason)) => Ok(Answer { id, verdict, rules, reason }),
            Err(error) => Err(BadLine { id, error }),
        }
    }

    fn judge(&mut self, value: Value) -> Result<(&'static str, Vec<RuleId>, String), String> {
        let question: Question = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let interface = question.interface(self.inventory)?;
        let direction = question.direction()?;
        let (flow, note) = question.flow(interface)?;
        let policy = self.policy(interface, direction)?;
        let explanation = policy.explain(&flow);
        let verdict = verdict_name(explanation.verdict, explanation.basis == Basis::Unfiltered);
        let mut reason = explanation.reason();
        if let Some(note) = note {
            reason = format!("{reason}; {note}");
        }
        Ok((verdict, explanation.rules(), reason))
    }
}

impl Answering<'_> {
    fn policy(&mut self, interface: &Interface, direction: Direction) -> Result<&Policy, String> {
        let key = (interface.id.clone(), direction);
        if !self.policies.contains_key(&key) {
            let lowered = self.engine.lower(&Scope::new(self.inventory, interface, direction));
            let clauses = lowered.iter().flat_map(Policy::lists).map(|list| list.clauses().len()).sum::<usize>();
            if self.clauses + clauses > CLAUSES_KEPT {
                self.policies.clear();
                self.clauses = 0;
            }
            self.clauses += clauses;
            self.policies.insert(key.clone(), lowered.map_err(|error| error.to_string()));
        }
        match self.policies.get(&key) {
            Some(policy) => policy.as_ref().map_err(Clone::clone),
            None => Err("the policy was not kept".to_owned()),
        }
    }
}

impl Question {
    /// Either field may name an interface or an instance, which stands for its primary interface.
    fn interface<'a>(&self, inventory: &'a Inventory) -> Result<&'a Interface, String> {
        match (&self.interface, &self.instance) {
            (None, None) => Err("`interface` or `instance` is needed".to_owned()),
            (Some(id), None) | (None, Some(id)) => interface(inventory, id),
            (Some(id), Some(instance)) => {
                let found = interface(inventory, id)?;
                let same = interface(inventory, instance).is_ok_and(|other| other.id == found.id)
                    || found.instance.as_ref().is_some_and(|own| own.as_str() == instance);
                if same { Ok(found) } else { Err(format!("`{id}` is not an interface of `{instance}`")) }
            }
        }
    }

    fn direction(&self) -> Result<Direction, String> {
        let text = self.direction.as_deref().ok_or("`direction` is needed: ingress or egress")?;
        Direction::ALL
            .into_iter()
            .find(|direction| direction.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("`direction` is `{text}`; expected ingress or egress"))
    }

    fn protocol(&self) -> Result<Protocol, String> {
        let wrong = |found: &dyn std::fmt::Display| {
            format!("`protocol` is `{found}`; expected a name such as tcp, or a number from 0 to 255")
        };
        match &self.protocol {
            None => Err("`protocol` is needed".to_owned()),
            Some(Value::String(text)) => text.parse().map_err(|_| wrong(text)),
            Some(other) => other
                .as_u64()
                .and_then(|number| u8::try_from(number).ok())
                .map(Protocol::new)
                .ok_or_else(|| wrong(other)),
        }
    }

    /// The flow, and what the reader should know about it.
    fn flow(&self, interface: &Interface) -> Result<(Flow, Option<String>), String> {
        let protocol = self.protocol()?;
        let remote = address("remote_ip", self.remote_ip.as_deref().ok_or("`remote_ip` is needed")?)?;
        let number = |name, value: &Option<Value>, last| number(name, value.as_ref(), last);
        let needed = |name| format!("`{name}` is needed for {protocol}");
        let flow = match protocol {
            Protocol::TCP | Protocol::UDP => {
                let destination = number("dst_port", &self.dst_port, u16::MAX)?.ok_or_else(|| needed("dst_port"))?;
                let flow = if protocol == Protocol::TCP {
                    Flow::tcp(remote, destination)
                } else {
                    Flow::udp(remote, destination)
                };
                match number("src_port", &self.src_port, u16::MAX)? {
                    Some(source) => flow.from_port(source),
                    None => flow,
                }
            }
            Protocol::ICMP | Protocol::ICMPV6 => {
                let byte = |name, value| -> Result<u8, String> {
                    let value = number(name, value, u16::from(u8::MAX))?.ok_or_else(|| needed(name))?;
                    u8::try_from(value).map_err(|error| error.to_string())
                };
                let message =
                    IcmpMessage::new(byte("icmp_type", &self.icmp_type)?, byte("icmp_code", &self.icmp_code)?);
                // Over the other family it is a bare number, which only all-protocol rules match (AWS-34).
                Flow::other(remote, protocol).unwrap_or_else(|_| Flow::icmp(remote, message))
            }
            other => Flow::other(remote, other).map_err(|error| error.to_string())?,
        };
        let family = Family::of(remote);
        let (local, note) = if let Some(text) = &self.local_ip {
            let local = address("local_ip", text)?;
            let foreign = !interface.owns(local);
            (Some(local), foreign.then(|| format!("note: {local} is not an address of {}", interface.id)))
        } else {
            let local = interface.local_address(family);
            let missing = || format!("note: {} has no {family} address in the data", interface.id);
            (local, local.is_none().then(missing))
        };
        let flow = match local {
            Some(local) => flow.at(local).map_err(|error: FlowError| error.to_string())?,
            None => flow,
        };
        Ok((flow, note))
    }
}

fn address(name: &str, text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{name}` is `{text}`; expected an IPv4 or IPv6 address"))
}

fn number(name: &str, value: Option<&Value>, last: u16) -> Result<Option<u16>, String> {
    let Some(value) = value else { return Ok(None) };
    value
        .as_u64()
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| *number <= last)
        .map(Some)
        .ok_or_else(|| format!("`{name}` is `{value}`; expected a number from 0 to {last}"))
}

/// A line of the input.
enum Line {
    Text(Vec<u8>),
    /// Longer than [`LINE_LIMIT`]; it was skipped.
    TooLong,
}

/// Reads lines without ever holding more than one of the greatest length.
struct Lines {
    input: Box<dyn BufRead>,
    /// Whether the first line is still to come, which may begin with a byte order mark.
    first: bool,
}

impl Lines {
    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let mut limited = self.input.by_ref().take(u64::try_from(LINE_LIMIT).unwrap_or(u64::MAX) + 1);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if std::mem::take(&mut self.first) && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        if line.last() == Some(&b'\n') || line.len() <= LINE_LIMIT {
            return Ok(Some(Line::Text(line)));
        }
        self.input.skip_until(b'\n')?;
        Ok(Some(Line::TooLong))
    }
}

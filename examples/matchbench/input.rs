//! Rules and flows out of text.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use secgroup::model::Action;
use secgroup::net::{
    AddressSet, Cidr, Direction, Family, Flow, IcmpMessage, IcmpSelector, PortRange, PortSet, Protocol,
};
use secgroup::policy::{Clause, Fallback, Policy, PolicyError, Provenance, Rank, RuleList, Selector, Space};
use thiserror::Error;

/// Bytes in a line; the longest that makes sense is much shorter.
const LINE_LIMIT: usize = 1_000;
/// Memory is bounded by what is read: a rule takes less than 1 KiB, a flow about 100 bytes.
const RULES_LIMIT: usize = 1_000_000;
const FLOWS_LIMIT: usize = 20_000_000;
/// Characters of a bad field that a message shows.
const SHOWN: usize = 60;

/// Why input cannot be used, and where.
#[derive(Debug, Error)]
pub(crate) enum InputError {
    #[error("{}: cannot be read: {cause}", file.display())]
    Unreadable { file: PathBuf, cause: io::Error },
    #[error("{}:{line}: {fault}", file.display())]
    Line { file: PathBuf, line: usize, fault: Fault },
    #[error("{}: has more than {limit} {what}", file.display())]
    TooMany { file: PathBuf, limit: usize, what: &'static str },
    #[error("{}: {cause}", file.display())]
    Policy { file: PathBuf, cause: PolicyError },
}

/// What is wrong with a line.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error("the line is longer than {LINE_LIMIT} bytes")]
    TooLong,
    #[error("the line is not UTF-8 text")]
    NotText,
    #[error("{found} fields, expected {expected}: {form}")]
    Fields { found: usize, expected: usize, form: &'static str },
    #[error("{field} is `{found}`, expected {expected}")]
    Field { field: &'static str, found: String, expected: &'static str },
    #[error("source {source} is {source_family} and destination {destination} is {destination_family}, expected one family", source = ends.0, source_family = families.0, destination = ends.1, destination_family = families.1)]
    Families { ends: (String, String), families: (Family, Family) },
}

const RULE_FORM: &str = "allow|deny protocol|* src-CIDR lo-hi dst-CIDR lo-hi";
const FLOW_FORM: &str = "protocol src dst sport dport";

const ACTION: &str = "allow or deny";
const RULE_PROTOCOL: &str = "a number from 0 to 255, a name such as tcp, or *";
const FLOW_PROTOCOL: &str = "a number from 0 to 255 or a name such as tcp";
const BLOCK: &str = "a block such as 10.0.0.0/8 or 2001:db8::/32";
const ADDRESS: &str = "an IPv4 or IPv6 address";
const RANGE: &str = "a range LO-HI of ports from 0 to 65535 with LO not above HI";
const PORT: &str = "a port from 0 to 65535";

/// The policy of a file of rules; the number of each clause is that of the rule, less 1.
pub(crate) fn policy(file: &Path) -> Result<Policy, InputError> {
    let rules = parsed(file, RULES_LIMIT, "rules", rule)?;
    let ranked = |(order, (action, space))| {
        Clause::new(Rank::new(1, order), action, space, Provenance::implied("text", "a rule"))
    };
    let clauses = (0..).zip(rules).map(ranked).collect();
    RuleList::new("text", clauses, Fallback::deny())
        .and_then(|list| Policy::rules(Direction::Ingress, list))
        .map_err(|cause| InputError::Policy { file: file.to_owned(), cause })
}

/// The flows of a file.
pub(crate) fn flows(file: &Path) -> Result<Vec<Flow>, InputError> {
    parsed(file, FLOWS_LIMIT, "flows", flow)
}

/// What all lines of a file say that are not blank.
fn parsed<T>(
    file: &Path,
    limit: usize,
    what: &'static str,
    parse: impl Fn(&str) -> Result<T, Fault>,
) -> Result<Vec<T>, InputError> {
    let unreadable = |cause| InputError::Unreadable { file: file.to_owned(), cause };
    let mut input = BufReader::new(File::open(file).map_err(unreadable)?);
    let mut all = Vec::new();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        // One byte more than allowed tells a long line from one that just fits, and two a line end.
        let most = u64::try_from(LINE_LIMIT + 2).unwrap_or(u64::MAX);
        if input.by_ref().take(most).read_until(b'\n', &mut bytes).map_err(unreadable)? == 0 {
            break;
        }
        let text = text(&bytes).map_err(|fault| InputError::Line { file: file.to_owned(), line, fault })?;
        if text.is_empty() {
            continue;
        }
        if all.len() == limit {
            return Err(InputError::TooMany { file: file.to_owned(), limit, what });
        }
        all.push(parse(text).map_err(|fault| InputError::Line { file: file.to_owned(), line, fault })?);
    }
    Ok(all)
}

/// A line without spaces around it.
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if line.len() > LINE_LIMIT {
        return Err(Fault::TooLong);
    }
    std::str::from_utf8(line).map(str::trim_ascii).map_err(|_| Fault::NotText)
}

/// The fields of a line, if it has as many as it should.
fn fields<'a, const N: usize>(text: &'a str, form: &'static str) -> Result<[&'a str; N], Fault> {
    let all: Vec<&str> = text.split_ascii_whitespace().collect();
    let found = all.len();
    <[&str; N]>::try_from(all).map_err(|_| Fault::Fields { found, expected: N, form })
}

/// A fault of one field; control characters are shown as escapes, and long text is cut.
fn fault(field: &'static str, found: &str, expected: &'static str) -> Fault {
    let mut shown: String = found.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if found.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    Fault::Field { field, found: shown, expected }
}

/// Both ends have to be of one family.
fn one_family(source: &(impl Display, Family), destination: &(impl Display, Family)) -> Result<Family, Fault> {
    let families = (source.1, destination.1);
    if families.0 == families.1 {
        return Ok(families.0);
    }
    Err(Fault::Families { ends: (source.0.to_string(), destination.0.to_string()), families })
}

fn rule(text: &str) -> Result<(Action, Space), Fault> {
    let [action, protocol, source, source_ports, destination, ports] = fields(text, RULE_FORM)?;
    let action = match action {
        "allow" => Action::Allow,
        "deny" => Action::Deny,
        other => return Err(fault("the action", other, ACTION)),
    };
    let protocol = match protocol {
        "*" => None,
        text => Some(text.parse::<Protocol>().map_err(|_| fault("the protocol", text, RULE_PROTOCOL))?),
    };
    let source = block("the source", source)?;
    let source_ports = range("the source port range", source_ports)?;
    let destination = block("the destination", destination)?;
    let ports = range("the destination port range", ports)?;
    let family = one_family(&(source, source.family()), &(destination, destination.family()))?;

    let (selector, has_ports) = match protocol {
        None => (Selector::All, false),
        Some(Protocol::TCP) => (Selector::Tcp(PortSet::from(ports)), true),
        Some(Protocol::UDP) => (Selector::Udp(PortSet::from(ports)), true),
        Some(Protocol::ICMP) if family == Family::V4 => (Selector::Icmp(IcmpSelector::Any), false),
        Some(Protocol::ICMPV6) if family == Family::V6 => (Selector::Icmpv6(IcmpSelector::Any), false),
        Some(other) => (Selector::Other(other), false),
    };
    let source_ports = Some(source_ports).filter(|range| has_ports && *range != PortRange::ALL);
    let local = Some(destination).filter(|block| !block.is_all());
    let space = Space::new(selector, AddressSet::from(source)).with_source_ports(source_ports).with_local(local);
    Ok((action, space))
}

fn flow(text: &str) -> Result<Flow, Fault> {
    let [protocol, source, destination, source_port, port] = fields(text, FLOW_FORM)?;
    let protocol: Protocol = protocol.parse().map_err(|_| fault("the protocol", protocol, FLOW_PROTOCOL))?;
    let (remote, local) = (address("the source", source)?, address("the destination", destination)?);
    let source_port = port_number("the source port", source_port)?;
    let port = port_number("the destination port", port)?;
    one_family(&(remote, Family::of(remote)), &(local, Family::of(local)))?;

    // Rules here know no types of ICMP, so any will do.
    let message = IcmpMessage::new(0, 0);
    let flow = match protocol {
        Protocol::TCP => Ok(Flow::tcp(remote, port).from_port(source_port)),
        Protocol::UDP => Ok(Flow::udp(remote, port).from_port(source_port)),
        Protocol::ICMP if remote.is_ipv4() => Ok(Flow::icmp(remote, message)),
        Protocol::ICMPV6 if remote.is_ipv6() => Ok(Flow::icmp(remote, message)),
        other => Flow::other(remote, other),
    };
    // Neither can fail: the family has been compared, and what needs a payload has one.
    flow.and_then(|flow| flow.at(local)).map_err(|_| fault("the flow", text, FLOW_FORM))
}

/// A block with its prefix length; bits beyond it are masked.
fn block(field: &'static str, text: &str) -> Result<Cidr, Fault> {
    match Cidr::parse(text) {
        Ok(parsed) if !parsed.bare => Ok(parsed.cidr),
        _ => Err(fault(field, text, BLOCK)),
    }
}

fn address(field: &'static str, text: &str) -> Result<IpAddr, Fault> {
    text.parse().map_err(|_| fault(field, text, ADDRESS))
}

fn range(field: &'static str, text: &str) -> Result<PortRange, Fault> {
    let bad = || fault(field, text, RANGE);
    let (low, high) = text.split_once('-').ok_or_else(bad)?;
    let (low, high) = (port_number(field, low).map_err(|_| bad())?, port_number(field, high).map_err(|_| bad())?);
    PortRange::new(low, high).map_err(|_| bad())
}

fn port_number(field: &'static str, text: &str) -> Result<u16, Fault> {
    // The parser of numbers takes signs.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| fault(field, text, PORT))
}

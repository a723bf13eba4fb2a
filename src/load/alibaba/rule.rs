//! Rules of Alibaba Cloud (ALI-31 to ALI-40).

use super::super::error::LoadError;
use super::super::source::{At, Source};
use super::super::value::{Bare, cidr};
use super::super::warning::WarningKind;
use super::lower;
use crate::model::{Action, GroupReference, NicType, Peer, Ports, Priority, Rule, Traffic};
use crate::net::{Cidr, Direction, Family, PortRange, Protocol};
use crate::wire::{Text, alibaba::Permission};

/// A rule, in an answer or exported.
pub(super) fn rule(source: &mut Source, at: At<'_>, read: &Permission) -> Result<Rule, LoadError> {
    let direction = direction(source, at, read)?;
    let action = match lower(&read.policy).as_deref() {
        Some("accept") => Action::Allow,
        Some("drop") => Action::Deny,
        _ => return Err(not_one_of(source, at.field("Policy"), &read.policy, "Accept or Drop")),
    };
    let traffic = traffic(source, at, read)?;
    let ends = Ends::of(direction, read);
    let peer = peer(source, at, &ends.remote)?;
    let local = block(source, at, ends.local)?;
    for (field, _) in ends.meaningless.into_iter().filter(|(_, text)| text.is_some()) {
        let message = "a group or list at the near end of a rule means nothing and was ignored";
        source.warn(WarningKind::SeveralPeers, at.field(field), message);
    }
    warn_if_never(source, at, &traffic, &peer, local);
    let mut rule = Rule::new(direction, action, traffic, peer);
    rule.id = read.id.get().map(Into::into);
    rule.priority = Some(priority(source, at, read)?);
    rule.source_ports = source_ports(source, at, &rule.traffic, &read.source_ports)?;
    rule.local = local;
    rule.nic = match lower(&read.nic).as_deref() {
        None => None,
        Some("internet") => Some(NicType::Internet),
        Some("intranet") => Some(NicType::Intranet),
        Some(_) => return Err(not_one_of(source, at.field("NicType"), &read.nic, "internet or intranet")),
    };
    rule.description = read.description.get().map(str::to_owned);
    rule.place = Some(source.place(at));
    Ok(rule)
}

fn not_one_of(source: &Source, at: At<'_>, text: &Text, expected: &str) -> LoadError {
    text.get().map_or_else(|| source.missing(at, expected), |text| source.wrong(at, text, expected))
}

/// The direction; where it is missing, the end that has an object tells.
fn direction(source: &Source, at: At<'_>, read: &Permission) -> Result<Direction, LoadError> {
    let expected = "ingress or egress";
    match lower(&read.direction).as_deref() {
        Some("ingress") => return Ok(Direction::Ingress),
        Some("egress") => return Ok(Direction::Egress),
        Some(_) => return Err(not_one_of(source, at.field("Direction"), &read.direction, expected)),
        None => {}
    }
    let given = |direction| Ends::of(direction, read).remote.count() > 0;
    match (given(Direction::Ingress), given(Direction::Egress)) {
        (true, false) => Ok(Direction::Ingress),
        (false, true) => Ok(Direction::Egress),
        _ => Err(source.missing(at.field("Direction"), expected)),
    }
}

/// One end of a rule, as its fields say.
struct End<'a> {
    v4: Field<'a>,
    v6: Field<'a>,
    group: Field<'a>,
    owner: Option<&'a str>,
    list: Field<'a>,
}

/// A field with its value, if it has one.
type Field<'a> = (&'static str, Option<&'a str>);

/// The two ends of a rule (ALI-40).
struct Ends<'a> {
    remote: End<'a>,
    local: [Field<'a>; 2],
    /// A group or list at the near end, which means nothing.
    meaningless: [Field<'a>; 2],
}

impl<'a> Ends<'a> {
    fn of(direction: Direction, read: &'a Permission) -> Self {
        let source = End {
            v4: ("SourceCidrIp", read.source_v4.get()),
            v6: ("Ipv6SourceCidrIp", read.source_v6.get()),
            group: ("SourceGroupId", read.source_group.get()),
            owner: read.source_owner.get(),
            list: ("SourcePrefixListId", read.source_list.get()),
        };
        let dest = End {
            v4: ("DestCidrIp", read.dest_v4.get()),
            v6: ("Ipv6DestCidrIp", read.dest_v6.get()),
            group: ("DestGroupId", read.dest_group.get()),
            owner: read.dest_owner.get(),
            list: ("DestPrefixListId", read.dest_list.get()),
        };
        match direction {
            Direction::Ingress => {
                Self { local: [dest.v4, dest.v6], meaningless: [dest.group, dest.list], remote: source }
            }
            Direction::Egress => {
                Self { local: [source.v4, source.v6], meaningless: [source.group, source.list], remote: dest }
            }
        }
    }
}

impl<'a> End<'a> {
    /// The objects that are given, those that count first (ALI-38).
    fn given(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        [self.v4, self.v6, self.group, self.list].into_iter().filter_map(|(field, text)| Some((field, text?)))
    }

    fn count(&self) -> usize {
        self.given().count()
    }
}

/// The object at the far end: a block beats a group, which beats a prefix list (ALI-38, trap 17). A
/// missing object is never "everything" (trap 7).
fn peer(source: &mut Source, at: At<'_>, end: &End<'_>) -> Result<Peer, LoadError> {
    let given: Vec<_> = end.given().collect();
    let peer = if let Some(block) = block(source, at, [end.v4, end.v6])? {
        Peer::Cidr(block)
    } else if let Some(id) = end.group.1 {
        let mut reference = GroupReference::new(id);
        reference.owner = end.owner.map(Into::into);
        Peer::Group(reference)
    } else if let Some(id) = end.list.1 {
        Peer::PrefixList(id.into())
    } else {
        let fields = [end.v4, end.v6, end.group, end.list].map(|(field, _)| format!("`{field}`"));
        return Err(source.missing(at, format!("one of {}", fields.join(", "))));
    };
    if let [(used, _), ignored @ ..] = given.as_slice()
        && !ignored.is_empty()
    {
        let ignored = ignored.iter().map(|(field, _)| format!("`{field}`")).collect::<Vec<_>>().join(" or ");
        let message = format!("the rule names several objects; `{used}` counts, not {ignored}");
        source.warn(WarningKind::SeveralPeers, at, message);
    }
    Ok(peer)
}

/// The block of one end, whose two fields exclude each other (ALI-38).
fn block(source: &mut Source, at: At<'_>, fields: [Field<'_>; 2]) -> Result<Option<Cidr>, LoadError> {
    let [(v4_field, v4), (v6_field, v6)] = fields;
    match (v4, v6) {
        (None, None) => Ok(None),
        (Some(text), None) => cidr(source, at.field(v4_field), text, Some(Family::V4), Bare::Host).map(Some),
        (None, Some(text)) => cidr(source, at.field(v6_field), text, Some(Family::V6), Bare::Host).map(Some),
        (Some(_), Some(_)) => Err(LoadError::Value {
            place: source.place(at),
            found: format!("`{v4_field}` and `{v6_field}`"),
            expected: format!("only one of `{v4_field}` and `{v6_field}`"),
        }),
    }
}

/// A rule whose protocol or ends are of two families matches nothing (ALI-37, ALI-90).
fn warn_if_never(source: &mut Source, at: At<'_>, traffic: &Traffic, peer: &Peer, local: Option<Cidr>) {
    let remote = match peer {
        Peer::Cidr(block) => Some(*block),
        _ => None,
    };
    if let (Some(remote), Some(local)) = (remote, local)
        && remote.family() != local.family()
    {
        let message = format!("the rule matches nothing: its ends {remote} and {local} are of two families");
        source.warn(WarningKind::NeverMatches, at, message);
        return;
    }
    let (protocol, family) = match traffic {
        Traffic::Icmp(_) => ("ICMP", Family::V4),
        Traffic::Icmpv6(_) => ("ICMPv6", Family::V6),
        _ => return,
    };
    if let Some(block) = remote.or(local).filter(|block| block.family() != family) {
        let message = format!("the rule matches nothing: {protocol} is {family} only, and {block} is not");
        source.warn(WarningKind::NeverMatches, at, message);
    }
}

/// The priority: 1 if it is absent (ALI-52); a number, never a text, so that 10 comes after 2 (trap 4).
fn priority(source: &mut Source, at: At<'_>, read: &Permission) -> Result<Priority, LoadError> {
    let number = read.priority.get().unwrap_or(1);
    let at = at.field("Priority");
    let priority = u32::try_from(number).map_err(|_| source.wrong(at, number, "a priority from 1 to 100"))?;
    if !(1..=100).contains(&priority) {
        let hint = if priority == 110 { ", as old system rules have it" } else { "" };
        let message = format!("the priority {priority} is outside 1 to 100{hint}; it was kept");
        source.warn(WarningKind::PriorityOutOfRange, at, message);
    }
    Ok(Priority(priority))
}

/// Protocol and destination ports (ALI-34, ALI-35).
fn traffic(source: &mut Source, at: At<'_>, read: &Permission) -> Result<Traffic, LoadError> {
    let expected = "a protocol name, a number from 0 to 255, or ALL";
    let text = source.need(at, "IpProtocol", &read.protocol, expected)?;
    let traffic = if text.eq_ignore_ascii_case("all") || text == "-1" {
        Traffic::All
    } else {
        let protocol: Protocol = text.parse().map_err(|_| source.wrong(at.field("IpProtocol"), text, expected))?;
        Traffic::protocol(protocol)
    };
    let range = text_of_ports(&read.ports);
    match traffic {
        Traffic::Tcp(_) => ports(source, at, "TCP", range, read).map(Traffic::Tcp),
        Traffic::Udp(_) => ports(source, at, "UDP", range, read).map(Traffic::Udp),
        other => {
            if range.is_some() || read.port_list.get().is_some() {
                let field = if range.is_some() { "PortRange" } else { "PortRangeListId" };
                let message = format!("ports mean nothing with the protocol `{text}` and were ignored");
                source.warn(WarningKind::IgnoredPorts, at.field(field), message);
            }
            Ok(other)
        }
    }
}

/// A port range that is there; `-1/-1` stands for none.
fn text_of_ports(text: &Text) -> Option<&str> {
    text.get().filter(|&text| text != "-1/-1")
}

/// The destination ports: a range beats a port list (ALI-38).
fn ports(
    source: &mut Source,
    at: At<'_>,
    protocol: &str,
    range: Option<&str>,
    read: &Permission,
) -> Result<Ports, LoadError> {
    if let Some(text) = range {
        if let Some(list) = read.port_list.get() {
            let message = format!("`PortRange` counts, not the port list `{list}`");
            source.warn(WarningKind::IgnoredPorts, at, message);
        }
        return port_pair(source, at.field("PortRange"), text).map(Ports::Range);
    }
    if let Some(list) = read.port_list.get() {
        return Ok(Ports::List(list.into()));
    }
    let message = format!("the {protocol} rule has no ports; read as all ports");
    source.warn(WarningKind::AllPorts, at, message);
    Ok(Ports::Any)
}

/// The source ports of TCP and UDP rules (ALI-36).
fn source_ports(
    source: &mut Source,
    at: At<'_>,
    traffic: &Traffic,
    text: &Text,
) -> Result<Option<PortRange>, LoadError> {
    let Some(text) = text_of_ports(text) else {
        return Ok(None);
    };
    let at = at.field("SourcePortRange");
    if traffic.ports().is_none() {
        let message = format!("source ports mean nothing with the protocol of this rule, {traffic}, and were ignored");
        source.warn(WarningKind::IgnoredPorts, at, message);
        return Ok(None);
    }
    port_pair(source, at, text).map(Some)
}

/// A range of ports, written `first/last`.
pub(super) fn port_pair(source: &Source, at: At<'_>, text: &str) -> Result<PortRange, LoadError> {
    let wrong = || source.wrong(at, text, "two ports from 1 to 65535, such as 80/443");
    let port = |text: &str| -> Result<u16, LoadError> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().ok_or_else(wrong)
    };
    let (first, last) = text.split_once('/').ok_or_else(wrong)?;
    PortRange::new(port(first)?, port(last)?)
        .map_err(|_| source.wrong(at, text, "a first port that is not greater than the last"))
}

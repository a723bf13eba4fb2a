//! Rules of AWS, in both views, which read alike (AWS-21).

use super::super::error::LoadError;
use super::super::source::{At, Source};
use super::super::value::{Bare, cidr};
use super::super::warning::WarningKind;
use crate::model::{GroupReference, Peer, PeeringStatus, Ports, Rule, Traffic};
use crate::net::{Direction, Family, IcmpMessage, IcmpSelector, PortRange, Protocol};
use crate::wire::{Int, Text, aws};

/// A rule's group by name only, which is found when all groups are known.
#[derive(PartialEq)]
pub(super) struct GroupName {
    /// The index of the rule.
    pub(super) rule: usize,
    pub(super) name: String,
}

/// The rules of one direction of a group.
#[derive(Default)]
pub(super) struct Permissions {
    pub(super) rules: Vec<Rule>,
    pub(super) names: Vec<GroupName>,
}

/// The field of a group that holds the rules of a direction.
pub(super) fn list_field(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "IpPermissions",
        Direction::Egress => "IpPermissionsEgress",
    }
}

/// The rules of one direction of a group: one for every source of every permission (AWS-1, AWS-13,
/// trap T15).
pub(super) fn permissions(
    source: &mut Source,
    group: At<'_>,
    direction: Direction,
    permissions: &[aws::Permission],
) -> Result<Permissions, LoadError> {
    let Permissions { mut rules, mut names } = Permissions::default();
    for (i, permission) in permissions.iter().enumerate() {
        let at = group.item(list_field(direction), i);
        let traffic = traffic(source, at, &permission.protocol, permission.from, permission.to)?;
        let before = rules.len();
        let mut add = |source: &mut Source, at: At<'_>, peer: Peer, description: &Text| {
            warn_if_never(source, at, &traffic, &peer);
            let mut rule = Rule::allow(direction, traffic.clone(), peer);
            rule.description = description.get().map(str::to_owned);
            rule.place = Some(source.place(at));
            rules.push(rule);
        };
        for (j, range) in permission.v4.0.iter().enumerate() {
            let at = at.item("IpRanges", j);
            let text = source.need(at, "CidrIp", &range.cidr, "an IPv4 block")?;
            let block = block(source, at.field("CidrIp"), text, Family::V4, "Ipv6Ranges")?;
            add(source, at, block, &range.description);
        }
        for (j, range) in permission.v6.0.iter().enumerate() {
            let at = at.item("Ipv6Ranges", j);
            let text = source.need(at, "CidrIpv6", &range.cidr, "an IPv6 block")?;
            let block = block(source, at.field("CidrIpv6"), text, Family::V6, "IpRanges")?;
            add(source, at, block, &range.description);
        }
        for (j, list) in permission.prefix_lists.0.iter().enumerate() {
            let at = at.item("PrefixListIds", j);
            let id = source.need(at, "PrefixListId", &list.id, "the id of a prefix list")?;
            add(source, at, Peer::PrefixList(id.into()), &list.description);
        }
        let first_pair = before + permission.v4.0.len() + permission.v6.0.len() + permission.prefix_lists.0.len();
        for (j, pair) in permission.groups.0.iter().enumerate() {
            let at = at.item("UserIdGroupPairs", j);
            if pair.id.get().is_none()
                && let Some(name) = pair.name.get()
            {
                names.push(GroupName { rule: first_pair + j, name: name.to_owned() });
                add(source, at, Peer::Group(reference(pair, "")), &pair.description);
                continue;
            }
            let id = source.need(at, "GroupId", &pair.id, "the id of a group")?;
            add(source, at, Peer::Group(reference(pair, id)), &pair.description);
        }
        if rules.len() == before {
            source.warn(
                WarningKind::NoPeer,
                at,
                "the permission names no address, prefix list or group, so it allows nothing",
            );
        }
    }
    Ok(Permissions { rules, names })
}

/// A rule of the view that has an id for each (AWS-17), without its group.
pub(super) fn group_rule(source: &mut Source, at: At<'_>, rule: &aws::GroupRule) -> Result<Rule, LoadError> {
    let direction = match rule.egress.get() {
        Some(true) => Direction::Egress,
        Some(false) => Direction::Ingress,
        None => return Err(source.missing(at.field("IsEgress"), "true or false")),
    };
    let traffic = traffic(source, at, &rule.protocol, rule.from, rule.to)?;
    let peer = one_peer(source, at, rule)?;
    warn_if_never(source, at, &traffic, &peer);
    let mut read = Rule::allow(direction, traffic, peer);
    read.id = rule.id.get().map(Into::into);
    read.description = rule.description.get().map(str::to_owned);
    read.tags = super::tags(&rule.tags);
    read.place = Some(source.place(at));
    Ok(read)
}

/// The one peer of a rule (AWS-13).
fn one_peer(source: &mut Source, at: At<'_>, rule: &aws::GroupRule) -> Result<Peer, LoadError> {
    let group = rule.peer_group.as_ref();
    let given: Vec<&str> = [
        ("CidrIpv4", rule.v4.get().is_some()),
        ("CidrIpv6", rule.v6.get().is_some()),
        ("PrefixListId", rule.prefix_list.get().is_some()),
        ("ReferencedGroupInfo", group.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, given)| given.then_some(field))
    .collect();
    let expected = "one of `CidrIpv4`, `CidrIpv6`, `PrefixListId` and `ReferencedGroupInfo`";
    if given.len() > 1 {
        let found = given.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(" and ");
        return Err(LoadError::Value { place: source.place(at), found, expected: expected.to_owned() });
    }
    if let Some(text) = rule.v4.get() {
        return block(source, at.field("CidrIpv4"), text, Family::V4, "CidrIpv6");
    }
    if let Some(text) = rule.v6.get() {
        return block(source, at.field("CidrIpv6"), text, Family::V6, "CidrIpv4");
    }
    if let Some(id) = rule.prefix_list.get() {
        return Ok(Peer::PrefixList(id.into()));
    }
    let Some(pair) = group else {
        return Err(source.missing(at, expected));
    };
    let id = source.need(at.field("ReferencedGroupInfo"), "GroupId", &pair.id, "the id of a group")?;
    Ok(Peer::Group(reference(pair, id)))
}

/// A block that must be of the family of its field (AWS-93).
fn block(source: &mut Source, at: At<'_>, text: &str, family: Family, other: &str) -> Result<Peer, LoadError> {
    match cidr(source, at, text, Some(family), Bare::Refused) {
        Err(LoadError::Value { place, found, expected }) if found.starts_with("the ") => {
            let expected = format!("{expected} (the other family goes into `{other}`)");
            Err(LoadError::Value { place, found, expected })
        }
        block => block.map(Peer::Cidr),
    }
}

fn reference(pair: &aws::GroupPair, id: &str) -> GroupReference {
    let mut reference = GroupReference::new(id);
    reference.owner = pair.owner.get().map(Into::into);
    reference.vpc = pair.vpc.get().map(Into::into);
    reference.peering = pair.peering.get().map(|status| match status.to_ascii_lowercase().as_str() {
        "active" => PeeringStatus::Active,
        "deleted" | "rejected" | "expired" | "failed" => PeeringStatus::Gone,
        _ => PeeringStatus::Unsettled,
    });
    reference
}

/// ICMP of one family never meets a block of the other (AWS-34).
fn warn_if_never(source: &mut Source, at: At<'_>, traffic: &Traffic, peer: &Peer) {
    let Peer::Cidr(block) = peer else {
        return;
    };
    let family = match traffic {
        Traffic::Icmp(_) => Family::V4,
        Traffic::Icmpv6(_) => Family::V6,
        _ => return,
    };
    if block.family() != family {
        let protocol = if family == Family::V4 { "icmp" } else { "icmpv6" };
        let message = format!("the rule matches nothing: {protocol} is {family} only, and {block} is not");
        source.warn(WarningKind::NeverMatches, at, message);
    }
}

/// Protocol and ports of a permission or rule (AWS-2 to AWS-8).
fn traffic(source: &mut Source, at: At<'_>, protocol: &Text, from: Int, to: Int) -> Result<Traffic, LoadError> {
    let expected = "a protocol name, a number from 0 to 255, or -1";
    let text = source.need(at, "IpProtocol", protocol, expected)?;
    if text == "-1" || text.eq_ignore_ascii_case("all") {
        if text != "-1" {
            let message = format!("`{text}` is not a protocol of AWS; read as -1, every protocol");
            source.warn(WarningKind::ProtocolAlias, at.field("IpProtocol"), message);
        }
        warn_if_ports(source, at, "every protocol", from, to);
        return Ok(Traffic::All);
    }
    let protocol: Protocol = text.parse().map_err(|_| source.wrong(at.field("IpProtocol"), text, expected))?;
    match protocol {
        Protocol::TCP => ports(source, at, "TCP", from, to).map(Traffic::Tcp),
        Protocol::UDP => ports(source, at, "UDP", from, to).map(Traffic::Udp),
        Protocol::ICMP => icmp(source, at, true, from, to).map(Traffic::Icmp),
        Protocol::ICMPV6 => icmp(source, at, false, from, to).map(Traffic::Icmpv6),
        other => {
            warn_if_ports(source, at, &format!("protocol {other}"), from, to);
            Ok(Traffic::protocol(other))
        }
    }
}

/// A number that is there and is not the -1 that stands for none.
fn set(number: Int) -> Option<i64> {
    number.get().filter(|&number| number != -1)
}

fn warn_if_ports(source: &mut Source, at: At<'_>, protocol: &str, from: Int, to: Int) {
    if set(from).is_some() || set(to).is_some() {
        let message = format!("ports mean nothing with {protocol} and were ignored");
        source.warn(WarningKind::IgnoredPorts, at, message);
    }
}

fn ports(source: &mut Source, at: At<'_>, protocol: &str, from: Int, to: Int) -> Result<Ports, LoadError> {
    if set(from).is_none() && set(to).is_none() {
        let message = format!("the {protocol} rule has no ports; read as all ports");
        source.warn(WarningKind::AllPorts, at, message);
        return Ok(Ports::Any);
    }
    let port = |field: &str, number: Int| {
        let expected = "a port from 0 to 65535";
        let number = number.get().ok_or_else(|| source.missing(at.field(field), expected))?;
        u16::try_from(number).map_err(|_| source.wrong(at.field(field), number, expected))
    };
    let (first, last) = (port("FromPort", from)?, port("ToPort", to)?);
    PortRange::new(first, last).map(Ports::Range).map_err(|_| LoadError::Value {
        place: source.place(at.field("FromPort")),
        found: format!("`{first}` with `ToPort` `{last}`"),
        expected: "a port that is not greater than `ToPort`".to_owned(),
    })
}

/// A type and a code, each of which may be any (AWS-6, trap T4). Only `icmpv6` may have neither
/// (AWS-7).
fn icmp(source: &mut Source, at: At<'_>, v4: bool, from: Int, to: Int) -> Result<IcmpSelector, LoadError> {
    let byte = |field: &str, what: &str, number: i64| {
        u8::try_from(number)
            .map_err(|_| source.wrong(at.field(field), number, format!("an ICMP {what} from 0 to 255, or -1")))
    };
    let (kind, code) = (
        set(from).map(|number| byte("FromPort", "type", number)).transpose()?,
        set(to).map(|number| byte("ToPort", "code", number)).transpose()?,
    );
    let warning = match (kind, code) {
        (None, None) if v4 && from.get().is_none() && to.get().is_none() => {
            Some("the ICMP rule has no type and code; read as any".to_owned())
        }
        (None, Some(code)) => Some(format!("the ICMP rule has the code {code} but no type; read as any type and code")),
        (Some(kind), None) if to.get().is_none() => {
            Some(format!("the ICMP rule of type {kind} has no code; read as any code"))
        }
        _ => None,
    };
    if let Some(message) = warning {
        source.warn(WarningKind::AnyIcmp, at, message);
    }
    Ok(match (kind, code) {
        (None, _) => IcmpSelector::Any,
        (Some(kind), None) => IcmpSelector::Type(kind),
        (Some(kind), Some(code)) => IcmpSelector::Message(IcmpMessage::new(kind, code)),
    })
}

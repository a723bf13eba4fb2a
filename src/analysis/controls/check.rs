//! What a control looks for, as data, and whether something violates it.

use serde::Serialize;

use super::openness::{Certainty, Openness, Owners, Reach};
use super::ports::{Families, ServicePorts, ports};
use crate::model::{GroupId, GroupKind, Interface, Inventory, RuleCoverage, SecurityGroup};
use crate::net::{Direction, Family, common};
use crate::policy::{ClauseId, Policy, Provenance, service};
use crate::set::by_service::ServiceRanges;
use crate::set::{PacketSet, Services};

/// Something that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "check", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Check {
    /// None of these ports is open to anywhere.
    PortsNotOpen {
        /// The ports.
        ports: ServicePorts,
        /// The families of sources.
        families: Families,
    },
    /// Of TCP and UDP only these ports are open to anywhere; other protocols do not count.
    OnlyPortsOpen {
        /// The ports.
        ports: ServicePorts,
        /// The families of sources.
        families: Families,
    },
    /// Neither all ports of TCP nor all of UDP are open to anywhere, in however many rules. Port 0, which
    /// nothing uses, does not count: Alibaba Cloud writes all ports as `1/65535`.
    NotAllPorts {
        /// The families of sources.
        families: Families,
    },
    /// Not every protocol with every port is open to anywhere.
    NotAllProtocols {
        /// The families of sources.
        families: Families,
    },
    /// Not every protocol with every port is allowed out to anywhere.
    NotAllEgress {
        /// The families of destinations.
        families: Families,
    },
    /// Nothing is open to any public address.
    NoPublicSource {
        /// The families of sources.
        families: Families,
    },
    /// The default group of a VPC has no rule.
    NoRules,
    /// A group is attached to an interface, unless it is a default group, which cannot be deleted (AWS-51).
    Attached,
    /// A group has a description.
    Described,
    /// A group is not a basic one.
    NotBasic,
    /// An interface has one of these groups; any group if none is named.
    HasGroup {
        /// The groups.
        any_of: Vec<GroupId>,
    },
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The policy of an interface or a group for packets that come in.
    Ingress,
    /// The policy of an interface or a group for packets that go out.
    Egress,
    /// A group as it is configured.
    Group,
    /// An interface as it is configured.
    Interface,
}

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A policy, by what it opens.
    Traffic(&'a Openness<'a>),
    /// A group of an inventory.
    Group(&'a Inventory, &'a SecurityGroup),
    /// An interface of an inventory.
    Interface(&'a Inventory, &'a Interface),
}

/// A check does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// Whether it is so; false if the data cannot tell, and only what is indeterminate makes it a violation.
    pub certain: bool,
    /// What is wrong, to follow the name of the subject.
    pub text: String,
    /// The packets between public addresses and the subject that show it: those that are allowed, or those
    /// that are indeterminate if it is not certain. Empty for checks that are not about traffic.
    pub packets: PacketSet,
    /// The clauses that let those packets through, or perhaps do, in order of their numbers.
    pub clauses: Vec<ClauseId>,
    /// Whether some of them pass by the default, which no rule says.
    pub by_default: bool,
}

impl Violation {
    fn structural(certain: bool, text: impl Into<String>) -> Self {
        Self { certain, text: text.into(), packets: PacketSet::empty(), clauses: Vec::new(), by_default: false }
    }

    /// Whether only rules of groups that a cloud service owns bring it about. Those filter, but their user
    /// can change nothing (ALI-29), so auditors do not count them (ALI-80).
    pub fn is_managed(&self, policy: &Policy, inventory: &Inventory) -> bool {
        let managed = |id: &ClauseId| {
            let group = match policy.clause(*id).map(|clause| &clause.provenance) {
                Some(Provenance::Rule(origin)) => &origin.group,
                Some(Provenance::Implied { group: Some(group), .. }) => group,
                _ => return false,
            };
            inventory.group(group.as_str()).is_some_and(|group| group.service_managed)
        };
        !self.by_default && !self.clauses.is_empty() && self.clauses.iter().all(managed)
    }
}

impl Check {
    /// What it is about, which tells the [`Subject`] that it can be asked about.
    pub fn about(&self) -> About {
        match self {
            Self::PortsNotOpen { .. }
            | Self::OnlyPortsOpen { .. }
            | Self::NotAllPorts { .. }
            | Self::NotAllProtocols { .. }
            | Self::NoPublicSource { .. } => About::Ingress,
            Self::NotAllEgress { .. } => About::Egress,
            Self::NoRules | Self::Attached | Self::Described | Self::NotBasic => About::Group,
            Self::HasGroup { .. } => About::Interface,
        }
    }
}

/// Whether something violates a check; `None` too if the check is about something else
/// ([`Check::about`]).
///
/// A certain violation hides what is only possible.
pub fn evaluate(check: &Check, subject: Subject<'_>) -> Option<Violation> {
    match subject {
        Subject::Traffic(openness) => {
            let about = match openness.direction() {
                Direction::Ingress => About::Ingress,
                Direction::Egress => About::Egress,
            };
            if check.about() != about {
                return None;
            }
            let judged = |certainty| traffic(check, openness, certainty);
            judged(Certainty::Certain).or_else(|| judged(Certainty::Possible))
        }
        Subject::Group(inventory, group) => match check {
            Check::NoRules => no_rules(group),
            Check::Attached => attached(inventory, group),
            // Documents say the empty text where there is none, and it is read as none.
            Check::Described => {
                let described = group.description.as_ref().is_some_and(|text| !text.trim().is_empty());
                (!described).then(|| Violation::structural(true, "has no description"))
            }
            Check::NotBasic => match group.kind {
                Some(GroupKind::Basic) => Some(Violation::structural(true, "is a basic group")),
                None => Some(Violation::structural(false, "may be a basic group")),
                Some(_) => None,
            },
            _ => None,
        },
        Subject::Interface(_, interface) => match check {
            Check::HasGroup { any_of } => has_group(any_of, interface),
            _ => None,
        },
    }
}

/// The services of each family that violate a check about traffic.
fn offending(check: &Check, openness: &Openness<'_>, certainty: Certainty, family: Family) -> ServiceRanges {
    let open = openness.open(family, certainty, Reach::Anywhere);
    let everything = || if open == [(0, service::LAST)] { open.to_vec() } else { Vec::new() };
    match check {
        Check::PortsNotOpen { ports, .. } => common(open, &ports.services()),
        Check::OnlyPortsOpen { ports, .. } => {
            let with_ports = common(open, &ServicePorts::all().services());
            common(&with_ports, &complement(&ports.services()))
        }
        Check::NotAllPorts { .. } => {
            let used = ports(&[(1, u16::MAX)]);
            let all = [ServicePorts::tcp(used.clone()), ServicePorts::udp(used)];
            let whole = |ports: ServicePorts| {
                let services = ports.services();
                (common(open, &services) == services).then_some(services)
            };
            all.into_iter().filter_map(whole).flatten().collect()
        }
        Check::NotAllProtocols { .. } | Check::NotAllEgress { .. } => everything(),
        Check::NoPublicSource { .. } => openness.open(family, certainty, Reach::Some).to_vec(),
        _ => Vec::new(),
    }
}

fn traffic(check: &Check, openness: &Openness<'_>, certainty: Certainty) -> Option<Violation> {
    let families = match check {
        Check::PortsNotOpen { families, .. }
        | Check::OnlyPortsOpen { families, .. }
        | Check::NotAllPorts { families }
        | Check::NotAllProtocols { families }
        | Check::NotAllEgress { families }
        | Check::NoPublicSource { families } => *families,
        _ => return None,
    };
    let services = Family::ALL
        .map(|family| if families.has(family) { offending(check, openness, certainty, family) } else { Vec::new() });
    if services.iter().all(Vec::is_empty) {
        return None;
    }
    let Owners { clauses, by_default } = openness.owners(&services, certainty);
    let certain = certainty == Certainty::Certain;
    let (verb, remote) = match (certain, check) {
        (true, Check::NotAllEgress { .. }) => ("allows", "to anywhere"),
        (false, Check::NotAllEgress { .. }) => ("may allow", "to anywhere"),
        (true, Check::NoPublicSource { .. }) => ("allows", "from public addresses"),
        (false, Check::NoPublicSource { .. }) => ("may allow", "from public addresses"),
        (true, _) => ("allows", "from anywhere"),
        (false, _) => ("may allow", "from anywhere"),
    };
    Some(Violation {
        certain,
        text: format!("{verb} {} {remote}", in_words(&services)),
        packets: openness.packets(&services, certainty),
        clauses,
        by_default,
    })
}

/// `tcp/22 over IPv4 and IPv6`, or each family with its own.
fn in_words(services: &[ServiceRanges; 2]) -> String {
    let text =
        |family, ranges: &ServiceRanges| (!ranges.is_empty()).then(|| Services::of_ranges(family, ranges).to_string());
    let [v4, v6] = services;
    match (text(Family::V4, v4), text(Family::V6, v6)) {
        (Some(v4), Some(v6)) if v4 == v6 => format!("{v4} over IPv4 and IPv6"),
        (Some(v4), Some(v6)) => format!("{v4} over IPv4 and {v6} over IPv6"),
        (Some(v4), None) => format!("{v4} over IPv4"),
        (None, Some(v6)) => format!("{v6} over IPv6"),
        (None, None) => String::new(),
    }
}

/// The services that are in none of some sorted disjoint ranges.
pub(in crate::analysis) fn complement(ranges: &[(u32, u32)]) -> ServiceRanges {
    let mut rest = Vec::with_capacity(ranges.len() + 1);
    let mut next = 0;
    for (first, last) in ranges {
        if next < *first {
            rest.push((next, first - 1));
        }
        next = last + 1;
    }
    if next <= service::LAST {
        rest.push((next, service::LAST));
    }
    rest
}

/// Whether a group is the default group of a VPC of AWS, which no other group can be named like (AWS-51, AWS-86).
fn is_default(group: &SecurityGroup) -> bool {
    matches!(group.kind, Some(GroupKind::Aws) | None) && group.name.as_deref() == Some("default")
}

fn no_rules(group: &SecurityGroup) -> Option<Violation> {
    if !is_default(group) {
        return None;
    }
    let count = |direction| group.rules.iter().filter(|rule| rule.direction == direction).count();
    let (inbound, outbound) = (count(Direction::Ingress), count(Direction::Egress));
    if inbound + outbound > 0 {
        let text = format!("is a default group and has rules: {inbound} inbound, {outbound} outbound");
        return Some(Violation::structural(true, text));
    }
    let unknown = group.coverage != RuleCoverage::Complete;
    unknown.then(|| Violation::structural(false, "is a default group and may have rules that were not loaded"))
}

fn attached(inventory: &Inventory, group: &SecurityGroup) -> Option<Violation> {
    if is_default(group) || !inventory.members_by_vpc(group.id.as_str()).is_empty() {
        return None;
    }
    // An interface that was not loaded, or whose groups are not known, may have it.
    let certain = inventory.members_complete() && inventory.undecided_by_vpc().is_empty();
    let text = if certain { "is attached to no interface" } else { "is attached to no interface that is known" };
    Some(Violation::structural(certain, text))
}

fn has_group(any_of: &[GroupId], interface: &Interface) -> Option<Violation> {
    let Some(groups) = &interface.groups else {
        return Some(Violation::structural(false, "may not have the groups that it should have"));
    };
    let fine = if any_of.is_empty() { !groups.is_empty() } else { any_of.iter().any(|id| groups.contains(id)) };
    if fine {
        return None;
    }
    if any_of.is_empty() {
        return Some(Violation::structural(true, "has no security group"));
    }
    let names: Vec<&str> = any_of.iter().map(GroupId::as_str).collect();
    Some(Violation::structural(true, format!("has none of the groups {}", names.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complements_of_services() {
        assert_eq!(complement(&[]), [(0, service::LAST)]);
        assert_eq!(complement(&[(0, service::LAST)]), []);
        assert_eq!(complement(&[(0, 4), (6, 9)]), [(5, 5), (10, service::LAST)]);
        assert_eq!(complement(&[(3, service::LAST)]), [(0, 2)]);
    }
}

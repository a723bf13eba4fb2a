//! Traffic that a provider never filters, as a table that callers can replace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::lower::selector;
use super::resolve::resolve_ports;
use super::scope::Scope;
use crate::model::{Action, Traffic};
use crate::net::{AddressSet, Cidr, Direction, Family, PortRange, PortSet};
use crate::policy::{Clause, Provenance, Rank, Remark, Selector, Space};

/// One kind of traffic that is never filtered: a row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Exemption {
    /// The direction of the opening packet.
    pub direction: Direction,
    /// Protocol and destination ports; of a port list only the entries that are known.
    pub traffic: Traffic,
    /// The far end.
    pub remote: ExemptRemote,
    /// What it is, to follow "allows": `instance metadata`.
    pub name: String,
    /// The fact that says so.
    pub fact: String,
}

/// The far end of traffic that is never filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExemptRemote {
    /// A block of addresses.
    Cidr(Cidr),
    /// The resolver of the interface's VPC: the third address of its primary IPv4 range (AWS-75).
    VpcResolver,
    /// The router of the interface's subnet: the second address of its IPv4 range (AWS-75).
    SubnetRouter,
}

impl Exemption {
    /// A row of the table.
    pub fn new(
        direction: Direction,
        traffic: Traffic,
        remote: ExemptRemote,
        name: impl Into<String>,
        fact: impl Into<String>,
    ) -> Self {
        Self { direction, traffic, remote, name: name.into(), fact: fact.into() }
    }

    /// The row as a clause of the first rank; `None` if it is about the other direction, or about an
    /// address that depends on a range of VPC or subnet that is not known.
    pub fn clause(&self, scope: &Scope<'_>) -> Option<Clause> {
        if self.direction != scope.direction {
            return None;
        }
        let remote = self.remote_addresses(scope)?;
        let provenance = Provenance::NeverFiltered {
            fact: self.fact.clone(),
            text: format!("{} ({} with {remote}), which is never filtered", self.name, self.traffic),
        };
        let ports = match self.traffic.ports() {
            Some(ports) => resolve_ports(scope.inventory, ports).0.certainly(),
            None => PortSet::all(),
        };
        let space = Space::new(selector(&self.traffic, &ports), remote);
        Some(Clause::new(Rank::FIRST, Action::Allow, space, provenance))
    }

    /// The addresses of the far end; `None` if the ranges of VPC or subnet are not known.
    fn remote_addresses(&self, scope: &Scope<'_>) -> Option<AddressSet> {
        let address_of = |blocks: &[Cidr], offset| {
            let block = blocks.iter().find(|block| block.family() == Family::V4)?;
            block.nth(offset).map(|address| AddressSet::from(Cidr::host(address)))
        };
        match self.remote {
            ExemptRemote::Cidr(block) => Some(block.into()),
            ExemptRemote::VpcResolver => address_of(&scope.vpc()?.cidrs, 2),
            ExemptRemote::SubnetRouter => address_of(&scope.subnet()?.cidrs, 1),
        }
    }
}

/// Ranges that are not the internet: private, shared, link-local and unique local addresses.
const NOT_INTERNET: [(IpAddr, u8); 7] = [
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), 10),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
];

/// The remark that outbound mail to the internet is blocked beside security groups by default.
pub(super) fn outbound_mail(scope: &Scope<'_>, fact: &str) -> Vec<Remark> {
    if scope.direction != Direction::Egress {
        return Vec::new();
    }
    let inside = NOT_INTERNET.into_iter().filter_map(|(address, prefix)| Cidr::containing(address, prefix).ok());
    let internet = inside.collect::<AddressSet>().complement();
    let mail = Space::new(Selector::Tcp(PortSet::from(PortRange::from(25))), internet);
    let text = "the provider blocks outbound TCP port 25 to the internet by default, which no rule can open";
    vec![Remark::new(mail, fact, text)]
}

/// The rows of a table that concern a scope, as clauses.
pub(super) fn clauses(table: &[Exemption], scope: &Scope<'_>) -> Vec<Clause> {
    table.iter().filter_map(|row| row.clause(scope)).collect()
}

//! Quotas of the clouds, as data, and what of an inventory exceeds them.
//!
//! Exceeding a quota is a finding and never an error: quotas can be raised, and what was described exists.
//!
//! Not here, because an inventory does not show it: quotas of a region (groups, prefix lists), for it may hold
//! several regions or a part of one; versions and references of prefix lists (AWS-83); the size of port lists of
//! Alibaba Cloud, of which only the entries are known and count (ALI-43, ALI-44).

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::controls::Cloud;
use crate::model::{
    GroupId, GroupKind, InterfaceId, Inventory, Network, Peer, Ports, PrefixList, PrefixListId, Rule, RuleCoverage,
    SecurityGroup,
};
use crate::net::{Direction, Family};

/// The quotas of both clouds; `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Quotas {
    /// Those of AWS.
    pub aws: AwsQuotas,
    /// Those of Alibaba Cloud.
    pub alibaba: AlibabaQuotas,
}

/// Quotas of AWS. The defaults are those of its page on quotas as of 2026.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AwsQuotas {
    /// Rules of a group, for each direction and family by itself: 60 (AWS-78).
    pub rules: Option<u64>,
    /// Groups of an interface: 5 (AWS-79).
    pub groups: Option<u64>,
    /// The product of both, which cannot be raised: 1,000 (AWS-79).
    pub product: Option<u64>,
    /// Entries of a prefix list: 1,000 (AWS-83).
    pub entries: Option<u64>,
    /// What lists of AWS's own cost, by a part of their names; as of 2023 (AWS-82).
    pub weights: Vec<(&'static str, u64)>,
}

/// Quotas of Alibaba Cloud. The defaults are those of its page on limits as of 2026, where it gives figures.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlibabaQuotas {
    /// Groups of an interface: 10. One page still says 5.
    pub groups: Option<u64>,
    /// Rules of a group in both directions together: no limit. It was 200 from 2020 to 2024.
    pub rules_of_group: Option<u64>,
    /// Rules of an interface in both directions together, over all its groups: 1,000.
    pub rules_of_interface: Option<u64>,
    /// Rules of a basic group that refer to a group: 20 (ALI-51).
    pub references: Option<u64>,
    /// Private addresses of the members of a basic group in a VPC: 6,000.
    pub basic_members: Option<u64>,
    /// Private addresses of the members of a group in the classic network: 1,000.
    pub classic_members: Option<u64>,
    /// Interfaces that are members of an enterprise group: 65,536.
    pub enterprise_members: Option<u64>,
    /// Entries of a prefix list: 200 (ALI-42).
    pub entries: Option<u64>,
}

impl Default for AwsQuotas {
    fn default() -> Self {
        Self {
            rules: Some(60),
            groups: Some(5),
            product: Some(1_000),
            entries: Some(1_000),
            weights: vec![
                ("cloudfront.origin-facing", 55),
                ("dynamodb", 1),
                ("groundstation", 5),
                ("s3", 1),
                ("vpc-lattice", 10),
            ],
        }
    }
}

impl Default for AlibabaQuotas {
    fn default() -> Self {
        Self {
            groups: Some(10),
            rules_of_group: None,
            rules_of_interface: Some(1_000),
            references: Some(20),
            basic_members: Some(6_000),
            classic_members: Some(1_000),
            enterprise_members: Some(65_536),
            entries: Some(200),
        }
    }
}

/// What exceeds a quota.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QuotaSubject {
    /// A group.
    Group(GroupId),
    /// An interface.
    Interface(InterfaceId),
    /// A prefix list.
    PrefixList(PrefixListId),
}

/// A quota that is exceeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OverQuota {
    /// By what.
    pub subject: QuotaSubject,
    /// What is counted, such as `inbound rules for IPv4`.
    pub what: String,
    /// How many there are.
    pub figure: u64,
    /// Whether there are perhaps more, because not everything is known.
    pub at_least: bool,
    /// How many there may be.
    pub limit: u64,
    /// The number of the fact that gives the limit, or the name of the page for those that have none.
    pub fact: &'static str,
}

/// `61 inbound rules for IPv4, and the limit is 60 (AWS-78)`.
impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = if self.at_least { "at least " } else { "" };
        write!(f, "{at_least}{} {}, and the limit is {} ({})", self.figure, self.what, self.limit, self.fact)
    }
}

/// A count that may be too small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Figure {
    known: u64,
    more: bool,
}

impl Figure {
    fn exact(known: usize) -> Self {
        Self { known: u64::try_from(known).unwrap_or(u64::MAX), more: false }
    }

    fn add(&mut self, other: Self) {
        self.known = self.known.saturating_add(other.known);
        self.more |= other.more;
    }

    fn over(
        self,
        limit: Option<u64>,
        subject: QuotaSubject,
        what: impl Into<String>,
        fact: &'static str,
    ) -> Option<OverQuota> {
        let limit = limit.filter(|limit| self.known > *limit)?;
        Some(OverQuota { subject, what: what.into(), figure: self.known, at_least: self.more, limit, fact })
    }
}

/// What of an inventory of a cloud exceeds its quotas: groups first, then interfaces, then prefix lists, each in
/// the order of their ids. A figure that cannot be known is the least that it can be. Groups of other clouds
/// are left out.
pub fn over(inventory: &Inventory, cloud: Cloud, quotas: &Quotas) -> Vec<OverQuota> {
    match cloud {
        Cloud::Aws => aws(inventory, &quotas.aws),
        Cloud::Alibaba => alibaba(inventory, &quotas.alibaba),
    }
}

/// The groups of a cloud, those whose kind is not known included.
fn groups_of(inventory: &Inventory, cloud: Cloud) -> impl Iterator<Item = &SecurityGroup> {
    inventory.groups().filter(move |group| group.kind.is_none_or(|kind| Cloud::of(kind) == Some(cloud)))
}

/// The groups of each interface, without repetitions, where they are known.
fn attached(inventory: &Inventory) -> impl Iterator<Item = (&InterfaceId, Vec<&GroupId>)> {
    inventory.interfaces().filter_map(|interface| {
        let mut groups: Vec<&GroupId> = interface.groups.as_ref()?.iter().collect();
        groups.sort_unstable();
        groups.dedup();
        Some((&interface.id, groups))
    })
}

/// The entries that prefix lists are made for.
fn lists(inventory: &Inventory, limit: Option<u64>, fact: &'static str) -> impl Iterator<Item = OverQuota> {
    inventory.prefix_lists().filter_map(move |list| {
        let entries = Figure { known: size(list), more: list.max_entries.is_none() };
        entries.over(limit, QuotaSubject::PrefixList(list.id.clone()), "entries", fact)
    })
}

/// What a prefix list costs, or at least its entries.
fn size(list: &PrefixList) -> u64 {
    list.max_entries.map_or(Figure::exact(list.entries.len()).known, u64::from)
}

/// Whether there may be rules of a direction that were not loaded.
fn may_have_more(group: &SecurityGroup, direction: Direction) -> bool {
    match group.coverage {
        RuleCoverage::Complete => false,
        RuleCoverage::OnlyDirection(known) => known != direction,
        _ => true,
    }
}

fn aws(inventory: &Inventory, quotas: &AwsQuotas) -> Vec<OverQuota> {
    let mut found = Vec::new();
    // The most rules that a group has of one direction and family, which its quota has to allow.
    let mut most: BTreeMap<&GroupId, Figure> = BTreeMap::new();
    for group in groups_of(inventory, Cloud::Aws) {
        for (direction, inbound) in [(Direction::Ingress, "inbound"), (Direction::Egress, "outbound")] {
            for family in Family::ALL {
                let mut count = Figure { known: 0, more: may_have_more(group, direction) };
                for rule in group.rules.iter().filter(|rule| rule.direction == direction) {
                    count.add(aws_cost(inventory, quotas, rule, family));
                }
                let subject = QuotaSubject::Group(group.id.clone());
                found.extend(count.over(quotas.rules, subject, format!("{inbound} rules for {family}"), "AWS-78"));
                let most = most.entry(&group.id).or_default();
                if count.known >= most.known {
                    *most = count;
                }
            }
        }
    }
    for (interface, groups) in attached(inventory) {
        let subject = QuotaSubject::Interface(interface.clone());
        let count = Figure::exact(groups.len());
        found.extend(count.over(quotas.groups, subject.clone(), "security groups", "AWS-79"));
        // Both quotas of the account are at least what this interface has, and so is their product.
        let rules = groups.iter().filter_map(|id| most.get(*id)).max_by_key(|most| most.known);
        let rules = rules.copied().unwrap_or_default();
        let product = Figure { known: rules.known.saturating_mul(count.known), more: rules.more };
        let what =
            format!("as the product of {} security groups and {} rules of one of them", count.known, rules.known);
        found.extend(product.over(quotas.product, subject, what, "AWS-79"));
    }
    found.extend(lists(inventory, quotas.entries, "AWS-83"));
    found
}

/// What a rule counts for in a family (AWS-80). Rules with groups count in both (AWS-81).
fn aws_cost(inventory: &Inventory, quotas: &AwsQuotas, rule: &Rule, family: Family) -> Figure {
    let one = Figure { known: 1, more: false };
    match &rule.peer {
        Peer::Any | Peer::Group(_) => one,
        Peer::Cidr(block) if block.family() == family => one,
        Peer::Cidr(_) => Figure::default(),
        Peer::PrefixList(id) => {
            let list = inventory.prefix_list(id.as_str());
            let own = list.and_then(|list| list.family.or_else(|| list.entries.first().map(|entry| entry.family())));
            match (list, own) {
                (_, Some(own)) if own != family => Figure::default(),
                (Some(list), Some(_)) => aws_list_cost(list, quotas),
                // It counts in one of the families, and at least once.
                _ => Figure { known: 0, more: true },
            }
        }
    }
}

fn aws_list_cost(list: &PrefixList, quotas: &AwsQuotas) -> Figure {
    let weight = list.name.as_deref().filter(|name| name.starts_with("com.amazonaws.")).and_then(|name| {
        let of = |part: &str| name.strip_suffix(part).is_some_and(|rest| rest.ends_with('.'));
        quotas.weights.iter().find(|(part, _)| of(part)).map(|(_, weight)| *weight)
    });
    match (weight, list.max_entries) {
        (Some(weight), _) => Figure { known: weight, more: false },
        (None, Some(max)) => Figure { known: max.into(), more: false },
        (None, None) => Figure { known: size(list).max(1), more: true },
    }
}

fn alibaba(inventory: &Inventory, quotas: &AlibabaQuotas) -> Vec<OverQuota> {
    const LIMITS: &str = "Alibaba Cloud limits";
    let mut found = Vec::new();
    let mut rules: BTreeMap<&GroupId, Figure> = BTreeMap::new();
    // Addresses and interfaces of the members of each group.
    let mut members: BTreeMap<&GroupId, (Figure, Figure)> = BTreeMap::new();
    for interface in inventory.interfaces() {
        // A delegated prefix has addresses too; how it counts is not documented.
        let more = interface.addresses_unknown || !interface.prefixes.is_empty();
        let addresses = Figure { more, ..Figure::exact(interface.addresses.len()) };
        let mut own: Vec<&GroupId> = interface.groups.iter().flatten().collect();
        own.sort_unstable();
        own.dedup();
        for group in own {
            let (all, interfaces) = members.entry(group).or_default();
            all.add(addresses);
            interfaces.add(Figure::exact(1));
        }
    }
    let unknown_members = !inventory.members_complete() || !inventory.undecided_by_vpc().is_empty();
    for group in groups_of(inventory, Cloud::Alibaba) {
        let subject = || QuotaSubject::Group(group.id.clone());
        let mut count = Figure { known: 0, more: group.coverage != RuleCoverage::Complete };
        let mut references = count;
        for rule in &group.rules {
            count.add(alibaba_cost(inventory, rule));
            references.known += u64::from(matches!(rule.peer, Peer::Group(_)));
        }
        rules.insert(&group.id, count);
        found.extend(count.over(quotas.rules_of_group, subject(), "rules", LIMITS));
        // Enterprise groups have none at all (ALI-47), which is no question of a quota.
        if group.kind != Some(GroupKind::Enterprise) {
            found.extend(references.over(quotas.references, subject(), "rules that refer to groups", "ALI-51"));
        }
        let (mut addresses, mut interfaces) = members.get(&group.id).copied().unwrap_or_default();
        addresses.more |= unknown_members;
        interfaces.more |= unknown_members;
        let addresses_text = "private addresses of members";
        found.extend(match (&group.network, group.kind) {
            (Some(Network::Classic), _) => addresses.over(quotas.classic_members, subject(), addresses_text, LIMITS),
            (_, Some(GroupKind::Basic)) => addresses.over(quotas.basic_members, subject(), addresses_text, LIMITS),
            (_, Some(GroupKind::Enterprise)) => {
                interfaces.over(quotas.enterprise_members, subject(), "interfaces as members", LIMITS)
            }
            _ => None,
        });
    }
    for (interface, groups) in attached(inventory) {
        let subject = || QuotaSubject::Interface(interface.clone());
        found.extend(Figure::exact(groups.len()).over(quotas.groups, subject(), "security groups", LIMITS));
        let mut all = Figure::default();
        for id in groups {
            all.add(rules.get(id).copied().unwrap_or(Figure { known: 0, more: true }));
        }
        let what = "rules over all security groups";
        found.extend(all.over(quotas.rules_of_interface, subject(), what, LIMITS));
    }
    found.extend(lists(inventory, quotas.entries, "ALI-42"));
    found
}

/// What a rule counts for (ALI-44). How one with both kinds of list counts is not documented; the larger one
/// is the least.
fn alibaba_cost(inventory: &Inventory, rule: &Rule) -> Figure {
    let mut cost = Figure { known: 1, more: false };
    if let Peer::PrefixList(id) = &rule.peer {
        let list = inventory.prefix_list(id.as_str());
        cost.known = cost.known.max(list.map_or(0, size));
        cost.more |= list.is_none_or(|list| list.max_entries.is_none());
    }
    if let Some(Ports::List(id)) = rule.traffic.ports() {
        let entries = inventory.port_list(id.as_str()).map_or(0, |list| list.entries.len());
        cost.known = cost.known.max(Figure::exact(entries).known);
        cost.more = true;
    }
    cost
}

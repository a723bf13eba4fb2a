//! A security group.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{AccountId, GroupId, VpcId};
use super::interface::NicType;
use super::place::Place;
use super::rule::Rule;
use crate::net::Direction;

/// Whose and what kind of group it is, which decides its defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GroupKind {
    /// A security group of AWS.
    Aws,
    /// A basic group of Alibaba Cloud, `normal` in its documents (ALI-15).
    Basic,
    /// An enterprise group of Alibaba Cloud, "advanced" in its console (ALI-15).
    Enterprise,
    /// A group of any other provider.
    Other,
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws => "AWS",
            Self::Basic => "basic",
            Self::Enterprise => "enterprise",
            Self::Other => "other",
        })
    }
}

/// Whether members of a basic group reach each other without a rule (ALI-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntraGroupPolicy {
    /// They do ("interconnect").
    Accept,
    /// They need a rule ("isolation").
    Drop,
}

/// The network that a group belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Network {
    /// A virtual private cloud.
    Vpc(VpcId),
    /// The classic network of Alibaba Cloud (ALI-19, ALI-20).
    Classic,
}

/// How much of a group's rules is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuleCoverage {
    /// All of them.
    #[default]
    Complete,
    /// There may be more than those listed.
    Partial,
    /// All rules of one network card of a classic group, none of the other: the cloud answers one
    /// card a call (ALI-28 and the paging notes behind it).
    OnlyNic(NicType),
    /// All rules of one direction, perhaps not of the other: the document holds only one of the two
    /// lists.
    OnlyDirection(Direction),
}

/// A security group with its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SecurityGroup {
    /// The id.
    pub id: GroupId,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What people wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The kind; `None` if the documents do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<GroupKind>,
    /// The network; `None` if the documents do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The account that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountId>,
    /// Whether members reach each other without a rule; `None` if the documents do not tell, and
    /// without meaning outside Alibaba Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intra_group: Option<IntraGroupPolicy>,
    /// Whether a cloud service owns the group (ALI-29); its rules filter all the same.
    #[serde(default)]
    pub service_managed: bool,
    /// The rules of both directions, in the order of the document.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Whether these are all of its rules.
    #[serde(default)]
    pub coverage: RuleCoverage,
    /// Tags of the group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl SecurityGroup {
    /// A group of which nothing is known but its id: no kind, no rules.
    pub fn new(id: impl Into<GroupId>) -> Self {
        Self {
            id: id.into(),
            name: None,
            description: None,
            kind: None,
            network: None,
            owner: None,
            intra_group: None,
            service_managed: false,
            rules: Vec::new(),
            coverage: RuleCoverage::Complete,
            tags: BTreeMap::new(),
            place: None,
        }
    }

    /// An AWS group without rules.
    pub fn aws(id: impl Into<GroupId>) -> Self {
        Self { kind: Some(GroupKind::Aws), ..Self::new(id) }
    }

    /// A basic group of Alibaba Cloud without rules.
    pub fn basic(id: impl Into<GroupId>, intra_group: IntraGroupPolicy) -> Self {
        Self { kind: Some(GroupKind::Basic), intra_group: Some(intra_group), ..Self::new(id) }
    }

    /// An enterprise group of Alibaba Cloud without rules; its members are always isolated (ALI-16).
    pub fn enterprise(id: impl Into<GroupId>) -> Self {
        Self { kind: Some(GroupKind::Enterprise), intra_group: Some(IntraGroupPolicy::Drop), ..Self::new(id) }
    }

    /// A group of another provider without rules.
    pub fn other(id: impl Into<GroupId>) -> Self {
        Self { kind: Some(GroupKind::Other), ..Self::new(id) }
    }

    /// The same group with this rule added behind the others.
    pub fn with_rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The same group with these rules added behind the others.
    pub fn with_rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// The same group in this network.
    pub fn in_network(mut self, network: Network) -> Self {
        self.network = Some(network);
        self
    }

    /// The VPC it belongs to, where that is known.
    pub fn vpc(&self) -> Option<&VpcId> {
        match &self.network {
            Some(Network::Vpc(vpc)) => Some(vpc),
            Some(Network::Classic) | None => None,
        }
    }
}

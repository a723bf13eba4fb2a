//! Where clauses come from, what verdicts rest on, and what is missing.

use std::fmt;

use serde::Serialize;

use crate::model::{GroupId, InterfaceId, NicType, Place, PortListId, PrefixListId, Priority, RuleId, VpcId};
use crate::net::Direction;

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Basis {
    /// A rule said so. A denial with this basis is explicit.
    Rule,
    /// A clause that nobody wrote said so, such as the one between members of a group (ALI-4).
    Implied,
    /// Nothing matched, and the default applied. A denial with this basis is implicit.
    Default,
    /// The provider never filters this traffic (AWS-74, ALI-62).
    NeverFiltered,
    /// The interface has no groups, so nothing is filtered (AWS-25).
    Unfiltered,
    /// Nothing: the verdict is indeterminate.
    Undecided,
}

/// Where a clause came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Provenance {
    /// A rule of a group.
    Rule(RuleOrigin),
    /// Nobody wrote it; the provider implies it.
    Implied {
        /// The group it concerns, if it concerns one.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<GroupId>,
        /// The number of the fact that says so, or the provider's name for the clause.
        fact: String,
        /// What it says, to follow "allows" or "denies".
        text: String,
    },
    /// The provider never filters this traffic.
    NeverFiltered {
        /// The number of the fact that says so.
        fact: String,
        /// What it says, to follow "allows".
        text: String,
    },
    /// Rules that exist or may exist, but were not loaded.
    NotLoaded {
        /// What they are, to follow "may allow" or "may deny".
        text: String,
    },
}

/// The rule that a clause came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleOrigin {
    /// The group.
    pub group: GroupId,
    /// The provider's id of the rule, or a name made by the engine if there is none.
    pub rule: RuleId,
    /// The direction of the rule.
    pub direction: Direction,
    /// The position among the group's rules of that direction, from 0.
    pub index: u32,
    /// The priority, if the rule has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// What it is about, to follow "allows" or "denies": `tcp/22 from 10.0.0.0/8`.
    pub text: String,
    /// Where it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl RuleOrigin {
    /// The origin of a rule; priority and place can be set afterwards.
    pub fn new(group: GroupId, rule: RuleId, direction: Direction, index: u32, text: String) -> Self {
        Self { group, rule, direction, index, priority: None, text, place: None }
    }
}

impl Provenance {
    /// An implied clause.
    pub fn implied(fact: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Implied { group: None, fact: fact.into(), text: text.into() }
    }

    /// The basis of a verdict that this clause decides.
    pub fn basis(&self) -> Basis {
        match self {
            Self::Rule(_) | Self::NotLoaded { .. } => Basis::Rule,
            Self::Implied { .. } => Basis::Implied,
            Self::NeverFiltered { .. } => Basis::NeverFiltered,
        }
    }

    /// The rule, if it is one.
    pub fn rule(&self) -> Option<&RuleOrigin> {
        match self {
            Self::Rule(origin) => Some(origin),
            _ => None,
        }
    }

    /// What it is about, to follow "allows" or "denies".
    pub fn text(&self) -> &str {
        match self {
            Self::Rule(RuleOrigin { text, .. })
            | Self::Implied { text, .. }
            | Self::NeverFiltered { text, .. }
            | Self::NotLoaded { text } => text,
        }
    }
}

/// What a short name of the clause is: the rule's id, or the fact that implies it.
impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(origin) => origin.rule.fmt(f),
            Self::Implied { fact, .. } => write!(f, "implied ({fact})"),
            Self::NeverFiltered { fact, .. } => write!(f, "never filtered ({fact})"),
            Self::NotLoaded { .. } => f.write_str("not loaded"),
        }
    }
}

/// Something that was not loaded, or not said, and that an answer may depend on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missing {
    /// The rules of an attached group, all or some.
    GroupRules {
        /// The group.
        group: GroupId,
    },
    /// Which groups the interface has.
    InterfaceGroups {
        /// The interface.
        interface: InterfaceId,
    },
    /// Whether an Alibaba group is basic or enterprise, which decides its default.
    GroupKind {
        /// The group.
        group: GroupId,
    },
    /// Whether members of a basic group reach each other without a rule.
    IntraGroupPolicy {
        /// The group.
        group: GroupId,
    },
    /// Groups of both kinds on one interface, which the cloud does not allow (ALI-17).
    OneGroupKind {
        /// The interface.
        interface: InterfaceId,
    },
    /// A group for an interface that has none, which the cloud does not allow (ALI-66).
    AnyGroup {
        /// The interface.
        interface: InterfaceId,
    },
    /// All members of a referenced group.
    GroupMembers {
        /// The group.
        group: GroupId,
    },
    /// All entries of a prefix list.
    PrefixListEntries {
        /// The list.
        list: PrefixListId,
    },
    /// All entries of a port list.
    PortListEntries {
        /// The list.
        list: PortListId,
    },
    /// How two VPCs are joined, on which a reference from one to the other depends.
    VpcRelation {
        /// The VPC of the interface.
        from: VpcId,
        /// The VPC of the referenced group.
        to: VpcId,
    },
    /// Which VPCs a reference into another VPC joins, and whether it works.
    ReferencedVpc {
        /// The referenced group.
        group: GroupId,
    },
    /// The network card that a rule of a classic group is about.
    RuleNic {
        /// The group.
        group: GroupId,
        /// The card of the interface in question.
        nic: NicType,
    },
    /// Something that an engine outside this crate knows about.
    Other {
        /// What is missing, as a sentence without a full stop.
        text: String,
    },
    /// The packet's source port.
    SourcePort,
    /// The interface's address that the packet has.
    LocalAddress,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GroupRules { group } => write!(f, "not all rules of the group `{group}` were loaded"),
            Self::InterfaceGroups { interface } => {
                write!(f, "the groups of the interface `{interface}` are not known")
            }
            Self::GroupKind { group } => {
                write!(f, "whether the group `{group}` is basic or enterprise is not known; its default depends on it")
            }
            Self::IntraGroupPolicy { group } => {
                write!(f, "whether members of the group `{group}` reach each other without a rule is not known")
            }
            Self::OneGroupKind { interface } => {
                write!(f, "the interface `{interface}` has basic and enterprise groups, which the cloud does not allow")
            }
            Self::AnyGroup { interface } => {
                write!(f, "the interface `{interface}` has no group, which the cloud does not allow")
            }
            Self::GroupMembers { group } => {
                write!(f, "not all members of the referenced group `{group}` are known")
            }
            Self::PrefixListEntries { list } => {
                write!(f, "not all entries of the prefix list `{list}` were loaded")
            }
            Self::PortListEntries { list } => {
                write!(f, "not all entries of the port list `{list}` were loaded")
            }
            Self::VpcRelation { from, to } => {
                write!(f, "how `{from}` and `{to}` are joined is not known; references between them depend on it")
            }
            Self::ReferencedVpc { group } => {
                write!(f, "whether a reference to the group `{group}` of another VPC works is not known")
            }
            Self::RuleNic { group, nic } => {
                write!(f, "a rule of the group `{group}` does not say whether it is about the {nic} card")
            }
            Self::Other { text } => f.write_str(text),
            Self::SourcePort => f.write_str("the packet's source port is not given"),
            Self::LocalAddress => f.write_str("the interface's address in the packet is not given"),
        }
    }
}

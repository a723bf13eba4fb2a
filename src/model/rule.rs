//! A rule, as configured.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{AccountId, GroupId, PrefixListId, RuleId, VpcId};
use super::interface::NicType;
use super::place::Place;
use super::traffic::Traffic;
use crate::net::{Cidr, Direction, PortRange};

/// What a rule does to the traffic that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Let it pass ("accept" on Alibaba Cloud).
    Allow,
    /// Drop it.
    Deny,
    /// Leave the decision to the next stage of a policy; neither AWS nor Alibaba Cloud has this.
    Pass,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Pass => "pass",
        })
    }
}

/// A rule's priority as the provider writes it; the smaller number wins.
///
/// Which numbers are possible is for the engine to say: 1 to 100 on Alibaba Cloud (ALI-52), with
/// 110 in old system rules (ALI-53).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub u32);

impl From<u32> for Priority {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The state of the VPC peering over which a rule refers to a group of another VPC (AWS-10, AWS-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeeringStatus {
    /// The peering works, and so does the reference.
    Active,
    /// Deleted, rejected, expired or failed: the reference is stale and matches nothing (AWS-44).
    Gone,
    /// Anything else, such as `pending-acceptance` or `provisioning`.
    Unsettled,
}

/// A group at the far end of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GroupReference {
    /// The group whose members are meant.
    pub id: GroupId,
    /// The account that owns it, where the document says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountId>,
    /// The VPC of the group; documents give it only for another VPC (AWS-10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<VpcId>,
    /// The state of the peering with that VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peering: Option<PeeringStatus>,
}

impl GroupReference {
    /// A reference by id alone, as within one VPC (AWS-41).
    pub fn new(id: impl Into<GroupId>) -> Self {
        Self { id: id.into(), owner: None, vpc: None, peering: None }
    }
}

/// The far end of a rule: the source of an ingress rule, the destination of an egress rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Peer {
    /// Every address of both families.
    Any,
    /// The addresses of a block, of the block's family only.
    Cidr(Cidr),
    /// The private addresses of the interfaces that have this group (AWS-38, ALI-46).
    Group(GroupReference),
    /// The addresses of a prefix list's entries (AWS-46, ALI-42).
    PrefixList(PrefixListId),
}

impl Peer {
    /// The members of a group, referred to by id alone.
    pub fn group(id: impl Into<GroupId>) -> Self {
        Self::Group(GroupReference::new(id))
    }
}

impl From<Cidr> for Peer {
    fn from(block: Cidr) -> Self {
        Self::Cidr(block)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Cidr(block) => block.fmt(f),
            Self::Group(reference) => reference.id.fmt(f),
            Self::PrefixList(list) => list.fmt(f),
        }
    }
}

/// One rule of a security group: one direction, one protocol with its ports, one peer (AWS-13).
///
/// ```
/// use secgroup::model::{Peer, Priority, Rule, Traffic};
/// use secgroup::net::Direction;
///
/// let peer = Peer::Cidr("10.0.0.0/8".parse()?);
/// let rule = Rule::deny(Direction::Ingress, Traffic::tcp(22), peer).with_priority(Priority(5));
/// assert_eq!(rule.to_string(), "deny ingress tcp/22 from 10.0.0.0/8 (priority 5)");
/// # Ok::<(), secgroup::net::CidrError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rule {
    /// The provider's id, where it has given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RuleId>,
    /// Which way the traffic goes.
    pub direction: Direction,
    /// What is done to it.
    pub action: Action,
    /// The priority, on providers that have one; smaller wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Protocol, destination ports, ICMP type and code.
    pub traffic: Traffic,
    /// Source ports, for TCP and UDP rules of Alibaba Cloud (ALI-36); `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ports: Option<PortRange>,
    /// The far end.
    pub peer: Peer,
    /// The near end, for five-tuple rules of Alibaba Cloud (ALI-40); `None` is any address of the
    /// interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Cidr>,
    /// The network card that the rule is about; counts in classic networks only (ALI-19).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nic: Option<NicType>,
    /// What people wrote beside it; never part of a rule's identity (AWS-36).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Tags of the rule (AWS-17).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Rule {
    /// A rule with the four parts that every rule has.
    pub fn new(direction: Direction, action: Action, traffic: Traffic, peer: impl Into<Peer>) -> Self {
        Self {
            id: None,
            direction,
            action,
            priority: None,
            traffic,
            source_ports: None,
            peer: peer.into(),
            local: None,
            nic: None,
            description: None,
            tags: BTreeMap::new(),
            place: None,
        }
    }

    /// A rule that allows.
    pub fn allow(direction: Direction, traffic: Traffic, peer: impl Into<Peer>) -> Self {
        Self::new(direction, Action::Allow, traffic, peer)
    }

    /// A rule that denies.
    pub fn deny(direction: Direction, traffic: Traffic, peer: impl Into<Peer>) -> Self {
        Self::new(direction, Action::Deny, traffic, peer)
    }

    /// The same rule with this id.
    pub fn with_id(mut self, id: impl Into<RuleId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same rule with this priority.
    pub fn with_priority(mut self, priority: impl Into<Priority>) -> Self {
        self.priority = Some(priority.into());
        self
    }

    /// The same rule for these source ports only (ALI-36).
    pub fn with_source_ports(mut self, ports: impl Into<PortRange>) -> Self {
        self.source_ports = Some(ports.into());
        self
    }

    /// The same rule for these addresses of the interface only (ALI-40).
    pub fn with_local(mut self, block: Cidr) -> Self {
        self.local = Some(block);
        self
    }

    /// The same rule for this network card of a classic instance (ALI-19).
    pub fn with_nic(mut self, nic: NicType) -> Self {
        self.nic = Some(nic);
        self
    }

    /// The same rule with this description.
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Whether the two say the same: everything but id, description, tags and place (AWS-36,
    /// ALI-45).
    pub fn same_meaning(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    /// What makes two rules one.
    #[expect(clippy::type_complexity, reason = "the tuple is the definition; a struct would repeat the fields")]
    pub(crate) fn identity(
        &self,
    ) -> (
        Direction,
        Action,
        Option<Priority>,
        &Traffic,
        Option<PortRange>,
        PeerIdentity<'_>,
        Option<Cidr>,
        Option<NicType>,
    ) {
        (
            self.direction,
            self.action,
            self.priority,
            &self.traffic,
            self.source_ports,
            PeerIdentity::of(&self.peer),
            self.local,
            self.nic,
        )
    }
}

/// What makes two peers one: the state of a peering and the spelling of an owner do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PeerIdentity<'a> {
    Any,
    Cidr(Cidr),
    Group(&'a GroupId),
    PrefixList(&'a PrefixListId),
}

impl<'a> PeerIdentity<'a> {
    fn of(peer: &'a Peer) -> Self {
        match peer {
            Peer::Any => Self::Any,
            Peer::Cidr(block) => Self::Cidr(*block),
            Peer::Group(reference) => Self::Group(&reference.id),
            Peer::PrefixList(list) => Self::PrefixList(list),
        }
    }
}

impl Rule {
    /// What the rule is about, without what it does: `tcp/22 from 10.0.0.0/8`.
    pub fn about(&self) -> String {
        let (remote, local) = match self.direction {
            Direction::Ingress => ("from", "to"),
            Direction::Egress => ("to", "from"),
        };
        let local = self.local.map_or_else(String::new, |block| format!(" {local} {block}"));
        let source = self.source_ports.map_or_else(String::new, |ports| format!(", source port {ports}"));
        format!("{} {remote} {}{local}{source}", self.traffic, self.peer)
    }
}

/// Reads like a line of the console.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.action, self.direction, self.about())?;
        match self.priority {
            Some(priority) => write!(f, " (priority {priority})"),
            None => Ok(()),
        }
    }
}

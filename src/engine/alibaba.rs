//! Security groups of Alibaba Cloud: the rules of all groups are merged, the smallest priority that
//! matches decides, drop before accept at one priority (ALI-1, ALI-2), members of an interconnected
//! basic group reach each other ahead of all rules (ALI-4), and the default depends on direction and
//! kind of group (ALI-3).

use super::exempt::{self, ExemptRemote, Exemption};
use super::scope::{Attachment, RuleSite, Scope};
use super::{PolicyEngine, Unsupported};
use crate::model::{
    Action, GroupId, GroupKind, IntraGroupPolicy, Network, NicType, Peer, Priority, SecurityGroup, Traffic,
};
use crate::net::{AddressSet, Cidr, Direction, IcmpSelector};
use crate::policy::{Clause, Dispute, Extent, Fallback, Missing, Provenance, Rank, Remark, Selector, Space};

/// Members of one group, ahead of all rules (ALI-3).
const INTRA_GROUP: Rank = Rank::new(1, 0);
/// The tier of rules; within it they stand by priority.
const RULES: u16 = 2;
/// The priority of a rule that names none, which is also the best (ALI-52).
const DEFAULT_PRIORITY: Priority = Priority(1);
/// Where load balancers come from, by one page of the documentation (AMB-3 in ALI-61).
const LOAD_BALANCERS: ([u8; 4], u8) = ([100, 64, 0, 0], 10);

/// Whether members of an interconnected group reach each other whatever egress rules say; documents
/// disagree (AMB-1 in ALI-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IntraGroupEgress {
    /// By the tables of rule order: egress knows no intra-group line, so an egress drop stops
    /// traffic to members too.
    #[default]
    Table,
    /// By the pages on policies: custom rules never stop traffic between members.
    AlwaysAllow,
}

/// Whether 100.64.0.0/10, where load balancers and their health checks come from, is filtered;
/// documents disagree (AMB-3 in ALI-61).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LoadBalancerTraffic {
    /// Like any other traffic: one page tells users to allow it by a rule.
    #[default]
    Filtered,
    /// Never: another page says that rules do not stop it.
    NeverFiltered,
}

/// The semantics of Alibaba Cloud's basic and enterprise security groups.
///
/// ```
/// use secgroup::engine::{AlibabaEngine, PolicyEngine, Scope};
/// use secgroup::model::{Interface, IntraGroupPolicy, Inventory, Priority, Rule, SecurityGroup, Traffic};
/// use secgroup::net::{Cidr, Direction, Flow};
/// use secgroup::policy::Verdict;
///
/// // At one priority drop wins; a smaller number wins whatever its action (ALI-8).
/// let anywhere: Cidr = "0.0.0.0/0".parse()?;
/// let web = Traffic::tcp(80);
/// let rule = |rule: Rule, priority| rule.with_priority(Priority(priority));
/// let group = SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop).with_rules([
///     rule(Rule::allow(Direction::Ingress, web.clone(), anywhere), 5),
///     rule(Rule::deny(Direction::Ingress, web.clone(), anywhere), 5),
///     rule(Rule::allow(Direction::Ingress, web, "10.0.0.0/8".parse::<Cidr>()?), 4),
/// ]);
/// let inventory =
///     Inventory::builder().group(group).interface(Interface::new("eni-1").with_groups(["sg-1"])).build()?;
/// let policy = AlibabaEngine::new().lower(&Scope::of(&inventory, "eni-1", Direction::Ingress)?)?;
/// assert_eq!(policy.decide(&Flow::tcp("192.0.2.1".parse()?, 80)).verdict, Verdict::Deny);
/// assert_eq!(policy.decide(&Flow::tcp("10.0.0.1".parse()?, 80)).verdict, Verdict::Allow);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AlibabaEngine {
    never_filtered: Vec<Exemption>,
    intra_group_egress: IntraGroupEgress,
    load_balancers: LoadBalancerTraffic,
}

impl AlibabaEngine {
    /// The engine with the default readings of what documents leave open.
    pub fn new() -> Self {
        Self {
            never_filtered: Self::never_filtered(),
            intra_group_egress: IntraGroupEgress::default(),
            load_balancers: LoadBalancerTraffic::default(),
        }
    }

    /// The same engine with this reading of AMB-1.
    pub fn with_intra_group_egress(mut self, reading: IntraGroupEgress) -> Self {
        self.intra_group_egress = reading;
        self
    }

    /// The same engine with this reading of AMB-3.
    pub fn with_load_balancers(mut self, reading: LoadBalancerTraffic) -> Self {
        self.load_balancers = reading;
        self
    }

    /// The same engine with another table of traffic that is never filtered.
    pub fn with_never_filtered(mut self, table: Vec<Exemption>) -> Self {
        self.never_filtered = table;
        self
    }

    /// The traffic that Alibaba Cloud documents as never filtered and that a flow can show: outbound
    /// to the metadata service (ALI-62). DNS is filtered (ALI-64).
    ///
    /// Not modelled, because a flow cannot show it: connectivity probes of the platform and ICMP
    /// path-MTU errors (ALI-60), and what a load balancer forwards (ALI-61).
    pub fn never_filtered() -> Vec<Exemption> {
        let metadata = ExemptRemote::Cidr(Cidr::host([100, 100, 100, 200].into()));
        vec![Exemption::new(Direction::Egress, Traffic::All, metadata, "the metadata service", "ALI-62")]
    }

    /// Traffic between members of one interconnected basic group (ALI-4 to ALI-7): one clause for
    /// each attached group that is interconnected or may be.
    fn intra_group(scope: &Scope<'_>) -> Vec<Clause> {
        // Groups see the public card of a classic instance too, but members are known by private
        // addresses only (ALI-46).
        if scope.nic() == Some(NicType::Internet) {
            return Vec::new();
        }
        let (preposition, fact) = match scope.direction {
            Direction::Ingress => ("from", "ALI-4"),
            Direction::Egress => ("to", "AMB-1"),
        };
        let enterprise = kinds(scope) == (false, true);
        let clause = |attachment: &Attachment<'_>| {
            let group = attachment.id();
            // All groups of an interface are of one kind (ALI-12), and enterprise groups are isolated.
            if enterprise && attachment.loaded().and_then(kind).is_none() {
                return None;
            }
            let policy_unknown = match attachment.loaded() {
                Some(
                    SecurityGroup { kind: Some(GroupKind::Enterprise), .. }
                    | SecurityGroup { intra_group: Some(IntraGroupPolicy::Drop), .. },
                ) => return None,
                Some(SecurityGroup { intra_group: Some(IntraGroupPolicy::Accept), .. }) => false,
                Some(SecurityGroup { intra_group: None, .. }) | None => true,
            };
            let members = scope.inventory.members(group.as_str());
            let mut missing = Vec::new();
            let known = Space::new(Selector::All, members.addresses.clone());
            let possible = Space::new(Selector::All, members.possible);
            if policy_unknown {
                missing.push(Missing::IntraGroupPolicy { group: group.clone() });
            }
            if !members.complete {
                missing.push(Missing::GroupMembers { group: group.clone() });
            }
            let extent = match (policy_unknown, members.complete) {
                (false, true) => Extent::Exact(known),
                (false, false) => Extent::Partial { certain: Some(known), possible },
                (true, _) => Extent::uncertain(possible),
            };
            let provenance = Provenance::Implied {
                group: Some(group.clone()),
                fact: fact.to_owned(),
                text: format!("traffic {preposition} members of the interconnected group {group}, ahead of all rules"),
            };
            Some(Clause::partial(INTRA_GROUP, Action::Allow, extent, provenance, missing))
        };
        scope.attachments().iter().filter_map(clause).collect()
    }

    /// The disputed clause of AMB-1, by the reading that custom rules never stop members.
    fn intra_group_egress(scope: &Scope<'_>) -> Vec<Clause> {
        if scope.direction != Direction::Egress {
            return Vec::new();
        }
        let dispute = Dispute {
            fact: "AMB-1".to_owned(),
            text:
                "documents disagree on whether an egress drop stops traffic between members of an interconnected group"
                    .to_owned(),
        };
        Self::intra_group(scope).into_iter().map(|clause| clause.disputed(dispute.clone())).collect()
    }

    /// The disputed clause of AMB-3, by the reading that load balancers are never filtered.
    fn load_balancers(scope: &Scope<'_>) -> Option<Clause> {
        if scope.direction != Direction::Ingress {
            return None;
        }
        let (address, prefix) = LOAD_BALANCERS;
        let block = Cidr::containing(address.into(), prefix).ok()?;
        let provenance = Provenance::NeverFiltered {
            fact: "AMB-3".to_owned(),
            text: format!("load balancers and their health checks from {block}"),
        };
        let dispute = Dispute {
            fact: "AMB-3".to_owned(),
            text: format!("documents disagree on whether load balancers in {block} are filtered"),
        };
        let space = Space::new(Selector::All, AddressSet::from(block));
        Some(Clause::new(Rank::FIRST, Action::Allow, space, provenance).disputed(dispute))
    }
}

impl Default for AlibabaEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl PolicyEngine for AlibabaEngine {
    fn name(&self) -> &'static str {
        "alibaba"
    }

    /// By priority, drop first at one priority; nothing else matters (ALI-1, ALI-2). Rules at 110
    /// are rules like any other (ALI-13, ALI-24). A priority of 0, which the cloud does not have
    /// (ALI-52), is taken for the best one.
    fn rank(&self, site: &RuleSite<'_>) -> Rank {
        let Priority(priority) = site.rule.priority.unwrap_or(DEFAULT_PRIORITY);
        Rank::new(RULES, priority.max(DEFAULT_PRIORITY.0).into()).deny_first(site.rule.action)
    }

    fn admit_group(&self, group: &SecurityGroup) -> Result<(), Unsupported> {
        match group.kind {
            Some(GroupKind::Basic | GroupKind::Enterprise) | None => Ok(()),
            Some(kind) => Err(Unsupported::new(format!("it is a group of the kind `{kind}`, not basic or enterprise"))),
        }
    }

    fn admit(&self, site: &RuleSite<'_>) -> Result<(), Unsupported> {
        let rule = site.rule;
        let refuse = |reason| Err(Unsupported::new(reason));
        if rule.action == Action::Pass {
            return refuse("rules accept or drop (ALI-31)");
        }
        if let Traffic::Icmp(messages) | Traffic::Icmpv6(messages) = &rule.traffic
            && *messages != IcmpSelector::Any
        {
            return refuse("rules cannot tell ICMP types and codes apart (ALI-35)");
        }
        if rule.source_ports.is_some() && rule.traffic.ports().is_none() {
            return refuse("only TCP and UDP rules have source ports (ALI-36)");
        }
        Ok(())
    }

    fn implied(&self, scope: &Scope<'_>) -> Vec<Clause> {
        let mut clauses = exempt::clauses(&self.never_filtered, scope);
        if scope.direction == Direction::Ingress {
            clauses.extend(Self::intra_group(scope));
        }
        if self.intra_group_egress == IntraGroupEgress::AlwaysAllow {
            clauses.extend(Self::intra_group_egress(scope));
        }
        if self.load_balancers == LoadBalancerTraffic::NeverFiltered {
            clauses.extend(Self::load_balancers(scope));
        }
        clauses
    }

    fn unapplied(&self, scope: &Scope<'_>) -> Vec<Clause> {
        let mut clauses = Vec::new();
        if self.intra_group_egress == IntraGroupEgress::Table {
            clauses.extend(Self::intra_group_egress(scope));
        }
        if self.load_balancers == LoadBalancerTraffic::Filtered {
            clauses.extend(Self::load_balancers(scope));
        }
        clauses
    }

    fn remarks(&self, scope: &Scope<'_>) -> Vec<Remark> {
        exempt::outbound_mail(scope, "ALI-65")
    }

    fn unknown_ranks(&self) -> Vec<(Action, Rank)> {
        let best = |action| Rank::new(RULES, DEFAULT_PRIORITY.0.into()).deny_first(action);
        vec![(Action::Deny, best(Action::Deny)), (Action::Allow, best(Action::Allow))]
    }

    /// Inbound is denied; outbound is allowed by basic groups and denied by enterprise groups
    /// (ALI-3). All groups of an interface are of one kind, so one that is known tells (ALI-12).
    fn fallback(&self, scope: &Scope<'_>) -> Fallback {
        let interface = &scope.interface.id;
        let Some(groups) = &scope.groups else {
            return Fallback::indeterminate(vec![Missing::InterfaceGroups { interface: interface.clone() }]);
        };
        if groups.is_empty() {
            return Fallback::indeterminate(vec![Missing::AnyGroup { interface: interface.clone() }]);
        }
        if scope.direction == Direction::Ingress {
            return Fallback::deny();
        }
        let unknown = |group: &GroupId| Missing::GroupKind { group: group.clone() };
        match kinds(scope) {
            (true, false) => Fallback::allow(),
            (false, true) => Fallback::deny(),
            (true, true) => Fallback::indeterminate(vec![Missing::OneGroupKind { interface: interface.clone() }]),
            (false, false) => Fallback::indeterminate(groups.iter().map(|group| unknown(group.id())).collect()),
        }
    }
}

/// Whether the interface has a basic group, and whether it has an enterprise group, as far as is known.
fn kinds(scope: &Scope<'_>) -> (bool, bool) {
    let has = |wanted| scope.attachments().iter().any(|group| group.loaded().and_then(kind) == Some(wanted));
    (has(GroupKind::Basic), has(GroupKind::Enterprise))
}

/// The kind of a group: as documented, or proved basic by what only basic groups have, an
/// interconnecting policy, the classic network (ALI-16) or a rule about a group (ALI-47).
fn kind(group: &SecurityGroup) -> Option<GroupKind> {
    let only_basic = || {
        group.intra_group == Some(IntraGroupPolicy::Accept)
            || group.network == Some(Network::Classic)
            || group.rules.iter().any(|rule| matches!(rule.peer, Peer::Group(_)))
    };
    group.kind.or_else(|| only_basic().then_some(GroupKind::Basic))
}

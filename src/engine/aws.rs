//! Security groups of AWS: rules only allow, all rules of all groups are one set, any match allows,
//! and what nothing matches is denied (AWS-27 to AWS-32).

use super::exempt::{self, ExemptRemote, Exemption};
use super::scope::{RuleSite, Scope};
use super::{PolicyEngine, Unsupported};
use crate::model::{Action, GroupKind, Ports, RuleId, SecurityGroup, Traffic};
use crate::net::{Cidr, Direction, IcmpSelector};
use crate::policy::{Clause, Fallback, Missing, Rank, Remark};

/// Rules of groups; they have no order (AWS-28).
const RULES: Rank = Rank::new(1, 0);

/// The semantics of AWS security groups.
///
/// ```
/// use secgroup::engine::{AwsEngine, PolicyEngine, Scope};
/// use secgroup::model::{Interface, Inventory, Rule, SecurityGroup, Traffic};
/// use secgroup::net::{Cidr, Direction, Flow};
/// use secgroup::policy::Verdict;
///
/// // The most permissive rule wins (AWS-29): SSH from one address, and all TCP from its network.
/// let from = |block: &str| block.parse::<Cidr>();
/// let inventory = Inventory::builder()
///     .group(SecurityGroup::aws("sg-1").with_rules([
///         Rule::allow(Direction::Ingress, Traffic::tcp(22), from("192.0.2.12/32")?),
///         Rule::allow(Direction::Ingress, "tcp/0-65535".parse()?, from("192.0.2.0/24")?),
///     ]))
///     .interface(Interface::new("eni-1").with_groups(["sg-1"]))
///     .build()?;
/// let policy = AwsEngine::new().lower(&Scope::of(&inventory, "eni-1", Direction::Ingress)?)?;
/// let decision = policy.decide(&Flow::tcp("192.0.2.12".parse()?, 8080));
/// assert_eq!(decision.verdict, Verdict::Allow);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AwsEngine {
    never_filtered: Vec<Exemption>,
}

impl AwsEngine {
    /// The engine with the documented table of traffic that is never filtered
    /// ([`AwsEngine::never_filtered`]).
    pub fn new() -> Self {
        Self { never_filtered: Self::never_filtered() }
    }

    /// The same engine with another table of traffic that is never filtered.
    pub fn with_never_filtered(mut self, table: Vec<Exemption>) -> Self {
        self.never_filtered = table;
        self
    }

    /// The traffic that AWS documents as never filtered (AWS-74), with the addresses of AWS-75.
    ///
    /// Only the addresses of instance metadata and of time sync are documented; the others, and the
    /// ports, are general knowledge (graded `mem` there). Replies need no row, for groups are
    /// stateful. Not in the table: DHCP over IPv6 answers, which come from link-local addresses.
    pub fn never_filtered() -> Vec<Exemption> {
        const FACT: &str = "AWS-74";
        let mut table = Vec::new();
        let mut add = |direction, traffic: &Traffic, remote, name: &str| {
            table.push(Exemption::new(direction, traffic.clone(), remote, name, FACT));
        };
        let host = |address: [u8; 4]| ExemptRemote::Cidr(Cidr::host(address.into()));
        let host6 = |last: u16| ExemptRemote::Cidr(Cidr::host([0xfd00, 0xec2, 0, 0, 0, 0, 0, last].into()));
        let (tcp, udp) = (|port: u16| Traffic::tcp(port), |port: u16| Traffic::udp(port));
        for traffic in [tcp(53), udp(53)] {
            for remote in [ExemptRemote::VpcResolver, host([169, 254, 169, 253]), host6(0x253)] {
                add(Direction::Egress, &traffic, remote, "the Amazon DNS resolver");
            }
        }
        for remote in [host([169, 254, 169, 254]), host6(0x254)] {
            add(Direction::Egress, &tcp(80), remote, "instance metadata");
        }
        for remote in [host([169, 254, 169, 123]), host6(0x123)] {
            add(Direction::Egress, &udp(123), remote, "the Amazon Time Sync service");
        }
        add(Direction::Egress, &tcp(80), host([169, 254, 170, 2]), "ECS task metadata");
        for address in [[169, 254, 169, 250], [169, 254, 169, 251]] {
            add(Direction::Egress, &tcp(1688), host(address), "Windows licence activation");
        }
        add(Direction::Egress, &udp(67), host([255, 255, 255, 255]), "Amazon DHCP");
        let relay_agents = ExemptRemote::Cidr(Cidr::host([0xff02, 0, 0, 0, 0, 0, 1, 2].into()));
        add(Direction::Egress, &udp(547), relay_agents, "Amazon DHCP");
        for direction in Direction::ALL {
            add(direction, &Traffic::All, ExemptRemote::SubnetRouter, "the router of the subnet");
        }
        table
    }
}

impl Default for AwsEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl PolicyEngine for AwsEngine {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn rank(&self, _site: &RuleSite<'_>) -> Rank {
        RULES
    }

    fn admit_group(&self, group: &SecurityGroup) -> Result<(), Unsupported> {
        match group.kind {
            Some(GroupKind::Aws) | None => Ok(()),
            Some(kind) => Err(Unsupported::new(format!("it is a group of the kind `{kind}`, not of AWS"))),
        }
    }

    fn admit(&self, site: &RuleSite<'_>) -> Result<(), Unsupported> {
        let rule = site.rule;
        let refuse = |reason| Err(Unsupported::new(reason));
        if rule.action != Action::Allow {
            return refuse("AWS security groups only have rules that allow (AWS-28)");
        }
        if rule.priority.is_some() {
            return refuse("rules of AWS security groups have no priority (AWS-28)");
        }
        if rule.source_ports.is_some() {
            return refuse("rules of AWS security groups have no source ports (AWS-5)");
        }
        if rule.local.is_some() {
            return refuse("rules of AWS security groups have no local address (AWS-13)");
        }
        if matches!(rule.traffic.ports(), Some(Ports::List(_))) {
            return refuse("rules of AWS security groups have no port lists (AWS-1)");
        }
        Ok(())
    }

    fn implied(&self, scope: &Scope<'_>) -> Vec<Clause> {
        if scope.has_no_groups() { Vec::new() } else { exempt::clauses(&self.never_filtered, scope) }
    }

    fn remarks(&self, scope: &Scope<'_>) -> Vec<Remark> {
        exempt::outbound_mail(scope, "AWS-50")
    }

    fn unknown_ranks(&self) -> Vec<(Action, Rank)> {
        vec![(Action::Allow, RULES)]
    }

    /// Default deny (AWS-27); an interface without groups is not filtered (AWS-25).
    fn fallback(&self, scope: &Scope<'_>) -> Fallback {
        match &scope.groups {
            Some(groups) if groups.is_empty() => Fallback::unfiltered(),
            Some(_) => Fallback::deny(),
            None => Fallback::indeterminate(vec![Missing::InterfaceGroups { interface: scope.interface.id.clone() }]),
        }
    }

    /// `GROUP/DIRECTION/PROTOCOL/FROM:TO/PEER`, which is what identifies a rule (AWS-36).
    fn rule_name(&self, site: &RuleSite<'_>) -> RuleId {
        let rule = site.rule;
        let protocol = match &rule.traffic {
            Traffic::All => "all".to_owned(),
            Traffic::Other(protocol) => protocol.number().to_string(),
            Traffic::Tcp(_) | Traffic::Udp(_) | Traffic::Icmp(_) | Traffic::Icmpv6(_) => {
                rule.traffic.number().map_or_else(String::new, |protocol| protocol.to_string())
            }
        };
        let icmp = |messages: &IcmpSelector| {
            let part = |value: Option<u8>| value.map_or_else(|| "-1".to_owned(), |value| value.to_string());
            format!("{}:{}", part(messages.kind()), part(messages.code()))
        };
        let ports = match &rule.traffic {
            Traffic::Tcp(Ports::Range(range)) | Traffic::Udp(Ports::Range(range)) => {
                format!("{}:{}", range.first(), range.last())
            }
            // An ICMPv6 rule may omit both fields (AWS-7), and then reads the same as -1 and -1.
            Traffic::Icmpv6(messages) if *messages != IcmpSelector::Any => icmp(messages),
            Traffic::Icmp(messages) => icmp(messages),
            _ => "*:*".to_owned(),
        };
        RuleId::from(format!("{}/{}/{protocol}/{ports}/{}", site.group.id, rule.direction, rule.peer))
    }
}

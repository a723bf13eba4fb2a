//! Another cloud in one file: network security groups (NSGs) of Azure, through the public trait alone.
//!
//! ```text
//! cargo run --example custom_engine
//! ```
//!
//! It prints verdicts with their reasons, and fails if one is not what Azure would do.
//!
//! What is modelled:
//! - Rules have a priority from 100 to 4096, unique within a group and direction; the smallest that
//!   matches decides.
//! - Every group ends in three default rules a direction, which nobody can delete.
//! - A group can stand at the subnet and at the network interface, one at each. Both must allow;
//!   inbound packets meet the subnet first, outbound packets the interface. A place without a group
//!   allows.
//!
//! What is not: application security groups as source (refused, not ignored), what Azure adds to the
//! tag `VirtualNetwork` beyond the network's own ranges (peered and on-premises networks, the host),
//! and platform traffic that no group filters (DNS and metadata).

use std::collections::BTreeMap;
use std::error::Error;

use secgroup::Direction::{Egress, Ingress};
use secgroup::engine::{LowerError, Probe, RuleSite, Unsupported};
use secgroup::model::{
    Action, GroupId, GroupKind, Interface, Peer, Priority, Rule, RuleId, SecurityGroup, Subnet, SubnetId, Traffic, Vpc,
};
use secgroup::net::{AddressSet, Cidr, IcmpSelector, Protocol};
use secgroup::policy::{Basis, Clause, Extent, Fallback, Missing, Provenance, Rank, Selector, Space};
use secgroup::{Direction, Explanation, Flow, Inventory, Policy, PolicyEngine, Scope, Verdict, path};

// ---- The engine -------------------------------------------------------------------------------

/// An interface carries its own group like on any other cloud; which group stands at a subnet is what
/// this engine is told.
#[derive(Debug, Default)]
struct AzureEngine {
    subnets: BTreeMap<SubnetId, GroupId>,
}

impl PolicyEngine for AzureEngine {
    fn name(&self) -> &'static str {
        "azure-nsg"
    }

    /// By priority alone; `admit` has refused rules without one.
    fn rank(&self, site: &RuleSite<'_>) -> Rank {
        at(site.rule.priority.map_or(u32::MAX, |Priority(priority)| priority))
    }

    fn admit(&self, site: &RuleSite<'_>) -> Result<(), Unsupported> {
        let rule = site.rule;
        let refuse = |reason: &str| Err(Unsupported(reason.to_owned()));
        if !matches!(site.group.kind, Some(GroupKind::Other) | None) {
            return refuse("it is in a group of another cloud");
        }
        match rule.priority {
            Some(Priority(100..=4096)) => {}
            Some(other) => return refuse(&format!("the priority {other} is not from 100 to 4096")),
            None => return refuse("it has no priority"),
        }
        let same_place = |other: &&Rule| (other.direction, other.priority) == (rule.direction, rule.priority);
        if site.group.rules.iter().filter(same_place).count() > 1 {
            return refuse("another rule of this direction has the same priority");
        }
        if rule.action == Action::Pass {
            return refuse("rules allow or deny");
        }
        if matches!(rule.peer, Peer::Group(_)) {
            return refuse("application security groups are not modelled");
        }
        match &rule.traffic {
            Traffic::All | Traffic::Tcp(_) | Traffic::Udp(_) | Traffic::Icmp(IcmpSelector::Any) => Ok(()),
            Traffic::Other(protocol) if matches!(protocol.name(), Some("esp" | "ah")) => Ok(()),
            _ => refuse("rules are about TCP, UDP, ICMP, ESP, AH or any protocol as a whole"),
        }
    }

    /// The default rules of a group.
    fn implied(&self, scope: &Scope<'_>) -> Vec<Clause> {
        if has_no_group(scope) {
            return Vec::new();
        }
        let rule = |priority, name: &str, action, text: &str, remote: Option<AddressSet>| {
            let (extent, missing) = match remote {
                Some(remote) => (Extent::Exact(Space::new(Selector::All, remote)), Vec::new()),
                None => {
                    (Extent::uncertain(Space::everything()), vec![Missing::Other { text: UNKNOWN_NETWORK.to_owned() }])
                }
            };
            let provenance = Provenance::implied(format!("default rule {priority} {name}"), text);
            Clause::partial(at(priority), action, extent, provenance, missing)
        };
        let (allow, deny) = (Action::Allow, Action::Deny);
        let (vnet, all) = (virtual_network(scope), Some(AddressSet::all()));
        let probes = Some(Cidr::host(LOAD_BALANCER.into()).into());
        match scope.direction {
            Ingress => vec![
                rule(65000, "AllowVnetInBound", allow, "traffic from the virtual network", vnet),
                rule(65001, "AllowAzureLoadBalancerInBound", allow, "probes of the load balancer", probes),
                rule(65500, "DenyAllInBound", deny, "everything else", all),
            ],
            Egress => vec![
                rule(65000, "AllowVnetOutBound", allow, "traffic to the virtual network", vnet),
                rule(65001, "AllowInternetOutBound", allow, "traffic to the Internet", Some(internet())),
                rule(65500, "DenyAllOutBound", deny, "everything else", all),
            ],
        }
    }

    /// Without a group nothing is filtered; with one, the last default rule has denied the rest.
    fn fallback(&self, scope: &Scope<'_>) -> Fallback {
        if has_no_group(scope) { Fallback::unfiltered() } else { Fallback::deny() }
    }

    /// One stage for each place with a group; all must allow.
    fn lower(&self, scope: &Scope<'_>) -> Result<Policy, LowerError> {
        if scope.attachments().len() > 1 {
            return Err(LowerError::Groups {
                engine: self.name(),
                interface: scope.interface.id.clone(),
                reason: Unsupported("an interface has one network security group at most".to_owned()),
            });
        }
        let mut places = vec![("subnet", self.at_subnet(scope)), ("interface", scope.clone())];
        if scope.direction == Egress {
            places.reverse();
        }
        places.retain(|(_, place)| !has_no_group(place));
        if places.is_empty() {
            return Ok(Policy::rules(scope.direction, self.rule_list(scope)?)?);
        }
        let mut stages = Vec::new();
        for (name, place) in places {
            let list = self.rule_list(&place)?.with_label(format!("network security group of the {name}"));
            stages.push(Policy::rules(scope.direction, list)?);
        }
        Ok(Policy::all_of(stages)?)
    }
}

impl AzureEngine {
    fn with_subnet(mut self, subnet: &str, group: &str) -> Self {
        self.subnets.insert(subnet.into(), group.into());
        self
    }

    /// The same scope with the group of the interface's subnet in place of the interface's own.
    fn at_subnet<'a>(&'a self, scope: &Scope<'a>) -> Scope<'a> {
        let subnet = scope.interface.subnet.as_ref();
        let mut place = scope.clone().with_groups(subnet.and_then(|subnet| self.subnets.get(subnet)));
        if subnet.is_none() && !self.subnets.is_empty() {
            // It may be any subnet, so it may be any group.
            place.groups = None;
        }
        place
    }
}

/// Rules and default rules stand in one order, by priority.
fn at(priority: u32) -> Rank {
    Rank::new(1, priority.into())
}

/// Whether it is known that no group stands there.
fn has_no_group(scope: &Scope<'_>) -> bool {
    scope.groups.as_ref().is_some_and(Vec::is_empty)
}

/// Azure's load balancer probes from this address, whatever the network.
const LOAD_BALANCER: [u8; 4] = [168, 63, 129, 16];

/// What is missing where the tag `VirtualNetwork` has no meaning.
const UNKNOWN_NETWORK: &str = "the ranges of the virtual network are not known";

/// The tag `VirtualNetwork`: the ranges of the interface's network, if they are known.
fn virtual_network(scope: &Scope<'_>) -> Option<AddressSet> {
    let vpc = scope.inventory.vpc(scope.interface.vpc.as_ref()?.as_str())?;
    Some(vpc.cidrs.iter().copied().collect())
}

/// What the tag `Internet` leaves out. Ranges of the network itself need no mention: they are allowed
/// by the rule before.
const NOT_INTERNET: [&str; 7] =
    ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"];

/// The tag `Internet`: what is left when [`NOT_INTERNET`] is taken away.
fn internet() -> AddressSet {
    let outside = NOT_INTERNET.iter().filter_map(|block| block.parse::<Cidr>().ok());
    outside.collect::<AddressSet>().complement()
}

// ---- What it says -----------------------------------------------------------------------------

const BY_RULE: (Verdict, Basis) = (Verdict::Allow, Basis::Rule);
const NOT_BY_RULE: (Verdict, Basis) = (Verdict::Deny, Basis::Rule);
const BY_DEFAULT: (Verdict, Basis) = (Verdict::Allow, Basis::Implied);
const NOT_BY_DEFAULT: (Verdict, Basis) = (Verdict::Deny, Basis::Implied);
const UNFILTERED: (Verdict, Basis) = (Verdict::Allow, Basis::Unfiltered);
const UNKNOWN: (Verdict, Basis) = (Verdict::Indeterminate, Basis::Undecided);

fn main() -> Result<(), Box<dyn Error>> {
    let inventory = inventory()?;
    let azure = AzureEngine::default().with_subnet("snet-web", "nsg-subnet").with_subnet("snet-db", "nsg-subnet");
    told(&azure, &inventory)?;
    checked(&azure, &inventory)?;
    refused()
}

/// What a reader should see.
fn told(azure: &AzureEngine, inventory: &Inventory) -> Result<(), Box<dyn Error>> {
    let tell = |title: &str, interface, flow, expected, rules: &[&str], says: &[&str]| -> Result<(), LowerError> {
        let told = ask(azure, inventory, interface, Ingress, flow, expected)?;
        println!("== {title} ==\n{told}\n");
        assert_eq!(told.rules(), rules.iter().copied().map(RuleId::from).collect::<Vec<_>>());
        assert!(says.iter().all(|text| told.to_string().contains(text)), "{says:?}");
        Ok(())
    };

    let title = "HTTPS from outside: both stages allow it by a rule";
    tell(title, "nic-web", tcp("198.51.100.7", 443)?, BY_RULE, &["nic-https", "subnet-https"], &[])?;

    let title = "HTTPS from a blocked network: the subnet's group denies it";
    tell(title, "nic-web", tcp("203.0.113.9", 443)?, NOT_BY_RULE, &["subnet-block"], &[])?;

    let title = "HTTP from outside: the default rule at the interface denies it";
    let says = ["decided by: network security group of the interface\n", "default rule 65500 DenyAllInBound"];
    tell(title, "nic-web", tcp("198.51.100.7", 80)?, NOT_BY_DEFAULT, &[], &says)?;

    let title = "Any port from the virtual network";
    tell(title, "nic-web", tcp("10.1.7.7", 9999)?, BY_DEFAULT, &[], &["default rule 65000 AllowVnetInBound"])?;

    // A path needs no more than the engine.
    let report = path(azure, inventory, "nic-web", "nic-db", &Probe::tcp(5432))?;
    println!("== From nic-web to nic-db, which has no group of its own ==\n{report}\n");
    assert_eq!(report.verdict, Verdict::Allow);

    // Only what depends on the ranges is left open.
    let title = "The ranges of the virtual network are not known";
    tell(title, "nic-lost", tcp("10.1.7.7", 9999)?, UNKNOWN, &[], &[UNKNOWN_NETWORK])?;
    let told = ask(azure, inventory, "nic-lost", Ingress, tcp("198.51.100.7", 443)?, BY_RULE)?;
    assert_eq!(told.rules(), [RuleId::from("subnet-https")]);
    Ok(())
}

/// What else must be true.
fn checked(azure: &AzureEngine, inventory: &Inventory) -> Result<(), Box<dyn Error>> {
    let probe = Flow::tcp(LOAD_BALANCER.into(), 8080);
    let tunnel = Flow::other("2001:db8::1".parse()?, Protocol::GRE)?;
    let no_subnets = AzureEngine::default();
    let not_loaded = AzureEngine::default().with_subnet("snet-web", "nsg-gone");
    let cases = [
        (azure, "nic-web", Ingress, probe, BY_DEFAULT),
        (azure, "nic-web", Ingress, tunnel, NOT_BY_DEFAULT),
        (azure, "nic-web", Ingress, tcp("198.51.100.7", 22)?, NOT_BY_DEFAULT),
        (azure, "nic-web", Egress, tcp("198.51.100.7", 443)?, BY_DEFAULT),
        (azure, "nic-web", Egress, tcp("2001:db8::1", 443)?, BY_DEFAULT),
        (azure, "nic-web", Egress, tcp("10.1.2.4", 5432)?, BY_DEFAULT),
        // A private network that is not ours is not the Internet.
        (azure, "nic-web", Egress, tcp("10.2.0.1", 443)?, NOT_BY_DEFAULT),
        (azure, "nic-web", Egress, tcp("198.51.100.7", 25)?, NOT_BY_RULE),
        // No group at one stage: that stage allows. At none: nothing is filtered.
        (azure, "nic-db", Ingress, tcp("198.51.100.7", 80)?, BY_RULE),
        (&no_subnets, "nic-db", Ingress, tcp("198.51.100.7", 22)?, UNFILTERED),
        // A group that was not loaded is unknown, not empty; what the other stage denies is denied.
        (&not_loaded, "nic-web", Ingress, tcp("198.51.100.7", 443)?, UNKNOWN),
        (&not_loaded, "nic-web", Ingress, tcp("198.51.100.7", 22)?, NOT_BY_DEFAULT),
    ];
    for (engine, interface, direction, flow, expected) in cases {
        let _ = ask(engine, inventory, interface, direction, flow, expected)?;
    }
    Ok(())
}

/// What the engine must refuse, and why.
fn refused() -> Result<(), Box<dyn Error>> {
    let rule = |priority: u32| Rule::allow(Ingress, Traffic::All, Peer::Any).with_priority(priority);
    let no_priority = Rule::allow(Ingress, Traffic::All, Peer::Any);
    let application_group = Rule::allow(Ingress, Traffic::All, Peer::group("asg-web")).with_priority(100);
    let cases = [
        (vec!["nsg"], no_priority, "it has no priority"),
        (vec!["nsg"], rule(99), "the priority 99 is not from 100 to 4096"),
        (vec!["nsg"], rule(4097), "the priority 4097 is not from 100 to 4096"),
        (vec!["nsg"], application_group, "application security groups are not modelled"),
        (vec!["nsg", "second"], rule(100), "an interface has one network security group at most"),
    ];
    for (groups, rule, because) in cases {
        let inventory = Inventory::builder()
            .group(SecurityGroup::other("nsg").with_rule(rule))
            .interface(Interface::new("nic").with_groups(groups))
            .build()?;
        let answer = AzureEngine::default().lower(&Scope::of(&inventory, "nic", Ingress)?);
        let Err(LowerError::Unsupported { reason, .. } | LowerError::Groups { reason, .. }) = answer else {
            return Err(format!("expected a refusal because {because}, got {answer:?}").into());
        };
        assert_eq!(reason.to_string(), because);
    }
    Ok(())
}

/// Asks, and asserts what is decided and on which basis.
fn ask(
    engine: &AzureEngine,
    inventory: &Inventory,
    interface: &str,
    direction: Direction,
    flow: Flow,
    expected: (Verdict, Basis),
) -> Result<Explanation, LowerError> {
    let policy = engine.lower(&Scope::of(inventory, interface, direction)?)?;
    let (decision, told) = (policy.decide(&flow), policy.explain(&flow));
    assert_eq!((decision.verdict, decision.basis), expected, "{told}");
    assert_eq!(decision, told.decision());
    Ok(told)
}

fn tcp(remote: &str, port: u16) -> Result<Flow, Box<dyn Error>> {
    Ok(Flow::tcp(remote.parse()?, port))
}

/// A network with two subnets, which share a group; the web interface has one of its own.
fn inventory() -> Result<Inventory, Box<dyn Error>> {
    let blocked: Cidr = "203.0.113.0/24".parse()?;
    let (http, https, mail) = (Traffic::tcp(80), Traffic::tcp(443), Traffic::tcp(25));
    let subnet = SecurityGroup::other("nsg-subnet").with_rules([
        Rule::deny(Ingress, Traffic::All, blocked).with_priority(100).with_id("subnet-block"),
        Rule::allow(Ingress, https.clone(), Peer::Any).with_priority(200).with_id("subnet-https"),
        Rule::allow(Ingress, http, Peer::Any).with_priority(210).with_id("subnet-http"),
    ]);
    let nic = SecurityGroup::other("nsg-nic").with_rules([
        Rule::allow(Ingress, https.clone(), Peer::Any).with_priority(100).with_id("nic-https"),
        Rule::deny(Ingress, https, Peer::Any).with_priority(4096).with_id("nic-late-deny"),
        Rule::deny(Egress, mail, Peer::Any).with_priority(100).with_id("nic-no-mail"),
    ]);
    let web = Interface::new("nic-web").in_vpc("vnet-1").in_subnet("snet-web").with_address("10.1.1.4".parse()?);
    let db = Interface::new("nic-db").in_vpc("vnet-1").in_subnet("snet-db").with_address("10.1.2.4".parse()?);
    let lost = Interface::new("nic-lost").in_vpc("vnet-unknown").in_subnet("snet-web");
    Ok(Inventory::builder()
        .vpc(Vpc::new("vnet-1", ["10.1.0.0/16".parse()?]))
        .subnet(Subnet::new("snet-web", "vnet-1", ["10.1.1.0/24".parse()?]))
        .subnet(Subnet::new("snet-db", "vnet-1", ["10.1.2.0/24".parse()?]))
        .group(subnet)
        .group(nic)
        .interface(web.with_groups(["nsg-nic"]))
        .interface(db.without_groups())
        .interface(lost.without_groups())
        .build()?)
}

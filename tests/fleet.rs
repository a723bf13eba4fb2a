//! A fleet decides as the reference does: at every interface, and from every interface to every other.
//!
//! Needs the strategies: `cargo test --all-features`.
#![cfg(all(feature = "fleet", feature = "proptest"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fleets;

use std::sync::Arc;

use fleets::{CASES, Cloud, agrees, config};
use proptest::collection::vec;
use proptest::prelude::*;
use secgroup::engine::{AlibabaEngine, AwsEngine, LowerError, PolicyEngine, RuleSite, Scope};
use secgroup::fleet::{Edit, Fleet};
use secgroup::model::{
    Action, Interface, IntraGroupPolicy, Inventory, Network, NicType, Peer, PrefixList, Rule, SecurityGroup, Traffic,
    VpcRelation,
};
use secgroup::net::{Cidr, Direction, Flow};
use secgroup::policy::{Clause, Fallback, Policy, Provenance, Rank, RuleList, Selector, Space};
use secgroup::strategy::{alibaba_inventory, aws_inventory, flow_near};

fn with_flows(inventory: impl Strategy<Value = Inventory>) -> impl Strategy<Value = (Inventory, Vec<Flow>)> {
    inventory.prop_flat_map(|inventory| (Just(inventory.clone()), vec(flow_near(&inventory), 4..8)))
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn aws_fleets_decide_as_the_reference((inventory, flows) in with_flows(aws_inventory())) {
        let engine = Cloud::Aws.engine();
        let fleet = Fleet::new(Arc::clone(&engine), inventory.clone()).unwrap();
        agrees(&*engine, &inventory, &fleet.snapshot(), &flows)?;
        prop_assert_eq!(fleet.inventory().unwrap(), inventory);
    }

    #[test]
    fn alibaba_fleets_decide_as_the_reference(
        (inventory, flows) in with_flows(alibaba_inventory()),
        cloud in Cloud::alibaba(),
    ) {
        let engine = cloud.engine();
        let fleet = Fleet::new(Arc::clone(&engine), inventory.clone()).unwrap();
        agrees(&*engine, &inventory, &fleet.snapshot(), &flows)?;
        prop_assert_eq!(fleet.inventory().unwrap(), inventory);
    }
}

fn block(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn flows(remotes: &[&str]) -> Vec<Flow> {
    remotes.iter().flat_map(|remote| [22, 80].map(|port| Flow::tcp(remote.parse().unwrap(), port))).collect()
}

fn in_vpc(id: &str, vpc: &str, groups: &[&str], address: &str) -> Interface {
    Interface::new(id).in_vpc(vpc).with_groups(groups.iter().copied()).with_address(address.parse().unwrap())
}

fn check<E: PolicyEngine + Clone + 'static>(engine: &E, inventory: &Inventory, flows: &[Flow]) -> Fleet {
    let fleet = Fleet::new(Arc::new(engine.clone()), inventory.clone()).unwrap();
    agrees(engine, inventory, &fleet.snapshot(), flows).unwrap();
    fleet
}

/// A card with a public address, which does not make it a member of its groups.
fn public_card() -> Interface {
    let mut card = Interface::new("eni-5").in_vpc("vpc-3").with_groups(["sg-1", "sg-3"]);
    card.nic = Some(NicType::Internet);
    card.public = vec!["203.0.113.5".parse().unwrap()];
    card
}

/// Two VPCs with one range, a third that is peered with both: who has an address is a question of the VPC.
fn overlapping() -> Inventory {
    let ingress = |port: u16, group: &str| Rule::allow(Direction::Ingress, Traffic::tcp(port), Peer::group(group));
    let home =
        |id: &str, vpc: &str| SecurityGroup::basic(id, IntraGroupPolicy::Accept).in_network(Network::Vpc(vpc.into()));
    Inventory::builder()
        .group(home("sg-1", "vpc-1").with_rules([ingress(80, "sg-1"), ingress(22, "sg-2")]))
        .group(home("sg-2", "vpc-2").with_rules([ingress(80, "sg-1"), ingress(22, "sg-3")]))
        .group(home("sg-3", "vpc-3").with_rules([ingress(80, "sg-2")]))
        .interface(in_vpc("eni-1", "vpc-1", &["sg-1"], "10.0.0.1"))
        .interface(in_vpc("eni-2", "vpc-2", &["sg-2"], "10.0.0.1"))
        .interface(in_vpc("eni-3", "vpc-3", &["sg-3", "sg-1"], "10.0.0.3"))
        .interface(in_vpc("eni-4", "vpc-1", &["sg-1"], "10.0.0.4"))
        .interface(public_card())
        .relation("vpc-1", "vpc-3", VpcRelation::Peered)
        .relation("vpc-2", "vpc-3", VpcRelation::TransitGateway)
        .build()
        .unwrap()
}

#[test]
fn ranges_of_vpcs_may_overlap_and_groups_may_lie_in_several() {
    let flows = flows(&["10.0.0.1", "10.0.0.3", "10.0.0.4", "192.0.2.1", "203.0.113.5"]);
    check(&AlibabaEngine::new(), &overlapping(), &flows);
}

/// A reference into another VPC means the far end at its private addresses only.
#[test]
fn public_addresses_are_no_members() {
    let vpc = |group: SecurityGroup, vpc: &str| group.in_network(Network::Vpc(vpc.into()));
    let out = Rule::allow(Direction::Egress, Traffic::All, Peer::group("sg-b"));
    let mut into = Rule::allow(Direction::Ingress, Traffic::All, block("0.0.0.0/0"));
    into.nic = Some(NicType::Internet);
    let mut card = public_card();
    (card.vpc, card.groups) = (Some("vpc-2".into()), Some(vec!["sg-b".into()]));
    let inventory = Inventory::builder()
        .group(vpc(SecurityGroup::aws("sg-a").with_rule(out), "vpc-1"))
        .group(vpc(SecurityGroup::aws("sg-b").with_rule(into), "vpc-2"))
        .interface(in_vpc("eni-1", "vpc-1", &["sg-a"], "10.0.0.1"))
        .interface(card)
        .relation("vpc-1", "vpc-2", VpcRelation::Peered)
        .build()
        .unwrap();
    check(&AwsEngine::new(), &inventory, &flows(&["203.0.113.5", "10.0.0.1"]));
}

/// Addresses that symbols are made of are addresses like any other where someone names them.
#[test]
fn addresses_in_the_zone_of_symbols() {
    let zone = "53:4563:6752:6f70::";
    let ingress = |peer: Peer| Rule::allow(Direction::Ingress, Traffic::tcp(80), peer);
    let group = |id: &str| SecurityGroup::aws(id).in_network(Network::Vpc("vpc-1".into()));
    let inventory = Inventory::builder()
        .group(
            group("sg-1")
                .with_rules([ingress(Peer::Cidr(block(&format!("{zone}/128")))), ingress(Peer::group("sg-2"))]),
        )
        .group(group("sg-2").with_rules([ingress(Peer::group("sg-1")), ingress(Peer::Cidr(block("::/8")))]))
        .interface(in_vpc("eni-1", "vpc-1", &["sg-1"], zone))
        .interface(in_vpc("eni-2", "vpc-1", &["sg-2"], "53:4563:6752:6f70::100"))
        .interface(in_vpc("eni-3", "vpc-2", &["sg-2"], "53:4563:6752:6f70::100"))
        .relation("vpc-1", "vpc-2", VpcRelation::Peered)
        .build()
        .unwrap();
    let remotes = [zone, "53:4563:6752:6f70::2", "53:4563:6752:6f70::100", "2001:db8::1"];
    check(&AwsEngine::new(), &inventory, &flows(&remotes));
}

/// An engine that lets everyone in but the members of the interface's groups.
#[derive(Debug, Clone)]
struct Strangers;

impl PolicyEngine for Strangers {
    fn name(&self) -> &'static str {
        "strangers"
    }

    fn rank(&self, site: &RuleSite<'_>) -> Rank {
        Rank::new(1, 0).deny_first(site.rule.action)
    }

    fn implied(&self, scope: &Scope<'_>) -> Vec<Clause> {
        let groups = scope.interface.groups.iter().flatten();
        let clause = |group: &secgroup::model::GroupId| {
            let strangers = scope.inventory.members(group.as_str()).addresses.complement();
            let space = Space::new(Selector::All, strangers);
            Clause::new(Rank::new(2, 0), Action::Allow, space, Provenance::implied("X-1", "strangers"))
        };
        groups.map(clause).collect()
    }
}

/// A set that is more than a union of members is noticed: the policy is lowered for every question, so
/// members that come later count too.
#[test]
fn policies_that_symbols_cannot_hold() {
    let inventory = overlapping();
    let fleet = check(&Strangers, &inventory, &flows(&["10.0.0.1", "10.0.0.9"]));
    fleet.apply([Edit::AddAddress { interface: "eni-4".into(), address: "10.0.0.9".parse().unwrap() }]).unwrap();
    agrees(&Strangers, &fleet.inventory().unwrap(), &fleet.snapshot(), &flows(&["10.0.0.1", "10.0.0.9"])).unwrap();
}

/// An engine that denies in one stage and allows in the next.
#[derive(Debug)]
struct Staged(AlibabaEngine);

impl PolicyEngine for Staged {
    fn name(&self) -> &'static str {
        "staged"
    }

    fn rank(&self, site: &RuleSite<'_>) -> Rank {
        self.0.rank(site)
    }

    fn implied(&self, scope: &Scope<'_>) -> Vec<Clause> {
        self.0.implied(scope)
    }

    fn fallback(&self, scope: &Scope<'_>) -> Fallback {
        self.0.fallback(scope)
    }

    fn lower(&self, scope: &Scope<'_>) -> Result<Policy, LowerError> {
        let all = self.rule_list(scope)?;
        let of = |action| all.clauses().iter().filter(|clause| clause.action == action).cloned().collect();
        let drops = RuleList::new("drops", of(Action::Deny), Fallback::pass())?;
        let accepts = RuleList::new("accepts", of(Action::Allow), self.fallback(scope))?;
        let stages = [drops, accepts].map(|list| Policy::rules(scope.direction, list));
        let [drops, accepts] = stages;
        let policy = Policy::first_decisive(vec![drops?, accepts?])?;
        Ok(Policy::all_of(vec![policy.clone(), policy])?)
    }
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn policies_with_stages_decide_as_the_reference((inventory, flows) in with_flows(alibaba_inventory())) {
        let engine: Arc<dyn PolicyEngine> = Arc::new(Staged(AlibabaEngine::new()));
        let fleet = Fleet::new(Arc::clone(&engine), inventory.clone()).unwrap();
        agrees(&*engine, &inventory, &fleet.snapshot(), &flows)?;
    }
}

/// More clauses than a block of a slab has: 200 rules in one policy, each of its own port and peer.
#[test]
fn policies_of_many_blocks() {
    let rule = |number: u16| {
        let peer = match number % 5 {
            0 => Peer::Cidr(block("10.0.0.0/24")),
            1 => Peer::Cidr(block("2001:db8::/32")),
            2 => Peer::group("sg-2"),
            3 => Peer::PrefixList("pl-1".into()),
            _ => Peer::Cidr(block("0.0.0.0/0")),
        };
        Rule::allow(Direction::Ingress, Traffic::tcp(number / 2), peer)
    };
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rules((0..400).map(rule)))
        .group(SecurityGroup::aws("sg-2"))
        .prefix_list(PrefixList::new("pl-1", [block("192.0.2.0/24"), block("198.51.100.0/25")]))
        .interface(in_vpc("eni-1", "vpc-1", &["sg-1"], "10.0.0.1"))
        .interface(in_vpc("eni-2", "vpc-1", &["sg-2"], "10.0.1.2").with_address("2001:db9::2".parse().unwrap()))
        .build()
        .unwrap();
    let remotes =
        ["10.0.0.7", "10.0.1.2", "192.0.2.7", "198.51.100.127", "198.51.100.128", "2001:db8::1", "2001:db9::2"];
    let flows: Vec<Flow> = (0..=201)
        .step_by(11)
        .flat_map(|port| remotes.iter().map(move |remote| Flow::tcp(remote.parse().unwrap(), port)))
        .collect();
    let fleet = check(&AwsEngine::new(), &inventory, &flows);
    let shorter = PrefixList::new("pl-1", [block("198.51.100.0/24")]);
    fleet.apply([Edit::SetPrefixList(shorter)]).unwrap();
    agrees(&AwsEngine::new(), &fleet.inventory().unwrap(), &fleet.snapshot(), &flows).unwrap();
}

//! One test for each bug that was found, named for what went wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use secgroup::engine::{AlibabaEngine, AwsEngine, PathError, PolicyEngine, Probe, Scope, path};
use secgroup::model::{
    GroupReference, Interface, IntraGroupPolicy, Inventory, Network, Peer, PeeringStatus, Rule, RuleCoverage,
    SecurityGroup, Traffic, VpcRelation,
};
use secgroup::net::{Cidr, Direction, Family, Flow, FlowError, IcmpSelector, Protocol};
use secgroup::policy::{Decision, Explanation, Missing, Verdict};

fn ask(engine: &dyn PolicyEngine, inventory: &Inventory, interface: &str, flow: &Flow) -> (Decision, Explanation) {
    let policy = engine.lower(&Scope::of(inventory, interface, Direction::Ingress).unwrap()).unwrap();
    (policy.decide(flow), policy.explain(flow))
}

fn from(remote: &str) -> Flow {
    Flow::tcp(remote.parse().unwrap(), 22)
}

/// An interface whose groups are not known was taken to be in no group at all, so traffic from it was
/// denied for certain. It may be a member of any group (section 3 of the design; trap 13 of the
/// Alibaba facts: `SecurityGroupIds` can be null).
#[test]
fn an_interface_of_unknown_groups_may_be_a_member() {
    let rule = Rule::allow(Direction::Ingress, Traffic::tcp(22), Peer::group("sg-b"));
    let parts = |aws: bool| {
        let (a, b) = if aws {
            (SecurityGroup::aws("sg-a"), SecurityGroup::aws("sg-b"))
        } else {
            (
                SecurityGroup::basic("sg-a", IntraGroupPolicy::Drop),
                SecurityGroup::basic("sg-b", IntraGroupPolicy::Accept),
            )
        };
        Inventory::builder()
            .group(a.with_rule(rule.clone()))
            .group(b)
            .interface(Interface::new("eni-a").with_groups(["sg-a"]).with_address("10.0.0.1".parse().unwrap()))
            .interface(Interface::new("eni-b").with_groups(["sg-b"]).with_address("10.0.0.2".parse().unwrap()))
            .interface(Interface::new("eni-x").with_address("10.0.0.3".parse().unwrap()))
            .build()
            .unwrap()
    };
    let engines: [(&dyn PolicyEngine, Inventory); 2] =
        [(&AwsEngine::new(), parts(true)), (&AlibabaEngine::new(), parts(false))];
    for (engine, inventory) in engines {
        let verdict = |interface: &str, remote| ask(engine, &inventory, interface, &from(remote)).0.verdict;
        assert_eq!(verdict("eni-a", "10.0.0.2"), Verdict::Allow, "{}", engine.name());
        assert_eq!(verdict("eni-a", "10.0.0.3"), Verdict::Indeterminate, "{}", engine.name());
        assert_eq!(verdict("eni-a", "10.0.0.4"), Verdict::Deny, "{}", engine.name());
        let (_, explanation) = ask(engine, &inventory, "eni-a", &from("10.0.0.3"));
        assert_eq!(explanation.missing, [Missing::GroupMembers { group: "sg-b".into() }], "{}", engine.name());
    }
    // The same for members of an interconnected group.
    let inventory = parts(false);
    let verdict = |remote| ask(&AlibabaEngine::new(), &inventory, "eni-b", &from(remote)).0.verdict;
    assert_eq!(verdict("10.0.0.2"), Verdict::Allow);
    assert_eq!(verdict("10.0.0.3"), Verdict::Indeterminate);
    assert_eq!(verdict("10.0.0.1"), Verdict::Deny);
}

/// A reference that names a VPC or a peering is one into another VPC (AWS-10). Where the VPC of the
/// interface is not known, or the one of the group is not, it was taken to work for certain.
#[test]
fn a_reference_into_another_vpc_is_not_taken_for_one_within() {
    let inventory = |vpc: Option<&str>, peering| {
        let mut reference = GroupReference::new("sg-b");
        reference.vpc = vpc.map(Into::into);
        reference.peering = peering;
        let rule = Rule::allow(Direction::Ingress, Traffic::tcp(22), Peer::Group(reference));
        Inventory::builder()
            .group(SecurityGroup::aws("sg-a").with_rule(rule))
            .interface(Interface::new("eni-a").with_groups(["sg-a"]))
            .interface(Interface::new("eni-b").with_groups(["sg-b"]).with_address("10.0.0.2".parse().unwrap()))
            .build()
            .unwrap()
    };
    for (vpc, peering, verdict) in [
        (None, None, Verdict::Allow),
        (None, Some(PeeringStatus::Active), Verdict::Allow),
        (None, Some(PeeringStatus::Gone), Verdict::Deny),
        (None, Some(PeeringStatus::Unsettled), Verdict::Indeterminate),
        (Some("vpc-b"), None, Verdict::Indeterminate),
        (Some("vpc-b"), Some(PeeringStatus::Unsettled), Verdict::Indeterminate),
    ] {
        let inventory = inventory(vpc, peering);
        let (decision, explanation) = ask(&AwsEngine::new(), &inventory, "eni-a", &from("10.0.0.2"));
        assert_eq!(decision.verdict, verdict, "{vpc:?} {peering:?}");
        let missing: &[Missing] = match verdict {
            Verdict::Indeterminate => &[Missing::ReferencedVpc { group: "sg-b".into() }],
            _ => &[],
        };
        assert_eq!(explanation.missing, missing, "{vpc:?} {peering:?}");
    }
}

/// All groups of an interface are of one kind (ALI-12), and enterprise groups are isolated (ALI-16):
/// a group of unknown kind beside an enterprise group allows nothing among its members. The default of
/// egress was told by that, the traffic among members was not.
#[test]
fn a_group_beside_an_enterprise_group_is_isolated() {
    let inventory = |first: SecurityGroup| {
        Inventory::builder()
            .group(first)
            .group(SecurityGroup::new("sg-b"))
            .interface(Interface::new("eni-1").with_groups(["sg-a", "sg-b"]))
            .interface(Interface::new("eni-2").with_groups(["sg-b"]).with_address("10.0.0.2".parse().unwrap()))
            .build()
            .unwrap()
    };
    let verdict = |inventory: &Inventory| ask(&AlibabaEngine::new(), inventory, "eni-1", &from("10.0.0.2")).0.verdict;
    assert_eq!(verdict(&inventory(SecurityGroup::enterprise("sg-a"))), Verdict::Deny);
    let basic = SecurityGroup::basic("sg-a", IntraGroupPolicy::Drop);
    assert_eq!(verdict(&inventory(basic)), Verdict::Indeterminate);
}

/// Members that were not described were taken to be in the VPC of their group, which over a transit
/// gateway no outbound rule reaches (AWS-42), so outbound traffic was denied for certain. They may as
/// well be in the interface's own VPC (AWS-45).
#[test]
fn members_not_described_may_be_in_the_same_vpc() {
    let vpc = |id: &str| Network::Vpc(id.into());
    let inventory = |vpc_of_reference: Option<&str>| {
        let mut reference = GroupReference::new("sg-b");
        reference.vpc = vpc_of_reference.map(Into::into);
        let rule = Rule::allow(Direction::Egress, Traffic::tcp(22), Peer::Group(reference));
        Inventory::builder()
            .group(SecurityGroup::aws("sg-a").in_network(vpc("vpc-a")).with_rule(rule))
            .group(SecurityGroup::aws("sg-b").in_network(vpc("vpc-b")))
            .interface(Interface::new("eni-a").in_vpc("vpc-a").with_groups(["sg-a"]))
            .relation("vpc-a", "vpc-b", VpcRelation::TransitGateway)
            .members_incomplete()
            .build()
            .unwrap()
    };
    let verdict = |inventory: &Inventory| {
        let scope = Scope::of(inventory, "eni-a", Direction::Egress).unwrap();
        AwsEngine::new().lower(&scope).unwrap().decide(&from("10.0.0.2")).verdict
    };
    assert_eq!(verdict(&inventory(None)), Verdict::Indeterminate);
    // A reference that names the other VPC is about that one.
    assert_eq!(verdict(&inventory(Some("vpc-b"))), Verdict::Deny);
}

/// Found by fuzzing: a priority of 0, which the cloud does not have (ALI-52), stood ahead of every rule
/// that was not loaded, so an accept at 0 was certain although a drop may stand at 1.
#[test]
fn a_priority_of_zero_is_not_ahead_of_rules_that_were_not_loaded() {
    let mut group = SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop)
        .with_rule(Rule::allow(Direction::Ingress, Traffic::All, Cidr::all(Family::V4)).with_priority(0));
    group.coverage = RuleCoverage::Partial;
    let interface = Interface::new("eni-1").with_groups(["sg-1"]);
    let inventory = Inventory::builder().group(group).interface(interface).build().unwrap();
    let scope = Scope::of(&inventory, "eni-1", Direction::Ingress).unwrap();
    let policy = AlibabaEngine::new().lower(&scope).unwrap();
    assert_eq!(policy.decide(&Flow::tcp([192, 0, 2, 1].into(), 80)).verdict, Verdict::Indeterminate);
}

/// Found by review: two interfaces in VPCs whose ranges overlap; who has the member's address is not
/// therefore the member.
#[test]
fn a_path_from_a_stranger_with_a_members_address_is_not_allowed() {
    let address = [10, 0, 0, 7].into();
    let rule = Rule::allow(Direction::Ingress, Traffic::tcp(80), Peer::group("sg-2"));
    let out = Rule::allow(Direction::Egress, Traffic::All, Cidr::all(Family::V4));
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rule(rule))
        .group(SecurityGroup::aws("sg-2").with_rule(out.clone()))
        .group(SecurityGroup::aws("sg-3").with_rule(out))
        .interface(Interface::new("a").in_vpc("v1").with_groups(["sg-1"]).with_address([10, 0, 0, 1].into()))
        .interface(Interface::new("member").in_vpc("v1").with_groups(["sg-2"]).with_address(address))
        .interface(Interface::new("stranger").in_vpc("v2").with_groups(["sg-3"]).with_address(address))
        .build()
        .unwrap();
    let ask = |from| path(&AwsEngine::new(), &inventory, from, "a", &Probe::tcp(80)).unwrap().verdict;
    assert_eq!((ask("member"), ask("stranger")), (Verdict::Allow, Verdict::Deny));
}

/// The far end of a path is in another VPC and not all its addresses are known: the one asked for may be
/// private, and then counts, or public, and then does not (AWS-38).
#[test]
fn a_member_of_unknown_addresses_in_another_vpc_may_match() {
    let rule = Rule::allow(Direction::Ingress, Traffic::tcp(80), Peer::group("sg-2"));
    let out = Rule::allow(Direction::Egress, Traffic::All, Cidr::all(Family::V4));
    let mut far = Interface::new("far").in_vpc("v2").with_groups(["sg-2"]).with_address([10, 1, 0, 7].into());
    far.addresses_unknown = true;
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rule(rule))
        .group(SecurityGroup::aws("sg-2").with_rule(out))
        .interface(Interface::new("a").in_vpc("v1").with_groups(["sg-1"]).with_address([10, 0, 0, 1].into()))
        .interface(far)
        .relation("v1", "v2", VpcRelation::Peered)
        .build()
        .unwrap();
    let from = |address: [u8; 4]| {
        let probe = Probe::tcp(80).from_address(address.into());
        path(&AwsEngine::new(), &inventory, "far", "a", &probe).unwrap().verdict
    };
    assert_eq!((from([10, 1, 0, 7]), from([10, 1, 0, 8])), (Verdict::Allow, Verdict::Indeterminate));
}

/// Number 1 is a bare number over IPv6 and ICMP over IPv4 (AWS-34). A probe made from such a flow and sent
/// over the other family was taken for an echo reply, type 0 and code 0; it says too little to be one.
#[test]
fn a_bare_number_is_no_message_of_the_other_family() {
    let rule = |direction| Rule::allow(direction, Traffic::Icmp(IcmpSelector::Any), Cidr::all(Family::V4));
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-1").with_rules(Direction::ALL.map(rule)))
        .interface(Interface::new("a").with_groups(["sg-1"]).with_address([10, 0, 0, 1].into()))
        .interface(Interface::new("b").with_groups(["sg-1"]).with_address([10, 0, 0, 2].into()))
        .build()
        .unwrap();
    let bare = Flow::other("2001:db8::1".parse().unwrap(), Protocol::ICMP).unwrap();
    let probe = Probe::from(&bare).over(Family::V4);
    let refused = PathError::Flow(FlowError::NeedsPayload(Protocol::ICMP));
    assert_eq!(path(&AwsEngine::new(), &inventory, "a", "b", &probe).unwrap_err(), refused);
    #[cfg(feature = "fleet")]
    {
        let fleet = secgroup::fleet::Fleet::new(std::sync::Arc::new(AwsEngine::new()), inventory).unwrap();
        assert_eq!(fleet.decide("a", "b", &probe).unwrap_err(), refused);
    }
}

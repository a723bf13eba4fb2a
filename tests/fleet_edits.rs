//! After every edit a fleet is as one that is built afresh, and who asks meanwhile sees one or the other.
//!
//! Needs the strategies: `cargo test --all-features`.
#![cfg(all(feature = "fleet", feature = "proptest"))]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod fleets;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fleets::{CASES, Cloud, agrees, config};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use secgroup::engine::{AwsEngine, PolicyEngine, Probe, Scope};
use secgroup::fleet::{Edit, EditError, Fleet, Question, Snapshot};
use secgroup::model::{
    GroupId, Instance, Interface, InterfaceId, Inventory, InventoryBuilder, Network, Peer, PrefixList, Rule,
    SecurityGroup, Traffic, VpcRelation,
};
use secgroup::net::{Cidr, Direction, Flow};
use secgroup::policy::Verdict;
use secgroup::strategy::{alibaba_inventory, alibaba_rule, aws_inventory, aws_rule, flow_near};

const GROUPS: [&str; 5] = ["sg-a", "sg-b", "sg-c", "sg-foreign", "sg-absent"];
const INTERFACES: [&str; 5] = ["eni-1", "eni-2", "eni-3", "eni-4", "eni-5"];
const ADDRESSES: [&str; 6] = ["10.0.0.1", "10.0.0.5", "10.0.0.6", "10.1.0.1", "2001:db8::1", "2001:db8::2"];

fn group_ids() -> impl Strategy<Value = Option<Vec<GroupId>>> {
    option::weighted(0.9, vec(select(&GROUPS[..]).prop_map(GroupId::from), 0..3))
}

fn new_interface() -> impl Strategy<Value = Interface> {
    let addresses = vec(select(&ADDRESSES[..]), 0..3);
    let prefix = option::weighted(0.2, select(vec!["10.0.0.0/28", "2001:db8::/120", "10.0.0.5/32"]));
    let vpc = option::weighted(0.8, select(vec!["vpc-1", "vpc-2", "vpc-3"]));
    let subnet = option::of(select(vec!["subnet-1", "subnet-2"]));
    (select(&INTERFACES[..]), group_ids(), addresses, prefix, vpc, subnet, prop::bool::weighted(0.1)).prop_map(
        |(id, groups, addresses, prefix, vpc, subnet, unknown)| {
            let mut interface = Interface::new(id);
            interface.groups = groups;
            interface.addresses = addresses.into_iter().map(|address| address.parse().unwrap()).collect();
            interface.prefixes = prefix.into_iter().map(|prefix| prefix.parse().unwrap()).collect();
            interface.vpc = vpc.map(Into::into);
            interface.subnet = subnet.map(Into::into);
            interface.addresses_unknown = unknown;
            interface
        },
    )
}

fn list() -> impl Strategy<Value = PrefixList> {
    let blocks = vec(select(vec!["10.0.0.0/31", "10.0.0.5/32", "0.0.0.0/0"]), 0..3);
    (select(vec!["pl-1", "pl-2", "pl-absent"]), blocks, prop::bool::weighted(0.8)).prop_map(|(id, blocks, complete)| {
        let mut list = PrefixList::new(id, blocks.iter().map(|block| block.parse::<Cidr>().unwrap()));
        list.complete = complete;
        list
    })
}

/// A rule that the provider can hold.
fn rule(cloud: Cloud) -> BoxedStrategy<Rule> {
    match cloud {
        Cloud::Aws => aws_rule().boxed(),
        Cloud::Alibaba(..) => alibaba_rule().boxed(),
    }
}

/// An edit, which may be one that is refused.
fn edit(cloud: Cloud, donors: Vec<SecurityGroup>) -> BoxedStrategy<Edit> {
    let interface = || select(&INTERFACES[..]).prop_map(InterfaceId::from);
    let group = || select(&GROUPS[..]).prop_map(GroupId::from);
    let address = || select(&ADDRESSES[..]).prop_map(|address| address.parse::<IpAddr>().unwrap());
    let set_group = (any::<Index>(), group()).prop_map(move |(donor, id)| {
        let mut group = if donors.is_empty() { SecurityGroup::new(id.clone()) } else { donor.get(&donors).clone() };
        group.id = id;
        Edit::SetGroup(group)
    });
    prop_oneof![
        3 => new_interface().prop_map(Edit::AddInterface),
        2 => interface().prop_map(Edit::RemoveInterface),
        4 => (interface(), group_ids()).prop_map(|(interface, groups)| Edit::SetGroups { interface, groups }),
        2 => (interface(), address()).prop_map(|(interface, address)| Edit::AddAddress { interface, address }),
        2 => (interface(), address()).prop_map(|(interface, address)| Edit::RemoveAddress { interface, address }),
        3 => (group(), rule(cloud)).prop_map(|(group, rule)| Edit::AddRule { group, rule }),
        2 => (group(), 0..4_usize).prop_map(|(group, index)| Edit::RemoveRule { group, index }),
        2 => (group(), 0..4_usize, rule(cloud)).prop_map(|(group, index, rule)| Edit::ReplaceRule { group, index, rule }),
        2 => set_group,
        1 => group().prop_map(Edit::RemoveGroup),
        2 => list().prop_map(Edit::SetPrefixList),
        1 => select(vec!["pl-1", "pl-2", "pl-absent"]).prop_map(|id| Edit::RemovePrefixList(id.into())),
    ]
    .boxed()
}

/// The inventory as it must be after an edit, by rebuilding it from its own parts; `None` if the edit
/// means nothing.
fn edited(inventory: &Inventory, edit: &Edit) -> Option<Inventory> {
    let mut groups: Vec<SecurityGroup> = inventory.groups().cloned().collect();
    let mut interfaces: Vec<Interface> = inventory.interfaces().cloned().collect();
    let mut lists: Vec<PrefixList> = inventory.prefix_lists().cloned().collect();
    let interface = |id: &InterfaceId, interfaces: &[Interface]| interfaces.iter().position(|known| known.id == *id);
    let group = |id: &GroupId, groups: &[SecurityGroup]| groups.iter().position(|known| known.id == *id);
    match edit.clone() {
        Edit::AddInterface(new) => {
            if interface(&new.id, &interfaces).is_some() {
                return None;
            }
            interfaces.push(new);
        }
        Edit::RemoveInterface(id) => {
            let place = interface(&id, &interfaces)?;
            interfaces.remove(place);
        }
        Edit::SetGroups { interface: id, groups } => {
            let place = interface(&id, &interfaces)?;
            interfaces[place].groups = groups;
        }
        Edit::AddAddress { interface: id, address } => {
            let place = interface(&id, &interfaces)?;
            interfaces[place].addresses.push(address);
        }
        Edit::RemoveAddress { interface: id, address } => {
            let place = interface(&id, &interfaces)?;
            let addresses = &mut interfaces[place].addresses;
            let position = addresses.iter().position(|known| *known == address)?;
            addresses.remove(position);
        }
        Edit::AddRule { group: id, rule } => {
            let place = group(&id, &groups)?;
            groups[place].rules.push(rule);
        }
        Edit::RemoveRule { group: id, index } => {
            let place = group(&id, &groups)?;
            let rules = &mut groups[place].rules;
            if index >= rules.len() {
                return None;
            }
            rules.remove(index);
        }
        Edit::ReplaceRule { group: id, index, rule } => {
            let place = group(&id, &groups)?;
            *groups[place].rules.get_mut(index)? = rule;
        }
        Edit::SetGroup(new) => {
            groups.retain(|group| group.id != new.id);
            groups.push(new);
        }
        Edit::RemoveGroup(id) => {
            let place = group(&id, &groups)?;
            groups.remove(place);
        }
        Edit::SetPrefixList(new) => {
            lists.retain(|list| list.id != new.id);
            lists.push(new);
        }
        Edit::RemovePrefixList(id) => {
            let place = lists.iter().position(|list| list.id == id)?;
            lists.remove(place);
        }
        other => panic!("a test for {other:?}"),
    }
    let mut builder = Inventory::builder();
    if !inventory.members_complete() {
        builder = builder.members_incomplete();
    }
    interfaces.sort_by(|a, b| a.id.cmp(&b.id));
    let instances: Vec<_> = inventory.instance_ids().filter_map(|id| inventory.instance(id.as_str())).collect();
    builder = groups.into_iter().fold(builder, InventoryBuilder::group);
    builder = lists.into_iter().fold(builder, InventoryBuilder::prefix_list);
    builder = interfaces.into_iter().fold(builder, InventoryBuilder::interface);
    builder = instances.into_iter().cloned().fold(builder, InventoryBuilder::instance);
    builder = inventory.port_lists().cloned().fold(builder, InventoryBuilder::port_list);
    builder = inventory.vpcs().cloned().fold(builder, InventoryBuilder::vpc);
    builder = inventory.subnets().cloned().fold(builder, InventoryBuilder::subnet);
    let vpcs = ["vpc-1", "vpc-2", "vpc-3"];
    for (place, a) in vpcs.iter().enumerate() {
        for b in &vpcs[place + 1..] {
            builder = builder.relation(*a, *b, inventory.relation(&(*a).into(), &(*b).into()));
        }
    }
    builder.build().ok()
}

/// Relations are not listed by an inventory, so they are left out of what is compared.
fn without_relations(inventory: &Inventory) -> serde_json::Value {
    let mut value = serde_json::to_value(inventory).unwrap();
    value.as_object_mut().unwrap().remove("relations");
    value
}

fn edits_equal_a_rebuild(
    cloud: Cloud,
    inventory: Inventory,
    edits: Vec<Edit>,
    flows: &[Flow],
) -> Result<(), TestCaseError> {
    let engine = cloud.engine();
    let fleet = Fleet::new(Arc::clone(&engine), inventory.clone()).unwrap();
    let mut inventory = inventory;
    for edit in edits {
        let before = fleet.snapshot();
        let lowers = |inventory: &Inventory| {
            inventory.interfaces().all(|interface| {
                Direction::ALL
                    .iter()
                    .all(|direction| engine.lower(&Scope::new(inventory, interface, *direction)).is_ok())
            })
        };
        let expected = edited(&inventory, &edit).filter(lowers);
        let result = fleet.apply([edit.clone()]);
        prop_assert_eq!(result.is_ok(), expected.is_some(), "{:?}: {:?}", edit, result);
        prop_assert_eq!(
            without_relations(&before.inventory().unwrap()),
            without_relations(&inventory),
            "the version before"
        );
        if let Some(next) = expected {
            inventory = next;
        }
        prop_assert_eq!(without_relations(&fleet.inventory().unwrap()), without_relations(&inventory));
        agrees(&*engine, &inventory, &fleet.snapshot(), flows)
            .map_err(|error| TestCaseError::fail(format!("after {edit:?}: {error}")))?;
    }
    Ok(())
}

fn with_edits(
    cloud: Cloud,
    inventory: impl Strategy<Value = Inventory>,
) -> impl Strategy<Value = (Inventory, Vec<Edit>, Vec<Flow>)> {
    inventory.prop_flat_map(move |inventory| {
        let edits = vec(edit(cloud, inventory.groups().cloned().collect()), 1..10);
        (Just(inventory.clone()), edits, vec(flow_near(&inventory), 3..6))
    })
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn edits_of_aws_fleets_equal_a_rebuild((inventory, edits, flows) in with_edits(Cloud::Aws, aws_inventory())) {
        edits_equal_a_rebuild(Cloud::Aws, inventory, edits, &flows)?;
    }

    #[test]
    fn edits_of_alibaba_fleets_equal_a_rebuild(
        (cloud, (inventory, edits, flows)) in
            Cloud::alibaba().prop_flat_map(|cloud| (Just(cloud), with_edits(cloud, alibaba_inventory())))
    ) {
        edits_equal_a_rebuild(cloud, inventory, edits, &flows)?;
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// Two clients, one in the group that the server lets in at port 80, one in the group for port 81.
fn two_clients() -> Fleet {
    let out = || Rule::allow(Direction::Egress, Traffic::All, parsed::<Cidr>("0.0.0.0/0"));
    let client = |id: &str, group: &str, address: &str| {
        Interface::new(id).with_groups([group]).with_address(parsed(address)).in_vpc("vpc-1")
    };
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-a").with_rule(out()))
        .group(SecurityGroup::aws("sg-b").with_rule(out()))
        .group(SecurityGroup::aws("sg-server").with_rules([
            Rule::allow(Direction::Ingress, Traffic::tcp(80), Peer::group("sg-a")),
            Rule::allow(Direction::Ingress, Traffic::tcp(81), Peer::group("sg-b")),
        ]))
        .interface(client("eni-1", "sg-a", "10.0.0.1"))
        .interface(client("eni-2", "sg-b", "10.0.0.2"))
        .interface(client("eni-server", "sg-server", "10.0.0.3"))
        .build()
        .unwrap();
    Fleet::new(Arc::new(AwsEngine::new()), inventory).unwrap()
}

/// Who may open port 80 at the server: the first client, the second.
fn may_open(snapshot: &Snapshot) -> [bool; 2] {
    ["eni-1", "eni-2"].map(|client| {
        let decision = snapshot.decide(client, "eni-server", &Probe::tcp(80)).unwrap();
        decision.verdict == Verdict::Allow
    })
}

/// Edits that are applied together swap two memberships, or the peers of two rules. Half of them would
/// let both clients in or none. Readers see exactly one of them, always, and what they saw stays.
#[test]
fn readers_see_one_version_or_the_other() {
    let fleet = two_clients();
    let peer = |port: u16, group: &str| Rule::allow(Direction::Ingress, Traffic::tcp(port), Peer::group(group));
    let groups = |interface: &str, group: &str| Edit::SetGroups {
        interface: interface.into(),
        groups: Some(vec![group.into()]),
    };
    let rule = |index, rule| Edit::ReplaceRule { group: "sg-server".into(), index, rule };
    let by_membership = |first: &str, second: &str| [groups("eni-1", first), groups("eni-2", second)];
    let by_rule = |first: &str, second: &str| [rule(0, peer(80, first)), rule(1, peer(81, second))];
    let done = AtomicBool::new(false);
    let seen = [AtomicUsize::new(0), AtomicUsize::new(0)];
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last: Option<(Snapshot, [bool; 2])> = None;
                while !done.load(Ordering::Relaxed) {
                    let snapshot = fleet.snapshot();
                    let open = may_open(&snapshot);
                    assert_ne!(open[0], open[1], "half an edit");
                    let key = |id: &str| snapshot.key(id).unwrap();
                    let question = |from| Question { from: key(from), to: key("eni-server"), probe: Probe::tcp(80) };
                    let mut decisions = [None; 2];
                    snapshot.decide_batch(&[question("eni-1"), question("eni-2")], &mut decisions);
                    assert_eq!(decisions.map(|decision| decision.unwrap().verdict == Verdict::Allow), open);
                    seen[usize::from(open[1])].fetch_add(1, Ordering::Relaxed);
                    if let Some((old, was)) = last.replace((snapshot, open)) {
                        assert_eq!(may_open(&old), was, "a version changed");
                    }
                }
            });
        }
        for round in 0..2_000 {
            let result = match round % 4 {
                0 => fleet.apply(by_membership("sg-b", "sg-a")),
                1 => fleet.apply(by_rule("sg-b", "sg-a")),
                2 => fleet.apply(by_rule("sg-a", "sg-b")),
                _ => fleet.apply(by_membership("sg-a", "sg-b")),
            };
            result.unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) > 0), "{seen:?}");
}

/// Of edits that are applied together none is applied if one is refused, at whatever stage.
#[test]
fn refused_edits_leave_everything_as_it_was() {
    let fleet = two_clients();
    let before = fleet.inventory().unwrap();
    let good = || Edit::RemoveInterface("eni-1".into());
    let rule = Rule::allow(Direction::Ingress, Traffic::All, Peer::Any);
    let twice = Edit::AddInterface(Interface::new("eni-2"));
    let refused = [
        Edit::RemoveInterface("eni-9".into()),
        Edit::SetGroups { interface: "eni-9".into(), groups: None },
        Edit::AddRule { group: "sg-9".into(), rule: rule.clone() },
        Edit::RemoveRule { group: "sg-a".into(), index: 1 },
        Edit::ReplaceRule { group: "sg-a".into(), index: 1, rule: rule.clone() },
        Edit::RemoveAddress { interface: "eni-2".into(), address: parsed("10.0.0.1") },
        Edit::RemoveGroup("sg-9".into()),
        Edit::RemovePrefixList("pl-9".into()),
        twice,
        // AWS groups have no rules that deny.
        Edit::AddRule { group: "sg-b".into(), rule: Rule::deny(Direction::Ingress, Traffic::All, Peer::Any) },
    ];
    let mut messages = Vec::new();
    for edit in refused {
        let error = fleet.apply([good(), edit]).unwrap_err();
        messages.push(error.to_string());
        assert_eq!(fleet.inventory().unwrap(), before, "{error}");
        assert_eq!(may_open(&fleet.snapshot()), [true, false], "{error}");
    }
    assert_eq!(
        messages,
        [
            "there is no interface `eni-9`",
            "there is no interface `eni-9`",
            "there is no group `sg-9`",
            "the group `sg-a` has no rule at 1",
            "the group `sg-a` has no rule at 1",
            "the interface `eni-2` has no address 10.0.0.1",
            "there is no group `sg-9`",
            "there is no prefix list `pl-9`",
            "the interface `eni-2` is given twice",
            "the aws engine cannot hold the rule `sg-b/ingress/all/*:*/any` of the group `sg-b`: AWS security groups \
             only have rules that allow (AWS-28)",
        ]
    );
}

#[test]
fn an_instance_has_one_primary_interface() {
    let fleet = two_clients();
    let instance = Instance::new("i-1");
    let primary = |id: &str| Edit::AddInterface(instance.primary_interface(id).without_groups());
    fleet.apply([primary("eni-7")]).unwrap();
    let error = fleet.apply([primary("eni-8")]).unwrap_err();
    assert!(matches!(error, EditError::Inventory(_)), "{error}");
    fleet.apply([Edit::RemoveInterface("eni-7".into()), primary("eni-8")]).unwrap();
}

/// A key means its interface, not another that takes its place, nor its namesake.
#[test]
fn keys_of_interfaces_that_are_gone_mean_nothing() {
    let fleet = two_clients();
    let (old, server) = (fleet.snapshot().key("eni-1").unwrap(), fleet.snapshot().key("eni-server").unwrap());
    let again = fleet.inventory().unwrap().interface("eni-1").unwrap().clone();
    fleet.apply([Edit::RemoveInterface("eni-1".into()), Edit::AddInterface(again)]).unwrap();
    let snapshot = fleet.snapshot();
    assert_eq!(snapshot.decide_between(old, server, &Probe::tcp(80)), Ok(None));
    let mut decisions = [None];
    snapshot.decide_batch(&[Question { from: old, to: server, probe: Probe::tcp(80) }], &mut decisions);
    assert_eq!(decisions, [None]);
    assert_eq!(may_open(&snapshot), [true, false]);
}

/// Applies edits one after the other; the fleet must be as one that is built afresh after each.
fn check_edits(inventory: Inventory, edits: Vec<Edit>, flows: &[Flow]) {
    let engine: Arc<dyn PolicyEngine> = Arc::new(AwsEngine::new());
    let fleet = Fleet::new(Arc::clone(&engine), inventory).unwrap();
    for edit in edits {
        fleet.apply([edit]).unwrap();
        let rebuilt = fleet.inventory().unwrap();
        agrees(&*engine, &rebuilt, &fleet.snapshot(), flows).unwrap();
    }
}

fn web_from(group: &str) -> Rule {
    Rule::allow(Direction::Ingress, Traffic::tcp(80), Peer::group(group))
}

/// A member whose VPC is not known is taken to be where its group is; the group moves, and nothing else.
#[test]
fn a_group_moves_to_another_vpc() {
    let target = |vpc: &str| SecurityGroup::aws("sg-b").in_network(Network::Vpc(vpc.into()));
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-a").with_rule(web_from("sg-b")))
        .group(target("vpc-2"))
        .interface(Interface::new("eni-1").in_vpc("vpc-1").with_groups(["sg-a"]).with_address(parsed("10.0.0.1")))
        .interface(Interface::new("eni-2").with_groups(["sg-b"]).with_address(parsed("10.0.0.2")))
        .relation("vpc-1", "vpc-2", VpcRelation::Peered)
        .build()
        .unwrap();
    let edits = ["vpc-3", "vpc-1", "vpc-2"].map(|vpc| Edit::SetGroup(target(vpc))).to_vec();
    check_edits(inventory, edits, &[Flow::tcp(parsed("10.0.0.2"), 80)]);
}

/// Whether any group may have members anywhere changes, and which addresses are undecided does not.
#[test]
fn interfaces_of_which_nothing_is_known() {
    let unknown = |id: &str, addresses_unknown| {
        let mut interface = Interface::new(id).in_vpc("vpc-1");
        interface.addresses_unknown = addresses_unknown;
        interface
    };
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-a").with_rule(web_from("sg-b")))
        .group(SecurityGroup::aws("sg-b"))
        .interface(Interface::new("eni-1").in_vpc("vpc-1").with_groups(["sg-a"]).with_address(parsed("10.0.0.1")))
        .interface(unknown("eni-2", false))
        .build()
        .unwrap();
    let edits = vec![Edit::AddInterface(unknown("eni-3", true)), Edit::RemoveInterface("eni-3".into())];
    check_edits(inventory, edits, &[Flow::tcp(parsed("192.0.2.1"), 80)]);
}

/// A group without members gets its first ones, at home and in another VPC, and loses them.
#[test]
fn the_first_and_the_last_member_of_a_group() {
    let in_vpc = |group: SecurityGroup| group.in_network(Network::Vpc("vpc-1".into()));
    let interface = |id: &str, vpc: &str, address: &str| Interface::new(id).in_vpc(vpc).with_address(parsed(address));
    let inventory = Inventory::builder()
        .group(in_vpc(SecurityGroup::aws("sg-a").with_rules([web_from("sg-b"), web_from("sg-elsewhere")])))
        .group(in_vpc(SecurityGroup::aws("sg-b")))
        .interface(interface("eni-1", "vpc-1", "10.0.0.1").with_groups(["sg-a"]))
        .interface(interface("eni-2", "vpc-1", "10.0.0.2").without_groups())
        .interface(interface("eni-3", "vpc-2", "10.0.0.3").without_groups())
        .relation("vpc-1", "vpc-2", VpcRelation::Peered)
        .build()
        .unwrap();
    let groups = |id: &str, groups: &[&str]| Edit::SetGroups {
        interface: id.into(),
        groups: Some(groups.iter().map(|group| GroupId::from(*group)).collect()),
    };
    let edits = vec![
        groups("eni-2", &["sg-b"]),
        groups("eni-3", &["sg-b"]),
        groups("eni-2", &["sg-elsewhere"]),
        groups("eni-3", &[]),
        groups("eni-2", &[]),
    ];
    let flows = ["10.0.0.2", "10.0.0.3", "10.0.0.9"].map(|remote| Flow::tcp(parsed(remote), 80));
    check_edits(inventory, edits, &flows);
}

//! Interfaces, instances, lists and VPCs of AWS, read into the model.
#![cfg(feature = "load")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod load_support;

use load_support::{addresses, blocks, folder, kinds, load};
use secgroup::load::{self, Loaded, Loader, Provider, WarningKind};
use secgroup::net::Family;

fn fixtures(names: &[&str]) -> Loaded {
    load_support::load_fixtures("aws", names)
}

fn warnings(loaded: &Loaded) -> Vec<(WarningKind, String)> {
    loaded.warnings.iter().map(|warning| (warning.kind, warning.to_string())).collect()
}

/// AWS-22: addresses, primary first; delegated prefixes; public addresses apart; attached groups.
#[test]
fn interfaces() {
    let loaded = fixtures(&["describe-network-interfaces.json"]);
    let inventory = &loaded.inventory;
    let first = inventory.interface("eni-01").unwrap();
    assert_eq!(first.instance, Some("i-01".into()));
    assert!(first.primary);
    assert_eq!(first.vpc, Some("vpc-0a1".into()));
    assert_eq!(first.subnet, Some("subnet-01".into()));
    assert_eq!(first.groups, Some(vec!["sg-0aaa000000000000a".into()]));
    assert_eq!(first.addresses, addresses(&["10.0.1.10", "10.0.1.11", "2001:db8:1::10", "2001:db8:1::11"]));
    assert_eq!(first.prefixes, blocks(&["10.0.1.64/28", "2001:db8:1:0:1::/80"]));
    assert_eq!(first.public, addresses(&["203.0.113.10"]));
    assert_eq!(first.place.as_ref().unwrap().path(), "NetworkInterfaces[0]");
    assert!(!inventory.interface("eni-02").unwrap().primary);
    // AWS-25: a known empty list is not an unknown one.
    assert_eq!(inventory.interface("eni-03").unwrap().groups, Some(vec![]));
    assert!(inventory.members_complete());
    assert!(inventory.members("sg-0bbb000000000000b").complete);
}

/// AWS-24, AWS-25 and trap T27: groups come from the interfaces, names from the tags.
#[test]
fn instances() {
    let loaded = fixtures(&["describe-instances.json"]);
    let inventory = &loaded.inventory;
    assert_eq!(inventory.instance("i-01").unwrap().name.as_deref(), Some("web-1"));
    let own: Vec<&str> = inventory.interfaces_of("i-01").map(|interface| interface.id.as_str()).collect();
    assert_eq!(own, ["eni-01", "eni-02"]);
    let second = inventory.interface("eni-02").unwrap();
    assert_eq!(second.groups, Some(vec!["sg-0bbb000000000000b".into()]));
    assert_eq!(second.vpc, Some("vpc-0a1".into()));
    assert!(!second.primary);
    assert!(inventory.members_complete());
    assert_eq!(
        warnings(&loaded)[0],
        (
            WarningKind::OnlyInstances,
            "describe-instances.json: instances were described but interfaces were not; members of groups may be missing"
                .to_owned()
        )
    );
}

/// AWS-25: what the interface says wins; the instance fills what it leaves open.
#[test]
fn interface_data_wins() {
    let interfaces = r#"{"NetworkInterfaces": [
        {"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-new"}], "PrivateIpAddress": "10.0.0.9"},
        {"NetworkInterfaceId": "eni-2", "Groups": null},
        {"NetworkInterfaceId": "eni-3", "Groups": []}]}"#;
    let instances = r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1", "VpcId": "vpc-1", "SubnetId": "s",
        "SecurityGroups": [{"GroupId": "sg-instance"}],
        "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "Groups": [{"GroupId": "sg-old"}], "PrivateIpAddress": "10.0.0.1", "Attachment": {"DeviceIndex": 0}},
            {"NetworkInterfaceId": "eni-2", "Groups": [{"GroupId": "sg-two"}], "PrivateIpAddress": "10.0.0.2", "Attachment": {"DeviceIndex": 1}},
            {"NetworkInterfaceId": "eni-3", "Groups": [{"GroupId": "sg-three"}], "Attachment": {"DeviceIndex": 0, "NetworkCardIndex": 1}},
            {"NetworkInterfaceId": "eni-4", "Attachment": {"DeviceIndex": 3}}]}]}]}"#;
    let loaded = load(&[("i.json", instances), ("e.json", interfaces)]).unwrap();
    let interface = |id: &str| loaded.inventory.interface(id).unwrap();
    assert_eq!(interface("eni-1").groups, Some(vec!["sg-new".into()]));
    assert_eq!(interface("eni-1").addresses, addresses(&["10.0.0.9"]));
    assert_eq!(interface("eni-1").subnet, Some("subnet-1".into()));
    assert_eq!(interface("eni-1").instance, Some("i-1".into()));
    assert!(interface("eni-1").primary);
    assert_eq!(interface("eni-2").groups, Some(vec!["sg-two".into()]));
    assert_eq!(interface("eni-2").addresses, addresses(&["10.0.0.2"]));
    assert_eq!(interface("eni-3").groups, Some(vec![]));
    assert!(!interface("eni-3").primary);
    assert_eq!(interface("eni-4").groups, None, "the groups of the instance are never used for an interface");
    assert!(!kinds(&loaded).contains(&WarningKind::OnlyInstances));
}

/// An instance that shows no interfaces gets one, unless its interfaces are known otherwise.
#[test]
fn instances_without_interfaces() {
    let instances = r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1", "VpcId": "vpc-1", "SubnetId": "subnet-1",
        "PrivateIpAddress": "10.0.0.1", "PublicIpAddress": "203.0.113.1", "Ipv6Address": "2001:db8::1",
        "SecurityGroups": [{"GroupId": "sg-1"}]}, {"InstanceId": "i-2", "State": {"Name": "terminated"}}]}]}"#;
    let loaded = load(&[("i.json", instances)]).unwrap();
    let interface = loaded.inventory.interface("i-1:primary").unwrap();
    assert!(interface.primary);
    assert_eq!(interface.groups, Some(vec!["sg-1".into()]));
    assert_eq!(interface.addresses, addresses(&["10.0.0.1", "2001:db8::1"]));
    assert_eq!(interface.public, addresses(&["203.0.113.1"]));
    assert!(warnings(&loaded).contains(&(
        WarningKind::AssumedInterface,
        "i.json: Reservations[0].Instances[0]: the instance `i-1` shows no interfaces; one, `i-1:primary`, was made up \
         from its address and groups"
            .to_owned()
    )));
    assert!(loaded.inventory.has_instance("i-2"));

    let interfaces = r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Groups": [],
        "Attachment": {"InstanceId": "i-1", "DeviceIndex": 0}}]}"#;
    let loaded = load(&[("i.json", instances), ("e.json", interfaces)]).unwrap();
    assert!(loaded.inventory.interface("i-1:primary").is_none());
    assert_eq!(loaded.inventory.interfaces_of("i-1").count(), 1);
}

/// AWS-26, AWS-46: descriptions, entries, and the older call with both.
#[test]
fn prefix_lists() {
    let loaded = fixtures(&[
        "describe-managed-prefix-lists.json",
        "get-managed-prefix-list-entries.pl-0corp00000000000.json",
        "describe-prefix-lists.json",
    ]);
    let list = |id: &str| loaded.inventory.prefix_list(id).unwrap();
    let office = list("pl-0corp00000000000");
    assert_eq!(office.name.as_deref(), Some("office"));
    assert_eq!(office.family, Some(Family::V4));
    assert_eq!(office.max_entries, Some(20));
    assert_eq!(office.entries, blocks(&["203.0.113.0/24", "198.51.100.0/28"]));
    assert!(office.complete);
    let later = list("pl-0later0000000000");
    assert_eq!(later.family, Some(Family::V6));
    assert!(later.entries.is_empty() && !later.complete, "not loaded is not empty");
    let s3 = list("pl-63a5400a");
    assert_eq!(s3.name.as_deref(), Some("com.amazonaws.us-east-1.s3"));
    assert_eq!(s3.entries, blocks(&["52.218.0.0/17", "54.231.0.0/17"]));
    assert!(s3.complete);
}

#[test]
fn entries_without_a_description() {
    let entries = br#"{"Entries": [{"Cidr": "2001:db8::/32"}]}"#;
    let loaded = Loader::new().document("x.json", entries, Some("pl-9")).unwrap().finish().unwrap();
    let list = loaded.inventory.prefix_list("pl-9").unwrap();
    assert_eq!((list.family, list.complete), (Some(Family::V6), true));
    assert_eq!(list.place.as_ref().unwrap().to_string(), "x.json");
}

/// The primary range first, and only ranges that are associated.
#[test]
fn vpcs_and_subnets() {
    let loaded = fixtures(&["describe-vpcs.json", "describe-subnets.json"]);
    let vpc = loaded.inventory.vpc("vpc-0a1").unwrap();
    assert_eq!(vpc.cidrs, blocks(&["10.0.0.0/16", "10.1.0.0/16", "2001:db8:1::/56"]));
    let subnet = loaded.inventory.subnet("subnet-01").unwrap();
    assert_eq!(subnet.vpc.as_str(), "vpc-0a1");
    assert_eq!(subnet.cidrs, blocks(&["10.0.1.0/24", "2001:db8:1::/64"]));
}

#[test]
fn unknown_ranges_are_one_warning() {
    let loaded = fixtures(&["describe-network-interfaces.json", "describe-vpcs.json"]);
    let about: Vec<_> =
        loaded.warnings.iter().filter(|warning| warning.kind == WarningKind::VpcRangesUnknown).collect();
    assert_eq!(about.len(), 1);
    assert!(about[0].message.starts_with("the ranges of VPC or subnet of 3 interfaces are not known"), "{}", about[0]);
    let loaded = fixtures(&["describe-network-interfaces.json", "describe-vpcs.json", "describe-subnets.json"]);
    assert!(!kinds(&loaded).contains(&WarningKind::VpcRangesUnknown));
}

/// The whole folder, as a user has it.
#[test]
fn a_folder() {
    let loaded = load::dir(folder("aws")).unwrap();
    assert_eq!((loaded.provider, loaded.documents), (Provider::Aws, 9));
    assert_eq!(loaded.inventory.groups().len(), 2);
    assert_eq!(loaded.inventory.interfaces().len(), 3);
    let interface = loaded.inventory.interface("eni-01").unwrap();
    assert_eq!(interface.addresses.len(), 4, "interface data wins over instance data");
    assert!(loaded.inventory.members_complete());
    assert_eq!(
        kinds(&loaded),
        [WarningKind::StaleReference, WarningKind::UnresolvedReference, WarningKind::UnresolvedReference]
    );
}

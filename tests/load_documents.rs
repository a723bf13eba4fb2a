//! Documents of both clouds: recognition, folders, pages, limits, and what is told of the whole.
#![cfg(feature = "load")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod load_support;

use std::fs;
use std::path::PathBuf;

use load_support::{kinds, load, texts};
use secgroup::load::{self, Limits, LoadError, Loaded, Loader, Provider, WarningKind};
use secgroup::model::VpcRelation;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("secgroup-load-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.join(name), text).unwrap();
        self
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const AWS_GROUP: &str = r#"{"SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [
    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": "sg-1"}]}],
    "IpPermissionsEgress": []}]}"#;
const ALIBABA_GROUP: &str =
    r#"{"SecurityGroupId": "sg-1", "VpcId": "vpc-1", "InnerAccessPolicy": "Drop", "Permissions": {"Permission": []}}"#;

/// Every kind of document is told by its content, whatever its name.
#[test]
fn recognition() {
    let cases = [
        (r#"{"SecurityGroups": []}"#, Some(Provider::Aws)),
        (r#"{"SecurityGroups": null}"#, Some(Provider::Aws)),
        (
            r#"{"ResponseMetadata": {"HTTPStatusCode": 200}, "SecurityGroups": [{"GroupId": "sg-1"}]}"#,
            Some(Provider::Aws),
        ),
        (r#"{"SecurityGroupRules": []}"#, Some(Provider::Aws)),
        (r#"{"NetworkInterfaces": []}"#, Some(Provider::Aws)),
        (r#"{"Reservations": []}"#, Some(Provider::Aws)),
        (r#"{"PrefixLists": []}"#, Some(Provider::Aws)),
        (r#"{"Vpcs": []}"#, Some(Provider::Aws)),
        (r#"{"Subnets": []}"#, Some(Provider::Aws)),
        (r#"{"SecurityGroups": {"SecurityGroup": []}}"#, Some(Provider::Alibaba)),
        (r#"{"SecurityGroups": [{"SecurityGroupId": "sg-1"}]}"#, Some(Provider::Alibaba)),
        (ALIBABA_GROUP, Some(Provider::Alibaba)),
        (r#"{"Instances": {"Instance": []}}"#, Some(Provider::Alibaba)),
        (r#"{"Instances": [{"InstanceId": "i-1", "InstanceNetworkType": "vpc"}]}"#, Some(Provider::Alibaba)),
        (r#"{"NetworkInterfaceSets": {"NetworkInterfaceSet": null}}"#, Some(Provider::Alibaba)),
        (r#"{"PrefixListId": "pl-1", "Entries": {"Entry": []}}"#, Some(Provider::Alibaba)),
        (r#"{"PrefixListId": "pl-1", "Entries": []}"#, Some(Provider::Alibaba)),
        ("{}", None),
        ("[]", None),
        ("[1, 2]", None),
        ("null", None),
        (r#""SecurityGroups""#, None),
        (r#"{"Buckets": []}"#, None),
        (r#"{"Entries": [{"Name": "x"}]}"#, None),
        (r#"[{"GroupId": "sg-1"}]"#, None),
        (r#"{"Vpcs": {"Vpc": []}}"#, None),
    ];
    for (document, provider) in cases {
        match (load(&[("x.json", document)]), provider) {
            (Ok(loaded), Some(provider)) => {
                assert_eq!((loaded.provider, loaded.documents), (provider, 1), "{document}");
            }
            (Err(LoadError::NoDocuments { .. }), None) => {}
            (result, _) => panic!("{document}: {result:?}"),
        }
    }
}

/// A document that is none of those that are read is a warning beside others.
#[test]
fn other_documents() {
    let loaded = load(&[("buckets.json", r#"{"Buckets": []}"#), ("g.json", AWS_GROUP)]).unwrap();
    assert_eq!(loaded.documents, 1);
    assert_eq!(loaded.warnings[0].kind, WarningKind::UnrecognisedDocument);
    assert_eq!(texts(&loaded)[0], "buckets.json: not an answer that is read here; it was skipped");
}

/// A document that holds several answers is read whole.
#[test]
fn several_answers_in_one_document() {
    let document = r#"{"SecurityGroups": [{"GroupId": "sg-1"}], "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1"}],
        "Vpcs": [{"VpcId": "vpc-1"}]}"#;
    let loaded = load(&[("all.json", document)]).unwrap();
    assert!(loaded.inventory.group("sg-1").is_some());
    assert!(loaded.inventory.interface("eni-1").is_some());
    assert!(loaded.inventory.vpc("vpc-1").is_some());
}

/// An empty list of entries looks alike at both clouds: the id tells, or else the other documents.
#[test]
fn empty_entries() {
    let empty = r#"{"Entries": []}"#;
    let loaded = load(&[("x.pl-1.json", empty)]).unwrap();
    assert_eq!(loaded.provider, Provider::Aws);
    assert!(loaded.inventory.prefix_list("pl-1").unwrap().complete);
    let loaded = load(&[("x.prl-1.json", empty)]).unwrap();
    assert_eq!(loaded.provider, Provider::Alibaba);
    assert!(loaded.inventory.port_list("prl-1").unwrap().complete);

    let by_others = |document: &str| {
        Loader::new()
            .document("entries.json", empty.as_bytes(), Some("list-1"))
            .unwrap()
            .document("g.json", document.as_bytes(), None)
            .unwrap()
            .finish()
            .unwrap()
    };
    assert!(by_others(AWS_GROUP).inventory.prefix_list("list-1").unwrap().complete);
    assert!(by_others(ALIBABA_GROUP).inventory.port_list("list-1").unwrap().complete);
    let expected = Loader::new()
        .expect_provider(Provider::Alibaba)
        .document("entries.json", empty.as_bytes(), Some("list-1"))
        .unwrap()
        .finish()
        .unwrap();
    assert!(expected.inventory.port_list("list-1").is_some());
}

#[test]
fn a_byte_order_mark_is_no_error() {
    let document = format!("\u{feff}{AWS_GROUP}");
    assert_eq!(load(&[("g.json", &document)]).unwrap().documents, 1);
}

/// Files are read in the order of their names; what is no document is told.
#[test]
fn folders() {
    let folder = Folder::new("folders")
        .with("b.json", AWS_GROUP)
        .with("a.JSON", r#"{"Vpcs": []}"#)
        .with("notes.txt", "hello")
        .with("c.json", r#"{"Buckets": []}"#);
    fs::create_dir(folder.0.join("more.json")).unwrap();
    let loaded = load::dir(&folder.0).unwrap();
    assert_eq!(loaded.documents, 2);
    assert_eq!(
        texts(&loaded)[..3],
        [
            "c.json: not an answer that is read here; it was skipped",
            "more.json: the folder was skipped; only files directly in the folder are read",
            "notes.txt: the file was skipped; only files that end in .json are read",
        ]
    );
    assert_eq!(
        loaded.inventory.group("sg-1").unwrap().rules[0].place.as_ref().unwrap().to_string(),
        "b.json: SecurityGroups[0].IpPermissions[0].UserIdGroupPairs[0]"
    );
    let file = folder.0.join("b.json");
    let loaded = Loader::new().file(&file).unwrap().finish().unwrap();
    assert_eq!(loaded.inventory.group("sg-1").unwrap().place.as_ref().unwrap().source(), file.display().to_string());
}

/// Pages of one call merge; a call whose last page is missing leaves things unknown.
#[test]
fn pages() {
    let page = |interface: &str, token: &str| {
        format!(
            r#"{{"NetworkInterfaces": [{{"NetworkInterfaceId": "{interface}", "Groups": [{{"GroupId": "sg-1"}}]}}], "NextToken": "{token}"}}"#
        )
    };
    let (open, closed) = (page("eni-1", "t"), page("eni-2", ""));
    let loaded = load(&[("1.json", &open), ("2.json", &closed), ("3.json", &open)]).unwrap();
    assert_eq!(loaded.inventory.interfaces().len(), 2);
    assert!(loaded.inventory.members_complete());
    assert!(!kinds(&loaded).contains(&WarningKind::IncompletePages));

    let loaded = load(&[("1.json", &open)]).unwrap();
    assert!(!loaded.inventory.members_complete());
    assert!(!loaded.inventory.members("sg-1").complete);
    assert!(texts(&loaded).contains(
        &"1.json: the answers to DescribeNetworkInterfaces are incomplete: another page follows, and the last one is \
          not among the documents"
            .to_owned()
    ));
    let assumed = Loader::new().assume_complete().document("1.json", open.as_bytes(), None).unwrap().finish().unwrap();
    assert!(assumed.inventory.members_complete());

    let entries = [("a.pl-1.json", r#"{"Entries": [{"Cidr": "10.0.0.0/8"}], "NextToken": "t"}"#)];
    let loaded = load(&entries).unwrap();
    let list = loaded.inventory.prefix_list("pl-1").unwrap();
    assert_eq!((list.entries.len(), list.complete), (1, false));
    assert_eq!(
        texts(&loaded),
        [
            "a.pl-1.json: the entries of `pl-1` are incomplete: another page follows, and the last one is not among the documents"
        ]
    );
    let loaded =
        load(&[entries[0], ("b.pl-1.json", r#"{"Entries": [{"Cidr": "10.0.0.0/8"}, {"Cidr": "172.16.0.0/12"}]}"#)])
            .unwrap();
    let list = loaded.inventory.prefix_list("pl-1").unwrap();
    assert_eq!((list.entries.len(), list.complete), (2, true));
}

/// Alibaba Cloud also pages by number, and then says how many there are.
#[test]
fn totals() {
    let page = |instance: &str, total: u32| {
        format!(
            r#"{{"Instances": {{"Instance": [{{"InstanceId": "{instance}"}}]}}, "TotalCount": {total}, "PageNumber": 1, "PageSize": 1}}"#
        )
    };
    let loaded = load(&[("1.json", &page("i-1", 2))]).unwrap();
    assert!(!loaded.inventory.members_complete());
    assert_eq!(
        texts(&loaded),
        ["1.json: the answers to DescribeInstances are incomplete: 2 are announced, and the documents hold 1"]
    );
    let loaded = load(&[("1.json", &page("i-1", 2)), ("2.json", &page("i-2", 2))]).unwrap();
    assert!(loaded.inventory.members_complete());
}

/// Members are unknown where no interface was described; it is told if a rule needs them.
#[test]
fn no_interfaces() {
    let loaded = load(&[("g.json", AWS_GROUP)]).unwrap();
    assert!(!loaded.inventory.members_complete());
    assert_eq!(
        texts(&loaded),
        [
            "g.json: SecurityGroups[0].IpPermissions[0].UserIdGroupPairs[0]: rules refer to groups, but no interface was \
          described, so members of groups are not known"
        ]
    );
    let loaded = load(&[(
        "g.json",
        r#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [], "IpPermissionsEgress": []}]}"#,
    )])
    .unwrap();
    assert!(loaded.warnings.is_empty());
}

/// One warning for each thing that is missing, with the number of references.
#[test]
fn unresolved_references() {
    let groups = r#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": "sg-2"}, {"GroupId": "sg-3"}], "PrefixListIds": [{"PrefixListId": "pl-1"}]},
        {"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "UserIdGroupPairs": [{"GroupId": "sg-2"}], "PrefixListIds": [{"PrefixListId": "pl-2"}]}]}]}"#;
    let interfaces = r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-3"}]}]}"#;
    let lists = r#"{"PrefixLists": [{"PrefixListId": "pl-1", "AddressFamily": "IPv4"}, {"PrefixListId": "pl-2", "Cidrs": []}]}"#;
    let loaded = load(&[("g.json", groups), ("e.json", interfaces), ("l.json", lists)]).unwrap();
    let told: Vec<String> = loaded
        .warnings
        .iter()
        .filter(|warning| warning.kind == WarningKind::UnresolvedReference)
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "g.json: SecurityGroups[0].IpPermissions[0].UserIdGroupPairs[0]: 2 rules refer to the group `sg-2`, which was not loaded",
            "e.json: NetworkInterfaces[0]: 1 interface has the group `sg-3`, which was not loaded, so its rules are not known",
            "g.json: SecurityGroups[0].IpPermissions[0].PrefixListIds[0]: 1 rule refers to the prefix list `pl-1`, whose entries were not loaded",
        ]
    );
    let ports = r#"{"SecurityGroupId": "sg-1", "VpcId": "v", "InnerAccessPolicy": "Drop", "Permissions": {"Permission": [
        {"Direction": "ingress", "IpProtocol": "TCP", "PortRangeListId": "prl-1", "SourceCidrIp": "10.0.0.0/8", "Policy": "Accept"}]}}"#;
    let loaded = load(&[("a.json", ports)]).unwrap();
    assert!(
        texts(&loaded).contains(
            &"a.json: Permissions.Permission[0]: 1 rule refers to the port list `prl-1`, whose entries were not loaded"
                .to_owned()
        )
    );
}

/// Fields that nobody reads, but that may hold rules, are told once, with their number; others are not.
#[test]
fn unknown_fields() {
    let document = r#"{"SecurityGroups": [
        {"GroupId": "sg-1", "SecurityGroupArn": "arn", "Colour": "red", "IpPermissionsForward": [{"a": 1}],
         "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "SourcePort": 5, "Shade": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]},
        {"GroupId": "sg-2", "IpPermissions": [{"IpProtocol": "-1", "SourcePort": 5, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}],
        "Reservations": [{"Groups": [], "Instances": [{"InstanceId": "i-1", "EnaSupport": true, "SourceDestCheck": true, "NetworkInterfaceGroup": 1}]}]}"#;
    let loaded = load(&[("g.json", document)]).unwrap();
    let told: Vec<String> = loaded
        .warnings
        .iter()
        .filter(|warning| warning.kind == WarningKind::UnknownField)
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "g.json: Reservations[0].Instances[0].NetworkInterfaceGroup: the field `NetworkInterfaceGroup` is not read, though it looks like part of a rule",
            "g.json: SecurityGroups[0].IpPermissions[0].SourcePort: the field `SourcePort` is not read, though it looks like part of a rule (in 2 places)",
            "g.json: SecurityGroups[0].IpPermissionsForward: the field `IpPermissionsForward` is not read, though it looks like part of a rule",
        ]
    );
}

/// Deep nesting in what nobody reads takes no stack.
#[test]
fn deep_nesting() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let loaded = load(&[("v.json", &format!(r#"{{"Vpcs": [], "Extra": {deep}}}"#)), ("d.json", &deep)]).unwrap();
    assert_eq!(loaded.documents, 1);
    assert_eq!(kinds(&loaded), [WarningKind::UnrecognisedDocument]);
}

#[test]
fn relations() {
    let loaded = Loader::new()
        .relation("vpc-1", "vpc-2", VpcRelation::Peered)
        .document("g.json", AWS_GROUP.as_bytes(), None)
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(loaded.inventory.relation(&"vpc-2".into(), &"vpc-1".into()), VpcRelation::Peered);
}

/// Programs read warnings too.
#[test]
fn warnings_serialize() {
    let loaded = load(&[("b.json", r#"{"Buckets": []}"#), ("g.json", r#"{"SecurityGroups": []}"#)]).unwrap();
    assert_eq!(
        serde_json::to_string(&loaded.warnings).unwrap(),
        r#"[{"kind":"unrecognised_document","place":{"source":"b.json","path":""},"message":"not an answer that is read here; it was skipped"}]"#
    );
}

/// Limits are errors with numbers.
#[test]
fn limits() {
    let folder = Folder::new("limits").with("a.json", r#"{"Vpcs": []}"#).with("b.json", r#"{"Subnets": []}"#);
    let error = |limits: Limits| Loader::new().limits(limits).dir(&folder.0).unwrap_err().to_string();
    assert_eq!(error(Limits::default().with_max_file_bytes(11)), "`a.json` has 12 bytes, over the limit of 11");
    assert_eq!(
        error(Limits::default().with_max_total_bytes(20)),
        "with `b.json` all documents have 27 bytes, over the limit of 20"
    );
    assert_eq!(error(Limits::default().with_max_files(1)), "`b.json` is document number 2, over the limit of 1");
    let exact = Limits::default().with_max_file_bytes(15).with_max_total_bytes(27).with_max_files(2);
    assert_eq!(Loader::new().limits(exact).dir(&folder.0).unwrap().finish().unwrap().documents, 2);
    let in_memory = Loader::new().limits(Limits::default().with_max_file_bytes(3)).document("x", b"{ }\n", None);
    assert_eq!(in_memory.unwrap_err().to_string(), "`x` has 4 bytes, over the limit of 3");
}

#[test]
fn providers() {
    for provider in [Provider::Aws, Provider::Alibaba] {
        assert_eq!(provider.to_string().to_uppercase().parse(), Ok(provider));
    }
    assert_eq!("azure".parse::<Provider>().unwrap_err().to_string(), "`azure` is not a provider; it is aws or alibaba");
}

/// What is loaded can be sent between threads, and errors can be boxed.
#[test]
fn auto_traits() {
    fn sound<T: Send + Sync + std::fmt::Debug + 'static>() {}
    sound::<Loaded>();
    sound::<Loader>();
    sound::<LoadError>();
    sound::<load::Warning>();
}

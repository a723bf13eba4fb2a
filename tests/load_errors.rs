//! Bad documents: the whole text of every error, with its place.
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

use load_support::{check, error_of, group_rule, ingress, permission};
use secgroup::load::{LoadError, Loader, Provider};

#[test]
fn not_json() {
    check(&[
        ("", "a.json: not valid JSON at line 1, column 0: the document is empty"),
        (" \n\t ", "a.json: not valid JSON at line 1, column 0: the document is empty"),
        (
            r#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tcp","#,
            "a.json: SecurityGroups[0].IpPermissions[0]: not valid JSON at line 1, column 79: EOF while parsing a value",
        ),
        (
            "{\"Vpcs\": [\n  {\"VpcId\": \"vpc-1\"\n",
            "a.json: Vpcs[0]: not valid JSON at line 3, column 0: EOF while parsing an object",
        ),
        (
            "{\"SecurityGroups\": []}\n{\"SecurityGroups\": []}",
            "a.json: not valid JSON at line 2, column 1: trailing characters",
        ),
        (r#"{"Vpcs": [,]}"#, "a.json: Vpcs[0]: not valid JSON at line 1, column 11: expected value"),
        ("An error occurred", "a.json: not valid JSON at line 1, column 1: expected value"),
        ("{'Vpcs': []}", "a.json: not valid JSON at line 1, column 2: key must be a string"),
    ]);
    let deep = format!(r#"{{"SecurityGroups": {}1{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(error_of(&[&deep]), "a.json: SecurityGroups[0]: expected an object, found a list (line 1, column 20)");
}

#[test]
fn not_text() {
    let error = |bytes: &[u8]| Loader::new().document("a.json", bytes, None).unwrap_err().to_string();
    assert_eq!(error(b"\xff\xfe{\0}\0"), "a.json: expected text in UTF-8, found UTF-16");
    assert_eq!(error(b"\0{\0}"), "a.json: expected text in UTF-8, found UTF-16");
    assert_eq!(error(b"{\0}\0"), "a.json: expected text in UTF-8, found UTF-16");
    assert_eq!(error(b"\x1f\x8b\x08\0"), "a.json: expected text in UTF-8, found gzip data");
    assert_eq!(error(b"{\"Vpcs\": \"\xe9\"}"), "a.json: expected text in UTF-8, found the byte 0xe9 at offset 10");
}

#[test]
fn wrong_shapes() {
    check(&[
        (
            r#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": {}}]}"#,
            "a.json: SecurityGroups[0].IpPermissions: expected a list, found an object (line 1, column 59)",
        ),
        (
            r#"{"SecurityGroups": [["sg-1"]]}"#,
            "a.json: SecurityGroups[0]: expected an object, found a list (line 1, column 20)",
        ),
        (
            r#"{"SecurityGroups": ["sg-1"]}"#,
            "a.json: SecurityGroups[0]: expected an object, found `sg-1` (line 1, column 26)",
        ),
        (
            r#"{"SecurityGroups": [null]}"#,
            "a.json: SecurityGroups[0]: expected an object, found null (line 1, column 24)",
        ),
        (
            r#"{"SecurityGroups": [{"GroupId": true}]}"#,
            "a.json: SecurityGroups[0].GroupId: expected a string, found `true` (line 1, column 36)",
        ),
        (
            &permission(r#""IpProtocol": "tcp", "FromPort": "http""#),
            "a.json: SecurityGroups[0].IpPermissions[0].FromPort: expected a whole number, found `http` (line 1, column 98)",
        ),
        (
            &permission(r#""IpProtocol": "tcp", "FromPort": "+5""#),
            "a.json: SecurityGroups[0].IpPermissions[0].FromPort: expected a whole number, found `+5` (line 1, column 96)",
        ),
        (
            &permission(r#""IpProtocol": "tcp", "FromPort": 22.5"#),
            "a.json: SecurityGroups[0].IpPermissions[0].FromPort: expected a whole number, found `22.5` (line 1, column 96)",
        ),
        (
            &permission(r#""IpProtocol": "tcp", "IpProtocol": "udp""#),
            "a.json: SecurityGroups[0].IpPermissions[0]: the field `IpProtocol` is given twice (line 1, column 100)",
        ),
        (
            &group_rule(r#""IsEgress": "no""#),
            "a.json: SecurityGroupRules[0].IsEgress: expected true or false, found `no` (line 1, column 60)",
        ),
        (
            r#"{"NetworkInterfaceSets": {"NetworkInterfaceSet": {}}}"#,
            "a.json: NetworkInterfaceSets.NetworkInterfaceSet: expected a list, found an object (line 1, column 51)",
        ),
        (
            r#"{"SecurityGroupId": "sg-1", "Permissions": 5}"#,
            "a.json: Permissions: expected an object with the list `Permission`, found `5` (line 1, column 44)",
        ),
        (
            r#"{"SecurityGroupId": "sg-1", "Permissions": {"Permissions": []}}"#,
            "a.json: Permissions: expected an object with the list `Permission`, found an object without it (line 1, column 62)",
        ),
        (
            &ingress(r#""Priority": "high""#),
            "a.json: Permissions.Permission[0].Priority: expected a whole number, found `high` (line 1, column 96)",
        ),
    ]);
}

#[test]
fn subjects() {
    check(&[
        (
            r#"{"Entries": [{"Cidr": "10.0.0.0/8"}]}"#,
            "`a.json` does not say which prefix list it is about; name it like \
             `get-managed-prefix-list-entries.pl-0123.json` or give the id with the document",
        ),
        (
            r#"{"Entries": [{"PortRange": "80/80"}]}"#,
            "`a.json` does not say which port list it is about; name it like \
             `describe-port-range-list-entries.prl-0123.json` or give the id with the document",
        ),
        (
            r#"[{"IpProtocol": "ALL", "Policy": "Accept"}]"#,
            "`a.json` does not say which group it is about; name it like `exported.sg-0123.json` or give the id with the document",
        ),
    ]);
    assert_eq!(
        error_of(&[r#"{"Entries": []}"#, r#"{"Vpcs": []}"#]),
        "`a.json` does not say which prefix list it is about; name it like \
         `get-managed-prefix-list-entries.pl-0123.json` or give the id with the document"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn contradictions() {
    let cidr = |cidr: &str| permission(&format!(r#""IpProtocol": "-1", "IpRanges": [{{"CidrIp": "{cidr}"}}]"#));
    let rules = |cidr: &str, token: &str| {
        format!(
            r#"{{"SecurityGroupRules": [{{"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": false,
                "IpProtocol": "-1", "CidrIpv4": "{cidr}"}}], "NextToken": "{token}"}}"#
        )
    };
    let interface = |address: &str| {
        format!(r#"{{"NetworkInterfaces": [{{"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "{address}"}}]}}"#)
    };
    let attribute = |vpc: &str, policy: &str| {
        format!(
            r#"{{"SecurityGroupId": "sg-1", "VpcId": "{vpc}", "InnerAccessPolicy": "{policy}", "Permissions": []}}"#
        )
    };
    let ali_rule = |port: u16| {
        ingress(&format!(
            r#""SecurityGroupRuleId": "sgr-1", "IpProtocol": "TCP", "PortRange": "{port}/{port}", "SourceCidrIp": "10.0.0.0/8""#
        ))
    };
    let cases: &[(&[&str], &str)] = &[
        (
            &[&cidr("10.0.0.0/8"), &cidr("10.0.0.0/9")],
            "a.json: SecurityGroups[0] and b.json: SecurityGroups[0] contradict each other: they describe the group `sg-1` differently",
        ),
        (
            &[&rules("10.0.0.0/8", ""), &rules("10.0.0.0/9", "")],
            "a.json: SecurityGroupRules[0] and b.json: SecurityGroupRules[0] contradict each other: they describe the rule `sgr-1` differently",
        ),
        (
            &[&cidr("10.0.0.0/8"), &rules("10.0.0.0/9", "")],
            "b.json: SecurityGroupRules[0] and a.json: SecurityGroups[0] contradict each other: only the first has the \
             rule `allow ingress all from 10.0.0.0/9` of the group `sg-1`",
        ),
        (
            &[&cidr("10.0.0.0/8"), &rules("10.0.0.0/9", "more")],
            "b.json: SecurityGroupRules[0] and a.json: SecurityGroups[0] contradict each other: only the first has the \
             rule `allow ingress all from 10.0.0.0/9` of the group `sg-1`",
        ),
        (
            &[
                &permission(
                    r#""IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "172.16.0.0/12"}]"#,
                ),
                &rules("10.0.0.0/8", ""),
            ],
            "a.json: SecurityGroups[0].IpPermissions[0].IpRanges[1] and b.json: SecurityGroupRules[0] contradict each \
             other: only the first has the rule `allow ingress all from 172.16.0.0/12` of the group `sg-1`",
        ),
        (
            &[&interface("10.0.0.1"), &interface("10.0.0.2")],
            "a.json: NetworkInterfaces[0] and b.json: NetworkInterfaces[0] contradict each other: they describe the \
             interface `eni-1` differently",
        ),
        (
            &[
                r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1", "Tags": [{"Key": "Name", "Value": "a"}]}]}]}"#,
                r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1", "Tags": [{"Key": "Name", "Value": "b"}]}]}]}"#,
            ],
            "a.json: Reservations[0].Instances[0] and b.json: Reservations[0].Instances[0] contradict each other: they \
             describe the instance `i-1` differently",
        ),
        (
            &[
                r#"{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/8"}, {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/9"}]}"#,
            ],
            "a.json: Vpcs[0] and a.json: Vpcs[1] contradict each other: they describe the VPC `vpc-1` differently",
        ),
        (
            &[
                r#"{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1"}]}"#,
                r#"{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-2"}]}"#,
            ],
            "a.json: Subnets[0] and b.json: Subnets[0] contradict each other: they describe the subnet `subnet-1` differently",
        ),
        (
            &[
                r#"{"PrefixLists": [{"PrefixListId": "pl-1", "MaxEntries": 5}]}"#,
                r#"{"PrefixLists": [{"PrefixListId": "pl-1", "MaxEntries": 6}]}"#,
            ],
            "a.json: PrefixLists[0] and b.json: PrefixLists[0] contradict each other: they describe the prefix list `pl-1` differently",
        ),
        (
            &[
                r#"{"SecurityGroups": {"SecurityGroup": [{"SecurityGroupId": "sg-1", "SecurityGroupType": "normal"}]}}"#,
                r#"{"SecurityGroups": {"SecurityGroup": [{"SecurityGroupId": "sg-1", "SecurityGroupType": "enterprise"}]}}"#,
            ],
            "a.json: SecurityGroups.SecurityGroup[0] and b.json: SecurityGroups.SecurityGroup[0] contradict each other: \
             they describe the group `sg-1` differently",
        ),
        (
            &[&attribute("vpc-1", "Drop"), &attribute("vpc-1", "Accept")],
            "a.json and b.json contradict each other: they give the group `sg-1` different intra-group policies",
        ),
        (
            &[&attribute("vpc-1", "Drop"), &attribute("vpc-2", "Drop")],
            "a.json and b.json contradict each other: they give the group `sg-1` different VPCs",
        ),
        (
            &[&ali_rule(80), &ali_rule(81)],
            "a.json: Permissions.Permission[0] and b.json: Permissions.Permission[0] contradict each other: they \
             describe the rule `sgr-1` differently",
        ),
    ];
    for (documents, expected) in cases {
        assert_eq!(error_of(documents), *expected, "{documents:?}");
    }
}

#[test]
fn wrong_company() {
    let (aws, alibaba) = (r#"{"Vpcs": []}"#, r#"{"Instances": {"Instance": []}}"#);
    assert_eq!(
        error_of(&[aws, alibaba]),
        "`a.json` is a document of aws and `b.json` one of alibaba, and they cannot be loaded together"
    );
    let error = Loader::new().expect_provider(Provider::Alibaba).document("a.json", aws.as_bytes(), None).unwrap_err();
    assert_eq!(error.to_string(), "`a.json` is a document of aws, not of alibaba");
    assert_eq!(
        error_of(&[r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1", "NetworkInterfaces": [
                {"NetworkInterfaceId": "eni-1", "Attachment": {"DeviceIndex": 0}},
                {"NetworkInterfaceId": "eni-2", "Attachment": {"DeviceIndex": 0}}]}]}]}"#]),
        "the instance `i-1` has two primary interfaces, `eni-1` and `eni-2`"
    );
}

#[test]
fn nothing_to_load() {
    assert_eq!(error_of(&[]), "no document of AWS or Alibaba Cloud in what was loaded: nothing was given");
    assert_eq!(
        error_of(&["{}"]),
        "no document of AWS or Alibaba Cloud in `a.json` (a.json: not an answer that is read here; it was skipped)"
    );
    assert_eq!(
        error_of(&["{}", "[]", "1"]),
        "no document of AWS or Alibaba Cloud in `a.json` and 2 others (a.json: not an answer that is read here; it was skipped; and 2 more)"
    );
    let expected = Loader::new().expect_provider(Provider::Aws).document("a.json", b"{}", None).unwrap().finish();
    assert_eq!(
        expected.unwrap_err().to_string(),
        "no document of AWS or Alibaba Cloud in `a.json` (a.json: not an answer that is read here; it was skipped)"
    );
    let folder = std::env::temp_dir().join(format!("secgroup-load-empty-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let name = folder.display();
    let error = Loader::new().dir(&folder).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read `{name}`: No such file or directory (os error 2)"));
    fs::create_dir_all(&folder).unwrap();
    let error = secgroup::load::dir(&folder).unwrap_err();
    assert!(matches!(error, LoadError::NoDocuments { .. }));
    assert_eq!(error.to_string(), format!("no document of AWS or Alibaba Cloud in `{name}`"));
    fs::write(folder.join("x.json"), "").unwrap();
    let error = secgroup::load::dir(&folder).unwrap_err();
    assert_eq!(error.to_string(), "x.json: not valid JSON at line 1, column 0: the document is empty");
    fs::remove_dir_all(&folder).unwrap();
    let error = Loader::new().file("/no/such.json").unwrap_err();
    assert_eq!(error.to_string(), "cannot read `/no/such.json`: No such file or directory (os error 2)");
}

//! What documents leave out is unknown, and is never taken for empty.
#![cfg(feature = "load")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod load_support;

use load_support::{addresses, kinds, load, rules_of, texts, texts_of};
use secgroup::load::{Loaded, Loader, WarningKind};
use secgroup::model::{Interface, RuleCoverage};
use secgroup::net::Direction;

const ANY: &str = r#"[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]"#;

/// A document with the AWS group `sg-1` and these fields.
fn aws_group(fields: &str) -> String {
    format!(r#"{{"SecurityGroups": [{{"GroupId": "sg-1"{fields}}}]}}"#)
}

/// A document with these rules of the AWS group `sg-1`, one each for inbound and outbound.
fn aws_rules(token: &str) -> String {
    let rule = |id: &str, egress: bool| {
        format!(
            r#"{{"SecurityGroupRuleId": "{id}", "GroupId": "sg-1", "IsEgress": {egress}, "IpProtocol": "-1",
                "CidrIpv4": "10.0.0.0/8"}}"#
        )
    };
    format!(
        r#"{{"SecurityGroupRules": [{}, {}], "NextToken": "{token}"}}"#,
        rule("sgr-in", false),
        rule("sgr-out", true)
    )
}

fn coverage_of(loaded: &Loaded) -> RuleCoverage {
    loaded.inventory.group("sg-1").unwrap().coverage
}

fn interface<'l>(loaded: &'l Loaded, id: &str) -> &'l Interface {
    loaded.inventory.interface(id).unwrap()
}

/// A list of rules that is absent, as in a projected answer, is unknown; null and [] are empty.
#[test]
fn absent_permissions_are_unknown() {
    let only = RuleCoverage::OnlyDirection;
    let (inbound, outbound) =
        ("ingress rules (`IpPermissions` is absent)", "egress rules (`IpPermissionsEgress` is absent)");
    let both = format!("{inbound}, {outbound}");
    let cases = [
        (String::new(), RuleCoverage::Partial, Some(both.as_str())),
        (format!(r#", "IpPermissions": {ANY}"#), only(Direction::Ingress), Some(outbound)),
        (r#", "IpPermissions": null"#.to_owned(), only(Direction::Ingress), Some(outbound)),
        (r#", "IpPermissionsEgress": []"#.to_owned(), only(Direction::Egress), Some(inbound)),
        (format!(r#", "IpPermissions": null, "IpPermissionsEgress": {ANY}"#), RuleCoverage::Complete, None),
        (r#", "IpPermissions": [], "IpPermissionsEgress": null"#.to_owned(), RuleCoverage::Complete, None),
    ];
    for (fields, coverage, missing) in cases {
        let loaded = load(&[("g.json", &aws_group(&fields))]).unwrap();
        assert_eq!(coverage_of(&loaded), coverage, "{fields}");
        let told = texts_of(&loaded, WarningKind::PartlyKnownGroup);
        let expected = missing.map(|missing| {
            format!(
                "g.json: SecurityGroups[0]: not known of the group `sg-1`: {missing}; DescribeSecurityGroupRules tells too"
            )
        });
        assert_eq!(told, Vec::from_iter(expected), "{fields}");
    }
}

/// The rules view fills the directions that the groups view leaves out, and must agree on the others.
#[test]
fn the_rules_view_fills_absent_permissions() {
    for fields in [
        String::new(),
        format!(r#", "IpPermissions": {ANY}"#),
        format!(r#", "IpPermissionsEgress": {ANY}"#),
        format!(r#", "IpPermissions": {ANY}, "IpPermissionsEgress": {ANY}"#),
    ] {
        let groups = aws_group(&fields);
        for documents in [[groups.clone(), aws_rules("")], [aws_rules(""), groups]] {
            let loaded = load(&[("a.json", &documents[0]), ("b.json", &documents[1])]).unwrap();
            assert_eq!(rules_of(&loaded), ["allow ingress all from 10.0.0.0/8", "allow egress all to 10.0.0.0/8"]);
            assert_eq!(coverage_of(&loaded), RuleCoverage::Complete, "{fields}");
            let ids: Vec<_> =
                loaded.inventory.group("sg-1").unwrap().rules.iter().map(|rule| rule.id.clone()).collect();
            assert_eq!(ids, [Some("sgr-in".into()), Some("sgr-out".into())], "{fields}");
            assert!(kinds(&loaded).is_empty(), "{fields}: {:?}", texts(&loaded));
        }
    }
    // What is there is compared.
    let documents = [("g.json", aws_group(r#", "IpPermissions": []"#)), ("r.json", aws_rules(""))];
    let error = load(&documents.each_ref().map(|(name, text)| (*name, text.as_str()))).unwrap_err().to_string();
    assert_eq!(
        error,
        "r.json: SecurityGroupRules[0] and g.json: SecurityGroups[0] contradict each other: only the first has the rule \
         `allow ingress all from 10.0.0.0/8` of the group `sg-1`"
    );
    // A rules view whose last page is missing leaves the direction open.
    let groups = aws_group(&format!(r#", "IpPermissions": {ANY}"#));
    let loaded = load(&[("g.json", &groups), ("r.json", &aws_rules("t"))]).unwrap();
    assert_eq!(coverage_of(&loaded), RuleCoverage::OnlyDirection(Direction::Ingress));
    assert_eq!(rules_of(&loaded), ["allow ingress all from 10.0.0.0/8", "allow egress all to 10.0.0.0/8"]);
    assert!(kinds(&loaded).contains(&WarningKind::PartlyKnownGroup));
    // A rules view of other groups says nothing about this one.
    let others = aws_rules("").replace("sg-1", "sg-2");
    let loaded = load(&[("g.json", &aws_group("")), ("r.json", &others)]).unwrap();
    assert_eq!(coverage_of(&loaded), RuleCoverage::Partial);
}

/// Two projections of one group are put together.
#[test]
fn directions_of_two_documents() {
    let inbound = aws_group(&format!(r#", "IpPermissions": {ANY}"#));
    let outbound = aws_group(&format!(r#", "IpPermissionsEgress": {ANY}"#));
    for documents in [[&inbound, &outbound], [&outbound, &inbound]] {
        let loaded = load(&[("a.json", documents[0]), ("b.json", documents[1])]).unwrap();
        assert_eq!(rules_of(&loaded), ["allow ingress all from 10.0.0.0/8", "allow egress all to 10.0.0.0/8"]);
        assert_eq!(coverage_of(&loaded), RuleCoverage::Complete);
    }
    assert!(load(&[("a.json", &inbound), ("b.json", &aws_group(r#", "IpPermissions": []"#))]).is_err());
}

/// ALI-32: an answer without `Permissions` does not tell the rules; null and empty ones do.
#[test]
fn absent_permissions_of_an_attribute_answer() {
    let answer = |fields: &str| {
        format!(r#"{{"SecurityGroupId": "sg-1", "VpcId": "vpc-1", "InnerAccessPolicy": "Drop"{fields}}}"#)
    };
    let listed = r#"{"SecurityGroups": {"SecurityGroup": [
        {"SecurityGroupId": "sg-1", "VpcId": "vpc-1", "SecurityGroupType": "normal"}]}}"#;
    for (fields, coverage) in [
        ("", RuleCoverage::Partial),
        (r#", "Permissions": null"#, RuleCoverage::Complete),
        (r#", "Permissions": {"Permission": null}"#, RuleCoverage::Complete),
        (r#", "Permissions": {"Permission": []}"#, RuleCoverage::Complete),
        (r#", "Permissions": []"#, RuleCoverage::Complete),
    ] {
        let loaded = load(&[("l.json", listed), ("a.json", &answer(fields))]).unwrap();
        assert_eq!(coverage_of(&loaded), coverage, "{fields}");
        let expected = (coverage == RuleCoverage::Partial).then(|| {
            "l.json: SecurityGroups.SecurityGroup[0]: not known of the group `sg-1`: rules \
             (DescribeSecurityGroupAttribute tells)"
                .to_owned()
        });
        assert_eq!(texts(&loaded), Vec::from_iter(expected), "{fields}");
    }
    // Another answer may have them.
    let loaded =
        load(&[("l.json", listed), ("a.json", &answer("")), ("b.json", &answer(r#", "Permissions": []"#))]).unwrap();
    assert_eq!(coverage_of(&loaded), RuleCoverage::Complete);
}

/// An AWS interface without any of the fields of its addresses may have any.
#[test]
fn absent_addresses_are_unknown() {
    let described = |fields: &str| {
        format!(
            r#"{{"NetworkInterfaces": [{{"NetworkInterfaceId": "eni-1", "Groups": [{{"GroupId": "sg-1"}}]{fields}}}]}}"#
        )
    };
    let shown = |fields: &str| {
        format!(
            r#"{{"Reservations": [{{"Instances": [{{"InstanceId": "i-1",
                "NetworkInterfaces": [{{"NetworkInterfaceId": "eni-1"{fields}}}]}}]}}]}}"#
        )
    };
    for (fields, unknown) in [
        ("", true),
        (r#", "Ipv4Prefixes": []"#, true),
        (r#", "PrivateIpAddress": null"#, false),
        (r#", "PrivateIpAddress": """#, false),
        (r#", "PrivateIpAddresses": []"#, false),
        (r#", "Ipv6Addresses": null"#, false),
        (r#", "PrivateIpAddress": "10.0.0.1""#, false),
    ] {
        for document in [described(fields), shown(fields)] {
            let loaded = load(&[("e.json", &document)]).unwrap();
            assert_eq!(interface(&loaded, "eni-1").addresses_unknown, unknown, "{document}");
            assert_eq!(kinds(&loaded).contains(&WarningKind::UnknownAddresses), unknown, "{document}");
        }
    }
    let loaded = load(&[("e.json", &described(""))]).unwrap();
    assert_eq!(
        texts_of(&loaded, WarningKind::UnknownAddresses),
        [
            "e.json: NetworkInterfaces[0]: the addresses of 1 interface are not known, for the documents leave them out, so \
          members of its groups may have any address"
        ]
    );
    assert!(!loaded.inventory.members("sg-1").complete);
    // The other call may know.
    let address = r#", "PrivateIpAddress": "10.0.0.1""#;
    for (own, of_instance) in [("", address), (address, "")] {
        let loaded = load(&[("e.json", &described(own)), ("i.json", &shown(of_instance))]).unwrap();
        let interface = interface(&loaded, "eni-1");
        assert_eq!((&interface.addresses, interface.addresses_unknown), (&addresses(&["10.0.0.1"]), false));
        assert!(!kinds(&loaded).contains(&WarningKind::UnknownAddresses));
        assert!(loaded.inventory.members("sg-1").complete);
    }
}

/// The same at Alibaba Cloud, where an instance also tells the addresses of its primary interface, and
/// the public card of a classic instance has no private ones.
#[test]
fn absent_addresses_are_unknown_at_alibaba() {
    let described = |fields: &str| {
        format!(
            r#"{{"NetworkInterfaceSets": {{"NetworkInterfaceSet": [{{"NetworkInterfaceId": "eni-1",
                "SecurityGroupIds": {{"SecurityGroupId": ["sg-1"]}}{fields}}}]}}}}"#
        )
    };
    let shown = |attributes: &str, fields: &str| {
        format!(
            r#"{{"Instances": {{"Instance": [{{"InstanceId": "i-1", "InstanceNetworkType": "vpc", "VpcAttributes": {attributes},
                "NetworkInterfaces": {{"NetworkInterface": [{{"NetworkInterfaceId": "eni-1"{fields}}}]}}}}]}}}}"#
        )
    };
    for (fields, unknown) in [
        ("", true),
        (r#", "Ipv4PrefixSets": {"Ipv4PrefixSet": []}"#, true),
        (r#", "PrivateIpAddress": """#, false),
        (r#", "PrimaryIpAddress": "10.0.0.1""#, false),
        (r#", "PrivateIpSets": {"PrivateIpSet": null}"#, false),
        (r#", "PrivateIpSets": null"#, false),
        (r#", "Ipv6Sets": {"Ipv6Set": []}"#, false),
    ] {
        for document in [described(fields), shown("null", fields)] {
            let loaded = load(&[("e.json", &document)]).unwrap();
            assert_eq!(interface(&loaded, "eni-1").addresses_unknown, unknown, "{document}");
            assert_eq!(kinds(&loaded).contains(&WarningKind::UnknownAddresses), unknown, "{document}");
        }
    }
    let of_vpc = shown(r#"{"VpcId": "vpc-1", "PrivateIpAddress": {"IpAddress": ["10.0.0.1"]}}"#, "");
    for documents in [vec![("i.json", of_vpc.as_str())], vec![("i.json", &of_vpc), ("e.json", &described(""))]] {
        let loaded = load(&documents).unwrap();
        let interface = interface(&loaded, "eni-1");
        assert_eq!((&interface.addresses, interface.addresses_unknown), (&addresses(&["10.0.0.1"]), false));
    }
    let classic = |fields: &str| {
        format!(
            r#"{{"Instances": {{"Instance": [{{"InstanceId": "i-1", "InstanceNetworkType": "classic",
                "PublicIpAddress": {{"IpAddress": ["203.0.113.1"]}}{fields}}}]}}}}"#
        )
    };
    let loaded = load(&[("i.json", &classic(r#", "InnerIpAddress": {"IpAddress": ["10.0.0.1"]}"#))]).unwrap();
    assert!(loaded.inventory.interfaces().all(|interface| !interface.addresses_unknown));
    let loaded = load(&[("i.json", &classic(""))]).unwrap();
    assert!(interface(&loaded, "i-1:intranet").addresses_unknown);
    assert!(!interface(&loaded, "i-1:internet").addresses_unknown);
}

/// Members are complete if interfaces were described to the last page, or instances were and
/// interfaces not at all.
#[test]
fn open_interfaces_are_not_made_up_for_by_instances() {
    let interfaces = |token: &str| {
        format!(
            r#"{{"NetworkInterfaces": [{{"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.0.1"}}], "NextToken": "{token}"}}"#
        )
    };
    let instances = |token: &str| format!(r#"{{"Reservations": [], "NextToken": "{token}"}}"#);
    for (interfaces, instances, complete, only_instances) in [
        (Some(interfaces("")), None, true, false),
        (Some(interfaces("")), Some(instances("t")), true, false),
        (Some(interfaces("t")), None, false, false),
        (Some(interfaces("t")), Some(instances("")), false, false),
        (None, Some(instances("")), true, true),
        (None, Some(instances("t")), false, false),
    ] {
        let documents = [("e.json", &interfaces), ("i.json", &instances)];
        let given: Vec<(&str, &str)> =
            documents.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect();
        let loaded = load(&given).unwrap();
        assert_eq!(loaded.inventory.members_complete(), complete, "{given:?}");
        assert_eq!(kinds(&loaded).contains(&WarningKind::OnlyInstances), only_instances, "{given:?}");
        let mut open = Loader::new().assume_complete();
        for (name, text) in &given {
            open = open.document(name, text.as_bytes(), None).unwrap();
        }
        let assumed = open.finish().unwrap();
        assert!(assumed.inventory.members_complete());
        assert!(!kinds(&assumed).contains(&WarningKind::OnlyInstances));
    }
}

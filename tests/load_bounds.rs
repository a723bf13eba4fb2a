//! Time and memory stay in proportion to the documents, whatever they say.
#![cfg(feature = "load")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod load_support;

use load_support::{error_of, load};

/// A list of this many items.
fn list(number: usize, item: impl Fn(usize) -> String) -> String {
    (0..number).map(item).collect::<Vec<_>>().join(",")
}

/// An id that is written once is told and compared many times, so it must not be long.
#[test]
fn long_ids_are_refused() {
    let long = "x".repeat(257);
    for (document, path) in [
        (format!(r#"{{"SecurityGroups": [{{"GroupId": "{long}"}}]}}"#), "SecurityGroups[0].GroupId"),
        (format!(r#"{{"NetworkInterfaces": [{{"SubnetId": "{long}"}}]}}"#), "NetworkInterfaces[0].SubnetId"),
        (
            format!(r#"{{"Reservations": [{{"Instances": [{{"InstanceId": "{long}"}}]}}]}}"#),
            "Reservations[0].Instances[0].InstanceId",
        ),
        (format!(r#"{{"Permissions": [], "SecurityGroupId": "{long}"}}"#), "SecurityGroupId"),
    ] {
        let error = error_of(&[&document]);
        let start = format!("a.json: {path}: expected a string of at most 256 bytes, found one of 257 bytes (line 1,");
        assert!(error.starts_with(&start), "{error}");
    }
    let document = format!(r#"{{"SecurityGroups": [{{"GroupId": "{}", "Description": "{long}"}}]}}"#, &long[1..]);
    assert!(load(&[("a.json", &document)]).is_ok());
}

/// Every group of an interface has all its addresses for members.
#[test]
fn many_groups_of_one_interface_are_refused() {
    let aws = |number: usize| {
        let groups = list(number, |i| format!(r#"{{"GroupId": "sg-{i}"}}"#));
        format!(r#"{{"NetworkInterfaces": [{{"NetworkInterfaceId": "eni-1", "Groups": [{groups}]}}]}}"#)
    };
    let alibaba = |number: usize| {
        let groups = list(number, |i| format!(r#""sg-{i}""#));
        format!(
            r#"{{"NetworkInterfaceSets": {{"NetworkInterfaceSet": [{{"NetworkInterfaceId": "eni-1",
                "SecurityGroupIds": {{"SecurityGroupId": [{groups}]}}}}]}}}}"#
        )
    };
    for (document, path) in [
        (aws(65), "NetworkInterfaces[0].Groups"),
        (alibaba(65), "NetworkInterfaceSets.NetworkInterfaceSet[0].SecurityGroupIds.SecurityGroupId"),
    ] {
        let expected = format!("a.json: {path}: expected at most 64 groups of an interface, found 65");
        assert_eq!(error_of(&[&document]), expected);
    }
    for document in [aws(64), alibaba(64)] {
        assert!(load(&[("a.json", &document)]).is_ok());
    }
}

/// What an instance says counts for its one primary interface; as many of them as these would multiply
/// its addresses to some gigabytes.
#[test]
fn many_primary_interfaces_multiply_nothing() {
    let document = format!(
        r#"{{"Instances": {{"Instance": [{{"InstanceId": "i-1", "InstanceNetworkType": "vpc",
            "PublicIpAddress": [{}], "NetworkInterfaces": [{}]}}]}}}}"#,
        list(20_000, |i| format!(r#""203.{}.{}.1""#, i / 256, i % 256)),
        list(20_000, |i| format!(r#"{{"NetworkInterfaceId": "eni-{i}", "Type": "Primary"}}"#)),
    );
    let error = error_of(&[&document]);
    assert_eq!(error, "the instance `i-1` has two primary interfaces, `eni-0` and `eni-1`");
}

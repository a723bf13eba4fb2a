//! Bad values: the whole text of every error, with its place.
#![cfg(feature = "load")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod load_support;

use load_support::{check, error_of, group_rule, ingress, permission, rule};
use secgroup::load::Loader;

#[test]
fn aws_protocols_and_ports() {
    let place = "a.json: SecurityGroups[0].IpPermissions[0]";
    for (fields, expected) in [
        ("", ".IpProtocol: expected a protocol name, a number from 0 to 255, or -1, found nothing"),
        (r#""IpProtocol": "tpc""#, ".IpProtocol: expected a protocol name, a number from 0 to 255, or -1, found `tpc`"),
        (r#""IpProtocol": "256""#, ".IpProtocol: expected a protocol name, a number from 0 to 255, or -1, found `256`"),
        (r#""IpProtocol": -2"#, ".IpProtocol: expected a protocol name, a number from 0 to 255, or -1, found `-2`"),
        (
            r#""IpProtocol": "tcp", "FromPort": 0, "ToPort": 65536"#,
            ".ToPort: expected a port from 0 to 65535, found `65536`",
        ),
        (
            r#""IpProtocol": "tcp", "FromPort": -2, "ToPort": 80"#,
            ".FromPort: expected a port from 0 to 65535, found `-2`",
        ),
        (r#""IpProtocol": "tcp", "FromPort": 80"#, ".ToPort: expected a port from 0 to 65535, found nothing"),
        (r#""IpProtocol": "udp", "ToPort": 80"#, ".FromPort: expected a port from 0 to 65535, found nothing"),
        (
            r#""IpProtocol": "tcp", "FromPort": -1, "ToPort": 80"#,
            ".FromPort: expected a port from 0 to 65535, found `-1`",
        ),
        (
            r#""IpProtocol": "tcp", "FromPort": 443, "ToPort": 80"#,
            ".FromPort: expected a port that is not greater than `ToPort`, found `443` with `ToPort` `80`",
        ),
        (
            r#""IpProtocol": "icmp", "FromPort": 256, "ToPort": -1"#,
            ".FromPort: expected an ICMP type from 0 to 255, or -1, found `256`",
        ),
        (
            r#""IpProtocol": "icmp", "FromPort": 0, "ToPort": 65535"#,
            ".ToPort: expected an ICMP code from 0 to 255, or -1, found `65535`",
        ),
        (
            r#""IpProtocol": "icmpv6", "FromPort": -5, "ToPort": 0"#,
            ".FromPort: expected an ICMP type from 0 to 255, or -1, found `-5`",
        ),
    ] {
        assert_eq!(error_of(&[&permission(fields)]), format!("{place}{expected}"), "{fields}");
    }
}

#[test]
fn aws_sources() {
    let place = "a.json: SecurityGroups[0].IpPermissions[0]";
    for (source, expected) in [
        (
            r#""IpRanges": [{"CidrIp": "10.0.0.0/33"}]"#,
            ".IpRanges[0].CidrIp: expected a prefix length from 0 to 32, found `10.0.0.0/33`",
        ),
        (
            r#""IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "10.0.0.256/32"}]"#,
            ".IpRanges[1].CidrIp: expected an IPv4 block such as 10.0.0.0/8, found `10.0.0.256/32`",
        ),
        (
            r#""IpRanges": [{"CidrIp": "10.0.0.1"}]"#,
            ".IpRanges[0].CidrIp: expected a block with a prefix length, such as 10.0.0.1/32, found `10.0.0.1`",
        ),
        (
            r#""IpRanges": [{"CidrIp": "::/0"}]"#,
            ".IpRanges[0].CidrIp: expected an IPv4 block (the other family goes into `Ipv6Ranges`), found the IPv6 block `::/0`",
        ),
        (
            r#""Ipv6Ranges": [{"CidrIpv6": "0.0.0.0/0"}]"#,
            ".Ipv6Ranges[0].CidrIpv6: expected an IPv6 block (the other family goes into `IpRanges`), found the IPv4 block `0.0.0.0/0`",
        ),
        (
            r#""Ipv6Ranges": [{"CidrIpv6": "2001:db8::/129"}]"#,
            ".Ipv6Ranges[0].CidrIpv6: expected a prefix length from 0 to 128, found `2001:db8::/129`",
        ),
        (r#""IpRanges": [{"Description": "x"}]"#, ".IpRanges[0].CidrIp: expected an IPv4 block, found nothing"),
        (r#""Ipv6Ranges": [{}]"#, ".Ipv6Ranges[0].CidrIpv6: expected an IPv6 block, found nothing"),
        (
            r#""PrefixListIds": [{"Description": "x"}]"#,
            ".PrefixListIds[0].PrefixListId: expected the id of a prefix list, found nothing",
        ),
        (
            r#""UserIdGroupPairs": [{"UserId": "111122223333"}]"#,
            ".UserIdGroupPairs[0].GroupId: expected the id of a group, found nothing",
        ),
        (
            r#""UserIdGroupPairs": [{"GroupName": "web"}]"#,
            ".UserIdGroupPairs[0].GroupId: expected the id of a group, found only the name `web`, which no group of this VPC has",
        ),
    ] {
        let document = permission(&format!(r#""IpProtocol": "-1", {source}"#));
        assert_eq!(error_of(&[&document]), format!("{place}{expected}"), "{source}");
    }
}

#[test]
fn aws_rules() {
    let place = "a.json: SecurityGroupRules[0]";
    let peers = "expected one of `CidrIpv4`, `CidrIpv6`, `PrefixListId` and `ReferencedGroupInfo`, found";
    for (fields, expected) in [
        (
            r#""IpProtocol": "-1", "CidrIpv4": "10.0.0.0/8""#,
            ".IsEgress: expected true or false, found nothing".to_owned(),
        ),
        (r#""IsEgress": false, "IpProtocol": "-1""#, format!(": {peers} nothing")),
        (
            r#""IsEgress": false, "IpProtocol": "-1", "CidrIpv4": "10.0.0.0/8", "PrefixListId": "pl-1""#,
            format!(": {peers} `CidrIpv4` and `PrefixListId`"),
        ),
        (
            r#""IsEgress": false, "IpProtocol": "-1", "CidrIpv4": "::/0""#,
            ".CidrIpv4: expected an IPv4 block (the other family goes into `CidrIpv6`), found the IPv6 block `::/0`"
                .to_owned(),
        ),
        (
            r#""IsEgress": true, "IpProtocol": "-1", "ReferencedGroupInfo": {"UserId": "1"}"#,
            ".ReferencedGroupInfo.GroupId: expected the id of a group, found nothing".to_owned(),
        ),
    ] {
        assert_eq!(error_of(&[&group_rule(fields)]), format!("{place}{expected}"), "{fields}");
    }
    check(&[(
        r#"{"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1", "IsEgress": false}]}"#,
        "a.json: SecurityGroupRules[0].GroupId: expected the id of a group, found nothing",
    )]);
}

#[test]
fn other_values_of_aws() {
    check(&[
        (r#"{"SecurityGroups": [{}]}"#, "a.json: SecurityGroups[0].GroupId: expected the id of a group, found nothing"),
        (
            r#"{"NetworkInterfaces": [{"NetworkInterfaceId": ""}]}"#,
            "a.json: NetworkInterfaces[0].NetworkInterfaceId: expected the id of an interface, found nothing",
        ),
        (
            r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0"}]}]}"#,
            "a.json: NetworkInterfaces[0].PrivateIpAddresses[0].PrivateIpAddress: expected an IPv4 address, found `10.0.0`",
        ),
        (
            r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Ipv6Addresses": [{"Ipv6Address": "10.0.0.1"}]}]}"#,
            "a.json: NetworkInterfaces[0].Ipv6Addresses[0].Ipv6Address: expected an IPv6 address, found `10.0.0.1`",
        ),
        (
            r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Association": {"PublicIp": "x"}}]}"#,
            "a.json: NetworkInterfaces[0].Association.PublicIp: expected an IP address, found `x`",
        ),
        (
            r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Groups": [{"GroupName": "web"}]}]}"#,
            "a.json: NetworkInterfaces[0].Groups[0].GroupId: expected the id of a group, found nothing",
        ),
        (
            r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.0.0/40"}]}]}"#,
            "a.json: NetworkInterfaces[0].Ipv4Prefixes[0].Ipv4Prefix: expected a prefix length from 0 to 32, found `10.0.0.0/40`",
        ),
        (
            r#"{"Reservations": [{"Instances": [{"VpcId": "vpc-1"}]}]}"#,
            "a.json: Reservations[0].Instances[0].InstanceId: expected the id of an instance, found nothing",
        ),
        (
            r#"{"PrefixLists": [{"PrefixListId": "pl-1", "AddressFamily": "IPv5"}]}"#,
            "a.json: PrefixLists[0].AddressFamily: expected IPv4 or IPv6, found `IPv5`",
        ),
        (
            r#"{"PrefixLists": [{"PrefixListId": "pl-1", "MaxEntries": -1}]}"#,
            "a.json: PrefixLists[0].MaxEntries: expected a number of entries, found `-1`",
        ),
        (
            r#"{"PrefixLists": [{"PrefixListId": "pl-1", "Cidrs": ["s3"]}]}"#,
            "a.json: PrefixLists[0].Cidrs[0]: expected an IPv4 or IPv6 block such as 10.0.0.0/8, found `s3`",
        ),
        (
            r#"{"PrefixLists": [{"PrefixListId": "pl-1", "AddressFamily": "IPv4", "Cidrs": ["::/0"]}]}"#,
            "a.json: PrefixLists[0].Cidrs[0]: expected a block of IPv4, the family of the prefix list `pl-1`, found `::/0`",
        ),
        (
            r#"{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0"}]}"#,
            "a.json: Vpcs[0].CidrBlock: expected a block with a prefix length, such as 10.0.0.0/32, found `10.0.0.0`",
        ),
        (
            r#"{"Subnets": [{"SubnetId": "subnet-1"}]}"#,
            "a.json: Subnets[0].VpcId: expected the id of a VPC, found nothing",
        ),
    ]);
}

#[test]
fn alibaba_rules() {
    let place = "a.json: Permissions.Permission[0]";
    let any = r#""IpProtocol": "ALL", "SourceCidrIp": "10.0.0.0/8""#;
    let tcp = |fields: &str| ingress(&format!(r#""IpProtocol": "TCP", "SourceCidrIp": "10.0.0.0/8", {fields}"#));
    for (document, expected) in [
        (
            rule(&format!(r#"{any}, "Direction": "inbound", "Policy": "Accept""#)),
            ".Direction: expected ingress or egress, found `inbound`",
        ),
        (
            rule(
                r#""IpProtocol": "ALL", "SourceCidrIp": "10.0.0.0/8", "DestCidrIp": "10.0.0.0/8", "Policy": "Accept""#,
            ),
            ".Direction: expected ingress or egress, found nothing",
        ),
        (rule(r#""IpProtocol": "ALL", "Policy": "Accept""#), ".Direction: expected ingress or egress, found nothing"),
        (rule(&format!(r#"{any}, "Direction": "ingress""#)), ".Policy: expected Accept or Drop, found nothing"),
        (
            rule(&format!(r#"{any}, "Direction": "ingress", "Policy": "reject""#)),
            ".Policy: expected Accept or Drop, found `reject`",
        ),
        (
            ingress(r#""SourceCidrIp": "10.0.0.0/8""#),
            ".IpProtocol: expected a protocol name, a number from 0 to 255, or ALL, found nothing",
        ),
        (
            ingress(r#""SourceCidrIp": "10.0.0.0/8", "IpProtocol": "any""#),
            ".IpProtocol: expected a protocol name, a number from 0 to 255, or ALL, found `any`",
        ),
        (
            ingress(r#""IpProtocol": "ALL", "DestCidrIp": "10.0.0.0/8""#),
            ": expected one of `SourceCidrIp`, `Ipv6SourceCidrIp`, `SourceGroupId`, `SourcePrefixListId`, found nothing",
        ),
        (
            ingress(r#""IpProtocol": "ALL", "SourceCidrIp": "10.0.0.0/8", "Ipv6SourceCidrIp": "::/0""#),
            ": expected only one of `SourceCidrIp` and `Ipv6SourceCidrIp`, found `SourceCidrIp` and `Ipv6SourceCidrIp`",
        ),
        (
            ingress(r#""IpProtocol": "ALL", "SourceCidrIp": "2001:db8::1""#),
            ".SourceCidrIp: expected an IPv4 block, found the IPv6 block `2001:db8::1`",
        ),
        (
            ingress(r#""IpProtocol": "ALL", "SourceCidrIp": "10.0.0.0/8", "DestCidrIp": "10.0.0.5/40""#),
            ".DestCidrIp: expected a prefix length from 0 to 32, found `10.0.0.5/40`",
        ),
        (ingress(&format!(r#"{any}, "Priority": -1"#)), ".Priority: expected a priority from 1 to 100, found `-1`"),
        (ingress(&format!(r#"{any}, "NicType": "public""#)), ".NicType: expected internet or intranet, found `public`"),
        (tcp(r#""PortRange": "80""#), ".PortRange: expected two ports from 1 to 65535, such as 80/443, found `80`"),
        (
            tcp(r#""PortRange": "1/65536""#),
            ".PortRange: expected two ports from 1 to 65535, such as 80/443, found `1/65536`",
        ),
        (
            tcp(r#""PortRange": "-1/80""#),
            ".PortRange: expected two ports from 1 to 65535, such as 80/443, found `-1/80`",
        ),
        (
            tcp(r#""PortRange": "200/1""#),
            ".PortRange: expected a first port that is not greater than the last, found `200/1`",
        ),
        (
            tcp(r#""PortRange": "1/2", "SourcePortRange": "a/b""#),
            ".SourcePortRange: expected two ports from 1 to 65535, such as 80/443, found `a/b`",
        ),
    ] {
        assert_eq!(error_of(&[&document]), format!("{place}{expected}"), "{document}");
    }
}

#[test]
fn other_values_of_alibaba() {
    check(&[
        (
            r#"{"SecurityGroups": {"SecurityGroup": [{"SecurityGroupId": "sg-1", "SecurityGroupType": "advanced"}]}}"#,
            "a.json: SecurityGroups.SecurityGroup[0].SecurityGroupType: expected normal or enterprise, found `advanced`",
        ),
        (
            r#"{"SecurityGroupId": "sg-1", "InnerAccessPolicy": "Deny", "Permissions": {"Permission": []}}"#,
            "a.json: InnerAccessPolicy: expected Accept or Drop, found `Deny`",
        ),
        (
            r#"{"Instances": {"Instance": [{"InstanceId": "i-1", "InstanceNetworkType": "lan"}]}}"#,
            "a.json: Instances.Instance[0].InstanceNetworkType: expected vpc or classic, found `lan`",
        ),
        (
            r#"{"Instances": {"Instance": [{"InstanceId": "i-1", "PublicIpAddress": {"IpAddress": ["x"]}}]}}"#,
            "a.json: Instances.Instance[0].PublicIpAddress.IpAddress[0]: expected an IP address, found `x`",
        ),
        (
            r#"{"Instances": {"Instance": [{"InstanceId": "i-1", "SecurityGroupIds": {"SecurityGroupId": [""]}}]}}"#,
            "a.json: Instances.Instance[0].SecurityGroupIds.SecurityGroupId[0]: expected the id of a group, found nothing",
        ),
        (
            r#"{"PrefixListId": "pl-1", "AddressFamily": "IPv6", "Entries": {"Entry": [{"Cidr": "10.0.0.0/8"}]}}"#,
            "a.json: Entries.Entry[0].Cidr: expected a block of IPv6, the family of the prefix list `pl-1`, found `10.0.0.0/8`",
        ),
        (
            r#"{"PrefixListId": "pl-1", "AddressFamily": "both", "Entries": {"Entry": []}}"#,
            "a.json: AddressFamily: expected IPv4 or IPv6, found `both`",
        ),
        (
            r#"{"PrefixListId": "pl-1", "Entries": {"Entry": [{"Description": "x"}]}}"#,
            "a.json: Entries.Entry[0].Cidr: expected an IPv4 or IPv6 block, found nothing",
        ),
    ]);
    let ports = br#"{"Entries": [{"PortRange": "80/80"}, {"PortRange": "90-91"}]}"#;
    assert_eq!(
        Loader::new().document("a.json", ports, Some("prl-1")).unwrap_err().to_string(),
        "a.json: Entries[1].PortRange: expected two ports from 1 to 65535, such as 80/443, found `90-91`"
    );
}

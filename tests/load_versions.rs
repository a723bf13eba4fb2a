//! Documents of different moments, and references that go different ways.
#![cfg(feature = "load")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod load_support;

use load_support::{load, rules_of, texts};
use secgroup::load::WarningKind;
use secgroup::model::{Peer, PeeringStatus};

/// An answer about the rules of the group `sg-1`, by port.
fn attribute(direction: &str, ports: &[u16], token: &str) -> String {
    let (remote, field) = if direction == "ingress" { ("SourceCidrIp", "in") } else { ("DestCidrIp", "out") };
    let rule = |port: &u16| {
        format!(
            r#"{{"SecurityGroupRuleId": "sgr-{field}-{port}", "Direction": "{direction}", "IpProtocol": "TCP",
                "PortRange": "{port}/{port}", "{remote}": "0.0.0.0/0", "Policy": "Accept", "Priority": 1}}"#
        )
    };
    let rules: Vec<String> = ports.iter().map(rule).collect();
    format!(
        r#"{{"SecurityGroupId": "sg-1", "VpcId": "vpc-1", "InnerAccessPolicy": "Drop", "NextToken": "{token}",
            "Permissions": {{"Permission": [{}]}}}}"#,
        rules.join(",")
    )
}

#[test]
fn two_whole_answers_that_differ_are_of_different_moments() {
    let (old, new) = (attribute("ingress", &[22], ""), attribute("ingress", &[80], ""));
    assert_eq!(
        load(&[("old.json", &old), ("new.json", &new)]).unwrap_err().to_string(),
        "old.json and new.json contradict each other: they give the group `sg-1` different ingress rules"
    );
    // An export beside a newer answer, too.
    let export = r#"[{"Direction": "ingress", "IpProtocol": "TCP", "PortRange": "22/22", "SourceCidrIp": "0.0.0.0/0",
        "Policy": "Accept", "Priority": "1"}]"#;
    assert!(load(&[("export.sg-1.json", export), ("new.json", &new)]).is_err());
    assert!(load(&[("export.sg-1.json", export), ("old.json", &old)]).is_ok());
}

#[test]
fn answers_by_direction_and_pages_are_no_contradiction() {
    let (inbound, outbound) = (attribute("ingress", &[22], ""), attribute("egress", &[80], ""));
    let loaded = load(&[("in.json", &inbound), ("out.json", &outbound)]).unwrap();
    assert_eq!(rules_of(&loaded).len(), 2);
    let (first, last) = (attribute("ingress", &[22], "more"), attribute("ingress", &[80], ""));
    let loaded = load(&[("1.json", &first), ("2.json", &last)]).unwrap();
    assert_eq!(rules_of(&loaded).len(), 2);
}

/// AWS-46: only the current version of a list counts.
#[test]
fn two_versions_of_a_list_are_refused() {
    let entries =
        |block: &str, token: &str| format!(r#"{{"Entries": [{{"Cidr": "{block}"}}], "NextToken": "{token}"}}"#);
    let (one, two) = (entries("10.0.0.0/8", ""), entries("11.0.0.0/8", ""));
    assert_eq!(
        load(&[("a.pl-1.json", &one), ("b.pl-1.json", &two)]).unwrap_err().to_string(),
        "a.pl-1.json and b.pl-1.json contradict each other: they give the prefix list `pl-1` different entries"
    );
    assert!(load(&[("a.pl-1.json", &one), ("b.pl-1.json", &one)]).is_ok());
    let page = entries("10.0.0.0/8", "more");
    let loaded = load(&[("a.pl-1.json", &page), ("b.pl-1.json", &two)]).unwrap();
    assert_eq!(loaded.inventory.prefix_list("pl-1").unwrap().entries.len(), 2);
    let older = r#"{"PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "s3", "Cidrs": ["11.0.0.0/8"]}]}"#;
    assert!(load(&[("a.json", older), ("b.pl-1.json", &one)]).is_err());
    let ports = |range: &str| format!(r#"{{"Entries": [{{"PortRange": "{range}"}}]}}"#);
    assert_eq!(
        load(&[("a.prl-1.json", &ports("80/80")), ("b.prl-1.json", &ports("81/81"))]).unwrap_err().to_string(),
        "a.prl-1.json and b.prl-1.json contradict each other: they give the port list `prl-1` different entries"
    );
}

/// One group can be referred to over two peerings, of which one is gone (AWS-10, AWS-44).
#[test]
fn references_over_different_peerings_are_different_rules() {
    let pair = |peering: &str, status: &str| {
        format!(
            r#"{{"GroupId": "sg-p", "VpcId": "vpc-2", "VpcPeeringConnectionId": "{peering}", "PeeringStatus": "{status}"}}"#
        )
    };
    for pairs in
        [[pair("pcx-1", "deleted"), pair("pcx-2", "active")], [pair("pcx-2", "active"), pair("pcx-1", "deleted")]]
    {
        let group = format!(
            r#"{{"SecurityGroups": [{{"GroupId": "sg-1", "IpPermissionsEgress": [], "IpPermissions": [{{"IpProtocol": "tcp",
                "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{}]}}]}}]}}"#,
            pairs.join(",")
        );
        let loaded = load(&[("groups.json", &group)]).unwrap();
        let peering = |rule: &secgroup::model::Rule| match &rule.peer {
            Peer::Group(reference) => reference.peering,
            _ => None,
        };
        let mut seen: Vec<_> = loaded.inventory.group("sg-1").unwrap().rules.iter().map(peering).collect();
        seen.sort();
        assert_eq!(seen, [Some(PeeringStatus::Active), Some(PeeringStatus::Gone)], "{:?}", texts(&loaded));
    }
}

/// Views that disagree on the state of a peering are of different moments.
#[test]
fn views_that_disagree_on_a_peering_are_refused() {
    let group = |status: &str| {
        format!(
            r#"{{"SecurityGroups": [{{"GroupId": "sg-1", "IpPermissionsEgress": [], "IpPermissions": [{{"IpProtocol": "tcp",
                "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{{"GroupId": "sg-p"{status}}}]}}]}}]}}"#
        )
    };
    let rules = r#"{"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": false,
        "IpProtocol": "tcp", "FromPort": 1, "ToPort": 1,
        "ReferencedGroupInfo": {"GroupId": "sg-p", "PeeringStatus": "deleted"}}]}"#;
    let with = |status: &str| load(&[("groups.json", &group(status)), ("rules.json", rules)]);
    assert!(with(r#", "PeeringStatus": "active""#).is_err());
    // One view may say less.
    let loaded = with("").unwrap();
    let rule = &loaded.inventory.group("sg-1").unwrap().rules[0];
    assert_eq!(rule.id.as_ref().map(secgroup::model::RuleId::as_str), Some("sgr-1"));
}

/// Two rules of the one view are not one of the other, whichever is met first.
#[test]
fn a_rule_is_not_lost_between_the_views() {
    let group = r#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissionsEgress": [], "IpPermissions": [{"IpProtocol": "tcp",
        "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": "sg-p"}]}]}]}"#;
    let rule = |id: &str, status: &str| {
        format!(
            r#"{{"SecurityGroupRuleId": "{id}", "GroupId": "sg-1", "IsEgress": false, "IpProtocol": "tcp", "FromPort": 1,
                "ToPort": 1, "ReferencedGroupInfo": {{"GroupId": "sg-p", "PeeringStatus": "{status}"}}}}"#
        )
    };
    let rules = format!(r#"{{"SecurityGroupRules": [{}, {}]}}"#, rule("sgr-1", "active"), rule("sgr-2", "deleted"));
    assert_eq!(
        load(&[("groups.json", group), ("rules.json", &rules)]).unwrap_err().to_string(),
        "rules.json: SecurityGroupRules[1] and groups.json: SecurityGroups[0] contradict each other: only the first has \
         the rule `allow ingress tcp/1 from sg-p` of the group `sg-1`"
    );
}

/// A pipe in the folder would be waited for.
#[cfg(unix)]
#[test]
fn a_pipe_is_skipped() {
    let folder = std::env::temp_dir().join(format!("secgroup-pipe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("groups.json"), r#"{"SecurityGroups": []}"#).unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.join("pipe.json")).status();
    let loaded = secgroup::load::dir(&folder);
    std::fs::remove_dir_all(&folder).unwrap();
    // Where pipes cannot be made there is nothing to see.
    if made.is_ok_and(|status| status.success()) {
        let loaded = loaded.unwrap();
        assert_eq!(loaded.warnings[0].kind, WarningKind::SkippedFile);
        assert_eq!(loaded.warnings[0].to_string(), "pipe.json: it was skipped; it is not a regular file");
    }
}

/// Who saved an answer under another name is told why it was not read.
#[test]
fn a_folder_of_skipped_files_says_why() {
    let folder = std::env::temp_dir().join(format!("secgroup-skipped-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("groups.txt"), r#"{"SecurityGroups": []}"#).unwrap();
    std::fs::write(folder.join("list.json"), "[]").unwrap();
    let error = secgroup::load::dir(&folder).unwrap_err().to_string();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        error,
        format!(
            "no document of AWS or Alibaba Cloud in `{}` (groups.txt: the file was skipped; only files that end in .json \
             are read; and 1 more)",
            folder.display()
        )
    );
}

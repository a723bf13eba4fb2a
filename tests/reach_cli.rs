//! The example `reach` as a program: what it prints, and with which exit status.
#![cfg(feature = "load")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The program; `cargo test` builds it beside the tests.
fn reach() -> Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/reach");
    assert!(program.exists(), "{} is missing: run `cargo test`, which builds examples", program.display());
    Command::new(program)
}

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(folder)
}

/// A question about a bundled configuration.
fn ask(folder: &str, question: &str) -> Output {
    reach().arg("--config").arg(data(folder)).args(question.split_whitespace()).output().unwrap()
}

fn json_of(folder: &str, question: &str) -> Value {
    let output = ask(folder, &format!("{question} --json"));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn of_a_pair_the_exit_status_tells_whether_anything_passes() {
    for (folder, question, status, lines) in [
        (
            "aws/three-tier",
            "--from i-03000000000000001 --to eni-03000000000000007",
            0,
            vec![
                "allowed: tcp/22 over IPv4",
                "stopped at eni-03000000000000007: all protocols except tcp/22 over IPv4",
            ],
        ),
        // Egress of the bastion has SSH to other groups only.
        (
            "aws/three-tier",
            "--from i-03000000000000001 --to eni-03000000000000006",
            1,
            vec!["allowed: nothing", "for example tcp/443: DENY"],
        ),
        // Managed groups let the nodes of a cluster talk TCP, UDP and ICMP (AWS-103), not other protocols.
        (
            "aws/emr",
            "--from i-0e000000000000002 --to i-0e000000000000001",
            0,
            vec!["allowed: icmp, tcp, udp over IPv4", "for example hopopt: DENY"],
        ),
        // An isolated member of another group, and rules with source ports (ALI-36).
        (
            "alibaba/web",
            "--from i-bp1web00000000000002 --to i-bp1web00000000000004",
            0,
            vec!["allowed: tcp/9000; tcp/9000-9001 from source port 30000-39999 over IPv4"],
        ),
        ("alibaba/web", "--from eni-bp1web00000000000007 --to i-bp1web00000000000002", 1, vec!["allowed: nothing"]),
        (
            "aws/emr",
            "--from i-0e000000000000001 --to eni-0e000000000000001",
            0,
            vec!["traffic of an interface to itself does not pass its security groups"],
        ),
    ] {
        let output = ask(folder, question);
        let stdout = text(&output.stdout);
        assert_eq!(output.status.code(), Some(status), "{question}\n{stdout}{}", text(&output.stderr));
        for line in lines {
            assert!(stdout.contains(line), "{line} is missing in\n{stdout}");
        }
    }
}

/// Where nothing is proved and something may pass, the status is 3.
#[test]
fn what_may_pass_has_a_status_of_its_own() {
    let folder = std::env::temp_dir().join(format!("secgroup-reach-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let group = |id: &str, list: &str| {
        let rule =
            json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": list}]}]);
        json!({"GroupId": id, "VpcId": "vpc-1", "IpPermissions": rule, "IpPermissionsEgress": rule})
    };
    let interface = |id: &str, address: &str| {
        json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "Groups": [{"GroupId": "sg-1"}],
            "PrivateIpAddresses": [{"Primary": true, "PrivateIpAddress": address}]})
    };
    let groups = json!({"SecurityGroups": [group("sg-1", "pl-1")]});
    let interfaces = json!({"NetworkInterfaces": [interface("eni-1", "10.0.0.1"), interface("eni-2", "10.0.0.2")]});
    std::fs::write(folder.join("groups.json"), groups.to_string()).unwrap();
    std::fs::write(folder.join("interfaces.json"), interfaces.to_string()).unwrap();
    let output = reach().arg("--config").arg(&folder).args(["--from", "eni-1", "--to", "eni-2"]).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{stdout}{}", text(&output.stderr));
    assert!(stdout.contains("indeterminate: tcp/22 over IPv4"), "{stdout}");
    assert!(stdout.contains("for example tcp/22: INDETERMINATE"), "{stdout}");
    assert!(stdout.contains("pl-1"), "{stdout}");
}

#[test]
fn who_reaches_and_what_is_reached() {
    let to = json_of("aws/three-tier", "--to eni-03000000000000006");
    let senders: Vec<&Value> = to["links"].as_array().unwrap().iter().map(|link| &link["interfaces"]).collect();
    assert_eq!(senders, [&json!(["eni-03000000000000004", "eni-03000000000000005"])]);
    assert_eq!(to["links"][0]["allowed"][0]["text"], "tcp/5432");
    assert_eq!(to["links"][0]["allowed"][0]["services"][0]["first"], json!([6, 5432]));
    let stopped: usize =
        to["stopped"].as_array().unwrap().iter().map(|entry| entry["interfaces"].as_array().unwrap().len()).sum();
    assert_eq!((stopped, &to["not_joined"], &to["no_common_family"]), (7, &json!([]), &json!([])));
    let output = ask("aws/three-tier", "--from eni-03000000000000004");
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for line in ["to eni-03000000000000006: tcp/5432 over IPv4", "everything is stopped to"] {
        assert!(stdout.contains(line), "{line} is missing in\n{stdout}");
    }
}

/// Members of the front group reach each other (ALI-4); classes are those of equal policies and memberships.
#[test]
fn the_matrix_has_every_interface_in_one_class() {
    let matrix = json_of("alibaba/web", "");
    let classes = matrix["classes"].as_array().unwrap();
    let mut ids: Vec<&str> =
        classes.iter().flat_map(|c| c.as_array().unwrap()).map(|id| id.as_str().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((all, ids.len(), classes.len()), (8, 8, 7));
    let links = matrix["links"].as_array().unwrap();
    // One class has two members, so it has a pair with itself.
    let pairs = links.len() + usize::try_from(matrix["stopped"].as_u64().unwrap()).unwrap();
    assert_eq!(pairs, 7 * 6 + 1);
    let own = links.iter().find(|link| link["from"] == link["to"]).unwrap();
    assert_eq!(classes[usize::try_from(own["from"].as_u64().unwrap()).unwrap()].as_array().unwrap().len(), 2);
    assert!(text(&ask("alibaba/web", "").stdout).contains("8 interfaces in 7 classes"));
}

#[test]
fn exposure_to_the_outside() {
    let stdout = text(&ask("aws/three-tier", "--exposed").stdout);
    for line in [
        "what answers to anywhere",
        "from all of it: icmp/3/4, tcp/80, tcp/443 over IPv4; tcp/80, tcp/443, icmpv6 over IPv6",
        "eni-03000000000000010 (no group filters it)",
    ] {
        assert!(stdout.contains(line), "{line} is missing in\n{stdout}");
    }
    let office = json_of("aws/three-tier", "--exposed 198.51.100.7");
    assert_eq!(office["from"], "198.51.100.7");
    let bastion = &office["exposed"][0];
    assert_eq!(bastion["interfaces"], json!(["eni-03000000000000001"]));
    assert_eq!(bastion["public"], json!(["eni-03000000000000001"]));
    assert_eq!(bastion["whole"][0]["text"], "icmp/8, tcp/22");
    let outside = json_of("aws/three-tier", "--exposed 198.51.100.128/25");
    let exposed = outside["exposed"].as_array().unwrap().len() as u64;
    assert!(exposed < office["exposed"].as_array().unwrap().len() as u64 && outside["closed"].as_u64().unwrap() > 0);
}

#[test]
fn usage_errors_have_status_2_and_say_what_is_wrong() {
    for (folder, question, message) in [
        ("aws/emr", "--to i-nobody", "`i-nobody` is neither"),
        ("aws/emr", "--exposed 10.0.0.0/33", "10.0.0.0/33"),
        ("aws/emr", "--exposed --to eni-0e000000000000001", "cannot be used with"),
        ("aws/emr", "--provider alibaba", "alibaba"),
        ("nowhere", "", "nowhere"),
    ] {
        let output = ask(folder, question);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{question}: {stderr}");
        assert!(stderr.contains(message), "{question}: {stderr}");
        assert!(output.stdout.is_empty(), "{question}");
    }
}

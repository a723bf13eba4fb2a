//! The examples `diff` and `lint` as programs: what they print, and with which exit status.
#![cfg(feature = "load")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A program; `cargo test` builds it beside the tests.
fn program(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is missing: run `cargo test`, which builds examples", program.display());
    Command::new(program)
}

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(folder)
}

/// A folder of documents that is gone when the test is over.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One group with these inbound permissions, on one interface, as AWS describes them.
fn folder(name: &str, permissions: &Value) -> Folder {
    let path = std::env::temp_dir().join(format!("secgroup-analysis-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let out = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let groups = json!({"SecurityGroups": [{
        "GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "OwnerId": "111122223333",
        "IpPermissions": permissions, "IpPermissionsEgress": out,
    }]});
    let interfaces = json!({"NetworkInterfaces": [{
        "NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "InterfaceType": "interface",
        "Groups": [{"GroupId": "sg-1"}], "PrivateIpAddress": "10.0.1.10",
        "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.10", "Primary": true}], "Ipv6Addresses": [],
    }]});
    std::fs::write(path.join("groups.json"), groups.to_string()).unwrap();
    std::fs::write(path.join("interfaces.json"), interfaces.to_string()).unwrap();
    Folder(path)
}

fn tcp(port: u16, blocks: &[&str]) -> Value {
    let ranges: Vec<Value> = blocks.iter().map(|block| json!({"CidrIp": block})).collect();
    json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": ranges})
}

fn run(name: &str, arguments: &[&Path], flags: &[&str]) -> Output {
    program(name).args(arguments).args(flags).output().unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The verdict on a witness and the deciding rules, by `check --batch`.
fn checked(folder: &Folder, witness: &Value) -> (String, Value) {
    let mut child = program("check")
        .arg("--config")
        .arg(&folder.0)
        .args(["--batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut question = witness.clone();
    question["id"] = json!(1);
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let answer = parsed(&child.wait_with_output().unwrap());
    (answer["verdict"].as_str().unwrap().to_owned(), answer["rules"].clone())
}

/// Every witness is a question for `check`, whose answers before and after are what `diff` says.
#[test]
fn diff_tells_what_opens_and_closes() {
    let before = folder("before", &json!([tcp(22, &["10.0.0.0/8"]), tcp(80, &["0.0.0.0/0"])]));
    let after =
        folder("after", &json!([tcp(22, &["10.0.0.0/8", "0.0.0.0/0"]), tcp(443, &["0.0.0.0/1", "128.0.0.0/1"])]));
    let output = run("diff", &[&before.0, &after.0], &["--json"]);
    assert_eq!(status(&output), 1, "{}", text(&output.stderr));
    let report = parsed(&output);
    for (kind, id) in [("interfaces", "eni-1"), ("groups", "sg-1")] {
        let subject = &report[kind][id];
        assert_eq!((&subject["equivalent"], &subject["status"]), (&json!(false), &json!("both")));
        let boxes = |list: &str| -> Vec<String> {
            subject[list].as_array().unwrap().iter().map(|part| part["box"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            boxes("gained"),
            [
                "tcp/22 from 0.0.0.0-9.255.255.255, 11.0.0.0-255.255.255.255",
                "tcp/443 from 0.0.0.0/1",
                "tcp/443 from 128.0.0.0/1"
            ]
        );
        assert_eq!(boxes("lost"), ["tcp/80 from any IPv4 address"]);
        assert_eq!(subject["uncertain"], json!([]));
        assert_eq!(subject["gained"][0]["before"], json!([]));
        assert_eq!(subject["gained"][0]["after"], json!(["sg-1/ingress/tcp/22:22/0.0.0.0/0"]));
        assert_eq!(subject["gained"][0]["public"], json!(true));
        for (list, was, is) in [("gained", "deny", "allow"), ("lost", "allow", "deny")] {
            for part in subject[list].as_array().unwrap() {
                let mut witness = part["witness"].clone();
                assert_eq!(witness.get("interface").is_some(), kind == "interfaces");
                witness["interface"] = json!("eni-1");
                assert_eq!(checked(&before, &witness), (was.to_owned(), part["before"].clone()));
                assert_eq!(checked(&after, &witness), (is.to_owned(), part["after"].clone()));
            }
        }
    }
    let output = run("diff", &[&before.0, &after.0], &[]);
    let printed = text(&output.stdout);
    assert!(printed.contains("+ gained, ingress, PUBLIC: tcp/443 from 0.0.0.0/1"), "{printed}");
    assert!(printed.ends_with("the meaning changed\n"), "{printed}");
}

/// Rules that are written in another way mean the same.
#[test]
fn diff_of_the_same_meaning() {
    let before = folder("whole", &json!([tcp(22, &["0.0.0.0/0"])]));
    let after = folder("halves", &json!([tcp(22, &["128.0.0.0/1", "0.0.0.0/1"])]));
    for (a, b) in [(&before, &after), (&after, &before), (&before, &before)] {
        let output = run("diff", &[&a.0, &b.0], &["--json"]);
        assert_eq!(status(&output), 0);
        assert_eq!(parsed(&output)["interfaces"]["eni-1"]["equivalent"], json!(true));
        let printed = run("diff", &[&a.0, &b.0], &[]);
        assert_eq!(text(&printed.stdout), "the meaning is unchanged\n");
    }
    for example in ["aws/three-tier", "aws/emr", "aws/emr-studio", "alibaba/web", "alibaba/emr"] {
        assert_eq!(status(&run("diff", &[&data(example), &data(example)], &[])), 0, "{example}");
    }
}

#[test]
fn diff_that_the_data_cannot_settle() {
    let before = folder("known", &json!([]));
    let list =
        json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-1"}]}]);
    let after = folder("unknown", &list);
    let output = run("diff", &[&before.0, &after.0], &["--json"]);
    assert_eq!(status(&output), 3);
    let subject = &parsed(&output)["interfaces"]["eni-1"];
    assert_eq!((&subject["equivalent"], &subject["gained"]), (&json!(false), &json!([])));
    assert_eq!(subject["uncertain"][0]["after"], json!(["sg-1/ingress/tcp/22:22/pl-1"]));
}

#[test]
fn lint_tells_what_can_go() {
    let rules = folder("idle", &json!([tcp(22, &["10.1.0.0/16", "10.0.0.0/8"])]));
    let output = run("lint", &[&rules.0], &["--json"]);
    assert_eq!(status(&output), 1, "{}", text(&output.stderr));
    let report = parsed(&output);
    let narrow = "sg-1/ingress/tcp/22:22/10.1.0.0/16";
    for (kind, id) in [("interface", "eni-1"), ("group", "sg-1")] {
        let findings = report["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding[kind] == json!(id)).unwrap();
        assert!(finding["code"].as_str().unwrap().contains("redundant"));
        assert_eq!((&finding["severity"], &finding["direction"]), (&json!("warning"), &json!("ingress")));
        assert_eq!(finding["rules"], json!([narrow, "sg-1/ingress/tcp/22:22/10.0.0.0/8"]));
        assert!(finding["message"].as_str().unwrap().contains(narrow));
        assert_eq!(report["removable"][id], json!({"ingress": [narrow], "egress": []}));
    }
    let witness = report["findings"].as_array().unwrap().iter().find_map(|finding| finding.get("witness")).unwrap();
    assert_eq!(checked(&rules, witness).0, "allow");
    assert_eq!(status(&run("lint", &[&rules.0], &["--fail-on", "error"])), 0);
    let printed = text(&run("lint", &[&rules.0], &[]).stdout);
    assert!(printed.contains("warning redundant-rule: the interface `eni-1`, ingress: "), "{printed}");
}

#[test]
fn lint_of_what_is_without_fault_or_not_known() {
    let clean = folder("clean", &json!([tcp(22, &["10.0.0.0/8"])]));
    let output = run("lint", &[&clean.0], &[]);
    assert_eq!(status(&output), 0, "{}", text(&output.stdout));
    let list =
        json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-1"}]}]);
    let unknown = folder("unknown-list", &list);
    let output = run("lint", &[&unknown.0], &["--json"]);
    assert_eq!(status(&output), 3, "{}", text(&output.stdout));
    assert_eq!(parsed(&output)["indeterminate"], json!(["eni-1"]));
}

#[test]
fn bad_usage_and_bad_input() {
    let broken = folder("broken", &json!([tcp(22, &["10.0.0.0/99"])]));
    let good = folder("good", &json!([]));
    for (name, arguments, flags, says) in [
        ("diff", vec![good.0.as_path()], vec![], "<AFTER>"),
        ("diff", vec![good.0.as_path(), Path::new("/nowhere/at/all")], vec![], "/nowhere/at/all"),
        ("diff", vec![good.0.as_path(), broken.0.as_path()], vec![], "10.0.0.0/99"),
        ("diff", vec![good.0.as_path(), good.0.as_path()], vec!["--provider", "azure"], "azure"),
        ("diff", vec![good.0.as_path(), good.0.as_path()], vec!["--public", "10.0.0.0/40"], "10.0.0.0/40"),
        ("lint", vec![], vec![], "<FOLDER>"),
        ("lint", vec![broken.0.as_path()], vec![], "IpPermissions[0].IpRanges[0].CidrIp"),
        ("lint", vec![good.0.as_path()], vec!["--fail-on", "bad"], "expected info, warning, error or critical"),
        ("lint", vec![good.0.as_path()], vec!["--provider", "alibaba"], "alibaba"),
    ] {
        let output = run(name, &arguments, &flags);
        assert_eq!(status(&output), 2, "{name} {arguments:?} {flags:?}");
        assert!(text(&output.stderr).contains(says), "{says} is missing in {}", text(&output.stderr));
    }
}

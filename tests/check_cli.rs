//! The example `check` as a program: what it prints, and with which exit status.
#![cfg(feature = "load")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// The program; `cargo test` builds it beside the tests.
fn check() -> Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/check");
    assert!(program.exists(), "{} is missing: run `cargo test`, which builds examples", program.display());
    Command::new(program)
}

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(folder)
}

/// A question about a bundled configuration.
fn ask(folder: &str, question: &str) -> Output {
    check().arg("--config").arg(data(folder)).args(question.split_whitespace()).output().unwrap()
}

/// Lines through standard input.
fn batch(folder: &str, input: &[u8]) -> (Output, Vec<Value>) {
    let mut child = check()
        .arg("--config")
        .arg(data(folder))
        .args(["--batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let owned = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&owned));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let answers = String::from_utf8(output.stdout.clone()).unwrap();
    let answers = answers.lines().map(|line| serde_json::from_str(line).expect("an answer is JSON")).collect();
    (output, answers)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn without_arguments_it_answers_the_bundled_questions_as_the_documents_do() {
    let output = check().output().unwrap();
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}{}", text(&output.stderr));
    assert!(!stdout.contains("UNEXPECTED"), "{stdout}");
    // The worked examples of the sources: most permissive (001), tie and priority (004), union (000).
    for line in [
        "tcp/8080 from 192.0.2.12 to i-0e000000000000001: ALLOW",
        "tcp/8443 from 198.51.100.9 to i-bp1web00000000000002: DENY",
        "tcp/9100 from i-bp1web00000000000007 to i-bp1web00000000000002: ALLOW",
        "tcp/8088 from 198.51.100.9 to i-bp1emr00000000000001: ALLOW",
    ] {
        assert!(stdout.contains(line), "{line} is missing in\n{stdout}");
    }
}

/// The answers of `examples/data` beyond the bundled questions, each worked out by hand.
#[test]
fn exit_status_tells_the_verdict() {
    for (folder, question, status) in [
        ("aws/three-tier", "--from 198.51.100.7 --to i-03000000000000001 --protocol tcp --port 22", 0),
        ("aws/three-tier", "--from 198.51.100.200 --to i-03000000000000001 --protocol TCP --port 22", 1),
        ("aws/three-tier", "--from 2001:db8:ffff::9 --to eni-03000000000000008 --protocol 6 --port 443", 0),
        ("aws/three-tier", "--from i-03000000000000001 --to eni-03000000000000007 --protocol tcp --port 22", 0),
        ("aws/three-tier", "--from i-03000000000000001 --to eni-03000000000000006 --protocol tcp --port 22", 1),
        ("aws/three-tier", "--from 10.50.0.7 --to i-03000000000000002 --protocol tcp --port 9100", 3),
        ("aws/three-tier", "--from 10.60.0.5 --to i-03000000000000002 --protocol tcp --port 8081", 1),
        (
            "aws/three-tier",
            "--from 203.0.113.99 --to eni-03000000000000008 --protocol icmp --icmp-type 3 --icmp-code 4",
            0,
        ),
        ("aws/three-tier", "--from 198.51.100.9 --to eni-03000000000000010 --protocol tcp --port 80", 0),
        ("aws/three-tier", "--from i-03000000000000006 --to 203.0.113.50 --protocol tcp --port 443", 1),
        ("aws/three-tier", "--from i-03000000000000006 --to 10.0.0.2 --protocol udp --port 53", 0),
        ("aws/emr", "--from i-0e000000000000002 --to 203.0.113.50 --protocol tcp --port 443", 3),
        ("aws/emr", "--from i-0e000000000000002 --to i-0e000000000000005 --protocol tcp --port 22", 1),
        ("aws/emr-studio", "--from eni-05000000000000005 --to i-05000000000000003 --protocol tcp --port 18888", 1),
        ("alibaba/web", "--from i-bp1web00000000000004 --to i-bp1web00000000000002 --protocol tcp --port 9100", 1),
        (
            "alibaba/web",
            "--from i-bp1web00000000000002 --to i-bp1web00000000000004 --protocol tcp --port 9001 --source-port 30500",
            0,
        ),
        (
            "alibaba/web",
            "--from i-bp1web00000000000002 --to i-bp1web00000000000004 --protocol tcp --port 9001 --source-port 50000",
            1,
        ),
        ("alibaba/web", "--from i-bp1web00000000000002 --to i-bp1web00000000000004 --protocol tcp --port 9001", 3),
        ("alibaba/web", "--from eni-bp1web00000000000007 --to 203.0.113.50 --protocol tcp --port 443", 1),
        ("alibaba/web", "--from eni-bp1web00000000000007 --to 100.100.100.200 --protocol tcp --port 80", 0),
        ("alibaba/web", "--from eni-bp1web00000000000007 --to 100.100.2.136 --protocol udp --port 53", 1),
        ("alibaba/emr", "--from 198.51.100.9 --to i-bp1emr00000000000006 --protocol tcp --port 80", 0),
        ("alibaba/emr", "--from i-bp1emr00000000000005 --to i-bp1emr00000000000006 --protocol tcp --port 22", 0),
        ("alibaba/emr", "--from i-bp1emr00000000000002 --to i-bp1emr00000000000005 --protocol tcp --port 8088", 1),
    ] {
        let output = ask(folder, question);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{folder} {question}\n{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }
}

#[test]
fn an_unfiltered_interface_is_said_to_be_so() {
    let output = ask("aws/three-tier", "--from 198.51.100.9 --to eni-03000000000000010 --protocol tcp --port 80");
    assert!(text(&output.stdout).contains("UNFILTERED"), "{}", text(&output.stdout));
    let output =
        ask("aws/three-tier", "--from 198.51.100.9 --to eni-03000000000000010 --protocol tcp --port 80 --json");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["verdict"], "unfiltered");
}

#[test]
fn json_names_rules_and_places() {
    let output =
        ask("aws/emr", "--from 192.0.2.12 --to i-0e000000000000001 --protocol tcp --port 22 --provider aws --json");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["verdict"], "allow");
    assert_eq!(answer["rules"], json!(["sgr-0e000000000000023", "sgr-0e000000000000025"]));
    let deciding = &answer["ends"][0]["explanation"]["deciding"][0]["provenance"];
    assert_eq!(deciding["place"]["source"], "describe-security-groups.json");
}

#[test]
fn usage_errors_have_status_2_and_say_what_is_wrong() {
    for (folder, question, message) in [
        ("aws/emr", "--from 192.0.2.1 --to 192.0.2.2 --protocol tcp --port 1", "both addresses"),
        ("aws/emr", "--from 192.0.2.1 --to i-0e000000000000001 --protocol tcp", "--port is needed for tcp"),
        ("aws/emr", "--from 192.0.2.1 --to i-0e000000000000001 --protocol icmp", "--icmp-type is missing"),
        (
            "aws/emr",
            "--from 192.0.2.1 --to i-0e000000000000001 --protocol nonsense",
            "`nonsense` is not an IP protocol",
        ),
        ("aws/emr", "--from 192.0.2.1 --to i-0e000000000000001 --protocol tcp --port 65536", "65536"),
        ("aws/emr", "--from 192.0.2.1 --to i-nobody --protocol tcp --port 1", "`i-nobody` is neither"),
        ("aws/emr", "--to i-0e000000000000001 --protocol tcp --port 1", "--from ID is needed"),
        (
            "aws/emr",
            "--from 2001:db8::1 --to i-0e000000000000001 --protocol icmp --icmp-type 8 --icmp-code 0",
            "icmp messages do not travel over IPv6",
        ),
        ("aws/emr", "--provider alibaba --from 192.0.2.1 --to i-0e000000000000001 --protocol tcp --port 1", "alibaba"),
        ("aws", "--from 192.0.2.1 --to i-0e000000000000001 --protocol tcp --port 1", "aws"),
        ("nowhere", "--from 192.0.2.1 --to i-0e000000000000001 --protocol tcp --port 1", "nowhere"),
    ] {
        let output = ask(folder, question);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{question}: {stderr}");
        assert!(stderr.contains(message), "{question}: {stderr}");
        assert!(output.stdout.is_empty(), "{question}");
    }
}

#[test]
fn batch_answers_in_order_and_echoes_ids() {
    let input = r#"
{"id": 7, "interface": "eni-0e000000000000001", "direction": "ingress", "protocol": "tcp", "remote_ip": "192.0.2.12", "dst_port": 8080}
{"id": {"a": [1]}, "instance": "i-0e000000000000001", "direction": "ingress", "protocol": 17, "remote_ip": "192.0.2.12", "dst_port": 8080, "icmp_type": 999}
{"interface": "i-0e000000000000002", "direction": "egress", "protocol": "6", "remote_ip": "203.0.113.50", "src_port": 40000, "dst_port": 443}

{"id": "x", "instance": "eni-0e000000000000001", "direction": "ingress", "protocol": "icmp", "remote_ip": "10.1.1.21", "local_ip": "10.1.1.99", "icmp_type": 8, "icmp_code": 0}"#;
    let (output, answers) = batch("aws/emr", input.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let verdicts: Vec<_> = answers.iter().map(|a| (a["id"].clone(), a["verdict"].as_str().unwrap())).collect();
    assert_eq!(
        verdicts,
        [(json!(7), "allow"), (json!({"a": [1]}), "deny"), (json!(null), "indeterminate"), (json!("x"), "allow")]
    );
    // Ids are echoed as written, numbers that no machine holds included.
    let huge = r#"{"id": 123456789012345678901234567890.10, "interface": "eni-0e000000000000001", "direction": "ingress", "protocol": "tcp", "remote_ip": "192.0.2.12", "dst_port": 22}"#;
    let (output, _) = batch("aws/emr", huge.as_bytes());
    assert!(text(&output.stdout).contains("123456789012345678901234567890.10"), "{}", text(&output.stdout));
    assert_eq!(answers[0]["rules"], json!(["sgr-0e000000000000025"]));
    assert_eq!(answers[1]["rules"], json!([]));
    assert_eq!(answers[2]["rules"], json!(["sgr-0e000000000000019"]));
    assert!(answers[3]["reason"].as_str().unwrap().contains("10.1.1.99 is not an address of"), "{}", answers[3]);
}

#[test]
fn batch_answers_bad_lines_in_their_place() {
    let good = r#"{"id":1,"interface":"eni-0e000000000000001","direction":"ingress","protocol":"tcp","remote_ip":"192.0.2.12","dst_port":22}"#;
    let bad = [
        (r#"{"id":2"#, "not JSON"),
        ("[1]", "JSON object"),
        (r#"{"id":3}"#, "`interface` or `instance` is needed"),
        (&good.replace("eni-0e000000000000001", "eni-nobody"), "`eni-nobody` is neither"),
        (&good.replace("ingress", "sideways"), "expected ingress or egress"),
        (&good.replace("\"tcp\"", "256"), "expected a name such as tcp, or a number from 0 to 255"),
        (&good.replace("\"tcp\"", "\"bogus\""), "`protocol` is `bogus`"),
        (&good.replace("192.0.2.12", "192.0.2.256"), "`remote_ip` is `192.0.2.256`"),
        (&good.replace(":22", ":65536"), "`dst_port` is `65536`; expected a number from 0 to 65535"),
        (&good.replace(":22", ":\"22\""), "`dst_port`"),
        (&good.replace("dst_port", "port"), "unknown field `port`"),
        (&good.replace("\"tcp\"", "\"icmp\""), "`icmp_type` is needed for icmp"),
        (&good.replace("\"dst_port\":22", "\"dst_port\":22,\"local_ip\":\"2001:db8::1\""), "different families"),
        (&good.replace(",\"dst_port\":22", ""), "`dst_port` is needed for tcp"),
    ]
    .map(|(line, message): (&str, &str)| (line.to_owned(), message));
    let mut input = String::new();
    for (line, _) in &bad {
        input.push_str(&format!("{line}\n{good}\n"));
    }
    let (output, answers) = batch("aws/emr", input.as_bytes());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(answers.len(), bad.len() * 2);
    for ((line, message), pair) in bad.iter().zip(answers.chunks(2)) {
        let error = pair[0]["error"].as_str().unwrap_or_default();
        assert!(error.contains(message), "{line}: {}", pair[0]);
        assert_eq!(pair[1]["verdict"], "allow");
    }
    assert_eq!(answers[0]["id"], Value::Null);
    assert_eq!(answers[4]["id"], 3);
}

#[test]
fn batch_bounds_its_lines_and_survives_any_bytes() {
    let good = br#"{"id":1,"interface":"eni-0e000000000000001","direction":"ingress","protocol":"tcp","remote_ip":"192.0.2.12","dst_port":22}"#;
    let mut input = vec![b'x'; (1 << 20) + 1];
    input.push(b'\n');
    input.extend_from_slice(good);
    input.extend_from_slice(b"\n\xff\xfe\0\n");
    let (output, answers) = batch("aws/emr", &input);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(answers.len(), 3);
    assert!(answers[0]["error"].as_str().unwrap().contains("longer than 1048576 bytes"));
    assert_eq!(answers[1]["verdict"], "allow");
    assert!(answers[2]["error"].as_str().unwrap().contains("not JSON"));
}

/// More policies than are kept in memory give the same answers as few.
#[test]
fn batch_forgets_policies_and_lowers_them_again() {
    let folder = std::env::temp_dir().join(format!("secgroup-check-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let range = |i: usize| json!({"CidrIp": format!("10.{}.{}.0/24", i / 256, i % 256)});
    let ranges: Vec<Value> = (0..2_000).map(range).collect();
    let permissions = json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": ranges}]);
    let group = json!({"GroupId": "sg-1", "IpPermissions": permissions, "IpPermissionsEgress": []});
    let interface = |i: usize| json!({"NetworkInterfaceId": format!("eni-{i}"), "Groups": [{"GroupId": "sg-1"}]});
    let interfaces: Vec<Value> = (0..150).map(interface).collect();
    std::fs::write(folder.join("groups.json"), json!({"SecurityGroups": [group]}).to_string()).unwrap();
    std::fs::write(folder.join("enis.json"), json!({"NetworkInterfaces": interfaces}).to_string()).unwrap();
    let question = |i: usize| {
        let interface = format!("eni-{}", i % 150);
        let remote = if i.is_multiple_of(2) { "10.7.207.9" } else { "10.7.208.9" };
        let line = json!({"id": i, "interface": interface, "direction": "ingress", "protocol": "tcp",
            "remote_ip": remote, "dst_port": 22});
        format!("{line}\n")
    };
    // A byte order mark is no part of the first line.
    let input: String = std::iter::once("\u{feff}".to_owned()).chain((0..300).map(question)).collect();
    std::fs::write(folder.join("questions.jsonl"), input).unwrap();
    let output =
        check().arg("--config").arg(&folder).arg("--batch").arg(folder.join("questions.jsonl")).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    let verdicts: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), 300);
    for (i, answer) in verdicts.iter().enumerate() {
        let expected = if i.is_multiple_of(2) { "allow" } else { "deny" };
        assert_eq!((&answer["id"], answer["verdict"].as_str()), (&json!(i), Some(expected)));
    }
}

/// A line of exactly the limit is read.
#[test]
fn batch_reads_a_line_of_exactly_the_limit() {
    let good = r#"{"id":1,"interface":"eni-0e000000000000001","direction":"ingress","protocol":"tcp","remote_ip":"192.0.2.12","dst_port":22}"#;
    let padded = format!("{}{good}\n", " ".repeat((1 << 20) - good.len()));
    let (output, answers) = batch("aws/emr", padded.as_bytes());
    assert_eq!((output.status.code(), answers[0]["verdict"].as_str()), (Some(0), Some("allow")));
}

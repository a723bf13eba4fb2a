//! The example `matchbench` as a program: what it prints for which rules and flows, and what it says about
//! input that is none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own for each question, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("secgroup-matchbench-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let file = self.0.join(name);
        std::fs::write(&file, content).unwrap();
        file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program; `cargo test` builds it beside the tests.
fn program() -> Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/matchbench");
    assert!(program.exists(), "{} is missing: run `cargo test`, which builds examples", program.display());
    Command::new(program)
}

fn run(rules: &[u8], flows: &[u8]) -> Output {
    let folder = Folder::new();
    let (rules, flows) = (folder.write("rules.txt", rules), folder.write("flows.txt", flows));
    program().arg("--rules").arg(rules).arg("--flows").arg(flows).args(["--repeat", "1"]).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines of the output, by their first word.
fn answer(rules: &str, flows: &str) -> BTreeMap<String, String> {
    let output = run(rules.as_bytes(), flows.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let pair = |line: &str| line.split_once(' ').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
    text(&output.stdout).lines().map(pair).collect()
}

/// How many are allowed and denied, and the checksum.
fn counts(rules: &str, flows: &str) -> (u64, u64, u64) {
    let answer = answer(rules, flows);
    let number = |key: &str| answer.get(key).unwrap().parse().unwrap();
    (number("allow"), number("deny"), number("checksum"))
}

/// The number of the rule that decides one flow: with one flow, that is the checksum.
fn rule_of(rules: &str, flow: &str) -> u64 {
    counts(rules, flow).2
}

/// What is wrong with rules (`Ok` flows) or with flows (`Ok` rules), behind the name of the file.
fn complaint(rules: &[u8], flows: &[u8]) -> String {
    let output = run(rules, flows);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    let name = if stderr.contains("rules.txt") { "rules.txt" } else { "flows.txt" };
    let place = stderr.find(name).unwrap();
    stderr[place..].trim_end().to_owned()
}

const ANY_RULE: &str = "allow * 0.0.0.0/0 0-65535 0.0.0.0/0 0-65535\n";
const ANY_FLOW: &str = "6 10.1.2.3 10.0.0.5 40000 22\n";

#[test]
fn the_documented_example() {
    let answer = answer("allow 6 10.1.2.0/24 0-65535 0.0.0.0/0 22-80\n", ANY_FLOW);
    assert_eq!((answer["allow"].as_str(), answer["deny"].as_str(), answer["checksum"].as_str()), ("1", "0", "1"));
    let keys: Vec<&str> = answer.keys().map(String::as_str).collect();
    let expected = ["allow", "batched_mps", "build_ms", "bytes", "checksum", "cpu", "deny", "kind", "single_mps"];
    assert_eq!(keys, expected);
    for key in ["batched_mps", "build_ms", "bytes", "single_mps"] {
        assert!(answer[key].parse::<f64>().unwrap() > 0.0, "{key} is {}", answer[key]);
    }
    assert!(["linear", "compact", "direct"].contains(&answer["kind"].as_str()), "{}", answer["kind"]);
}

/// Worked out by hand: rule numbers 2, 0, 1, 3 for flows 1 to 4 make 2 + 0 + 3 + 12.
#[test]
fn the_first_rule_that_matches_decides_and_the_checksum_names_it() {
    let rules = "deny tcp 10.1.2.0/24 0-65535 0.0.0.0/0 22-22\n\
                 allow tcp 10.1.0.0/16 0-65535 0.0.0.0/0 20-30\n\
                 allow udp 0.0.0.0/0 0-65535 10.0.0.0/8 53-53\n";
    let flows = "tcp 10.1.3.3 10.0.0.5 40000 22\n\
                 tcp 10.2.0.1 10.0.0.5 40000 22\n\
                 tcp 10.1.2.3 10.0.0.5 40000 22\n\
                 udp 192.0.2.1 10.0.0.5 40000 53\n";
    assert_eq!(counts(rules, flows), (2, 2, 17));
}

/// More flows than any batch inside holds; each keeps its place in the sum.
#[test]
fn many_flows() {
    let flows = "6 10.1.2.3 10.0.0.5 40000 22\n6 11.1.2.3 10.0.0.5 40000 23\n".repeat(5_000);
    let rules = "allow 6 10.0.0.0/8 0-65535 0.0.0.0/0 22-22\nallow 6 11.0.0.0/8 0-65535 0.0.0.0/0 22-22\n";
    // Odd places 1, 3, ... 9,999 with rule 1.
    assert_eq!(counts(rules, &flows), (5_000, 5_000, 25_000_000));
}

#[test]
fn bounds_of_ranges_and_blocks_belong_to_them() {
    let rules = "allow 6 10.1.2.0/30 1000-2000 10.0.0.4/31 80-90\n";
    for (flow, expected) in [
        ("6 10.1.2.0 10.0.0.4 1000 80", 1),
        ("6 10.1.2.3 10.0.0.5 2000 90", 1),
        ("6 10.1.1.255 10.0.0.4 1000 80", 0),
        ("6 10.1.2.4 10.0.0.4 1000 80", 0),
        ("6 10.1.2.0 10.0.0.3 1000 80", 0),
        ("6 10.1.2.0 10.0.0.6 1000 80", 0),
        ("6 10.1.2.0 10.0.0.4 999 80", 0),
        ("6 10.1.2.0 10.0.0.4 2001 80", 0),
        ("6 10.1.2.0 10.0.0.4 1000 79", 0),
        ("6 10.1.2.0 10.0.0.4 1000 91", 0),
        ("17 10.1.2.0 10.0.0.4 1000 80", 0),
    ] {
        assert_eq!(rule_of(rules, flow), expected, "{flow}");
    }
}

#[test]
fn protocols_by_number_by_name_and_any() {
    for (protocol, same) in [("6", "tcp"), ("17", "UDP"), ("1", "icmp"), ("47", "gre"), ("50", "esp"), ("0", "hopopt")]
    {
        for (in_rule, in_flow) in [(protocol, same), (same, protocol)] {
            let rules = format!("allow {in_rule} 10.0.0.0/8 0-65535 0.0.0.0/0 0-65535\n");
            assert_eq!(rule_of(&rules, &format!("{in_flow} 10.0.0.1 10.0.0.2 1 2")), 1, "{in_rule} {in_flow}");
            assert_eq!(rule_of(&rules, "132 10.0.0.1 10.0.0.2 1 2"), 0, "{in_rule}");
        }
    }
    for number in 0..=255 {
        assert_eq!(rule_of(ANY_RULE, &format!("{number} 10.0.0.1 10.0.0.2 1 2")), 1, "{number}");
    }
}

/// Ports are of TCP and UDP only, and of rules that name one of them.
#[test]
fn ranges_do_not_matter_without_ports() {
    for protocol in ["icmp", "47", "*"] {
        let rules = format!("allow {protocol} 10.0.0.0/8 5-5 0.0.0.0/0 7-7\n");
        let flow = if protocol == "*" { "tcp" } else { protocol };
        assert_eq!(rule_of(&rules, &format!("{flow} 10.0.0.1 10.0.0.2 1 2")), 1, "{protocol}");
    }
    let rules = "allow tcp 10.0.0.0/8 5-5 0.0.0.0/0 7-7\nallow * 10.0.0.0/8 5-5 0.0.0.0/0 7-7\n";
    assert_eq!(rule_of(rules, "tcp 10.0.0.1 10.0.0.2 5 7"), 1);
    assert_eq!(rule_of(rules, "tcp 10.0.0.1 10.0.0.2 5 8"), 2);
    assert_eq!(rule_of(rules, "tcp 10.0.0.1 10.0.0.2 6 7"), 2);
}

#[test]
fn both_families_in_one_file() {
    let rules = "deny 6 2001:db8:1::/48 0-65535 ::/0 22-22\n\
                 allow 6 2001:db8::/32 0-65535 fd00::/8 0-65535\n\
                 allow icmpv6 ::/0 0-65535 ::/0 0-65535\n\
                 allow 58 0.0.0.0/0 0-65535 0.0.0.0/0 0-65535\n\
                 allow * 0.0.0.0/0 0-65535 0.0.0.0/0 0-65535\n";
    for (flow, expected) in [
        ("6 2001:db8:1::7 fd00::5 1 22", 1),
        ("6 2001:db8:2::7 fd00::5 1 22", 2),
        ("6 2001:db8:2::7 fe80::5 1 22", 0),
        ("58 2001:db9::1 fd00::5 0 0", 3),
        // Over IPv4 that number is a protocol like any other, and so is 1 over IPv6.
        ("58 10.0.0.1 10.0.0.2 0 0", 4),
        ("1 2001:db9::1 fd00::5 0 0", 0),
        ("1 10.0.0.1 10.0.0.2 0 0", 5),
        // A mapped address is one of IPv6.
        ("6 ::ffff:10.0.0.1 fd00::5 1 22", 0),
    ] {
        assert_eq!(rule_of(rules, flow), expected, "{flow}");
    }
    // Of both families at once, in order: 1 * 1 + 5 * 2 + 2 * 3.
    let flows = "6 2001:db8:1::7 fd00::5 1 22\n6 10.0.0.1 10.0.0.2 1 2\n6 2001:db8:2::7 fd00::5 1 22\n";
    assert_eq!(counts(rules, flows), (2, 1, 17));
}

#[test]
fn empty_files_are_no_rules_and_no_flows() {
    assert_eq!(counts("", ANY_FLOW), (0, 1, 0));
    assert_eq!(counts(ANY_RULE, ""), (0, 0, 0));
    assert_eq!(counts("", ""), (0, 0, 0));
    assert_eq!(counts("\n \n", "\r\n\n"), (0, 0, 0));
}

#[test]
fn spaces_line_ends_and_host_bits_do_not_matter() {
    let rules =
        "\n  allow\t6  10.1.2.77/24 0-65535 0.0.0.0/0   22-80  \r\n\r\nallow 17 0.0.0.0/0 0-65535 0.0.0.0/0 1-1";
    assert_eq!(counts(rules, "6 10.1.2.3 10.0.0.5 40000 22\r\n17 10.1.2.3 10.0.0.5 1 1"), (2, 0, 1 + 2 * 2));
}

#[test]
fn bad_rules_are_told_with_their_place() {
    const FORM: &str = "allow|deny protocol|* src-CIDR lo-hi dst-CIDR lo-hi";
    const PROTOCOL: &str = "expected a number from 0 to 255, a name such as tcp, or *";
    const BLOCK: &str = "expected a block such as 10.0.0.0/8 or 2001:db8::/32";
    const RANGE: &str = "expected a range LO-HI of ports from 0 to 65535 with LO not above HI";
    let good = "allow 6 10.0.0.0/8 0-65535 0.0.0.0/0 22-80";
    let cases = [
        ("allow".to_owned(), format!("1 fields, expected 6: {FORM}")),
        (format!("{good} # ssh"), format!("8 fields, expected 6: {FORM}")),
        (good.replace("allow", "permit"), "the action is `permit`, expected allow or deny".to_owned()),
        (good.replace("allow", "ALLOW"), "the action is `ALLOW`, expected allow or deny".to_owned()),
        (good.replace(" 6 ", " 256 "), format!("the protocol is `256`, {PROTOCOL}")),
        (good.replace(" 6 ", " -1 "), format!("the protocol is `-1`, {PROTOCOL}")),
        (good.replace(" 6 ", " tpc "), format!("the protocol is `tpc`, {PROTOCOL}")),
        (good.replace("10.0.0.0/8", "10.0.0.0"), format!("the source is `10.0.0.0`, {BLOCK}")),
        (good.replace("10.0.0.0/8", "10.0.0.0/33"), format!("the source is `10.0.0.0/33`, {BLOCK}")),
        (good.replace("10.0.0.0/8", "10.0.0/8"), format!("the source is `10.0.0/8`, {BLOCK}")),
        (good.replace("10.0.0.0/8", "010.0.0.0/8"), format!("the source is `010.0.0.0/8`, {BLOCK}")),
        (good.replace("0.0.0.0/0", "::/129"), format!("the destination is `::/129`, {BLOCK}")),
        (good.replace("0-65535", "0-65536"), format!("the source port range is `0-65536`, {RANGE}")),
        (good.replace("22-80", "80-22"), format!("the destination port range is `80-22`, {RANGE}")),
        (good.replace("22-80", "22"), format!("the destination port range is `22`, {RANGE}")),
        (good.replace("22-80", "22-"), format!("the destination port range is `22-`, {RANGE}")),
        (good.replace("22-80", "+22-80"), format!("the destination port range is `+22-80`, {RANGE}")),
        (
            good.replace("0.0.0.0/0", "::/0"),
            "source 10.0.0.0/8 is IPv4 and destination ::/0 is IPv6, expected one family".to_owned(),
        ),
        (
            good.replace("allow", &"x".repeat(70)),
            format!("the action is `{}...`, expected allow or deny", "x".repeat(60)),
        ),
        (good.replace("allow", "\u{1b}[31m"), "the action is `\\u{1b}[31m`, expected allow or deny".to_owned()),
    ];
    for (line, message) in cases {
        let rules = format!("{good}\n\n{line}\n{good}\n");
        assert_eq!(complaint(rules.as_bytes(), ANY_FLOW.as_bytes()), format!("rules.txt:3: {message}"), "{line}");
    }
}

#[test]
fn bad_flows_are_told_with_their_place() {
    let good = "6 10.1.2.3 10.0.0.5 40000 22";
    for (line, message) in [
        ("6 10.1.2.3".to_owned(), "2 fields, expected 5: protocol src dst sport dport"),
        (good.replace("6 ", "* "), "the protocol is `*`, expected a number from 0 to 255 or a name such as tcp"),
        (good.replace("10.1.2.3", "10.1.2"), "the source is `10.1.2`, expected an IPv4 or IPv6 address"),
        (good.replace("10.1.2.3", "10.1.2.3/32"), "the source is `10.1.2.3/32`, expected an IPv4 or IPv6 address"),
        (good.replace("10.0.0.5", "host"), "the destination is `host`, expected an IPv4 or IPv6 address"),
        (good.replace("40000", "65536"), "the source port is `65536`, expected a port from 0 to 65535"),
        (good.replace(" 22", " -22"), "the destination port is `-22`, expected a port from 0 to 65535"),
        (good.replace("10.0.0.5", "::1"), "source 10.1.2.3 is IPv4 and destination ::1 is IPv6, expected one family"),
    ] {
        let flows = format!("{good}\n{line}");
        assert_eq!(complaint(ANY_RULE.as_bytes(), flows.as_bytes()), format!("flows.txt:2: {message}"), "{line}");
    }
}

#[test]
fn any_bytes_are_survived() {
    let long = [b"x".repeat(1_001), b"\n".to_vec()].concat();
    assert_eq!(complaint(&long, b""), "rules.txt:1: the line is longer than 1000 bytes");
    assert_eq!(complaint(b"", &b" ".repeat(10_000)), "flows.txt:1: the line is longer than 1000 bytes");
    assert_eq!(complaint(b"\n\xff\xfe\0\n", b""), "rules.txt:2: the line is not UTF-8 text");
    assert_eq!(complaint(b"", b"\0\n"), "flows.txt:1: 1 fields, expected 5: protocol src dst sport dport");
    // A line of exactly the limit is read.
    let padded = format!("{}{ANY_FLOW}", " ".repeat(1_001 - ANY_FLOW.len()));
    assert_eq!(counts(ANY_RULE, &padded), (1, 0, 1));
}

#[test]
fn missing_files_and_arguments() {
    let folder = Folder::new();
    let rules = folder.write("rules.txt", ANY_RULE.as_bytes());
    let output = program().arg("--rules").arg(&rules).arg("--flows").arg(folder.0.join("none")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("none: cannot be read: "), "{}", text(&output.stderr));
    let output = program().arg("--rules").arg(&rules).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--flows <FILE>"), "{}", text(&output.stderr));
    let output = program().args(["--rules", "a", "--flows", "b", "--repeat", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--repeat"), "{}", text(&output.stderr));
}

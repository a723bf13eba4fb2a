//! The workloads of the benchmarks: what is expected of each flow is what the reference decision says, and
//! what is written for other programs means the same.

#[path = "../benches/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use secgroup::matcher::Matcher;
use secgroup::policy::{ClauseId, Verdict};

use support::workload::{Shape, Workload, catalogue};

/// Few, because the reference decision compares every rule.
const FLOWS: usize = 400;
/// Cases of more rules take too long without optimisation; they are of the same make.
const MOST_RULES: usize = 1_000;

/// Every case, and groups without and with one member.
fn shapes() -> impl Iterator<Item = Shape> {
    let all = catalogue().into_iter().chain([Shape::members(0), Shape::members(1)]);
    all.filter(|shape| shape.rules <= MOST_RULES)
}

#[test]
fn what_is_expected_is_what_the_reference_and_the_matcher_decide() {
    for shape in shapes() {
        let workload = Workload::new(shape, FLOWS).unwrap();
        let name = &workload.shape.name;
        let policy = workload.policy().unwrap();
        let matcher = Matcher::new(&policy);
        for (flow, expected) in workload.flows().unwrap().iter().zip(&workload.expected) {
            let decision = policy.decide(flow);
            assert_eq!(decision.clause.map(ClauseId::number), expected.map(|it| it.rule), "{name}: {flow}");
            let allows = expected.is_some_and(|it| workload.rules[it.rule as usize].allow);
            assert_eq!(decision.verdict, if allows { Verdict::Allow } else { Verdict::Deny }, "{name}: {flow}");
            assert_eq!(matcher.decide(flow), decision, "{name}: {flow}");
        }
    }
}

#[test]
fn half_of_the_flows_hit_and_two_runs_are_the_same() {
    for shape in shapes() {
        let [one, other] = [shape.clone(), shape].map(|shape| Workload::new(shape, FLOWS).unwrap());
        assert_eq!(one.expected.iter().flatten().count(), FLOWS / 2, "{}", one.shape.name);
        assert_eq!(one.expected, other.expected, "{}", one.shape.name);
        assert_eq!(one.flows().unwrap(), other.flows().unwrap(), "{}", one.shape.name);
    }
}

/// The example `matchbench` reads what is written and finds the lines that are expected.
#[test]
fn files_mean_what_the_workload_means() {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/matchbench");
    assert!(program.exists(), "{} is missing: run `cargo test`, which builds examples", program.display());
    for name in ["aws60", "ali300", "grp60x10k", "lists1000", "sports1000", "local1000", "v6aws60"] {
        let folder = std::env::temp_dir().join(format!("secgroup-workload-{}-{name}", std::process::id()));
        let workload = Workload::named(name, FLOWS).unwrap();
        workload.write_files(&folder).unwrap();
        let output = Command::new(&program)
            .arg("--rules")
            .arg(folder.join("rules.txt"))
            .arg("--flows")
            .arg(folder.join("flows.txt"))
            .args(["--repeat", "1"])
            .output()
            .unwrap();
        let expected = std::fs::read_to_string(folder.join("expected.txt")).unwrap();
        let acl: Vec<i64> = match std::fs::read(folder.join("acl.expected")) {
            Ok(bytes) => bytes.as_chunks().0.iter().map(|four| i64::from(i32::from_le_bytes(*four)) + 1).collect(),
            Err(_) => Vec::new(),
        };
        std::fs::remove_dir_all(&folder).unwrap();

        let lines: Vec<i64> = expected.lines().map(|line| line.parse().unwrap()).collect();
        assert!(acl == lines || (workload.is_v6() && acl.is_empty()), "{name}");
        let checksum: i64 = lines.iter().zip(1..).map(|(line, place)| line * place).sum();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains(&format!("checksum {checksum}\n")), "{name}: {checksum} is missing in\n{stdout}");
    }
}

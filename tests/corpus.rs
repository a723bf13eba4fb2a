//! The corpus: cases in `tests/data`, each named by the facts it is about, asked of every reader.
//!
//! The format is described in `tests/data/README.md`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "corpus/format.rs"]
mod format;
mod oracle;
#[path = "corpus/readers.rs"]
mod readers;

use std::collections::BTreeMap;

use format::{PathQuestion, Refusal, Setup, read, read_all};
use readers::{Answer, Case, READERS, oracle_answer};
use secgroup::engine::{LowerError, PolicyEngine, Scope, path};
use secgroup::model::Inventory;

/// Facts (`AWS-`, `ALI-`), traps (`AWS-T`, `ALI-T`), what documents disagree on (`AMB-`) and kinds of
/// missing data (`D3-`, section 3 of the design) that at least one case is about. A case names no
/// others.
const FACTS: &[(&str, &str)] = &[
    (
        "AWS-",
        "1 2 3 4 5 6 7 8 9 10 11 13 15 25 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 \
         50 51 52 54 72 74 75 76",
    ),
    ("AWS-T", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 22 25 27 28"),
    (
        "ALI-",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 16 17 18 19 20 21 22 23 24 25 26 27 28 29 31 33 34 35 36 37 38 39 \
         40 42 43 45 46 47 48 49 50 52 53 54 55 60 61 62 63 64 65 66 72 73 79 90 91 92a 92b 92c 92d 92e 92f \
         93",
    ),
    ("ALI-T", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 16 19 20 21 22 23 24"),
    ("AMB-", "1 2 3"),
    (
        "D3-",
        "better-rank group-absent group-carried group-kind group-rules identity-not-preserved \
         interface-groups intra-group local-address members-incomplete no-groups one-kind only-one-nic \
         partial-rules path peering-active peering-gone peering-unsettled port-list-missing \
         port-list-partial prefix-list-family prefix-list-missing prefix-list-partial proved-basic \
         relation-peered relation-same relation-transit-gateway relation-unknown rule-nic same-outcome \
         source-port vpc-range",
    ),
];

/// Test vectors of the fact files, each with the number of cases about it.
const VECTORS: &[(&str, &str)] = &[
    (
        "AWS-V",
        "1:5 2:1 3:1 4:1 5:1 6:1 7:1 8:1 9:1 10:1 11:1 12:1 13:1 14:1 15:2 16:3 17:3 18:2 19:2 20:2 21:2 \
         22:2 23:3 24:1 30:2",
    ),
    (
        "ALI-V",
        "1:1 2:3 3:4 4:1 5:1 6:1 7:1 8:1 9:1 10:1 11:2 12:1 13:1 14:1 15:1 16:1 17:1 18:2 19:1 20:2 21:1 \
         22:2 23:1 25:1 26:1 27:1 28:2 29:2 30:1",
    ),
];

#[test]
fn every_reader_gives_the_expected_answer() {
    let mut failures = Vec::new();
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, setups) in read_all().unwrap() {
        for setup in setups {
            let inventory = setup.build().unwrap();
            let engine = setup.policy_engine();
            let mut fail = |case: &str, what: String| failures.push(format!("{file}: {}: {case}: {what}", setup.name));
            for question in &setup.questions {
                let case = Case { setup: &setup, inventory: &inventory, engine: &*engine, question };
                for (name, reader) in READERS {
                    match reader(&case) {
                        Ok(None) => {}
                        Ok(Some(answer)) => {
                            *asked.entry(name).or_default() += 1;
                            for wrong in answer.differences(&question.expected()) {
                                fail(&question.name, format!("{name}: {wrong}"));
                            }
                        }
                        Err(wrong) => fail(&question.name, format!("{name}: {wrong}")),
                    }
                }
            }
            for case in &setup.paths {
                for wrong in judge_path(&setup, &inventory, &*engine, case) {
                    fail(&case.name, wrong);
                }
            }
            for case in &setup.refusals {
                if let Err(wrong) = judge_refusal(&inventory, &*engine, case) {
                    fail(&case.name, wrong);
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    for (name, _) in READERS {
        assert!(asked.contains_key(name), "no case is for {name}");
    }
}

fn judge_path(setup: &Setup, inventory: &Inventory, engine: &dyn PolicyEngine, case: &PathQuestion) -> Vec<String> {
    let report = match case.probe.probe() {
        Ok(probe) => path(engine, inventory, &case.from, &case.to, &probe).map_err(|error| error.to_string()),
        Err(wrong) => Err(wrong),
    };
    let report = match report {
        Ok(report) => report,
        Err(wrong) => return vec![wrong],
    };
    let mut wrong = Vec::new();
    if report.verdict != case.verdict {
        wrong.push(format!("path: expected {}, found {}", case.verdict, report.verdict));
    }
    if report.ends.len() != case.ends.len() {
        wrong.push(format!("path: expected {} ends, found {}", case.ends.len(), report.ends.len()));
    }
    for (end, expected) in report.ends.iter().zip(&case.ends) {
        let explanation = &end.explanation;
        let answers = [
            ("path", Answer::of(explanation)),
            (
                "oracle",
                match inventory.interface(end.interface.as_str()) {
                    Some(at) => Ok(oracle_answer(setup, inventory, at, explanation.direction, &explanation.flow)),
                    None => Err("there is no such interface".to_owned()),
                },
            ),
        ];
        for (reader, answer) in answers {
            let differences = answer.map_or_else(|error| vec![error], |answer| answer.differences(expected));
            wrong.extend(differences.into_iter().map(|text| format!("{reader} at {}: {text}", end.interface)));
        }
    }
    wrong
}

fn judge_refusal(inventory: &Inventory, engine: &dyn PolicyEngine, case: &Refusal) -> Result<(), String> {
    let scope = Scope::of(inventory, &case.interface, case.direction).map_err(|error| error.to_string())?;
    match engine.lower(&scope) {
        Err(LowerError::Unsupported { rule, reason, .. })
            if case.rule.as_deref() == Some(rule.as_str()) && reason.to_string().contains(&case.because) =>
        {
            Ok(())
        }
        Err(LowerError::Group { reason, .. }) if case.rule.is_none() && reason.to_string().contains(&case.because) => {
            Ok(())
        }
        Err(error) => Err(format!("refused for another reason: {error}")),
        Ok(_) => Err("it was not refused".to_owned()),
    }
}

/// How many cases name each fact.
fn named() -> BTreeMap<String, usize> {
    let mut named = BTreeMap::new();
    for (_, setups) in read_all().unwrap() {
        for setup in &setups {
            for (_, own) in setup.cases() {
                let mut facts: Vec<&String> = setup.facts.iter().chain(own).collect();
                facts.sort();
                facts.dedup();
                for fact in facts {
                    *named.entry(fact.clone()).or_default() += 1;
                }
            }
        }
    }
    named
}

/// The names of a table, each with what stands behind the colon.
fn listed(table: &[(&str, &str)]) -> Vec<(String, Option<usize>)> {
    let name = |prefix: &str, word: &str| match word.split_once(':') {
        Some((number, count)) => (format!("{prefix}{number}"), Some(count.parse().unwrap())),
        None => (format!("{prefix}{word}"), None),
    };
    table.iter().flat_map(|(prefix, words)| words.split(' ').map(move |word| name(prefix, word))).collect()
}

#[test]
fn every_fact_has_a_case() {
    let named = named();
    let listed: BTreeMap<String, Option<usize>> = listed(FACTS).into_iter().chain(listed(VECTORS)).collect();
    let missing: Vec<&String> = listed.keys().filter(|fact| !named.contains_key(*fact)).collect();
    assert!(missing.is_empty(), "no case is about {missing:?}");
    let unknown: Vec<&String> = named.keys().filter(|fact| !listed.contains_key(*fact)).collect();
    assert!(unknown.is_empty(), "these are in no list: {unknown:?}");
}

#[test]
fn every_vector_has_its_cases() {
    let named = named();
    let listed = listed(VECTORS);
    for (vector, count) in &listed {
        assert_eq!(named.get(vector), count.as_ref(), "cases of {vector}");
    }
    // AWS V1-V24 and V30; Alibaba V1-V23 and V25-V30. The others are about state, quotas and EMR.
    let aws = (1..=24).chain([30]).map(|number| format!("AWS-V{number}"));
    let alibaba = (1..=23).chain(25..=30).map(|number| format!("ALI-V{number}"));
    let wanted: Vec<String> = aws.chain(alibaba).collect();
    let listed: Vec<String> = listed.into_iter().map(|(vector, _)| vector).collect();
    assert_eq!(listed, wanted);
}

#[test]
fn a_setup_is_named_once() {
    let mut seen = BTreeMap::new();
    for (file, setups) in read_all().unwrap() {
        for setup in setups {
            for (case, _) in setup.cases() {
                let key = (format!("{:?}", setup.engine), setup.name.clone(), case.to_owned());
                if let Some(before) = seen.insert(key, file.clone()) {
                    panic!("{}: {case} is in {before} and in {file}", setup.name);
                }
            }
        }
    }
}

/// The format refuses what it does not know.
#[test]
fn the_format_is_strict() {
    let setup = |inventory: &str, question: &str, more: &str| {
        format!(
            r#"[{{"name": "n", "facts": ["AWS-27"], "engine": "aws", "inventory": {inventory}, "questions": [{question}]{more}}}]"#
        )
    };
    let inventory = r#"{"groups": [{"id": "sg-a"}], "interfaces": [{"id": "eni", "groups": ["sg-a"]}]}"#;
    let flow = r#"{"protocol": "tcp", "remote": "192.0.2.1", "destination_port": 22}"#;
    let question = |name: &str, verdict: &str, basis: &str, more: &str| {
        format!(
            r#"{{"name": "{name}", "interface": "eni", "direction": "ingress", "flow": {flow}, "verdict": "{verdict}", "basis": "{basis}", "rules": []{more}}}"#
        )
    };
    let good = question("q", "deny", "default", "");
    read(&setup(inventory, &good, "")).unwrap();
    let twice = format!("{good}, {good}");
    let wrong = [
        ("an unknown field of a setup", setup(inventory, &good, r#", "note": 1"#)),
        ("an unknown option", setup(inventory, &good, r#", "options": {"strict": true}"#)),
        (
            "an option of the other cloud",
            setup(inventory, &good, r#", "options": {"load_balancers": "never_filtered"}"#),
        ),
        ("an unknown field of a question", setup(inventory, &question("q", "deny", "default", r#", "why": 1"#), "")),
        ("an unknown field of the inventory", setup(r#"{"group": []}"#, &good, "")),
        ("a field given twice", setup(inventory, &question("q", "deny", "default", r#", "verdict": "deny""#), "")),
        ("a name given twice", setup(inventory, &twice, "")),
        ("no questions", setup(inventory, "", "")),
        ("an unknown verdict", setup(inventory, &question("q", "drop", "default", ""), "")),
        ("an unknown basis", setup(inventory, &question("q", "deny", "implicit", ""), "")),
        ("a verdict by rule without rules", setup(inventory, &question("q", "deny", "rule", ""), "")),
        ("a definite verdict that is undecided", setup(inventory, &question("q", "deny", "undecided", ""), "")),
        ("something missing from a definite verdict", {
            setup(inventory, &question("q", "deny", "default", r#", "missing": [{"what": "source_port"}]"#), "")
        }),
    ];
    for (what, text) in wrong {
        assert!(read(&text).is_err(), "{what} was accepted");
    }
}

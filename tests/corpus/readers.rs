//! The readers: every way to get an answer out of the crate, and the oracle.

use secgroup::engine::{PolicyEngine, Probe, Scope, path};
use secgroup::matcher::{Kind, Matcher, MatcherBuilder};
use secgroup::model::{Interface, Inventory};
use secgroup::net::{Direction, Flow};
use secgroup::policy::{Basis, Decision, Explanation, Policy, Verdict};
use secgroup::set::Decided;
use serde_json::Value;

use crate::format::{Engine, Expected, IntraGroup, LoadBalancers, NeverFiltered, Question, Setup};
use crate::oracle;

/// A question with all that it is about.
pub(crate) struct Case<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) inventory: &'a Inventory,
    pub(crate) engine: &'a dyn PolicyEngine,
    pub(crate) question: &'a Question,
}

/// What a reader says; `None` is what it does not tell.
#[derive(Debug)]
pub(crate) struct Answer {
    verdict: Verdict,
    basis: Basis,
    rules: Option<Vec<String>>,
    missing: Option<Vec<Value>>,
    note_facts: Option<Vec<String>>,
}

/// Answers a question, or says that it is none for this reader.
type Reader = fn(&Case<'_>) -> Result<Option<Answer>, String>;

/// Every reader there is.
pub(crate) const READERS: &[(&str, Reader)] = &[
    ("decide", decide),
    ("chosen matcher", |case| by_matcher(case, Matcher::builder())),
    ("linear matcher", |case| by_matcher(case, Matcher::builder().kind(Kind::Linear))),
    ("compact matcher", |case| by_matcher(case, Matcher::builder().kind(Kind::Compact))),
    ("direct matcher", |case| by_matcher(case, Matcher::builder().kind(Kind::Direct))),
    ("sets", by_sets),
    ("explain", explain),
    ("serde round trip", round_trip),
    ("reversed order", reversed),
    ("path", along_path),
    ("oracle", ask_oracle),
];

impl Answer {
    pub(crate) fn of(explanation: &Explanation) -> Result<Self, String> {
        let value = |missing| serde_json::to_value(missing).map_err(|error| error.to_string());
        Ok(Self {
            verdict: explanation.verdict,
            basis: explanation.basis,
            rules: Some(explanation.rules().iter().map(ToString::to_string).collect()),
            missing: Some(explanation.all_missing().iter().map(value).collect::<Result<_, _>>()?),
            note_facts: Some(explanation.notes.iter().map(|note| note.fact.clone()).collect()),
        })
    }

    /// Everything that is not as expected.
    pub(crate) fn differences(&self, expected: &Expected) -> Vec<String> {
        let mut wrong = Vec::new();
        if (self.verdict, self.basis) != (expected.verdict, expected.basis.into()) {
            let (verdict, basis) = (expected.verdict, Basis::from(expected.basis));
            wrong.push(format!("expected {verdict} ({basis:?}), found {} ({:?})", self.verdict, self.basis));
        }
        if let Some(rules) = &self.rules {
            let mut wanted = expected.rules.clone();
            wanted.sort();
            if *rules != wanted {
                wrong.push(format!("expected the rules {wanted:?}, found {rules:?}"));
            }
        }
        if let Some(missing) = &self.missing {
            let undecided = expected.verdict == Verdict::Indeterminate;
            match &expected.missing {
                None if undecided != missing.is_empty() => {}
                Some(wanted) if same_values(wanted, missing) => {}
                wanted => wrong.push(format!("expected as missing {wanted:?}, found {missing:?}")),
            }
        }
        if let Some(notes) = &self.note_facts
            && *notes != expected.note_facts
        {
            wrong.push(format!("expected notes on {:?}, found {notes:?}", expected.note_facts));
        }
        wrong
    }
}

/// Whether the two have the same values, in whatever order.
fn same_values(a: &[Value], b: &[Value]) -> bool {
    let sorted = |values: &[Value]| {
        let mut texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    sorted(a) == sorted(b)
}

impl Case<'_> {
    fn scope<'b>(&self, inventory: &'b Inventory) -> Result<Scope<'b>, String> {
        let Question { interface, direction, .. } = self.question;
        let scope = Scope::of(inventory, interface, *direction).map_err(|error| error.to_string())?;
        Ok(if self.setup.options.identity_preserved { scope } else { scope.behind_middlebox() })
    }

    fn policy(&self, inventory: &Inventory) -> Result<Policy, String> {
        self.engine.lower(&self.scope(inventory)?).map_err(|error| error.to_string())
    }
}

/// `Policy::decide`: verdict and basis, and the rule of its clause is among those that decide.
fn decide(case: &Case<'_>) -> Result<Option<Answer>, String> {
    let policy = case.policy(case.inventory)?;
    judged(case, &policy, policy.decide(&case.question.flow))
}

/// A compiled matcher: the same.
fn by_matcher(case: &Case<'_>, builder: MatcherBuilder) -> Result<Option<Answer>, String> {
    let policy = case.policy(case.inventory)?;
    let matcher = builder.build(&policy).map_err(|error| error.to_string())?;
    judged(case, &policy, matcher.decide(&case.question.flow))
}

/// What the policy decides on all packets: the same for a flow that names everything that a rule can depend
/// on; another may hang on what it leaves open.
fn by_sets(case: &Case<'_>) -> Result<Option<Answer>, String> {
    let policy = case.policy(case.inventory)?;
    let decided = Decided::new(&policy).map_err(|error| error.to_string())?;
    let (flow, reference) = (&case.question.flow, policy.decide(&case.question.flow));
    let complete = flow.local().is_some() && (flow.destination_port().is_none() || flow.source_port().is_some());
    match decided.decision(flow) {
        Some(decision) if complete || decision == reference => judged(case, &policy, decision),
        // The set may know more than the reference, which looks at one rule at a time.
        Some(_) | None if !complete && reference.verdict == Verdict::Indeterminate => Ok(None),
        Some(decision) if decision.verdict == reference.verdict => Ok(None),
        // Owners differ with what is left open.
        None if !complete => Ok(None),
        found => Err(format!("the sets say {found:?}, the reference {reference:?}")),
    }
}

fn judged(case: &Case<'_>, policy: &Policy, decision: Decision) -> Result<Option<Answer>, String> {
    let clause = decision.clause.and_then(|id| policy.clause(id));
    if decision.clause.is_some() != clause.is_some() {
        return Err(format!("the policy has no clause {:?}", decision.clause));
    }
    let rule = clause.and_then(|clause| clause.provenance.rule()).map(|origin| origin.rule.to_string());
    match (&rule, decision.basis) {
        (Some(rule), Basis::Rule | Basis::Undecided) if !case.question.rules.contains(rule) => {
            return Err(format!("the clause comes from {rule}"));
        }
        (None, Basis::Rule) => return Err("a verdict by rule whose clause comes from none".to_owned()),
        (Some(rule), Basis::Default | Basis::Implied | Basis::NeverFiltered | Basis::Unfiltered) => {
            return Err(format!("the verdict rests on {:?}, but its clause comes from {rule}", decision.basis));
        }
        _ => {}
    }
    let Some(clause) = clause else {
        let by_clause = [Basis::Rule, Basis::Implied, Basis::NeverFiltered];
        if by_clause.contains(&decision.basis) {
            return Err(format!("a verdict by {:?} without a clause", decision.basis));
        }
        return Ok(Some(Answer::bare(decision.verdict, decision.basis)));
    };
    if decision.verdict != Verdict::Indeterminate && clause.provenance.basis() != decision.basis {
        return Err(format!(
            "the verdict rests on {:?}, its clause on {:?}",
            decision.basis,
            clause.provenance.basis()
        ));
    }
    Ok(Some(Answer::bare(decision.verdict, decision.basis)))
}

impl Answer {
    fn bare(verdict: Verdict, basis: Basis) -> Self {
        Self { verdict, basis, rules: None, missing: None, note_facts: None }
    }
}

/// `Policy::explain`, which agrees with `decide` down to the clause.
fn explain(case: &Case<'_>) -> Result<Option<Answer>, String> {
    explained(case, case.inventory).map(Some)
}

fn explained(case: &Case<'_>, inventory: &Inventory) -> Result<Answer, String> {
    let policy = case.policy(inventory)?;
    let explanation = policy.explain(&case.question.flow);
    let decision = policy.decide(&case.question.flow);
    if explanation.decision() != decision {
        return Err(format!("explain says {:?}, decide says {decision:?}", explanation.decision()));
    }
    if explanation.flow != case.question.flow || explanation.direction != case.question.direction {
        return Err("another question was explained".to_owned());
    }
    Answer::of(&explanation)
}

/// The same through the inventory's form in files.
fn round_trip(case: &Case<'_>) -> Result<Option<Answer>, String> {
    let text = serde_json::to_string(case.inventory).map_err(|error| error.to_string())?;
    let again: Inventory = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let text_again = serde_json::to_string(&again).map_err(|error| error.to_string())?;
    if text != text_again {
        return Err("a second round trip gives another text".to_owned());
    }
    explained(case, &again).map(Some)
}

/// The order of groups, rules, interfaces and entries means nothing on either cloud (AWS-28, ALI-2).
fn reversed(case: &Case<'_>) -> Result<Option<Answer>, String> {
    let mut inventory = case.setup.inventory.clone();
    reverse(&mut inventory);
    let inventory: Inventory = serde_json::from_value(inventory).map_err(|error| error.to_string())?;
    let mut answer = explained(case, &inventory)?;
    // A rule without an id is called by its place on Alibaba Cloud.
    let named = case.inventory.groups().flat_map(|group| &group.rules).all(|rule| rule.id.is_some());
    if case.setup.engine == Engine::Alibaba && !named {
        answer.rules = None;
    }
    Ok(Some(answer))
}

/// Turns every list around but those whose order says something: addresses (the primary one first),
/// ranges of VPCs and subnets (the primary one first), relations (a pair and what joins it).
fn reverse(value: &mut Value) {
    const IN_ORDER: [&str; 3] = ["addresses", "cidrs", "relations"];
    match value {
        Value::Array(items) => {
            items.reverse();
            items.iter_mut().for_each(reverse);
        }
        Value::Object(fields) => {
            fields
                .iter_mut()
                .filter(|(name, _)| !IN_ORDER.contains(&name.as_str()))
                .for_each(|(_, item)| reverse(item));
        }
        _ => {}
    }
}

/// `path`, where the far address is that of another interface: its end at the interface in question.
fn along_path(case: &Case<'_>) -> Result<Option<Answer>, String> {
    let flow = case.question.flow;
    let owns =
        |interface: &&Interface| interface.id.as_str() != case.question.interface && interface.owns(flow.remote());
    let mut others = case.inventory.interfaces().filter(owns);
    let (Some(other), None) = (others.next(), others.next()) else { return Ok(None) };
    let Some(own) = case.inventory.interface(&case.question.interface) else { return Ok(None) };
    let Some(local) = flow.local().or_else(|| own.local_address(flow.family())) else { return Ok(None) };
    // A path always has a local address, and always keeps the identity of the sender.
    let depends_on_local = case.question.missing.iter().flatten().any(|missing| missing["what"] == "local_address");
    if depends_on_local || !case.setup.options.identity_preserved {
        return Ok(None);
    }
    let (from, to, place) = match case.question.direction {
        Direction::Ingress => ((other.id.as_str(), flow.remote()), (own.id.as_str(), local), 1),
        Direction::Egress => ((own.id.as_str(), local), (other.id.as_str(), flow.remote()), 0),
    };
    let probe = Probe::from(&flow).between(from.1, to.1);
    let report = path(case.engine, case.inventory, from.0, to.0, &probe).map_err(|error| error.to_string())?;
    let end = report.ends.get(place).ok_or("the path has no such end")?;
    if end.interface != own.id {
        return Err(format!("the end is at {}", end.interface));
    }
    if end.explanation.verdict == Verdict::Deny && report.verdict != Verdict::Deny {
        return Err("one end denies, the path does not".to_owned());
    }
    Answer::of(&end.explanation).map(Some)
}

/// The oracle, which shares no code with the engines.
fn ask_oracle(case: &Case<'_>) -> Result<Option<Answer>, String> {
    if case.setup.options.never_filtered == NeverFiltered::None {
        return Ok(None);
    }
    let flow = &case.question.flow;
    let interface = case.inventory.interface(&case.question.interface).ok_or("there is no such interface")?;
    Ok(Some(oracle_answer(case.setup, case.inventory, interface, case.question.direction, flow)))
}

pub(crate) fn oracle_answer(
    setup: &Setup,
    inventory: &Inventory,
    interface: &Interface,
    direction: Direction,
    flow: &Flow,
) -> Answer {
    let options = setup.options;
    let question = oracle::Question { inventory, interface, direction, identity_preserved: options.identity_preserved };
    let oracle::Answer { verdict, basis, rules, .. } = match setup.engine {
        Engine::Aws => oracle::aws::answer(&question, flow),
        Engine::Alibaba => {
            let readings = oracle::alibaba::Readings {
                intra_group_egress_always: options.intra_group_egress == IntraGroup::AlwaysAllow,
                load_balancers_never_filtered: options.load_balancers == LoadBalancers::NeverFiltered,
            };
            oracle::alibaba::answer(&question, readings, flow)
        }
    };
    Answer { rules: Some(rules), ..Answer::bare(verdict, basis) }
}

//! Why a verdict is what it is, out of the same evaluation that decides.

use serde::Serialize;

use super::clause::{Clause, ClauseId, Dispute, Touch};
use super::decide::{Decision, Passes, Verdict, Walk};
use super::list::{Policy, Remark, RuleList, Stage};
use super::outline::id_of;
use super::provenance::{Basis, Missing, Provenance};
use super::rank::Rank;
use super::space::{Field, Selector, Space};
use crate::model::{Action, RuleId};
use crate::net::{Direction, Flow, Payload, address_bits_apart};

/// How many near misses an explanation names.
const NEAR_MISSES: usize = 3;

/// Why a flow gets its verdict.
///
/// `Display` writes it for people, in a few lines; `Serialize` gives programs all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct Explanation {
    /// What is explained: the rules of an interface, or one stage of a policy.
    pub label: String,
    /// The direction of the flow.
    pub direction: Direction,
    /// The flow.
    pub flow: Flow,
    /// The verdict.
    pub verdict: Verdict,
    /// The clause that decides, as in [`Decision`].
    pub clause: Option<ClauseId>,
    /// What the verdict rests on.
    pub basis: Basis,
    /// The clauses that bring the verdict about: those that certainly match at the deciding rank, or
    /// all that may decide if the verdict is indeterminate. Empty for a default.
    pub deciding: Vec<ClauseReport>,
    /// Every other clause that matches or may match, and why it does not decide.
    pub others: Vec<OtherMatch>,
    /// For a denial or a default: the clauses of the opposite action that would have decided and
    /// came nearest to matching, those with the fewest failed fields first.
    pub near_misses: Vec<NearMiss>,
    /// How many further clauses of that kind there are.
    pub near_misses_omitted: usize,
    /// What is missing, if the verdict is indeterminate.
    pub missing: Vec<Missing>,
    /// Where documents disagree and the verdict depends on it, and what else may stop allowed traffic.
    pub notes: Vec<Note>,
    /// Whether a stage leaves the flow to the next one; always [`Passes::Never`] for a whole policy.
    pub passes: Passes,
    /// The stages, if the policy has several; then the lists above are empty.
    pub stages: Vec<Explanation>,
}

/// A clause in an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClauseReport {
    /// Its number in the policy.
    pub clause: ClauseId,
    /// What it does.
    pub action: Action,
    /// Whether it certainly matches; otherwise it may.
    pub certain: bool,
    /// Where it came from.
    pub provenance: Provenance,
}

/// A clause that matches or may match and does not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OtherMatch {
    /// The clause.
    #[serde(flatten)]
    pub clause: ClauseReport,
    /// Why it does not decide.
    pub reason: WhyNot,
}

/// Why a matching clause does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhyNot {
    /// A clause of a better rank decides.
    Outranked,
    /// A clause of equal standing and another action comes first.
    LosesTie,
    /// It may match, but the verdict is the same whether it does or not.
    SameVerdict,
    /// It matches and leaves the decision to the next stage.
    PassesOn,
}

/// A clause that nearly matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NearMiss {
    /// The clause.
    #[serde(flatten)]
    pub clause: ClauseReport,
    /// The fields that failed.
    pub failed: Vec<FieldMiss>,
}

/// A field that kept a clause from matching.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldMiss {
    /// The field.
    pub field: Field,
    /// What the packet has.
    pub found: String,
    /// What would have matched.
    pub expected: String,
}

/// Something that a reader of a verdict should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Note {
    /// The number of the fact.
    pub fact: String,
    /// What it means here.
    pub text: String,
}

impl Policy {
    /// Explains the verdict on a flow: the same as [`Policy::decide`], with the reasons. Linear in
    /// the number of clauses, and much slower than a decision.
    pub fn explain(&self, flow: &Flow) -> Explanation {
        explain_stage(&self.stage, self.direction(), flow, true)
    }
}

impl Explanation {
    /// The decision that is explained.
    pub fn decision(&self) -> Decision {
        Decision { verdict: self.verdict, clause: self.clause, basis: self.basis }
    }

    /// The ids of the deciding rules, sorted, each once: those that certainly match at the deciding
    /// rank, or for an indeterminate verdict all that may match up to and including the rank that
    /// closes the evaluation. Empty if no rule decides.
    pub fn rules(&self) -> Vec<RuleId> {
        let mut rules: Vec<RuleId> = self
            .deciding_stages()
            .into_iter()
            .flat_map(|stage| &stage.deciding)
            .filter_map(|report| report.provenance.rule())
            .map(|origin| origin.rule.clone())
            .collect();
        rules.sort();
        rules.dedup();
        rules
    }

    /// What is missing, stages included, each once.
    pub fn all_missing(&self) -> Vec<Missing> {
        let mut missing: Vec<Missing> =
            self.deciding_stages().into_iter().flat_map(|stage| stage.missing.iter().cloned()).collect();
        missing.sort();
        missing.dedup();
        missing
    }

    /// The stages with lists of their own that bring the verdict about.
    pub(super) fn deciding_stages(&self) -> Vec<&Explanation> {
        if self.stages.is_empty() {
            return vec![self];
        }
        self.stages
            .iter()
            .filter(|stage| match self.verdict {
                Verdict::Indeterminate => stage.verdict == Verdict::Indeterminate,
                decided => stage.verdict == decided && stage.passes == Passes::Never,
            })
            .flat_map(Explanation::deciding_stages)
            .collect()
    }
}

/// Explains a stage; `last` says that no stage comes after it, so that no match is a denial.
fn explain_stage(whole: &Stage, direction: Direction, flow: &Flow, last: bool) -> Explanation {
    let evaluation = whole.evaluate(flow);
    let passes = if last { Passes::Never } else { evaluation.passes() };
    let Decision { verdict, clause, basis } = match passes {
        Passes::Maybe => evaluation.undecided(),
        Passes::Never | Passes::Always => evaluation.decision(),
    };
    let mut explanation = Explanation {
        label: String::new(),
        direction,
        flow: *flow,
        verdict,
        clause,
        basis,
        deciding: Vec::new(),
        others: Vec::new(),
        near_misses: Vec::new(),
        near_misses_omitted: 0,
        missing: Vec::new(),
        notes: Vec::new(),
        passes,
        stages: Vec::new(),
    };
    match whole {
        Stage::Rules(rules) => explain_list(rules, direction, flow, &mut explanation),
        Stage::AllOf(stages) => {
            "every stage must allow".clone_into(&mut explanation.label);
            explanation.stages = stages.iter().map(|stage| explain_stage(stage, direction, flow, true)).collect();
        }
        Stage::FirstDecisive(stages) => {
            "the first stage that decides".clone_into(&mut explanation.label);
            // Stages behind the one that decides have no say.
            for stage in stages {
                let explained = explain_stage(stage, direction, flow, false);
                let decides = explained.passes == Passes::Never;
                explanation.stages.push(explained);
                if decides {
                    break;
                }
            }
        }
    }
    explanation
}

fn explain_list(list: &RuleList, direction: Direction, flow: &Flow, explanation: &mut Explanation) {
    list.label.clone_into(&mut explanation.label);
    let walk = list.walk(flow);
    let closing = walk.closing.and_then(|index| list.clauses.get(index)).map(|clause| clause.rank);
    let undecided = explanation.verdict == Verdict::Indeterminate;
    let mut near = Vec::new();
    for (index, clause) in list.clauses.iter().enumerate() {
        let reached = closing.is_none_or(|rank| clause.rank <= rank);
        let touch = clause.touch(flow);
        let report = || ClauseReport {
            clause: id_of(list, index),
            action: clause.action,
            certain: touch == Touch::Certain,
            provenance: clause.provenance.clone(),
        };
        match touch {
            Touch::No => {
                if reached && opposes(clause, explanation) {
                    near.push((distance(clause, flow), index));
                }
            }
            Touch::May | Touch::Certain if undecided && reached => {
                explanation.deciding.push(report());
                if touch == Touch::May {
                    explanation.missing.extend(clause.missing_for(flow));
                }
            }
            Touch::Certain if closing == Some(clause.rank) && clause.action != Action::Pass => {
                explanation.deciding.push(report());
            }
            Touch::May | Touch::Certain => {
                let reason = why_not(clause, reached, closing);
                explanation.others.push(OtherMatch { clause: report(), reason });
            }
        }
    }
    if undecided && closing.is_none() {
        explanation.missing.extend(list.fallback.missing.iter().cloned());
    }
    explanation.missing.sort();
    explanation.missing.dedup();
    near.sort_unstable();
    explanation.near_misses_omitted = near.len().saturating_sub(NEAR_MISSES);
    explanation.near_misses = near
        .into_iter()
        .take(NEAR_MISSES)
        .filter_map(|(_, index)| {
            list.clauses.get(index).map(|clause| near_miss(id_of(list, index), clause, direction, flow))
        })
        .collect();
    explanation.notes = disputes(list, flow, walk);
    if explanation.verdict == Verdict::Allow {
        let applies = |remark: &&Remark| remark.space.fit(flow).failed.is_empty();
        let note = |remark: &Remark| Note { fact: remark.fact.clone(), text: remark.text.clone() };
        explanation.notes.extend(list.remarks.iter().filter(applies).map(note));
    }
}

/// Whether this clause, had it matched, would have changed a denial or a default.
fn opposes(clause: &Clause, explanation: &Explanation) -> bool {
    // What is never filtered is near to nothing that anybody would ask for.
    if matches!(clause.provenance, Provenance::NeverFiltered { .. }) {
        return false;
    }
    match explanation.verdict {
        Verdict::Deny => clause.action == Action::Allow,
        Verdict::Allow => explanation.basis == Basis::Default && clause.action == Action::Deny,
        Verdict::Indeterminate => false,
    }
}

fn why_not(clause: &Clause, reached: bool, closing: Option<Rank>) -> WhyNot {
    match closing {
        Some(rank) if rank == clause.rank && clause.action == Action::Pass => WhyNot::PassesOn,
        _ if reached => WhyNot::SameVerdict,
        Some(rank) if rank.ties_with(clause.rank) => WhyNot::LosesTie,
        _ => WhyNot::Outranked,
    }
}

/// Where another reading of the documents would give another verdict: without the disputed clauses
/// that are there, or with those that are not, all of one fact together.
fn disputes(list: &RuleList, flow: &Flow, walk: Walk) -> Vec<Note> {
    let touched = |clause: &&Clause| clause.dispute.is_some() && clause.touch(flow) != Touch::No;
    let of_fact = |clause: &Clause, dispute: &Dispute| clause.dispute.as_ref().is_some_and(|d| d.fact == dispute.fact);
    let verdict = walk.outcomes.verdict();
    let mut notes: Vec<Note> = Vec::new();
    for dispute in list.clauses.iter().chain(&list.unapplied).filter(touched).filter_map(|c| c.dispute.as_ref()) {
        if notes.iter().any(|note| note.fact == dispute.fact) {
            continue;
        }
        let mut other: Vec<&Clause> = list.clauses.iter().filter(|clause| !of_fact(clause, dispute)).collect();
        other.extend(list.unapplied.iter().filter(|clause| of_fact(clause, dispute)));
        // Stable: clauses of one rank keep their order, which does not matter to the outcome.
        other.sort_by_key(|clause| clause.rank);
        let other = list.walk_over(flow, other.into_iter().enumerate()).outcomes.verdict();
        if other != verdict {
            let text = format!("{}; under the other reading the verdict is {other}", dispute.text);
            notes.push(Note { fact: dispute.fact.clone(), text });
        }
    }
    notes
}

/// How far a clause is from matching: fields that failed, then how badly.
fn distance(clause: &Clause, flow: &Flow) -> (usize, u32) {
    let space = clause.extent.possible();
    let failed = clause.mismatch(flow);
    let cost = failed
        .iter()
        .map(|field| match field {
            Field::IcmpCode => 10,
            Field::IcmpType => 20,
            Field::SourcePort | Field::Local => 30,
            // Who asks for a service finds the rule about that service nearer than one for others.
            Field::Remote => 40 + address_distance(space, flow),
            Field::DestinationPort => 80 + port_distance(space, flow),
            Field::Protocol => 200,
            Field::Family => 300,
        })
        .sum();
    (failed.len(), cost)
}

/// The bits of the distance to the nearest port, 0 to 16.
fn port_distance(space: &Space, flow: &Flow) -> u32 {
    let (Selector::Tcp(ports) | Selector::Udp(ports), Some(port)) = (&space.selector, flow.destination_port()) else {
        return 16;
    };
    let nearest = ports
        .ranges()
        .iter()
        .map(|range| if port < range.first() { range.first().abs_diff(port) } else { range.last().abs_diff(port) });
    nearest.min().and_then(u16::checked_ilog2).map_or(16, |bit| bit + 1)
}

/// By how much of its width the nearest address differs, 0 to 32.
fn address_distance(space: &Space, flow: &Flow) -> u32 {
    let width = u32::from(flow.family().bits());
    let apart = |nearest| address_bits_apart(nearest, flow.remote()) * 32 / width;
    space.remote.nearest(flow.remote()).map_or(32, apart)
}

fn near_miss(id: ClauseId, clause: &Clause, direction: Direction, flow: &Flow) -> NearMiss {
    let space = clause.extent.possible();
    let failed = clause
        .mismatch(flow)
        .iter()
        .map(|field| FieldMiss { field, found: found(field, direction, flow), expected: expected(field, space, flow) })
        .collect();
    let report =
        ClauseReport { clause: id, action: clause.action, certain: false, provenance: clause.provenance.clone() };
    NearMiss { clause: report, failed }
}

/// What the packet has in this field, to follow "the packet".
fn found(field: Field, direction: Direction, flow: &Flow) -> String {
    let (remote, local) = match direction {
        Direction::Ingress => ("comes from", "goes to"),
        Direction::Egress => ("goes to", "comes from"),
    };
    match field {
        Field::Protocol => format!("is {}", flow.protocol()),
        Field::DestinationPort => match flow.destination_port() {
            Some(port) => format!("goes to port {port}"),
            None => "has no port".to_owned(),
        },
        Field::IcmpType | Field::IcmpCode => match flow.payload() {
            Payload::Icmp(message) => format!("has type {} and code {}", message.kind, message.code),
            _ => "is not ICMP".to_owned(),
        },
        Field::SourcePort => match flow.source_port() {
            Some(port) => format!("comes from port {port}"),
            None => "has no source port".to_owned(),
        },
        Field::Family => format!("is {}", flow.family()),
        Field::Remote => format!("{remote} {}", flow.remote()),
        Field::Local => match flow.local() {
            Some(address) => format!("{local} {address}"),
            None => format!("is {}", flow.family()),
        },
    }
}

/// What would have matched in this field.
fn expected(field: Field, space: &Space, flow: &Flow) -> String {
    match field {
        Field::Protocol | Field::DestinationPort | Field::IcmpType | Field::IcmpCode => space.selector.to_string(),
        Field::SourcePort => match space.source_ports {
            Some(ports) => format!("source port {ports}"),
            None => "any source port".to_owned(),
        },
        Field::Family => space.remote.to_string(),
        Field::Remote => space.remote.of(flow.family()).to_string(),
        Field::Local => match space.local {
            Some(block) => block.to_string(),
            None => "any local address".to_owned(),
        },
    }
}

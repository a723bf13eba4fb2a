//! One question from the arguments.

use std::io::{self, Write};

use secgroup::engine::{PathReport, PolicyEngine, Scope, path};
use secgroup::model::{Interface, InterfaceId, Inventory, RuleId};
use secgroup::net::Direction;
use secgroup::policy::{Basis, Explanation, Verdict};
use serde::Serialize;

use crate::Failure;
use crate::common::printable;
use crate::question::{End, PacketArgs, end};

/// What one question comes to.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    /// `allow`, `deny`, `indeterminate`, or `unfiltered` where no group sees the traffic.
    pub(crate) verdict: &'static str,
    /// The ids of the deciding rules of all ends that bring the verdict about.
    pub(crate) rules: Vec<RuleId>,
    /// The ends that were judged, the sender first.
    pub(crate) ends: Vec<AnswerEnd>,
}

/// One end that was judged.
#[derive(Debug, Serialize)]
pub(crate) struct AnswerEnd {
    /// The interface.
    pub(crate) interface: InterfaceId,
    /// What it does and why.
    pub(crate) explanation: Explanation,
}

/// Answers the question; the result is the exit status.
pub(crate) fn run(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    question: &PacketArgs,
    json: bool,
) -> Result<u8, Failure> {
    let answer = ask(engine, inventory, question)?;
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &answer)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{}", answer.text(question)?)?;
    }
    out.flush()?;
    Ok(answer.status())
}

/// Judges the ends that are inside.
pub(crate) fn ask(engine: &dyn PolicyEngine, inventory: &Inventory, question: &PacketArgs) -> Result<Answer, Failure> {
    question.validate()?;
    let (from, to) = question.ends()?;
    let one_end = |interface: &Interface, direction, remote| -> Result<Answer, Failure> {
        let flow = question.flow(interface, remote)?;
        let policy = engine.lower(&Scope::new(inventory, interface, direction))?;
        let explanation = policy.explain(&flow);
        let verdict = explanation.verdict;
        Ok(Answer::new(verdict, vec![AnswerEnd { interface: interface.id.clone(), explanation }]))
    };
    match (end(inventory, from)?, end(inventory, to)?) {
        (End::Inside(from), End::Inside(to)) => {
            let PathReport { verdict, ends, .. } =
                path(engine, inventory, from.id.as_str(), to.id.as_str(), &question.probe()?)?;
            let ends = ends.into_iter().map(|end| AnswerEnd { interface: end.interface, explanation: end.explanation });
            Ok(Answer::new(verdict, ends.collect()))
        }
        (End::Inside(from), End::Outside(remote)) => one_end(from, Direction::Egress, remote),
        (End::Outside(remote), End::Inside(to)) => one_end(to, Direction::Ingress, remote),
        (End::Outside(_), End::Outside(_)) => Err("one end has to be an interface or an instance".into()),
    }
}

impl Answer {
    fn new(verdict: Verdict, ends: Vec<AnswerEnd>) -> Self {
        let unfiltered = ends.iter().all(|end| end.explanation.basis == Basis::Unfiltered);
        let mut rules: Vec<RuleId> = ends
            .iter()
            .filter(|end| end.explanation.verdict == verdict)
            .flat_map(|end| end.explanation.rules())
            .collect();
        rules.sort();
        rules.dedup();
        Self { verdict: verdict_name(verdict, unfiltered), rules, ends }
    }

    fn status(&self) -> u8 {
        match self.verdict {
            "allow" | "unfiltered" => 0,
            "deny" => 1,
            _ => 3,
        }
    }

    /// The verdict in one line, then each end with its reasons.
    pub(crate) fn text(&self, question: &PacketArgs) -> Result<String, Failure> {
        let (from, to) = question.ends()?;
        let mut text = format!("{} from {from} to {to}: {}", service(question)?, self.verdict.to_uppercase());
        if self.ends.is_empty() {
            text.push_str("\n  traffic of an interface to itself does not pass its security groups");
        }
        for end in &self.ends {
            let explanation = printable(&end.explanation.to_string()).replace('\n', "\n  ");
            text.push_str(&format!("\n  at {}: {explanation}", end.interface));
            if let Some(instance) = end.interface.as_str().strip_suffix(":intranet") {
                text.push_str(&format!(
                    "\n    note: this is the intranet card of {instance}; public traffic arrives at {instance}:internet"
                ));
            }
        }
        Ok(text)
    }
}

/// `tcp/443`, `icmp/8/0`, `gre`.
fn service(question: &PacketArgs) -> Result<String, Failure> {
    use secgroup::net::Payload;
    let protocol = question.protocol.ok_or("--protocol is needed")?;
    Ok(match question.payload()? {
        Payload::Tcp { destination, .. } | Payload::Udp { destination, .. } => format!("{protocol}/{destination}"),
        Payload::Icmp(message) => format!("{protocol}/{message}"),
        Payload::Other(_) => protocol.to_string(),
    })
}

/// The word for a verdict; where no group sees the traffic it is allowed, and said to be unfiltered.
pub(crate) fn verdict_name(verdict: Verdict, unfiltered: bool) -> &'static str {
    match verdict {
        Verdict::Allow if unfiltered => "unfiltered",
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
        Verdict::Indeterminate => "indeterminate",
    }
}

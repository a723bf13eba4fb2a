//! Explanations as text for people.

use std::fmt;

use super::decide::{Passes, Verdict};
use super::explain::{ClauseReport, Explanation, NearMiss, WhyNot};
use super::provenance::{Basis, Provenance};
use crate::model::Action;
use crate::net::Direction;

/// How many things of one kind the text lists; a program gets all of them.
const LISTED: usize = 10;

/// How many were not listed.
fn more(f: &mut fmt::Formatter<'_>, indent: &str, count: usize) -> fmt::Result {
    match count.saturating_sub(LISTED) {
        0 => Ok(()),
        more => write!(f, "\n{indent}  (and {more} more of these)"),
    }
}

/// The verdict, what it rests on, the clauses that matter, one a line.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Explanation {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        let verdict = match self.passes {
            Passes::Always => "passed on".to_owned(),
            Passes::Never | Passes::Maybe => self.verdict.to_string().to_uppercase(),
        };
        write!(f, "{indent}{verdict}: {}", self.question())?;
        // A single clause speaks for itself.
        if self.deciding.len() != 1 || self.verdict == Verdict::Indeterminate {
            write!(f, "\n{indent}  {}", self.summary())?;
        }
        if !self.stages.is_empty() {
            for stage in &self.stages {
                write!(f, "\n{indent}  stage: {}\n", stage.label)?;
                stage.write(f, depth + 2)?;
            }
            return Ok(());
        }
        for report in self.deciding.iter().take(LISTED) {
            write!(f, "\n{indent}  {} {}", report.role(self.verdict), report)?;
        }
        more(f, &indent, self.deciding.len())?;
        for other in self.others.iter().take(LISTED) {
            let matches = if other.clause.certain { "matches too" } else { "may match too" };
            let why = match (other.reason, self.verdict) {
                (WhyNot::Outranked, _) => "but a better-ranked clause decides",
                (WhyNot::LosesTie, Verdict::Allow) => "but loses the tie: at equal standing allow comes before deny",
                (WhyNot::LosesTie, _) => "but loses the tie: at equal standing deny comes before allow",
                (WhyNot::SameVerdict, _) => "which would not change the verdict",
                (WhyNot::PassesOn, _) => "and leaves the decision to the next stage",
            };
            write!(f, "\n{indent}  beaten: {}: {matches}, {why}", other.clause)?;
        }
        more(f, &indent, self.others.len())?;
        for miss in &self.near_misses {
            write!(f, "\n{indent}  nearest: {miss}")?;
        }
        match self.near_misses_omitted {
            0 => {}
            1 => write!(f, "\n{indent}  (1 more clause is further away)")?,
            more => write!(f, "\n{indent}  ({more} more clauses are further away)")?,
        }
        for missing in self.missing.iter().take(LISTED) {
            write!(f, "\n{indent}  missing: {missing}")?;
        }
        more(f, &indent, self.missing.len())?;
        for note in &self.notes {
            write!(f, "\n{indent}  note: {} ({})", note.text, note.fact)?;
        }
        Ok(())
    }

    /// The flow in words: `ingress tcp/22 from 198.51.100.7 to 10.0.1.10`.
    fn question(&self) -> String {
        let (remote, local) = match self.direction {
            Direction::Ingress => ("from", "to"),
            Direction::Egress => ("to", "from"),
        };
        let service = self.flow.service();
        let near = self.flow.local().map_or_else(String::new, |address| format!(" {local} {address}"));
        let port = self.flow.source_port().map_or_else(String::new, |port| format!(", source port {port}"));
        format!("{} {service} {remote} {}{near}{port}", self.direction, self.flow.remote())
    }

    /// What the verdict rests on, in one sentence.
    pub fn summary(&self) -> String {
        let opposite = match self.verdict {
            Verdict::Deny => "allows",
            _ => "denies",
        };
        match (self.verdict, self.basis) {
            _ if self.passes == Passes::Always => "no clause decides, and the next stage is asked".to_owned(),
            (Verdict::Indeterminate, _) => "the data cannot tell".to_owned(),
            (verdict, _) if !self.stages.is_empty() => {
                let stages: Vec<&str> = self.deciding_stages().into_iter().map(|stage| stage.label.as_str()).collect();
                match stages.as_slice() {
                    [] => format!("no stage decides, and the default is to {verdict}"),
                    stages => format!("{verdict}, decided by: {}", stages.join(", ")),
                }
            }
            (_, Basis::Rule) => match self.deciding.as_slice() {
                [only] => format!("the rule {} decides", only.provenance),
                many => format!("{} rules of equal rank decide", many.len()),
            },
            (_, Basis::Implied) => "the provider implies this without a rule".to_owned(),
            (_, Basis::NeverFiltered) => "the provider never filters this traffic".to_owned(),
            (_, Basis::Unfiltered) => "the interface has no security group, so nothing is filtered".to_owned(),
            (_, Basis::Default | Basis::Undecided) => {
                format!("no rule {opposite} it, and the default is to {}", self.verdict)
            }
        }
    }
}

impl Explanation {
    /// The reason in one line: the clause that decides, or the default with the nearest miss, what
    /// is missing, and where documents disagree.
    pub fn reason(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for stage in self.deciding_stages() {
            match (stage.verdict, stage.deciding.as_slice()) {
                (Verdict::Indeterminate, _) => {
                    let missing: Vec<String> = stage.missing.iter().take(LISTED).map(ToString::to_string).collect();
                    parts.push(format!("the data cannot tell: {}", missing.join("; ")));
                    if let Some(more) = stage.missing.len().checked_sub(LISTED).filter(|more| *more > 0) {
                        parts.push(format!("and {more} more"));
                    }
                }
                (_, []) => parts.push(stage.summary()),
                (_, [only]) => parts.push(only.to_string()),
                (_, [first, ..]) => parts.push(format!("{first} (one of {} of equal rank)", stage.deciding.len())),
            }
            if let [nearest, ..] = stage.near_misses.as_slice() {
                parts.push(format!("nearest: {nearest}"));
            }
            parts.extend(stage.notes.iter().map(|note| format!("{} ({})", note.text, note.fact)));
        }
        if parts.is_empty() { self.summary() } else { parts.join("; ") }
    }
}

impl ClauseReport {
    fn role(&self, verdict: Verdict) -> &'static str {
        match (verdict, self.certain) {
            (Verdict::Indeterminate, true) => "would decide:",
            (Verdict::Indeterminate, false) => "may decide:",
            (Verdict::Allow | Verdict::Deny, _) => "because:",
        }
    }

    /// The rule and its group, or what stands in for a rule.
    fn subject(&self) -> String {
        match &self.provenance {
            Provenance::Rule(origin) => format!("`{}` in {}", origin.rule, origin.group),
            Provenance::Implied { fact, .. } | Provenance::NeverFiltered { fact, .. } => {
                format!("the provider ({fact})")
            }
            Provenance::NotLoaded { .. } => "what was not loaded".to_owned(),
        }
    }

    /// What it does, conjugated.
    fn verb(&self) -> &'static str {
        match (self.action, &self.provenance) {
            (Action::Allow, Provenance::NotLoaded { .. }) => "may allow",
            (Action::Deny, Provenance::NotLoaded { .. }) => "may deny",
            (Action::Pass, Provenance::NotLoaded { .. }) => "may pass on",
            (Action::Allow, _) => "allows",
            (Action::Deny, _) => "denies",
            (Action::Pass, _) => "passes on",
        }
    }
}

impl fmt::Display for ClauseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.subject(), self.verb(), self.provenance.text())?;
        if let Provenance::Rule(origin) = &self.provenance {
            if let Some(priority) = origin.priority {
                write!(f, " (priority {priority})")?;
            }
            if let Some(place) = &origin.place {
                write!(f, " [{place}]")?;
            }
        }
        Ok(())
    }
}

/// What the clause is about, and by what the packet misses it.
impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}; the packet", self.clause.subject(), self.clause.verb(), self.clause.provenance.text())?;
        for (i, miss) in self.failed.iter().enumerate() {
            write!(f, "{} {}", if i == 0 { "" } else { " and" }, miss.found)?;
        }
        let expected: Vec<&str> = self
            .failed
            .iter()
            .map(|miss| miss.expected.as_str())
            // What the rule's own text says already is not said again.
            .filter(|expected| !self.clause.provenance.text().contains(expected))
            .collect();
        if !expected.is_empty() {
            write!(f, " (would match: {})", expected.join("; "))?;
        }
        match &self.clause.provenance {
            Provenance::Rule(origin) => match &origin.place {
                Some(place) => write!(f, " [{place}]"),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

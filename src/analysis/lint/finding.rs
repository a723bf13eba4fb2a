//! What lint finds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::analysis::error::Subject;
use crate::analysis::severity::Severity;
use crate::model::{Interface, RuleId};
use crate::net::{Direction, Flow};
use crate::set::PacketSet;

/// Something that is wrong, useless or dangerous.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of finding it is: one of [`codes`](super::codes), or the id of a control that auditors
    /// use. Codes do not change.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// The direction, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The rules, the one that it is about first.
    pub rules: Vec<RuleId>,
    /// What is the matter, as a sentence without a full stop.
    pub message: String,
    /// What to do about it, where that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// A packet that shows it, where one can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<Flow>,
    /// The packets that show it; the witness is one of them.
    #[serde(skip)]
    pub packets: Option<Arc<PacketSet>>,
}

/// Rules of a subject by direction.
pub type RulesByDirection = BTreeMap<Direction, Vec<RuleId>>;

/// Everything that lint found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Lint {
    /// The findings: the worst first, then by subject.
    pub findings: Vec<Finding>,
    /// For every interface and every group the rules that can all be removed together without changing any
    /// verdict, after which no further one can. For an interface with references resolved as they are
    /// now; for a group with references taken as unknown sets of addresses. Rules of a group that stands
    /// on several interfaces may do something on another one.
    #[serde(skip)]
    pub removable: BTreeMap<Subject, RulesByDirection>,
    /// Interfaces about some of whose traffic the data cannot tell, so that something may be open or closed
    /// that no finding tells of.
    pub indeterminate: Vec<Subject>,
}

impl Finding {
    /// A finding with neither rules nor packet.
    pub(super) fn new(code: &'static str, severity: Severity, subject: Subject, message: String) -> Self {
        Self {
            code,
            severity,
            subject,
            direction: None,
            rules: Vec::new(),
            message,
            suggestion: None,
            witness: None,
            packets: None,
        }
    }

    pub(super) fn in_direction(self, direction: Direction) -> Self {
        Self { direction: Some(direction), ..self }
    }

    pub(super) fn about(self, rules: Vec<RuleId>) -> Self {
        Self { rules, ..self }
    }

    pub(super) fn suggesting(self, suggestion: impl Into<String>) -> Self {
        Self { suggestion: Some(suggestion.into()), ..self }
    }

    pub(super) fn shown_by(self, packets: Option<PacketSet>) -> Self {
        let witness = packets.as_ref().and_then(PacketSet::witness);
        Self { witness, packets: packets.map(Arc::new), ..self }
    }

    /// The same finding about an interface, with a packet at one of its addresses where there is one.
    pub(super) fn at(&self, interface: &Interface) -> Self {
        let witness = self.packets.as_ref().and_then(|packets| packets.witness_at(&interface.addresses));
        Self { subject: Subject::Interface(interface.id.clone()), witness, ..self.clone() }
    }
}

/// `warning shadowed-rule: the interface `eni-1`, ingress: …`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.severity, self.code, self.subject)?;
        if let Some(direction) = self.direction {
            write!(f, ", {direction}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(witness) = &self.witness {
            write!(f, "\n    for example {witness}")?;
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, "\n    suggestion: {suggestion}"),
            None => Ok(()),
        }
    }
}

impl Lint {
    /// The worst severity of all findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

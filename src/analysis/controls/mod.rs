//! The controls that auditors hold security groups against, as data, and their evaluation.
//!
//! A control is a few words of data: what must hold ([`Check`]), how bad it is if it does not, and the fact that
//! describes it. Evaluation is by effect, not by how a rule is written: a port is open if packets from anywhere
//! get through to it, in whatever rules that is said. So `0.0.0.0/1` and `128.0.0.0/1` together are anywhere, an
//! all-protocols rule opens every port, and a port that a better rule drops is closed.
//!
//! For each policy make the [`Openness`] once; each control then costs next to nothing:
//!
//! ```
//! use secgroup::analysis::controls::{Cloud, Openness, Subject, controls_of, without_public_members};
//! use secgroup::engine::{AwsEngine, PolicyEngine, Scope};
//! use secgroup::model::{Interface, Inventory, Rule, SecurityGroup, Traffic};
//! use secgroup::net::{Cidr, Direction};
//! use secgroup::set::Decided;
//!
//! let (lower, upper): (Cidr, Cidr) = ("0.0.0.0/1".parse()?, "128.0.0.0/1".parse()?);
//! let inventory = Inventory::builder()
//!     .group(SecurityGroup::aws("sg-1").with_rules([
//!         Rule::allow(Direction::Ingress, Traffic::tcp(22), lower),
//!         Rule::allow(Direction::Ingress, Traffic::All, upper),
//!     ]))
//!     .interface(Interface::new("eni-1").with_groups(["sg-1"]))
//!     .build()?;
//! let policy = AwsEngine::new().lower(&Scope::of(&inventory, "eni-1", Direction::Ingress)?)?;
//! let decided = Decided::new(&without_public_members(&policy))?;
//! let openness = Openness::of(&decided);
//! let ssh = controls_of(Cloud::Aws).into_iter().find(|control| control.id == "EC2.13").unwrap();
//! let violation = ssh.evaluate(Subject::Traffic(&openness)).unwrap();
//! assert_eq!(violation.text, "allows tcp/22 over IPv4 from anywhere");
//! assert_eq!(violation.clauses.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alibaba;
mod aws;
mod check;
mod exposure;
mod openness;
mod ports;
mod public;

use std::fmt;

use serde::Serialize;
use thiserror::Error;

pub use alibaba::controls as alibaba_controls;
pub use aws::controls as aws_controls;
pub(super) use check::complement;
pub use check::{About, Check, Subject, Violation, evaluate};
pub use exposure::controls as exposure_controls;
pub use openness::Openness;
pub(super) use openness::{Certainty, Reach};
pub use ports::{Families, ServicePorts, parse_ports};
pub use public::{ANYWHERE, is_anywhere, public_addresses, without_public_members};

use super::severity::Severity;
use crate::model::{GroupKind, Interface, Inventory, SecurityGroup};

/// Whose groups a control is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cloud {
    /// AWS.
    Aws,
    /// Alibaba Cloud.
    Alibaba,
}

impl Cloud {
    /// The cloud that has groups of this kind, if it is one of these.
    pub fn of(kind: GroupKind) -> Option<Self> {
        match kind {
            GroupKind::Aws => Some(Self::Aws),
            GroupKind::Basic | GroupKind::Enterprise => Some(Self::Alibaba),
            GroupKind::Other => None,
        }
    }
}

impl Cloud {
    /// The name of the engine that knows its semantics.
    pub(super) fn engine(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Alibaba => "alibaba",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws => "AWS",
            Self::Alibaba => "Alibaba Cloud",
        })
    }
}

/// Something that auditors hold security groups against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Control {
    /// The name that the auditor has for it. Two controls share a name if the auditor grades what they find.
    pub id: &'static str,
    /// What must hold.
    pub title: &'static str,
    /// How bad it is if it does not.
    pub severity: Severity,
    /// Whose groups it is about; `None` is any.
    pub cloud: Option<Cloud>,
    /// The numbers of the facts that describe it.
    pub fact: &'static str,
    /// What is looked for.
    pub check: Check,
}

/// A control has no such parameter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// It is not about ports that can be chosen.
    #[error("the control `{0}` has no ports to set")]
    NoPorts(&'static str),
    /// It is not about address families.
    #[error("the control `{0}` has no address families to set")]
    NoFamilies(&'static str),
    /// It is not about groups that an interface should have.
    #[error("the control `{0}` has no groups to set")]
    NoGroups(&'static str),
}

impl Control {
    /// The same control about these ports.
    ///
    /// # Errors
    /// [`ControlError::NoPorts`] if it is not about ports that can be chosen.
    pub fn with_ports(mut self, ports: ServicePorts) -> Result<Self, ControlError> {
        match &mut self.check {
            Check::PortsNotOpen { ports: own, .. } | Check::OnlyPortsOpen { ports: own, .. } => *own = ports,
            _ => return Err(ControlError::NoPorts(self.id)),
        }
        Ok(self)
    }

    /// The same control about sources, or destinations, of these families.
    ///
    /// # Errors
    /// [`ControlError::NoFamilies`] if it is not about traffic.
    pub fn with_families(mut self, families: Families) -> Result<Self, ControlError> {
        match &mut self.check {
            Check::PortsNotOpen { families: own, .. }
            | Check::OnlyPortsOpen { families: own, .. }
            | Check::NotAllPorts { families: own }
            | Check::NotAllProtocols { families: own }
            | Check::NotAllEgress { families: own }
            | Check::NoPublicSource { families: own } => *own = families,
            _ => return Err(ControlError::NoFamilies(self.id)),
        }
        Ok(self)
    }

    /// The same control about these groups, of which an interface should have one.
    ///
    /// # Errors
    /// [`ControlError::NoGroups`] if it is not about groups of interfaces.
    pub fn with_groups<G: Into<crate::model::GroupId>>(
        mut self,
        groups: impl IntoIterator<Item = G>,
    ) -> Result<Self, ControlError> {
        match &mut self.check {
            Check::HasGroup { any_of } => *any_of = groups.into_iter().map(Into::into).collect(),
            _ => return Err(ControlError::NoGroups(self.id)),
        }
        Ok(self)
    }

    /// The same control with this severity.
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Whether something violates the control; [`evaluate`] of its check.
    pub fn evaluate(&self, subject: Subject<'_>) -> Option<Violation> {
        evaluate(&self.check, subject)
    }

    /// Whether the control is about a group: one of its cloud, or whose kind is not known, that no cloud
    /// service owns. What a service owns its user cannot change, and auditors leave it out (ALI-29, ALI-80).
    pub fn applies_to_group(&self, group: &SecurityGroup) -> bool {
        let ours = match (self.cloud, group.kind) {
            (None, _) | (_, None) => true,
            (Some(cloud), Some(kind)) => Cloud::of(kind) == Some(cloud),
        };
        ours && !group.service_managed
    }

    /// Whether the control is about an interface: unless it is about none of its groups. Of a mixed interface
    /// [`Violation::is_managed`] tells what managed groups bring about.
    pub fn applies_to_interface(&self, inventory: &Inventory, interface: &Interface) -> bool {
        let groups = interface.groups.as_deref().unwrap_or_default();
        groups.is_empty()
            || groups.iter().any(|id| inventory.group(id.as_str()).is_none_or(|group| self.applies_to_group(group)))
    }
}

/// All controls: those of AWS, those of Alibaba Cloud, and those that no auditor numbers.
pub fn controls() -> Vec<Control> {
    let mut all = aws_controls();
    all.extend(alibaba_controls());
    all.extend(exposure_controls());
    all
}

/// The controls for groups of one cloud: its auditors' own, and those that no auditor numbers.
pub fn controls_of(cloud: Cloud) -> Vec<Control> {
    controls().into_iter().filter(|control| control.cloud.is_none_or(|own| own == cloud)).collect()
}

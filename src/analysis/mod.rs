//! What follows from sets of packets: comparisons of configurations, changes, faults in rules, and who
//! reaches whom.

mod alone;
mod classes;
pub mod controls;
mod diff;
mod error;
mod exposure;
mod ground;
pub mod lint;
mod overlap;
mod question;
pub mod quotas;
mod reach;
mod removal;
mod severity;
mod superfluous;
mod weigh;

pub use classes::InterfaceClass;
pub use diff::{ChangedBox, ChangedTraffic, Diff, Owner, Status, SubjectDiff, diff};
pub use error::{AnalysisError, Subject};
pub use exposure::{Exposure, exposure};
pub use question::{InterfaceAnswer, InventoryAnswer, Proof, Question, Side, ask, ask_inventories};
pub use reach::{Link, Matrix, Outcome, Reach, ReachClass, ReachError, Reached};
pub use severity::{Severity, SeverityError};
pub use superfluous::{IdleRule, Idleness, Superfluous, superfluous};

//! What follows from sets of packets: comparisons of configurations, changes, faults in rules, and who
//! reaches whom.

mod alone;
mod classes;
mod ground;
mod removal;
mod superfluous;
mod weigh;

pub use classes::InterfaceClass;
pub use superfluous::{IdleRule, Idleness, Superfluous, superfluous};

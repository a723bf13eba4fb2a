//! What follows from sets of packets: comparisons of configurations, changes, faults in rules, and who
//! reaches whom.

mod alone;
mod classes;
mod exposure;
mod ground;
mod reach;

pub use classes::InterfaceClass;
pub use exposure::{Exposure, exposure};
pub use reach::{Link, Matrix, Outcome, Reach, ReachClass, ReachError, Reached};

//! What follows from sets of packets: comparisons of configurations, changes, faults in rules, and who
//! reaches whom.

mod alone;
mod classes;
mod ground;

pub use classes::InterfaceClass;

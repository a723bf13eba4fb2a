#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! Data flows one way, and a module imports only what stands before it here:
//!
//! | module | what it is |
//! |---|---|
//! | [`net`] | packets without policy: addresses, ports, protocols, flows |
//! | [`model`] | what was configured: groups, rules, lists, interfaces, the inventory |
//! | [`policy`] | the one form that everything reads: ranked clauses; decisions and explanations |
//! | [`engine`] | provider semantics: the trait and the engines of AWS and Alibaba Cloud; paths |
//! | [`set`] | exact sets of packets; what a policy decides about all of them |
//! | [`matcher`] | compiled policies: the same decisions in nanoseconds |
//! | [`analysis`] | what follows from sets: differences, idle rules, controls, lint, reach |
#![cfg_attr(
    feature = "fleet",
    doc = "| [`fleet`] | the policies of all interfaces, kept up to date edit by edit (feature `fleet`) |"
)]
#![cfg_attr(
    feature = "load",
    doc = "| [`load`] | the clouds' own documents, read into an inventory (feature `load`) |"
)]
#![cfg_attr(
    feature = "proptest",
    doc = "| [`strategy`] | random inventories and flows for property tests (feature `proptest`) |"
)]

pub mod analysis;
pub mod engine;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "load")]
pub mod load;
pub mod matcher;
pub mod model;
pub mod net;
pub mod policy;
pub mod set;
#[cfg(feature = "proptest")]
pub mod strategy;
#[cfg(feature = "load")]
mod wire;

pub use engine::{AlibabaEngine, AwsEngine, PolicyEngine, Probe, Scope, path};
pub use matcher::Matcher;
pub use model::Inventory;
pub use net::{Direction, Flow};
pub use policy::{Decision, Explanation, Policy, Verdict};

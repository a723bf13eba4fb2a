//! Random inventories and flows for property tests, with `proptest`.
//!
//! The alphabets are small and lie at edges, so that overlaps, ties, hits and near misses all happen:
//! a handful of addresses and blocks of both families (from /0 over halves to single addresses),
//! ports one beside the other, the same few groups as owners, members and targets. About half of the
//! inventories are known in full; in the others anything may be missing that can be.
//!
//! What is generated can be held by its provider, so [`PolicyEngine::lower`] succeeds.
//!
//! ```
//! use proptest::prelude::*;
//! use secgroup::engine::{AwsEngine, PolicyEngine, Scope};
//! use secgroup::{Direction, strategy};
//!
//! // With `#[test]` on the function, as usual.
//! proptest! {
//!     fn decisions_and_explanations_agree(
//!         (inventory, flow) in strategy::aws_inventory()
//!             .prop_flat_map(|inventory| (strategy::flow_near(&inventory), Just(inventory)).prop_map(|(f, i)| (i, f)))
//!     ) {
//!         for interface in inventory.interfaces() {
//!             let scope = Scope::new(&inventory, interface, Direction::Ingress);
//!             let policy = AwsEngine::new().lower(&scope).unwrap();
//!             prop_assert_eq!(policy.decide(&flow), policy.explain(&flow).decision());
//!         }
//!     }
//! }
//! decisions_and_explanations_agree();
//! ```
//!
//! [`PolicyEngine::lower`]: crate::engine::PolicyEngine::lower

mod alphabet;
mod flow;
mod inventory;
mod rule;

pub use alphabet::{address, cidr, port, port_range};
pub use flow::{flow, flow_near};
pub use inventory::{alibaba_inventory, aws_inventory};
pub use rule::{alibaba_rule, alibaba_traffic, aws_rule, aws_traffic};

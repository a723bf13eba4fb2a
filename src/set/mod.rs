//! Exact sets of packets, and what a policy decides about all of them at once.
//!
//! One packet's verdict is a test; a set of packets is a proof. A [`PacketSet`] is exact over every
//! dimension that rules can see: family, protocol, destination port or ICMP type and code, source port,
//! near and far address. [`Decided`] partitions all packets by what a policy decides on them, each part
//! owned by the clause that decides. From those come comparisons ([`Decided::implies`],
//! [`Decided::equivalent`], [`Decided::disjoint`], [`Decided::changes`]), each with a packet that shows
//! it.
//!
//! # Form
//!
//! A set is a nested partition: intervals of services (protocol and selector in one number), in each
//! intervals of source ports, in each intervals of near addresses, in each intervals of far addresses.
//! Neighbours with equal values are merged and a protocol without selector or ports is one point there,
//! so equal sets are equal values. Equal parts are shared.
//!
//! # Limits
//!
//! A few hundred hostile rules can cut the packets into billions of parts. What makes sets is bounded by
//! [`SetLimits`] and returns a [`SetError`] with the numbers beyond it.

mod boxes;
pub(crate) mod by_service;
mod compare;
mod count;
mod decided;
pub(crate) mod grid;
mod layer;
mod limits;
mod packet_set;
pub(crate) mod places;
pub(crate) mod plane;
mod seen;
mod serial;
mod service_set;
mod split;
pub(crate) mod sweep;
mod witness;

pub use boxes::{PacketBox, Services};
pub(crate) use compare::decided_where_different;
pub use compare::{Answer, Change, Counterexample, changes};
pub use count::PacketCount;
pub use decided::{Decided, Owned};
pub(crate) use decided::{decide as decide_plane, numbered, verdicts_of};
pub(crate) use limits::Budget;
pub use limits::{SetError, SetLimits};
pub use packet_set::{NotCanonical, PacketSet};
pub use service_set::{ServiceBox, ServiceSet};

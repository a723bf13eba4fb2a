//! What was configured, in words that no provider owns: rules, groups, prefix lists, instances and
//! their interfaces, and the [`Inventory`] that holds them and resolves references.
//!
//! Whatever a cloud's documents may leave out can be left out here too, and is then *unknown*, never
//! empty: an `Option` that is `None`, or a list with a flag that says it is incomplete.

mod group;
mod id;
mod interface;
mod inventory;
mod list;
mod place;
mod rule;
mod traffic;
mod vpc;

pub use group::{GroupKind, IntraGroupPolicy, Network, RuleCoverage, SecurityGroup};
pub use id::{AccountId, GroupId, InstanceId, InterfaceId, PortListId, PrefixListId, RuleId, SubnetId, VpcId};
pub use interface::{Instance, Interface, NicType};
pub(crate) use inventory::joined;
#[cfg(feature = "fleet")]
pub(crate) use inventory::{ByVpc, Carried, view};
pub use inventory::{Inventory, InventoryBuilder, InventoryError, Members};
pub use list::{PortList, PrefixList};
pub use place::Place;
pub use rule::{Action, GroupReference, Peer, PeeringStatus, Priority, Rule};
pub use traffic::{Ports, Traffic, TrafficError};
pub use vpc::{Subnet, Vpc, VpcRelation};

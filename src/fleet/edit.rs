//! Changes of a fleet.

use std::net::IpAddr;

use thiserror::Error;

use crate::engine::LowerError;
use crate::model::{GroupId, Interface, InterfaceId, InventoryError, PrefixList, PrefixListId, Rule, SecurityGroup};

/// A change of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Edit {
    /// Adds an interface, which must be new.
    AddInterface(Interface),
    /// Removes an interface.
    RemoveInterface(InterfaceId),
    /// Gives an interface other groups; `None` says that they are not known.
    SetGroups {
        /// The interface.
        interface: InterfaceId,
        /// Its groups from now on, in the order of attachment.
        groups: Option<Vec<GroupId>>,
    },
    /// Adds a private address behind the others of an interface.
    AddAddress {
        /// The interface.
        interface: InterfaceId,
        /// The address.
        address: IpAddr,
    },
    /// Removes a private address of an interface.
    RemoveAddress {
        /// The interface.
        interface: InterfaceId,
        /// The address, once.
        address: IpAddr,
    },
    /// Adds a rule behind the others of a group.
    AddRule {
        /// The group.
        group: GroupId,
        /// The rule.
        rule: Rule,
    },
    /// Removes a rule of a group; those behind it move up.
    RemoveRule {
        /// The group.
        group: GroupId,
        /// The place among the group's rules of both directions, from 0.
        index: usize,
    },
    /// Puts a rule in the place of another.
    ReplaceRule {
        /// The group.
        group: GroupId,
        /// The place among the group's rules of both directions, from 0.
        index: usize,
        /// The rule.
        rule: Rule,
    },
    /// Adds a group, or puts it in the place of the one with its id.
    SetGroup(SecurityGroup),
    /// Removes a group, of which nothing is known then but that interfaces carry it.
    RemoveGroup(GroupId),
    /// Adds a prefix list, or puts it in the place of the one with its id.
    SetPrefixList(PrefixList),
    /// Removes a prefix list, of whose entries nothing is known then.
    RemovePrefixList(PrefixListId),
}

/// Why an edit is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EditError {
    /// There is no such interface.
    #[error("there is no interface `{0}`")]
    NoInterface(InterfaceId),
    /// There is no such group.
    #[error("there is no group `{0}`")]
    NoGroup(GroupId),
    /// There is no such prefix list.
    #[error("there is no prefix list `{0}`")]
    NoPrefixList(PrefixListId),
    /// The group has no such rule.
    #[error("the group `{group}` has no rule at {index}")]
    NoRule {
        /// The group.
        group: GroupId,
        /// The place that was asked for.
        index: usize,
    },
    /// The interface does not have the address.
    #[error("the interface `{interface}` has no address {address}")]
    NoAddress {
        /// The interface.
        interface: InterfaceId,
        /// The address.
        address: IpAddr,
    },
    /// No inventory could hold the result.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The engine refuses a policy that would come of it.
    #[error(transparent)]
    Lower(#[from] LowerError),
}

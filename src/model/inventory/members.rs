//! Who the members of groups are, as sets of addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{GroupId, VpcId};
use crate::net::AddressSet;

/// The addresses of the members of each group, and of interfaces whose groups are not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Carried {
    pub(crate) members: BTreeMap<GroupId, ByVpc>,
    pub(crate) undecided: ByVpc,
}

/// Addresses by the VPC of the interface that has them; `None` where that is not known.
pub(crate) type ByVpc = BTreeMap<Option<VpcId>, Arc<AddressSet>>;

/// The members of a group, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Members {
    /// The addresses of the members that are known.
    pub addresses: Arc<AddressSet>,
    /// Every address that a member can have: besides those, the ones of interfaces whose groups are
    /// not known, and all where there can be interfaces that were not given.
    pub possible: Arc<AddressSet>,
    /// Whether there can be no others than those known.
    pub complete: bool,
}

/// The union of sets, which costs nothing if there is only one.
pub(crate) fn joined<'a>(sets: impl IntoIterator<Item = &'a Arc<AddressSet>>) -> Arc<AddressSet> {
    let mut sets = sets.into_iter();
    let first = sets.next().cloned().unwrap_or_default();
    sets.fold(first, |all, set| Arc::new(all.union(set)))
}

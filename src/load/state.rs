//! Everything that was read so far.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::error::LoadError;
use super::interfaces::Interfaces;
use super::lists::{PortLists, PrefixLists};
use super::pages::Pages;
use super::provider::Provider;
use super::warning::Warning;
use super::{alibaba, aws};
use crate::model::{Place, Subnet, SubnetId, Vpc, VpcId};

/// What the documents read so far hold.
#[derive(Default)]
pub(super) struct State {
    pub(super) warnings: Vec<Warning>,
    /// How many documents were recognised.
    pub(super) documents: usize,
    /// The provider of all documents, with the name of the first that showed it.
    pub(super) provider: Option<(Provider, String)>,
    pub(super) calls: BTreeMap<&'static str, Pages>,
    pub(super) aws: aws::Groups,
    pub(super) alibaba: alibaba::Groups,
    pub(super) interfaces: Interfaces,
    pub(super) prefix_lists: PrefixLists,
    pub(super) port_lists: PortLists,
    pub(super) vpcs: BTreeMap<VpcId, (Vpc, Place)>,
    pub(super) subnets: BTreeMap<SubnetId, (Subnet, Place)>,
    /// Empty lists of entries that may be of either provider: name, subject given, whether a page follows.
    pub(super) no_entries: Vec<(String, Option<String>, bool)>,
}

impl State {
    /// Notes a page of a call; `open` if another follows, `total` if it says how many things there are.
    pub(super) fn page(&mut self, call: &'static str, total: Option<i64>, place: &Place, open: bool) {
        let pages = self.calls.entry(call).or_default();
        pages.add(place, open);
        pages.add_total(total);
    }

    pub(super) fn add_vpc(&mut self, vpc: Vpc, place: Place) -> Result<(), LoadError> {
        add(&mut self.vpcs, vpc.id.clone(), vpc, place, "VPC")
    }

    pub(super) fn add_subnet(&mut self, subnet: Subnet, place: Place) -> Result<(), LoadError> {
        add(&mut self.subnets, subnet.id.clone(), subnet, place, "subnet")
    }
}

fn add<K: Ord + std::fmt::Display, T: PartialEq>(
    known: &mut BTreeMap<K, (T, Place)>,
    id: K,
    item: T,
    place: Place,
    kind: &str,
) -> Result<(), LoadError> {
    match known.entry(id) {
        Entry::Vacant(entry) => {
            entry.insert((item, place));
            Ok(())
        }
        Entry::Occupied(entry) if entry.get().0 == item => Ok(()),
        Entry::Occupied(entry) => Err(LoadError::Conflict {
            first: entry.get().1.clone(),
            second: place,
            what: format!("they describe the {kind} `{}` differently", entry.key()),
        }),
    }
}

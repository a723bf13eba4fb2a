//! Policies and flows shaped like those of real security groups, for the matcher.
//!
//! | case | rules |
//! |---|---|
//! | `aws10` … `aws10000` | so many allow rules |
//! | `ali300`, `ali1000` | the same with priorities 1 to 100, ties included, of which 30 % deny; sorted by priority, deny first |
//! | `grp60x10k` | 60, of which 2 refer to one group of 10,000 members |
//! | `grp1000x65k` | 1,000, of which 6 refer to groups of 1,000, 10,000 and 65,536 members |
//! | `lists1000` | 1,000, of which 60 refer to prefix lists of 20 to 1,000 blocks |
//! | `sports1000`, `local1000` | 1,000, of which 30 % have source ports, and local blocks |
//! | `adv1000`, `adv10000` | prefixes nested in one /12 with wide port ranges, half deny; the larger with source ports and local blocks everywhere |
//! | `v6aws60`, `v6aws1000` | the shape of `aws` over IPv6 |
//!
//! How a rule looks is said in [`rules`], how a flow looks in [`flows`]. The expected answer of each flow,
//! the first rule that matches it, comes from [`scan`], which shares no code with the crate.
//!
//! A workload has two forms: a [`Policy`], in which a group is one clause with one shared set of addresses,
//! and text ([`files`]) for other classifiers, in which a group of *n* members is *n* rules.

mod files;
mod flows;
mod policy;
mod rules;
mod scan;
mod shape;

use std::error::Error;
use std::path::Path;

use secgroup::matcher::Columns;
use secgroup::net::{Family, Flow};
use secgroup::policy::Policy;

pub(crate) use rules::{Peer, Rule};
use scan::{Deciding, LinearScan};
pub(crate) use shape::{Shape, catalogue};

use super::random::{Random, SEED};
use flows::Packet;
use rules::Block;

/// Flows in a workload, if nothing else is asked for: more than second-level caches hold.
pub(crate) const FLOWS: usize = 1_000_000;

/// Rules, flows, and the answer that each flow must get.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) shape: Shape,
    pub(crate) rules: Vec<Rule>,
    /// What [`Peer::Set`] counts: the blocks of groups and prefix lists.
    pub(crate) sets: Vec<Vec<Block>>,
    packets: Vec<Packet>,
    pub(crate) expected: Vec<Option<Deciding>>,
}

impl Workload {
    pub(crate) fn new(shape: Shape, flows: usize) -> Result<Self, Box<dyn Error>> {
        let mut random = Random::new(SEED);
        let (rules, sets) = rules::generate(&mut random, &shape);
        let scan = LinearScan::new(shape.family, &rules, &sets);
        let (packets, expected) = flows::generate(&mut random, &shape, &rules, &sets, &scan, flows)?;
        Ok(Self { shape, rules, sets, packets, expected })
    }

    /// A case of the catalogue.
    pub(crate) fn named(name: &str, flows: usize) -> Result<Self, Box<dyn Error>> {
        let shape = catalogue().into_iter().find(|shape| shape.name == name);
        Self::new(shape.ok_or_else(|| format!("there is no case `{name}`"))?, flows)
    }

    /// The rules as clauses whose numbers are those of the rules, from 0.
    pub(crate) fn policy(&self) -> Result<Policy, Box<dyn Error>> {
        policy::policy(&self.rules, &self.sets, self.shape.family)
    }

    /// The flows, a value for each.
    pub(crate) fn flows(&self) -> Result<Vec<Flow>, Box<dyn Error>> {
        self.packets.iter().map(|packet| policy::flow(packet, self.shape.family)).collect()
    }

    /// The flows, a column for each field.
    pub(crate) fn columns(&self) -> FlowColumns {
        FlowColumns::new(&self.packets)
    }

    /// The classifier that scans rule after rule, with the flows in the form that it likes best.
    pub(crate) fn scan(&self) -> scan::PreparedScan {
        scan::PreparedScan::new(LinearScan::new(self.shape.family, &self.rules, &self.sets), &self.packets)
    }

    /// Rules if every entry of a group or prefix list is one.
    pub(crate) fn expanded_rules(&self) -> usize {
        let entries = |rule: &Rule| match rule.peer {
            Peer::Block(_) => 1,
            Peer::Set(set) => self.sets.get(set).map_or(0, Vec::len),
        };
        self.rules.iter().map(entries).sum()
    }

    /// Writes rules, flows and expected answers as text, and for `librte_acl`, into a directory.
    pub(crate) fn write_files(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        files::write_files(self, directory)
    }

    pub(crate) fn is_v6(&self) -> bool {
        self.shape.family == Family::V6
    }
}

/// The fields of flows side by side.
#[derive(Debug, Default)]
pub(crate) struct FlowColumns {
    pub(crate) remote_v4: Vec<u32>,
    pub(crate) remote_v6: Vec<u128>,
    local_v4: Vec<u32>,
    local_v6: Vec<u128>,
    protocol: Vec<u8>,
    selector: Vec<u16>,
    source_port: Vec<u16>,
}

impl FlowColumns {
    fn new(packets: &[Packet]) -> Self {
        Self {
            remote_v4: packets.iter().map(|packet| flows::low(packet.remote)).collect(),
            remote_v6: packets.iter().map(|packet| packet.remote).collect(),
            local_v4: packets.iter().map(|packet| flows::low(packet.local)).collect(),
            local_v6: packets.iter().map(|packet| packet.local).collect(),
            protocol: packets.iter().map(|packet| packet.protocol).collect(),
            selector: packets.iter().map(Packet::selector).collect(),
            source_port: packets.iter().map(|packet| packet.source).collect(),
        }
    }

    /// The first flows, which are over IPv4.
    pub(crate) fn v4(&self, count: usize) -> Result<Columns<'_, u32>, Box<dyn Error>> {
        self.first(&self.remote_v4, &self.local_v4, count)
    }

    /// The first flows, which are over IPv6.
    pub(crate) fn v6(&self, count: usize) -> Result<Columns<'_, u128>, Box<dyn Error>> {
        self.first(&self.remote_v6, &self.local_v6, count)
    }

    fn first<'a, A>(&'a self, remote: &'a [A], local: &'a [A], count: usize) -> Result<Columns<'a, A>, Box<dyn Error>> {
        let missing = "there are not so many flows";
        Ok(Columns {
            remote: remote.get(..count).ok_or(missing)?,
            protocol: self.protocol.get(..count).ok_or(missing)?,
            selector: self.selector.get(..count).ok_or(missing)?,
            source_port: Some(self.source_port.get(..count).ok_or(missing)?),
            local: Some(local.get(..count).ok_or(missing)?),
        })
    }
}

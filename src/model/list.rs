//! Prefix lists and port lists.

use serde::{Deserialize, Serialize};

use super::id::{PortListId, PrefixListId};
use super::place::Place;
use crate::net::{Cidr, Family, PortRange};

/// A named list of CIDR blocks of one family, which rules refer to (AWS-46, ALI-42).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PrefixList {
    /// The id.
    pub id: PrefixListId,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address family, where it is known. A list whose entries are unknown may match addresses
    /// of its own family only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// The entries that are known.
    #[serde(default)]
    pub entries: Vec<Cidr>,
    /// Whether these are all entries.
    pub complete: bool,
    /// The greatest number of entries, which is what the list costs in quotas (AWS-80, ALI-44).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<u32>,
    /// Where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl PrefixList {
    /// A list with all its entries.
    pub fn new(id: impl Into<PrefixListId>, entries: impl IntoIterator<Item = Cidr>) -> Self {
        Self { entries: entries.into_iter().collect(), complete: true, ..Self::unknown(id) }
    }

    /// A list whose entries are not known.
    pub fn unknown(id: impl Into<PrefixListId>) -> Self {
        Self {
            id: id.into(),
            name: None,
            family: None,
            entries: Vec::new(),
            complete: false,
            max_entries: None,
            place: None,
        }
    }
}

/// A named list of port ranges, which TCP and UDP rules of Alibaba Cloud refer to (ALI-43).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PortList {
    /// The id.
    pub id: PortListId,
    /// The entries that are known.
    #[serde(default)]
    pub entries: Vec<PortRange>,
    /// Whether these are all entries.
    pub complete: bool,
    /// Where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl PortList {
    /// A list with all its entries.
    pub fn new(id: impl Into<PortListId>, entries: impl IntoIterator<Item = PortRange>) -> Self {
        Self { id: id.into(), entries: entries.into_iter().collect(), complete: true, place: None }
    }
}

//! Virtual private clouds, as far as groups depend on them.

use serde::{Deserialize, Serialize};

use super::id::{SubnetId, VpcId};
use crate::net::Cidr;

/// A virtual private cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Vpc {
    /// The id.
    pub id: VpcId,
    /// Its address ranges, the primary IPv4 range first.
    #[serde(default)]
    pub cidrs: Vec<Cidr>,
}

impl Vpc {
    /// A VPC with its address ranges, the primary IPv4 range first.
    pub fn new(id: impl Into<VpcId>, cidrs: impl IntoIterator<Item = Cidr>) -> Self {
        Self { id: id.into(), cidrs: cidrs.into_iter().collect() }
    }
}

/// A subnet of a VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Subnet {
    /// The id.
    pub id: SubnetId,
    /// The VPC it lies in.
    pub vpc: VpcId,
    /// Its address ranges, the IPv4 range first.
    #[serde(default)]
    pub cidrs: Vec<Cidr>,
}

impl Subnet {
    /// A subnet with its address ranges, the IPv4 range first.
    pub fn new(id: impl Into<SubnetId>, vpc: impl Into<VpcId>, cidrs: impl IntoIterator<Item = Cidr>) -> Self {
        Self { id: id.into(), vpc: vpc.into(), cidrs: cidrs.into_iter().collect() }
    }
}

/// How two VPCs are joined, which decides whether a group of one means anything in the other
/// (AWS-41, AWS-42). Documents do not show it; the caller may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VpcRelation {
    /// One VPC, or as good as one.
    Same,
    /// An active peering: references work in both directions.
    Peered,
    /// A transit gateway with security group referencing: references work in inbound rules only,
    /// and never match in outbound ones (AWS-42).
    TransitGateway,
    /// Not known: a reference may match.
    #[default]
    Unknown,
}

//! Instances and their network interfaces.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::id::{GroupId, InstanceId, InterfaceId, SubnetId, VpcId};
use super::place::Place;
use crate::net::{Cidr, Family};

/// The two network cards of an instance in Alibaba's classic network (ALI-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NicType {
    /// The card with the public address.
    Internet,
    /// The card with the private address.
    Intranet,
}

impl fmt::Display for NicType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Internet => "internet",
            Self::Intranet => "intranet",
        })
    }
}

/// A network interface: the thing that security groups filter (AWS-25, ALI-12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Interface {
    /// The id.
    pub id: InterfaceId,
    /// The instance it is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// Whether it is the instance's primary interface.
    #[serde(default)]
    pub primary: bool,
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<VpcId>,
    /// The subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<SubnetId>,
    /// Which card of a classic instance it is; `None` in a VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nic: Option<NicType>,
    /// The attached groups; `None` if they are not known, which is not the same as an empty list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupId>>,
    /// The private addresses of both families, the primary one of each family first. The public
    /// card of a classic instance has none.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Whether there may be private addresses beside these, so that members of its groups may have
    /// any address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub addresses_unknown: bool,
    /// Delegated prefixes (AWS-22).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<Cidr>,
    /// Public and Elastic addresses, which are translated before groups see the packet (AWS-48,
    /// ALI-9), except at the public card of a classic instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public: Vec<IpAddr>,
    /// Where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Interface {
    /// An interface whose groups and addresses are not known.
    pub fn new(id: impl Into<InterfaceId>) -> Self {
        Self {
            id: id.into(),
            instance: None,
            primary: false,
            vpc: None,
            subnet: None,
            nic: None,
            groups: None,
            addresses: Vec::new(),
            addresses_unknown: false,
            prefixes: Vec::new(),
            public: Vec::new(),
            place: None,
        }
    }

    /// The same interface with exactly these groups.
    pub fn with_groups<G: Into<GroupId>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.groups = Some(groups.into_iter().map(Into::into).collect());
        self
    }

    /// The same interface without any group, which is not the same as groups that are not known.
    pub fn without_groups(mut self) -> Self {
        self.groups = Some(Vec::new());
        self
    }

    /// The same interface with this private address behind the others.
    pub fn with_address(mut self, address: IpAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// The same interface in this VPC.
    pub fn in_vpc(mut self, vpc: impl Into<VpcId>) -> Self {
        self.vpc = Some(vpc.into());
        self
    }

    /// The same interface in this subnet.
    pub fn in_subnet(mut self, subnet: impl Into<SubnetId>) -> Self {
        self.subnet = Some(subnet.into());
        self
    }

    /// The address of this family that a packet at the interface has, if none is named: the primary
    /// private one, or the public one at the public card of a classic instance.
    pub fn local_address(&self, family: Family) -> Option<IpAddr> {
        self.filtered_addresses().iter().copied().find(|address| Family::of(*address) == family)
    }

    /// Whether packets at this interface can have this address, as groups see them.
    pub fn owns(&self, address: IpAddr) -> bool {
        self.filtered_addresses().contains(&address) || self.prefixes.iter().any(|block| block.contains(address))
    }

    /// The addresses that packets at this interface have, as groups see them, without delegated prefixes.
    pub(crate) fn filtered_addresses(&self) -> &[IpAddr] {
        match self.nic {
            Some(NicType::Internet) => &self.public,
            Some(NicType::Intranet) | None => &self.addresses,
        }
    }

    /// What a reference to one of its groups means: every private address and every delegated
    /// prefix, of both families (AWS-39; that delegated prefixes count is an inference of that
    /// fact). Public addresses never count (AWS-38, ALI-46).
    pub fn member_blocks(&self) -> impl Iterator<Item = Cidr> + '_ {
        self.addresses.iter().copied().map(Cidr::host).chain(self.prefixes.iter().copied())
    }
}

/// An instance: a machine with one or more interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Instance {
    /// The id.
    pub id: InstanceId,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Instance {
    /// An instance; its interfaces name it in [`Interface::instance`].
    pub fn new(id: impl Into<InstanceId>) -> Self {
        Self { id: id.into(), name: None, place: None }
    }

    /// An interface of this instance.
    pub fn interface(&self, id: impl Into<InterfaceId>) -> Interface {
        Interface { instance: Some(self.id.clone()), ..Interface::new(id) }
    }

    /// Its primary interface.
    pub fn primary_interface(&self, id: impl Into<InterfaceId>) -> Interface {
        Interface { primary: true, ..self.interface(id) }
    }
}

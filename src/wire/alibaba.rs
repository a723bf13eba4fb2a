//! Answers of Alibaba Cloud ECS. One type holds the fields of all calls; lists are wrapped in an
//! object of one field, except where they are not.

use super::list::Wrapper;
use super::{Flag, Given, Id, Int, List, Text, Wrapped};

macro_rules! wrappers {
    ($($name:ident = $field:literal,)*) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Wrapper for $name {
            const FIELD: &'static str = $field;
        }
    )*};
}

wrappers! {
    InSecurityGroup = "SecurityGroup",
    InPermission = "Permission",
    InInstance = "Instance",
    InNetworkInterface = "NetworkInterface",
    InNetworkInterfaceSet = "NetworkInterfaceSet",
    InEntry = "Entry",
    InTag = "Tag",
    InSecurityGroupId = "SecurityGroupId",
    InIpAddress = "IpAddress",
    InPrivateIpSet = "PrivateIpSet",
    InIpv6Set = "Ipv6Set",
    InIpv4PrefixSet = "Ipv4PrefixSet",
    InIpv6PrefixSet = "Ipv6PrefixSet",
}

/// Ids of groups, in their wrapping.
pub(crate) type GroupIds = Wrapped<Id, InSecurityGroupId>;
/// Addresses, in their wrapping.
pub(crate) type Addresses = Wrapped<Text, InIpAddress>;

object! {
    /// What the calls answer, and the exported object (ALI-86).
    Answer {
        "SecurityGroups" => groups: Option<Wrapped<Group, InSecurityGroup>>,
        "SecurityGroupId" => group: Id,
        "SecurityGroupName" => group_name: Text,
        "Description" => description: Text,
        "VpcId" => vpc: Id,
        "InnerAccessPolicy" => policy: Text,
        "Permissions" => permissions: Given<Wrapped<Permission, InPermission>>,
        "Permission" => exported: Option<List<Permission>>,
        "Instances" => instances: Option<Wrapped<Instance, InInstance>>,
        "NetworkInterfaceSets" => interfaces: Option<Wrapped<Interface, InNetworkInterfaceSet>>,
        "PrefixListId" => prefix_list: Id,
        "PrefixListName" => prefix_list_name: Text,
        "AddressFamily" => family: Text,
        "MaxEntries" => max_entries: Int,
        "Entries" => entries: Option<Wrapped<Entry, InEntry>>,
        "NextToken" => next_token: Text,
        "TotalCount" => total: Int,
    }
}

object! {
    Group {
        "SecurityGroupId" => id: Id,
        "SecurityGroupName" => name: Text,
        "Description" => description: Text,
        "SecurityGroupType" => kind: Text,
        "VpcId" => vpc: Id,
        "ServiceManaged" => service_managed: Flag,
        "Tags" => tags: Wrapped<Tag, InTag>,
    }
}

object! {
    Tag {
        "TagKey" => name: Text,
        "TagValue" => content: Text,
        "Key" => key: Text,
        "Value" => value: Text,
    }
}

object! {
    /// A rule (ALI-31). Names of groups and lists are read only to know them.
    Permission {
        "SecurityGroupRuleId" => id: Id,
        "Direction" => direction: Text,
        "IpProtocol" => protocol: Text,
        "PortRange" => ports: Text,
        "PortRangeListId" => port_list: Id,
        "PortRangeListName" => _port_list_name: Text,
        "SourcePortRange" => source_ports: Text,
        "SourceCidrIp" => source_v4: Text,
        "Ipv6SourceCidrIp" => source_v6: Text,
        "SourceGroupId" => source_group: Id,
        "SourceGroupName" => _source_group_name: Text,
        "SourceGroupOwnerAccount" => source_owner: Id,
        "SourcePrefixListId" => source_list: Id,
        "SourcePrefixListName" => _source_list_name: Text,
        "DestCidrIp" => dest_v4: Text,
        "Ipv6DestCidrIp" => dest_v6: Text,
        "DestGroupId" => dest_group: Id,
        "DestGroupName" => _dest_group_name: Text,
        "DestGroupOwnerAccount" => dest_owner: Id,
        "DestPrefixListId" => dest_list: Id,
        "DestPrefixListName" => _dest_list_name: Text,
        "NicType" => nic: Text,
        "Policy" => policy: Text,
        "Priority" => priority: Int,
        "Description" => description: Text,
    }
}

object! {
    Instance {
        "InstanceId" => id: Id,
        "InstanceName" => name: Text,
        "InstanceNetworkType" => network: Text,
        "SecurityGroupIds" => groups: GroupIds,
        "VpcAttributes" => vpc: Option<VpcAttributes>,
        "InnerIpAddress" => inner: Given<Addresses>,
        "PublicIpAddress" => public: Addresses,
        "EipAddress" => eip: Option<Eip>,
        "NetworkInterfaces" => interfaces: Wrapped<Interface, InNetworkInterface>,
    }
}

object! {
    VpcAttributes {
        "VpcId" => vpc: Id,
        "VSwitchId" => subnet: Id,
        "PrivateIpAddress" => addresses: Addresses,
    }
}

object! {
    Eip {
        "IpAddress" => address: Text,
    }
}

object! {
    /// An interface, in its own call or within an instance.
    Interface {
        "NetworkInterfaceId" => id: Id,
        "Type" => kind: Text,
        "InstanceId" => instance: Id,
        "VpcId" => vpc: Id,
        "VSwitchId" => subnet: Id,
        "SecurityGroupIds" => groups: GroupIds,
        "PrivateIpAddress" => address: Given<Text>,
        "PrimaryIpAddress" => primary_address: Given<Text>,
        "PrivateIpSets" => addresses: Given<Wrapped<PrivateIp, InPrivateIpSet>>,
        "Ipv6Sets" => v6: Given<Wrapped<Ipv6, InIpv6Set>>,
        "Ipv4PrefixSets" => v4_prefixes: Wrapped<Ipv4Prefix, InIpv4PrefixSet>,
        "Ipv6PrefixSets" => v6_prefixes: Wrapped<Ipv6Prefix, InIpv6PrefixSet>,
        "AssociatedPublicIp" => public: Option<PublicIp>,
    }
}

object! {
    PrivateIp {
        "PrivateIpAddress" => address: Text,
        "Primary" => primary: Flag,
        "AssociatedPublicIp" => public: Option<PublicIp>,
    }
}

object! {
    Ipv6 {
        "Ipv6Address" => address: Text,
    }
}

object! {
    Ipv4Prefix {
        "Ipv4Prefix" => prefix: Text,
    }
}

object! {
    Ipv6Prefix {
        "Ipv6Prefix" => prefix: Text,
    }
}

object! {
    PublicIp {
        "PublicIpAddress" => address: Text,
    }
}

object! {
    /// An entry of a prefix list or of a port list.
    Entry {
        "Cidr" => cidr: Text,
        "PortRange" => ports: Text,
    }
}

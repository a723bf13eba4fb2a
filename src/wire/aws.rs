//! Answers of AWS EC2. One type holds the fields of all calls, so that a document made of several
//! answers is read whole.

use super::{Flag, Given, Id, Int, List, Text};

object! {
    /// What the nine calls answer (AWS-16, AWS-17, AWS-22, AWS-24, AWS-26).
    Answer {
        "SecurityGroups" => groups: Option<List<Group>>,
        "SecurityGroupRules" => rules: Option<List<GroupRule>>,
        "NetworkInterfaces" => interfaces: Option<List<Interface>>,
        "Reservations" => reservations: Option<List<Reservation>>,
        "PrefixLists" => prefix_lists: Option<List<PrefixList>>,
        "Entries" => entries: Option<List<Entry>>,
        "Vpcs" => vpcs: Option<List<Vpc>>,
        "Subnets" => subnets: Option<List<Subnet>>,
        "NextToken" => next_token: Text,
    }
}

object! {
    Group {
        "GroupId" => id: Id,
        "GroupName" => name: Text,
        "Description" => description: Text,
        "VpcId" => vpc: Id,
        "OwnerId" => owner: Id,
        "Tags" => tags: List<Tag>,
        "IpPermissions" => ingress: Given<List<Permission>>,
        "IpPermissionsEgress" => egress: Given<List<Permission>>,
    }
}

object! {
    /// A bundle: every source with these protocol and ports is one rule (AWS-1).
    Permission {
        "IpProtocol" => protocol: Text,
        "FromPort" => from: Int,
        "ToPort" => to: Int,
        "IpRanges" => v4: List<Range4>,
        "Ipv6Ranges" => v6: List<Range6>,
        "PrefixListIds" => prefix_lists: List<ListSource>,
        "UserIdGroupPairs" => groups: List<GroupPair>,
    }
}

object! {
    Range4 {
        "CidrIp" => cidr: Text,
        "Description" => description: Text,
    }
}

object! {
    Range6 {
        "CidrIpv6" => cidr: Text,
        "Description" => description: Text,
    }
}

object! {
    ListSource {
        "PrefixListId" => id: Id,
        "Description" => description: Text,
    }
}

object! {
    /// A group as a source, in both views (AWS-10, AWS-17).
    GroupPair {
        "GroupId" => id: Id,
        "GroupName" => name: Text,
        "UserId" => owner: Id,
        "VpcId" => vpc: Id,
        "PeeringStatus" => peering: Text,
        "Description" => description: Text,
    }
}

object! {
    GroupRule {
        "SecurityGroupRuleId" => id: Id,
        "GroupId" => group: Id,
        "GroupOwnerId" => owner: Id,
        "IsEgress" => egress: Flag,
        "IpProtocol" => protocol: Text,
        "FromPort" => from: Int,
        "ToPort" => to: Int,
        "CidrIpv4" => v4: Text,
        "CidrIpv6" => v6: Text,
        "PrefixListId" => prefix_list: Id,
        "ReferencedGroupInfo" => peer_group: Option<GroupPair>,
        "Description" => description: Text,
        "Tags" => tags: List<Tag>,
    }
}

object! {
    Tag {
        "Key" => key: Text,
        "Value" => value: Text,
    }
}

object! {
    /// An interface, in its own call or within an instance; the inner names are the same (AWS-24).
    Interface {
        "NetworkInterfaceId" => id: Id,
        "VpcId" => vpc: Id,
        "SubnetId" => subnet: Id,
        "Groups" => groups: Option<List<GroupName>>,
        "PrivateIpAddress" => address: Given<Text>,
        "PrivateIpAddresses" => addresses: Given<List<PrivateAddress>>,
        "Ipv6Addresses" => v6: Given<List<Ipv6Address>>,
        "Ipv4Prefixes" => v4_prefixes: List<Ipv4Prefix>,
        "Ipv6Prefixes" => v6_prefixes: List<Ipv6Prefix>,
        "Association" => association: Option<Association>,
        "Attachment" => attachment: Option<Attachment>,
    }
}

object! {
    GroupName {
        "GroupId" => id: Id,
        "GroupName" => _name: Text,
    }
}

object! {
    PrivateAddress {
        "PrivateIpAddress" => address: Text,
        "Primary" => primary: Flag,
        "Association" => association: Option<Association>,
    }
}

object! {
    Ipv6Address {
        "Ipv6Address" => address: Text,
        "IsPrimaryIpv6" => primary: Flag,
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
    Association {
        "PublicIp" => public: Text,
    }
}

object! {
    Attachment {
        "InstanceId" => instance: Id,
        "DeviceIndex" => device: Int,
        "NetworkCardIndex" => card: Int,
    }
}

object! {
    Reservation {
        "Instances" => instances: List<Instance>,
    }
}

object! {
    Instance {
        "InstanceId" => id: Id,
        "VpcId" => vpc: Id,
        "SubnetId" => subnet: Id,
        "PrivateIpAddress" => address: Text,
        "PublicIpAddress" => public: Text,
        "Ipv6Address" => v6: Text,
        "SecurityGroups" => groups: Option<List<GroupName>>,
        "Tags" => tags: List<Tag>,
        "NetworkInterfaces" => interfaces: List<Interface>,
    }
}

object! {
    /// A managed list, or one of the older call, which has its entries inline (AWS-26).
    PrefixList {
        "PrefixListId" => id: Id,
        "PrefixListName" => name: Text,
        "AddressFamily" => family: Text,
        "MaxEntries" => max_entries: Int,
        "Cidrs" => cidrs: Option<List<Text>>,
    }
}

object! {
    Entry {
        "Cidr" => cidr: Text,
    }
}

object! {
    Vpc {
        "VpcId" => id: Id,
        "CidrBlock" => cidr: Text,
        "CidrBlockAssociationSet" => v4: List<Block4>,
        "Ipv6CidrBlockAssociationSet" => v6: List<Block6>,
    }
}

object! {
    Subnet {
        "SubnetId" => id: Id,
        "VpcId" => vpc: Id,
        "CidrBlock" => cidr: Text,
        "Ipv6CidrBlockAssociationSet" => v6: List<Block6>,
    }
}

object! {
    Block4 {
        "CidrBlock" => cidr: Text,
        "CidrBlockState" => state: Option<BlockState>,
    }
}

object! {
    Block6 {
        "Ipv6CidrBlock" => cidr: Text,
        "Ipv6CidrBlockState" => state: Option<BlockState>,
    }
}

object! {
    BlockState {
        "State" => state: Text,
    }
}

//! Interfaces that have the same policy.

use std::collections::BTreeMap;

use crate::model::{GroupId, Interface, InterfaceId, Inventory, NicType, SubnetId, VpcId};

/// Interfaces to which an engine gives the same policy: what it can read of them is equal.
///
/// That is so for engines whose policies depend on the attached groups in their order, the VPC, the
/// subnet and the card of the interface, and on what these lead to in the inventory; those of this crate
/// do. An interface whose groups are not known, or that has none, is a class of its own.
#[derive(Debug, Clone)]
pub struct InterfaceClass<'i> {
    /// All of them, in the order of their ids; never empty.
    members: Vec<&'i Interface>,
    representative: &'i Interface,
}

/// What a policy can depend on.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'i> {
    groups: Option<&'i [GroupId]>,
    vpc: Option<&'i VpcId>,
    /// Only where it was described; otherwise it says nothing.
    subnet: Option<&'i SubnetId>,
    nic: Option<NicType>,
    alone: Option<&'i InterfaceId>,
}

impl<'i> InterfaceClass<'i> {
    /// The classes of all interfaces of an inventory, in the order of their first interface.
    pub fn all(inventory: &'i Inventory) -> Vec<Self> {
        let mut places: BTreeMap<Key<'i>, usize> = BTreeMap::new();
        let mut classes: Vec<Self> = Vec::new();
        for interface in inventory.interfaces() {
            let known = interface.groups.as_ref().is_some_and(|groups| !groups.is_empty());
            let subnet = interface.subnet.as_ref().filter(|subnet| inventory.subnet(subnet.as_str()).is_some());
            let key = Key {
                groups: interface.groups.as_deref(),
                vpc: interface.vpc.as_ref(),
                subnet,
                nic: interface.nic,
                alone: (!known).then_some(&interface.id),
            };
            let place = *places.entry(key).or_insert(classes.len());
            match classes.get_mut(place) {
                Some(class) => class.members.push(interface),
                None => classes.push(Self { members: vec![interface], representative: interface }),
            }
        }
        classes
    }

    /// One of them, whose policy is that of all.
    pub fn representative(&self) -> &'i Interface {
        self.representative
    }

    /// All of them, in the order of their ids.
    pub fn members(&self) -> &[&'i Interface] {
        &self.members
    }

    /// The ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &'i InterfaceId> + '_ {
        self.members.iter().map(|interface| &interface.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_policies_depend_on_tells_classes_apart() {
        let with = |id: &str, groups: &[&str]| Interface::new(id).with_groups(groups.iter().copied());
        let inventory = Inventory::builder()
            .interface(with("eni-1", &["a", "b"]))
            .interface(with("eni-2", &["b", "a"]))
            .interface(with("eni-3", &["a", "b"]))
            .interface(with("eni-4", &["a", "b"]).in_vpc("vpc-1"))
            .interface(with("eni-5", &["a", "b"]).in_subnet("not described"))
            .interface(Interface::new("eni-6"))
            .interface(Interface::new("eni-7"))
            .interface(Interface::new("eni-8").without_groups())
            .build()
            .unwrap();
        let classes: Vec<Vec<&str>> = InterfaceClass::all(&inventory)
            .iter()
            .map(|class| class.ids().map(InterfaceId::as_str).collect())
            .collect();
        let expected: [&[&str]; 6] =
            [&["eni-1", "eni-3", "eni-5"], &["eni-2"], &["eni-4"], &["eni-6"], &["eni-7"], &["eni-8"]];
        assert_eq!(classes, expected);
    }
}

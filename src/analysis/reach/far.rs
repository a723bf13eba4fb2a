//! Which VPCs are joined, and what a policy can see of an interface in another one.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::addresses::number;
use crate::analysis::classes::InterfaceClass;
use crate::engine::Scope;
use crate::model::{
    GroupId, Interface, InterfaceId, Inventory, NicType, Peer, PeeringStatus, SecurityGroup, VpcId, VpcRelation,
};

/// The VPCs of interfaces, by number; one of them is that of interfaces whose VPC is not known.
#[derive(Debug)]
pub(super) struct Vpcs<'i> {
    all: Vec<Option<&'i VpcId>>,
    /// Whether traffic between two is known to be possible, row by row.
    joined: Vec<bool>,
}

impl<'i> Vpcs<'i> {
    fn new(inventory: &'i Inventory) -> Self {
        let all: BTreeSet<Option<&VpcId>> = inventory.interfaces().map(|interface| interface.vpc.as_ref()).collect();
        let all: Vec<Option<&VpcId>> = all.into_iter().collect();
        let active = active_peerings(inventory);
        let is_joined = |a: Option<&'i VpcId>, b: Option<&'i VpcId>| {
            // Where one is not known, it may be the same.
            let (Some(a), Some(b)) = (a, b) else { return true };
            match inventory.relation(a, b) {
                VpcRelation::Same | VpcRelation::Peered | VpcRelation::TransitGateway => true,
                VpcRelation::Unknown => active.contains(&(a, b)),
            }
        };
        let joined = all.iter().flat_map(|a| all.iter().map(move |b| is_joined(*a, *b))).collect();
        Self { all, joined }
    }

    /// Whether traffic between two VPCs is known to be possible.
    pub(super) fn joined(&self, a: usize, b: usize) -> bool {
        self.joined.get(a * self.all.len() + b).copied().unwrap_or_default()
    }

    fn number(&self, vpc: Option<&VpcId>) -> usize {
        self.all.binary_search(&vpc).unwrap_or_default()
    }
}

/// Pairs of VPCs of which one has a rule with a reference into the other, over an active peering.
fn active_peerings(inventory: &Inventory) -> BTreeSet<(&VpcId, &VpcId)> {
    let mut active = BTreeSet::new();
    for group in inventory.groups() {
        let Some(own) = group.vpc() else { continue };
        for rule in &group.rules {
            let Peer::Group(reference) = &rule.peer else { continue };
            let home = || inventory.group(reference.id.as_str()).and_then(SecurityGroup::vpc);
            if reference.peering == Some(PeeringStatus::Active)
                && let Some(theirs) = reference.vpc.as_ref().or_else(home)
            {
                active.extend([(own, theirs), (theirs, own)]);
            }
        }
    }
    active
}

/// What interfaces look like to references in other VPCs, at most, by number.
#[derive(Debug)]
pub(super) struct Appearances<'i> {
    pub(super) vpcs: Vpcs<'i>,
    all: Vec<Appearance<'i>>,
    of: BTreeMap<&'i InterfaceId, u32>,
    /// Those that carry a group, and those whose groups are not known.
    carriers: HashMap<&'i GroupId, Vec<u32>, foldhash::fast::RandomState>,
    undecided: Vec<u32>,
}

#[derive(Debug)]
struct Appearance<'i> {
    example: &'i Interface,
    vpc: usize,
    members: Vec<&'i Interface>,
}

/// What references can see of an interface in another VPC, beside its addresses: where two interfaces are
/// equal in this, a policy that is lowered towards one of them says the same as towards the other.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sight<'i> {
    vpc: usize,
    /// Which of the groups it carries; `None` if that is not known.
    groups: Option<Vec<&'i GroupId>>,
    addresses_unknown: bool,
    /// A public card has other addresses than groups know it by.
    alone: Option<&'i InterfaceId>,
}

/// Interfaces in other VPCs that a policy treats alike.
#[derive(Debug)]
pub(super) struct Seen {
    /// One that stands for all of them, with the addresses of all.
    pub(super) far: Interface,
    pub(super) appearances: Vec<u32>,
}

/// What a policy has to be lowered for beside itself.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// VPCs in which interfaces are nobody to the policy, and one that stands for those.
    pub(super) nobody: Vec<(Interface, Vec<usize>)>,
    /// Interfaces that are somebody to it.
    pub(super) somebody: Vec<Seen>,
}

impl<'i> Appearances<'i> {
    pub(super) fn new(inventory: &'i Inventory, classes: &[InterfaceClass<'i>]) -> Self {
        let vpcs = Vpcs::new(inventory);
        let mut known: BTreeMap<(usize, bool, Option<&InterfaceId>), usize> = BTreeMap::new();
        let mut all: Vec<Appearance<'i>> = Vec::new();
        let mut of = BTreeMap::new();
        let mut carriers: HashMap<&GroupId, Vec<u32>, foldhash::fast::RandomState> = HashMap::default();
        let mut undecided = Vec::new();
        for (class, members) in classes.iter().enumerate() {
            for interface in members.members().iter().copied() {
                let alone = (interface.nic == Some(NicType::Internet)).then_some(&interface.id);
                let place = *known.entry((class, interface.addresses_unknown, alone)).or_insert(all.len());
                if let Some(appearance) = all.get_mut(place) {
                    appearance.members.push(interface);
                } else {
                    let vpc = vpcs.number(interface.vpc.as_ref());
                    all.push(Appearance { example: interface, vpc, members: vec![interface] });
                    match &interface.groups {
                        Some(groups) => {
                            for group in groups {
                                carriers.entry(group).or_default().push(number(place));
                            }
                        }
                        None => undecided.push(number(place)),
                    }
                }
                of.insert(&interface.id, number(place));
            }
        }
        Self { vpcs, all, of, carriers, undecided }
    }

    pub(super) fn of(&self, interface: &InterfaceId) -> Option<u32> {
        self.of.get(interface).copied()
    }

    /// The VPC of interfaces that look so.
    pub(super) fn vpc(&self, appearance: u32) -> usize {
        self.get(appearance).map(|appearance| appearance.vpc).unwrap_or_default()
    }

    fn get(&self, appearance: u32) -> Option<&Appearance<'i>> {
        self.all.get(usize::try_from(appearance).ok()?)
    }

    /// What a policy has to be lowered for: interfaces in other VPCs that are joined, if rules of its groups
    /// refer to groups; of others it sees the addresses.
    pub(super) fn others(&self, scope: &Scope<'i>) -> Others {
        let (own, groups) = references(scope);
        let mut others = Others::default();
        let home = self.vpcs.number(scope.interface.vpc.as_ref());
        let foreign = |vpc: usize| match self.vpcs.all.get(vpc) {
            Some(Some(theirs)) => self.vpcs.joined(home, vpc) && own.iter().any(|own| own != theirs),
            _ => false,
        };
        let foreign: Vec<usize> = (0..self.vpcs.all.len()).filter(|vpc| foreign(*vpc)).collect();
        if foreign.is_empty() {
            return others;
        }
        let carriers = groups.iter().filter_map(|group| self.carriers.get(*group)).chain([&self.undecided]);
        let mut sights: BTreeMap<Sight<'i>, Vec<u32>> = BTreeMap::new();
        for number in carriers.flatten().copied().collect::<BTreeSet<u32>>() {
            let Some(Appearance { example, vpc, .. }) = self.get(number) else { continue };
            if foreign.contains(vpc) {
                let carried = |all: &Vec<GroupId>| groups.iter().copied().filter(|id| all.contains(id)).collect();
                let sight = Sight {
                    vpc: *vpc,
                    groups: example.groups.as_ref().map(carried),
                    addresses_unknown: example.addresses_unknown,
                    alone: (example.nic == Some(NicType::Internet)).then_some(&example.id),
                };
                sights.entry(sight).or_default().push(number);
            }
        }
        for appearances in sights.into_values() {
            let looks = || appearances.iter().filter_map(|appearance| self.get(*appearance));
            let Some(mut far) = looks().next().map(|appearance| appearance.example.clone()) else { continue };
            if far.nic != Some(NicType::Internet) {
                let members = looks().flat_map(|appearance| &appearance.members);
                far.addresses = members.flat_map(|interface| interface.filtered_addresses()).copied().collect();
            }
            others.somebody.push(Seen { far, appearances });
        }
        // To references of one VPC, an interface that carries none of the groups is the same in all others.
        let apart: Vec<Vec<usize>> = match own.len() {
            1 => vec![foreign],
            _ => foreign.into_iter().map(|vpc| vec![vpc]).collect(),
        };
        for vpcs in apart {
            let vpc = vpcs.first().and_then(|vpc| self.vpcs.all.get(*vpc)).copied().flatten();
            let mut far = Interface::new("(nobody)").without_groups();
            far.vpc = vpc.cloned();
            others.nobody.push((far, vpcs));
        }
        others
    }
}

/// The VPCs that references of a policy stand in, and the groups that they are about.
fn references<'i>(scope: &Scope<'i>) -> (BTreeSet<&'i VpcId>, BTreeSet<&'i GroupId>) {
    let (mut own, mut groups) = (BTreeSet::new(), BTreeSet::new());
    for group in scope.attachments().iter().filter_map(|attachment| attachment.loaded()) {
        for rule in group.rules.iter().filter(|rule| rule.direction == scope.direction) {
            if let Peer::Group(reference) = &rule.peer {
                own.extend(scope.interface.vpc.as_ref().or_else(|| group.vpc()));
                groups.insert(&reference.id);
            }
        }
    }
    (own, groups)
}

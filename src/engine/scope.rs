//! Whose policy is asked for.

use std::collections::BTreeSet;

use crate::model::{GroupId, Interface, Inventory, NicType, Rule, SecurityGroup, Subnet, Vpc};
use crate::net::Direction;

use super::LowerError;

/// Whose policy is asked for: an interface with its groups, and a direction.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Scope<'a> {
    /// Where references are resolved.
    pub inventory: &'a Inventory,
    /// The interface.
    pub interface: &'a Interface,
    /// Its groups in the order of attachment; `None` if it is not known which they are.
    pub groups: Option<Vec<Attachment<'a>>>,
    /// The direction.
    pub direction: Direction,
    /// Whether the path keeps the identity of the sender, so that references to groups work
    /// (AWS-43): true within a VPC and over a direct peering, false behind a middlebox.
    pub identity_preserved: bool,
    /// The interface at the far end, where it is known. Addresses alone do not tell who it is if it
    /// lies in another VPC, for ranges of VPCs may overlap.
    pub far: Option<&'a Interface>,
}

/// A group attached to an interface.
#[derive(Debug, Clone, Copy)]
pub enum Attachment<'a> {
    /// The group was loaded.
    Loaded(&'a SecurityGroup),
    /// Only its id is known.
    Missing(&'a GroupId),
}

impl<'a> Attachment<'a> {
    /// The group's id.
    pub fn id(self) -> &'a GroupId {
        match self {
            Self::Loaded(group) => &group.id,
            Self::Missing(id) => id,
        }
    }

    /// The group, if it was loaded.
    pub fn loaded(self) -> Option<&'a SecurityGroup> {
        match self {
            Self::Loaded(group) => Some(group),
            Self::Missing(_) => None,
        }
    }
}

impl<'a> Scope<'a> {
    /// The policy of an interface in one direction, with the groups that the inventory gives it.
    pub fn new(inventory: &'a Inventory, interface: &'a Interface, direction: Direction) -> Self {
        let scope = Self { inventory, interface, groups: None, direction, identity_preserved: true, far: None };
        match &interface.groups {
            Some(ids) => scope.with_groups(ids),
            None => scope,
        }
    }

    /// The same scope with these groups in place of the interface's own, as for groups that stand on
    /// a subnet.
    pub fn with_groups(mut self, ids: impl IntoIterator<Item = &'a GroupId>) -> Self {
        let attach =
            |id: &'a GroupId| self.inventory.group(id.as_str()).map_or(Attachment::Missing(id), Attachment::Loaded);
        // A group attached twice is attached once.
        let mut seen = BTreeSet::new();
        self.groups = Some(ids.into_iter().filter(|id| seen.insert(*id)).map(attach).collect());
        self
    }

    /// The same for an interface by id.
    ///
    /// # Errors
    /// [`LowerError::NoInterface`] if the inventory has no such interface.
    pub fn of(inventory: &'a Inventory, interface: &str, direction: Direction) -> Result<Self, LowerError> {
        match inventory.interface(interface) {
            Some(interface) => Ok(Self::new(inventory, interface, direction)),
            None => Err(LowerError::NoInterface(interface.into())),
        }
    }

    /// The same scope on a path that does not keep the sender's identity (AWS-43): references to
    /// groups match nothing.
    pub fn behind_middlebox(mut self) -> Self {
        self.identity_preserved = false;
        self
    }

    /// The same scope for traffic with this interface only.
    pub fn towards(mut self, far: &'a Interface) -> Self {
        self.far = Some(far);
        self
    }

    /// The groups, or none if they are not known.
    pub fn attachments(&self) -> &[Attachment<'a>] {
        self.groups.as_deref().unwrap_or_default()
    }

    /// Whether it is known that there are no groups, which is not the same as groups that are not
    /// known.
    pub fn has_no_groups(&self) -> bool {
        self.groups.as_ref().is_some_and(Vec::is_empty)
    }

    /// The VPC of the interface, if it was described.
    pub fn vpc(&self) -> Option<&'a Vpc> {
        self.inventory.vpc(self.interface.vpc.as_ref()?.as_str())
    }

    /// The subnet of the interface, if it was described.
    pub fn subnet(&self) -> Option<&'a Subnet> {
        self.inventory.subnet(self.interface.subnet.as_ref()?.as_str())
    }

    /// The card of a classic instance, or `None` in a VPC.
    pub fn nic(&self) -> Option<NicType> {
        self.interface.nic
    }
}

/// Where a rule stands: its group, the group's place on the interface, its own place in the group.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RuleSite<'a> {
    /// The group.
    pub group: &'a SecurityGroup,
    /// The group's place among those of the interface, from 0.
    pub ordinal: u32,
    /// The rule's place among the group's rules of its direction, from 0.
    pub index: u32,
    /// The rule.
    pub rule: &'a Rule,
}

//! What of a fleet answers to addresses outside.

use std::collections::BTreeMap;

use super::classes::InterfaceClass;
use super::reach::ReachError;
use crate::engine::{PolicyEngine, Scope};
use crate::model::{Interface, Inventory};
use crate::net::{AddressSet, Cidr, Direction, Family};
use crate::set::grid::Parts;
use crate::set::{Decided, PacketSet, ServiceSet};

/// What interfaces with the same policy let in from some far addresses, to any of their own.
///
/// This is what groups do. Whether the interfaces have public addresses and routes is not asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exposure<'i> {
    /// The interfaces, in the order of their ids.
    pub interfaces: Vec<&'i Interface>,
    /// The traffic that is allowed from every one of the far addresses.
    pub whole: ServiceSet,
    /// The packets that are allowed, from all or some of the far addresses.
    pub allowed: PacketSet,
    /// The packets of which the data cannot tell: not allowed at any own address that is known, and perhaps
    /// at one.
    pub indeterminate: PacketSet,
}

/// The interfaces that let something in from these far addresses, or may, by class. Those that are not
/// listed let in nothing.
///
/// Own addresses are those that packets at an interface have, delegated prefixes among them; over a family
/// of which an interface has none it is not exposed. Where own addresses are not known, it may be. An
/// interface that no group filters is exposed with everything.
///
/// Costs what [`Decided`] does, once for each class of interfaces with the same policy, and once more for
/// each interface where rules name own addresses.
///
/// # Errors
/// [`ReachError`] if a policy cannot be lowered, or has too many cells as a set.
///
/// ```
/// use secgroup::analysis::exposure;
/// use secgroup::engine::AwsEngine;
/// use secgroup::model::{Interface, Inventory, Rule, SecurityGroup, Traffic};
/// use secgroup::net::{AddressSet, Cidr, Direction};
///
/// let (anywhere, office): (Cidr, Cidr) = ("0.0.0.0/0".parse()?, "198.51.100.0/24".parse()?);
/// let inventory = Inventory::builder()
///     .group(SecurityGroup::aws("sg-1").with_rules([
///         Rule::allow(Direction::Ingress, Traffic::tcp(443), anywhere),
///         Rule::allow(Direction::Ingress, Traffic::tcp(22), office),
///     ]))
///     .interface(Interface::new("eni-1").with_groups(["sg-1"]).with_address("10.0.0.1".parse()?))
///     .build()?;
/// let engine = AwsEngine::new();
/// let exposed = exposure(&engine, &inventory, &AddressSet::from(anywhere))?;
/// assert_eq!(exposed[0].whole.to_string(), "tcp/443 over IPv4");
/// assert_eq!(
///     exposed[0].allowed.to_string(),
///     "tcp/22, tcp/443 remote 198.51.100.0/24; tcp/443 remote any IPv4 address"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn exposure<'i>(
    engine: &dyn PolicyEngine,
    inventory: &'i Inventory,
    from: &AddressSet,
) -> Result<Vec<Exposure<'i>>, ReachError> {
    let mut all = Vec::new();
    for class in InterfaceClass::all(inventory) {
        let policy = engine.lower(&Scope::new(inventory, class.representative(), Direction::Ingress))?;
        let decided = Decided::new(&policy)?;
        let seen = PacketSet::with_remote(from);
        let (allow, open) = (decided.allow().intersection(&seen)?, decided.indeterminate().intersection(&seen)?);
        if allow.is_empty() && open.is_empty() {
            continue;
        }
        let may = allow.union(&open)?;
        let anywhere = Parts::new(&policy).locals().is_empty();
        let mut alike: BTreeMap<(Vec<Cidr>, bool), Vec<&'i Interface>> = BTreeMap::new();
        for interface in class.members().iter().copied() {
            alike.entry(own_blocks(interface, anywhere)).or_default().push(interface);
        }
        let mut exposures: Vec<Exposure<'i>> = Vec::new();
        for ((blocks, unknown), interfaces) in alike {
            let own = AddressSet::from_iter(blocks);
            let allowed = allow.at_any_of(&own);
            let possible = if unknown { may.at_any_of(&AddressSet::all()) } else { may.at_any_of(&own) };
            let indeterminate = possible.difference(&allowed)?;
            if allowed.is_empty() && indeterminate.is_empty() {
                continue;
            }
            let same = |e: &&mut Exposure<'i>| e.allowed == allowed && e.indeterminate == indeterminate;
            if let Some(exposure) = exposures.iter_mut().find(same) {
                exposure.interfaces.extend(interfaces);
            } else {
                let whole = allowed.services_from(from);
                exposures.push(Exposure { interfaces, whole, allowed, indeterminate });
            }
        }
        all.append(&mut exposures);
    }
    for exposure in &mut all {
        exposure.interfaces.sort_by_key(|interface| &interface.id);
    }
    all.sort_by_key(|exposure| exposure.interfaces.first().map(|interface| &interface.id));
    Ok(all)
}

/// The own addresses, as far as a policy can tell them apart, and whether there may be others: an
/// interface without any has some that the data does not have.
pub(super) fn own_blocks(interface: &Interface, anywhere: bool) -> (Vec<Cidr>, bool) {
    let hosts = interface.filtered_addresses().iter().copied().map(Cidr::host);
    let mut blocks: Vec<Cidr> = hosts.chain(interface.prefixes.iter().copied()).collect();
    let unknown = interface.addresses_unknown || blocks.is_empty();
    if anywhere {
        let has = |family: &Family| blocks.iter().any(|block| block.family() == *family);
        blocks = Family::ALL.into_iter().filter(has).map(Cidr::all).collect();
    }
    blocks.sort();
    blocks.dedup();
    (blocks, unknown)
}

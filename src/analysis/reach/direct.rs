//! One pair of interfaces by itself.

use super::ReachError;
use super::reached::{Fates, Reached};
use crate::engine::{PolicyEngine, Scope};
use crate::model::{Interface, Inventory};
use crate::net::{Direction, Family};
use crate::set::SetError;
use crate::set::grid::{Budget, Parts};

/// What becomes of traffic between two interfaces whose VPCs are not joined as far as is known.
pub(super) fn between(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    from: &Interface,
    to: &Interface,
) -> Result<Reached, ReachError> {
    let mut budget = Budget::new(super::Reach::LIMITS);
    let egress = engine.lower(&Scope::new(inventory, from, Direction::Egress).towards(to))?;
    let ingress = engine.lower(&Scope::new(inventory, to, Direction::Ingress).towards(from))?;
    let (egress, ingress) = (Parts::new(&egress), Parts::new(&ingress));
    let mut fates = Fates::default();
    for sender in from.filtered_addresses().iter().copied() {
        let family = Family::of(sender);
        for receiver in to.filtered_addresses().iter().copied().filter(|receiver| Family::of(*receiver) == family) {
            let mut row = |parts: &Parts<'_>, local, remote| -> Result<_, SetError> {
                let mut touched = parts.none();
                for (index, part) in parts.iter().enumerate() {
                    let inside = part.remotes().all(|set| set.contains(remote));
                    if inside && part.locals().all(|block| block.contains(local)) {
                        touched.flip(index);
                    }
                }
                parts.verdicts(family, &touched, &mut budget)
            };
            let (out, into) = (row(&egress, sender, receiver)?, row(&ingress, receiver, sender)?);
            fates = fates.or(&Fates::new(family, &out, &into));
        }
    }
    Ok(fates.reached(false))
}

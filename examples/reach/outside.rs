//! What answers to addresses outside.

use secgroup::analysis::exposure;
use secgroup::engine::PolicyEngine;
use secgroup::model::{InterfaceId, Inventory};
use secgroup::net::{AddressSet, Direction};
use secgroup::set::{PacketSet, ServiceSet};
use serde::Serialize;

use crate::{Failure, count, names};

#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    from: String,
    exposed: Vec<Exposed>,
    /// How many interfaces let in nothing.
    closed: usize,
}

#[derive(Debug, Serialize)]
struct Exposed {
    interfaces: Vec<InterfaceId>,
    /// Those with a public address in the data.
    public: Vec<InterfaceId>,
    /// Whether no group filters them.
    unfiltered: bool,
    /// What is allowed from all of the addresses.
    whole: ServiceSet,
    /// What is allowed from all or some of them.
    allowed: PacketSet,
    indeterminate: PacketSet,
}

pub(crate) fn ask(engine: &dyn PolicyEngine, inventory: &Inventory, from: &AddressSet) -> Result<Answer, Failure> {
    let mut exposed = Vec::new();
    for found in exposure(engine, inventory, from)? {
        let public = found.interfaces.iter().filter(|interface| !interface.public.is_empty());
        exposed.push(Exposed {
            public: public.map(|interface| interface.id.clone()).collect(),
            interfaces: found.interfaces.iter().map(|interface| interface.id.clone()).collect(),
            unfiltered: found.interfaces.iter().all(|i| i.groups.as_ref().is_some_and(Vec::is_empty)),
            whole: found.whole,
            allowed: found.allowed,
            indeterminate: found.indeterminate,
        });
    }
    let listed: usize = exposed.iter().map(|found| found.interfaces.len()).sum();
    let closed = inventory.interfaces().len() - listed;
    let from = if *from == AddressSet::all() { "anywhere".to_owned() } else { from.to_string() };
    Ok(Answer { from, exposed, closed })
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        let mut text = format!("what answers to {}", self.from);
        for found in &self.exposed {
            text.push_str(&format!("\n  {}", names(&found.interfaces)));
            if found.unfiltered {
                text.push_str(" (no group filters it)");
            }
            if !found.public.is_empty() {
                let public = found.public.len();
                text.push_str(&format!(" ({} of {} with a public address)", public, found.interfaces.len()));
            }
            if !found.whole.is_empty() {
                text.push_str(&format!("\n    from all of it: {}", found.whole));
            }
            for (what, packets) in [("allowed", &found.allowed), ("perhaps", &found.indeterminate)] {
                for part in packets.boxes() {
                    text.push_str(&format!("\n    {what}: {}", part.text(Direction::Ingress)));
                }
            }
        }
        if self.closed > 0 {
            text.push_str(&format!("\n  nothing is let in by {}", count(self.closed, "interface")));
        }
        text
    }
}

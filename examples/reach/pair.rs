//! From one interface to another.

use std::sync::Arc;

use secgroup::analysis::{Reach, Reached};
use secgroup::engine::{PathReport, Probe};
use secgroup::model::{Interface, InterfaceId};
use secgroup::net::{AddressSet, Cidr, Family, Flow};
use secgroup::set::ServiceSet;
use serde::Serialize;

use crate::Failure;

/// What becomes of traffic from one interface to another, with an example of what is not allowed.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    from: InterfaceId,
    to: InterfaceId,
    #[serde(flatten, serialize_with = "crate::shared")]
    reached: Arc<Reached>,
    /// Why traffic is stopped, or may be.
    examples: Vec<Example>,
}

/// A packet, and why it does not pass or may not.
#[derive(Debug, Serialize)]
struct Example {
    packet: Flow,
    report: PathReport,
}

pub(crate) fn ask(reach: &Reach<'_>, from: &Interface, to: &Interface) -> Result<Answer, Failure> {
    let reached = reach.between(from.id.as_str(), to.id.as_str())?;
    let mut examples = Vec::new();
    for traffic in [reached.stopped(), reached.indeterminate.clone()] {
        if let Some(packet) = witness(&traffic, from, to) {
            let probe = match packet.local() {
                Some(sender) => Probe::from(&packet).between(sender, packet.remote()),
                None => Probe::from(&packet),
            };
            let report = reach.why(from.id.as_str(), to.id.as_str(), &probe)?;
            examples.push(Example { packet, report });
        }
    }
    Ok(Answer { from: from.id.clone(), to: to.id.clone(), reached, examples })
}

/// Ports that people know, for examples.
const KNOWN: [u16; 4] = [443, 22, 80, 3306];
/// A source port that clients use.
const EPHEMERAL: u16 = 49_152;

/// A packet of this traffic as it leaves the sender.
fn witness(traffic: &ServiceSet, from: &Interface, to: &Interface) -> Option<Flow> {
    let primary = |interface: &Interface| -> AddressSet {
        let addresses = Family::ALL.into_iter().filter_map(|family| interface.local_address(family));
        addresses.map(Cidr::host).collect()
    };
    let known = Family::ALL.into_iter().filter_map(|family| from.local_address(family).zip(to.local_address(family)));
    let mut known = known.flat_map(|(sender, receiver)| {
        KNOWN.iter().filter_map(move |port| Flow::tcp(receiver, *port).from_port(EPHEMERAL).at(sender).ok())
    });
    let known = known.find(|flow| traffic.contains(flow) == Some(true));
    known.or_else(|| traffic.packets(&primary(to), &primary(from)).witness())
}

impl Answer {
    pub(crate) fn status(&self) -> u8 {
        // Without addresses of one family there is nothing to judge, so nothing is proved.
        let judged = self.from == self.to || !self.reached.families.is_empty();
        match (self.reached.allowed.is_empty(), self.reached.indeterminate.is_empty() && judged) {
            (false, _) => 0,
            (true, false) => 3,
            (true, true) => 1,
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self { from, to, reached, .. } = self;
        let mut text = format!("from {from} to {to}");
        if !reached.joined {
            text.push_str("\n  note: their VPCs are not joined as far as is known; this is what their groups would do");
        }
        if from == to {
            text.push_str("\n  traffic of an interface to itself does not pass its security groups");
        } else if reached.families.is_empty() {
            text.push_str("\n  they have no addresses of one family, as far as the data has addresses");
        }
        for (name, traffic) in [
            ("allowed".to_owned(), &reached.allowed),
            ("indeterminate".to_owned(), &reached.indeterminate),
            (format!("stopped at {from}"), &reached.stopped_at_sender),
            (format!("stopped at {to}"), &reached.stopped_at_receiver),
        ] {
            if !traffic.is_empty() || name == "allowed" {
                text.push_str(&format!("\n  {name}: {traffic}"));
            }
        }
        for example in &self.examples {
            let report = example.report.to_string().replace('\n', "\n    ");
            text.push_str(&format!("\n  for example {}: {report}", example.packet.service()));
        }
        text
    }
}

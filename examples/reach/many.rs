//! Who reaches an interface, what it reaches, and all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use secgroup::analysis::{Link, Outcome, Reach, ReachClass, Reached};
use secgroup::model::{Interface, InterfaceId};
use serde::Serialize;

use crate::{Failure, count, names};

/// The links of one interface.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    interface: InterfaceId,
    direction: Way,
    /// Classes with which something is or may be allowed.
    links: Vec<Entry>,
    /// Classes with which nothing is.
    stopped: Vec<Entry>,
    /// Interfaces in VPCs that are not joined as far as is known.
    not_joined: Vec<InterfaceId>,
    /// Interfaces that have no addresses of one family, as far as the data has addresses.
    no_common_family: Vec<InterfaceId>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    To,
    From,
}

#[derive(Debug, Serialize)]
struct Entry {
    interfaces: Vec<InterfaceId>,
    #[serde(flatten, serialize_with = "crate::shared")]
    reached: Arc<Reached>,
}

impl Answer {
    /// Who reaches an interface.
    pub(crate) fn to(reach: &Reach<'_>, interface: &Interface) -> Result<Self, Failure> {
        let links = reach.to(interface.id.as_str())?;
        Ok(Self::new(interface, Way::To, links.iter().map(|link| (link.from, &link.outcome))))
    }

    /// What an interface reaches.
    pub(crate) fn from(reach: &Reach<'_>, interface: &Interface) -> Result<Self, Failure> {
        let links = reach.from(interface.id.as_str())?;
        Ok(Self::new(interface, Way::From, links.iter().map(|link| (link.to, &link.outcome))))
    }

    fn new<'r, 'i: 'r>(
        interface: &Interface,
        direction: Way,
        links: impl Iterator<Item = (&'r ReachClass<'i>, &'r Outcome)>,
    ) -> Self {
        let mut answer = Self {
            interface: interface.id.clone(),
            direction,
            links: Vec::new(),
            stopped: Vec::new(),
            not_joined: Vec::new(),
            no_common_family: Vec::new(),
        };
        for (class, outcome) in links {
            let ids = class.ids().filter(|id| **id != interface.id).cloned().collect();
            match outcome {
                Outcome::Judged(reached) => {
                    let list = if reached.is_open() { &mut answer.links } else { &mut answer.stopped };
                    list.push(Entry { interfaces: ids, reached: reached.clone() });
                }
                Outcome::NotJoined => answer.not_joined.extend(ids),
                _ => answer.no_common_family.extend(ids),
            }
        }
        answer
    }

    pub(crate) fn text(&self) -> String {
        let (title, end) = match self.direction {
            Way::To => ("can reach", "from"),
            Way::From => ("can be reached from", "to"),
        };
        let mut text = format!("what {title} {}", self.interface);
        if self.links.is_empty() {
            text.push_str("\n  nothing, as far as interfaces of the configuration go");
        }
        for Entry { interfaces, reached } in &self.links {
            text.push_str(&format!("\n  {end} {}:{}", names(interfaces), open(reached)));
        }
        let (mut sender, mut receiver) = (0, 0);
        for Entry { interfaces, reached } in &self.stopped {
            sender += if reached.stopped_at_sender.is_empty() { 0 } else { interfaces.len() };
            receiver += if reached.stopped_at_receiver.is_empty() { 0 } else { interfaces.len() };
        }
        let stopped: usize = self.stopped.iter().map(|entry| entry.interfaces.len()).sum();
        if stopped > 0 {
            text.push_str(&format!(
                "\n  everything is stopped {end} {}: {sender} at the sender, {receiver} at the receiver; \
                 --from and --to of a pair tell why",
                count(stopped, "interface"),
            ));
        }
        for (ids, why) in [
            (&self.not_joined, "in VPCs that are not joined as far as is known"),
            (&self.no_common_family, "without addresses of one family in the data"),
        ] {
            if !ids.is_empty() {
                text.push_str(&format!("\n  not judged, {why}: {}", names(ids)));
            }
        }
        text
    }
}

/// What is and may be allowed.
fn open(reached: &Reached) -> String {
    let mut text = String::new();
    if !reached.allowed.is_empty() {
        text.push_str(&format!(" {}", reached.allowed));
    }
    if !reached.indeterminate.is_empty() {
        text.push_str(&format!(" (perhaps: {})", reached.indeterminate));
    }
    text
}

/// All links between classes.
#[derive(Debug, Serialize)]
pub(crate) struct Matrix {
    classes: Vec<Vec<InterfaceId>>,
    /// Pairs of classes between which something is or may be allowed.
    links: Vec<Numbered>,
    /// How many pairs of classes there are in which everything is stopped.
    stopped: usize,
    /// How many are in VPCs that are not joined as far as is known.
    not_joined: usize,
    /// How many have no addresses of one family, as far as the data has addresses.
    no_common_family: usize,
}

#[derive(Debug, Serialize)]
struct Numbered {
    from: usize,
    to: usize,
    #[serde(flatten, serialize_with = "crate::shared")]
    reached: Arc<Reached>,
}

impl Matrix {
    pub(crate) fn new(reach: &Reach<'_>) -> Self {
        let classes = reach.classes();
        let places: BTreeMap<&InterfaceId, usize> =
            classes.iter().zip(0..).filter_map(|(class, place)| Some((class.ids().next()?, place))).collect();
        let place = |class: &ReachClass<'_>| {
            let first = class.ids().next();
            first.and_then(|first| places.get(first)).copied().unwrap_or_default()
        };
        let mut matrix = Self {
            classes: classes.iter().map(|class| class.ids().cloned().collect()).collect(),
            links: Vec::new(),
            stopped: 0,
            not_joined: 0,
            no_common_family: 0,
        };
        for Link { from, to, outcome, .. } in reach.matrix() {
            match outcome {
                Outcome::Judged(reached) if reached.is_open() => {
                    matrix.links.push(Numbered { from: place(from), to: place(to), reached });
                }
                Outcome::Judged(_) => matrix.stopped += 1,
                Outcome::NotJoined => matrix.not_joined += 1,
                _ => matrix.no_common_family += 1,
            }
        }
        matrix
    }

    pub(crate) fn text(&self) -> String {
        let interfaces: usize = self.classes.iter().map(Vec::len).sum();
        let mut text =
            format!("{} in {} classes that reach the same", count(interfaces, "interface"), self.classes.len());
        text.push_str(" and are reached by the same:");
        for (place, ids) in self.classes.iter().enumerate() {
            text.push_str(&format!("\n  class {place}: {}", names(ids)));
        }
        for Numbered { from, to, reached } in &self.links {
            text.push_str(&format!("\nclass {from} to class {to}:{}", open(reached)));
        }
        let rest = [
            (self.stopped, "with everything stopped"),
            (self.not_joined, "in VPCs that are not joined as far as is known"),
            (self.no_common_family, "without addresses of one family in the data"),
        ];
        for (number, what) in rest.into_iter().filter(|(number, _)| *number > 0) {
            text.push_str(&format!("\n{} of classes {what}", count(number, "pair")));
        }
        text
    }
}

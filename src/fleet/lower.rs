//! Lowering the policies of classes.

use super::compiled::{Arena, Compiled, Loose, Traits};
use super::state::{Class, State};
use super::view::Extract;
use crate::engine::{LowerError, PolicyEngine, Scope};
use crate::model::Inventory;
use crate::net::Direction;

/// Classes to lower, and what they are lowered from.
pub(super) struct Lowering<'a> {
    engine: &'a dyn PolicyEngine,
    view: Inventory,
    classes: Vec<(u32, &'a Class, Option<Traits>)>,
}

/// The policies of a class, in the order of [`Direction::ALL`].
type Policies = [Compiled; 2];

impl<'a> Lowering<'a> {
    pub(super) fn of(state: &'a State, classes: &[u32]) -> Self {
        let mut extract = Extract::default();
        let classes: Vec<(u32, &Class)> =
            classes.iter().filter_map(|number| Some((*number, &**state.classes.get(*number)?.as_ref()?))).collect();
        for (_, class) in &classes {
            extract.add_class(class);
        }
        let classes = classes.into_iter().map(|(number, class)| (number, class, state.traits(class))).collect();
        Self { engine: &*state.engine, view: state.symbolic_view(&extract), classes }
    }

    /// Lowers and compiles them.
    pub(super) fn run(self) -> Result<Vec<(u32, Policies)>, LowerError> {
        let mut arena = Arena::default();
        for (_, class, traits) in &self.classes {
            self.lower(class, *traits)?.into_iter().for_each(|policy| arena.push(policy));
        }
        let mut policies = arena.finish();
        let both = self.classes.iter().map_while(|(number, ..)| Some((*number, [policies.next()?, policies.next()?])));
        Ok(both.collect())
    }

    fn lower(&self, class: &Class, traits: Option<Traits>) -> Result<[Loose; 2], LowerError> {
        let interface = class.interface();
        let lower = |direction| -> Result<Loose, LowerError> {
            let policy = self.engine.lower(&Scope::new(&self.view, &interface, direction))?;
            Ok(traits.map_or_else(Loose::opaque, |traits| Loose::of(&policy, traits)))
        };
        let [first, second] = Direction::ALL;
        Ok([lower(first)?, lower(second)?])
    }
}

impl State {
    /// What has to be known about the policies of a class; `None` if its rules name addresses that
    /// could be taken for symbols.
    fn traits(&self, class: &Class) -> Option<Traits> {
        let groups = |numbers: &'_ [u32]| -> Vec<_> {
            numbers.iter().filter_map(|number| self.groups.get(*number)).map(std::sync::Arc::clone).collect()
        };
        let attached = groups(&class.attached);
        if attached.iter().any(|group| group.clashes) {
            return None;
        }
        Some(Traits {
            opaque: false,
            members: false,
            open: groups(&class.refers_to).iter().any(|group| self.may_have_others(group)),
            vpc_by_group: class.key.vpc.is_none() && attached.iter().any(|group| group.home().is_some()),
        })
    }
}

//! What cases there are.

use secgroup::net::Family;

/// What a case is made of. Seed and shape determine it.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) family: Family,
    pub(crate) rules: usize,
    pub(crate) order: Order,
    /// Groups and prefix lists that rules refer to.
    pub(crate) sets: Vec<SetShape>,
    /// How many of a hundred rules for TCP and UDP have source ports.
    pub(crate) source_ports: u32,
    /// How many of a hundred rules have a local block.
    pub(crate) local: u32,
}

/// What rules do, and in which order they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Every rule allows.
    AllowOnly,
    /// Priorities from 1 to 100, 30 % deny, deny first at equal priority.
    Priorities,
    /// Prefixes nested in one /12 with wide port ranges; half deny.
    Nested,
}

/// A group or a prefix list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetShape {
    /// A group has single addresses, a prefix list has blocks.
    pub(crate) group: bool,
    pub(crate) entries: usize,
    /// How many rules refer to it.
    pub(crate) references: usize,
}

impl Shape {
    /// So many rules that allow.
    pub(crate) fn aws(rules: usize) -> Self {
        Self {
            name: format!("aws{rules}"),
            family: Family::V4,
            rules,
            order: Order::AllowOnly,
            sets: Vec::new(),
            source_ports: 0,
            local: 0,
        }
    }

    /// Two of 60 rules refer to one group of so many members.
    pub(crate) fn members(members: usize) -> Self {
        Self::aws(60).with_name(format!("members{members}")).with_group(members, 2)
    }

    fn with_name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    fn with_order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    fn with_group(mut self, entries: usize, references: usize) -> Self {
        self.sets.push(SetShape { group: true, entries, references });
        self
    }

    fn with_list(mut self, entries: usize, references: usize) -> Self {
        self.sets.push(SetShape { group: false, entries, references });
        self
    }

    fn over_v6(self) -> Self {
        Self { family: Family::V6, ..self }
    }
}

/// Every case that has a name.
pub(crate) fn catalogue() -> Vec<Shape> {
    let priorities = |rules| Shape::aws(rules).with_order(Order::Priorities);
    let nested = |rules| Shape::aws(rules).with_order(Order::Nested);
    let large_groups = Shape::aws(1_000).with_group(1_000, 2).with_group(10_000, 2).with_group(65_536, 2);
    let lists = [20, 50, 100, 200, 500, 1_000];
    let lists = lists.into_iter().fold(Shape::aws(1_000), |shape, entries| shape.with_list(entries, 10));
    vec![
        Shape::aws(10),
        Shape::aws(60),
        Shape::aws(300),
        Shape::aws(1_000),
        Shape::aws(10_000),
        priorities(300).with_name("ali300"),
        priorities(1_000).with_name("ali1000"),
        Shape::members(10_000).with_name("grp60x10k"),
        large_groups.with_name("grp1000x65k"),
        lists.with_name("lists1000"),
        Shape { source_ports: 30, ..Shape::aws(1_000) }.with_name("sports1000"),
        Shape { local: 30, ..Shape::aws(1_000) }.with_name("local1000"),
        nested(1_000).with_name("adv1000"),
        Shape { source_ports: 100, local: 100, ..nested(10_000) }.with_name("adv10000"),
        Shape::aws(60).over_v6().with_name("v6aws60"),
        Shape::aws(1_000).over_v6().with_name("v6aws1000"),
    ]
}

//! The first look at a document: which fields it has and what kind of values they hold, without
//! keeping the values.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How deep an outline goes: document, wrapper, list, first element.
const DEPTH: u8 = 4;
/// How many fields of one object an outline keeps.
const FIELDS: usize = 128;

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shape {
    #[default]
    Null,
    Scalar,
    List,
    Object,
}

/// What a value looks like.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) shape: Shape,
    fields: Vec<(String, Outline)>,
    first: Option<Box<Outline>>,
}

impl Outline {
    /// The outline of a field, if this is an object that has it.
    pub(crate) fn field(&self, name: &str) -> Option<&Outline> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, outline)| outline)
    }

    /// Whether this is an object with this field.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// The first element, if this is a list with elements, or an object that wraps one.
    pub(crate) fn first(&self) -> Option<&Outline> {
        match self.shape {
            Shape::Object => self.fields.iter().find_map(|(_, outline)| outline.first.as_deref()),
            _ => self.first.as_deref(),
        }
    }
}

/// Looks at a whole document. What was seen before an error is left in `outline`.
pub(crate) fn peek<'de, D: Deserializer<'de>>(deserializer: D, outline: &mut Outline) -> Result<(), D::Error> {
    Peek { outline, depth: DEPTH }.deserialize(deserializer)
}

struct Peek<'a> {
    outline: &'a mut Outline,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Peek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Peek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.outline.shape = Shape::Null;
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.scalar()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.scalar()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.outline.shape = Shape::List;
        if let Some(depth) = self.depth.checked_sub(1) {
            let mut first = Box::default();
            let seen = seq.next_element_seed(Peek { outline: &mut first, depth });
            if !matches!(seen, Ok(None)) {
                self.outline.first = Some(first);
            }
            seen?;
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.outline.shape = Shape::Object;
        let Some(depth) = self.depth.checked_sub(1) else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while self.outline.fields.len() < FIELDS
            && let Some(key) = map.next_key::<String>()?
        {
            let mut value = Outline::default();
            let seen = map.next_value_seed(Peek { outline: &mut value, depth });
            self.outline.fields.push((key, value));
            seen?;
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

impl Peek<'_> {
    #[expect(clippy::unnecessary_wraps, reason = "the visitor's methods return results")]
    fn scalar<E>(self) -> Result<(), E> {
        self.outline.shape = Shape::Scalar;
        Ok(())
    }
}

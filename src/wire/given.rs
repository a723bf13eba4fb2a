//! Fields that may be absent, which is not the same as null.

use serde::de::{Deserialize, Deserializer};

use super::list::Wrapper;
use super::{List, Text, Wrapped};

/// A field, or `None` if the object does not have it: a projected answer leaves out what was not asked
/// for, while null is the clouds' word for none.
#[derive(Debug)]
pub(crate) struct Given<T>(Option<T>);

impl<T> Given<T> {
    /// The value, if the field is there.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// Whether the object does not have the field.
    pub(crate) fn is_absent(&self) -> bool {
        self.0.is_none()
    }
}

impl Given<Text> {
    /// The text, if it is there and not empty.
    pub(crate) fn text(&self) -> Option<&str> {
        self.get().and_then(Text::get)
    }
}

impl<T> Given<List<T>> {
    /// The elements; none if the list is absent.
    pub(crate) fn items(&self) -> &[T] {
        self.get().map_or(&[], |list| &list.0)
    }
}

impl<T, W: Wrapper> Given<Wrapped<T, W>> {
    /// The elements; none if the list is absent.
    pub(crate) fn items(&self) -> &[T] {
        self.get().map_or(&[], |list| &list.items)
    }

    /// The path of the list, with the wrapper's field if it has one.
    pub(crate) fn path(&self, field: &str) -> String {
        self.get().map_or_else(|| field.to_owned(), |list| list.path(field))
    }
}

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

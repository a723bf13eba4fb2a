//! Lists: AWS writes plain ones, Alibaba Cloud wraps them in an object of one field; either may be
//! null.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

/// A list; null is an empty one.
#[derive(Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<List<T>, E> {
                Ok(List::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<List<T>, A::Error> {
                items(seq).map(List)
            }
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// The field inside a wrapped list, such as `Permission` in `{"Permissions": {"Permission": []}}`.
pub(crate) trait Wrapper {
    const FIELD: &'static str;
}

/// A list in the wrapping of Alibaba Cloud, or without it, for both occur.
#[derive(Debug)]
pub(crate) struct Wrapped<T, W> {
    pub(crate) items: Vec<T>,
    nested: bool,
    /// Whether the list itself is there: `{"SecurityGroupId": null}` and null are none (trap 13).
    pub(crate) present: bool,
    wrapper: PhantomData<W>,
}

impl<T, W> Default for Wrapped<T, W> {
    fn default() -> Self {
        Self { items: Vec::new(), nested: false, present: false, wrapper: PhantomData }
    }
}

impl<T, W: Wrapper> Wrapped<T, W> {
    /// The path of the list, with the wrapper's field if it has one.
    pub(crate) fn path(&self, field: &str) -> String {
        if self.nested { format!("{field}.{}", W::FIELD) } else { field.to_owned() }
    }
}

impl<'de, T: Deserialize<'de>, W: Wrapper> Deserialize<'de> for Wrapped<T, W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WrappedVisitor<T, W>(PhantomData<(T, W)>);
        impl<'de, T: Deserialize<'de>, W: Wrapper> Visitor<'de> for WrappedVisitor<T, W> {
            type Value = Wrapped<T, W>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object with the list `{}`", W::FIELD)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Wrapped::default())
            }

            /// Fields of other types are "" when they have nothing to say (ALI-32).
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.is_empty() {
                    return Ok(Wrapped::default());
                }
                Err(E::invalid_type(Unexpected::Str(text), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Ok(Wrapped { items: items(seq)?, nested: false, present: true, wrapper: PhantomData })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut list: Option<Option<List<T>>> = None;
                let mut others = false;
                while let Some(key) = map.next_key::<String>()? {
                    if key == W::FIELD {
                        if list.replace(map.next_value()?).is_some() {
                            return Err(A::Error::duplicate_field(W::FIELD));
                        }
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        others = true;
                    }
                }
                if list.is_none() && others {
                    return Err(A::Error::invalid_value(Unexpected::Other("an object without it"), &self));
                }
                let list = list.flatten();
                Ok(Wrapped {
                    nested: true,
                    present: list.is_some(),
                    items: list.unwrap_or_default().0,
                    wrapper: PhantomData,
                })
            }
        }
        deserializer.deserialize_any(WrappedVisitor(PhantomData))
    }
}

fn items<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(mut seq: A) -> Result<Vec<T>, A::Error> {
    // Not `size_hint`: it is the document's word, not ours.
    let mut items = Vec::new();
    while let Some(item) = seq.next_element()? {
        items.push(item);
    }
    Ok(items)
}

//! The clouds' own JSON shapes, as far as this crate reads them.
//!
//! Every field may be absent: the clouds leave out what does not apply, write `null` or an empty
//! string for the same, and numbers as numbers or as strings (ALI-32). Where absence says something
//! else, because answers are projected, the field is [`Given`]. What a document must have is decided
//! where it is turned into the model, with an error that says where.

macro_rules! object {
    ($(#[$meta:meta])* $name:ident { $($key:literal => $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            $(pub(crate) $field: $ty,)*
        }

        // Not derived: a derived struct would also take a list of its fields' values in order.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[expect(non_camel_case_types, reason = "the variants are named like the fields")]
                enum Key {
                    $($field,)*
                    _Other,
                }

                impl<'de> serde::Deserialize<'de> for Key {
                    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                        struct KeyVisitor;
                        impl serde::de::Visitor<'_> for KeyVisitor {
                            type Value = Key;

                            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                                f.write_str("a field name")
                            }

                            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                                Ok(match text {
                                    $($key => Key::$field,)*
                                    _ => Key::_Other,
                                })
                            }
                        }
                        deserializer.deserialize_identifier(KeyVisitor)
                    }
                }

                struct ObjectVisitor;
                impl<'de> serde::de::Visitor<'de> for ObjectVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        $(let mut $field: Option<$ty> = None;)*
                        while let Some(matched) = map.next_key()? {
                            match matched {
                                $(Key::$field => {
                                    if $field.replace(map.next_value()?).is_some() {
                                        return Err(serde::de::Error::duplicate_field($key));
                                    }
                                })*
                                Key::_Other => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok($name { $($field: $field.unwrap_or_default(),)* })
                    }
                }
                deserializer.deserialize_map(ObjectVisitor)
            }
        }
    };
}

pub(crate) mod alibaba;
pub(crate) mod aws;
mod given;
mod list;
mod peek;
mod scalar;

pub(crate) use given::Given;
pub(crate) use list::{List, Wrapped};
pub(crate) use peek::{Outline, Shape, peek};
pub(crate) use scalar::{Flag, Id, Int, Text};

//! Strings, numbers and booleans as the clouds write them: absent, null and "" mean the same, and
//! numbers come as numbers or as strings.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A string of at most `MAX` bytes. Numbers are taken too, for hand-written documents have them
/// (`"IpProtocol": 6`).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Text<const MAX: usize = { usize::MAX }>(Option<String>);

/// An id. One that is written once is compared, and told in warnings, many times, so a long one would
/// take time and memory out of proportion to its document; real ones have some thirty bytes.
pub(crate) type Id = Text<256>;

impl<const MAX: usize> Text<MAX> {
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<const MAX: usize>;
        impl<const MAX: usize> Visitor<'_> for TextVisitor<MAX> {
            type Value = Text<MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_unit<E>(self) -> Result<Text<MAX>, E> {
                Ok(Text(None))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<MAX>, E> {
                if text.len() > MAX {
                    let found = format!("one of {} bytes", text.len());
                    let expected = format!("a string of at most {MAX} bytes");
                    return Err(E::invalid_value(Unexpected::Other(&found), &expected.as_str()));
                }
                Ok(Text((!text.is_empty()).then(|| text.to_owned())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Text<MAX>, E> {
                Ok(Text(Some(number.to_string())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Text<MAX>, E> {
                Ok(Text(Some(number.to_string())))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// A whole number, written as a number or as a string.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Int(Option<i64>);

impl Int {
    pub(crate) fn get(self) -> Option<i64> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntVisitor;
        impl Visitor<'_> for IntVisitor {
            type Value = Int;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_unit<E>(self) -> Result<Int, E> {
                Ok(Int(None))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Int, E> {
                Ok(Int(Some(number)))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Int, E> {
                let number =
                    i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
                Ok(Int(Some(number)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Int, E> {
                if text.is_empty() {
                    return Ok(Int(None));
                }
                let digits = text.strip_prefix('-').unwrap_or(text);
                let number = (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
                    .then(|| text.parse().ok())
                    .flatten()
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))?;
                Ok(Int(Some(number)))
            }
        }
        deserializer.deserialize_any(IntVisitor)
    }
}

/// A boolean, written as such or as a string.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag(Option<bool>);

impl Flag {
    pub(crate) fn get(self) -> Option<bool> {
        self.0
    }

    pub(crate) fn is_set(self) -> bool {
        self.0 == Some(true)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_unit<E>(self) -> Result<Flag, E> {
                Ok(Flag(None))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(Some(flag)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
                match text {
                    "" => Ok(Flag(None)),
                    _ if text.eq_ignore_ascii_case("true") => Ok(Flag(Some(true))),
                    _ if text.eq_ignore_ascii_case("false") => Ok(Flag(Some(false))),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

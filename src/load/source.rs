//! The document that is being read: its name, places in it, errors and warnings about it.

use std::fmt;
use std::sync::Arc;

use super::error::LoadError;
use super::warning::{Warning, WarningKind};
use crate::model::Place;
use crate::wire::Text;

/// A document that is being read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: Arc<str>,
    pub(super) warnings: Vec<Warning>,
}

/// A path within a document, spelled out only when a place is made of it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    parent: Option<&'a At<'a>>,
    field: &'a str,
    index: Option<usize>,
}

impl<'a> At<'a> {
    /// The whole document.
    pub(super) const ROOT: At<'static> = At { parent: None, field: "", index: None };

    /// A field of this object.
    pub(super) fn field(&'a self, field: &'a str) -> At<'a> {
        At { parent: Some(self), field, index: None }
    }

    /// An element of a list that is a field of this object; of this list itself, if the field's name
    /// is empty.
    pub(super) fn item(&'a self, field: &'a str, index: usize) -> At<'a> {
        At { parent: Some(self), field, index: Some(index) }
    }

    fn is_root(&self) -> bool {
        self.field.is_empty() && self.index.is_none()
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent
            && !parent.is_root()
        {
            parent.fmt(f)?;
            if !self.field.is_empty() {
                f.write_str(".")?;
            }
        }
        f.write_str(self.field)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}

impl Source {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), warnings: Vec::new() }
    }

    pub(super) fn place(&self, at: At<'_>) -> Place {
        Place::new(Arc::clone(&self.name), at.to_string())
    }

    pub(super) fn warn(&mut self, kind: WarningKind, at: At<'_>, message: impl Into<String>) {
        let warning = Warning { kind, place: self.place(at), message: message.into() };
        self.warnings.push(warning);
    }

    /// The value at this place is not what it must be.
    pub(super) fn wrong(&self, at: At<'_>, found: impl fmt::Display, expected: impl Into<String>) -> LoadError {
        LoadError::Value { place: self.place(at), found: format!("`{found}`"), expected: expected.into() }
    }

    /// The value at this place is missing.
    pub(super) fn missing(&self, at: At<'_>, expected: impl Into<String>) -> LoadError {
        LoadError::Value { place: self.place(at), found: "nothing".to_owned(), expected: expected.into() }
    }

    /// The value at this place, or an error that says what is missing.
    pub(super) fn need<'t, const MAX: usize>(
        &self,
        at: At<'_>,
        field: &str,
        text: &'t Text<MAX>,
        expected: &str,
    ) -> Result<&'t str, LoadError> {
        text.get().ok_or_else(|| self.missing(at.field(field), expected))
    }
}

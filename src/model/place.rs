//! Where in which document something was written.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a document: the document's name and the JSON path within it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "PlaceText", into = "PlaceText")]
pub struct Place {
    source: Arc<str>,
    path: Box<str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceText {
    source: String,
    path: String,
}

impl Place {
    /// The place at `path` (such as `SecurityGroups[0].IpPermissions[1]`) of the document `source`.
    /// An empty path is the document itself.
    pub fn new(source: impl Into<Arc<str>>, path: impl Into<Box<str>>) -> Self {
        Self { source: source.into(), path: path.into() }
    }

    /// The document's name: a file name, or what the caller called it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The JSON path; empty for the whole document.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, ": {}", self.path) }
    }
}

impl From<PlaceText> for Place {
    fn from(text: PlaceText) -> Self {
        Self::new(text.source, text.path)
    }
}

impl From<Place> for PlaceText {
    fn from(place: Place) -> Self {
        Self { source: place.source.to_string(), path: place.path.into() }
    }
}

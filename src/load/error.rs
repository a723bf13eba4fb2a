//! Why documents could not be loaded.

use std::io;

use thiserror::Error;

use super::provider::Provider;
use crate::model::{InventoryError, Place};

/// Why documents could not be loaded. Every variant says which document is meant, and where in it.
///
/// ```
/// use secgroup::load::Loader;
///
/// let document = br#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [
///     {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/33"}]}]}]}"#;
/// let error = Loader::new().document("groups.json", document, None).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "groups.json: SecurityGroups[0].IpPermissions[0].IpRanges[0].CidrIp: \
///      expected a prefix length from 0 to 32, found `10.0.0.0/33`",
/// );
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file or folder could not be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file or folder.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// A document is larger than the limit.
    #[error("`{document}` has {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// The document.
        document: String,
        /// Its size in bytes, or what was read of it before it went over the limit.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// All documents together are larger than the limit.
    #[error("with `{document}` all documents have {size} bytes, over the limit of {limit}")]
    AllTooLarge {
        /// The document that went over the limit.
        document: String,
        /// The size in bytes of all up to this one.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A folder holds more documents than the limit.
    #[error("`{document}` is document number {count}, over the limit of {limit}")]
    TooMany {
        /// The document that went over the limit.
        document: String,
        /// Its number.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A document is not text in UTF-8.
    #[error("{place}: expected text in UTF-8, found {found}")]
    Encoding {
        /// The document.
        place: Place,
        /// What it is instead.
        found: String,
    },
    /// A document is not JSON, or is cut off.
    #[error("{place}: not valid JSON at line {line}, column {column}: {problem}")]
    Syntax {
        /// The document, and the innermost value that could be told.
        place: Place,
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 0 at the very beginning of a line.
        column: usize,
        /// What is wrong.
        problem: String,
    },
    /// A value is of another kind than the provider writes there: a list for an object, a text for a
    /// number.
    #[error("{place}: expected {expected}, found {found} (line {line}, column {column})")]
    Shape {
        /// Where.
        place: Place,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// An object has the same field twice, and only one could be taken.
    #[error("{place}: the field `{field}` is given twice (line {line}, column {column})")]
    RepeatedField {
        /// The object.
        place: Place,
        /// The field.
        field: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A value that the provider cannot mean, or one that is missing.
    #[error("{place}: expected {expected}, found {found}")]
    Value {
        /// Where.
        place: Place,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// Two documents, or two parts of one, contradict each other.
    #[error("{first} and {second} contradict each other: {what}")]
    Conflict {
        /// One place.
        first: Place,
        /// The other.
        second: Place,
        /// About what.
        what: String,
    },
    /// Documents of both providers came together.
    #[error(
        "`{first}` is a document of {first_provider} and `{second}` one of {second_provider}, and they cannot be loaded together"
    )]
    MixedProviders {
        /// A document of one provider.
        first: String,
        /// Its provider.
        first_provider: Provider,
        /// A document of the other.
        second: String,
        /// Its provider.
        second_provider: Provider,
    },
    /// A document is of another provider than the caller expects.
    #[error("`{document}` is a document of {found}, not of {expected}")]
    WrongProvider {
        /// The document.
        document: String,
        /// Its provider.
        found: Provider,
        /// The provider that the caller expects.
        expected: Provider,
    },
    /// Nothing that was read is a document of either provider.
    #[error("no document of AWS or Alibaba Cloud in {path}")]
    NoDocuments {
        /// Where they were looked for.
        path: String,
    },
    /// A document does not say what it is about, and its name does not either.
    #[error(
        "`{document}` does not say which {subject} it is about; name it like `{example}` or give the id with the document"
    )]
    NeedsSubject {
        /// The document.
        document: String,
        /// What kind of thing it is about.
        subject: &'static str,
        /// A file name that would say it.
        example: &'static str,
    },
    /// The documents do not make up an inventory.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
}

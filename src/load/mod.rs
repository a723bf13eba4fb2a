//! The clouds' own JSON documents into an [`Inventory`].
//!
//! What the API or the command line prints is read as it is. Every document is recognised by its
//! content; pages of one call and answers of several calls are put together.
//!
//! | provider | calls that are read |
//! | --- | --- |
//! | AWS | `DescribeSecurityGroups`, `DescribeSecurityGroupRules`, `DescribeNetworkInterfaces`, `DescribeInstances`, `DescribeManagedPrefixLists`, `GetManagedPrefixListEntries`, `DescribePrefixLists`, `DescribeVpcs`, `DescribeSubnets` |
//! | Alibaba Cloud | `DescribeSecurityGroups`, `DescribeSecurityGroupAttribute`, the rules that the console exports (ALI-86), `DescribeInstances`, `DescribeNetworkInterfaces`, `DescribePrefixListAttributes`, `DescribePortRangeListEntries` |
//!
//! `GetManagedPrefixListEntries`, `DescribePortRangeListEntries` and exported rules do not say what they
//! are about. Name the file `anything.pl-0123.json` (the id between the last two dots), or give the id
//! to [`Loader::document`].
//!
//! What the clouds write is read leniently: numbers as text, null and "" for absent, any case. What
//! they cannot mean is a [`LoadError`] with its place. What was read differently from how it stands,
//! and what is missing, is a [`Warning`]; nothing is dropped silently. What is missing stays *unknown*
//! in the inventory, never empty. That goes for lists of rules and addresses that a projected answer leaves
//! out, where null and `[]` are empty.
//!
//! ```no_run
//! let loaded = secgroup::load::dir("examples/data/aws/three-tier")?;
//! for warning in &loaded.warnings {
//!     eprintln!("warning: {warning}");
//! }
//! println!("{} groups", loaded.inventory.groups().len());
//! # Ok::<(), secgroup::load::LoadError>(())
//! ```

mod alibaba;
mod aws;
mod document;
mod error;
mod fields;
mod finish;
mod interfaces;
mod lists;
mod loader;
mod pages;
mod provider;
mod rules;
mod source;
mod state;
mod subject;
mod value;
mod warning;

use std::path::Path;

pub use error::LoadError;
pub use loader::{Limits, Loader};
pub use provider::{Provider, ProviderError};
pub use warning::{Warning, WarningKind};

use crate::model::Inventory;

/// File names that say what a document is about.
const PREFIX_LIST_EXAMPLE: &str = "get-managed-prefix-list-entries.pl-0123.json";
const PORT_LIST_EXAMPLE: &str = "describe-port-range-list-entries.prl-0123.json";

/// What was loaded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The groups, lists, interfaces and instances.
    pub inventory: Inventory,
    /// The cloud they are of.
    pub provider: Provider,
    /// What was odd, in the order of the documents, then of the whole.
    pub warnings: Vec<Warning>,
    /// How many documents were recognised.
    pub documents: usize,
}

/// Reads a folder of documents of one provider; [`Loader`] has options.
///
/// ```no_run
/// let loaded = secgroup::load::dir("my-vpc")?;
/// println!("{} documents of {}", loaded.documents, loaded.provider);
/// # Ok::<(), secgroup::load::LoadError>(())
/// ```
///
/// # Errors
/// A [`LoadError`] if the folder cannot be read or has no document of a provider, or if a document
/// is broken, says what the provider cannot mean, or contradicts another.
pub fn dir(path: impl AsRef<Path>) -> Result<Loaded, LoadError> {
    Loader::new().dir(path)?.finish()
}

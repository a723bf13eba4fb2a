//! The loader: options, reading files, one document after another.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::document::{self, Document};
use super::error::LoadError;
use super::provider::Provider;
use super::source::{At, Source};
use super::state::State;
use super::subject::{Subject, is_json};
use super::warning::{Warning, WarningKind};
use super::{Loaded, alibaba, aws, finish};
use crate::model::{Place, VpcId, VpcRelation};

/// How much is read before it is an error.
///
/// ```
/// use secgroup::load::Limits;
///
/// let limits = Limits::default().with_max_files(100);
/// assert_eq!(limits.max_file_bytes, 256 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The greatest size of one document, 256 MiB by default.
    pub max_file_bytes: u64,
    /// The greatest size of all documents together, 1 GiB by default.
    pub max_total_bytes: u64,
    /// The greatest number of documents, 10,000 by default.
    pub max_files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_file_bytes: 256 << 20, max_total_bytes: 1 << 30, max_files: 10_000 }
    }
}

impl Limits {
    /// The same limits with this greatest size of one document.
    #[must_use]
    pub fn with_max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// The same limits with this greatest size of all documents together.
    #[must_use]
    pub fn with_max_total_bytes(mut self, bytes: u64) -> Self {
        self.max_total_bytes = bytes;
        self
    }

    /// The same limits with this greatest number of documents.
    #[must_use]
    pub fn with_max_files(mut self, files: usize) -> Self {
        self.max_files = files;
        self
    }
}

/// Reads documents, in any order, into one inventory.
///
/// ```
/// use secgroup::load::Loader;
///
/// let groups = br#"{"SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [
///     {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-1"}]}]}]}"#;
/// let entries = br#"{"Entries": [{"Cidr": "203.0.113.0/24"}]}"#;
/// let loaded = Loader::new()
///     .document("groups.json", groups, None)?
///     .document("entries.json", entries, Some("pl-1"))?
///     .finish()?;
/// let group = loaded.inventory.group("sg-1").ok_or("not loaded")?;
/// assert_eq!(group.rules[0].to_string(), "allow ingress tcp/22 from pl-1");
/// assert!(loaded.inventory.prefix_list("pl-1").is_some_and(|list| list.complete));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[must_use = "a loader does nothing until it is finished"]
pub struct Loader {
    limits: Limits,
    expected: Option<Provider>,
    relations: Vec<(VpcId, VpcId, VpcRelation)>,
    assume_complete: bool,
    state: State,
    bytes: u64,
    files: usize,
    /// Where documents were looked for, for the error that there were none.
    looked: Vec<String>,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("limits", &self.limits)
            .field("documents", &self.state.documents)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Loader {
    /// A loader that has read nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads at most this much.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Makes documents of the other provider an error that names them.
    pub fn expect_provider(mut self, provider: Provider) -> Self {
        self.expected = Some(provider);
        self
    }

    /// States how two VPCs are joined, which no document shows (AWS-41, AWS-42); the last statement
    /// about a pair counts.
    pub fn relation(mut self, a: impl Into<VpcId>, b: impl Into<VpcId>, relation: VpcRelation) -> Self {
        self.relations.push((a.into(), b.into(), relation));
        self
    }

    /// States that the interfaces in the documents are all there are, so that groups have no members
    /// but theirs.
    ///
    /// Without it that is so only if the interfaces, or else the instances, were described to the
    /// last page.
    pub fn assume_complete(mut self) -> Self {
        self.assume_complete = true;
        self
    }

    /// Reads every `.json` file of a folder, in the order of their names. Other files and subfolders
    /// are skipped with a warning. Documents are called by their file names.
    ///
    /// # Errors
    /// A [`LoadError`] if the folder or a file cannot be read, or a file is not a good document.
    pub fn dir(mut self, path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        self.looked.push(format!("`{}`", path.display()));
        let unreadable = |error| LoadError::Read { path: path.display().to_string(), error };
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(unreadable)?;
        entries.sort();
        for entry in entries {
            let name = entry.file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned();
            let skipped = if entry.is_dir() {
                "the folder was skipped; only files directly in the folder are read"
            } else if entry.exists() && !entry.is_file() {
                // A pipe would be waited for, perhaps for ever.
                "it was skipped; it is not a regular file"
            } else if is_json(&name) {
                self.read(&entry, &name)?;
                continue;
            } else {
                "the file was skipped; only files that end in .json are read"
            };
            let place = Place::new(name, "");
            self.state.warnings.push(Warning { kind: WarningKind::SkippedFile, place, message: skipped.to_owned() });
        }
        Ok(self)
    }

    /// Reads one file, whatever its name. The document is called by the path as given.
    ///
    /// # Errors
    /// A [`LoadError`] if the file cannot be read or is not a good document.
    pub fn file(mut self, path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        self.looked.push(format!("`{name}`"));
        self.read(path, &name)?;
        Ok(self)
    }

    /// Reads one document from memory. `name` is what errors and warnings call it; `subject` is the
    /// id of the group, prefix list or port list that it is about, for answers that do not say so
    /// themselves. Without it the id is taken from a name like `anything.pl-0123.json`.
    ///
    /// # Errors
    /// A [`LoadError`] if it is not a good document.
    pub fn document(mut self, name: &str, bytes: &[u8], subject: Option<&str>) -> Result<Self, LoadError> {
        self.looked.push(format!("`{name}`"));
        self.add(name, bytes, subject)?;
        Ok(self)
    }

    /// Puts together what was read.
    ///
    /// # Errors
    /// A [`LoadError`] if no document was recognised, or documents contradict each other.
    pub fn finish(self) -> Result<Loaded, LoadError> {
        let provider = self.state.provider.as_ref().map(|(provider, _)| *provider).or(self.expected);
        let Some(provider) = provider.filter(|_| self.state.documents > 0) else {
            let path = match self.looked.as_slice() {
                [] => "what was loaded: nothing was given".to_owned(),
                [one] => one.clone(),
                [first, rest @ ..] => format!("{first} and {} others", rest.len()),
            };
            let skipped: Vec<&Warning> = self.state.warnings.iter().filter(|warning| warning.kind.is_skip()).collect();
            let path = match skipped.as_slice() {
                [] => path,
                [first, rest @ ..] => {
                    let more = if rest.is_empty() { String::new() } else { format!("; and {} more", rest.len()) };
                    format!("{path} ({first}{more})")
                }
            };
            return Err(LoadError::NoDocuments { path });
        };
        finish::finish(self.state, provider, self.relations, self.assume_complete)
    }

    fn read(&mut self, path: &Path, name: &str) -> Result<(), LoadError> {
        let unreadable = |error| LoadError::Read { path: path.display().to_string(), error };
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        self.check_size(name, size)?;
        let mut bytes = Vec::new();
        // Pipes have no size to check beforehand.
        file.take(self.limits.max_file_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        self.add(name, &bytes, None)
    }

    fn check_size(&self, name: &str, size: u64) -> Result<(), LoadError> {
        let Limits { max_file_bytes, max_total_bytes, .. } = self.limits;
        let document = name.to_owned();
        if size > max_file_bytes {
            return Err(LoadError::TooLarge { document, size, limit: max_file_bytes });
        }
        let size = self.bytes.saturating_add(size);
        if size > max_total_bytes {
            return Err(LoadError::AllTooLarge { document, size, limit: max_total_bytes });
        }
        Ok(())
    }

    fn add(&mut self, name: &str, bytes: &[u8], given: Option<&str>) -> Result<(), LoadError> {
        self.files += 1;
        if self.files > self.limits.max_files {
            let document = name.to_owned();
            return Err(LoadError::TooMany { document, count: self.files, limit: self.limits.max_files });
        }
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.check_size(name, size)?;
        self.bytes += size;
        let mut source = Source::new(name);
        let document = document::read(&mut source, bytes)?;
        if let Some(provider) = document.provider() {
            self.check_provider(name, provider)?;
        }
        let subject = Subject { given, name };
        match document {
            Document::Aws(answer) => aws::add(&mut self.state, &mut source, &answer, &subject)?,
            Document::Alibaba(answer) => alibaba::add(&mut self.state, &mut source, &answer, &subject)?,
            Document::AlibabaRules(rules) => alibaba::add_exported(&mut self.state, &mut source, &rules, &subject)?,
            Document::NoEntries { next_token } => self.add_no_entries(name, &source, &subject, next_token)?,
            Document::Other => {
                let message = "not an answer that is read here; it was skipped";
                source.warn(WarningKind::UnrecognisedDocument, At::ROOT, message);
                self.state.warnings.append(&mut source.warnings);
                return Ok(());
            }
        }
        self.state.documents += 1;
        self.state.warnings.append(&mut source.warnings);
        Ok(())
    }

    /// An empty list of entries: the id tells whose it is, else the other documents do.
    fn add_no_entries(
        &mut self,
        name: &str,
        source: &Source,
        subject: &Subject<'_>,
        open: bool,
    ) -> Result<(), LoadError> {
        let place = source.place(At::ROOT);
        if let Some(id) = subject.find("prl-").filter(|id| id.starts_with("prl-")) {
            self.check_provider(name, Provider::Alibaba)?;
            self.state.port_lists.add(&id.into(), Vec::new(), &place, open);
        } else if let Some(id) = subject.find("pl-").filter(|id| id.starts_with("pl-")) {
            self.check_provider(name, Provider::Aws)?;
            self.state.prefix_lists.page(&id.into(), &place, open);
        } else {
            self.state.no_entries.push((name.to_owned(), subject.given.map(str::to_owned), open));
        }
        Ok(())
    }

    fn check_provider(&mut self, name: &str, provider: Provider) -> Result<(), LoadError> {
        if let Some(expected) = self.expected.filter(|expected| *expected != provider) {
            return Err(LoadError::WrongProvider { document: name.to_owned(), found: provider, expected });
        }
        match &self.state.provider {
            None => self.state.provider = Some((provider, name.to_owned())),
            Some((first, _)) if *first == provider => {}
            Some((first_provider, first)) => {
                return Err(LoadError::MixedProviders {
                    first: first.clone(),
                    first_provider: *first_provider,
                    second: name.to_owned(),
                    second_provider: provider,
                });
            }
        }
        Ok(())
    }
}

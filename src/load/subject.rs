//! What a document is about, where only its name tells.

use super::error::LoadError;
use super::source::Source;

/// What is known about a document's subject from outside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// The id that the caller gave with the document.
    pub(super) given: Option<&'a str>,
    /// The document's name.
    pub(super) name: &'a str,
}

impl<'a> Subject<'a> {
    /// The id, if the caller or the name gives one with this prefix.
    pub(super) fn find(&self, prefix: &str) -> Option<&'a str> {
        if self.given.is_some() {
            return self.given;
        }
        let file = self.name.rsplit(['/', '\\']).next().unwrap_or(self.name);
        let stem = file.get(..file.len().saturating_sub(5)).filter(|_| is_json(file)).unwrap_or(file);
        let last = stem.rsplit('.').next().unwrap_or(stem);
        // `get-managed-prefix-list-entries.pl-0123.json`; exported files are named
        // `ecs_cn-example_sg-0123.json` (ALI-85).
        std::iter::once(last).chain(stem.split('_')).find(|part| part.len() > prefix.len() && part.starts_with(prefix))
    }

    /// The id, or an error that says how to give it.
    pub(super) fn of(
        &self,
        source: &Source,
        subject: &'static str,
        prefix: &str,
        example: &'static str,
    ) -> Result<String, LoadError> {
        self.find(prefix).map(str::to_owned).ok_or_else(|| LoadError::NeedsSubject {
            document: source.name.to_string(),
            subject,
            example,
        })
    }
}

/// Whether a file name ends in `.json`, in any case.
pub(super) fn is_json(file: &str) -> bool {
    file.len() > 5 && file.get(file.len() - 5..).is_some_and(|end| end.eq_ignore_ascii_case(".json"))
}

//! The pages of one call.

use super::warning::{Warning, WarningKind};
use crate::model::Place;

/// The pages of one answer that were met, in any order.
#[derive(Debug, Default)]
pub(super) struct Pages {
    first: Option<Place>,
    /// The first page that announces another.
    open: Option<Place>,
    /// Whether a last page was met.
    closed: bool,
    /// The greatest number of things that a page says there are.
    total: u64,
    /// How many different things were met; counted only where pages give a total.
    met: u64,
}

impl Pages {
    /// Notes a page; `open` if another follows.
    pub(super) fn add(&mut self, place: &Place, open: bool) {
        self.first.get_or_insert_with(|| place.clone());
        if open {
            self.open.get_or_insert_with(|| place.clone());
        } else {
            self.closed = true;
        }
    }

    /// Notes the number of things that a page says there are.
    pub(super) fn add_total(&mut self, total: Option<i64>) {
        self.total = self.total.max(total.and_then(|total| u64::try_from(total).ok()).unwrap_or_default());
    }

    /// Notes how many different things all pages hold.
    pub(super) fn set_met(&mut self, met: usize) {
        self.met = u64::try_from(met).unwrap_or(u64::MAX);
    }

    pub(super) fn first(&self) -> Option<&Place> {
        self.first.as_ref()
    }

    /// Whether nothing is missing.
    pub(super) fn complete(&self) -> bool {
        self.closed && self.met >= self.total
    }

    /// Warns if a page was met, but not the last.
    pub(super) fn warn_if_open(&self, what: &str, subject: Option<&str>, warnings: &mut Vec<Warning>) {
        let Some(place) = self.open.as_ref().or(self.first()).filter(|_| !self.complete()) else {
            return;
        };
        let of = subject.map(|subject| format!(" of `{subject}`")).unwrap_or_default();
        let why = if self.closed {
            format!("{} are announced, and the documents hold {}", self.total, self.met)
        } else {
            "another page follows, and the last one is not among the documents".to_owned()
        };
        let message = format!("the {what}{of} are incomplete: {why}");
        warnings.push(Warning { kind: WarningKind::IncompletePages, place: place.clone(), message });
    }
}

//! Prefix lists and port lists, put together from descriptions and pages of entries.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::error::LoadError;
use super::pages::Pages;
use super::warning::Warning;
use crate::model::{Place, PortList, PortListId, PrefixList, PrefixListId};
use crate::net::{Cidr, Family, PortRange};

/// What a provider says about a prefix list beside its entries.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) name: Option<String>,
    pub(super) family: Option<Family>,
    pub(super) max_entries: Option<u32>,
    pub(super) place: Place,
}

#[derive(Debug, Default)]
struct Parts {
    description: Option<Description>,
    entries: Vec<(Cidr, Place)>,
    pages: Pages,
    /// Every page, and whether another follows.
    answers: Vec<(Place, bool)>,
}

/// The prefix lists that were met.
#[derive(Debug, Default)]
pub(super) struct PrefixLists(BTreeMap<PrefixListId, Parts>);

impl PrefixLists {
    /// Adds a description. The older call of AWS says less, which is no contradiction.
    pub(super) fn describe(&mut self, id: &PrefixListId, new: Description) -> Result<(), LoadError> {
        let parts = self.0.entry(id.clone()).or_default();
        let Some(known) = &mut parts.description else {
            parts.description = Some(new);
            return Ok(());
        };
        let same = agree(known.name.as_ref(), new.name.as_ref())
            && agree(known.family.as_ref(), new.family.as_ref())
            && agree(known.max_entries.as_ref(), new.max_entries.as_ref());
        if !same {
            return Err(LoadError::Conflict {
                first: known.place.clone(),
                second: new.place,
                what: format!("they describe the prefix list `{id}` differently"),
            });
        }
        known.name = known.name.take().or(new.name);
        known.family = known.family.or(new.family);
        known.max_entries = known.max_entries.or(new.max_entries);
        Ok(())
    }

    pub(super) fn add_entry(&mut self, id: &PrefixListId, entry: Cidr, place: Place) {
        self.0.entry(id.clone()).or_default().entries.push((entry, place));
    }

    /// Notes a page of entries; `open` if another follows.
    pub(super) fn page(&mut self, id: &PrefixListId, place: &Place, open: bool) {
        let parts = self.0.entry(id.clone()).or_default();
        parts.pages.add(place, open);
        parts.answers.push((place.clone(), open));
    }

    pub(super) fn finish(self, warnings: &mut Vec<Warning>) -> Result<Vec<PrefixList>, LoadError> {
        self.0
            .into_iter()
            .map(|(id, Parts { description, entries, pages, answers })| {
                let mut by_document: BTreeMap<&str, BTreeSet<Cidr>> = BTreeMap::new();
                for (entry, place) in &entries {
                    by_document.entry(place.source()).or_default().insert(*entry);
                }
                let of = |place: &Place| by_document.get(place.source()).cloned().unwrap_or_default();
                one_version("prefix list", id.as_str(), answers.iter().map(|(place, open)| (place, *open, of(place))))?;
                let mut list = PrefixList::unknown(id);
                list.place = description.as_ref().map(|d| d.place.clone()).or_else(|| pages.first().cloned());
                if let Some(description) = description {
                    list.name = description.name;
                    list.family = description.family;
                    list.max_entries = description.max_entries;
                }
                let mut seen = BTreeSet::new();
                for (entry, place) in entries {
                    let family = *list.family.get_or_insert(entry.family());
                    if entry.family() != family {
                        return Err(LoadError::Value {
                            place,
                            found: format!("`{entry}`"),
                            expected: format!("a block of {family}, the family of the prefix list `{}`", list.id),
                        });
                    }
                    if seen.insert(entry) {
                        list.entries.push(entry);
                    }
                }
                list.complete = pages.complete();
                pages.warn_if_open("entries", Some(list.id.as_str()), warnings);
                Ok(list)
            })
            .collect()
    }
}

/// Refuses two whole answers that hold different entries: they are of different moments, and only the
/// current version counts (AWS-46). Pages of one answer are not compared.
fn one_version<'a, T: PartialEq>(
    kind: &str,
    id: &str,
    answers: impl Iterator<Item = (&'a Place, bool, T)>,
) -> Result<(), LoadError> {
    let answers: Vec<_> = answers.collect();
    let ([(first, _, entries), others @ ..], false) = (answers.as_slice(), answers.iter().any(|(_, open, _)| *open))
    else {
        return Ok(());
    };
    match others.iter().find(|(_, _, other)| other != entries) {
        Some((second, ..)) => Err(LoadError::Conflict {
            first: (*first).clone(),
            second: (*second).clone(),
            what: format!("they give the {kind} `{id}` different entries"),
        }),
        None => Ok(()),
    }
}

/// Whether two say the same, or one says nothing.
fn agree<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// The port lists that were met, with the pages of their entries.
#[derive(Debug, Default)]
pub(super) struct PortLists(BTreeMap<PortListId, PortPages>);

/// Entries by page, with the page's place and whether another follows.
type PortPages = (Vec<(Place, bool, Vec<PortRange>)>, Pages);

impl PortLists {
    pub(super) fn add(&mut self, id: &PortListId, entries: Vec<PortRange>, place: &Place, open: bool) {
        let (known, pages) = self.0.entry(id.clone()).or_default();
        known.push((place.clone(), open, entries));
        pages.add(place, open);
    }

    pub(super) fn finish(self, warnings: &mut Vec<Warning>) -> Result<Vec<PortList>, LoadError> {
        self.0
            .into_iter()
            .map(|(id, (answers, pages))| {
                let set = |entries: &[PortRange]| entries.iter().copied().collect::<BTreeSet<_>>();
                one_version(
                    "port list",
                    id.as_str(),
                    answers.iter().map(|(place, open, entries)| (place, *open, set(entries))),
                )?;
                let entries: Vec<PortRange> = answers.into_iter().flat_map(|(.., entries)| entries).collect();
                let mut list = PortList::new(id, super::value::distinct(entries));
                list.complete = pages.complete();
                list.place = pages.first().cloned();
                pages.warn_if_open("entries", Some(list.id.as_str()), warnings);
                Ok(list)
            })
            .collect()
    }
}

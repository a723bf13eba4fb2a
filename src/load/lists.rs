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
        self.0.entry(id.clone()).or_default().pages.add(place, open);
    }

    pub(super) fn finish(self, warnings: &mut Vec<Warning>) -> Result<Vec<PrefixList>, LoadError> {
        self.0
            .into_iter()
            .map(|(id, Parts { description, entries, pages })| {
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

/// Whether two say the same, or one says nothing.
fn agree<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// The port lists that were met, with the pages of their entries.
#[derive(Debug, Default)]
pub(super) struct PortLists(BTreeMap<PortListId, (Vec<PortRange>, Pages)>);

impl PortLists {
    pub(super) fn add(&mut self, id: &PortListId, entries: Vec<PortRange>, place: &Place, open: bool) {
        let (known, pages) = self.0.entry(id.clone()).or_default();
        known.extend(entries);
        pages.add(place, open);
    }

    pub(super) fn finish(self, warnings: &mut Vec<Warning>) -> Vec<PortList> {
        self.0
            .into_iter()
            .map(|(id, (entries, pages))| {
                let mut list = PortList::new(id, super::value::distinct(entries));
                list.complete = pages.complete();
                list.place = pages.first().cloned();
                pages.warn_if_open("entries", Some(list.id.as_str()), warnings);
                list
            })
            .collect()
    }
}

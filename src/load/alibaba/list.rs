//! Prefix lists and port lists of Alibaba Cloud (ALI-42, ALI-43).

use super::super::error::LoadError;
use super::super::lists::Description;
use super::super::source::{At, Source};
use super::super::state::State;
use super::super::value::{Bare, cidr, family, max_entries};
use super::rule::port_pair;
use crate::model::PrefixListId;
use crate::net::PortRange;
use crate::wire::alibaba;

/// A prefix list with a page of its entries.
pub(super) fn prefix_list(
    state: &mut State,
    source: &mut Source,
    answer: &alibaba::Answer,
    path: &str,
    entries: &[alibaba::Entry],
    open: bool,
) -> Result<(), LoadError> {
    let at = At::ROOT;
    let id = PrefixListId::from(source.need(at, "PrefixListId", &answer.prefix_list, "the id of a prefix list")?);
    let family = answer.family.get().map(|text| family(source, at.field("AddressFamily"), text)).transpose()?;
    let description = Description {
        name: answer.prefix_list_name.get().map(str::to_owned),
        family,
        max_entries: max_entries(source, at, answer.max_entries)?,
        place: source.place(at),
    };
    state.prefix_lists.describe(&id, description)?;
    for (i, entry) in entries.iter().enumerate() {
        let at = at.item(path, i);
        let text = source.need(at, "Cidr", &entry.cidr, "an IPv4 or IPv6 block")?;
        let at = at.field("Cidr");
        let block = cidr(source, at, text, None, Bare::Host)?;
        state.prefix_lists.add_entry(&id, block, source.place(at));
    }
    state.prefix_lists.page(&id, &source.place(at), open);
    Ok(())
}

/// A page of the entries of a port list.
pub(super) fn port_list(
    state: &mut State,
    source: &mut Source,
    id: &str,
    path: &str,
    entries: &[alibaba::Entry],
    open: bool,
) -> Result<(), LoadError> {
    let mut ranges: Vec<PortRange> = Vec::with_capacity(entries.len());
    for (i, entry) in entries.iter().enumerate() {
        let at = At::ROOT.item(path, i);
        let text = source.need(at, "PortRange", &entry.ports, "ports such as 80/80")?;
        ranges.push(port_pair(source, at.field("PortRange"), text)?);
    }
    state.port_lists.add(&id.into(), ranges, &source.place(At::ROOT), open);
    Ok(())
}

//! Addresses, blocks and numbers that both providers write.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::error::LoadError;
use super::source::{At, Source};
use super::warning::WarningKind;
use crate::model::GroupId;
use crate::net::{Cidr, CidrError, Family};
use crate::wire::Int;

/// Whether an address without a length is a block of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    /// It is (ALI-39).
    Host,
    /// It is an error (AWS-93).
    Refused,
}

/// A block, of this family if one is given. Host bits are masked with a warning (AWS-35, ALI-39).
pub(super) fn cidr(
    source: &mut Source,
    at: At<'_>,
    text: &str,
    family: Option<Family>,
    bare: Bare,
) -> Result<Cidr, LoadError> {
    let parsed = match Cidr::parse(text) {
        Ok(parsed) => parsed,
        Err(CidrError::Length { family, .. }) => {
            return Err(source.wrong(at, text, format!("a prefix length from 0 to {}", family.bits())));
        }
        Err(_) => return Err(source.wrong(at, text, format!("{} such as {}", block(family), example(family)))),
    };
    let block_family = parsed.cidr.family();
    if let Some(family) = family
        && block_family != family
    {
        let found = format!("the {block_family} block `{text}`");
        return Err(LoadError::Value { place: source.place(at), found, expected: block(Some(family)).to_owned() });
    }
    if parsed.bare && bare == Bare::Refused {
        let expected = format!("a block with a prefix length, such as {}", parsed.cidr);
        return Err(source.wrong(at, text, expected));
    }
    if parsed.host_bits {
        let message = format!("`{text}` has bits set beyond its prefix; read as {}", parsed.cidr);
        source.warn(WarningKind::HostBits, at, message);
    }
    Ok(parsed.cidr)
}

fn block(family: Option<Family>) -> &'static str {
    match family {
        Some(Family::V4) => "an IPv4 block",
        Some(Family::V6) => "an IPv6 block",
        None => "an IPv4 or IPv6 block",
    }
}

fn example(family: Option<Family>) -> &'static str {
    match family {
        Some(Family::V6) => "2001:db8::/32",
        Some(Family::V4) | None => "10.0.0.0/8",
    }
}

/// An address, of this family if one is given.
pub(super) fn address(source: &Source, at: At<'_>, text: &str, family: Option<Family>) -> Result<IpAddr, LoadError> {
    let expected = match family {
        Some(Family::V4) => "an IPv4 address",
        Some(Family::V6) => "an IPv6 address",
        None => "an IP address",
    };
    let address: IpAddr = text.parse().map_err(|_| source.wrong(at, text, expected))?;
    if family.is_some_and(|family| Family::of(address) != family) {
        return Err(source.wrong(at, text, expected));
    }
    Ok(address)
}

/// How many groups an interface can have. The clouds stop at 16; every group has all addresses of the
/// interface for members, so without a limit both lists together would take time and memory out of
/// proportion to the document.
const MAX_GROUPS: usize = 64;

/// The groups of an interface, each once, if they are not too many.
pub(super) fn attached(source: &Source, at: At<'_>, groups: Vec<GroupId>) -> Result<Vec<GroupId>, LoadError> {
    let groups = distinct(groups);
    if groups.len() > MAX_GROUPS {
        let expected = format!("at most {MAX_GROUPS} groups of an interface");
        return Err(LoadError::Value { place: source.place(at), found: groups.len().to_string(), expected });
    }
    Ok(groups)
}

/// A public address, if there is one.
pub(super) fn public_address(source: &Source, at: At<'_>, text: Option<&str>) -> Result<Option<IpAddr>, LoadError> {
    text.map(|text| address(source, at, text, None)).transpose()
}

/// The family that a prefix list says it has.
pub(super) fn family(source: &Source, at: At<'_>, text: &str) -> Result<Family, LoadError> {
    match text {
        _ if text.eq_ignore_ascii_case("ipv4") => Ok(Family::V4),
        _ if text.eq_ignore_ascii_case("ipv6") => Ok(Family::V6),
        _ => Err(source.wrong(at, text, "IPv4 or IPv6")),
    }
}

/// The number of entries that a prefix list can have.
pub(super) fn max_entries(source: &Source, at: At<'_>, number: Int) -> Result<Option<u32>, LoadError> {
    number
        .get()
        .map(|number| {
            u32::try_from(number).map_err(|_| source.wrong(at.field("MaxEntries"), number, "a number of entries"))
        })
        .transpose()
}

/// The items in their order, each once.
pub(super) fn distinct<T: Ord + Clone>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.into_iter().filter(|item| seen.insert(item.clone())).collect()
}

/// A number with its noun.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

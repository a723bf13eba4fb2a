//! Prefix lists, VPCs and subnets of AWS.

use super::super::error::LoadError;
use super::super::lists::Description;
use super::super::source::{At, Source};
use super::super::state::State;
use super::super::value::{Bare, cidr, distinct, family, max_entries};
use crate::model::{PrefixListId, Subnet, Vpc};
use crate::net::{Cidr, Family};
use crate::wire::{Text, aws};

/// Descriptions of prefix lists; those of the older call have their entries inline (AWS-26).
pub(super) fn prefix_lists(state: &mut State, source: &mut Source, lists: &[aws::PrefixList]) -> Result<(), LoadError> {
    for (i, list) in lists.iter().enumerate() {
        let at = At::ROOT.item("PrefixLists", i);
        let id = PrefixListId::from(source.need(at, "PrefixListId", &list.id, "the id of a prefix list")?);
        let description = Description {
            name: list.name.get().map(str::to_owned),
            family: list.family.get().map(|text| family(source, at.field("AddressFamily"), text)).transpose()?,
            max_entries: max_entries(source, at, list.max_entries)?,
            place: source.place(at),
        };
        state.prefix_lists.describe(&id, description)?;
        if let Some(cidrs) = &list.cidrs {
            for (j, text) in cidrs.0.iter().enumerate() {
                let at = at.item("Cidrs", j);
                let text = text.get().ok_or_else(|| source.missing(at, "an IPv4 or IPv6 block"))?;
                let block = cidr(source, at, text, None, Bare::Refused)?;
                state.prefix_lists.add_entry(&id, block, source.place(at));
            }
            state.prefix_lists.page(&id, &source.place(at), false);
        }
    }
    Ok(())
}

/// The entries of one prefix list.
pub(super) fn entries(
    state: &mut State,
    source: &mut Source,
    list: &str,
    entries: &[aws::Entry],
    open: bool,
) -> Result<(), LoadError> {
    let id = PrefixListId::from(list);
    for (i, entry) in entries.iter().enumerate() {
        let at = At::ROOT.item("Entries", i);
        let text = source.need(at, "Cidr", &entry.cidr, "an IPv4 or IPv6 block")?;
        let at = at.field("Cidr");
        let block = cidr(source, at, text, None, Bare::Refused)?;
        state.prefix_lists.add_entry(&id, block, source.place(at));
    }
    state.prefix_lists.page(&id, &source.place(At::ROOT), open);
    Ok(())
}

/// VPCs with all their ranges, the primary one first.
pub(super) fn vpcs(state: &mut State, source: &mut Source, vpcs: &[aws::Vpc]) -> Result<(), LoadError> {
    for (i, vpc) in vpcs.iter().enumerate() {
        let at = At::ROOT.item("Vpcs", i);
        let id = source.need(at, "VpcId", &vpc.id, "the id of a VPC")?;
        let mut cidrs = Vec::new();
        block(source, at, "CidrBlock", &vpc.cidr, Family::V4, &mut cidrs)?;
        for (j, own) in vpc.v4.0.iter().enumerate().filter(|(_, own)| counts(own.state.as_ref())) {
            block(source, at.item("CidrBlockAssociationSet", j), "CidrBlock", &own.cidr, Family::V4, &mut cidrs)?;
        }
        v6_blocks(source, at, &vpc.v6.0, &mut cidrs)?;
        state.add_vpc(Vpc::new(id, distinct(cidrs)), source.place(at))?;
    }
    Ok(())
}

/// Subnets with their ranges.
pub(super) fn subnets(state: &mut State, source: &mut Source, subnets: &[aws::Subnet]) -> Result<(), LoadError> {
    for (i, subnet) in subnets.iter().enumerate() {
        let at = At::ROOT.item("Subnets", i);
        let id = source.need(at, "SubnetId", &subnet.id, "the id of a subnet")?;
        let vpc = source.need(at, "VpcId", &subnet.vpc, "the id of a VPC")?;
        let mut cidrs = Vec::new();
        block(source, at, "CidrBlock", &subnet.cidr, Family::V4, &mut cidrs)?;
        v6_blocks(source, at, &subnet.v6.0, &mut cidrs)?;
        state.add_subnet(Subnet::new(id, vpc, distinct(cidrs)), source.place(at))?;
    }
    Ok(())
}

fn v6_blocks(source: &mut Source, at: At<'_>, blocks: &[aws::Block6], cidrs: &mut Vec<Cidr>) -> Result<(), LoadError> {
    for (j, own) in blocks.iter().enumerate().filter(|(_, own)| counts(own.state.as_ref())) {
        block(source, at.item("Ipv6CidrBlockAssociationSet", j), "Ipv6CidrBlock", &own.cidr, Family::V6, cidrs)?;
    }
    Ok(())
}

fn block(
    source: &mut Source,
    at: At<'_>,
    field: &str,
    text: &Text,
    family: Family,
    cidrs: &mut Vec<Cidr>,
) -> Result<(), LoadError> {
    if let Some(text) = text.get() {
        cidrs.push(cidr(source, at.field(field), text, Some(family), Bare::Refused)?);
    }
    Ok(())
}

/// Whether a range belongs to the VPC now.
fn counts(state: Option<&aws::BlockState>) -> bool {
    state.and_then(|state| state.state.get()).is_none_or(|state| state.eq_ignore_ascii_case("associated"))
}

//! Oracles: what a provider does to a flow, written down from the sentences of its documents (the
//! numbered facts), as naively as possible, on the model alone.
//!
//! Nothing here comes from `engine` or `policy` but the words `Verdict` and `Basis`. Addresses are
//! compared as plain numbers, references are resolved by walking the interfaces, and what is not
//! known is taken literally: every way in which it could be is a *world*, each world has a verdict,
//! and if worlds differ the verdict is indeterminate. Things that are not known are taken to be
//! independent of each other, rule by rule, as section 3 of the design defines it.

#![allow(dead_code, reason = "every test that includes the oracles uses a part of them")]
#![allow(unreachable_pub, reason = "the module is included into several crates")]

pub mod alibaba;
pub mod aws;

use std::net::IpAddr;

use secgroup::model::{
    GroupReference, Interface, Inventory, Peer, PeeringStatus, Rule, SecurityGroup, VpcId, VpcRelation,
};
use secgroup::net::{Cidr, Direction, Family};
use secgroup::policy::{Basis, Verdict};

/// Whose verdict is asked for.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub inventory: &'a Inventory,
    pub interface: &'a Interface,
    pub direction: Direction,
    /// Whether the path keeps the sender's identity (AWS-43).
    pub identity_preserved: bool,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub verdict: Verdict,
    pub basis: Basis,
    /// Names of the rules that decide, sorted, each once.
    pub rules: Vec<String>,
    /// Every rule of the attached groups that matches or may match, in the order of attachment.
    pub touching: Vec<Touching>,
    /// The first rule that certainly matches at the deciding place, if a rule decides; of an
    /// indeterminate verdict the best that may match, if that is a rule.
    pub first: Option<(String, usize)>,
}

/// A rule that matches or may match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touching {
    pub group: String,
    /// Its place among the group's rules of this direction.
    pub index: usize,
    pub certain: bool,
}

/// Whether something is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    No,
    Maybe,
    Yes,
}

impl Truth {
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
}

/// Something that decides a flow if it matches; the smallest `place` of all that match decides.
pub(crate) struct Candidate {
    pub place: (u32, u32, u32),
    pub allows: bool,
    pub truth: Truth,
    pub basis: Basis,
    /// Group, place among its rules of this direction, and name, if it is a rule.
    pub rule: Option<(String, usize, String)>,
}

/// What happens if nothing matches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    Allow,
    Deny,
    /// The data does not tell which.
    Either,
    /// No group filters (AWS-25).
    Unfiltered,
}

/// Goes through the worlds.
pub(crate) fn judge(candidates: &[Candidate], otherwise: Otherwise) -> Answer {
    // A world makes some of the maybes true. Its verdict is that of its best candidate, so worlds
    // with one best candidate are alike: making at most one maybe true shows every verdict.
    let certain = |candidate: &&Candidate| candidate.truth == Truth::Yes;
    let maybes = candidates.iter().filter(|candidate| candidate.truth == Truth::Maybe);
    let (mut can_allow, mut can_deny) = (false, false);
    for chosen in maybes.map(Some).chain([None]) {
        let best = candidates.iter().filter(certain).chain(chosen).min_by_key(|candidate| candidate.place);
        match (best, otherwise) {
            (Some(candidate), _) if candidate.allows => can_allow = true,
            (Some(_), _) | (None, Otherwise::Deny) => can_deny = true,
            (None, Otherwise::Allow | Otherwise::Unfiltered) => can_allow = true,
            (None, Otherwise::Either) => (can_allow, can_deny) = (true, true),
        }
    }
    let verdict = match (can_allow, can_deny) {
        (true, true) => Verdict::Indeterminate,
        (true, false) => Verdict::Allow,
        (false, _) => Verdict::Deny,
    };
    // What decides a definite verdict is what decides if no maybe is true.
    let closing = candidates.iter().filter(certain).min_by_key(|candidate| candidate.place);
    let decides = |candidate: &&Candidate| match (verdict, closing) {
        (Verdict::Indeterminate, Some(closing)) => candidate.truth != Truth::No && candidate.place <= closing.place,
        (Verdict::Indeterminate, None) => candidate.truth != Truth::No,
        (_, Some(closing)) => candidate.truth == Truth::Yes && candidate.place == closing.place,
        (_, None) => false,
    };
    let mut rules: Vec<String> =
        candidates.iter().filter(decides).filter_map(|c| c.rule.as_ref()).map(|(_, _, name)| name.clone()).collect();
    rules.sort();
    rules.dedup();
    let basis = match (verdict, closing) {
        (Verdict::Indeterminate, _) => Basis::Undecided,
        (_, Some(candidate)) => candidate.basis,
        (_, None) if otherwise == Otherwise::Unfiltered => Basis::Unfiltered,
        (_, None) => Basis::Default,
    };
    let touching = candidates
        .iter()
        .filter(|candidate| candidate.truth != Truth::No)
        .filter_map(|candidate| {
            let (group, index, _) = candidate.rule.as_ref()?;
            Some(Touching { group: group.clone(), index: *index, certain: candidate.truth == Truth::Yes })
        })
        .collect();
    let first = candidates
        .iter()
        .filter(decides)
        .min_by_key(|candidate| candidate.place)
        .and_then(|candidate| candidate.rule.as_ref())
        .map(|(group, index, _)| (group.clone(), *index));
    Answer { verdict, basis, rules, touching, first }
}

/// An address as a number.
fn value(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.octets().iter().fold(0, |sum, octet| sum * 256 + u128::from(*octet)),
        IpAddr::V6(v6) => v6.segments().iter().fold(0, |sum, segment| sum * 65_536 + u128::from(*segment)),
    }
}

/// Whether a block contains an address: the same family, and the same leading bits.
pub(crate) fn contains(block: Cidr, address: IpAddr) -> bool {
    let width: u32 = match (block.first(), address) {
        (IpAddr::V4(_), IpAddr::V4(_)) => 32,
        (IpAddr::V6(_), IpAddr::V6(_)) => 128,
        // AWS-33, ALI-37: IPv4 and IPv6 never meet.
        _ => return false,
    };
    let host_bits = width - u32::from(block.prefix());
    // Halving drops the last bit.
    let network = |address| (0..host_bits).fold(value(address), |number, _| number / 2);
    network(block.first()) == network(address)
}

pub(crate) fn is_v4(address: IpAddr) -> bool {
    address.is_ipv4()
}

/// The address `offset` behind the first one of the first IPv4 block, if the block is that long.
pub(crate) fn v4_offset(blocks: &[Cidr], offset: u128) -> Option<u128> {
    let block = blocks.iter().find(|block| is_v4(block.first()))?;
    let length = 1 << (32 - u32::from(block.prefix()));
    (offset < length).then(|| value(block.first()) + offset)
}

/// Whether an IPv4 address has this number.
pub(crate) fn v4_is(address: IpAddr, number: Option<u128>) -> bool {
    is_v4(address) && number == Some(value(address))
}

/// Whether the far end of a flow is what the rule means (AWS-32 step 3, ALI-92 e).
pub(crate) fn far_end(question: &Question<'_>, group: &SecurityGroup, rule: &Rule, remote: IpAddr) -> Truth {
    match &rule.peer {
        Peer::Any => Truth::Yes,
        // AWS-32, ALI-92: the CIDR contains it.
        Peer::Cidr(block) => contains(*block, remote).into(),
        Peer::PrefixList(id) => {
            // AWS-47, ALI-42: a list that was not loaded is unknown, not empty.
            let Some(list) = question.inventory.prefix_list(id.as_str()) else { return Truth::Maybe };
            // AWS-46, ALI-42: the list means the union of its entries.
            if list.entries.iter().any(|entry| contains(*entry, remote)) {
                return Truth::Yes;
            }
            if list.complete {
                return Truth::No;
            }
            // AWS-46, ALI-42: one list has one family, so what is not loaded is of that family.
            let v4 = list.family.map(|family| family == Family::V4);
            let v4 = v4.or_else(|| list.entries.first().map(|entry| is_v4(entry.first())));
            match v4 {
                Some(v4) if v4 != is_v4(remote) => Truth::No,
                _ => Truth::Maybe,
            }
        }
        Peer::Group(reference) => {
            // AWS-44: the peering is gone, the reference is stale and matches nothing. AWS-43: behind a
            // middlebox references do not work, even if the address is unchanged.
            if reference.peering == Some(PeeringStatus::Gone) || !question.identity_preserved {
                return Truth::No;
            }
            let works = |vpc: Option<&VpcId>| reference_works(question, group, reference, vpc);
            let here = question.interface.vpc.as_ref().or_else(|| group.vpc());
            is_member(question, reference.id.as_str(), remote, here, works)
        }
        _ => Truth::Maybe,
    }
}

/// Whether a reference to a group means something for this interface, about members in this VPC.
fn reference_works(
    question: &Question<'_>,
    group: &SecurityGroup,
    reference: &GroupReference,
    member: Option<&VpcId>,
) -> Truth {
    // AWS-41: with an active peering it works.
    if reference.peering == Some(PeeringStatus::Active) {
        return Truth::Yes;
    }
    // AWS-45: interfaces may live in other VPCs than their groups, and interfaces are what counts.
    let here = question.interface.vpc.as_ref().or_else(|| group.vpc());
    let home = question.inventory.group(reference.id.as_str()).and_then(SecurityGroup::vpc);
    // AWS-10: VPC and peering appear only for references into another VPC, which is then the one
    // named, or that of the group.
    let elsewhere = reference.vpc.is_some() || reference.peering.is_some();
    let there = match &reference.vpc {
        Some(named) => Some(named),
        None if elsewhere => home,
        None => member.or(home),
    };
    match (here, there) {
        (Some(here), Some(there)) if here == there => Truth::Yes,
        (Some(here), Some(there)) => match question.inventory.relation(here, there) {
            VpcRelation::Same | VpcRelation::Peered => Truth::Yes,
            // AWS-42: over a transit gateway in inbound rules only.
            VpcRelation::TransitGateway => (question.direction == Direction::Ingress).into(),
            _ => Truth::Maybe,
        },
        _ if elsewhere => Truth::Maybe,
        // AWS-41: a reference within one VPC needs only the id.
        _ => Truth::Yes,
    }
}

/// Whether the address is a private one of an interface that carries the group (AWS-38, AWS-39,
/// ALI-46), and as such counts by the VPC of that interface.
pub(crate) fn is_member(
    question: &Question<'_>,
    group: &str,
    address: IpAddr,
    here: Option<&VpcId>,
    counts: impl Fn(Option<&VpcId>) -> Truth,
) -> Truth {
    let inventory = question.inventory;
    let mut carried = false;
    let mut addresses_unknown = false;
    let mut found = Truth::No;
    for interface in inventory.interfaces() {
        // AWS-39: primary and secondary addresses of both families and delegated prefixes; AWS-38,
        // ALI-46: public addresses never count.
        let has_it =
            interface.addresses.iter().any(|own| is_v4(*own) == is_v4(address) && value(*own) == value(address))
                || interface.prefixes.iter().any(|prefix| contains(*prefix, address));
        // An interface of which not all addresses are known may have any.
        let may_carry = interface.groups.as_ref().is_none_or(|ids| ids.iter().any(|id| id.as_str() == group));
        addresses_unknown |= interface.addresses_unknown && may_carry;
        match &interface.groups {
            Some(groups) => {
                let has_group = groups.iter().any(|id| id.as_str() == group);
                carried |= has_group;
                if has_group && has_it {
                    found = found.or(counts(interface.vpc.as_ref()));
                }
            }
            // Design 3: groups that are not known are not the same as no groups.
            None if has_it => found = found.or(Truth::Maybe.and(counts(interface.vpc.as_ref()))),
            None => {}
        }
    }
    // Design 3: members are complete if interfaces were described to the last page; AWS-47, ALI-49:
    // of a group that was neither loaded nor carried by an interface nothing is known.
    let all_known = !addresses_unknown && inventory.members_complete() && (carried || inventory.group(group).is_some());
    if all_known {
        return found;
    }
    // A member that was not described may be in any VPC, and the one here is one (AWS-45).
    let anywhere = counts(None).or(counts(here));
    found.or(Truth::Maybe.and(anywhere))
}

//! Which addresses are public, and which sets of them count as "anywhere".

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use crate::net::{AddressSet, Cidr, Family};
use crate::policy::{Clause, Extent, Missing, Policy, RuleList};

/// The share of a family's public addresses that counts as anywhere: numerator and denominator.
///
/// Three quarters: two halves of the address space together are anywhere (trap T11), and so is all of it
/// without a few blocks that are dropped, while one half alone is not.
pub const ANYWHERE: (u128, u128) = (3, 4);

/// IPv4 blocks of the IANA registry of special-purpose addresses (RFC 6890 and its updates) that are not
/// reached from the internet, with multicast and reserved space. Blocks for documentation are missing
/// on purpose.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 12] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The part of IPv6 that is given out for global use (RFC 4291).
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What of it is for protocols (Teredo, benchmarks and others) and for 6to4.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 2] =
    [(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16)];

static PUBLIC: LazyLock<AddressSet> = LazyLock::new(|| {
    let v4 = blocks(&NOT_PUBLIC_V4).complement().of(Family::V4);
    let v6 = blocks(&[GLOBAL_V6]).intersection(&blocks(&NOT_PUBLIC_V6).complement());
    v4.union(&v6)
});

/// How many public addresses each family has.
static COUNTS: LazyLock<[u128; 2]> = LazyLock::new(|| Family::ALL.map(|family| count(&PUBLIC, family)));

fn blocks<A: Into<IpAddr> + Copy>(list: &[(A, u8)]) -> AddressSet {
    list.iter().filter_map(|(address, prefix)| Cidr::containing((*address).into(), *prefix).ok()).collect()
}

/// The public addresses of both families: those that are in no registry of special-purpose addresses, nor
/// multicast, nor reserved.
///
/// The blocks for documentation (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, `2001:db8::/32`
/// and `3fff::/20`) count as public: examples and tests write public hosts with them, and nothing else uses them.
pub fn public_addresses() -> AddressSet {
    PUBLIC.clone()
}

pub(super) fn public() -> &'static AddressSet {
    &PUBLIC
}

/// Whether a set has at least the share [`ANYWHERE`] of the public addresses of a family. Exact; the
/// addresses that are not public count neither way.
///
/// ```
/// use secgroup::analysis::controls::is_anywhere;
/// use secgroup::net::{AddressSet, Cidr, Family};
///
/// let set = |blocks: &[&str]| -> Result<AddressSet, secgroup::net::CidrError> {
///     blocks.iter().map(|block| block.parse::<Cidr>()).collect()
/// };
/// assert!(is_anywhere(&set(&["0.0.0.0/1", "128.0.0.0/1"])?, Family::V4));
/// assert!(!is_anywhere(&set(&["0.0.0.0/1"])?, Family::V4));
/// assert!(is_anywhere(&set(&["2000::/3"])?, Family::V6));
/// # Ok::<(), secgroup::net::CidrError>(())
/// ```
pub fn is_anywhere(addresses: &AddressSet, family: Family) -> bool {
    let [v4, v6] = *COUNTS;
    let all = match family {
        Family::V4 => v4,
        Family::V6 => v6,
    };
    // Public addresses are fewer than 2^125, so neither product overflows.
    let (share, whole) = ANYWHERE;
    count(&addresses.intersection(&PUBLIC), family) * whole >= all * share
}

/// The number of addresses of a set of public addresses.
fn count(addresses: &AddressSet, family: Family) -> u128 {
    match family {
        Family::V4 => addresses.numbers_v4().iter().map(|(first, last)| u128::from(last - first) + 1).sum(),
        Family::V6 => addresses.numbers_v6().iter().map(|(first, last)| last - first + 1).sum(),
    }
}

/// The same policy, with the members of groups that are not known taken to have no public addresses.
///
/// A reference to a group of which not all members are known may match any address, and by that alone
/// everything would perhaps be open to the public. But members are meant by their private addresses (AWS-38,
/// ALI-46), and no group has members enough to be anywhere. Clauses keep their numbers. Members that are known
/// stay as they are. Borrowed if there is nothing to change, and for policies of several stages, which
/// neither AWS nor Alibaba Cloud has.
pub fn without_public_members(policy: &Policy) -> Cow<'_, Policy> {
    let lists = policy.lists();
    let [list] = lists.as_slice() else { return Cow::Borrowed(policy) };
    if !list.clauses().iter().any(has_open_members) {
        return Cow::Borrowed(policy);
    }
    let inside = Arc::new(PUBLIC.complement());
    let clauses = list.clauses().iter().map(|clause| {
        let mut clause = clause.clone();
        if has_open_members(&clause)
            && let Extent::Partial { certain, possible } = &mut clause.extent
        {
            possible.remote = match certain {
                Some(certain) => Arc::new(inside.union(&certain.remote)),
                None => inside.clone(),
            };
        }
        clause
    });
    // Clauses are in the order of their ranks already, so neither order nor numbers change.
    RuleList::new(list.label(), clauses.collect(), list.fallback().clone())
        .and_then(|list| Policy::rules(policy.direction(), list))
        .map_or(Cow::Borrowed(policy), Cow::Owned)
}

/// Whether a clause may match any address because members of a group are not known.
fn has_open_members(clause: &Clause) -> bool {
    let members = |missing: &Missing| {
        matches!(missing, Missing::GroupMembers { .. } | Missing::VpcRelation { .. } | Missing::ReferencedVpc { .. })
    };
    clause.missing.iter().any(members)
        && matches!(&clause.extent, Extent::Partial { possible, .. } if *possible.remote == AddressSet::all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> AddressSet {
        texts.iter().map(|text| text.parse::<Cidr>().unwrap()).collect()
    }

    #[test]
    fn what_is_public() {
        for (address, expected) in [
            ("0.255.255.255", false),
            ("1.0.0.0", true),
            ("9.255.255.255", true),
            ("10.255.255.255", false),
            ("100.63.255.255", true),
            ("100.64.0.0", false),
            ("100.128.0.0", true),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("172.15.255.255", true),
            ("172.31.255.255", false),
            ("192.0.0.255", false),
            ("192.0.1.0", true),
            ("192.0.2.1", true),
            ("192.88.99.1", false),
            ("192.168.0.1", false),
            ("198.18.0.0", false),
            ("198.20.0.0", true),
            ("198.51.100.7", true),
            ("203.0.113.7", true),
            ("223.255.255.255", true),
            ("224.0.0.0", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("64:ff9b::1", false),
            ("1fff:ffff::", false),
            ("2000::", true),
            ("2001::1", false),
            ("2001:1ff:ffff::", false),
            ("2001:200::", true),
            ("2001:db8::1", true),
            ("2002::1", false),
            ("3fff:ffff::1", true),
            ("4000::", false),
            ("fc00::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(public_addresses().contains(address.parse().unwrap()), expected, "{address}");
        }
    }

    /// Trap T11: "anywhere" is more than 0.0.0.0/0 as it is written.
    #[test]
    fn t11_what_is_anywhere() {
        for (blocks, family, expected) in [
            (&["0.0.0.0/0"][..], Family::V4, true),
            (&["0.0.0.0/0"], Family::V6, false),
            (&["::/0"], Family::V6, true),
            (&["::/0"], Family::V4, false),
            (&["0.0.0.0/1", "128.0.0.0/1"], Family::V4, true),
            (&["0.0.0.0/1"], Family::V4, false),
            (&["128.0.0.0/1"], Family::V4, false),
            (&["2000::/3"], Family::V6, true),
            (&["2000::/4", "3000::/4"], Family::V6, true),
            (&["2000::/4"], Family::V6, false),
            (&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"], Family::V4, false),
            (&["fc00::/7", "fe80::/10"], Family::V6, false),
        ] {
            assert_eq!(is_anywhere(&set(blocks), family), expected, "{blocks:?} of {family}");
        }
        // The whole without a few blocks.
        let most = set(&["45.0.0.0/8", "203.0.113.0/24"]).complement();
        assert!(is_anywhere(&most, Family::V4));
    }

    /// Exactly three quarters are enough, and one address less is not.
    #[test]
    fn the_share_is_exact() {
        let public = public_addresses();
        let ranges = public.numbers_v4();
        let enough = (count(&public, Family::V4) * 3).div_ceil(4);
        let mut left = enough;
        let mut taken = Vec::new();
        for (first, last) in ranges {
            let size = (u128::from(last - first) + 1).min(left);
            if size > 0 {
                taken.push((*first, first + u32::try_from(size - 1).unwrap()));
            }
            left -= size;
        }
        assert!(is_anywhere(&AddressSet::of_numbers(taken.clone(), Vec::new()), Family::V4));
        let end = taken.last_mut().unwrap();
        end.1 -= 1;
        assert!(!is_anywhere(&AddressSet::of_numbers(taken, Vec::new()), Family::V4));
    }
}

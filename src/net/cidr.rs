//! CIDR blocks in canonical form.
//!
//! `ipnetwork` is the interchange type, but it keeps host bits, and its comparisons and containment
//! predicates answer wrongly because of that. So blocks pass through one door, [`Cidr`]: masked,
//! compared and ordered by network address and length. That host bits were there is remembered only
//! to warn about it ([`Cidr::parse`], AWS-35, ALI-39).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::family::{Family, number};

/// A block of addresses of one family: a network address without host bits, and a prefix length.
///
/// ```
/// use secgroup::net::Cidr;
///
/// let block: Cidr = "10.0.0.0/8".parse()?;
/// assert!(block.contains("10.255.255.255".parse()?));
/// assert!(!block.contains("11.0.0.0".parse()?));
///
/// // The strict parser refuses host bits; `Cidr::parse` masks them and says so.
/// assert!("100.68.0.18/18".parse::<Cidr>().is_err());
/// let parsed = Cidr::parse("100.68.0.18/18")?;
/// assert_eq!(parsed.cidr.to_string(), "100.68.0.0/18");
/// assert!(parsed.host_bits);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    family: Family,
    first: u128,
    prefix: u8,
}

/// What [`Cidr::parse`] read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParsedCidr {
    /// The block, masked.
    pub cidr: Cidr,
    /// Whether the text had bits set beyond the prefix (`10.0.0.5/24`), which were masked.
    pub host_bits: bool,
    /// Whether the text was a bare address without a length, read as a block of one address.
    pub bare: bool,
}

/// Why a text or a pair of address and length is not a CIDR block.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CidrError {
    /// The part before the slash is not an address.
    #[error("`{0}` is not an IPv4 or IPv6 address")]
    Address(String),
    /// There is no slash and no length.
    #[error("`{0}` has no prefix length, such as /24")]
    NoLength(String),
    /// The part behind the slash is not a length that the family has.
    #[error("`{length}` is not a prefix length of {family} (0 to {max})", max = family.bits())]
    Length {
        /// The text behind the slash.
        length: String,
        /// The family of the address.
        family: Family,
    },
    /// Bits are set beyond the prefix.
    #[error("`{given}` has bits set beyond its prefix; the block is {masked}")]
    HostBits {
        /// The text as given.
        given: String,
        /// The block that it lies in.
        masked: Cidr,
    },
}

impl Cidr {
    /// The block of this length that contains `address`; host bits are masked.
    ///
    /// # Errors
    /// [`CidrError::Length`] if the family has no prefix of this length.
    pub fn containing(address: IpAddr, prefix: u8) -> Result<Self, CidrError> {
        let family = Family::of(address);
        if prefix > family.bits() {
            return Err(CidrError::Length { length: prefix.to_string(), family });
        }
        Ok(Self { family, first: number(address) & mask(family, prefix), prefix })
    }

    /// The block of one address: /32 or /128.
    pub fn host(address: IpAddr) -> Self {
        let family = Family::of(address);
        Self { family, first: number(address), prefix: family.bits() }
    }

    /// All addresses of a family: `0.0.0.0/0` or `::/0`.
    pub fn all(family: Family) -> Self {
        Self { family, first: 0, prefix: 0 }
    }

    /// Reads a block as the clouds' documents hold it: host bits are masked and reported, a bare
    /// address is a block of one and reported (ALI-39). Surrounding spaces, signs, leading zeros and
    /// netmasks are refused.
    ///
    /// # Errors
    /// A [`CidrError`] that says which part of the text is wrong.
    pub fn parse(text: &str) -> Result<ParsedCidr, CidrError> {
        let (address_text, length_text) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address_text.parse().map_err(|_| CidrError::Address(address_text.to_owned()))?;
        let Some(length_text) = length_text else {
            return Ok(ParsedCidr { cidr: Self::host(address), host_bits: false, bare: true });
        };
        let family = Family::of(address);
        let bad_length = || CidrError::Length { length: length_text.to_owned(), family };
        let canonical_digits = length_text.bytes().all(|b| b.is_ascii_digit())
            && (length_text.len() == 1 || !length_text.starts_with('0'));
        if !canonical_digits {
            return Err(bad_length());
        }
        let prefix: u8 = length_text.parse().map_err(|_| bad_length())?;
        let cidr = Self::containing(address, prefix).map_err(|_| bad_length())?;
        Ok(ParsedCidr { cidr, host_bits: cidr.first != number(address), bare: false })
    }

    /// The address family.
    pub fn family(self) -> Family {
        self.family
    }

    /// The prefix length.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The network address, which is the first address of the block.
    pub fn first(self) -> IpAddr {
        self.family.address(self.first)
    }

    /// The last address of the block.
    pub fn last(self) -> IpAddr {
        self.family.address(self.range().1)
    }

    /// The address `offset` places behind the network address, if it lies in the block.
    pub fn nth(self, offset: u128) -> Option<IpAddr> {
        let wanted = self.first.checked_add(offset)?;
        (wanted <= self.range().1).then(|| self.family.address(wanted))
    }

    /// Whether the block contains the address; never across families.
    pub fn contains(self, address: IpAddr) -> bool {
        self.family == Family::of(address) && number(address) & mask(self.family, self.prefix) == self.first
    }

    /// Whether every address of `other` is in this block.
    pub fn covers(self, other: Self) -> bool {
        self.family == other.family
            && self.prefix <= other.prefix
            && other.first & mask(self.family, self.prefix) == self.first
    }

    /// Whether this is all of its family.
    pub fn is_all(self) -> bool {
        self.prefix == 0
    }

    /// First and last address as numbers.
    pub(crate) fn range(self) -> (u128, u128) {
        (self.first, self.first | (self.family.last() & !mask(self.family, self.prefix)))
    }
}

/// The bits of the network part.
fn mask(family: Family, prefix: u8) -> u128 {
    let host_bits = u32::from(family.bits().saturating_sub(prefix));
    // A shift by the full width is not defined; a /0 has no network bits at all.
    u128::MAX.checked_shl(host_bits).unwrap_or(0) & family.last()
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// Reads a canonical block; host bits and bare addresses are refused.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let parsed = Self::parse(text)?;
        if parsed.bare {
            return Err(CidrError::NoLength(text.to_owned()));
        }
        if parsed.host_bits {
            return Err(CidrError::HostBits { given: text.to_owned(), masked: parsed.cidr });
        }
        Ok(parsed.cidr)
    }
}

impl From<Cidr> for IpNetwork {
    fn from(cidr: Cidr) -> Self {
        match IpNetwork::new(cidr.first(), cidr.prefix) {
            Ok(network) => network,
            // A `Cidr` never has a prefix longer than its family; a host block is the total answer.
            Err(_) => IpNetwork::from(cidr.first()),
        }
    }
}

/// Masks host bits.
impl From<IpNetwork> for Cidr {
    fn from(network: IpNetwork) -> Self {
        let address = network.ip();
        Self::containing(address, network.prefix()).unwrap_or_else(|_| Self::host(address))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.prefix)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn edges_of_a_block() {
        for (block, first, last, before, after) in [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            ("192.0.2.12/32", "192.0.2.12", "192.0.2.12", "192.0.2.11", "192.0.2.13"),
            (
                "2001:db8::/32",
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db9::",
            ),
        ] {
            let block = cidr(block);
            assert_eq!(block.first().to_string(), first);
            assert_eq!(block.last().to_string(), last);
            assert!(block.contains(block.first()) && block.contains(block.last()));
            assert!(!block.contains(before.parse().unwrap()));
            assert!(!block.contains(after.parse().unwrap()));
        }
    }

    #[test]
    fn all_of_one_family_has_nothing_of_the_other() {
        assert!(cidr("0.0.0.0/0").contains("255.255.255.255".parse().unwrap()));
        assert!(!cidr("0.0.0.0/0").contains("::1".parse().unwrap()));
        assert!(cidr("::/0").contains("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap()));
        assert!(!cidr("::/0").contains("0.0.0.1".parse().unwrap()));
        assert!(!cidr("::ffff:0:0/96").contains("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn host_bits_are_masked_and_reported() {
        let parsed = Cidr::parse("100.68.0.18/18").unwrap();
        assert_eq!((parsed.cidr.to_string().as_str(), parsed.host_bits), ("100.68.0.0/18", true));
        let parsed = Cidr::parse("2001:db8::1/32").unwrap();
        assert_eq!((parsed.cidr.to_string().as_str(), parsed.host_bits), ("2001:db8::/32", true));
    }

    #[test]
    fn bare_addresses_are_blocks_of_one() {
        let parsed = Cidr::parse("203.0.113.9").unwrap();
        assert!(parsed.bare && !parsed.host_bits);
        assert_eq!(parsed.cidr.to_string(), "203.0.113.9/32");
        assert_eq!(Cidr::parse("2001:db8::9").unwrap().cidr.to_string(), "2001:db8::9/128");
        assert!(matches!("203.0.113.9".parse::<Cidr>(), Err(CidrError::NoLength(_))));
    }

    #[test]
    fn loose_spellings_are_refused() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/255.0.0.0",
            "010.0.0.0/8",
            " 10.0.0.0/8",
            "10.0.0.0/8 ",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/-1",
            "::/999",
        ] {
            assert!(Cidr::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn covering_is_by_network_not_by_the_written_address() {
        // ipnetwork answers both of these wrongly, because it keeps host bits.
        let wide = Cidr::parse("10.0.0.200/24").unwrap().cidr;
        let half = cidr("10.0.0.128/25");
        assert!(!half.covers(wide));
        assert!(wide.covers(half));
        assert!(Cidr::parse("10.0.0.5/24").unwrap().cidr.covers(cidr("10.0.0.1/32")));
        assert!(!cidr("0.0.0.0/0").covers(cidr("::/128")));
    }

    #[test]
    fn ipnetwork_round_trip_masks() {
        let network: IpNetwork = "10.0.0.5/24".parse().unwrap();
        let block = Cidr::from(network);
        assert_eq!(block, cidr("10.0.0.0/24"));
        assert_eq!(IpNetwork::from(block).to_string(), "10.0.0.0/24");
        for text in ["0.0.0.0/0", "::/0", "2001:db8::/33", "1.2.3.4/32"] {
            assert_eq!(Cidr::from(IpNetwork::from(cidr(text))), cidr(text));
        }
    }

    #[test]
    fn nth_stays_in_the_block() {
        assert_eq!(cidr("10.0.0.0/16").nth(2), Some("10.0.0.2".parse().unwrap()));
        assert_eq!(cidr("10.0.0.0/31").nth(2), None);
        assert_eq!(cidr("::/0").nth(u128::MAX), Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap()));
        assert_eq!(cidr("0.0.0.0/0").nth(1 << 32), None);
    }
}

//! Port ranges and sets of ports.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// An inclusive range of TCP or UDP ports, never empty.
///
/// ```
/// use secgroup::net::PortRange;
///
/// let web: PortRange = "80-443".parse()?;
/// assert!(web.contains(80) && web.contains(443) && !web.contains(444));
/// assert_eq!(PortRange::from(22).to_string(), "22");
/// # Ok::<(), secgroup::net::PortRangeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why something is not a port range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PortRangeError {
    /// The first port is greater than the last.
    #[error("the range {first}-{last} ends before it begins")]
    Reversed {
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
    /// The text is not one or two port numbers.
    #[error("`{0}` is not a port or a range of ports from 0 to 65535, such as 22 or 80-443")]
    Malformed(String),
}

impl PortRange {
    /// Every port, 0 to 65535.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// The ports from `first` to `last`, both included.
    ///
    /// # Errors
    /// [`PortRangeError::Reversed`] if `first` is greater than `last`.
    pub fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first > last {
            return Err(PortRangeError::Reversed { first, last });
        }
        Ok(Self { first, last })
    }

    /// The first port.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The last port.
    pub fn last(self) -> u16 {
        self.last
    }

    /// Whether the port is in the range.
    pub fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl From<u16> for PortRange {
    fn from(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    /// Reads `22` or `80-443`.
    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let port = |part: &str| -> Result<u16, PortRangeError> {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten().ok_or_else(|| PortRangeError::Malformed(text.to_owned()))
        };
        match text.split_once('-') {
            None => port(text).map(Self::from),
            Some((first, last)) => Self::new(port(first)?, port(last)?),
        }
    }
}

impl Serialize for PortRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A set of ports: sorted ranges that neither touch nor overlap, so equal sets are equal values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PortSet {
    ranges: Vec<PortRange>,
}

impl PortSet {
    /// Every port.
    pub fn all() -> Self {
        Self { ranges: vec![PortRange::ALL] }
    }

    /// No port.
    pub fn empty() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The ranges in ascending order.
    pub fn ranges(&self) -> &[PortRange] {
        &self.ranges
    }

    /// Whether the port is in the set. Logarithmic in the number of ranges.
    pub fn contains(&self, port: u16) -> bool {
        let after = self.ranges.partition_point(|range| range.first <= port);
        after.checked_sub(1).and_then(|i| self.ranges.get(i)).is_some_and(|range| range.contains(port))
    }

    /// Whether the set has no port.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether the set has every port.
    pub fn is_all(&self) -> bool {
        self.ranges == [PortRange::ALL]
    }
}

impl FromIterator<PortRange> for PortSet {
    fn from_iter<I: IntoIterator<Item = PortRange>>(ranges: I) -> Self {
        let mut sorted: Vec<PortRange> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(previous) if u32::from(range.first) <= u32::from(previous.last) + 1 => {
                    previous.last = previous.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        Self { ranges: merged }
    }
}

impl From<PortRange> for PortSet {
    fn from(range: PortRange) -> Self {
        Self { ranges: vec![range] }
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ranges.is_empty() {
            return f.write_str("no port");
        }
        for (i, range) in self.ranges.iter().enumerate() {
            write!(f, "{}{range}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, first, last) in [("0", 0, 0), ("65535", 65535, 65535), ("1-65535", 1, 65535), ("22", 22, 22)] {
            assert_eq!(text.parse(), PortRange::new(first, last), "{text}");
        }
        for text in ["", "-", "1-", "-1", "65536", "+1", "1-2-3", "443-80", " 1", "a"] {
            assert!(text.parse::<PortRange>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn sets_merge_touching_ranges() {
        let set: PortSet = ["10-20", "21-30", "5-5", "40-50", "45-60"].iter().map(|t| t.parse().unwrap()).collect();
        assert_eq!(set.to_string(), "5,10-30,40-60");
        for (port, inside) in [
            (4, false),
            (5, true),
            (6, false),
            (9, false),
            (10, true),
            (30, true),
            (31, false),
            (60, true),
            (61, false),
        ] {
            assert_eq!(set.contains(port), inside, "{port}");
        }
        let split: PortSet = ["0-100", "101-65535"].iter().map(|t| t.parse().unwrap()).collect();
        assert!(split.is_all());
    }
}

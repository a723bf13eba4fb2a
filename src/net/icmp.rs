//! ICMP and ICMPv6 messages: a type and a code, never a range (AWS-6).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type and code of an ICMP or ICMPv6 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IcmpMessage {
    /// The message type, such as 8 (echo request) in ICMP or 128 in ICMPv6.
    #[serde(rename = "type")]
    pub kind: u8,
    /// The code within the type, 0 where the type has only one.
    pub code: u8,
}

impl IcmpMessage {
    /// The ICMP echo request that `ping` sends over IPv4.
    pub const ECHO_REQUEST: Self = Self { kind: 8, code: 0 };
    /// The ICMPv6 echo request that `ping` sends over IPv6.
    pub const ECHO_REQUEST_V6: Self = Self { kind: 128, code: 0 };

    /// A message of this type and code.
    pub fn new(kind: u8, code: u8) -> Self {
        Self { kind, code }
    }

    /// Type and code in one number.
    pub(crate) fn selector(self) -> u16 {
        u16::from_be_bytes([self.kind, self.code])
    }

    /// The message with this type and code.
    pub(crate) fn of_selector(selector: u16) -> Self {
        let [kind, code] = selector.to_be_bytes();
        Self { kind, code }
    }
}

impl fmt::Display for IcmpMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.code)
    }
}

/// Which ICMP messages a rule is about: every message, every code of one type, or one type and code.
///
/// A code without a type cannot be said, as in the clouds (AWS-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpSelector {
    /// Every message.
    Any,
    /// Every code of this type.
    Type(u8),
    /// This type with this code.
    Message(IcmpMessage),
}

impl IcmpSelector {
    /// Whether the message is one of those selected.
    pub fn contains(self, message: IcmpMessage) -> bool {
        match self {
            Self::Any => true,
            Self::Type(kind) => kind == message.kind,
            Self::Message(selected) => selected == message,
        }
    }

    /// The selected type, if one is selected.
    pub fn kind(self) -> Option<u8> {
        match self {
            Self::Any => None,
            Self::Type(kind) | Self::Message(IcmpMessage { kind, .. }) => Some(kind),
        }
    }

    /// The selected code, if one is selected.
    pub fn code(self) -> Option<u8> {
        match self {
            Self::Any | Self::Type(_) => None,
            Self::Message(message) => Some(message.code),
        }
    }
}

impl fmt::Display for IcmpSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any type"),
            Self::Type(kind) => write!(f, "{kind}/any code"),
            Self::Message(message) => message.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-6 and trap T5: type 8 with code 8 is not ping, which is type 8 with code 0.
    #[test]
    fn type_and_code_are_a_pair() {
        let ping = IcmpMessage::ECHO_REQUEST;
        assert!(IcmpSelector::Any.contains(ping));
        assert!(IcmpSelector::Type(8).contains(ping));
        assert!(IcmpSelector::Message(IcmpMessage::new(8, 0)).contains(ping));
        assert!(!IcmpSelector::Message(IcmpMessage::new(8, 8)).contains(ping));
        assert!(!IcmpSelector::Type(0).contains(ping));
    }
}

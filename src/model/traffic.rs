//! What a rule says about protocol, ports and ICMP messages.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::id::PortListId;
use crate::net::{IcmpMessage, IcmpSelector, PortRange, Protocol};

/// The protocol of a rule, with what belongs to it: destination ports for TCP and UDP (AWS-5,
/// ALI-35), type and code for ICMP (AWS-6), nothing for the others (AWS-8).
///
/// Written as text: `all`, `tcp`, `tcp/443`, `udp/53-54`, `tcp/list:prl-1` (a port list), `icmp`,
/// `icmp/8` (type 8, any code), `icmp/8/0`, `icmpv6`, `gre`, `50`.
///
/// ```
/// use secgroup::model::Traffic;
///
/// let https: Traffic = "tcp/443".parse()?;
/// assert_eq!(https, Traffic::tcp(443));
/// assert_eq!("47".parse::<Traffic>()?.to_string(), "gre");
/// # Ok::<(), secgroup::model::TrafficError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Traffic {
    /// Every protocol.
    All,
    /// TCP to these destination ports.
    Tcp(Ports),
    /// UDP to these destination ports.
    Udp(Ports),
    /// These ICMP messages, over IPv4 only (AWS-34, ALI-37).
    Icmp(IcmpSelector),
    /// These ICMPv6 messages, over IPv6 only (AWS-34, ALI-37).
    Icmpv6(IcmpSelector),
    /// Another protocol by its number. Make it with [`Traffic::protocol`], which gives the four
    /// protocols above their own form; here their numbers mean the same, all of the protocol.
    Other(Protocol),
}

/// The destination ports of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ports {
    /// No restriction: the document gave no ports.
    Any,
    /// The ports of a range.
    Range(PortRange),
    /// The ports of a port list (ALI-43).
    List(PortListId),
}

/// A text does not say what traffic it means.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a protocol with its ports or ICMP type and code, such as tcp/443, icmp/8/0 or all")]
pub struct TrafficError(pub String);

impl Traffic {
    /// TCP to a port or a range of ports.
    pub fn tcp(ports: impl Into<PortRange>) -> Self {
        Self::Tcp(Ports::Range(ports.into()))
    }

    /// UDP to a port or a range of ports.
    pub fn udp(ports: impl Into<PortRange>) -> Self {
        Self::Udp(Ports::Range(ports.into()))
    }

    /// Everything of one protocol: all ports, all ICMP messages.
    pub fn protocol(protocol: Protocol) -> Self {
        match protocol {
            Protocol::TCP => Self::Tcp(Ports::Any),
            Protocol::UDP => Self::Udp(Ports::Any),
            Protocol::ICMP => Self::Icmp(IcmpSelector::Any),
            Protocol::ICMPV6 => Self::Icmpv6(IcmpSelector::Any),
            other => Self::Other(other),
        }
    }

    /// The destination ports, for TCP and UDP.
    pub fn ports(&self) -> Option<&Ports> {
        match self {
            Self::Tcp(ports) | Self::Udp(ports) => Some(ports),
            _ => None,
        }
    }

    /// The protocol number; `None` for every protocol.
    pub fn number(&self) -> Option<Protocol> {
        match self {
            Self::All => None,
            Self::Tcp(_) => Some(Protocol::TCP),
            Self::Udp(_) => Some(Protocol::UDP),
            Self::Icmp(_) => Some(Protocol::ICMP),
            Self::Icmpv6(_) => Some(Protocol::ICMPV6),
            Self::Other(protocol) => Some(*protocol),
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(protocol) = self.number() else {
            return f.write_str("all");
        };
        write!(f, "{protocol}")?;
        match self {
            Self::Tcp(Ports::Range(range)) | Self::Udp(Ports::Range(range)) => write!(f, "/{range}"),
            Self::Tcp(Ports::List(list)) | Self::Udp(Ports::List(list)) => write!(f, "/list:{list}"),
            Self::Icmp(IcmpSelector::Type(kind)) | Self::Icmpv6(IcmpSelector::Type(kind)) => write!(f, "/{kind}"),
            Self::Icmp(IcmpSelector::Message(message)) | Self::Icmpv6(IcmpSelector::Message(message)) => {
                write!(f, "/{message}")
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Traffic {
    type Err = TrafficError;

    fn from_str(text: &str) -> Result<Self, TrafficError> {
        let wrong = || TrafficError(text.to_owned());
        if text.eq_ignore_ascii_case("all") {
            return Ok(Self::All);
        }
        // `a/n` is an IANA keyword with a slash in it.
        if let Ok(protocol) = text.parse::<Protocol>() {
            return Ok(Self::protocol(protocol));
        }
        let (protocol, rest) = text.split_once('/').ok_or_else(wrong)?;
        let whole = Self::protocol(protocol.parse().map_err(|_| wrong())?);
        let ports = || match rest.strip_prefix("list:") {
            Some(id) => Ok(Ports::List(id.into())),
            None => rest.parse().map(Ports::Range).map_err(|_| wrong()),
        };
        let byte = |part: &str| part.parse::<u8>().map_err(|_| wrong());
        let icmp = || match rest.split_once('/') {
            None => byte(rest).map(IcmpSelector::Type),
            Some((kind, code)) => Ok(IcmpSelector::Message(IcmpMessage::new(byte(kind)?, byte(code)?))),
        };
        match whole {
            Self::Tcp(_) => ports().map(Self::Tcp),
            Self::Udp(_) => ports().map(Self::Udp),
            Self::Icmp(_) => icmp().map(Self::Icmp),
            Self::Icmpv6(_) => icmp().map(Self::Icmpv6),
            Self::All | Self::Other(_) => Err(wrong()),
        }
    }
}

impl Serialize for Traffic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Traffic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip() {
        for text in [
            "all",
            "tcp",
            "tcp/443",
            "udp/53-54",
            "tcp/0-65535",
            "tcp/list:80",
            "udp/list:PRL/x",
            "tcp/list:prl-1",
            "icmp",
            "icmp/8",
            "icmp/8/0",
            "icmpv6/128/0",
            "gre",
            "esp",
            "a/n",
            "200",
        ] {
            assert_eq!(text.parse::<Traffic>().unwrap().to_string(), text);
        }
        for (text, same) in [("6", "tcp"), ("TCP/80", "tcp/80"), ("58", "icmpv6"), ("ALL", "all"), ("1/8", "icmp/8")] {
            assert_eq!(text.parse::<Traffic>().unwrap().to_string(), same);
        }
        for text in
            ["", "tcp/", "tcp/443-80", "tcp/65536", "icmp/256", "icmp/-1", "gre/1", "all/1", "icmp/8/0/0", "tcp/x"]
        {
            assert!(text.parse::<Traffic>().is_err(), "{text:?} was accepted");
        }
    }
}

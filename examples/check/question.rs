//! One question, as arguments, and what its ends stand for in an inventory.

use std::net::IpAddr;

use clap::Args;
use secgroup::engine::Probe;
use secgroup::model::{Interface, Inventory};
use secgroup::net::{Family, Flow, FlowError, IcmpMessage, Payload, Protocol};

use crate::Failure;
use crate::common::interface;

/// A question about one packet.
#[derive(Args, Debug, Clone)]
pub(crate) struct PacketArgs {
    /// The sender: an interface, an instance, or an IP address outside
    #[arg(long, value_name = "ID")]
    pub(crate) from: Option<String>,
    /// The receiver: an interface, an instance, or an IP address outside
    #[arg(long, value_name = "ID")]
    pub(crate) to: Option<String>,
    /// Protocol: a name such as tcp, udp, icmp, icmpv6, gre, or a number
    #[arg(long)]
    pub(crate) protocol: Option<Protocol>,
    /// Destination port, for tcp and udp
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Source port, for tcp and udp; only rules with source ports depend on it
    #[arg(long)]
    pub(crate) source_port: Option<u16>,
    /// ICMP type, for icmp and icmpv6 (ping: 8 and 128)
    #[arg(long)]
    pub(crate) icmp_type: Option<u8>,
    /// ICMP code, for icmp and icmpv6 (ping: 0)
    #[arg(long)]
    pub(crate) icmp_code: Option<u8>,
}

/// One end of a question.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End<'a> {
    /// An interface of the configuration.
    Inside(&'a Interface),
    /// An address outside, even if an interface owns it.
    Outside(IpAddr),
}

impl PacketArgs {
    /// Refuses a question that makes no sense whatever the configuration is.
    pub(crate) fn validate(&self) -> Result<(), Failure> {
        let (from, to) = self.ends()?;
        self.payload()?;
        if let (Ok(_), Ok(_)) = (from.parse::<IpAddr>(), to.parse::<IpAddr>()) {
            return Err("--from and --to are both addresses; one of them has to be an interface or an instance".into());
        }
        for text in [from, to] {
            if let Ok(address) = text.parse::<IpAddr>() {
                self.check_family(Family::of(address))?;
            }
        }
        Ok(())
    }

    pub(crate) fn ends(&self) -> Result<(&str, &str), Failure> {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => Ok((from, to)),
            (None, _) => Err("--from ID is needed: an interface, an instance or an IP address".into()),
            (_, None) => Err("--to ID is needed: an interface, an instance or an IP address".into()),
        }
    }

    /// What lies above IP.
    pub(crate) fn payload(&self) -> Result<Payload, Failure> {
        let protocol = self.protocol.ok_or("--protocol is needed, such as tcp, udp, icmp, icmpv6, or a number")?;
        let port = || self.port.ok_or_else(|| format!("--port is needed for {protocol}"));
        match protocol {
            Protocol::TCP => Ok(Payload::Tcp { source: self.source_port, destination: port()? }),
            Protocol::UDP => Ok(Payload::Udp { source: self.source_port, destination: port()? }),
            Protocol::ICMP | Protocol::ICMPV6 => {
                let needed = |name| format!("--icmp-type and --icmp-code are needed for {protocol}; {name} is missing");
                let kind = self.icmp_type.ok_or_else(|| needed("--icmp-type"))?;
                let code = self.icmp_code.ok_or_else(|| needed("--icmp-code"))?;
                Ok(Payload::Icmp(IcmpMessage::new(kind, code)))
            }
            other => Ok(Payload::Other(other)),
        }
    }

    /// The flow at an interface whose far end is this address.
    pub(crate) fn flow(&self, interface: &Interface, remote: IpAddr) -> Result<Flow, Failure> {
        let family = Family::of(remote);
        self.check_family(family)?;
        let flow = match self.payload()? {
            Payload::Tcp { destination, .. } => Flow::tcp(remote, destination),
            Payload::Udp { destination, .. } => Flow::udp(remote, destination),
            Payload::Icmp(message) => Flow::icmp(remote, message),
            Payload::Other(protocol) => Flow::other(remote, protocol)?,
        };
        let flow = match self.source_port {
            Some(port) => flow.from_port(port),
            None => flow,
        };
        Ok(match interface.local_address(family) {
            Some(local) => flow.at(local)?,
            None => flow,
        })
    }

    /// The traffic between two interfaces.
    pub(crate) fn probe(&self) -> Result<Probe, Failure> {
        let protocol = self.protocol.unwrap_or(Protocol::TCP);
        let probe = match self.payload()? {
            Payload::Tcp { destination, .. } => Probe::tcp(destination),
            Payload::Udp { destination, .. } => Probe::udp(destination),
            Payload::Icmp(message) if protocol == Protocol::ICMPV6 => Probe::icmpv6(message),
            Payload::Icmp(message) => Probe::icmp(message),
            Payload::Other(protocol) => Probe::other(protocol)?,
        };
        Ok(match self.source_port {
            Some(port) => probe.from_port(port),
            None => probe,
        })
    }

    fn check_family(&self, family: Family) -> Result<(), Failure> {
        let wrong = match self.protocol {
            Some(Protocol::ICMP) => family == Family::V6,
            Some(Protocol::ICMPV6) => family == Family::V4,
            _ => false,
        };
        match self.protocol {
            Some(protocol) if wrong => Err(FlowError::IcmpFamily { protocol, family }.into()),
            _ => Ok(()),
        }
    }
}

/// What an ID stands for.
pub(crate) fn end<'a>(inventory: &'a Inventory, id: &str) -> Result<End<'a>, Failure> {
    match id.parse() {
        Ok(address) => Ok(End::Outside(address)),
        Err(_) => Ok(End::Inside(interface(inventory, id)?)),
    }
}

//! Packets, without any policy: address families, CIDR blocks, protocols, ports, ICMP messages,
//! sets of addresses and ports, and the [`Flow`] that every question is about.

mod address_set;
mod cidr;
mod family;
mod flow;
mod icmp;
mod port;
mod protocol;

pub use address_set::AddressSet;
pub(crate) use address_set::{AddressNumber, common, common_spans};
pub use cidr::{Cidr, CidrError, ParsedCidr};
pub use family::Family;
pub(crate) use family::address_bits_apart;
#[cfg(feature = "fleet")]
pub(crate) use family::number as address_number;
pub use flow::{Direction, Flow, FlowError, Payload};
pub use icmp::{IcmpMessage, IcmpSelector};
pub use port::{PortRange, PortRangeError, PortSet};
pub use protocol::{Protocol, ProtocolError};

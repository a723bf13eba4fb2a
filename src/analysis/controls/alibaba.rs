//! The controls of Alibaba Cloud: the managed rules of Cloud Config (ALI-80).
//!
//! They are about `0.0.0.0/0` where their texts say so. Cloud Config grades nearly all of them as high; what is a
//! choice rather than an exposure is only information here, so that a sane configuration has no warning.

use super::ports::single;
use super::{Check, Cloud, Control, Families, ServicePorts};
use crate::analysis::severity::Severity;

/// Ports that the console's overview of risky groups looks for (ALI-81). The cloud's rule has no default.
const RISKY: [u16; 8] = [22, 23, 1433, 3306, 3389, 5432, 6379, 27017];
/// What `ecs-security-group-risky-ports-check-with-protocol` looks for by default (ALI-80).
const ADMINISTRATION: [u16; 2] = [22, 3389];
/// Ports that may be open to anywhere. The cloud's rule has no default; these are the ports of web servers.
const WEB: [u16; 2] = [80, 443];

/// The controls of Alibaba Cloud's auditor, with their default parameters.
///
/// Where a text names no protocol, TCP and UDP are both looked at. Its exception for a denial with a better
/// priority needs no word, because what is dropped is not open. Managed groups are none of their business:
/// [`Control::applies_to_group`].
pub fn controls() -> Vec<Control> {
    let control = |id, severity, title, check| Control {
        id,
        title,
        severity,
        cloud: Some(Cloud::Alibaba),
        fact: if id == "sg-risky-ports-check" { "ALI-80, ALI-81" } else { "ALI-80" },
        check,
    };
    let both = |list: &[u16]| ServicePorts::both(single(list));
    let closed = |list: &[u16]| Check::PortsNotOpen { ports: both(list), families: Families::Ipv4 };
    vec![
        control(
            "sg-public-access-check",
            Severity::Critical,
            "not all ports are open to anywhere",
            Check::NotAllPorts { families: Families::Ipv4 },
        ),
        control("sg-risky-ports-check", Severity::Critical, "risky ports are not open to anywhere", closed(&RISKY)),
        control(
            "ecs-security-group-risky-ports-check-with-protocol",
            Severity::Error,
            "risky ports of chosen protocols are not open to anywhere",
            closed(&ADMINISTRATION),
        ),
        control(
            "ecs-security-group-not-open-all-port",
            Severity::Error,
            "not all ports are open",
            Check::NotAllPorts { families: Families::Both },
        ),
        control(
            "ecs-security-group-not-open-all-protocol",
            Severity::Error,
            "not all protocols are open",
            Check::NotAllProtocols { families: Families::Both },
        ),
        control(
            "ecs-security-group-white-list-port-check",
            Severity::Error,
            "only listed ports are open to anywhere",
            Check::OnlyPortsOpen { ports: both(&WEB), families: Families::Ipv4 },
        ),
        // The default of basic groups, and of those made in the console.
        control(
            "ecs-security-group-egress-not-all-access",
            Severity::Info,
            "not everything is allowed out",
            Check::NotAllEgress { families: Families::Both },
        ),
        // Every public service violates it.
        control(
            "ecs-security-group-not-internet-cidr-access",
            Severity::Info,
            "nothing is open to public addresses",
            Check::NoPublicSource { families: Families::Both },
        ),
        control("ecs-security-group-type-not-normal", Severity::Info, "groups are not basic ones", Check::NotBasic),
        control("ecs-security-group-description-check", Severity::Info, "groups have descriptions", Check::Described),
        control(
            "ecs-instance-attached-security-group",
            Severity::Warning,
            "interfaces have a group, or one of those chosen",
            Check::HasGroup { any_of: Vec::new() },
        ),
    ]
}

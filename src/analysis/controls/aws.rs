//! The controls of AWS: Security Hub, AWS Config and Trusted Advisor.
//!
//! Severities follow Security Hub's where it has one: Critical and High exposures are critical and errors here,
//! Medium is a warning. AWS Config has none; its rules take those of the Security Hub controls that run them, and
//! otherwise that of like ones. What is untidy rather than exposed is only information.

use super::ports::single;
use super::{Check, Cloud, Control, Families, ServicePorts};
use crate::analysis::severity::Severity;

/// The ports of EC2.19 (AWS-124).
const HIGH_RISK: [u16; 24] = [
    20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601, 8080, 8088,
    8888, 9200, 9300,
];
/// What `restricted-common-ports` looks for by default (AWS-127).
const COMMON: [u16; 5] = [20, 21, 3306, 3389, 4333];
/// Remote administration (AWS-126, AWS-129).
const ADMINISTRATION: [u16; 2] = [22, 3389];
/// Ports of web servers, which EC2.18 authorises by default (AWS-123).
const WEB: [u16; 2] = [80, 443];
/// What Trusted Advisor's check of ports shows green (AWS-131).
const ADVISOR_GREEN: [u16; 4] = [25, 80, 443, 465];
/// What it shows red; anything else is yellow (AWS-131).
const ADVISOR_RED: [u16; 10] = [20, 21, 22, 1433, 1434, 3306, 3389, 4333, 5432, 5500];
/// What Trusted Advisor's check of unrestricted access lets be (AWS-131).
const ADVISOR_UNRESTRICTED: [u16; 3] = [25, 80, 443];

fn closed(ports: ServicePorts, families: Families) -> Check {
    Check::PortsNotOpen { ports, families }
}

/// The controls of AWS's auditors, with their default parameters.
///
/// Where a text names no protocol, TCP and UDP are both looked at. Security Hub and Config look at both
/// families today, the checks of Trusted Advisor at IPv4. Not all of an original can be told from an inventory:
/// AWS-129 can leave out groups of other accounts, and AWS-131 all groups that nobody made; both are looked at.
pub fn controls() -> Vec<Control> {
    let mut table = security_hub();
    table.extend(config());
    table.extend(trusted_advisor());
    table
}

fn control(id: &'static str, fact: &'static str, severity: Severity, title: &'static str, check: Check) -> Control {
    Control { id, title, severity, cloud: Some(Cloud::Aws), fact, check }
}

fn security_hub() -> Vec<Control> {
    let tcp = |list: &[u16]| ServicePorts::tcp(single(list));
    let both = |list: &[u16]| ServicePorts::both(single(list));
    vec![
        // High there; a default group with rules exposes nothing by itself, and exposures have their own
        // controls.
        control("EC2.2", "AWS-121", Severity::Warning, "default groups have no rules", Check::NoRules),
        control(
            "EC2.13",
            "AWS-122",
            Severity::Error,
            "port 22 is not open to anywhere",
            closed(tcp(&[22]), Families::Both),
        ),
        control(
            "EC2.14",
            "AWS-122",
            Severity::Error,
            "port 3389 is not open to anywhere",
            closed(tcp(&[3389]), Families::Both),
        ),
        control(
            "EC2.18",
            "AWS-123",
            Severity::Error,
            "only authorised ports are open to anywhere",
            Check::OnlyPortsOpen { ports: tcp(&WEB), families: Families::Both },
        ),
        control(
            "EC2.19",
            "AWS-124",
            Severity::Critical,
            "ports with high risk are not open to anywhere",
            closed(both(&HIGH_RISK), Families::Both),
        ),
        // Medium there; a group without use exposes nothing.
        control("EC2.22", "AWS-125", Severity::Info, "groups are in use", Check::Attached),
        control(
            "EC2.53",
            "AWS-126",
            Severity::Error,
            "ports of remote administration are not open to anywhere over IPv4",
            closed(both(&ADMINISTRATION), Families::Ipv4),
        ),
        control(
            "EC2.54",
            "AWS-126",
            Severity::Error,
            "ports of remote administration are not open to anywhere over IPv6",
            closed(both(&ADMINISTRATION), Families::Ipv6),
        ),
    ]
}

fn config() -> Vec<Control> {
    let tcp = |list: &[u16]| ServicePorts::tcp(single(list));
    let both = |list: &[u16]| ServicePorts::both(single(list));
    vec![
        control(
            "restricted-ssh",
            "AWS-127",
            Severity::Error,
            "port 22 is not open to anywhere",
            closed(tcp(&[22]), Families::Both),
        ),
        control(
            "restricted-common-ports",
            "AWS-127",
            Severity::Error,
            "common ports that are no public services are not open to anywhere",
            closed(tcp(&COMMON), Families::Both),
        ),
        control(
            "vpc-sg-open-only-to-authorized-ports",
            "AWS-128",
            Severity::Error,
            "only authorised ports are open to anywhere",
            // The rule itself authorises none by default; Security Hub runs it with these (AWS-123).
            Check::OnlyPortsOpen { ports: tcp(&WEB), families: Families::Both },
        ),
        control(
            "vpc-sg-port-restriction-check",
            "AWS-129",
            Severity::Error,
            "ports of remote administration are not open to anywhere",
            closed(both(&ADMINISTRATION), Families::Both),
        ),
        control(
            "vpc-default-security-group-closed",
            "AWS-130",
            Severity::Warning,
            "default groups have no rules",
            Check::NoRules,
        ),
        control(
            "ec2-security-group-attached-to-eni-periodic",
            "AWS-130",
            Severity::Info,
            "groups are in use",
            Check::Attached,
        ),
    ]
}

/// The checks of Trusted Advisor. One grades what it finds, so it is two controls of one name.
fn trusted_advisor() -> Vec<Control> {
    let graded: Vec<u16> = ADVISOR_GREEN.iter().chain(&ADVISOR_RED).copied().collect();
    vec![
        control(
            "HCP4007jGY",
            "AWS-131",
            Severity::Error,
            "ports shown red are not open to anywhere",
            closed(ServicePorts::both(single(&ADVISOR_RED)), Families::Ipv4),
        ),
        // Yellow is for any port of which nothing is known, such as one of a public service of one's own.
        control(
            "HCP4007jGY",
            "AWS-131",
            Severity::Info,
            "no ports but those shown green are open to anywhere",
            Check::OnlyPortsOpen { ports: ServicePorts::both(single(&graded)), families: Families::Ipv4 },
        ),
        // Yellow where the group is attached; red where it is not, and then nothing is exposed.
        control(
            "1iG5NDGVre",
            "AWS-131",
            Severity::Info,
            "no ports but those of mail and web are open to anywhere",
            Check::OnlyPortsOpen { ports: ServicePorts::both(single(&ADVISOR_UNRESTRICTED)), families: Families::Ipv4 },
        ),
    ]
}

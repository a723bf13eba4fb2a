//! What should be open to anywhere on no cloud, whatever its auditors number.
//!
//! Ports of AWS-124, AWS-126 and ALI-81, completed by the registered ports of services of the same kind.

use super::ports::ports;
use super::{Check, Control, Families, ServicePorts};
use crate::analysis::severity::Severity;

/// Administration of machines and clusters: SSH, RPC and file sharing of Windows, Docker, etcd, RDP, VNC, WinRM,
/// Kubernetes and its nodes.
const ADMINISTRATION_TCP: [(u16, u16); 10] = [
    (22, 22),
    (135, 135),
    (139, 139),
    (445, 445),
    (2375, 2376),
    (3389, 3389),
    (5900, 5901),
    (5985, 5986),
    (6443, 6443),
    (10250, 10250),
];
/// The same over UDP: management of hardware (IPMI), RDP.
const ADMINISTRATION_UDP: [(u16, u16); 2] = [(623, 623), (3389, 3389)];

/// Protocols that say passwords or contents in clear text: FTP, Telnet, POP3, IMAP, LDAP, the remote commands of
/// BSD, rsync. The web's port 80 is none of them.
const CLEAR_TCP: [(u16, u16); 7] = [(20, 21), (23, 23), (110, 110), (143, 143), (389, 389), (512, 514), (873, 873)];
/// The same over UDP: TFTP, SNMP, LDAP.
const CLEAR_UDP: [(u16, u16); 3] = [(69, 69), (161, 161), (389, 389)];

/// Databases: SQL Server, Oracle, etcd, MySQL, mSQL, PostgreSQL, CouchDB, Redis, Cassandra, Elasticsearch,
/// memcached, MongoDB.
const DATABASES_TCP: [(u16, u16); 13] = [
    (1433, 1434),
    (1521, 1521),
    (2379, 2380),
    (3306, 3306),
    (4333, 4333),
    (5432, 5432),
    (5984, 5984),
    (6379, 6379),
    (9042, 9042),
    (9200, 9200),
    (9300, 9300),
    (11211, 11211),
    (27017, 27019),
];
/// The same over UDP: the browser of SQL Server, memcached.
const DATABASES_UDP: [(u16, u16); 2] = [(1434, 1434), (11211, 11211)];

/// Exposures of any group of any cloud, over both families.
pub fn controls() -> Vec<Control> {
    let control = |id, severity, fact, title, check| Control { id, title, severity, cloud: None, fact, check };
    let closed = |tcp: &[(u16, u16)], udp: &[(u16, u16)]| Check::PortsNotOpen {
        ports: ServicePorts { tcp: ports(tcp), udp: ports(udp) },
        families: Families::Both,
    };
    vec![
        control(
            "exposed-everything",
            Severity::Critical,
            "AWS-132, ALI-80",
            "not everything is open to anywhere",
            Check::NotAllProtocols { families: Families::Both },
        ),
        control(
            "exposed-all-ports",
            Severity::Critical,
            "AWS-132, ALI-80",
            "not all ports are open to anywhere",
            Check::NotAllPorts { families: Families::Both },
        ),
        control(
            "exposed-administration",
            Severity::Critical,
            "AWS-124, AWS-126",
            "ports of administration are not open to anywhere",
            closed(&ADMINISTRATION_TCP, &ADMINISTRATION_UDP),
        ),
        control(
            "exposed-database",
            Severity::Critical,
            "AWS-124, ALI-81",
            "databases are not open to anywhere",
            closed(&DATABASES_TCP, &DATABASES_UDP),
        ),
        control(
            "exposed-clear-text",
            Severity::Error,
            "AWS-124, ALI-81",
            "protocols without encryption are not open to anywhere",
            closed(&CLEAR_TCP, &CLEAR_UDP),
        ),
    ]
}

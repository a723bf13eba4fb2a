//! What should be open to anywhere on no cloud, whatever its auditors number.
//!
//! Ports of AWS-124, AWS-126 and ALI-81, completed by the registered ports of services of the same kind.

use super::ports::ports;
use super::{Check, Control, Families, ServicePorts};
use crate::analysis::severity::Severity;

/// Administration of machines and clusters.
const ADMINISTRATION_TCP: [(u16, u16); 10] = [
    (22, 22),       // SSH
    (135, 135),     // RPC of Windows
    (139, 139),     // NetBIOS
    (445, 445),     // file sharing of Windows
    (2375, 2376),   // Docker
    (3389, 3389),   // remote desktop
    (5900, 5901),   // VNC
    (5985, 5986),   // WinRM
    (6443, 6443),   // Kubernetes
    (10250, 10250), // kubelet
];
/// The same over UDP.
const ADMINISTRATION_UDP: [(u16, u16); 2] = [
    (623, 623),   // IPMI
    (3389, 3389), // remote desktop
];

/// Protocols that say passwords or contents in clear text. The web's port 80 is none of them.
const CLEAR_TCP: [(u16, u16); 7] = [
    (20, 21),   // FTP
    (23, 23),   // Telnet
    (110, 110), // POP3
    (143, 143), // IMAP
    (389, 389), // LDAP
    (512, 514), // rexec, rlogin, rsh
    (873, 873), // rsync
];
/// The same over UDP.
const CLEAR_UDP: [(u16, u16); 3] = [
    (69, 69),   // TFTP
    (161, 161), // SNMP
    (389, 389), // LDAP
];

/// Databases and stores.
const DATABASES_TCP: [(u16, u16); 13] = [
    (1433, 1434),   // SQL Server
    (1521, 1521),   // Oracle
    (2379, 2380),   // etcd
    (3306, 3306),   // MySQL
    (4333, 4333),   // mSQL
    (5432, 5432),   // PostgreSQL
    (5984, 5984),   // CouchDB
    (6379, 6379),   // Redis
    (9042, 9042),   // Cassandra
    (9200, 9200),   // Elasticsearch
    (9300, 9300),   // Elasticsearch, between nodes
    (11211, 11211), // memcached
    (27017, 27019), // MongoDB
];
/// The same over UDP.
const DATABASES_UDP: [(u16, u16); 2] = [
    (1434, 1434),   // the browser of SQL Server
    (11211, 11211), // memcached
];

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

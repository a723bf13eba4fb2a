//! Telling questions about the bundled configurations, answered with reasons.

use std::io::{self, Write};
use std::path::Path;

use secgroup::net::Protocol;

use crate::Failure;
use crate::common::Reading;
use crate::question::PacketArgs;
use crate::single::ask;

/// A configuration with its questions.
struct Chapter {
    folder: &'static str,
    title: &'static str,
    questions: &'static [Question],
}

/// A question, what is to be learned from it, and the verdict that the documents give it.
struct Question {
    lesson: &'static str,
    from: &'static str,
    to: &'static str,
    packet: Packet,
    verdict: &'static str,
}

enum Packet {
    Tcp(u16),
    Udp(u16),
    Icmp(u8, u8),
    Other(u8),
}

/// Expected verdicts are worked out by hand from the documents, fact numbers beside them.
const CHAPTERS: &[Chapter] = &[
    Chapter {
        folder: "aws/emr",
        title: "AWS: an EMR cluster with additional groups",
        questions: &[
            Question {
                lesson: "The most permissive rule applies: one group gives this client SSH only, another gives its \
                         network all of TCP (AWS-29, the example of Amazon's EMR guide).",
                from: "192.0.2.12",
                to: "i-0e000000000000001",
                packet: Packet::Tcp(8080),
                verdict: "allow",
            },
            Question {
                lesson: "All of TCP is not all traffic (AWS-32).",
                from: "192.0.2.12",
                to: "i-0e000000000000001",
                packet: Packet::Udp(8080),
                verdict: "deny",
            },
            Question {
                lesson: "Managed groups let the nodes of a cluster talk; both ends must allow (AWS-30, AWS-103).",
                from: "i-0e000000000000002",
                to: "i-0e000000000000001",
                packet: Packet::Tcp(8020),
                verdict: "allow",
            },
            Question {
                lesson: "A prefix list without its entries: nobody can say, so nobody guesses (AWS-47).",
                from: "i-0e000000000000002",
                to: "203.0.113.50",
                packet: Packet::Tcp(443),
                verdict: "indeterminate",
            },
        ],
    },
    Chapter {
        folder: "aws/three-tier",
        title: "AWS: a web application in three tiers, with a bastion",
        questions: &[
            Question {
                lesson: "A reference to a group means the private addresses of its members (AWS-38).",
                from: "eni-03000000000000008",
                to: "i-03000000000000002",
                packet: Packet::Tcp(8080),
                verdict: "allow",
            },
            Question {
                lesson: "The same machine by its public address is nobody (AWS-38, trap T16).",
                from: "203.0.113.20",
                to: "i-03000000000000002",
                packet: Packet::Tcp(8080),
                verdict: "deny",
            },
            Question {
                lesson: "ICMP is a type and a code, not a range: 3/4 is open, 3/1 is not (AWS-6).",
                from: "203.0.113.99",
                to: "eni-03000000000000008",
                packet: Packet::Icmp(3, 1),
                verdict: "deny",
            },
            Question {
                lesson: "A rule for protocol 50 has no ports, and is no rule for TCP (trap T2).",
                from: "192.0.2.200",
                to: "i-03000000000000004",
                packet: Packet::Other(50),
                verdict: "allow",
            },
            Question {
                lesson: "A NAT gateway has no security group: nothing is filtered, which is not the same as allowed \
                         by a rule (AWS-25).",
                from: "198.51.100.9",
                to: "eni-03000000000000010",
                packet: Packet::Tcp(80),
                verdict: "unfiltered",
            },
        ],
    },
    Chapter {
        folder: "aws/emr-studio",
        title: "AWS: EMR Studio, an engine group and a Workspace group",
        questions: &[
            Question {
                lesson: "The Workspace reaches the engine on 18888 (AWS-110).",
                from: "eni-05000000000000005",
                to: "i-05000000000000001",
                packet: Packet::Tcp(18888),
                verdict: "allow",
            },
            Question {
                lesson: "Nobody opens a connection to a Workspace (AWS-110).",
                from: "i-05000000000000001",
                to: "eni-05000000000000005",
                packet: Packet::Tcp(18888),
                verdict: "deny",
            },
        ],
    },
    Chapter {
        folder: "alibaba/web",
        title: "Alibaba Cloud: a web application in three tiers, with priorities",
        questions: &[
            Question {
                lesson: "Accept and drop at one priority: the drop takes effect (ALI-8, the rule of Alibaba's overview).",
                from: "198.51.100.9",
                to: "i-bp1web00000000000002",
                packet: Packet::Tcp(8443),
                verdict: "deny",
            },
            Question {
                lesson: "At different priorities the smaller number takes effect, whatever it does (ALI-8).",
                from: "i-bp1web00000000000007",
                to: "i-bp1web00000000000002",
                packet: Packet::Tcp(9100),
                verdict: "allow",
            },
            Question {
                lesson: "Members of an interconnected group reach each other ahead of every rule, even of a drop at \
                         priority 1 (ALI-4).",
                from: "i-bp1web00000000000003",
                to: "i-bp1web00000000000002",
                packet: Packet::Tcp(6379),
                verdict: "allow",
            },
            Question {
                lesson: "0.0.0.0/0 is not \"anywhere\": this is IPv6 (ALI-37).",
                from: "2001:db8:ffff::9",
                to: "i-bp1web00000000000002",
                packet: Packet::Tcp(80),
                verdict: "deny",
            },
            Question {
                lesson: "Egress accepts do not make a whitelist in a basic group: the default allows (ALI-3, trap 1).",
                from: "i-bp1web00000000000001",
                to: "203.0.113.50",
                packet: Packet::Tcp(443),
                verdict: "allow",
            },
        ],
    },
    Chapter {
        folder: "alibaba/emr",
        title: "Alibaba Cloud: an EMR cluster that joins a second group",
        questions: &[
            Question {
                lesson: "In two groups an instance follows the rules of both: one opens 22, the other everything \
                         (ALI-72, the example of Alibaba's EMR guide).",
                from: "198.51.100.9",
                to: "i-bp1emr00000000000001",
                packet: Packet::Tcp(8088),
                verdict: "allow",
            },
            Question {
                lesson: "A system rule at priority 110 is real, and loses to any rule made by hand (ALI-25).",
                from: "198.51.100.9",
                to: "i-bp1emr00000000000006",
                packet: Packet::Tcp(22),
                verdict: "deny",
            },
        ],
    },
];

/// Asks all questions; the result is the exit status.
pub(crate) fn run() -> Result<u8, Failure> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let mut out = io::stdout().lock();
    let mut surprises = 0_u8;
    for chapter in CHAPTERS {
        let reading = Reading::default();
        let loaded = reading.load(&data.join(chapter.folder))?;
        let engine = reading.engine(&loaded);
        writeln!(out, "## {}\n   examples/data/{}\n", chapter.title, chapter.folder)?;
        for question in chapter.questions {
            let args = question.args();
            let answer = ask(engine.as_ref(), &loaded.inventory, &args)?;
            writeln!(out, "{}", question.lesson)?;
            writeln!(out, "{}\n", answer.text(&args)?)?;
            if answer.verdict != question.verdict {
                surprises = 1;
                writeln!(out, "  UNEXPECTED: the documents say {}\n", question.verdict)?;
            }
        }
    }
    writeln!(out, "Ask your own: check --provider aws --config DIR --from ID --to ID --protocol tcp --port 443")?;
    Ok(surprises)
}

impl Question {
    fn args(&self) -> PacketArgs {
        let empty = PacketArgs {
            from: Some(self.from.to_owned()),
            to: Some(self.to.to_owned()),
            protocol: None,
            port: None,
            source_port: None,
            icmp_type: None,
            icmp_code: None,
        };
        match self.packet {
            Packet::Tcp(port) => PacketArgs { protocol: Some(Protocol::TCP), port: Some(port), ..empty },
            Packet::Udp(port) => PacketArgs { protocol: Some(Protocol::UDP), port: Some(port), ..empty },
            Packet::Icmp(kind, code) => {
                PacketArgs { protocol: Some(Protocol::ICMP), icmp_type: Some(kind), icmp_code: Some(code), ..empty }
            }
            Packet::Other(number) => PacketArgs { protocol: Some(Protocol::new(number)), ..empty },
        }
    }
}

//! The workload as files, for other classifiers. A group or prefix list of *n* entries is *n* rules.
//!
//! | file | what is in it |
//! |---|---|
//! | `rules.txt`, `flows.txt` | the input of the example `matchbench` |
//! | `expected.txt` | for each flow the number of the deciding rule, from 1; 0 for none |
//! | `acl.layout` | which of its layouts a program around DPDK's `librte_acl` needs: `sg` where rules have neither source ports nor local blocks, else `5t` |
//! | `acl.rules` | `sg`: number from 0, protocol (-1 is any), far address as a number, prefix length, first and last port; `5t`: number, protocol, far address, length, local address, length, source ports, destination ports |
//! | `acl.trace` | 16 bytes a flow, little endian: far and local address, source and destination port, protocol, three bytes 0 |
//! | `acl.expected` | 4 bytes a flow, little endian: the number of the deciding rule, from 0; -1 for none |
//!
//! What begins with `acl` is written for IPv4 only.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use secgroup::net::Family;

use super::flows::low;
use super::policy::{cidr, ip};
use super::rules::{ALL_PORTS, Block, Peer, Rule};
use super::{Deciding, Workload};

type Written = Result<(), Box<dyn Error>>;

/// Writes all files of a workload into a directory, which is made if it is not there.
pub(crate) fn write_files(workload: &Workload, directory: &Path) -> Written {
    std::fs::create_dir_all(directory)?;
    let write = |name: &str, content: &dyn Fn(&mut dyn Write) -> Written| -> Written {
        let mut file = BufWriter::new(File::create(directory.join(name))?);
        content(&mut file)?;
        Ok(file.flush()?)
    };
    let expected = expected_lines(workload)?;
    write("rules.txt", &|to| rules(workload, to))?;
    write("flows.txt", &|to| flows(workload, to))?;
    write("expected.txt", &|to| {
        expected.iter().try_for_each(|line| writeln!(to, "{}", line.map_or(0, |line| u64::from(line) + 1)))?;
        Ok(())
    })?;
    if workload.shape.family == Family::V4 {
        let five = workload.rules.iter().any(|rule| rule.source != ALL_PORTS || rule.local.length != 0);
        write("acl.layout", &|to| Ok(writeln!(to, "{}", if five { "5t" } else { "sg" })?))?;
        write("acl.rules", &|to| acl_rules(workload, five, to))?;
        write("acl.trace", &|to| acl_trace(workload, to))?;
        write("acl.expected", &|to| {
            for line in &expected {
                to.write_all(&line.map_or(Ok(-1), i32::try_from)?.to_le_bytes())?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Every line of the expanded policy: a rule with one block.
fn lines(workload: &Workload) -> impl Iterator<Item = (&Rule, Block)> {
    workload.rules.iter().flat_map(|rule| {
        let (own, set) = match rule.peer {
            Peer::Block(block) => (Some(block), None),
            Peer::Set(set) => (None, workload.sets.get(set)),
        };
        own.into_iter().chain(set.into_iter().flatten().copied()).map(move |block| (rule, block))
    })
}

/// The expected answers as numbers of lines, from 0.
fn expected_lines(workload: &Workload) -> Result<Vec<Option<u32>>, Box<dyn Error>> {
    let mut first_lines = Vec::with_capacity(workload.rules.len());
    let mut next = 0_u32;
    for rule in &workload.rules {
        first_lines.push(next);
        let entries = match rule.peer {
            Peer::Block(_) => 1,
            Peer::Set(set) => workload.sets.get(set).map_or(0, Vec::len),
        };
        next = next.checked_add(u32::try_from(entries)?).ok_or("too many rules")?;
    }
    let line = |deciding: &Option<Deciding>| match deciding {
        None => Ok(None),
        Some(Deciding { rule, entry }) => {
            let first = first_lines.get(usize::try_from(*rule)?).ok_or("a rule that is not there was expected")?;
            Ok(Some(first + entry))
        }
    };
    workload.expected.iter().map(line).collect()
}

fn rules(workload: &Workload, to: &mut dyn Write) -> Written {
    for (rule, block) in lines(workload) {
        let action = if rule.allow { "allow" } else { "deny" };
        let protocol = rule.protocol.map_or_else(|| "*".to_owned(), |number| number.to_string());
        let (remote, local) = (cidr(block, workload.shape.family)?, cidr(rule.local, workload.shape.family)?);
        let ((source, source_last), (port, port_last)) = (rule.source, rule.destination);
        writeln!(to, "{action} {protocol} {remote} {source}-{source_last} {local} {port}-{port_last}")?;
    }
    Ok(())
}

fn flows(workload: &Workload, to: &mut dyn Write) -> Written {
    for packet in &workload.packets {
        let (remote, local) = (ip(packet.remote, workload.shape.family), ip(packet.local, workload.shape.family));
        writeln!(to, "{} {remote} {local} {} {}", packet.protocol, packet.source, packet.destination)?;
    }
    Ok(())
}

fn acl_rules(workload: &Workload, five: bool, to: &mut dyn Write) -> Written {
    for (number, (rule, block)) in lines(workload).enumerate() {
        let protocol = rule.protocol.map_or(-1, i32::from);
        let (remote, local, (port, last)) = (block.first, rule.local, rule.destination);
        write!(to, "{number} {protocol} {remote} {}", block.length)?;
        if five {
            write!(to, " {} {} {} {}", local.first, local.length, rule.source.0, rule.source.1)?;
        }
        writeln!(to, " {port} {last}")?;
    }
    Ok(())
}

fn acl_trace(workload: &Workload, to: &mut dyn Write) -> Written {
    for packet in &workload.packets {
        to.write_all(&low(packet.remote).to_le_bytes())?;
        to.write_all(&low(packet.local).to_le_bytes())?;
        to.write_all(&packet.source.to_le_bytes())?;
        to.write_all(&packet.destination.to_le_bytes())?;
        to.write_all(&[packet.protocol, 0, 0, 0])?;
    }
    Ok(())
}

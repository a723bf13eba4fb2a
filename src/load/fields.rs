//! Fields of documents that nobody read: those that look like rules are reported.

use std::collections::BTreeMap;

use serde_ignored::Path;

use super::source::Source;
use super::value::count;
use super::warning::{Warning, WarningKind};
use crate::model::Place;

/// Parts of names that hint at rules.
const WORDS: &[&str] = &[
    "cidr",
    "port",
    "permission",
    "rule",
    "prefix",
    "policy",
    "group",
    "peer",
    "source",
    "dest",
    "protocol",
    "ipranges",
];

/// Fields of real answers whose names sound like rules, but which say nothing about traffic.
const HARMLESS: &[&str] = &[
    // AWS
    "GroupOwnerId",
    "HttpProtocolIpv6",
    "IpSource",
    "IpamPrefixListResolverSyncEnabled",
    "IpamPrefixListResolverTargetId",
    "NetworkBorderGroup",
    "PrefixListArn",
    "Reservations.Groups",
    "SecurityGroupArn",
    "SecurityGroupRuleArn",
    "SourceDestCheck",
    "VpcPeeringConnectionId",
    // Alibaba Cloud
    "DeploymentSetGroupNo",
    "GroupToGroupRuleCount",
    "ResourceGroupId",
    "RuleCount",
    "SnapshotPolicyIds",
];

/// The fields that nobody read and that look like rules, by their path without indices.
#[derive(Debug, Default)]
pub(super) struct Unread(BTreeMap<String, (String, usize)>);

impl Unread {
    pub(super) fn note(&mut self, path: &Path<'_>) {
        let Path::Map { key, .. } = path else {
            return;
        };
        if !looks_like_rules(key) {
            return;
        }
        let (mut with_indices, mut without) = (String::new(), String::new());
        spell(path, &mut with_indices, &mut without);
        if HARMLESS.contains(&without.as_str()) {
            return;
        }
        self.0.entry(without).or_insert((with_indices, 0)).1 += 1;
    }

    pub(super) fn warn(self, source: &mut Source) {
        for (pattern, (path, number)) in self.0 {
            let field = pattern.rsplit('.').next().unwrap_or(&pattern);
            let mut message = format!("the field `{field}` is not read, though it looks like part of a rule");
            if number > 1 {
                message = format!("{message} (in {})", count(number, "place", "places"));
            }
            let place = Place::new(source.name.clone(), path);
            source.warnings.push(Warning { kind: WarningKind::UnknownField, place, message });
        }
    }
}

fn looks_like_rules(field: &str) -> bool {
    // `EnaSupport` has no port in it, and `ResourceId` no source.
    let lower = field.to_lowercase().replace("support", "").replace("resource", "");
    WORDS.iter().any(|word| lower.contains(word)) && !HARMLESS.contains(&field)
}

fn spell(path: &Path<'_>, with_indices: &mut String, without: &mut String) {
    match path {
        Path::Root => {}
        Path::Seq { parent, index } => {
            spell(parent, with_indices, without);
            *with_indices = format!("{with_indices}[{index}]");
        }
        Path::Map { parent, key } => {
            spell(parent, with_indices, without);
            for text in [with_indices, without] {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            spell(parent, with_indices, without);
        }
    }
}

//! Rules of both providers, compared and each kept once.

use super::warning::{Warning, WarningKind};
use crate::model::{GroupId, Rule};

/// Whether two rules are equal wherever they were read.
pub(super) fn same_rule(a: &Rule, b: &Rule) -> bool {
    let bare = |rule: &Rule| Rule { place: None, ..rule.clone() };
    bare(a) == bare(b)
}

/// Warns that a rule repeats another one of its group (AWS-36, trap T20; ALI-45).
pub(super) fn warn_of_repetition(group: &GroupId, rule: &Rule, warnings: &mut Vec<Warning>) {
    let id = rule.id.as_ref().map(|id| format!(" `{id}`")).unwrap_or_default();
    let message = format!("the rule{id} of `{group}` repeats another one, `{rule}`, and was left out");
    if let Some(place) = rule.place.clone() {
        warnings.push(Warning { kind: WarningKind::Duplicate, place, message });
    }
}

/// The rules that are to be kept.
pub(super) fn kept(rules: impl IntoIterator<Item = Rule>, keep: Vec<bool>) -> Vec<Rule> {
    rules.into_iter().zip(keep).filter_map(|(rule, keep)| keep.then_some(rule)).collect()
}

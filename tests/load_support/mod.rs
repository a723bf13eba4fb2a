//! What the tests of the loaders share.
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::net::IpAddr;

use secgroup::load::{LoadError, Loaded, Loader, WarningKind};
use secgroup::net::Cidr;

/// Loads documents, given as name and text.
pub(crate) fn load(documents: &[(&str, &str)]) -> Result<Loaded, LoadError> {
    let mut loader = Loader::new();
    for (name, text) in documents {
        loader = loader.document(name, text.as_bytes(), None)?;
    }
    loader.finish()
}

/// The folder with fixtures of a provider.
pub(crate) fn folder(provider: &str) -> String {
    format!("{}/tests/fixtures/{provider}", env!("CARGO_MANIFEST_DIR"))
}

/// One fixture.
pub(crate) fn fixture(provider: &str, name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/{name}", folder(provider))).unwrap()
}

/// Loads fixtures of a provider.
pub(crate) fn load_fixtures(provider: &str, names: &[&str]) -> Loaded {
    let mut loader = Loader::new();
    for name in names {
        loader = loader.document(name, &fixture(provider, name), None).unwrap();
    }
    loader.finish().unwrap()
}

/// The rules of `sg-1`, as they read.
pub(crate) fn rules_of(loaded: &Loaded) -> Vec<String> {
    loaded.inventory.group("sg-1").unwrap().rules.iter().map(ToString::to_string).collect()
}

/// All warnings, as they read.
pub(crate) fn texts(loaded: &Loaded) -> Vec<String> {
    loaded.warnings.iter().map(ToString::to_string).collect()
}

/// The kinds of all warnings.
pub(crate) fn kinds(loaded: &Loaded) -> Vec<WarningKind> {
    loaded.warnings.iter().map(|warning| warning.kind).collect()
}

/// The warnings of one kind, as they read.
pub(crate) fn texts_of(loaded: &Loaded, kind: WarningKind) -> Vec<String> {
    loaded.warnings.iter().filter(|warning| warning.kind == kind).map(ToString::to_string).collect()
}

pub(crate) fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn blocks(texts: &[&str]) -> Vec<Cidr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Loads documents one after another, under the names `a.json`, `b.json` and so on, and puts them
/// together.
pub(crate) fn error_of(documents: &[&str]) -> String {
    let mut loader = Loader::new();
    for (letter, text) in ('a'..).zip(documents) {
        match loader.document(&format!("{letter}.json"), text.as_bytes(), None) {
            Ok(next) => loader = next,
            Err(error) => return error.to_string(),
        }
    }
    match loader.finish() {
        Ok(result) => panic!("{documents:?} was loaded: {result:?}"),
        Err(error) => error.to_string(),
    }
}

/// Every document gives its error.
pub(crate) fn check(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(document, expected)| (error_of(&[document]), expected, document))
        .filter(|(error, expected, _)| error != *expected)
        .map(|(error, expected, document)| format!("{document}\n  expected: {expected}\n  error:    {error}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A group of AWS with one inbound permission.
pub(crate) fn permission(fields: &str) -> String {
    format!(r#"{{"SecurityGroups": [{{"GroupId": "sg-1", "IpPermissions": [{{{fields}}}]}}]}}"#)
}

/// One rule of the other view of AWS.
pub(crate) fn group_rule(fields: &str) -> String {
    format!(r#"{{"SecurityGroupRules": [{{"GroupId": "sg-1", {fields}}}]}}"#)
}

/// A group of Alibaba Cloud with one rule.
pub(crate) fn rule(fields: &str) -> String {
    format!(r#"{{"SecurityGroupId": "sg-1", "VpcId": "vpc-1", "Permissions": {{"Permission": [{{{fields}}}]}}}}"#)
}

/// The same, with a good rule in which these fields are put in front.
pub(crate) fn ingress(fields: &str) -> String {
    rule(&format!(r#"{fields}, "Direction": "ingress", "Policy": "Accept""#))
}

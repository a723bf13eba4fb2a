//! The format of the cases; `tests/data/README.md` describes it for people.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use secgroup::engine::{AlibabaEngine, AwsEngine, IntraGroupEgress, LoadBalancerTraffic, PolicyEngine, Probe};
use secgroup::model::Inventory;
use secgroup::net::{Direction, Family, Flow, IcmpMessage, Protocol};
use secgroup::policy::{Basis, Verdict};
use serde::Deserialize;
use serde_json::Value;

/// An inventory, how to read it, and what to ask about it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    pub(crate) name: String,
    /// What the setup stands for, where its name and facts do not say it.
    #[serde(default)]
    pub(crate) about: Option<String>,
    /// Facts that every case of the setup is about.
    pub(crate) facts: Vec<String>,
    pub(crate) engine: Engine,
    #[serde(default)]
    pub(crate) options: Options,
    /// In the model's own form in files.
    pub(crate) inventory: Value,
    #[serde(default)]
    pub(crate) questions: Vec<Question>,
    #[serde(default)]
    pub(crate) paths: Vec<PathQuestion>,
    #[serde(default)]
    pub(crate) refusals: Vec<Refusal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Engine {
    Aws,
    Alibaba,
}

/// How the engine reads what documents leave open, and what the path is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    pub(crate) intra_group_egress: IntraGroup,
    pub(crate) load_balancers: LoadBalancers,
    pub(crate) never_filtered: NeverFiltered,
    pub(crate) identity_preserved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IntraGroup {
    Table,
    AlwaysAllow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoadBalancers {
    Filtered,
    NeverFiltered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NeverFiltered {
    Table,
    None,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            intra_group_egress: IntraGroup::Table,
            load_balancers: LoadBalancers::Filtered,
            never_filtered: NeverFiltered::Table,
            identity_preserved: true,
        }
    }
}

/// What comes of a flow at an interface.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) facts: Vec<String>,
    pub(crate) interface: String,
    pub(crate) direction: Direction,
    pub(crate) flow: Flow,
    pub(crate) verdict: Verdict,
    pub(crate) basis: ExpectedBasis,
    /// The deciding rules by id or name, in any order.
    pub(crate) rules: Vec<String>,
    #[serde(default)]
    pub(crate) missing: Option<Vec<Value>>,
    #[serde(default)]
    pub(crate) note_facts: Vec<String>,
}

/// What comes of traffic from one interface to another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathQuestion {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) facts: Vec<String>,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) probe: ProbeFields,
    pub(crate) verdict: Verdict,
    /// Egress at the sender and ingress at the receiver; empty from an interface to itself.
    pub(crate) ends: Vec<Expected>,
}

/// A configuration that the engine refuses.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusal {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) facts: Vec<String>,
    pub(crate) interface: String,
    pub(crate) direction: Direction,
    /// The rule that cannot be held; absent if it is a group.
    pub(crate) rule: Option<String>,
    /// Words that the reason contains: the number of the fact.
    pub(crate) because: String,
}

/// What is expected of one interface and direction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) verdict: Verdict,
    pub(crate) basis: ExpectedBasis,
    pub(crate) rules: Vec<String>,
    /// `None` says only that something is missing.
    #[serde(default)]
    pub(crate) missing: Option<Vec<Value>>,
    #[serde(default)]
    pub(crate) note_facts: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExpectedBasis {
    Rule,
    Implied,
    Default,
    NeverFiltered,
    Unfiltered,
    Undecided,
}

/// The traffic of a path question, as a flow without the addresses.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProbeFields {
    protocol: Protocol,
    #[serde(default)]
    source_port: Option<u16>,
    #[serde(default)]
    destination_port: Option<u16>,
    #[serde(default)]
    icmp: Option<IcmpMessage>,
    #[serde(default)]
    family: Option<Family>,
    #[serde(default)]
    from_address: Option<IpAddr>,
    #[serde(default)]
    to_address: Option<IpAddr>,
}

impl From<ExpectedBasis> for Basis {
    fn from(basis: ExpectedBasis) -> Self {
        match basis {
            ExpectedBasis::Rule => Self::Rule,
            ExpectedBasis::Implied => Self::Implied,
            ExpectedBasis::Default => Self::Default,
            ExpectedBasis::NeverFiltered => Self::NeverFiltered,
            ExpectedBasis::Unfiltered => Self::Unfiltered,
            ExpectedBasis::Undecided => Self::Undecided,
        }
    }
}

impl Question {
    pub(crate) fn expected(&self) -> Expected {
        Expected {
            verdict: self.verdict,
            basis: self.basis,
            rules: self.rules.clone(),
            missing: self.missing.clone(),
            note_facts: self.note_facts.clone(),
        }
    }
}

impl Expected {
    /// What no case may say, whatever the program does.
    fn check(&self) -> Result<(), String> {
        let undecided = self.basis == ExpectedBasis::Undecided;
        if undecided != (self.verdict == Verdict::Indeterminate) {
            return Err("an indeterminate verdict, and no other, has the basis `undecided`".to_owned());
        }
        if self.missing.is_some() && !undecided {
            return Err("only an indeterminate verdict has something missing".to_owned());
        }
        if self.missing.as_ref().is_some_and(Vec::is_empty) {
            return Err("an indeterminate verdict has something missing".to_owned());
        }
        let by_rule = self.basis == ExpectedBasis::Rule;
        if !undecided && by_rule == self.rules.is_empty() {
            return Err("a verdict names the deciding rules if, and only if, its basis is `rule`".to_owned());
        }
        Ok(())
    }
}

impl ProbeFields {
    pub(crate) fn probe(&self) -> Result<Probe, String> {
        let Self { protocol, source_port, destination_port, icmp, family, from_address, to_address } = *self;
        let mut probe = match (protocol, destination_port, icmp) {
            (Protocol::TCP, Some(port), None) => Probe::tcp(port),
            (Protocol::UDP, Some(port), None) => Probe::udp(port),
            (Protocol::ICMP, None, Some(message)) => Probe::icmp(message),
            (Protocol::ICMPV6, None, Some(message)) => Probe::icmpv6(message),
            (other, None, None) => Probe::other(other).map_err(|error| error.to_string())?,
            _ => return Err(format!("{protocol} does not have these fields together")),
        };
        if let Some(port) = source_port {
            probe = probe.from_port(port);
        }
        if let Some(family) = family {
            probe = probe.over(family);
        }
        if let Some(address) = from_address {
            probe = probe.from_address(address);
        }
        if let Some(address) = to_address {
            probe = probe.to_address(address);
        }
        Ok(probe)
    }
}

impl Setup {
    pub(crate) fn build(&self) -> Result<Inventory, String> {
        serde_json::from_value(self.inventory.clone()).map_err(|error| error.to_string())
    }

    pub(crate) fn policy_engine(&self) -> Box<dyn PolicyEngine> {
        let none = self.options.never_filtered == NeverFiltered::None;
        match self.engine {
            Engine::Aws if none => Box::new(AwsEngine::new().with_never_filtered(Vec::new())),
            Engine::Aws => Box::new(AwsEngine::new()),
            Engine::Alibaba => {
                let egress = match self.options.intra_group_egress {
                    IntraGroup::Table => IntraGroupEgress::Table,
                    IntraGroup::AlwaysAllow => IntraGroupEgress::AlwaysAllow,
                };
                let load_balancers = match self.options.load_balancers {
                    LoadBalancers::Filtered => LoadBalancerTraffic::Filtered,
                    LoadBalancers::NeverFiltered => LoadBalancerTraffic::NeverFiltered,
                };
                let engine = AlibabaEngine::new().with_intra_group_egress(egress).with_load_balancers(load_balancers);
                Box::new(if none { engine.with_never_filtered(Vec::new()) } else { engine })
            }
        }
    }

    /// The name and the own facts of every case.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (&str, &[String])> {
        let questions = self.questions.iter().map(|case| (case.name.as_str(), case.facts.as_slice()));
        let paths = self.paths.iter().map(|case| (case.name.as_str(), case.facts.as_slice()));
        let refusals = self.refusals.iter().map(|case| (case.name.as_str(), case.facts.as_slice()));
        questions.chain(paths).chain(refusals)
    }

    /// What the format demands and types cannot say.
    fn check(&self) -> Result<(), String> {
        if self.facts.is_empty() {
            return Err("no facts".to_owned());
        }
        if self.about.as_ref().is_some_and(String::is_empty) {
            return Err("`about` says nothing".to_owned());
        }
        if self.cases().next().is_none() {
            return Err("no questions, paths or refusals".to_owned());
        }
        let alibaba_only = (self.options.intra_group_egress, self.options.load_balancers);
        if self.engine == Engine::Aws && alibaba_only != (IntraGroup::Table, LoadBalancers::Filtered) {
            return Err("AWS has no such options".to_owned());
        }
        if !self.options.identity_preserved && !self.paths.is_empty() {
            return Err("paths keep the identity of the sender".to_owned());
        }
        let of_questions = self.questions.iter().map(|case| (&case.name, case.expected()));
        let of_ends = self.paths.iter().flat_map(|case| case.ends.iter().map(|end| (&case.name, end.clone())));
        for (name, expected) in of_questions.chain(of_ends) {
            expected.check().map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        for case in &self.paths {
            let ends = if case.from == case.to { 0 } else { 2 };
            if case.ends.len() != ends {
                return Err(format!("{}: a path has two ends, and none to itself", case.name));
            }
        }
        Ok(())
    }
}

/// Reads one file.
pub(crate) fn read(text: &str) -> Result<Vec<Setup>, String> {
    let setups: Vec<Setup> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut names = BTreeSet::new();
    for setup in &setups {
        setup.check().map_err(|wrong| format!("{}: {wrong}", setup.name))?;
        setup.build().map_err(|wrong| format!("{}: inventory: {wrong}", setup.name))?;
        for (case, _) in setup.cases() {
            if !names.insert((setup.name.as_str(), case)) {
                return Err(format!("{}: {case}: the name is taken", setup.name));
            }
        }
    }
    Ok(setups)
}

/// Reads every file below `tests/data`, in the order of their names, with its name.
pub(crate) fn read_all() -> Result<Vec<(String, Vec<Setup>)>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files = Vec::new();
    collect(&root, &mut files).map_err(|error| error.to_string())?;
    files.sort();
    files
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap_or(path).display().to_string();
            let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
            let setups = read(&text).map_err(|wrong| format!("{name}: {wrong}"))?;
            Ok((name, setups))
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}

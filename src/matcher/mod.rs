//! Compiled policies: the verdict on a packet in nanoseconds, whatever the number of rules.
//!
//! A [`Matcher`] is built from a [`Policy`] once and then answers as [`Policy::decide`] does, with the
//! same verdict, the same clause and the same basis, three values included. It is immutable, `Send`
//! and `Sync`, and deciding allocates nothing.
//!
//! ```
//! use secgroup::matcher::Matcher;
//! use secgroup::{AwsEngine, Direction, Flow, Inventory, PolicyEngine, Scope, Verdict};
//! use secgroup::model::{Interface, Rule, SecurityGroup, Traffic};
//! use secgroup::net::Cidr;
//!
//! let ssh = Rule::allow(Direction::Ingress, Traffic::tcp(22), "10.0.0.0/8".parse::<Cidr>()?);
//! let inventory = Inventory::builder()
//!     .group(SecurityGroup::aws("sg-1").with_rules([ssh]))
//!     .interface(Interface::new("eni-1").with_groups(["sg-1"]))
//!     .build()?;
//! let policy = AwsEngine::new().lower(&Scope::of(&inventory, "eni-1", Direction::Ingress)?)?;
//!
//! let matcher = Matcher::new(&policy);
//! let flow = Flow::tcp("10.1.2.3".parse()?, 22);
//! assert_eq!(matcher.decide(&flow), policy.decide(&flow));
//! assert_eq!(matcher.decide(&flow).verdict, Verdict::Allow);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//!
//! Rules ask two questions of nearly every packet: where it comes from, and what it wants. So the far
//! addresses of each family are cut where some rule's addresses begin or end, and addresses that all
//! rules treat alike are one *row*; services (a protocol with its port, or ICMP type and code) are
//! cut in the same way into *columns*. A table of rows and columns holds the answer. What is unknown
//! is part of the answer: a cell where a clause may match carries the decision that the reference
//! evaluation makes of it.
//!
//! Source ports and near addresses are rare in rules. A cell where they matter names the clauses that
//! are left to ask, and only flows that fall into it ask them.
//!
//! A set of addresses that many clauses share (a group, a prefix list) is cut once, and its members
//! are many ranges of one row, so a group of 65,536 members costs its addresses and nothing more.
//!
//! # Kinds
//!
//! The [`Kind`]s differ in memory and speed, never in an answer. [`Matcher::new`] takes the first that
//! fits, in the order of [`Kind::chosen_for`]; [`MatcherBuilder::kind`] forces one.
//!
//! | kind | time of a decision | bytes | time to build |
//! |---|---|---|---|
//! | [`Kind::Direct`] | constant | 256 KiB, 64 or 128 KiB a protocol with ports, and the tables | *r* · (*c* + *t* · *c* / 64) |
//! | [`Kind::Compact`] | log of the ranges of addresses and of services | 8 to 20 a range of addresses, and the tables | the same |
//! | [`Kind::Linear`] | linear in the clauses | 50 to 150 a clause | linear |
//!
//! Here *r* is the number of rows, *c* that of columns, *t* the number of clauses that touch the
//! addresses of one row. Of *n* rules that overlap everywhere each is up to *n*, so building is bounded
//! by [`Limits`]: beyond them [`Kind::Linear`] is taken, which always fits.
//!
//! A direct matcher is for policies that decide much. Where there are many policies that each decide
//! little, ask for compact ones; for all interfaces of an inventory at once there is the fleet (feature
//! `fleet`).

mod answers;
mod cells;
mod columns;
mod direct;
mod halves;
mod limits;
mod linear;
mod pages;
mod painter;
mod partition;
mod parts;
mod rows;
mod search;
mod simd;
mod tables;

use std::fmt;

use answers::{AnswerBuilder, Answers, Touched};
pub use columns::{Columns, ColumnsError};
use limits::Budget;
pub use limits::{BuildError, Limits};
use linear::Linear;
use parts::{Reading, Rest};
use simd::Kernel;
use tables::{Tables, Unpacked};

use crate::net::{Family, Flow};
use crate::policy::{Decision, Policy, service};

/// How a matcher finds answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Clause after clause. No tables; the choice where tables would not be worth it or would not fit.
    Linear,
    /// Binary searches in sorted ranges, and a table. The smallest that does not depend on the number
    /// of clauses.
    Compact,
    /// Tables all the way. The fastest.
    Direct,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Linear, Self::Compact, Self::Direct];

    /// Up to how many clauses a scan is taken.
    const FEW_CLAUSES: usize = 2;

    /// The kinds that are tried for a policy, the best first: with at most two clauses only the
    /// scan; else the tables, the fast ones before the small ones, and the scan if they would take
    /// more than the limits.
    pub fn chosen_for(policy: &Policy) -> &'static [Self] {
        let clauses: usize = policy.lists().iter().map(|list| list.clauses().len()).sum();
        if clauses <= Self::FEW_CLAUSES { &[Self::Linear] } else { &[Self::Direct, Self::Compact, Self::Linear] }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linear => "linear",
            Self::Compact => "compact",
            Self::Direct => "direct",
        })
    }
}

/// A policy compiled for deciding many flows.
#[derive(Debug, Clone)]
pub struct Matcher {
    form: Form,
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "the large one is the common one, and a step less to it counts")]
enum Form {
    Linear(Linear),
    Tables { v4: Tables<u32>, v6: Tables<u128>, answers: Answers, kind: Kind, kernel: Kernel },
}

/// How to build a [`Matcher`].
#[derive(Debug, Clone, Copy)]
#[must_use = "a builder does nothing until it builds"]
pub struct MatcherBuilder {
    kind: Option<Kind>,
    limits: Limits,
    portable: bool,
    shared_from: usize,
}

impl Default for MatcherBuilder {
    fn default() -> Self {
        Self { kind: None, limits: Limits::default(), portable: false, shared_from: Self::MANY_CLASSES }
    }
}

impl MatcherBuilder {
    /// The default of [`MatcherBuilder::share_rows_from`].
    pub const MANY_CLASSES: usize = 1 << 15;

    /// Builds this kind, and no other if it does not fit.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Keeps building within these limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Uses plain code only, whatever vector instructions the processor has.
    pub fn portable(mut self) -> Self {
        self.portable = true;
        self
    }

    /// From how many classes of addresses on rows are shared by addresses that differ in the rules of
    /// their own only.
    ///
    /// Of a list of single addresses, each allowed by a rule of its own, every address is a class with a
    /// row of its own, and the rows differ in one thing: the number of the rule. Shared, the row says
    /// "the first rule of its own", and beside each address stands which one that is. That saves much
    /// memory where there are many, and costs a little time.
    pub fn share_rows_from(mut self, classes: usize) -> Self {
        self.shared_from = classes;
        self
    }

    /// Compiles a policy.
    ///
    /// # Errors
    /// A [`BuildError`] if a kind was asked for that does not fit into the limits.
    pub fn build(self, policy: &Policy) -> Result<Matcher, BuildError> {
        let kinds = match &self.kind {
            Some(kind) => std::slice::from_ref(kind),
            None => Kind::chosen_for(policy),
        };
        let kernel = if self.portable { Kernel::Portable } else { Kernel::detected() };
        Form::build(policy, kinds, self, kernel).map(|form| Matcher { form })
    }
}

impl Form {
    /// The first of these kinds that fits. All kinds of tables are made of one, which is built once.
    fn build(policy: &Policy, kinds: &[Kind], how: MatcherBuilder, kernel: Kernel) -> Result<Self, BuildError> {
        let of_tables = kinds.iter().copied().filter(|kind| *kind != Kind::Linear);
        let refused = match of_tables.clone().next() {
            None => return Ok(Self::Linear(Linear::new(policy))),
            Some(kind) => match Self::tables(policy, kind, of_tables, how, kernel) {
                Ok(form) => return Ok(form),
                Err(refused) => refused,
            },
        };
        if kinds.contains(&Kind::Linear) { Ok(Self::Linear(Linear::new(policy))) } else { Err(refused) }
    }

    fn tables(
        policy: &Policy,
        first: Kind,
        kinds: impl Iterator<Item = Kind>,
        how: MatcherBuilder,
        kernel: Kernel,
    ) -> Result<Self, BuildError> {
        let clauses = policy.lists().iter().map(|list| list.clauses().len()).sum();
        let mut budget = Budget::new(how.limits, first, clauses);
        if u32::try_from(clauses).is_ok_and(|clauses| clauses > Touched::MAX) {
            return Err(budget.too_many_classes());
        }
        let reading = Reading::of(policy);
        let mut answers = AnswerBuilder::new(policy, reading.demands);
        let v4 = Unpacked::<u32>::build(&reading.v4, how.shared_from, &mut answers, &mut budget)?;
        let v6 = Unpacked::<u128>::build(&reading.v6, how.shared_from, &mut answers, &mut budget)?;
        let answers = answers.finish();
        let nameable = v4.is_nameable() && v6.is_nameable();
        let mut refused = if nameable { budget.too_large() } else { budget.too_many_classes() };
        let bytes = how.limits.bytes;
        for kind in kinds {
            let (v4, v6) = (v4.pack(&answers, kind, bytes), v6.pack(&answers, kind, bytes));
            let (Some(v4), Some(v6)) = (v4, v6) else { continue };
            if v4.bytes() + v6.bytes() + answers.bytes() <= bytes {
                return Ok(Self::Tables { v4, v6, answers: answers.clone(), kind, kernel });
            }
            refused = budget.too_large();
        }
        Err(refused)
    }
}

impl Matcher {
    /// Compiles a policy, with the default [`Limits`]. It cannot fail: what tables cannot hold is
    /// scanned.
    pub fn new(policy: &Policy) -> Self {
        let scan = |_| Self { form: Form::Linear(Linear::new(policy)) };
        Self::builder().build(policy).unwrap_or_else(scan)
    }

    /// Compiles with a forced kind or other limits.
    pub fn builder() -> MatcherBuilder {
        MatcherBuilder::default()
    }

    /// How it finds answers.
    pub fn kind(&self) -> Kind {
        match &self.form {
            Form::Linear(_) => Kind::Linear,
            Form::Tables { kind, .. } => *kind,
        }
    }

    /// What looks up IPv4 flows in columns, in tables of [`Kind::Direct`]: `portable` is plain code;
    /// with the feature `simd` it is `avx512` or `avx2` where the processor has these instructions.
    /// Answers do not depend on it.
    pub fn kernel(&self) -> &'static str {
        match &self.form {
            Form::Tables { kernel, kind: Kind::Direct, .. } => kernel.name(),
            _ => Kernel::Portable.name(),
        }
    }

    /// The bytes that it takes, without sets of addresses that it shares with the policy.
    pub fn bytes(&self) -> usize {
        let own = match &self.form {
            Form::Linear(linear) => linear.bytes(),
            Form::Tables { v4, v6, answers, .. } => v4.bytes() + v6.bytes() + answers.bytes(),
        };
        size_of::<Self>() + own
    }

    /// The decision on a flow: the same as [`Policy::decide`] of the policy it was built from. It
    /// allocates nothing.
    #[inline]
    pub fn decide(&self, flow: &Flow) -> Decision {
        let (protocol, selector) = (flow.protocol().number(), flow.selector());
        // What most questions are about comes first, in little code that can stand in the caller's.
        if let Form::Tables { v4, answers, .. } = &self.form
            && flow.family() == Family::V4
            && let Some(answer) = v4.likely_answer((low(flow.remote_number()), protocol, selector))
            && let Some(decision) = answers.settled(answer)
        {
            return decision;
        }
        self.decide_in_any_form(flow)
    }

    #[inline(never)]
    fn decide_in_any_form(&self, flow: &Flow) -> Decision {
        let (protocol, selector) = (flow.protocol().number(), flow.selector());
        match (&self.form, flow.family()) {
            (Form::Tables { v4, answers, .. }, Family::V4) => {
                let answer = v4.answer((low(flow.remote_number()), protocol, selector));
                answers.decision(answer, || rest(flow))
            }
            (Form::Tables { v6, answers, .. }, Family::V6) => {
                let answer = v6.answer((flow.remote_number(), protocol, selector));
                answers.decision(answer, || rest(flow))
            }
            (Form::Linear(linear), Family::V4) => {
                linear.decide_v4(low(flow.remote_number()), service::service(protocol, selector), rest(flow))
            }
            (Form::Linear(linear), Family::V6) => {
                linear.decide_v6(flow.remote_number(), service::service(protocol, selector), rest(flow))
            }
        }
    }

    /// Decides many flows of any family, each as [`Matcher::decide`] does. As many decisions are
    /// written as both slices have place for; their number is returned.
    ///
    /// [`Matcher::decide_columns`] is faster, for it reads less memory.
    pub fn decide_batch(&self, flows: &[Flow], decisions: &mut [Decision]) -> usize {
        for (flow, decision) in flows.iter().zip(decisions.iter_mut()) {
            *decision = self.decide(flow);
        }
        flows.len().min(decisions.len())
    }

    /// Decides many flows of one family, each as [`Matcher::decide`] does.
    ///
    /// # Errors
    /// [`ColumnsError`] if the columns and the place for decisions are of different lengths.
    pub fn decide_columns<A: Address>(
        &self,
        columns: &Columns<'_, A>,
        decisions: &mut [Decision],
    ) -> Result<(), ColumnsError> {
        columns.checked_length(decisions.len())?;
        A::decide(self, columns, decisions);
        Ok(())
    }
}

/// An address as a number: `u32` for IPv4, `u128` for IPv6.
pub trait Address: sealed::Sealed {}

impl Address for u32 {}
impl Address for u128 {}

mod sealed {
    use super::{Columns, Decision, Form, Matcher, low, tables};
    use crate::policy::service;

    pub trait Sealed: Copy {
        fn decide(matcher: &Matcher, columns: &Columns<'_, Self>, decisions: &mut [Decision]);
    }

    /// The scan over many flows.
    fn scan<A: Copy + Into<u128>>(
        columns: &Columns<'_, A>,
        decisions: &mut [Decision],
        family: crate::net::Family,
        decide: impl Fn(u128, u32, super::Rest) -> Decision,
    ) {
        let fields = columns.remote.iter().zip(columns.protocol).zip(columns.selector);
        for (flow, (((remote, protocol), selector), decision)) in fields.zip(decisions).enumerate() {
            let selector = selector & service::selector_mask(*protocol, family);
            *decision = decide((*remote).into(), service::service(*protocol, selector), tables::rest(columns, flow));
        }
    }

    impl Sealed for u32 {
        fn decide(matcher: &Matcher, columns: &Columns<'_, Self>, decisions: &mut [Decision]) {
            match &matcher.form {
                Form::Tables { v4, answers, kernel, .. } => v4.decide(answers, *kernel, columns, decisions),
                Form::Linear(linear) => scan(columns, decisions, crate::net::Family::V4, |address, service, rest| {
                    linear.decide_v4(low(address), service, rest)
                }),
            }
        }
    }

    impl Sealed for u128 {
        fn decide(matcher: &Matcher, columns: &Columns<'_, Self>, decisions: &mut [Decision]) {
            match &matcher.form {
                Form::Tables { v6, answers, kernel, .. } => v6.decide(answers, *kernel, columns, decisions),
                Form::Linear(linear) => scan(columns, decisions, crate::net::Family::V6, |address, service, rest| {
                    linear.decide_v6(address, service, rest)
                }),
            }
        }
    }
}

/// The number of an IPv4 address, which has no bits above 32.
#[inline]
fn low(address: u128) -> u32 {
    let [.., a, b, c, d] = address.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// What a flow leaves open beyond service and far address.
#[inline]
fn rest(flow: &Flow) -> Rest {
    Rest { source: flow.source_port(), local: flow.local_number() }
}

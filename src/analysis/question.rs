//! Questions about two policies, interfaces, groups or inventories, of one cloud or of two.

use serde::Serialize;

use super::alone::{cards, resolved};
use super::error::{AnalysisError, Subject};
use crate::engine::{PolicyEngine, Scope};
use crate::model::{InterfaceId, Inventory};
use crate::net::{Direction, Flow};
use crate::policy::{Explanation, Policy};
use crate::set::{Answer, Decided, SetError};

/// A configuration with the engine that knows what it means.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The semantics.
    pub engine: &'a dyn PolicyEngine,
    /// The configuration.
    pub inventory: &'a Inventory,
}

/// What is asked about two policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Whether the second allows every packet that the first allows.
    Implies,
    /// Whether both decide every packet the same way.
    Equivalent,
    /// Whether no packet is allowed by both.
    Disjoint,
}

/// A packet that shows the answer, with the reasons of both policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Proof {
    /// The packet.
    pub flow: Flow,
    /// What the first policy does with it and why.
    pub ours: Explanation,
    /// What the second policy does with it and why.
    pub theirs: Explanation,
}

/// Asks about two policies, over every packet of both families; the near address is free.
///
/// The policies may be of different providers. Traffic that a provider never filters is part of its
/// policies; to compare what is configured, give engines without a table of such traffic
/// ([`AwsEngine::with_never_filtered`](crate::engine::AwsEngine::with_never_filtered)).
///
/// ```
/// use secgroup::analysis::{Question, Side, ask};
/// use secgroup::engine::{AlibabaEngine, AwsEngine};
/// use secgroup::model::{IntraGroupPolicy, Inventory, Rule, SecurityGroup, Traffic};
/// use secgroup::net::{Cidr, Direction};
///
/// let web = |group: SecurityGroup| -> Result<Inventory, Box<dyn std::error::Error>> {
///     let rule = Rule::allow(Direction::Ingress, Traffic::tcp(443), "10.0.0.0/8".parse::<Cidr>()?);
///     Ok(Inventory::builder().group(group.with_rule(rule)).build()?)
/// };
/// let aws = web(SecurityGroup::aws("sg-1"))?;
/// let alibaba = web(SecurityGroup::basic("sg-2", IntraGroupPolicy::Drop))?;
/// let (aws_engine, alibaba_engine) = (AwsEngine::new().with_never_filtered(vec![]), AlibabaEngine::new());
/// let here = Side { engine: &aws_engine, inventory: &aws };
/// let there = Side { engine: &alibaba_engine, inventory: &alibaba };
/// let policies = |direction| Ok::<_, secgroup::analysis::AnalysisError>(
///     (here.group("sg-1", direction)?, there.group("sg-2", direction)?)
/// );
/// let (ours, theirs) = policies(Direction::Ingress)?;
/// assert!(ask(Question::Equivalent, &ours, &theirs)?.holds());
/// // Without a rule AWS lets nothing out, and a basic group of Alibaba Cloud everything.
/// let (ours, theirs) = policies(Direction::Egress)?;
/// assert!(!ask(Question::Equivalent, &ours, &theirs)?.holds());
/// assert!(ask(Question::Implies, &ours, &theirs)?.holds());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SetError`] if one of the policies, or both together, have too many parts.
pub fn ask(question: Question, ours: &Policy, theirs: &Policy) -> Result<Answer<Proof>, SetError> {
    let (our_sets, their_sets) = (Decided::new(ours)?, Decided::new(theirs)?);
    let answer = match question {
        Question::Implies => our_sets.implies(&their_sets)?,
        Question::Equivalent => our_sets.equivalent(&their_sets)?,
        Question::Disjoint => our_sets.disjoint(&their_sets)?,
    };
    let proof = |flow: Flow| Proof { flow, ours: ours.explain(&flow), theirs: theirs.explain(&flow) };
    Ok(match answer {
        Answer::Holds => Answer::Holds,
        Answer::Fails(example) => Answer::Fails(proof(example.flow)),
        Answer::Unknown(example) => Answer::Unknown(proof(example.flow)),
    })
}

impl Side<'_> {
    /// The policy of an interface.
    ///
    /// # Errors
    /// [`AnalysisError::Lower`] if there is no such interface or its groups cannot be lowered.
    pub fn interface(&self, id: &str, direction: Direction) -> Result<Policy, AnalysisError> {
        Ok(self.engine.lower(&Scope::of(self.inventory, id, direction)?)?)
    }

    /// The policy of an interface that has only this group, with references resolved. Of a group of the
    /// classic network (ALI-19) that is the card with the private address.
    ///
    /// # Errors
    /// [`AnalysisError::NoGroup`] if there is no such group, [`AnalysisError::Lower`] if it cannot be
    /// lowered.
    pub fn group(&self, id: &str, direction: Direction) -> Result<Policy, AnalysisError> {
        let group = self.inventory.group(id).ok_or_else(|| AnalysisError::NoGroup(id.into()))?;
        let card = cards(group).first().copied().flatten();
        Ok(resolved(self.engine, self.inventory, group, card, direction)?)
    }
}

/// The answer about one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InterfaceAnswer {
    /// The interface of the first inventory.
    pub ours: InterfaceId,
    /// The interface of the second inventory.
    pub theirs: InterfaceId,
    /// The direction.
    pub direction: Direction,
    /// The answer.
    pub answer: Answer<Proof>,
}

/// The answers about two inventories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InventoryAnswer {
    /// The answers that are not [`Answer::Holds`].
    pub exceptions: Vec<InterfaceAnswer>,
    /// How many interfaces were compared.
    pub compared: usize,
    /// Interfaces that only the first inventory has.
    pub only_ours: Vec<InterfaceId>,
    /// Interfaces that only the second inventory has.
    pub only_theirs: Vec<InterfaceId>,
}

impl InventoryAnswer {
    /// Whether it holds of every pair of interfaces, and every interface has a counterpart.
    pub fn holds(&self) -> bool {
        self.exceptions.is_empty() && self.only_ours.is_empty() && self.only_theirs.is_empty()
    }
}

/// Asks about every interface of two inventories, in both directions. Interfaces with one id belong
/// together; `counterpart` gives the id in the second inventory of an interface of the first, for
/// inventories whose ids differ, such as those of two clouds.
///
/// # Errors
/// [`AnalysisError`] naming the interface that cannot be judged.
pub fn ask_inventories(
    question: Question,
    ours: Side<'_>,
    theirs: Side<'_>,
    counterpart: impl Fn(&InterfaceId) -> InterfaceId,
) -> Result<InventoryAnswer, AnalysisError> {
    let mut answers =
        InventoryAnswer { exceptions: Vec::new(), compared: 0, only_ours: Vec::new(), only_theirs: Vec::new() };
    let mut met = std::collections::BTreeSet::new();
    for interface in ours.inventory.interfaces() {
        let other = counterpart(&interface.id);
        if theirs.inventory.interface(other.as_str()).is_none() {
            answers.only_ours.push(interface.id.clone());
            continue;
        }
        answers.compared += 1;
        for direction in Direction::ALL {
            let our_policy = ours.interface(interface.id.as_str(), direction)?;
            let their_policy = theirs.interface(other.as_str(), direction)?;
            let answer = ask(question, &our_policy, &their_policy)
                .map_err(AnalysisError::of_set(&Subject::Interface(interface.id.clone()), direction))?;
            if !answer.holds() {
                let (ours, theirs) = (interface.id.clone(), other.clone());
                answers.exceptions.push(InterfaceAnswer { ours, theirs, direction, answer });
            }
        }
        met.insert(other);
    }
    let others = theirs.inventory.interfaces().map(|interface| &interface.id);
    answers.only_theirs = others.filter(|id| !met.contains(*id)).cloned().collect();
    Ok(answers)
}

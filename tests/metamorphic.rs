//! Changes to a configuration that must change no verdict.
//!
//! Needs the strategies: `cargo test --all-features`.
#![cfg(feature = "proptest")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use secgroup::analysis::{Side, Status, diff, superfluous};
use secgroup::engine::{AlibabaEngine, AwsEngine, PolicyEngine, Scope};
use secgroup::net::{AddressSet, Cidr, Direction, Family, Flow, PortRange};
use secgroup::policy::{Basis, Extent, RuleList, Verdict};
use secgroup::strategy::{alibaba_inventory, aws_inventory, flow_near};
use secgroup::{Inventory, model::SecurityGroup};
use serde_json::{Value, json};

/// What comes out for every interface, direction and flow: verdict, basis and deciding rules.
///
/// Rules are named by their ids, which [`named`] gives to all of them; `meaning` says which rule an id
/// stands for.
fn outcomes(
    engine: &dyn PolicyEngine,
    inventory: &Inventory,
    flows: &[Flow],
    meaning: impl Fn(&str) -> String,
) -> Vec<(String, Direction, Flow, Verdict, Basis, Vec<String>)> {
    let mut all = Vec::new();
    for interface in inventory.interfaces() {
        for direction in Direction::ALL {
            let policy = engine.lower(&Scope::new(inventory, interface, direction)).unwrap();
            for flow in flows {
                let decision = policy.decide(flow);
                let rules = policy.explain(flow).rules();
                let mut rules: Vec<String> = rules.iter().map(|rule| meaning(rule.as_str())).collect();
                rules.sort();
                rules.dedup();
                let interface = meaning(interface.id.as_str());
                all.push((interface, direction, *flow, decision.verdict, decision.basis, rules));
            }
        }
    }
    // Renamed interfaces come in another order.
    all.sort();
    all
}

fn as_is(rule: &str) -> String {
    rule.to_owned()
}

/// Rules that a change made out of one rule are called `ID~1` and so on.
fn without_copy(rule: &str) -> String {
    rule.split('~').next().unwrap().to_owned()
}

/// The inventory with an id on every rule, and if `tied` without priorities, so that all rules of one
/// action tie and a drop beats an accept everywhere.
fn named(inventory: &Inventory, tied: bool) -> Inventory {
    changed(inventory, |parts| {
        for_each_rules(parts, |group, rules| {
            for (index, rule) in rules.iter_mut().enumerate() {
                if tied {
                    rule.as_object_mut().unwrap().remove("priority");
                }
                rule["id"] = json!(format!("rule-{group}-{index}"));
            }
        });
    })
}

/// The inventory with its written form changed.
fn changed(inventory: &Inventory, change: impl FnOnce(&mut Value)) -> Inventory {
    let mut parts = serde_json::to_value(inventory).unwrap();
    change(&mut parts);
    serde_json::from_value(parts).unwrap()
}

fn for_each_rules(parts: &mut Value, mut visit: impl FnMut(&str, &mut Vec<Value>)) {
    for group in parts["groups"].as_array_mut().unwrap() {
        let id = group["id"].as_str().unwrap().to_owned();
        visit(&id, group["rules"].as_array_mut().unwrap());
    }
}

/// Puts items into another order, by the numbers given.
fn permute(items: &mut [Value], order: &[Index]) {
    for end in (1..items.len()).rev() {
        items.swap(end, order[end % order.len()].index(end + 1));
    }
}

/// Replaces about every second rule by those that `split` makes of it, with ids that tell where they
/// come from. Not all rules, for then those that tie would be changed alike.
fn split_rules(inventory: &Inventory, order: &[Index], split: impl Fn(&Value) -> Vec<Value>) -> Inventory {
    let mut number = 0;
    changed(inventory, |parts| {
        for_each_rules(parts, |_, rules| {
            let parts_of = |rule: &Value| {
                number += 1;
                if order[number % order.len()].index(2) == 0 {
                    return vec![rule.clone()];
                }
                let id = rule["id"].as_str().unwrap().to_owned();
                let numbered = move |(part, mut rule): (usize, Value)| {
                    rule["id"] = json!(format!("{id}~{part}"));
                    rule
                };
                split(rule).into_iter().enumerate().map(numbered).collect::<Vec<_>>()
            };
            *rules = rules.iter().flat_map(parts_of).collect();
        });
    })
}

/// The two halves of a block; a single address cannot be halved.
fn halves(block: Cidr) -> Option<[Cidr; 2]> {
    let longer = Cidr::containing(block.first(), block.prefix() + 1).ok()?;
    let other = Cidr::containing(block.last(), block.prefix() + 1).ok()?;
    Some([longer, other])
}

fn in_halves(rule: &Value) -> Vec<Value> {
    let block = rule["peer"]["cidr"].as_str().map(|text| text.parse().unwrap());
    match block.and_then(halves) {
        None => vec![rule.clone()],
        Some(halves) => halves
            .map(|half| {
                let mut rule = rule.clone();
                rule["peer"] = json!({ "cidr": half });
                rule
            })
            .into(),
    }
}

/// A rule for ports as one for the first and one for the others: at the edges, where flows are, a
/// narrow range takes the place of a wide one.
fn in_port_ranges(rule: &Value) -> Vec<Value> {
    let traffic = rule["traffic"].as_str().unwrap();
    let (protocol, range) = match traffic.split_once('/') {
        Some((protocol @ ("tcp" | "udp"), ports)) => match ports.parse::<PortRange>() {
            Ok(range) => (protocol, range),
            Err(_) => return vec![rule.clone()],
        },
        None if ["tcp", "udp"].contains(&traffic) => (traffic, PortRange::ALL),
        _ => return vec![rule.clone()],
    };
    let others = range.first().checked_add(1).and_then(|next| PortRange::new(next, range.last()).ok());
    let with = |range: PortRange| {
        let mut rule = rule.clone();
        rule["traffic"] = json!(format!("{protocol}/{range}"));
        rule
    };
    [Some(PortRange::from(range.first())), others].into_iter().flatten().map(with).collect()
}

/// An id that nothing has yet, and that sorts the other way round.
fn renamed(id: &str) -> String {
    let turned: String =
        id.bytes().map(|b| char::from(if b.is_ascii_lowercase() { b'a' + b'z' - b } else { b })).collect();
    format!("new-{turned}")
}

/// Renames groups, prefix lists, interfaces, VPCs and subnets wherever they are named.
fn rename(value: &mut Value) {
    match value {
        Value::String(text)
            if ["sg-", "pl-", "eni-", "vpc-", "subnet-"].iter().any(|prefix| text.starts_with(prefix)) =>
        {
            *text = renamed(text);
        }
        Value::Array(items) => items.iter_mut().for_each(rename),
        Value::Object(fields) => fields.values_mut().for_each(rename),
        _ => {}
    }
}

fn empty_group(parts: &Value) -> Option<SecurityGroup> {
    // Isolated and of the kind of the others; without a kind that is known, there is no same kind.
    let groups = parts["groups"].as_array()?;
    let kind = groups.iter().find_map(|group| group["kind"].as_str())?;
    if groups.iter().any(|group| group["kind"] != kind) {
        return None;
    }
    let group = json!({ "id": "sg-empty", "kind": kind, "intra_group": "drop" });
    Some(serde_json::from_value(group).unwrap())
}

/// The inventory with an empty group on every interface that has groups.
fn with_empty_group(inventory: &Inventory) -> Option<Inventory> {
    let group = empty_group(&serde_json::to_value(inventory).unwrap())?;
    Some(changed(inventory, |parts| {
        parts["groups"].as_array_mut().unwrap().push(json!(group));
        for interface in parts["interfaces"].as_array_mut().unwrap() {
            // An interface without groups is not filtered (AWS-25), and one more group would change
            // that.
            if let Some(groups) = interface["groups"].as_array_mut().filter(|groups| !groups.is_empty()) {
                groups.insert(0, json!("sg-empty"));
            }
        }
    }))
}

type Case = (Inventory, Vec<Flow>, Vec<Index>);

fn case(inventory: impl Strategy<Value = Inventory>) -> impl Strategy<Value = Case> {
    (inventory, any::<bool>()).prop_flat_map(|(inventory, tied)| {
        let inventory = named(&inventory, tied);
        let flows = vec(flow_near(&inventory), 12..20);
        (Just(inventory), flows, vec(any::<Index>(), 16))
    })
}

/// All the changes; each is compared with the configuration as it was.
fn nothing_changes(engine: &dyn PolicyEngine, (inventory, flows, order): &Case) -> Result<(), TestCaseError> {
    let before = outcomes(engine, inventory, flows, as_is);
    // The exact comparison of everything takes its time.
    let exactly = order[0].index(3) == 0;
    let unchanged = |change: &str, after: &Inventory, groups: bool| {
        if !exactly {
            return Ok(());
        }
        let (old, new) = (Side { engine, inventory }, Side { engine, inventory: after });
        let diff = diff(old, new, &AddressSet::all()).unwrap();
        let groups = diff.groups.values().filter(|_| groups);
        for subject in diff.interfaces.values().chain(groups) {
            prop_assert!(
                subject.equivalent && subject.gained.is_empty() && subject.lost.is_empty(),
                "{}: {:?}",
                change,
                subject
            );
            prop_assert_eq!(subject.status, Status::Both);
        }
        Ok(())
    };
    let check = |change: &str, after: Vec<_>| {
        let same = after == before;
        let first = before.iter().zip(&after).find(|(before, after)| before != after);
        prop_assert!(same, "{}: {:#?}\n{}", change, first, serde_json::to_string(inventory).unwrap());
        Ok(())
    };

    // AWS-28 has no order at all; ALI-2: group of origin and place never break ties.
    let permuted = changed(inventory, |parts| {
        for_each_rules(parts, |_, rules| permute(rules, order));
        for interface in parts["interfaces"].as_array_mut().unwrap() {
            if let Some(groups) = interface["groups"].as_array_mut() {
                permute(groups, order);
            }
        }
    });
    check("groups and rules in another order", outcomes(engine, &permuted, flows, as_is))?;
    unchanged("another order", &permuted, true)?;

    // ALI-2: prefix lengths and port widths never break ties either.
    let halved = split_rules(inventory, order, in_halves);
    check("blocks in halves", outcomes(engine, &halved, flows, without_copy))?;
    unchanged("blocks in halves", &halved, true)?;
    let cut = split_rules(inventory, order, in_port_ranges);
    check("port ranges in two", outcomes(engine, &cut, flows, without_copy))?;
    unchanged("port ranges in two", &cut, true)?;

    // AWS-36, ALI-45: a rule twice is a rule once.
    let twice = split_rules(inventory, order, |rule| vec![rule.clone(), rule.clone()]);
    check("each rule twice", outcomes(engine, &twice, flows, without_copy))?;
    unchanged("each rule twice", &twice, true)?;
    if exactly {
        doubles_are_idle(engine, &twice)?;
    }

    let new_names = changed(inventory, rename);
    let (old_names, new_names) = (
        outcomes(engine, inventory, flows, |id| if id.starts_with("eni-") { renamed(id) } else { id.to_owned() }),
        outcomes(engine, &new_names, flows, as_is),
    );
    prop_assert_eq!(old_names, new_names, "other names");

    if let Some(more) = with_empty_group(inventory) {
        check("an empty group", outcomes(engine, &more, flows, as_is))?;
        unchanged("an empty group", &more, false)?;
    }
    Ok(())
}

/// A rule that stands there twice is idle, in each of its copies, and not all copies can go unless
/// something else covers them; what is not wholly known may be known of one copy only.
fn doubles_are_idle(engine: &dyn PolicyEngine, inventory: &Inventory) -> Result<(), TestCaseError> {
    for interface in inventory.interfaces() {
        for direction in Direction::ALL {
            let policy = engine.lower(&Scope::new(inventory, interface, direction)).unwrap();
            let idle = superfluous(&policy).unwrap().idle;
            let clauses = policy.lists().into_iter().flat_map(RuleList::clauses).zip(0..);
            for (clause, number) in clauses.filter(|(clause, _)| matches!(clause.extent, Extent::Exact(_))) {
                let Some(origin) = clause.provenance.rule().filter(|origin| origin.rule.as_str().contains('~')) else {
                    continue;
                };
                let found = idle.iter().any(|idle| idle.clause.number() == number);
                prop_assert!(found, "{} at {}, {}", origin.rule, interface.id, direction);
            }
        }
    }
    Ok(())
}

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(512), failure_persistence: None, ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn aws_verdicts_do_not_depend_on_how_it_is_written(case in case(aws_inventory())) {
        nothing_changes(&AwsEngine::new(), &case)?;
    }

    #[test]
    fn alibaba_verdicts_depend_on_priority_and_action_alone(case in case(alibaba_inventory())) {
        nothing_changes(&AlibabaEngine::new(), &case)?;
    }
}

/// The changes do change the configuration: what they say they do, and nothing is lost.
#[test]
fn the_changes_are_what_they_say() {
    let [low, high] = halves("10.0.0.0/8".parse().unwrap()).unwrap();
    assert_eq!([low.to_string(), high.to_string()], ["10.0.0.0/9", "10.128.0.0/9"]);
    let [low, high] = halves(Cidr::all(Family::V6)).unwrap();
    assert_eq!([low.to_string(), high.to_string()], ["::/1", "8000::/1"]);
    assert!(halves("10.0.0.1/32".parse().unwrap()).is_none());

    let ports = |traffic: &str| {
        let rules = in_port_ranges(&json!({ "traffic": traffic }));
        rules.iter().map(|rule| rule["traffic"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ports("tcp/22-80"), ["tcp/22", "tcp/23-80"]);
    assert_eq!(ports("udp"), ["udp/0", "udp/1-65535"]);
    assert_eq!(ports("tcp/22"), ["tcp/22"]);
    assert_eq!(ports("icmp/8/0"), ["icmp/8/0"]);
    assert_eq!(ports("tcp/list:prl-1"), ["tcp/list:prl-1"]);
    assert_eq!(renamed("sg-a"), "new-ht-z");
}

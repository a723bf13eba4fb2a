//! A fleet of 100,000 interfaces, 10,000 groups and 200,000 rules: how long it takes to build, what it
//! takes in memory, how many pairs of interfaces it decides a second, and what edits cost.
//!
//! `cargo bench --features fleet --bench fleet`; `SECGROUP_FLEET_PERCENT=10` for a tenth of it.
//!
//! The configuration is that of [`account`].

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "sizes of a benchmark are far from any limit"
)]

#[path = "support/clock.rs"]
#[expect(dead_code, reason = "other benchmarks use the rest")]
mod clock;

#[path = "support/account.rs"]
mod account;

#[path = "support/random.rs"]
#[expect(dead_code, reason = "other benchmarks use the rest")]
mod random;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use account::{COMMON, LISTS, Scale, VPCS, below, group_id, interface_id, inventory, v4};
use clock::{median, millions, timed};
use random::{Random, SEED};
use secgroup::engine::{AwsEngine, PathReport, PolicyEngine, Probe, path};
use secgroup::fleet::{Edit, Fleet, InterfaceKey, PathDecision, Question};
use secgroup::model::{GroupId, InterfaceId, Inventory, Rule, Traffic};
use secgroup::net::{Cidr, Direction, Family};
use secgroup::policy::Verdict;

/// Resident memory in MiB, where the system tells it.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// What edits of a kind cost: the median and the slowest of a hundred, each followed by its inverse.
fn edits(fleet: &Fleet, name: &str, pairs: impl Iterator<Item = (Edit, Edit)>) {
    let mut times = Vec::new();
    for (there, back) in pairs {
        for edit in [there, back] {
            let start = Instant::now();
            let result = fleet.apply([edit]);
            times.push(start.elapsed());
            if let Err(error) = result {
                println!("edit refused: {error}");
            }
        }
    }
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).copied().unwrap_or_default();
    println!(
        "edit {name:<44} {:>8.1} us median, {:>8.1} us 90 %, {:>8.1} us worst",
        microseconds(at(0.5)),
        microseconds(at(0.9)),
        microseconds(at(1.0))
    );
}

fn questions(random: &mut Random, keys: &[InterfaceKey], count: usize) -> Vec<Question> {
    let mut questions = Vec::with_capacity(count);
    for _ in 0..count {
        let from = keys.get(below(random, keys.len())).copied();
        let to = keys.get(below(random, keys.len())).copied();
        let (Some(from), Some(to)) = (from, to) else { continue };
        let port = *random.pick(&[443_u16, 80, 22, 5432, 8080, 9100, 53, 31_000]).unwrap_or(&443);
        let probe = match random.below(20) {
            0 => Probe::udp(53),
            1..5 => Probe::tcp(port).over(Family::V6),
            _ => Probe::tcp(port),
        };
        questions.push(Question { from, to, probe });
    }
    questions
}

/// The median of five rounds, by the time of this thread.
fn rounds(count: usize, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..5).map(|_| timed(&mut work).1).collect();
    millions(count, median(&mut times, Duration::cmp).unwrap_or_default())
}

fn main() {
    let percent = std::env::var("SECGROUP_FLEET_PERCENT").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let scale = Scale::of(percent);
    let before = resident();
    let inventory = inventory(&scale);
    let configured = resident() - before;
    let rules: usize = inventory.groups().map(|group| group.rules.len()).sum();
    println!(
        "{}; {} interfaces, {} groups, {rules} rules; the inventory takes {configured:.0} MiB",
        clock::processor(),
        inventory.interfaces().len(),
        inventory.groups().len()
    );
    let engine: Arc<dyn PolicyEngine> = Arc::new(AwsEngine::new());
    let reference = inventory.clone();
    let before = resident();
    let start = Instant::now();
    let fleet = match Fleet::new(Arc::clone(&engine), inventory) {
        Ok(fleet) => fleet,
        Err(error) => return println!("not built: {error}"),
    };
    let built = start.elapsed().as_secs_f64();
    let more = resident() - before;
    println!(
        "built in {built:.2} s; {more:.0} MiB more, {:.0} MiB with groups and interfaces; {:?}",
        more + configured,
        fleet.snapshot()
    );
    measure_pairs(&scale, &*engine, &reference, &fleet);
    measure_edits(&scale, &reference, &fleet);
    println!("after all edits as before: {}", fleet.inventory().as_ref() == Ok(&reference));
}

/// Random pairs, some of them checked against the reference before anything is timed.
fn measure_pairs(scale: &Scale, engine: &dyn PolicyEngine, reference: &Inventory, fleet: &Fleet) {
    const CHECKED: usize = 2_000;
    let snapshot = fleet.snapshot();
    let ids: Vec<InterfaceId> = (0..scale.interfaces).map(interface_id).collect();
    let keys: Vec<InterfaceKey> = ids.iter().filter_map(|id| snapshot.key(id.as_str())).collect();
    let asked = questions(&mut Random::new(SEED ^ 1), &keys, 1_000_000);
    let mut decisions = vec![None; asked.len()];
    snapshot.decide_batch(&asked, &mut decisions);
    let id_of: HashMap<InterfaceKey, &InterfaceId> = keys.iter().copied().zip(&ids).collect();
    let wrong = asked.iter().zip(&decisions).take(CHECKED).filter(|(question, decision)| {
        let (Some(from), Some(to)) = (id_of.get(&question.from), id_of.get(&question.to)) else { return true };
        let report = path(engine, reference, from.as_str(), to.as_str(), &question.probe).ok();
        let ends = |report: PathReport| report.ends.iter().map(|end| end.explanation.decision()).collect::<Vec<_>>();
        let expected = report.map(|report| (report.verdict, ends(report)));
        let ends = |decision: &PathDecision| decision.ends.into_iter().flatten().collect::<Vec<_>>();
        let found = decision.as_ref().map(|decision| (decision.verdict, ends(decision)));
        expected != found
    });
    let wrong = wrong.count();
    let share = |count: usize| 100.0 * count as f64 / asked.len() as f64;
    println!(
        "checked {CHECKED} pairs against the reference: {wrong} wrong; of all {:.1} % allowed, {:.1} % without a common family",
        share(decisions.iter().flatten().filter(|decision| decision.verdict == Verdict::Allow).count()),
        share(decisions.iter().filter(|decision| decision.is_none()).count())
    );
    let batched = rounds(asked.len(), || {
        for chunk in asked.chunks(1024) {
            black_box(snapshot.decide_batch(black_box(chunk), &mut decisions));
        }
    });
    println!("random pairs, batched: {batched:.2} M/s, both ends");
    let single = rounds(asked.len(), || {
        for question in &asked {
            let _ = black_box(snapshot.decide_between(question.from, question.to, &question.probe));
        }
    });
    println!("random pairs, one call each: {single:.2} M/s, both ends");
}

fn measure_edits(scale: &Scale, reference: &Inventory, fleet: &Fleet) {
    let random = &mut Random::new(SEED ^ 2);
    let with = |number: usize, change: &dyn Fn(&mut Vec<GroupId>)| -> (Edit, Edit) {
        let id = interface_id(number);
        let groups =
            reference.interface(id.as_str()).and_then(|interface| interface.groups.clone()).unwrap_or_default();
        let mut changed = groups.clone();
        change(&mut changed);
        let set = |groups| Edit::SetGroups { interface: id.clone(), groups: Some(groups) };
        (set(changed), set(groups))
    };
    let large = group_id(0, 0);
    let leave =
        |random: &mut Random| with(below(random, scale.large), &|groups| groups.retain(|group| *group != large));
    edits(fleet, "leave and join the largest group", (0..100).map(|_| leave(random)));
    let common = |random: &mut Random| {
        let group = group_id(0, 1 + below(random, COMMON - 1));
        with(below(random, scale.large), &|groups| groups.push(group.clone()))
    };
    edits(fleet, "join and leave a common group", (0..100).map(|_| common(random)));
    let interfaces = (0..100).filter_map(|_| {
        let interface = reference.interface(interface_id(below(random, scale.interfaces)).as_str())?;
        Some((Edit::RemoveInterface(interface.id.clone()), Edit::AddInterface(interface.clone())))
    });
    edits(fleet, "remove and add an interface", interfaces.collect::<Vec<_>>().into_iter());
    let addresses = (0..100).map(|_| {
        let interface = interface_id(below(random, scale.interfaces));
        let address = v4(5, 900_000 + below(random, 10_000));
        (Edit::AddAddress { interface: interface.clone(), address }, Edit::RemoveAddress { interface, address })
    });
    edits(fleet, "add and remove an address", addresses.collect::<Vec<_>>().into_iter());
    let rule = |group: GroupId| {
        let rule = Rule::allow(Direction::Ingress, Traffic::tcp(4317), Cidr::all(Family::V4)).with_id("sgr-new");
        let index = reference.group(group.as_str()).map_or(0, |group| group.rules.len());
        (Edit::AddRule { group: group.clone(), rule }, Edit::RemoveRule { group, index })
    };
    let applications = scale.groups / VPCS - COMMON;
    let of_application = |random: &mut Random| group_id(below(random, VPCS), COMMON + below(random, applications));
    edits(fleet, "add and remove a rule, an application", (0..100).map(|_| rule(of_application(random))));
    let of_common = |random: &mut Random| group_id(0, 1 + below(random, COMMON - 1));
    edits(fleet, "add and remove a rule, a common group", (0..5).map(|_| rule(of_common(random))));
    edits(fleet, "add and remove a rule, the largest group", (0..2).map(|_| rule(large.clone())));
    let lists = (0..100).filter_map(|number| {
        let list = reference.prefix_list(format!("pl-{:04x}", number % LISTS).as_str())?;
        let mut shorter = list.clone();
        shorter.entries.pop();
        Some((Edit::SetPrefixList(shorter), Edit::SetPrefixList(list.clone())))
    });
    edits(fleet, "replace a prefix list", lists);
}

//! Explanations as people and programs see them; every text here was written by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;

use secgroup::engine::{AlibabaEngine, AwsEngine, IntraGroupEgress, PolicyEngine, Probe, Scope, path};
use secgroup::model::{
    GroupReference, Interface, IntraGroupPolicy, Inventory, Peer, PeeringStatus, Place, Priority, Rule, SecurityGroup,
    Traffic,
};
use secgroup::net::{Cidr, Direction, Flow, IcmpMessage};
use secgroup::policy::{Basis, Explanation, Field, Missing, Verdict, WhyNot};

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn traffic(text: &str) -> Traffic {
    text.parse().unwrap()
}

/// A rule with an id and a place.
fn rule(id: &str, rule: Rule) -> Rule {
    let mut rule = rule.with_id(id);
    rule.place = Some(Place::new("groups.json", format!("rules.{id}")));
    rule
}

fn ingress(id: &str, what: &str, from: &str) -> Rule {
    rule(id, Rule::allow(Direction::Ingress, traffic(what), cidr(from)))
}

fn explain(engine: &dyn PolicyEngine, group: SecurityGroup, direction: Direction, flow: &Flow) -> Explanation {
    let interface = Interface::new("eni-1").with_groups([group.id.as_str()]).with_address(ip("10.0.0.5"));
    let inventory = Inventory::builder().group(group).interface(interface).build().unwrap();
    engine.lower(&Scope::of(&inventory, "eni-1", direction).unwrap()).unwrap().explain(flow)
}

fn aws(rules: impl IntoIterator<Item = Rule>, flow: &Flow) -> Explanation {
    explain(&AwsEngine::new(), SecurityGroup::aws("sg-1").with_rules(rules), Direction::Ingress, flow)
}

#[test]
fn a_denial_names_the_nearest_rule_and_what_failed() {
    let rules = [ingress("sgr-01", "tcp/443", "0.0.0.0/0"), ingress("sgr-02", "tcp/22", "10.0.0.0/8")];
    let explanation = aws(rules, &Flow::tcp(ip("11.0.0.1"), 22).at(ip("10.0.0.5")).unwrap());
    assert_eq!(
        explanation.to_string(),
        "DENY: ingress tcp/22 from 11.0.0.1 to 10.0.0.5\n  \
         no rule allows it, and the default is to deny\n  \
         nearest: `sgr-02` in sg-1 allows tcp/22 from 10.0.0.0/8; the packet comes from 11.0.0.1 [groups.json: rules.sgr-02]\n  \
         nearest: `sgr-01` in sg-1 allows tcp/443 from 0.0.0.0/0; the packet goes to port 22 [groups.json: rules.sgr-01]"
    );
}

#[test]
fn near_misses_stand_by_fields_then_by_distance() {
    let rules = [
        ingress("sgr-far", "udp/53", "192.0.2.0/24"),
        ingress("sgr-family", "tcp/22", "::/0"),
        ingress("sgr-port-far", "tcp/40000", "0.0.0.0/0"),
        ingress("sgr-port-near", "tcp/23", "0.0.0.0/0"),
        ingress("sgr-protocol", "udp/22", "0.0.0.0/0"),
    ];
    let explanation = aws(rules, &Flow::tcp(ip("198.51.100.7"), 22));
    let ids: Vec<String> = explanation.near_misses.iter().map(|miss| miss.clause.provenance.to_string()).collect();
    assert_eq!(ids, ["sgr-port-near", "sgr-port-far", "sgr-protocol"]);
    assert_eq!(explanation.near_misses_omitted, 2);
}

#[test]
fn two_failed_fields_are_both_named() {
    let explanation =
        aws([ingress("sgr-1", "tcp/80-90", "10.0.0.0/8")], &Flow::tcp(ip("192.0.2.1"), 91).at(ip("10.0.0.5")).unwrap());
    let [miss] = explanation.near_misses.as_slice() else { unreachable!("one rule, one miss") };
    let fields: Vec<_> = miss.failed.iter().map(|f| (f.field, f.found.as_str(), f.expected.as_str())).collect();
    assert_eq!(
        fields,
        [
            (Field::DestinationPort, "goes to port 91", "tcp/80-90"),
            (Field::Remote, "comes from 192.0.2.1", "10.0.0.0/8")
        ]
    );
    assert_eq!(
        miss.to_string(),
        "`sgr-1` in sg-1 allows tcp/80-90 from 10.0.0.0/8; the packet goes to port 91 and comes from 192.0.2.1 \
         [groups.json: rules.sgr-1]"
    );
}

#[test]
fn icmp_misses_tell_type_from_code() {
    let flow = Flow::icmp(ip("192.0.2.1"), IcmpMessage::new(3, 1));
    let explanation = aws([ingress("sgr-1", "icmp/3/4", "0.0.0.0/0"), ingress("sgr-2", "icmp/8", "0.0.0.0/0")], &flow);
    let fields: Vec<Field> = explanation.near_misses.iter().map(|miss| miss.failed[0].field).collect();
    assert_eq!(fields, [Field::IcmpCode, Field::IcmpType]);
    assert_eq!(explanation.near_misses[1].failed[0].expected, "icmp/8/any code");
}

#[test]
fn a_group_peer_is_answered_with_its_members() {
    let group = SecurityGroup::aws("sg-1")
        .with_rule(rule("sgr-1", Rule::allow(Direction::Ingress, traffic("tcp/22"), Peer::group("sg-2"))));
    let inventory = Inventory::builder()
        .group(group)
        .group(SecurityGroup::aws("sg-2"))
        .interface(Interface::new("eni-1").with_groups(["sg-1"]))
        .interface(Interface::new("eni-2").with_groups(["sg-2"]).with_address(ip("10.0.0.9")))
        .build()
        .unwrap();
    let policy = AwsEngine::new().lower(&Scope::of(&inventory, "eni-1", Direction::Ingress).unwrap()).unwrap();
    assert_eq!(
        policy.explain(&Flow::tcp(ip("203.0.113.9"), 22)).near_misses[0].to_string(),
        "`sgr-1` in sg-1 allows tcp/22 from sg-2; the packet comes from 203.0.113.9 (would match: 10.0.0.9) \
         [groups.json: rules.sgr-1]"
    );
}

fn tie() -> SecurityGroup {
    let from = || cidr("0.0.0.0/0");
    let with = |id: &str, r: Rule, priority| rule(id, r.with_priority(Priority(priority)));
    SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop).with_rules([
        with("sgr-accept-5", Rule::allow(Direction::Ingress, traffic("tcp/80"), from()), 5),
        with("sgr-drop-5", Rule::deny(Direction::Ingress, traffic("tcp/80"), from()), 5),
        with("sgr-drop-9", Rule::deny(Direction::Ingress, traffic("all"), from()), 9),
        with("sgr-accept-1", Rule::allow(Direction::Ingress, traffic("tcp/80"), cidr("10.0.0.0/8")), 1),
        with("sgr-accept-7", Rule::allow(Direction::Ingress, traffic("tcp/81"), from()), 7),
    ])
}

/// ALI-8: what lost, and whether by rank or by the tie.
#[test]
fn beaten_rules_say_why_they_lost() {
    let flow = Flow::tcp(ip("192.0.2.1"), 80).at(ip("10.0.0.5")).unwrap();
    let explanation = explain(&AlibabaEngine::new(), tie(), Direction::Ingress, &flow);
    let others: Vec<_> =
        explanation.others.iter().map(|other| (other.clause.provenance.to_string(), other.reason)).collect();
    assert_eq!(others, [("sgr-accept-5".to_owned(), WhyNot::LosesTie), ("sgr-drop-9".to_owned(), WhyNot::Outranked)]);
    // Only a rule ahead of the drop could have changed the verdict: not the one at 7.
    let near: Vec<String> = explanation.near_misses.iter().map(|miss| miss.clause.provenance.to_string()).collect();
    assert_eq!(near, ["sgr-accept-1"]);
    assert_eq!(
        explanation.to_string(),
        "DENY: ingress tcp/80 from 192.0.2.1 to 10.0.0.5\n  \
         because: `sgr-drop-5` in sg-1 denies tcp/80 from 0.0.0.0/0 (priority 5) [groups.json: rules.sgr-drop-5]\n  \
         beaten: `sgr-accept-5` in sg-1 allows tcp/80 from 0.0.0.0/0 (priority 5) [groups.json: rules.sgr-accept-5]: \
         matches too, but loses the tie: at equal standing deny comes before allow\n  \
         beaten: `sgr-drop-9` in sg-1 denies all from 0.0.0.0/0 (priority 9) [groups.json: rules.sgr-drop-9]: \
         matches too, but a better-ranked clause decides\n  \
         nearest: `sgr-accept-1` in sg-1 allows tcp/80 from 10.0.0.0/8; the packet comes from 192.0.2.1 \
         [groups.json: rules.sgr-accept-1]"
    );
}

#[test]
fn a_default_allow_names_the_drop_that_came_nearest() {
    let group = SecurityGroup::basic("sg-1", IntraGroupPolicy::Drop)
        .with_rule(rule("sgr-1", Rule::deny(Direction::Egress, traffic("tcp/25"), cidr("0.0.0.0/0"))));
    let explanation = explain(&AlibabaEngine::new(), group, Direction::Egress, &Flow::tcp(ip("192.0.2.1"), 26));
    assert_eq!((explanation.verdict, explanation.basis), (Verdict::Allow, Basis::Default));
    assert_eq!(explanation.summary(), "no rule denies it, and the default is to allow");
    assert_eq!(explanation.near_misses.len(), 1);
    assert!(explanation.rules().is_empty());
}

#[test]
fn an_indeterminate_verdict_says_what_is_missing_and_who_may_decide() {
    let unknown = rule("sgr-1", Rule::allow(Direction::Ingress, traffic("tcp/22"), Peer::PrefixList("pl-1".into())));
    let explanation = aws([unknown], &Flow::tcp(ip("192.0.2.1"), 22));
    assert_eq!(explanation.verdict, Verdict::Indeterminate);
    assert_eq!(explanation.missing, [Missing::PrefixListEntries { list: "pl-1".into() }]);
    assert_eq!(explanation.rules(), ["sgr-1".into()]);
    assert_eq!(explanation.reason(), "the data cannot tell: not all entries of the prefix list `pl-1` were loaded");
}

/// What may match and changes nothing is said, and does not make the verdict indeterminate.
#[test]
fn what_is_missing_and_does_not_matter_is_no_doubt() {
    let unknown = rule("sgr-1", Rule::allow(Direction::Ingress, traffic("tcp/22"), Peer::PrefixList("pl-1".into())));
    let explanation = aws([unknown, ingress("sgr-2", "all", "0.0.0.0/0")], &Flow::tcp(ip("192.0.2.1"), 22));
    assert_eq!((explanation.verdict, explanation.rules()), (Verdict::Allow, vec!["sgr-2".into()]));
    assert_eq!(explanation.others[0].reason, WhyNot::SameVerdict);
    assert!(explanation.missing.is_empty());
}

/// AWS-44: a stale reference matches nothing and is no error.
#[test]
fn a_stale_reference_would_match_nothing() {
    let mut reference = GroupReference::new("sg-gone");
    reference.peering = Some(PeeringStatus::Gone);
    let stale = rule("sgr-1", Rule::allow(Direction::Ingress, traffic("tcp/22"), Peer::Group(reference)));
    let explanation = aws([stale], &Flow::tcp(ip("192.0.2.1"), 22));
    assert_eq!((explanation.verdict, explanation.basis), (Verdict::Deny, Basis::Default));
    assert_eq!(explanation.near_misses[0].failed[0].expected, "no address");
}

/// AMB-1: both readings decide, and each says what the other would.
#[test]
fn a_disputed_verdict_says_so_under_both_readings() {
    let group = SecurityGroup::basic("sg-1", IntraGroupPolicy::Accept)
        .with_rule(rule("sgr-1", Rule::deny(Direction::Egress, traffic("all"), cidr("0.0.0.0/0"))));
    let member = Flow::tcp(ip("10.0.0.5"), 80);
    let by = |reading, flow: &Flow| {
        let engine = AlibabaEngine::new().with_intra_group_egress(reading);
        explain(&engine, group.clone(), Direction::Egress, flow)
    };
    let table = by(IntraGroupEgress::Table, &member);
    assert_eq!(table.verdict, Verdict::Deny);
    assert_eq!(
        table.notes[0].text,
        "documents disagree on whether an egress drop stops traffic between members of an interconnected group; \
         under the other reading the verdict is allow"
    );
    let always = by(IntraGroupEgress::AlwaysAllow, &member);
    assert_eq!((always.verdict, always.basis), (Verdict::Allow, Basis::Implied));
    assert!(always.notes[0].text.ends_with("under the other reading the verdict is deny"));
    // Nothing is disputed about others.
    assert!(by(IntraGroupEgress::Table, &Flow::tcp(ip("10.0.0.6"), 80)).notes.is_empty());
}

/// AWS-50 and ALI-65: no verdict, but worth knowing.
#[test]
fn outbound_mail_is_remarked_upon() {
    let group = || {
        SecurityGroup::aws("sg-1")
            .with_rule(rule("sgr-1", Rule::allow(Direction::Egress, traffic("all"), cidr("0.0.0.0/0"))))
    };
    let to_port = |port| explain(&AwsEngine::new(), group(), Direction::Egress, &Flow::tcp(ip("192.0.2.1"), port));
    assert_eq!(to_port(25).verdict, Verdict::Allow);
    assert_eq!(to_port(25).notes[0].fact, "AWS-50");
    assert!(to_port(26).notes.is_empty());
}

#[test]
fn an_explanation_serialises_with_places_and_reasons() {
    let rules = [ingress("sgr-1", "tcp/22", "10.0.0.0/8"), ingress("sgr-2", "tcp/80", "0.0.0.0/0")];
    let explanation = aws(rules, &Flow::tcp(ip("10.1.1.1"), 22).at(ip("10.0.0.5")).unwrap());
    assert_eq!(
        serde_json::to_value(&explanation).unwrap(),
        serde_json::json!({
            "label": "security groups of eni-1",
            "direction": "ingress",
            "flow": {"protocol": "tcp", "remote": "10.1.1.1", "local": "10.0.0.5", "destination_port": 22},
            "verdict": "allow",
            "clause": 0,
            "basis": "rule",
            "deciding": [{
                "clause": 0,
                "action": "allow",
                "certain": true,
                "provenance": {
                    "kind": "rule", "group": "sg-1", "rule": "sgr-1", "direction": "ingress", "index": 0,
                    "text": "tcp/22 from 10.0.0.0/8",
                    "place": {"source": "groups.json", "path": "rules.sgr-1"},
                },
            }],
            "others": [], "near_misses": [], "near_misses_omitted": 0, "missing": [], "notes": [],
            "passes": "never", "stages": [],
        })
    );
}

/// AWS-30: both ends decide, each by its own groups and with the addresses of one family.
#[test]
fn a_path_says_at_which_end_it_fails() {
    let both = |id: &str, group: &str, v4: &str, v6: &str| {
        Interface::new(id).with_groups([group]).with_address(ip(v4)).with_address(ip(v6))
    };
    let inventory = Inventory::builder()
        .group(SecurityGroup::aws("sg-a").with_rules([
            rule("sgr-out4", Rule::allow(Direction::Egress, traffic("all"), cidr("0.0.0.0/0"))),
            rule("sgr-out6", Rule::allow(Direction::Egress, traffic("all"), cidr("::/0"))),
        ]))
        .group(SecurityGroup::aws("sg-b").with_rules([
            ingress("sgr-in4", "tcp/80", "10.0.0.0/8"),
            ingress("sgr-in6", "icmpv6/128", "2001:db8::/32"),
        ]))
        .interface(both("eni-a", "sg-a", "10.0.0.1", "2001:db8::1"))
        .interface(both("eni-b", "sg-b", "10.0.0.2", "2001:db8::2"))
        .interface(Interface::new("eni-6").with_groups(["sg-a"]).with_address(ip("2001:db8::6")))
        .build()
        .unwrap();
    let engine = AwsEngine::new();
    let ask = |from, to, probe: Probe| path(&engine, &inventory, from, to, &probe);
    assert_eq!(ask("eni-a", "eni-b", Probe::tcp(80)).unwrap().verdict, Verdict::Allow);
    let denied = ask("eni-a", "eni-b", Probe::tcp(81)).unwrap();
    assert_eq!(denied.verdict, Verdict::Deny);
    assert!(
        denied
            .to_string()
            .starts_with("DENY: because of eni-b\neni-a:\nALLOW: egress tcp/81 to 10.0.0.2 from 10.0.0.1")
    );
    // The reverse fails at its own end.
    assert!(ask("eni-b", "eni-a", Probe::tcp(80)).unwrap().to_string().starts_with("DENY: because of eni-b and eni-a"));
    // ICMPv6 takes the IPv6 addresses; so does an interface that has no others.
    let ping = ask("eni-a", "eni-b", Probe::icmpv6(IcmpMessage::ECHO_REQUEST_V6)).unwrap();
    assert_eq!((ping.verdict, ping.ends[1].explanation.flow.remote()), (Verdict::Allow, ip("2001:db8::1")));
    let v6 = ask("eni-6", "eni-b", Probe::tcp(80)).unwrap();
    assert_eq!((v6.verdict, v6.ends[0].explanation.flow.remote()), (Verdict::Deny, ip("2001:db8::2")));
    let none = ask("eni-6", "eni-b", Probe::icmp(IcmpMessage::ECHO_REQUEST)).unwrap_err();
    assert_eq!(none.to_string(), "`eni-6` and `eni-b` have no addresses of one family for this traffic (IPv4)");
    assert_eq!(ask("eni-x", "eni-b", Probe::tcp(80)).unwrap_err().to_string(), "there is no interface `eni-x`");
    // Named addresses are taken as they are.
    let between = Probe::tcp(80).between(ip("2001:db8::1"), ip("2001:db8::2"));
    assert_eq!(ask("eni-a", "eni-b", between).unwrap().verdict, Verdict::Deny);
    let own = ask("eni-a", "eni-a", Probe::tcp(80)).unwrap();
    assert!(own.verdict == Verdict::Allow && own.is_unfiltered() && own.ends.is_empty());
}

/// AWS-27, AWS-28: what AWS cannot hold is refused by name.
#[test]
fn a_deny_in_an_aws_group_is_refused() {
    let group = SecurityGroup::aws("sg-1")
        .with_rule(rule("sgr-1", Rule::deny(Direction::Ingress, traffic("all"), cidr("0.0.0.0/0"))));
    let inventory =
        Inventory::builder().group(group).interface(Interface::new("eni-1").with_groups(["sg-1"])).build().unwrap();
    let error = AwsEngine::new().lower(&Scope::of(&inventory, "eni-1", Direction::Ingress).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the aws engine cannot hold the rule `sgr-1` of the group `sg-1`: AWS security groups only have rules that \
         allow (AWS-28)"
    );
}

/// Names of rules that have no id.
#[test]
fn rules_without_ids_are_named() {
    let names = |engine: &dyn PolicyEngine, group: SecurityGroup| -> Vec<String> {
        let interface = Interface::new("eni-1").with_groups(["sg-1"]);
        let inventory = Inventory::builder().group(group).interface(interface).build().unwrap();
        let policy = engine.lower(&Scope::of(&inventory, "eni-1", Direction::Ingress).unwrap()).unwrap();
        let rule = |clause: &secgroup::policy::Clause| Some(clause.provenance.rule()?.rule.to_string());
        policy.lists()[0].clauses().iter().filter_map(rule).collect()
    };
    let allow = |what: &str, peer: Peer| Rule::allow(Direction::Ingress, traffic(what), peer);
    let block = |text: &str| Peer::Cidr(cidr(text));
    let aws = SecurityGroup::aws("sg-1").with_rules([
        allow("tcp/443", block("0.0.0.0/0")),
        allow("all", Peer::group("sg-2")),
        allow("icmp/8", block("10.0.0.0/8")),
        allow("icmp", block("10.0.0.0/8")),
        allow("icmpv6", block("::/0")),
        allow("50", Peer::PrefixList("pl-1".into())),
        allow("udp/53-54", block("2001:db8::/32")),
        allow("tcp", block("0.0.0.0/0")),
    ]);
    assert_eq!(
        names(&AwsEngine::new(), aws),
        [
            "sg-1/ingress/tcp/443:443/0.0.0.0/0",
            "sg-1/ingress/all/*:*/sg-2",
            "sg-1/ingress/icmp/8:-1/10.0.0.0/8",
            "sg-1/ingress/icmp/-1:-1/10.0.0.0/8",
            "sg-1/ingress/icmpv6/*:*/::/0",
            "sg-1/ingress/50/*:*/pl-1",
            "sg-1/ingress/udp/53:54/2001:db8::/32",
            "sg-1/ingress/tcp/*:*/0.0.0.0/0",
        ]
    );
    let alibaba = SecurityGroup::enterprise("sg-1").with_rules([
        allow("tcp/443", block("0.0.0.0/0")),
        Rule::allow(Direction::Egress, traffic("all"), cidr("0.0.0.0/0")),
        allow("udp/53", block("0.0.0.0/0")),
    ]);
    assert_eq!(names(&AlibabaEngine::new(), alibaba), ["sg-1/ingress#0", "sg-1/ingress#1"]);
}

/// Any number of things can decide; the text names some and counts the rest, programs get all.
#[test]
fn texts_are_bounded() {
    let unknown = |i: usize| {
        let peer = Peer::PrefixList(format!("pl-{i:02}").into());
        rule(&format!("sgr-{i:02}"), Rule::allow(Direction::Ingress, traffic("tcp/22"), peer))
    };
    let explanation = aws((0..15).map(unknown), &Flow::tcp(ip("192.0.2.1"), 22));
    assert_eq!((explanation.deciding.len(), explanation.missing.len(), explanation.rules().len()), (15, 15, 15));
    let text = explanation.to_string();
    assert_eq!(text.matches("may decide: ").count(), 10);
    assert_eq!(text.matches("(and 5 more of these)").count(), 2);
    assert!(explanation.reason().ends_with("`pl-09` were loaded; and 5 more"), "{}", explanation.reason());
}

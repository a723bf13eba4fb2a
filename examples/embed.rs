//! A first program: groups, rules and instances built in Rust, and questions about them. It reads no
//! files and needs nothing but the crate:
//!
//! ```text
//! cargo run --example embed --no-default-features
//! ```

use std::error::Error;

use secgroup::Direction::{Egress, Ingress};
use secgroup::engine::Probe;
use secgroup::model::{Instance, IntraGroupPolicy, Peer, Rule, SecurityGroup, Traffic};
use secgroup::net::{Cidr, IcmpMessage, PortRange};
use secgroup::{AlibabaEngine, AwsEngine, Flow, Inventory, PolicyEngine, Scope, path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("==== AWS: rules only allow, and any match allows ====");
    ask(&AwsEngine::new(), &aws()?)?;

    println!("\n==== Alibaba Cloud: the smallest priority decides, and deny wins a tie ====");
    ask(&AlibabaEngine::new(), &alibaba()?)?;
    Ok(())
}

/// The questions do not depend on the cloud: whoever asks needs a `&dyn PolicyEngine` only.
fn ask(engine: &dyn PolicyEngine, inventory: &Inventory) -> Result<(), Box<dyn Error>> {
    // Lower once for an interface and a direction, then decide as many flows as you like.
    let web = engine.lower(&Scope::of(inventory, "eni-web", Ingress)?)?;
    let browser = Flow::tcp("198.51.100.7".parse()?, 443);
    println!("\nA browser: {}", web.decide(&browser).verdict);

    // The same evaluation, with its reasons.
    let stranger = Flow::tcp("11.0.0.1".parse()?, 22).at("10.0.1.10".parse()?)?;
    println!("\nSSH from a stranger:\n{}", web.explain(&stranger));

    let ping = Flow::icmp("2001:db8::7".parse()?, IcmpMessage::ECHO_REQUEST_V6);
    println!("\nA ping over IPv6:\n{}", web.explain(&ping));

    // From one instance to another both ends have a say. A group as source means its members.
    println!("\nFrom web to db:\n{}", path(engine, inventory, "eni-web", "eni-db", &Probe::tcp(5432))?);

    // The group `sg-partner` was not given, so nobody knows who its members are. The answer says so
    // instead of guessing.
    let db = engine.lower(&Scope::of(inventory, "eni-db", Ingress)?)?;
    let partner = Flow::tcp("172.31.0.9".parse()?, 5432);
    println!("\nFrom what may be a member of sg-partner:\n{}", db.explain(&partner));
    Ok(())
}

/// A web server that the world may reach, and a database that only the web server may reach.
fn aws() -> Result<Inventory, Box<dyn Error>> {
    let office: Cidr = "10.0.0.0/8".parse()?;
    let web = SecurityGroup::aws("sg-web").with_rules([
        Rule::allow(Ingress, Traffic::tcp(443), Peer::Any).with_id("sgr-https"),
        Rule::allow(Ingress, Traffic::tcp(22), office).with_id("sgr-ssh"),
        Rule::allow(Egress, Traffic::All, Peer::Any).with_id("sgr-out"),
    ]);
    let database = Traffic::tcp(PortRange::new(5432, 5433)?);
    let db = SecurityGroup::aws("sg-db").with_rules([
        Rule::allow(Ingress, database.clone(), Peer::group("sg-web")).with_id("sgr-from-web"),
        Rule::allow(Ingress, database, Peer::group("sg-partner")).with_id("sgr-from-partner"),
    ]);
    with_instances(web, db)
}

/// The same on Alibaba Cloud, where rules have a priority and can deny.
fn alibaba() -> Result<Inventory, Box<dyn Error>> {
    let office: Cidr = "10.0.0.0/8".parse()?;
    let web = SecurityGroup::basic("sg-web", IntraGroupPolicy::Accept).with_rules([
        Rule::allow(Ingress, Traffic::tcp(443), Peer::Any).with_priority(10).with_id("sgr-https"),
        Rule::allow(Ingress, Traffic::tcp(22), office).with_priority(1).with_id("sgr-office"),
        // One priority, two actions: deny wins.
        Rule::allow(Ingress, Traffic::tcp(22), Peer::Any).with_priority(5).with_id("sgr-ssh"),
        Rule::deny(Ingress, Traffic::tcp(22), Peer::Any).with_priority(5).with_id("sgr-no-ssh"),
    ]);
    let database = Traffic::tcp(PortRange::new(5432, 5433)?);
    let db = SecurityGroup::basic("sg-db", IntraGroupPolicy::Drop).with_rules([
        Rule::allow(Ingress, database.clone(), Peer::group("sg-web")).with_priority(1).with_id("sgr-from-web"),
        Rule::allow(Ingress, database, Peer::group("sg-partner")).with_priority(1).with_id("sgr-from-partner"),
    ]);
    with_instances(web, db)
}

/// One instance with a web interface, one with a database interface.
fn with_instances(web: SecurityGroup, db: SecurityGroup) -> Result<Inventory, Box<dyn Error>> {
    let (front, back) = (Instance::new("i-web"), Instance::new("i-db"));
    let web_interface = front
        .primary_interface("eni-web")
        .with_groups(["sg-web"])
        .with_address("10.0.1.10".parse()?)
        .with_address("2001:db8:1::10".parse()?);
    let db_interface = back.primary_interface("eni-db").with_groups(["sg-db"]).with_address("10.0.2.20".parse()?);
    Ok(Inventory::builder()
        .group(web)
        .group(db)
        .instance(front)
        .instance(back)
        .interface(web_interface)
        .interface(db_interface)
        .build()?)
}

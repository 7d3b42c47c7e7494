//! Each kind of caller against each endpoint, complete according to the server's own list.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tokio::net::UdpSocket;
use trunk_server::control::customers::TokenKind;
use trunk_server::voipbin::ENDPOINTS;
use uuid::Uuid;

use super::caller::Caller;
use super::refusal::*;
use super::stage::*;

/// Groups of endpoints by the permission that the platform's documents require.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// The customer's own config: an admin of the customer.
    Own,
    /// The platform's records: a super admin.
    Platform,
    /// A customer's calls, flows and numbers: an admin or a manager of the customer.
    Calls,
}

use Family::{Calls, Own, Platform};

/// Every endpoint in the documents.
const DOCUMENTED: &[(&str, &str, Family)] = &[
    ("GET", "/outbound_config", Own),
    ("PUT", "/outbound_config", Own),
    ("GET", "/outbound_configs", Platform),
    ("POST", "/outbound_configs", Platform),
    ("GET", "/outbound_configs/{id}", Platform),
    ("PUT", "/outbound_configs/{id}", Platform),
    ("DELETE", "/outbound_configs/{id}", Platform),
    ("GET", "/providers", Platform),
    ("POST", "/providers", Platform),
    ("GET", "/providers/{id}", Platform),
    ("PUT", "/providers/{id}", Platform),
    ("DELETE", "/providers/{id}", Platform),
    ("PUT", "/providers/{id}/credentials", Platform),
    ("DELETE", "/providers/{id}/credentials", Platform),
    ("POST", "/providers/setup", Platform),
    ("GET", "/routes", Platform),
    ("POST", "/routes", Platform),
    ("GET", "/routes/{id}", Platform),
    ("PUT", "/routes/{id}", Platform),
    ("DELETE", "/routes/{id}", Platform),
    ("GET", "/providercalls", Platform),
    ("POST", "/providercalls", Platform),
    ("GET", "/providercalls/{id}", Platform),
    ("DELETE", "/providercalls/{id}", Platform),
    ("GET", "/calls", Calls),
    ("POST", "/calls", Calls),
    ("GET", "/calls/{id}", Calls),
    ("DELETE", "/calls/{id}", Calls),
    ("POST", "/calls/{id}/hangup", Calls),
    ("GET", "/timelines/{resource_type}/{resource_id}/events", Calls),
    ("GET", "/timelines/calls/{call_id}/sip-analysis", Calls),
    ("GET", "/timelines/calls/{call_id}/pcap", Calls),
    ("GET", "/aggregated-events", Calls),
    ("GET", "/flows", Calls),
    ("POST", "/flows", Calls),
    ("GET", "/flows/{id}", Calls),
    ("PUT", "/flows/{id}", Calls),
    ("DELETE", "/flows/{id}", Calls),
    ("POST", "/flows/{id}/direct-hash-regenerate", Calls),
    ("GET", "/numbers", Calls),
    ("GET", "/numbers/{id}", Calls),
    ("PUT", "/numbers/{id}", Calls),
    ("PUT", "/numbers/{id}/flow_ids", Calls),
    ("PUT", "/numbers/{id}/metadata", Calls),
    ("GET", "/customer", Calls),
    ("PUT", "/customer", Own),
    ("PUT", "/customer/metadata", Own),
    ("GET", "/accesskeys", Own),
    ("POST", "/accesskeys", Own),
    ("GET", "/accesskeys/{id}", Own),
    ("PUT", "/accesskeys/{id}", Own),
    ("DELETE", "/accesskeys/{id}", Own),
];

#[test]
fn the_documented_endpoints_are_those_that_are_served() {
    let documented: BTreeSet<(&str, &str)> =
        DOCUMENTED.iter().map(|(method, path, _)| (*method, *path)).collect();
    let served: BTreeSet<(&str, &str)> =
        ENDPOINTS.iter().map(|endpoint| (endpoint.method, endpoint.path)).collect();
    assert_eq!(served, documented);
    assert_eq!((served.len(), documented.len()), (ENDPOINTS.len(), DOCUMENTED.len()), "each once");
}

/// The path of a record with this id.
fn named(path: &str, id: &str) -> String {
    let path = path.replace("{resource_type}", "calls");
    ["{id}", "{resource_id}", "{call_id}"].iter().fold(path, |path, name| path.replace(name, id))
}

/// A customer, its callers, and all that a request needs to be valid except for the permission.
struct Fixture {
    stage: Stage,
    customer: Uuid,
    /// A carrier that receives calls and never responds.
    silent: UdpSocket,
    provider: String,
    /// The caller who places the calls that other callers request.
    owner: Caller,
}

impl Fixture {
    async fn meet() -> Self {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = silent.local_addr().unwrap();
        let stage = Stage::hosting(&[("silent.example.com", at)]).await;
        stage.allow().await;
        let provider = stage.provider("silent.example.com").await;
        let customer = stage.customer("c").await;
        let owner = stage.agent(customer, ADMIN).await;
        allow(&owner).await;
        Self { stage, customer, silent, provider, owner }
    }

    fn calling(&self) -> Value {
        json!({
            "source": tel(US), "destinations": [sip("bob", self.silent.local_addr().unwrap())],
            "actions": [{ "type": "answer" }],
        })
    }

    /// Creates a record for an endpoint. Returns the path with its id.
    async fn path(&self, path: &str) -> String {
        let id = match path.split('/').nth(1).unwrap() {
            "aggregated-events" => {
                let id = first_call(&self.owner.post("/calls", &self.calling()).await.ok());
                return format!("{path}?call_id={id}");
            }
            _ if !path.contains('{') => String::new(),
            "outbound_configs" => {
                let customer = self.stage.customer("another").await;
                let list = self.stage.sa.get(&format!("/outbound_configs?customer_id={customer}")).await;
                list.column("id").remove(0)
            }
            "providers" => self.stage.provider("silent.example.com").await,
            "routes" => self.stage.route(BASIC, "+999", &self.provider, 0).await,
            "providercalls" => {
                let record = self.stage.place(&self.provider, US).await;
                record["id"].as_str().unwrap().to_owned()
            }
            "calls" | "timelines" => first_call(&self.owner.post("/calls", &self.calling()).await.ok()),
            "flows" => self.owner.post("/flows", &json!({ "name": "f" })).await.id(),
            "numbers" => {
                static NEXT: AtomicU32 = AtomicU32::new(1_000);
                let number = format!("+1202555{}", NEXT.fetch_add(1, Ordering::Relaxed));
                self.stage.number(self.customer, &number).await
            }
            "accesskeys" => self.owner.post("/accesskeys", &self.body("POST", "/accesskeys")).await.id(),
            other => panic!("make a record of {other}, so that this test can ask for it"),
        };
        named(path, &id)
    }

    /// A valid body for an endpoint.
    fn body(&self, method: &str, path: &str) -> Value {
        match (method, path) {
            ("POST", "/providercalls") => json!({
                "provider_id": self.provider, "source": tel(US_TOO), "destinations": [tel(US)],
            }),
            ("POST", "/calls") => self.calling(),
            ("POST", "/accesskeys") => json!({ "expire": 86_400 }),
            ("PUT", "/providers/{id}/credentials") => json!({ "username": "u", "password": "p" }),
            ("POST", "/providers/setup") => json!({
                "carrier": "didww", "name": "n",
                // No carrier answers there, which is only detected after the permission check.
                "credentials": { "api_key": "k", "base_url": "http://127.0.0.1:1/v3" },
            }),
            _ => json!({}),
        }
    }

    async fn ask(&self, caller: &Caller, method: &str, path: &str) -> super::caller::Answer {
        let target = self.path(path).await;
        let body = if method == "POST" || method == "PUT" {
            self.body(method, path).to_string()
        } else {
            String::new()
        };
        if (method, path) == ("POST", "/outbound_configs") {
            let body = json!({ "customer_id": self.customer_without_a_config().await });
            return caller.send(method, &target, &body.to_string()).await;
        }
        caller.send(method, &target, &body).await
    }

    /// Deletes the config that every customer begins with, so that another can be created.
    async fn customer_without_a_config(&self) -> Uuid {
        let customer = self.stage.customer("without").await;
        let list = self.stage.sa.get(&format!("/outbound_configs?customer_id={customer}")).await;
        self.stage.sa.delete(&format!("/outbound_configs/{}", list.column("id").remove(0))).await.ok();
        customer
    }

    /// Everything that the super admin can read, and the customer's own records.
    async fn dump(&self) -> String {
        let mut text = String::new();
        for path in ["/outbound_configs", "/providers", "/routes", "/providercalls", "/calls"] {
            text.push_str(&self.stage.sa.get(path).await.text);
        }
        for path in ["/calls", "/flows", "/numbers", "/customer", "/accesskeys"] {
            text.push_str(&self.owner.get(path).await.text);
        }
        text
    }
}

#[tokio::test]
async fn each_permission_against_each_endpoint() {
    let cast = Fixture::meet().await;
    let (stage, customer) = (&cast.stage, cast.customer);
    // The caller, its permission bits, and the groups that it may use.
    let callers = [
        ("nothing", stage.agent(customer, 0).await, &[][..]),
        ("agent", stage.agent(customer, AGENT).await, &[]),
        ("manager", stage.agent(customer, MANAGER).await, &[Calls]),
        ("admin", stage.agent(customer, ADMIN).await, &[Own, Calls]),
        ("all of a customer", stage.agent(customer, 0x00F0).await, &[Own, Calls]),
        ("the project's other bits", stage.agent(customer, 0x000E).await, &[]),
        ("super admin", stage.agent(customer, SUPER_ADMIN).await, &[Own, Platform, Calls]),
        ("super admin of another customer", stage.sa.clone(), &[Own, Platform, Calls]),
        ("access key", stage.key(customer, None).await, &[Own, Calls]),
        ("access key with a mask", stage.key(customer, Some(SUPER_ADMIN)).await, &[Own, Platform, Calls]),
        ("delegate", stage.holder(customer, TokenKind::Delegate), &[Own, Calls]),
    ];
    for (who, caller, families) in &callers {
        for (method, path, family) in DOCUMENTED {
            let answer = cast.ask(caller, method, path).await;
            // A key would outlive the token of a delegate.
            let outlives = *who == "delegate" && (*method, *path) == ("POST", "/accesskeys");
            if !families.contains(family) || outlives {
                assert_eq!(answer.status, 403, "{who}: {method} {path}: {}", answer.text);
                answer.refused(&permission_denied());
                continue;
            }
            match (*method, *path) {
                // The access keys of another customer do not exist for a super admin.
                (_, "/accesskeys/{id}") if *who == "super admin of another customer" => {
                    answer.refused(&not_found());
                }
                // No carrier answers at its address.
                ("POST", "/providers/setup") => {
                    assert!(![200, 401, 403].contains(&answer.status), "{who}: {}", answer.text);
                }
                _ => assert_eq!(answer.status, 200, "{who}: {method} {path}: {}", answer.text),
            }
        }
    }
}

#[tokio::test]
async fn every_endpoint_requires_authentication() {
    let cast = Fixture::meet().await;
    let bad = cast.stage.anonymous().token("garbage");
    for (method, path, _) in DOCUMENTED {
        cast.ask(&cast.stage.anonymous(), method, path).await.refused(&authentication_required());
        cast.ask(&bad, method, path).await.refused(&invalid_credentials());
        // Regardless of other errors in the request.
        let path = named(path, "xyz") + "?page_size=x";
        cast.stage.anonymous().send(method, &path, "x").await.refused(&authentication_required());
    }
}

#[tokio::test]
async fn case_62_a_direct_token_opens_nothing() {
    let cast = Fixture::meet().await;
    for customer in [cast.customer, cast.stage.admin] {
        let direct = cast.stage.holder(customer, TokenKind::Direct);
        for (method, path, _) in DOCUMENTED {
            let answer = cast.ask(&direct, method, path).await;
            assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
            answer.refused(&direct_access());
        }
    }
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let cast = Fixture::meet().await;
    let agent = cast.stage.agent(cast.customer, AGENT).await;
    let direct = cast.stage.holder(cast.customer, TokenKind::Direct);
    for (method, path, _) in DOCUMENTED.iter().filter(|(method, ..)| *method != "GET") {
        let target = cast.path(path).await;
        let body = cast.body(method, path).to_string();
        // The carrier is silent, so its calls do not change by themselves.
        let before = cast.dump().await;
        for caller in [&agent, &direct, &cast.stage.anonymous()] {
            let body = if *method == "DELETE" { "" } else { body.as_str() };
            let answer = caller.send(method, &target, body).await;
            assert!([401, 403].contains(&answer.status), "{method} {target}: {}", answer.text);
        }
        assert_eq!(cast.dump().await, before, "{method} {path}");
    }
}

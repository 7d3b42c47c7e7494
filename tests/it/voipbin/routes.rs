//! Routes, and the order in which providers are tried for a call.

use serde_json::{Value, json};

use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;

#[tokio::test]
async fn case_32_a_route_of_everybody_is_kept_and_an_unknown_one_is_not_found() {
    let stage = Stage::start().await;
    let provider = stage.provider("h").await;
    let body = json!({
        "customer_id": BASIC, "name": "n", "detail": "d", "provider_id": provider, "priority": 3, "target": "+1",
    });
    let answer = stage.sa.post("/routes", &body).await;
    let (id, at) = (answer.id(), answer.at("/tm_create"));
    let at = instant(&at);
    assert_eq!(
        answer.text,
        format!(
            r#"{{"id":"{id}","customer_id":"{BASIC}","name":"n","detail":"d","provider_id":"{provider}","priority":3,"target":"+1","tm_create":"{at}","tm_update":null,"tm_delete":null}}"#
        )
    );
    assert_eq!(stage.sa.get(&format!("/routes/{id}")).await.text, answer.text);
    let unknown = format!("/routes/{UNKNOWN}");
    stage.sa.get(&unknown).await.refused(&no_route());
    stage.sa.put(&unknown, &json!({})).await.refused(&no_route());
    stage.sa.delete(&unknown).await.refused(&no_route());
    for id in ["xyz", ZERO] {
        let path = format!("/routes/{id}");
        stage.sa.get(&path).await.refused(&invalid_id());
        stage.sa.put(&path, &json!({})).await.refused(&invalid_id());
        stage.sa.delete(&path).await.refused(&invalid_id());
    }
}

#[tokio::test]
async fn nothing_of_a_route_is_checked_but_its_kinds() {
    let stage = Stage::start().await;
    let made = stage.sa.post("/routes", &json!({})).await.ok();
    assert_eq!((&made["customer_id"], &made["provider_id"]), (&json!(ZERO), &json!(ZERO)));
    assert_eq!((&made["priority"], &made["target"], &made["name"]), (&json!(0), &json!(""), &json!("")));
    let odd = json!({
        "customer_id": "nobody", "provider_id": UNKNOWN, "priority": -7, "target": "everywhere",
    });
    let made = stage.sa.post("/routes", &odd).await.ok();
    assert_eq!((&made["customer_id"], &made["provider_id"]), (&json!(ZERO), &json!(UNKNOWN)));
    assert_eq!((&made["priority"], &made["target"]), (&json!(-7), &json!("everywhere")));
    for text in [r#"{"priority":"1"}"#, r#"{"priority":1.5}"#, r#"{"target":1}"#, r#"{"customer_id":1}"#] {
        stage.sa.send("POST", "/routes", text).await.refused(&invalid_body());
    }
    assert_eq!(stage.sa.get("/routes").await.rows().len(), 2);
}

#[tokio::test]
async fn a_route_is_replaced_but_stays_its_customers() {
    let stage = Stage::start().await;
    let (customer, provider) = (stage.customer("c").await.to_string(), stage.provider("h").await);
    let id = stage.route(&customer, "+1", &provider, 3).await;
    let path = format!("/routes/{id}");
    let changed = stage.sa.put(&path, &json!({ "customer_id": BASIC, "target": "all" })).await.ok();
    assert_eq!((&changed["customer_id"], &changed["target"]), (&json!(customer), &json!("all")));
    assert_eq!((&changed["priority"], &changed["provider_id"]), (&json!(0), &json!(ZERO)));
    instant(&changed["tm_update"]);
    assert_eq!(stage.sa.get(&path).await.ok(), changed);
}

#[tokio::test]
async fn routes_are_listed_by_customer_and_deleted_softly() {
    let stage = Stage::start().await;
    let customer = stage.customer("c").await.to_string();
    let theirs = stage.route(&customer, "+1", UNKNOWN, 0).await;
    let everybodys = stage.route(BASIC, "all", UNKNOWN, 0).await;
    let ids = async |query: &str| stage.sa.get(&format!("/routes{query}")).await.column("id");
    let all = [everybodys.clone(), theirs.clone()];
    assert_eq!(ids("").await, all);
    assert_eq!(ids(&format!("?customer_id={customer}")).await, std::slice::from_ref(&theirs));
    assert_eq!(ids(&format!("?customer_id={BASIC}")).await, std::slice::from_ref(&everybodys));
    assert!(ids(&format!("?customer_id={UNKNOWN}")).await.is_empty());
    for none in ["zz", ZERO, ""] {
        assert_eq!(ids(&format!("?customer_id={none}")).await, all, "{none}");
    }
    let twice = stage.sa.get(&format!("/routes?customer_id={customer}&customer_id={BASIC}")).await;
    twice.refused(&invalid_parameter("customer_id"));
    let path = format!("/routes/{theirs}");
    let deleted = stage.sa.delete(&path).await.ok();
    assert_eq!(deleted["tm_update"], deleted["tm_delete"]);
    assert_eq!(stage.sa.get(&path).await.ok(), deleted);
    assert_eq!(ids("").await, [everybodys]);
    stage.sa.put(&path, &json!({ "name": "late" })).await.ok();
    let again = stage.sa.delete(&path).await.ok();
    assert!(cursor(&again["tm_delete"]) > cursor(&deleted["tm_delete"]));
}

/// The hosts that a new customer's call to a US number reaches, in order, if all of them refuse it. A route
/// consists of whether it is the customer's own, a target, a provider's number and a priority.
async fn reached(routes: &[(bool, &str, usize, i64)]) -> Vec<String> {
    let mut carrier = Carrier::start().await;
    let names: Vec<String> = (1..=3).map(|number| format!("p{number}.example.com")).collect();
    let hosts: Vec<(&str, _)> = names.iter().map(|name| (name.as_str(), carrier.at)).collect();
    let stage = Stage::hosting(&hosts).await;
    let customer = stage.customer("c").await;
    let other = stage.customer("other").await.to_string();
    let caller = stage.agent(customer, ADMIN).await;
    allow(&caller).await;
    stage.number(customer, US_TOO).await;
    let mut providers = Vec::new();
    for name in &names {
        providers.push(stage.provider(name).await);
    }
    for (own, target, provider, priority) in routes {
        let owner = if *own { customer.to_string() } else { BASIC.to_owned() };
        stage.route(&owner, target, &providers[provider - 1], *priority).await;
    }
    // Another customer's route, one for another country, and targets that match nothing.
    stage.route(&other, "+1", &providers[2], -1).await;
    for target in ["+44", "1", "+1202", "+120", ""] {
        stage.route(&customer.to_string(), target, &providers[2], -1).await;
    }
    let body = json!({ "source": tel(US_TOO), "destinations": [tel(US)] });
    let id = first_call(&caller.post("/calls", &body).await.ok());
    let mut reached = Vec::new();
    loop {
        // The call ends after the last provider.
        let mut incoming = tokio::select! {
            incoming = carrier.call() => incoming,
            _ = call_is(&caller, &id, "hangup") => break,
        };
        let host = incoming.uri().split(['@', ';']).nth(1).unwrap().to_owned();
        reached.push(host.split('.').next().unwrap().to_owned());
        incoming.refuse(503).await;
    }
    assert_eq!(carrier.untaken(), 0);
    reached
}

#[tokio::test]
async fn case_33_a_customers_routes_go_before_everybodys_and_exact_ones_before_all() {
    let merged = [(true, "+1", 1, 0), (true, "all", 2, 0), (false, "+1", 2, 0), (false, "all", 3, 0)];
    assert_eq!(reached(&merged).await, ["p1", "p2", "p3"]);
}

#[tokio::test]
async fn in_a_group_the_lower_priority_goes_first_and_then_the_newest() {
    let ordered = [(true, "+1", 1, 2), (true, "+1", 2, 1), (true, "+1", 3, 2)];
    assert_eq!(reached(&ordered).await, ["p2", "p3", "p1"]);
    // A priority does not move a route out of its group.
    let groups = [(false, "all", 3, -5), (false, "+1", 2, 9), (true, "all", 1, 100)];
    assert_eq!(reached(&groups).await, ["p1", "p2", "p3"]);
}

#[tokio::test]
async fn everybodys_routes_serve_who_has_none() {
    assert_eq!(reached(&[(false, "all", 2, 0)]).await, ["p2"]);
}

#[tokio::test]
async fn a_deleted_or_changed_route_is_not_taken() {
    let mut carrier = Carrier::start().await;
    let hosts = [("a.example.com", carrier.at), ("b.example.com", carrier.at)];
    let stage = Stage::hosting(&hosts).await;
    stage.allow().await;
    let (a, b) = (stage.provider("a.example.com").await, stage.provider("b.example.com").await);
    let gone = stage.route(BASIC, "+1", &a, 0).await;
    let changed = stage.route(BASIC, "+1", &a, 0).await;
    stage.sa.delete(&format!("/routes/{gone}")).await.ok();
    let moved: Value = json!({ "target": "+1", "provider_id": b });
    stage.sa.put(&format!("/routes/{changed}"), &moved).await.ok();
    stage.number(stage.admin, US_TOO).await;
    let body = json!({ "source": tel(US_TOO), "destinations": [tel(US)] });
    let id = first_call(&stage.sa.post("/calls", &body).await.ok());
    let mut incoming = carrier.call().await;
    assert!(incoming.uri().contains("@b.example.com"), "{}", incoming.uri());
    incoming.refuse(404).await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("failed".to_owned(), "remote".to_owned()));
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn a_deleted_provider_is_not_called_and_the_next_route_is_tried() {
    let mut carrier = Carrier::start().await;
    let hosts = [("a.example.com", carrier.at), ("b.example.com", carrier.at)];
    let stage = Stage::hosting(&hosts).await;
    stage.allow().await;
    let (a, b) = (stage.provider("a.example.com").await, stage.provider("b.example.com").await);
    stage.route(BASIC, "+1", &a, 0).await;
    stage.route(BASIC, "all", &b, 0).await;
    stage.number(stage.admin, US_TOO).await;
    let body = json!({ "source": tel(US_TOO), "destinations": [tel(US)] });
    stage.sa.delete(&format!("/providers/{a}")).await.ok();
    let id = first_call(&stage.sa.post("/calls", &body).await.ok());
    let mut incoming = carrier.call().await;
    assert!(incoming.uri().contains("@b.example.com"), "{}", incoming.uri());
    incoming.refuse(486).await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("busy".to_owned(), "remote".to_owned()));
    // Without any provider that is left, the call fails at once.
    stage.sa.delete(&format!("/providers/{b}")).await.ok();
    let id = first_call(&stage.sa.post("/calls", &body).await.ok());
    assert_eq!(call_ends(&stage.sa, &id).await, ("failed".to_owned(), "remote".to_owned()));
    assert_eq!(carrier.untaken(), 0);
}

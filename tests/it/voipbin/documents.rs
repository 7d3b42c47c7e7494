//! The documents that this side began with: their requests sent again as they stand, their answers compared with
//! what comes now, and what they say in words.
//!
//! Only the id of the provider is put into a request, for the server gives its own.

use serde_json::{Value, json};

use super::caller::{Answer, Caller};
use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;

/// The provider that the documents name.
const PROVIDER: &str = "4dbeabd6-f397-4375-95d2-a38411e07ed1";

fn fixture(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/voipbin").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn document(name: &str) -> Value {
    serde_json::from_str(&fixture(name)).unwrap()
}

/// A server whose super admin may call nobody yet, a carrier, and a provider there.
async fn ready() -> (Stage, Carrier, String) {
    let carrier = Carrier::start().await;
    let stage = Stage::hosting(&[("carrier.example.com", carrier.at)]).await;
    let provider = stage.provider("carrier.example.com").await;
    (stage, carrier, provider)
}

/// Allows what the documents call: a number of Korea.
async fn allow_korea(stage: &Stage) {
    stage.sa.put("/outbound_config", &json!({ "destination_whitelist": ["us", "kr"] })).await.ok();
}

/// Sends a document's request, through this provider.
async fn send(stage: &Stage, name: &str, provider: &str) -> Answer {
    let body = fixture(name).replace(PROVIDER, provider);
    stage.sa.send("POST", "/providercalls", &body).await
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A document's value without what is no longer said: texts that are empty.
fn lean(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().filter(|(_, it)| **it != "").map(|(name, it)| (name.clone(), lean(it))).collect()
        }
        Value::Array(items) => items.iter().map(lean).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn the_documented_update_allows_two_countries() {
    let (stage, mut carrier, provider) = ready().await;
    let us = json!({ "provider_id": provider, "source": tel(US_TOO), "destinations": [tel(US)] });
    // An empty list denies everything, with these words.
    let refusal = invalid("outbound destination country not whitelisted");
    stage.sa.post("/providercalls", &us).await.refused(&refusal);
    let answer =
        stage.sa.send("PUT", "/outbound_config", &fixture("outbound_config.update.request.json")).await;
    assert_eq!(answer.ok()["destination_whitelist"], json!(["us", "gb"]));
    stage.sa.post("/providercalls", &us).await.ok();
    assert_eq!(carrier.call().await.invite.method(), "INVITE");
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn the_documented_provider_call_is_placed_and_answered_as_documented() {
    let (stage, mut carrier, provider) = ready().await;
    allow_korea(&stage).await;
    let record = send(&stage, "providercalls.create.request.json", &provider).await.ok();
    let documented = document("providercalls.create.response.json");
    assert_eq!(names(&record), names(&documented));
    let mut expected = lean(&documented);
    // What the server gives, and the time of a change that never was.
    for name in ["id", "customer_id", "provider_id", "call_ids", "tm_create", "tm_update"] {
        expected[name] = record[name].clone();
    }
    assert_eq!(record, expected);
    assert_eq!((&record["provider_id"], &record["tm_update"]), (&json!(provider), &Value::Null));
    assert_eq!(record["customer_id"], json!(stage.admin));
    assert_eq!(record["call_ids"].as_array().unwrap().len(), 1);
    let mut incoming = carrier.call().await;
    assert_eq!(incoming.uri(), "sip:+821012345678@carrier.example.com;transport=udp");
    assert!(incoming.invite.header("From").unwrap().contains("<sip:+14155551234@"));
    incoming.refuse(486).await;
    // The record does not follow its call.
    call_is(&stage.sa, &first_call(&record), "hangup").await;
    let path = format!("/providercalls/{}", record["id"].as_str().unwrap());
    assert_eq!(stage.sa.get(&path).await.ok(), record);
}

#[tokio::test]
async fn the_documented_actions_are_run_after_the_answer_and_the_call_is_seen_as_documented() {
    let (stage, mut carrier, provider) = ready().await;
    allow_korea(&stage).await;
    let record = send(&stage, "providercalls.create_with_actions.request.json", &provider).await.ok();
    let id = first_call(&record);
    let flow = &stage.flows(stage.admin).await[0];
    assert_eq!(flow["id"], record["flow_id"]);
    let sent = &document("providercalls.create_with_actions.request.json")["actions"];
    for (kept, sent) in flow["actions"].as_array().unwrap().iter().zip(sent.as_array().unwrap()) {
        assert_eq!((&kept["type"], &kept["option"]), (&sent["type"], &sent["option"]));
    }
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    let seen = call_is(&stage.sa, &id, "progressing").await;
    let documented = document("calls.get.response.json");
    assert_eq!(seen["status"], documented["status"]);
    assert_eq!(seen.get("hangup_reason"), None, "a reason that is empty is left out");
    assert_eq!(seen["metadata"]["route_provider_ids"], json!([provider]));
    assert_eq!(seen["metadata"]["skip_source_validation"], documented["metadata"]["skip_source_validation"]);
    incoming.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("normal".to_owned(), "local".to_owned()));
}

#[tokio::test]
async fn the_documented_list_and_deletion_have_the_documented_members() {
    let (stage, mut carrier, provider) = ready().await;
    allow_korea(&stage).await;
    let record = send(&stage, "providercalls.create.request.json", &provider).await.ok();
    carrier.call().await.refuse(404).await;
    let list = stage.sa.get(&format!("/providercalls?provider_id={provider}")).await;
    let documented = document("providercalls.list.response.json");
    assert_eq!(names(&list.json()), names(&documented));
    for name in names(&documented["result"][0]) {
        assert_eq!(list.rows()[0][name], record[name], "{name}");
    }
    // The token is the last row's time, and takes the documented form of it too.
    let form = documented["next_page_token"].as_str().unwrap().replace(' ', "%20");
    let after = stage.sa.get(&format!("/providercalls?page_token={form}")).await;
    assert!(after.rows().is_empty(), "nothing was made before that");
    let path = format!("/providercalls/{}", record["id"].as_str().unwrap());
    let deleted = stage.sa.delete(&path).await.ok();
    for name in names(&document("providercalls.delete.response.json")) {
        assert!(deleted[name].is_string(), "{name}");
    }
    assert_eq!(deleted["id"], record["id"]);
    assert!(stage.sa.get("/providercalls").await.rows().is_empty());
}

#[tokio::test]
async fn the_documented_troubles_are_told_as_documented() {
    let (stage, mut carrier, provider) = ready().await;
    allow_korea(&stage).await;
    // "403 Forbidden": a token of the customer's own people.
    for permission in [ADMIN, MANAGER, AGENT] {
        let caller: Caller = stage.agent(stage.admin, permission).await;
        let body = fixture("providercalls.create.request.json").replace(PROVIDER, &provider);
        caller.send("POST", "/providercalls", &body).await.refused(&permission_denied());
    }
    // "400 Bad Request: provider not found", with the document's own id.
    let answer = send(&stage, "providercalls.create.request.json", PROVIDER).await;
    let message = answer.refused_somehow("INVALID_ARGUMENT", "INVALID_ARGUMENT");
    assert!(message.to_lowercase().contains("provider not found"), "{message}");
    assert!(stage.sa.get("/providercalls").await.rows().is_empty());
    // A carrier that turns the call away, and a far end that is busy.
    for (code, reason) in [(404, "failed"), (486, "busy")] {
        let record = send(&stage, "providercalls.create.request.json", &provider).await.ok();
        carrier.call().await.refuse(code).await;
        assert_eq!(call_ends(&stage.sa, &first_call(&record)).await.0, reason);
    }
    // "404 Not Found": a customer without a config.
    let id = stage.sa.get("/outbound_config").await.id();
    stage.sa.delete(&format!("/outbound_configs/{id}")).await.ok();
    stage.sa.get("/outbound_config").await.refused(&not_found());
}

#[tokio::test]
async fn a_default_number_stands_in_for_a_source_that_is_not_the_customers() {
    let (stage, mut carrier, provider) = ready().await;
    allow_korea(&stage).await;
    stage.route(BASIC, "all", &provider, 0).await;
    let sent = json!({ "source": tel("+14155551234"), "destinations": [tel("+821012345678")] });
    stage.sa.post("/calls", &sent).await.refused(&invalid_data());
    let number = stage.number(stage.admin, US_TOO).await;
    for (default, source) in [(number.as_str(), Some(US_TOO)), (ZERO, None)] {
        let config = json!({ "default_outgoing_source_number_id": default });
        stage.sa.put("/outbound_config", &config).await.ok();
        let answer = stage.sa.post("/calls", &sent).await;
        match source {
            Some(source) => {
                answer.ok();
                let incoming = carrier.call().await;
                assert!(incoming.invite.header("From").unwrap().contains(source));
            }
            None => answer.refused(&invalid_data()),
        }
    }
    assert_eq!(carrier.untaken(), 0);
}

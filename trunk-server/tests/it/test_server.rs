//! The server inside a test: several servers are independent, and the same seed makes them equal.

use std::time::Duration;

use didww_types::{ApiVersion, Feature, Timestamp};
use serde_json::{Value, json};
use trunk_server::TestServer;
use trunk_server::control::NewDid;

use crate::support::wire::{Answer, Wire, request};

async fn ask(server: &TestServer, method: &str, path: &str, body: &str) -> Answer {
    let mut wire = Wire::open(server.server().address()).await;
    wire.ask(request(method, path, server.api_key(), "", body)).await
}

fn create(name: &str) -> String {
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
    let attributes =
        json!({ "name": name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
    json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } }).to_string()
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[tokio::test]
async fn two_hundred_servers_are_independent() {
    let mut servers = Vec::new();
    for _ in 0..200 {
        servers.push(TestServer::start().await);
    }
    for server in &servers {
        // The same name on each server: in one database it would be taken.
        let made = ask(server, "POST", "/v3/voice_out_trunks", &create("only")).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    for (n, server) in servers.iter().enumerate() {
        let list = json(&ask(server, "GET", "/v3/voice_out_trunks", "").await);
        assert_eq!(list["meta"]["total_records"], 1);
        let other = &servers[(n + 1) % servers.len()];
        let mut wire = Wire::open(other.server().address()).await;
        let foreign = wire.ask(request("GET", "/v3/voice_out_trunks", server.api_key(), "", "")).await;
        assert_eq!(foreign.status, 401, "a key is valid on its own server alone");
    }
}

#[tokio::test]
async fn the_clock_can_be_frozen_and_advanced() {
    let server = TestServer::start().await;
    let clock = server.control().clock().clone();
    let at: Timestamp = "2026-04-08T06:57:33.304Z".parse().unwrap();
    clock.freeze(Some(at));
    let created = |answer: &Answer| json(answer)["data"]["attributes"]["created_at"].clone();
    let first = ask(&server, "POST", "/v3/voice_out_trunks", &create("a")).await;
    assert_eq!(created(&first), "2026-04-08T06:57:33.304Z");
    clock.advance(Duration::from_hours(24));
    let second = ask(&server, "POST", "/v3/voice_out_trunks", &create("b")).await;
    assert_eq!(created(&second), "2026-04-09T06:57:33.304Z");
    clock.resume();
    let third = ask(&server, "POST", "/v3/voice_out_trunks", &create("c")).await;
    assert!(created(&third).as_str().unwrap() >= "2026-04-09T06:57:33.304Z");
}

#[tokio::test]
async fn a_rate_limit_ends_when_the_clock_moves_on() {
    let server = TestServer::start().await;
    let control = server.control();
    control.clock().freeze(None);
    let mut patch = trunk_server::control::AccountPatch::default();
    patch.rate_limit = didww_types::Patch::Set(2);
    control.update_account(server.account(), patch).await.unwrap();
    let status = async || ask(&server, "GET", "/v3/dids", "").await.status;
    assert_eq!([status().await, status().await, status().await], [200, 200, 429]);
    control.clock().advance(Duration::from_secs(1));
    assert_eq!(status().await, 200);
}

/// Returns the answers of a server with this seed to a fixed sequence of requests.
async fn transcript(seed: u64) -> Vec<String> {
    let server = TestServer::builder().seed(seed).version(ApiVersion::V2026_04_16).start().await;
    let control = server.control();
    control.clock().freeze(Some("2026-04-08T06:57:33.304Z".parse().unwrap()));
    let did = control.add_did(server.account(), NewDid::new("37061498222")).await.unwrap();
    let made = ask(&server, "POST", "/v3/voice_out_trunks", &create("a")).await;
    let trunk = json(&made)["data"]["id"].as_str().unwrap().to_owned();
    let link = json!({ "data": [{ "type": "dids", "id": did.to_string() }] }).to_string();
    let target = json!({ "data": { "type": "voice_out_trunks", "id": trunk } });
    let rotate = json!({ "data": {
        "type": "voice_out_trunk_regenerate_credentials", "relationships": { "voice_out_trunk": target },
    } });
    let requests = [
        ("POST", format!("/v3/voice_out_trunks/{trunk}/relationships/dids"), link),
        ("GET", format!("/v3/voice_out_trunks/{trunk}?include=dids"), String::new()),
        ("POST", "/v3/voice_out_trunk_regenerate_credentials".to_owned(), rotate.to_string()),
        ("GET", "/v3/voice_out_trunks".to_owned(), String::new()),
        ("POST", "/v3/voice_out_trunks".to_owned(), create("a")),
        ("DELETE", format!("/v3/voice_out_trunks/{trunk}"), String::new()),
        ("GET", format!("/v3/voice_out_trunks/{trunk}"), String::new()),
    ];
    let mut answers = vec![made];
    for (method, path, body) in &requests {
        answers.push(ask(&server, method, path, body).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 204, 200, 201, 200, 422, 204, 404]);
    // These headers are measured, not determined by the seed.
    let measured = |line: &&str| !line.starts_with("x-runtime:") && !line.starts_with("date:");
    answers
        .iter()
        .map(|answer| {
            let head: Vec<&str> = answer.head.lines().filter(measured).collect();
            format!("{}\n{}", head.join("\n"), answer.text())
        })
        .collect()
}

#[tokio::test]
async fn the_same_seed_and_requests_produce_the_same_bytes() {
    let first = transcript(7).await;
    assert_eq!(first, transcript(7).await);
    assert_ne!(first, transcript(8).await);
}

#[tokio::test]
async fn the_builder_configures_the_account() {
    let server = TestServer::builder()
        .version(ApiVersion::V2026_04_16)
        .feature(Feature::ReplaceCli)
        .api_key("mine")
        .start()
        .await;
    assert_eq!(server.api_key(), "mine");
    let account = server.control().account(server.account()).await.unwrap();
    assert_eq!(account.version, ApiVersion::V2026_04_16);
    let features: Vec<Feature> = account.features.iter().collect();
    assert_eq!(features, [Feature::Outbound, Feature::ReplaceCli]);
    assert_eq!(server.server().control_address(), None, "the control API is disabled by default");
}

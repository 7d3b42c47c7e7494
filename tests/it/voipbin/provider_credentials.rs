//! The SIP credentials of a provider after its creation, and a trunk of this server's own.

use serde_json::{Value, json};
use trunk_server::config::{Config, SipConfig};

use super::caller::Caller;
use super::refusal::*;
use super::stage::*;
use crate::support::api::Api;
use crate::support::world::ROTATION;

/// A server with a carrier edge and no host map, and its carrier's API.
async fn ready() -> (Stage, Api) {
    let stage = Stage::with(edge).await;
    stage.allow().await;
    let api = Api::new(stage.server.base_url(), "good");
    (stage, api)
}

fn edge(config: &mut Config) {
    config.sip = Some(SipConfig::at("127.0.0.1:0"));
}

fn key(stage: &Stage) -> Value {
    json!({ "api_key": "good", "base_url": stage.server.base_url() })
}

async fn set_up(stage: &Stage) -> Value {
    let body = json!({ "carrier": "didww", "name": "Main", "credentials": key(stage) });
    stage.sa.post("/providers/setup", &body).await.ok()
}

fn path(provider: &Value) -> String {
    format!("/providers/{}", provider["id"].as_str().unwrap())
}

/// Places a short call to a test number. Returns why it ended.
async fn called(stage: &Stage, provider: &Value) -> String {
    let actions = json!({ "actions": [{ "type": "answer" }, { "type": "hangup" }] });
    let record = stage.place_with(provider["id"].as_str().unwrap(), GB, actions).await;
    call_ends(&stage.sa, &first_call(&record)).await.0
}

async fn rotate(api: &Api, provider: &Value) {
    let trunk =
        json!({ "data": { "type": "voice_out_trunks", "id": provider["metadata"]["didww_trunk_id"] } });
    let body = json!({ "data": {
        "type": "voice_out_trunk_regenerate_credentials", "relationships": { "voice_out_trunk": trunk },
    }});
    assert!(api.post(ROTATION, &body).await.status < 300);
}

#[tokio::test]
async fn a_setup_at_this_server_leads_to_its_own_edge() {
    let (stage, _api) = ready().await;
    let provider = set_up(&stage).await;
    assert_eq!(provider["hostname"], "edge.localhost");
    assert_eq!(called(&stage, &provider).await, "normal");
    assert_eq!(stage.control().probe_providers().await.unwrap(), 1);
    assert_eq!(stage.sa.get(&path(&provider)).await.ok()["health_status"], "healthy");
    // A SIP URI does not lead there.
    let body = json!({ "source": tel(US), "destinations": [at("sip:442079460018@edge.localhost")] });
    stage.sa.post("/calls", &body).await.refused_because("must go through a provider");
}

#[tokio::test]
async fn a_setup_at_another_server_leads_to_its_carrier() {
    let (stage, _api) = ready().await;
    let other = Stage::with(edge).await;
    let body = json!({ "carrier": "didww", "name": "Main", "credentials": key(&other) });
    assert_eq!(stage.sa.post("/providers/setup", &body).await.ok()["hostname"], "nyc.us.out.didww.com");
}

#[tokio::test]
async fn case_167_the_credentials_of_a_provider_are_refreshed_after_their_rotation() {
    let (stage, api) = ready().await;
    let provider = set_up(&stage).await;
    let (id, credentials) = (path(&provider), path(&provider) + "/credentials");
    assert_eq!(provider["metadata"]["sip_credentials"], true);
    assert_eq!(called(&stage, &provider).await, "normal");
    rotate(&api, &provider).await;
    assert_eq!(called(&stage, &provider).await, "failed");
    let again = stage.sa.put(&credentials, &json!({ "credentials": { "api_key": "good" } })).await;
    let refreshed = again.ok();
    for member in ["id", "hostname", "metadata", "tech_prefix"] {
        assert_eq!(refreshed[member], provider[member], "{member}");
    }
    assert_eq!(called(&stage, &provider).await, "normal");
    // They are never shown.
    stage.sa.get(&credentials).await.refused(&no_endpoint());
    let trunk = format!("/voice_out_trunks/{}", provider["metadata"]["didww_trunk_id"].as_str().unwrap());
    let trunk = api.get(&trunk).await;
    for member in ["username", "password"] {
        let secret = trunk.at(&format!("/data/attributes/authentication_method/attributes/{member}"));
        let secret = secret.as_str().unwrap();
        assert!(!again.text.contains(secret) && !stage.sa.get(&id).await.text.contains(secret));
    }
}

#[tokio::test]
async fn credentials_are_set_by_hand_and_forgotten() {
    let (stage, api) = ready().await;
    let made = set_up(&stage).await;
    let trunk = format!("/voice_out_trunks/{}", made["metadata"]["didww_trunk_id"].as_str().unwrap());
    let trunk = api.get(&trunk).await;
    let secret =
        |member: &str| trunk.at(&format!("/data/attributes/authentication_method/attributes/{member}"));
    let by_hand = stage.sa.post("/providers", &json!({ "hostname": "edge.localhost" })).await.ok();
    assert_eq!(by_hand["metadata"], json!({}));
    assert_eq!(called(&stage, &by_hand).await, "failed");
    let credentials = path(&by_hand) + "/credentials";
    let login = json!({ "username": secret("username"), "password": secret("password") });
    let set = stage.sa.put(&credentials, &login).await.ok();
    assert_eq!(set["metadata"], json!({ "sip_credentials": true }));
    assert_eq!(called(&stage, &by_hand).await, "normal");
    assert_eq!(stage.sa.get("/providers").await.rows()[0]["metadata"], set["metadata"]);
    let forgotten = stage.sa.delete(&credentials).await.ok();
    assert_eq!(forgotten["metadata"], json!({}));
    assert_eq!(called(&stage, &by_hand).await, "failed");
    assert_eq!(stage.sa.delete(&(path(&made) + "/credentials")).await.ok()["metadata"], json!({}));
}

#[tokio::test]
async fn a_provider_that_leaves_its_carrier_claims_no_trunk() {
    let (stage, _api) = ready().await;
    let provider = set_up(&stage).await;
    let moved = stage.sa.put(&path(&provider), &json!({ "hostname": "sip.example.com" })).await.ok();
    assert_eq!(moved["metadata"], json!({}));
    let back = stage.sa.put(&path(&provider), &json!({ "hostname": "edge.localhost" })).await.ok();
    assert_eq!(back["metadata"], json!({}));
}

#[tokio::test]
async fn credentials_that_do_not_fit_are_refused() {
    let (stage, api) = ready().await;
    let provider = set_up(&stage).await;
    let credentials = path(&provider) + "/credentials";
    let refused = async |body: Value, words: &str| {
        stage.sa.put(&credentials, &body).await.refused_because(words);
    };
    for body in [
        json!({}),
        json!({ "username": "u" }),
        json!({ "password": "p" }),
        json!({ "username": "u", "password": "p", "credentials": { "api_key": "good" } }),
    ] {
        refused(body, "either credentials or both username and password").await;
    }
    let wrong = json!({ "credentials": { "api_key": "wrong" } });
    stage
        .sa
        .put(&credentials, &wrong)
        .await
        .refused_somehow("INVALID_ARGUMENT", "CARRIER_CREDENTIALS_REJECTED");
    refused(json!({ "credentials": { "api_key": "good", "trunk_id": UNKNOWN } }), "The carrier refused")
        .await;
    stage.sa.put(&format!("/providers/{UNKNOWN}/credentials"), &json!({})).await.refused(&no_provider());
    stage.sa.put("/providers/xyz/credentials", &json!({})).await.refused(&invalid_id());
    // The provider still has its credentials.
    assert_eq!(called(&stage, &provider).await, "normal");
    let elsewhere = stage.sa.post("/providers", &json!({ "hostname": "sip.example.com" })).await.ok();
    let answer =
        stage.sa.put(&(path(&elsewhere) + "/credentials"), &json!({ "credentials": key(&stage) })).await;
    answer.refused_because("hostname is none of DIDWW's");
    drop(api);
}

#[tokio::test]
async fn a_setup_at_an_address_where_nothing_listens_names_the_cause() {
    let stage = Stage::start().await;
    let body = json!({
        "carrier": "didww", "name": "n",
        "credentials": { "api_key": "k-e-y", "base_url": "http://127.0.0.1:1/v3" },
    });
    let answer = stage.sa.post("/providers/setup", &body).await;
    let message = answer.refused_somehow("UNAVAILABLE", "SERVICE_UNAVAILABLE");
    assert!(
        message.starts_with("The carrier's API failed: ") && message.contains("127.0.0.1:1"),
        "{message}"
    );
    assert!(!answer.text.contains("k-e-y"), "{}", answer.text);
    let tenant: Caller = stage.key(stage.admin, None).await;
    tenant.post("/providers/setup", &body).await.refused(&permission_denied());
}

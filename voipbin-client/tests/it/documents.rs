//! The examples of the public documentation.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use voipbin_client::types::{
    ActionBody, Address, Anonymous, Call, CallStatus, OutboundConfigPatch, Page, ProviderCall,
    ProviderCallCreate, ZERO,
};
use wiremock::matchers::{body_json, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{client, ok};

fn bytes(name: &str) -> Vec<u8> {
    let path = format!("{}/../fixtures/voipbin/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn written<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap()
}

fn verification_call() -> ProviderCallCreate {
    let provider = "4dbeabd6-f397-4375-95d2-a38411e07ed1".parse().unwrap();
    ProviderCallCreate::new(provider, [Address::tel("+821012345678")]).source(Address::tel("+14155551234"))
}

#[test]
fn the_builders_write_the_requests_of_the_documents() {
    let minimal = verification_call().anonymous(Anonymous::Auto);
    assert_eq!(written(&minimal), json("providercalls.create.request"));
    assert_eq!(minimal, read("providercalls.create.request"));

    let talk = ActionBody::talk("This is a provider verification call.", "en-US").option("gender", "female");
    let with_actions = verification_call().actions([ActionBody::answer(), talk, ActionBody::hangup()]);
    assert_eq!(written(&with_actions), json("providercalls.create_with_actions.request"));
    assert_eq!(with_actions, read("providercalls.create_with_actions.request"));

    let patch = OutboundConfigPatch::default().destination_whitelist(["us", "gb"]);
    assert_eq!(written(&patch), json("outbound_config.update.request"));
    assert_eq!(patch, read("outbound_config.update.request"));
}

#[test]
fn the_record_of_a_provider_call_is_decoded() {
    let record: ProviderCall = read("providercalls.create.response");
    assert_eq!(record.flow_id, ZERO);
    assert_eq!(record.source, Some(Address::tel("+14155551234")));
    assert_eq!(record.destinations, [Address::tel("+821012345678")]);
    assert_eq!((record.call_ids.len(), record.groupcall_ids.len()), (1, 0));
    assert_eq!(record.tm_create.unwrap().to_string(), "2026-04-21T23:15:00Z");
    assert_eq!(record.tm_delete, None);
}

#[test]
fn examples_with_incomplete_records_are_decoded() {
    let call: Call = read("calls.get.response");
    assert_eq!((call.status, call.hangup_reason), (CallStatus::Progressing, None));
    assert_eq!(call.metadata["skip_source_validation"], true);
    let page: Page<ProviderCall> = read("providercalls.list.response");
    assert_eq!(page.next_page_token, "2026-04-21 23:15:00.000000");
    let deleted: ProviderCall = read("providercalls.delete.response");
    assert_eq!(deleted.tm_delete.unwrap().to_string(), "2026-04-22T00:00:00Z");
}

#[tokio::test]
async fn the_tutorial_works_from_the_call_to_the_deletion_of_its_record() {
    let server = MockServer::start().await;
    let mount = async |verb: &str, at: &str, document: &str| {
        let response = ResponseTemplate::new(200).set_body_raw(bytes(document), "application/json");
        Mock::given(method(verb)).and(path(at)).respond_with(response).expect(1).mount(&server).await;
    };
    Mock::given(method("POST"))
        .and(path("/v1.0/providercalls"))
        .and(body_json(json("providercalls.create.request")))
        .respond_with(ok(&json("providercalls.create.response")))
        .expect(1)
        .mount(&server)
        .await;
    mount("GET", "/v1.0/calls/9f8e7d6c-5b4a-3c2d-1e0f-abcdef012345", "calls.get.response").await;
    mount(
        "DELETE",
        "/v1.0/providercalls/b7d1c0f6-9a2e-4b3f-8e2a-1c7d5b8a9e0f",
        "providercalls.delete.response",
    )
    .await;
    Mock::given(query_param("provider_id", "4dbeabd6-f397-4375-95d2-a38411e07ed1"))
        .and(query_param("page_token", "2026-04-21 23:15:00.000000"))
        .respond_with(ok(&json!({"result": [], "next_page_token": ""})))
        .with_priority(1)
        .expect(1)
        .mount(&server)
        .await;
    mount("GET", "/v1.0/providercalls", "providercalls.list.response").await;

    let client = client(&server);
    let body = verification_call().anonymous(Anonymous::Auto);
    let placed = client.provider_calls().create(body).await.unwrap();
    let call = client.calls().get(placed.call_ids[0]).await.unwrap();
    assert!(!call.is_over());
    let all = client.provider_calls().list().provider(placed.provider_id).all().await.unwrap();
    assert_eq!(all.len(), 1);
    assert!(client.provider_calls().delete(placed.id).await.unwrap().tm_delete.is_some());
}

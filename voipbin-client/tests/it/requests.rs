//! The requests of each method.

use serde_json::{Value, json};
use voipbin_client::types::{
    Address, BASIC, CallCreate, OutboundConfigCreate, OutboundConfigPatch, ProviderBody, ProviderCallCreate,
    ProviderCredentials, ProviderSetup, RouteUpdate, TechHeaders,
};
use wiremock::matchers::{any, method};
use wiremock::{Mock, MockServer};

use crate::support::{ID, call, client, last_body, ok, received};

const ID_TEXT: &str = "9f8e7d6c-5b4a-3c2d-1e0f-abcdef012345";

/// A server that returns a record for every request.
async fn records() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&call("dialing"))).mount(&server).await;
    server
}

#[tokio::test]
async fn each_method_has_its_endpoint() {
    let server = records().await;
    let client = client(&server);
    let (own, configs, providers) = (client.outbound_config(), client.outbound_configs(), client.providers());
    let (routes, placed, calls) = (client.routes(), client.provider_calls(), client.calls());
    own.get().await.unwrap();
    own.update(OutboundConfigPatch::default()).await.unwrap();
    configs.get(ID).await.unwrap();
    configs.create(OutboundConfigPatch::default()).await.unwrap();
    configs.update(ID, OutboundConfigPatch::default()).await.unwrap();
    configs.delete(ID).await.unwrap();
    providers.get(ID).await.unwrap();
    providers.create(ProviderBody::sip("n", "h")).await.unwrap();
    providers.update(ID, ProviderBody::default()).await.unwrap();
    providers.delete(ID).await.unwrap();
    providers.setup(ProviderSetup::default()).await.unwrap();
    routes.get(ID).await.unwrap();
    routes.create(RouteUpdate::new("all", ID).of(BASIC)).await.unwrap();
    routes.update(ID, RouteUpdate::new("+1", ID)).await.unwrap();
    routes.delete(ID).await.unwrap();
    placed.get(ID).await.unwrap();
    placed.create(ProviderCallCreate::new(ID, [])).await.unwrap();
    placed.delete(ID).await.unwrap();
    calls.get(ID).await.unwrap();
    calls.create(CallCreate::default()).await.unwrap();
    calls.hangup(ID).await.unwrap();
    calls.delete(ID).await.unwrap();
    let expected = [
        "GET outbound_config",
        "PUT outbound_config",
        "GET outbound_configs/ID",
        "POST outbound_configs",
        "PUT outbound_configs/ID",
        "DELETE outbound_configs/ID",
        "GET providers/ID",
        "POST providers",
        "PUT providers/ID",
        "DELETE providers/ID",
        "POST providers/setup",
        "GET routes/ID",
        "POST routes",
        "PUT routes/ID",
        "DELETE routes/ID",
        "GET providercalls/ID",
        "POST providercalls",
        "DELETE providercalls/ID",
        "GET calls/ID",
        "POST calls",
        "POST calls/ID/hangup",
        "DELETE calls/ID",
    ]
    .map(|line| line.replace(' ', " /v1.0/").replace("ID", ID_TEXT));
    assert_eq!(received(&server).await, expected);
}

#[tokio::test]
async fn lists_have_their_filters() {
    let server = MockServer::start().await;
    let empty = json!({"result": [], "next_page_token": ""});
    Mock::given(method("GET")).respond_with(ok(&empty)).mount(&server).await;
    let client = client(&server);
    client.outbound_configs().list().customer(ID).await.unwrap();
    client.providers().list().page_size(2).page_token("2026-04-21T23:15:00.000000Z").await.unwrap();
    client.routes().list().customer(BASIC).all().await.unwrap();
    client.provider_calls().list().provider(ID).await.unwrap();
    client.calls().list().await.unwrap();
    let expected = [
        format!("GET /v1.0/outbound_configs?customer_id={ID_TEXT}"),
        "GET /v1.0/providers?page_size=2&page_token=2026-04-21T23%3A15%3A00.000000Z".to_owned(),
        format!("GET /v1.0/routes?customer_id={BASIC}"),
        format!("GET /v1.0/providercalls?provider_id={ID_TEXT}"),
        "GET /v1.0/calls".to_owned(),
    ];
    assert_eq!(received(&server).await, expected);
}

async fn body_of<T, E: std::fmt::Debug>(
    server: &MockServer,
    sent: impl Future<Output = Result<T, E>>,
) -> Value {
    sent.await.unwrap();
    last_body(server).await
}

#[tokio::test]
async fn bodies_contain_the_members_that_were_set() {
    let server = records().await;
    let client = client(&server);
    let patch = OutboundConfigPatch::default().name("n").destination_whitelist::<&str>([]).codecs("");
    assert_eq!(
        body_of(&server, client.outbound_config().update(patch.clone())).await,
        json!({"name": "n", "destination_whitelist": [], "codecs": ""})
    );
    let create = OutboundConfigCreate { customer_id: Some(ID), config: patch };
    assert_eq!(
        body_of(&server, client.outbound_configs().create(create)).await,
        json!({"customer_id": ID, "name": "n", "destination_whitelist": [], "codecs": ""})
    );
    let headers = TechHeaders::from_iter([("X-A", "1")]);
    let provider = ProviderBody { tech_headers: headers, ..ProviderBody::sip("Berlin", "sip.example.com") };
    assert_eq!(
        body_of(&server, client.providers().create(provider)).await,
        json!({"type": "sip", "hostname": "sip.example.com", "tech_prefix": "", "tech_postfix": "",
            "tech_headers": {"X-A": "1"}, "name": "Berlin", "detail": "", "codecs": ""})
    );
    let route = RouteUpdate { priority: -1, ..RouteUpdate::new("+82", ID) };
    assert_eq!(
        body_of(&server, client.routes().create(route.of(BASIC))).await,
        json!({"customer_id": BASIC, "name": "", "detail": "", "provider_id": ID, "priority": -1, "target": "+82"})
    );
    let setup = ProviderSetup {
        carrier: "didww".to_owned(),
        name: "n".to_owned(),
        credentials: ProviderCredentials {
            trunk_id: Some("t".to_owned()),
            ..ProviderCredentials::new("key")
        },
        ..ProviderSetup::default()
    };
    assert_eq!(
        body_of(&server, client.providers().setup(setup)).await,
        json!({"carrier": "didww", "name": "n", "credentials": {"api_key": "key", "trunk_id": "t"}})
    );
    let calls = CallCreate::new([Address::sip("a@example.com")]);
    assert_eq!(
        body_of(&server, client.calls().create(calls.clone())).await,
        json!({"destinations": [{"type": "sip", "target": "a@example.com"}]})
    );
    let calls = calls
        .source(Address::tel("+1").target_name("me"))
        .flow_id(ID)
        .variables([("name", "Ann"), ("city", "Seoul")])
        .variables([("city".to_owned(), "Busan".to_owned())]);
    assert_eq!(
        body_of(&server, client.calls().create(calls)).await,
        json!({"flow_id": ID, "source": {"type": "tel", "target": "+1", "target_name": "me"},
            "destinations": [{"type": "sip", "target": "a@example.com"}],
            "variables": {"city": "Busan", "name": "Ann"}})
    );
}

#[tokio::test]
async fn a_country_is_added_to_the_whitelist_that_the_service_has() {
    let server = MockServer::start().await;
    let config = json!({"id": ID, "destination_whitelist": ["us", "GB"]});
    Mock::given(any()).respond_with(ok(&config)).mount(&server).await;
    let client = client(&server);
    client.outbound_config().allow_country("us").await.unwrap();
    client.outbound_configs().allow_country(ID, "us").await.unwrap();
    let reads = ["GET /v1.0/outbound_config".to_owned(), format!("GET /v1.0/outbound_configs/{ID_TEXT}")];
    assert_eq!(received(&server).await, reads, "a country that is there already changes nothing");
    let own = client.outbound_config();
    let added = json!({"destination_whitelist": ["us", "GB", "kr"]});
    assert_eq!(body_of(&server, own.allow_country(" KR")).await, added);
    let configs = client.outbound_configs();
    assert_eq!(body_of(&server, configs.allow_country(ID, "kr")).await, added);
    // The service matches lower-case codes alone, and refuses the same code in two letter cases.
    assert_eq!(
        body_of(&server, own.allow_country("gb")).await,
        json!({"destination_whitelist": ["us", "gb"]})
    );
    assert_eq!(received(&server).await.last().unwrap(), "PUT /v1.0/outbound_config");
}

#[tokio::test]
async fn every_request_has_accept_and_content_type_headers() {
    let server = records().await;
    let client = client(&server);
    client.providers().create(ProviderBody::default()).await.unwrap();
    client.calls().hangup(ID).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].headers["authorization"], "Bearer canary-token");
    assert_eq!(requests[0].headers["accept"], "application/json");
    assert_eq!(requests[0].headers["content-type"], "application/json");
    assert!(requests[0].headers["user-agent"].to_str().unwrap().starts_with("voipbin-rust/"));
    assert!(!requests[1].headers.contains_key("content-type") && requests[1].body.is_empty());
}

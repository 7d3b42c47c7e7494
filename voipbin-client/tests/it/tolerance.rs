//! Unknown members and texts are preserved.

use serde_json::{Value, json};
use voipbin_client::types::{CallStatus, ProviderBody, RouteUpdate};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer};

use crate::support::{ID, client, last_body, ok};

async fn serving(body: &Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(body)).mount(&server).await;
    server
}

#[tokio::test]
async fn unknown_members_and_texts_of_a_provider_survive_its_update() {
    let server = serving(&json!({"id": ID, "type": "h323", "hostname": "h", "tech_headers": null,
        "name": "old", "health_status": "degraded", "weight": 7, "limits": {"cps": 2}}))
    .await;
    let client = client(&server);
    let provider = client.providers().get(ID).await.unwrap();
    assert_eq!(provider.health_status.as_str(), "degraded");
    let body = ProviderBody { name: "new".to_owned(), ..provider.into() };
    client.providers().update(ID, body).await.unwrap();
    assert_eq!(
        last_body(&server).await,
        json!({"type": "h323", "hostname": "h", "tech_prefix": "", "tech_postfix": "", "tech_headers": {},
            "name": "new", "detail": "", "codecs": "", "weight": 7, "limits": {"cps": 2}})
    );
}

#[tokio::test]
async fn unknown_members_of_a_route_survive_its_update() {
    let server =
        serving(&json!({"id": ID, "customer_id": ID, "target": "all", "priority": 3, "share": 0.5})).await;
    let client = client(&server);
    let route = client.routes().get(ID).await.unwrap();
    client.routes().update(ID, RouteUpdate::from(route)).await.unwrap();
    let body = last_body(&server).await;
    assert_eq!((&body["share"], &body["priority"], body.get("customer_id")), (&json!(0.5), &json!(3), None));
}

#[tokio::test]
async fn a_call_with_unknown_texts_and_members_is_decoded() {
    let server = serving(&json!({"id": ID, "status": "parked", "hangup_by": "", "hangup_reason": "eclipse",
        "destination": {"type": "hologram", "target": "x", "colour": "green"}, "tm_parked": "never",
        "action": {"type": "levitate"}, "mute_direction": "sideways", "chained_call_ids": null}))
    .await;
    let call = client(&server).calls().get(ID).await.unwrap();
    assert_eq!(call.status.as_str(), "parked");
    assert_ne!(call.status, CallStatus::Hangup);
    assert_eq!(call.hangup_by, None);
    let written = serde_json::to_value(&call).unwrap();
    for (pointer, text) in [
        ("/hangup_reason", "eclipse"),
        ("/destination/type", "hologram"),
        ("/action/type", "levitate"),
        ("/mute_direction", "sideways"),
    ] {
        assert_eq!(written.pointer(pointer).unwrap(), text);
    }
}

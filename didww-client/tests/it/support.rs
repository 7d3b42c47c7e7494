//! Servers, clients and documents that the tests share.

#[path = "../../../crates/client-core/tests/support/received.rs"]
mod received;

use std::time::Duration;

use didww_client::{ApiVersion, Client, ClientBuilder, Id, RetryPolicy};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

pub(crate) use received::{last_body, received};

pub(crate) const KEY: &str = "canary-api-key";
pub(crate) const TRUNK: &str = "0a161808-bb05-42b1-8398-7888abdfa9ef";
pub(crate) const DID: &str = "7de7f718-4042-4d74-9fe9-863fa1777520";

/// A client that retries without waiting, at a version that needs no access tokens.
pub(crate) fn builder(base: &str) -> ClientBuilder {
    let retry = RetryPolicy::default().base_wait(Duration::ZERO);
    Client::builder(format!("{base}/v3"), KEY).api_version(ApiVersion::V2026_04_16).retry(retry)
}

pub(crate) fn client(server: &MockServer) -> Client {
    builder(&server.uri()).build().unwrap()
}

pub(crate) fn id<R>(text: &str) -> Id<R> {
    Id::new(text)
}

/// A trunk in the form of 2026-04-16.
pub(crate) fn trunk() -> Value {
    let link = |name: &str| {
        json!({"links": {
            "self": format!("https://api.didww.com/v3/voice_out_trunks/{TRUNK}/relationships/{name}"),
            "related": format!("https://api.didww.com/v3/voice_out_trunks/{TRUNK}/{name}"),
        }})
    };
    json!({
        "id": TRUNK,
        "type": "voice_out_trunks",
        "attributes": {
            "allowed_rtp_ips": null, "allow_any_did_as_cli": false, "status": "active",
            "on_cli_mismatch_action": "send_original_cli", "name": "Berlin", "capacity_limit": null,
            "created_at": "2026-04-08T06:57:33.304Z", "threshold_reached": false, "threshold_amount": "3000.0",
            "media_encryption_mode": "disabled", "default_dst_action": "allow_all", "dst_prefixes": [],
            "force_symmetric_rtp": false, "rtp_ping": false, "callback_url": null, "external_reference_id": null,
            "authentication_method": {"type": "credentials_and_ip", "attributes": {
                "allowed_sip_ips": ["192.168.1.1/32"], "tech_prefix": null,
                "username": "canary-username", "password": "canary-password"}},
            "emergency_enable_all": false, "rtp_timeout": 30
        },
        "relationships": {"dids": link("dids"), "emergency_dids": link("emergency_dids")},
        "meta": {"spent_amount": "0.0"}
    })
}

/// A trunk with some attributes replaced.
pub(crate) fn trunk_with(attributes: &Value) -> Value {
    let mut trunk = trunk();
    for (name, value) in attributes.as_object().unwrap() {
        trunk["attributes"][name] = value.clone();
    }
    trunk
}

pub(crate) fn did(id: &str, number: &str) -> Value {
    json!({"id": id, "type": "dids", "attributes": {
        "number": number, "created_at": "2020-08-05T08:11:38.492Z", "expires_at": "2022-02-05T08:11:43.079Z"}})
}

pub(crate) fn document(data: &Value) -> Value {
    json!({"data": data, "meta": {"api_version": "2026-04-16"}})
}

pub(crate) fn response(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body.to_string(), "application/vnd.api+json")
}

pub(crate) fn error(status: u16, detail: &str, pointer: Option<&str>) -> ResponseTemplate {
    let mut error = json!({"title": detail, "detail": detail, "code": "100", "status": status.to_string()});
    if let Some(pointer) = pointer {
        error["source"] = json!({"pointer": pointer});
    }
    response(status, &json!({"errors": [error]})).insert_header("x-request-id", "request-7")
}

//! Servers, clients and documents that the tests share.

#[path = "../../../crates/client-core/tests/support/received.rs"]
mod received;

use std::time::Duration;

use serde_json::{Value, json};
use voipbin_client::{Client, ClientBuilder, RetryPolicy, Uuid};
use wiremock::{MockServer, ResponseTemplate};

pub(crate) use received::{last_body, received};

pub(crate) const TOKEN: &str = "canary-token";
pub(crate) const ID: Uuid = Uuid::from_u128(0x9f8e_7d6c_5b4a_3c2d_1e0f_abcd_ef01_2345);

/// A client that retries and polls without waiting.
pub(crate) fn builder(base: &str) -> ClientBuilder {
    let retry = RetryPolicy::default().base_wait(Duration::ZERO);
    let builder = Client::builder().base_url(format!("{base}/v1.0")).token(TOKEN);
    builder.retry(retry).poll(Duration::ZERO, Duration::ZERO)
}

pub(crate) fn client(server: &MockServer) -> Client {
    builder(&server.uri()).build().unwrap()
}

pub(crate) fn call(status: &str) -> Value {
    json!({"id": ID, "status": status, "source": {"type": "tel", "target": "+14155551234"}})
}

pub(crate) fn ok(body: &Value) -> ResponseTemplate {
    response(200, body)
}

pub(crate) fn response(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body.to_string(), "application/json; charset=utf-8")
}

pub(crate) fn error(status: u16, reason: &str, message: &str) -> ResponseTemplate {
    let body = json!({"error": {"message": message, "reason": reason, "request_id": "req_7", "status": "X"}});
    response(status, &body).insert_header("x-request-id", "req_7")
}

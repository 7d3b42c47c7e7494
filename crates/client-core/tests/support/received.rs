//! The requests that a mock server received, for the tests of each SDK.

use serde_json::Value;
use wiremock::{MockServer, Request};

/// The requests that the server received, each as method and path with query.
pub(crate) async fn received(server: &MockServer) -> Vec<String> {
    let line = |request: &Request| {
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{} {}{query}", request.method, request.url.path())
    };
    server.received_requests().await.unwrap().iter().map(line).collect()
}

/// The body of the last request that the server received.
pub(crate) async fn last_body(server: &MockServer) -> Value {
    let requests = server.received_requests().await.unwrap();
    serde_json::from_slice(&requests.last().unwrap().body).unwrap()
}

//! The router of the listener for metrics.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http_listener::host_of;

use crate::Metrics;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Builds the router: `GET /metrics`. On loopback the `Host` header must be `localhost`, an address, or the `host` of
/// the configured address: a web page whose name leads to this machine cannot read the metrics.
pub fn metrics_router(metrics: Arc<Metrics>, host: Option<String>) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .fallback(async || (StatusCode::NOT_FOUND, "the metrics are at /metrics\n"))
        .with_state(Arc::new(Listener { metrics, host }))
}

struct Listener {
    metrics: Arc<Metrics>,
    /// The only name that requests may have as their host; `None` allows every name.
    host: Option<String>,
}

async fn show(State(listener): State<Arc<Listener>>, headers: HeaderMap) -> Response {
    let sent = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if listener.host.as_deref().is_some_and(|own| !is_own_host(host_of(sent), host_of(own))) {
        let error = "the Host header names another host; use the listener's own address\n";
        return (StatusCode::FORBIDDEN, error).into_response();
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], listener.metrics.text().await).into_response()
}

fn is_own_host(sent: &str, own: &str) -> bool {
    let address = sent.trim_start_matches('[').trim_end_matches(']');
    sent == own || sent == "localhost" || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_the_servers_is_no_host() {
        for (host, is_own) in [
            ("localhost:9464", true),
            ("127.0.0.1:9464", true),
            ("[::1]:9464", true),
            ("[::1]", true),
            ("metrics.test:9464", true),
            ("evil.example:9464", false),
            ("", false),
        ] {
            assert_eq!(is_own_host(host_of(host), host_of("metrics.test:1")), is_own, "{host}");
        }
    }
}

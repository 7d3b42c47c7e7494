//! Whether the server is well.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;
use service_core::Core;

use super::json::plain_json;

/// Whether the process lives, and whether it takes work.
pub fn health_router(core: Arc<Core>) -> Router {
    Router::new().route("/livez", get(alive)).route("/readyz", get(ready)).with_state(core)
}

async fn alive() -> Response {
    plain_json(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn ready(State(core): State<Arc<Core>>) -> Response {
    let unwell = |why: String| {
        plain_json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "unavailable", "reason": why }))
    };
    if !core.is_ready() {
        return unwell("the server is stopping".to_owned());
    }
    let health = core.store.write_health().borrow().reason();
    if let Some(why) = health {
        return unwell(why);
    }
    match (core.store.check().await, core.store.missing_commits()) {
        (Ok(()), None) => plain_json(StatusCode::OK, &json!({ "status": "ok" })),
        (Ok(()), Some(missing)) => {
            plain_json(StatusCode::OK, &json!({ "status": "ok", "warning": missing.to_string() }))
        }
        (Err(error), _) => unwell(error.to_string()),
    }
}

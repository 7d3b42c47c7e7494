//! The health endpoints, `/livez` and `/readyz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;
use service_core::Core;

use crate::json::plain_json;

/// The paths of the health endpoints.
pub const HEALTH_PATHS: [&str; 2] = ["/livez", "/readyz"];

/// The routes of the health endpoints.
///
/// `/livez` answers 200 while the process runs. `/readyz` answers 200 if the server accepts work. While it is
/// stopping, and while the store cannot be read or written, `/readyz` answers 503 with a `reason`. A store
/// that lost commits adds a `warning`.
pub fn health_router(core: Arc<Core>) -> Router {
    let [live, ready] = HEALTH_PATHS;
    Router::new().route(live, get(livez)).route(ready, get(readyz)).with_state(core)
}

async fn livez() -> Response {
    plain_json(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn readyz(State(core): State<Arc<Core>>) -> Response {
    let unavailable = |reason: String| {
        plain_json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "unavailable", "reason": reason }))
    };
    if !core.is_ready() {
        return unavailable("the server is stopping".to_owned());
    }
    let write_failure = core.store.write_health().borrow().reason();
    if let Some(reason) = write_failure {
        return unavailable(reason);
    }
    match (core.store.check().await, core.store.missing_commits()) {
        (Ok(()), None) => plain_json(StatusCode::OK, &json!({ "status": "ok" })),
        (Ok(()), Some(missing)) => {
            plain_json(StatusCode::OK, &json!({ "status": "ok", "warning": missing.to_string() }))
        }
        (Err(error), _) => unavailable(error.to_string()),
    }
}

//! What the API serves below `/v3`, its description, and whether the server is well.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use didww_types::ApiVersion;
use http::StatusCode;
use serde_json::json;

use super::state::Api;
use super::{api, plain_json};
use crate::core::Core;
use crate::openapi;

/// The routes of the API and of its description, and the answer to every path that no room has.
pub(crate) fn api_router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/openapi/{document}", get(description))
        // The API declares its own paths; what it does not declare is answered in its form, wherever it is.
        .fallback(api::handle)
        .with_state(api)
}

/// Whether the process lives, and whether it takes work.
pub(crate) fn health_router(core: Arc<Core>) -> Router {
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

async fn description(Path(document): Path<String>) -> Response {
    let version = document.strip_suffix(".json").and_then(|date| date.parse::<ApiVersion>().ok());
    match version.filter(|version| openapi::VERSIONS.contains(version)) {
        Some(version) => plain_json(StatusCode::OK, &openapi::document(version)),
        None => plain_json(
            StatusCode::NOT_FOUND,
            &json!({ "error": "described are 2021-12-15, 2022-05-10 and 2026-04-16, as /openapi/2026-04-16.json" }),
        ),
    }
}

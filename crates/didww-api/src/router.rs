//! What the API serves below `/v3`, its description, and whether the server is well.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use didww_types::ApiVersion;
use http::StatusCode;
use serde_json::json;

use super::state::Api;
use http_listener::plain_json;

use super::api;
use crate::openapi;

/// The routes of the API and of its description, and the answer to every path that no room has.
pub fn api_router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/openapi/{document}", get(description))
        // The API declares its own paths; what it does not declare is answered in its form, wherever it is.
        .fallback(api::handle)
        .with_state(api)
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

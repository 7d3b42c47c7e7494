//! The routes of the API and of its `OpenAPI` documents.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use didww_types::REGISTRY;
use http::StatusCode;
use serde_json::json;

use http_listener::{Shortcut, plain_json, plain_json_text};

use crate::prices::price_paths;
use crate::state::Api;
use crate::{api, openapi};

/// Builds the router of the API: its resources below `/v3`, and one `OpenAPI` document per version and per price
/// service at `/openapi/{name}.json`. Requests for tokens are passed on to the token service, unless it has a listener
/// of its own. Requests to any other path receive the API's 404 document.
pub fn api_router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/openapi/{document}", get(description))
        // The resource registry declares the paths below `/v3`, so the handler parses the path itself. A path that it
        // does not declare receives an error document in the API's format, even outside `/v3`.
        .fallback(api::handle)
        .with_state(api)
}

/// The requests below `/v3/`, which the router would pass on to the same function.
pub fn api_shortcut(api: Arc<Api>) -> Shortcut {
    Shortcut::new("/v3/", move |request| api::handle(State(Arc::clone(&api)), request))
}

/// The templates of the paths that the API serves, for its metrics: `{id}` and `{name}` are any text. Which methods and
/// names a resource has is decided later, so not every path of a template is served.
pub fn paths() -> Vec<String> {
    let resources = REGISTRY.iter().flat_map(|spec| {
        let endpoints: &[&str] = if spec.singleton.is_some() {
            &[""]
        } else {
            &["", "/{id}", "/{id}/relationships/{name}", "/{id}/{name}"]
        };
        spec.paths().flat_map(move |path| endpoints.iter().map(move |rest| format!("/v3/{path}{rest}")))
    });
    resources.chain(["/openapi/{document}".to_owned()]).chain(price_paths()).collect()
}

async fn description(Path(document): Path<String>) -> Response {
    match document.strip_suffix(".json").and_then(openapi::named) {
        Some(text) => plain_json_text(StatusCode::OK, text),
        None => plain_json(
            StatusCode::NOT_FOUND,
            &json!({ "error": "there are documents of 2021-12-15, 2022-05-10, 2026-04-16 and 2026-11-19, such as /openapi/2026-11-19.json, and of voice-in-prices, voice-out-prices and sms-prices" }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use didww_types::ApiVersion;
    use http::{Method, Request};
    use http_listener::{Handler, Limits, RateLimits};
    use token_service::{TokenService, TokenSettings};

    use super::*;
    use crate::fixture::core_with_account;

    #[tokio::test]
    async fn a_request_is_answered_past_the_router_as_by_it() {
        let (core, _) = core_with_account(ApiVersion::V2022_05_10).await;
        let (core, rates, limits) = (Arc::new(core), Arc::new(RateLimits::new(0)), Limits::default());
        let settings = TokenSettings::default();
        let tokens = TokenService::new(Arc::clone(&core), settings, limits, Arc::clone(&rates));
        let api = Arc::new(Api::new(core, None, limits, rates, Arc::new(tokens)));
        let past_it = Handler::new(Router::new(), Some(api_shortcut(Arc::clone(&api))));
        let router = Handler::from(api_router(api));
        let served = async |handler: &Handler, method: &Method, path: &str| {
            let request = Request::builder().method(method).uri(path).header("api-key", "key");
            let request = request.header("x-request-id", "same").body(Body::empty()).unwrap();
            let mut response = handler.serve(request).await;
            response.headers_mut().remove("x-runtime");
            let (parts, body) = response.into_parts();
            (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap())
        };
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            for path in ["/v3/dids", "/v3/dids/1", "/v3/dids/1/order", "/v3/balance", "/v3/nothing", "/v3/"] {
                let expected = served(&router, &method, path).await;
                assert_eq!(served(&past_it, &method, path).await, expected, "{method} {path}");
            }
        }
    }

    #[test]
    fn the_templates_are_the_paths_that_some_version_serves() {
        let paths = paths();
        for served in
            ["/v3/balance", "/v3/requirements/{id}", "/v3/address_requirements", "/v3/dids/{id}/{name}"]
        {
            assert!(paths.iter().any(|path| path == served), "{served}");
        }
        for unserved in ["/v3/balances", "/v3/balance/{id}", "/v3/stock_keeping_units"] {
            assert!(!paths.iter().any(|path| path == unserved), "{unserved}");
        }
    }
}

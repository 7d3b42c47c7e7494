//! JSON responses that are not part of a published API.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

/// Makes a response with a JSON body (`application/json`) that no cache may store.
pub fn plain_json(status: StatusCode, value: &serde_json::Value) -> Response {
    plain_json_text(status, value.to_string())
}

/// Makes the response of [`plain_json`] from the text of its body.
pub fn plain_json_text(status: StatusCode, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

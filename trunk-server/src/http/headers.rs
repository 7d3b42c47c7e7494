//! The headers of answers, as recorded from the service.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use didww_types::MEDIA_TYPE;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

const ALWAYS: [(HeaderName, HeaderValue); 9] = [
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
    (header::X_XSS_PROTECTION, HeaderValue::from_static("0")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), HeaderValue::from_static("none")),
    (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, DELETE, PUT, PATCH, OPTIONS"),
    ),
    (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "Origin, X-Requested-With, Content-Type, Accept, auth-key, x-api-key, api-key, x-api-token",
        ),
    ),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Date, X-Request-Id, Content-Disposition"),
    ),
];

/// An answer of the API with all its headers.
pub(super) fn answer(
    status: StatusCode,
    body: Bytes,
    request: &HeaderMap,
    request_id: &str,
    runtime: Duration,
) -> Response {
    let mut headers = HeaderMap::with_capacity(16);
    for (name, value) in &ALWAYS {
        headers.insert(name.clone(), value.clone());
    }
    let mut status = status;
    let mut body = body;
    if status.is_success() && !body.is_empty() {
        let tag = entity_tag(&body);
        let unchanged =
            request.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
        headers.insert(header::ETAG, tag);
        headers
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=0, private, must-revalidate"));
        if status == StatusCode::OK && unchanged {
            status = StatusCode::NOT_MODIFIED;
            body = Bytes::new();
        }
    } else {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    if !body.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    let seconds = format!("{:.6}", runtime.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&seconds) {
        headers.insert(HeaderName::from_static("x-runtime"), value);
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// `W/"` and 32 hexadecimal digits that change with the body.
fn entity_tag(body: &[u8]) -> HeaderValue {
    let mut tag = String::with_capacity(36);
    tag.push_str("W/\"");
    for byte in Sha256::digest(body).iter().take(16) {
        let _infallible = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("W/\"\""))
}

/// An answer beside the API, in plain JSON.
pub(crate) fn plain_json(status: StatusCode, value: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

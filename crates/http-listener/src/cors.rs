//! Requests of web pages (CORS): detects preflights, and adds the headers by which a browser lets a page read a
//! response.
//!
//! Before a browser sends a header such as `Api-Key`, it requests the permitted methods and headers with a preflight,
//! which cannot have a key, so preflights are answered without one. All origins are permitted: the key is not a cookie,
//! and a page without a key can do nothing.

use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method};

/// The headers that a page may send: those of the recorded responses, and further ones that the APIs read.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Origin, X-Requested-With, Content-Type, Accept, auth-key, x-api-key, api-key, x-api-token, \
     x-didww-api-version, authorization, idempotency-key, x-request-id, if-none-match, if-modified-since",
);

/// Whether a request is a preflight of a browser.
pub fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Allows the page that sent the request to read the response. Without an `Origin` nothing is added.
pub fn allow_origin(parts: &Parts, response: &mut Response) {
    let Some(origin) = parts.headers.get(ORIGIN) else { return };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

//! Requests of web pages: the answer to a preflight, and the headers by which a browser passes a response on.
//!
//! The API's responses have always announced which methods and headers a page may use. A browser asks for that before
//! it sends a header such as `Api-Key`, with a request that cannot have one, so the preflight is answered without a
//! key. Every origin may ask: the key is not a cookie, and a page that has none can do nothing.

use axum::response::Response;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};

use crate::jsonapi::{Reply, Target};

/// The headers that a page may send: those of the recorded responses, and further ones that the API reads.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Origin, X-Requested-With, Content-Type, Accept, auth-key, x-api-key, api-key, x-api-token, \
     x-didww-api-version, authorization, idempotency-key, x-request-id, if-none-match",
);

/// Returns the answer to a preflight for one of the API's paths; `None` for any other request.
pub(crate) fn preflight(parts: &Parts) -> Option<Reply> {
    let is_preflight = parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && Target::parse(parts.uri.path()).is_some();
    is_preflight.then(|| Reply { status: StatusCode::OK, body: Bytes::new(), replayed: false })
}

/// Allows the page that sent the request to read the response. Without an `Origin` nothing is added.
pub(crate) fn allow_origin(parts: &Parts, response: &mut Response) {
    let Some(origin) = parts.headers.get(ORIGIN) else { return };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

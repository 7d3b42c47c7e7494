//! The headers of responses, as recorded from the real service.

use std::hash::BuildHasher as _;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use didww_types::MEDIA_TYPE;
use foldhash::quality::FixedState;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_listener::{REQUEST_ID, RequestIds};
use uuid::Uuid;

/// The headers of every response, built once: cloning a map is considerably faster than filling one.
static COMMON_HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = HeaderMap::with_capacity(STATIC_HEADERS.len() + 8);
    headers.extend(STATIC_HEADERS);
    headers
});

/// The headers of every document, with placeholders for those that differ, because a clone has no room for more.
static DOCUMENT_HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = COMMON_HEADERS.clone();
    headers.extend([
        (header::ETAG, EMPTY),
        (header::CACHE_CONTROL, REVALIDATE),
        (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        (header::VARY, ACCEPT),
        (X_RUNTIME, EMPTY),
        (REQUEST_ID, EMPTY),
    ]);
    headers
});

const EMPTY: HeaderValue = HeaderValue::from_static("");
const REVALIDATE: HeaderValue = HeaderValue::from_static("max-age=0, private, must-revalidate");
const ACCEPT: HeaderValue = HeaderValue::from_static("Accept");

/// The ids of requests. A client's id has up to 255 letters, digits, `-`, `_` and `@`; a generated one is a UUID.
pub(crate) const REQUEST_IDS: RequestIds =
    RequestIds { max_bytes: 255, punctuation: b"-_@", generate: |ids| ids.request().to_string() };

const X_RUNTIME: HeaderName = HeaderName::from_static("x-runtime");

const STATIC_HEADERS: [(HeaderName, HeaderValue); 9] = [
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

/// Builds a response with the headers of all responses of the API except `X-Request-Id`. `runtime` is the duration of the
/// request, for `X-Runtime`.
///
/// A successful response has an `ETag`; a GET or HEAD request whose `If-None-Match` equals it receives 304 without a
/// body.
pub(crate) fn respond(status: StatusCode, body: Bytes, request: &Parts, runtime: Duration) -> Response {
    respond_tagged(status, body, None, request, runtime)
}

/// As [`respond`], with the entity tag of the body if it is known.
pub(crate) fn respond_tagged(
    status: StatusCode,
    body: Bytes,
    tag: Option<HeaderValue>,
    request: &Parts,
    runtime: Duration,
) -> Response {
    let mut status = status;
    let mut body = body;
    let mut headers = if status.is_success() && !body.is_empty() {
        let tag = tag.unwrap_or_else(|| entity_tag(&body));
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        let sent_tag = request.headers.get(header::IF_NONE_MATCH).filter(|_| reads);
        let unchanged = sent_tag.is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
        let mut headers = if status == StatusCode::OK && unchanged {
            status = StatusCode::NOT_MODIFIED;
            body = Bytes::new();
            let mut headers = COMMON_HEADERS.clone();
            headers.insert(header::CACHE_CONTROL, REVALIDATE);
            headers
        } else {
            DOCUMENT_HEADERS.clone()
        };
        headers.insert(header::ETAG, tag);
        headers
    } else {
        let mut headers = COMMON_HEADERS.clone();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
            headers.insert(header::VARY, ACCEPT);
        }
        headers
    };
    let seconds = format!("{}.{:06}", runtime.as_secs(), runtime.subsec_micros());
    if let Ok(value) = HeaderValue::try_from(seconds) {
        headers.insert(X_RUNTIME, value);
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Returns a weak entity tag: `W/"`, 32 hexadecimal digits of a digest of the body, and `"`.
///
/// The digest is not cryptographic, because such a one took a sixth of the time of a list of 50: an account that constructs
/// two documents with the same digest misleads only its own cache. Nodes of the same build compute the same digest.
pub(crate) fn entity_tag(body: &[u8]) -> HeaderValue {
    let [high, low] = [0, 1].map(|seed| FixedState::with_seed(seed).hash_one(body));
    let mut digits = Uuid::encode_buffer();
    let digits = Uuid::from_u64_pair(high, low).simple().encode_lower(&mut digits);
    HeaderValue::try_from(["W/\"", digits, "\""].concat()).unwrap_or(HeaderValue::from_static("W/\"\""))
}

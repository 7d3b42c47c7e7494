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
use service_base::ids::Ids;
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
        (header::CONTENT_LENGTH, EMPTY),
    ]);
    headers
});

const EMPTY: HeaderValue = HeaderValue::from_static("");
const REVALIDATE: HeaderValue = HeaderValue::from_static("max-age=0, private, must-revalidate");
const ACCEPT: HeaderValue = HeaderValue::from_static("Accept");

/// The ids of requests. A client's id has up to 255 letters, digits, `-`, `_` and `@`; a generated one is a UUID.
pub(crate) const REQUEST_IDS: RequestIds =
    RequestIds { max_bytes: 255, punctuation: b"-_@", generate: new_request_id };

/// The text of a new id, without the formatter of `to_string`.
fn new_request_id(ids: &Ids) -> String {
    let mut digits = Uuid::encode_buffer();
    let digits: &str = ids.request().hyphenated().encode_lower(&mut digits);
    digits.to_owned()
}

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

/// Builds a response with the headers of all responses of the API except `X-Request-Id`. `runtime` is the duration of
/// the request, for `X-Runtime`.
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
            let mut headers = DOCUMENT_HEADERS.clone();
            // Otherwise the router would add it, and the map would have to grow.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            headers
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
    if let Ok(value) = HeaderValue::try_from(seconds(runtime)) {
        headers.insert(X_RUNTIME, value);
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A time in seconds, with six decimal places. Almost every one is below a second, and is written without a formatter.
fn seconds(time: Duration) -> String {
    if time.as_secs() > 0 {
        return format!("{}.{:06}", time.as_secs(), time.subsec_micros());
    }
    let mut text = String::with_capacity(8);
    text.push_str("0.");
    let mut unit = 100_000;
    while unit > 0 {
        text.push(char::from_digit(time.subsec_micros() / unit % 10, 10).unwrap_or('0'));
        unit /= 10;
    }
    text
}

/// Returns a weak entity tag: `W/"`, 32 hexadecimal digits of a digest of the body, and `"`.
///
/// The digest is not cryptographic, because a cryptographic one takes a sixth of the time of a list of 50: an account
/// that constructs two documents with the same digest misleads only its own cache. Nodes of the same build compute the
/// same digest.
pub(crate) fn entity_tag(body: &[u8]) -> HeaderValue {
    let [high, low] = [0, 1].map(|seed| FixedState::with_seed(seed).hash_one(body));
    let mut digits = Uuid::encode_buffer();
    let digits = Uuid::from_u64_pair(high, low).simple().encode_lower(&mut digits);
    HeaderValue::try_from(["W/\"", digits, "\""].concat()).unwrap_or(HeaderValue::from_static("W/\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_six_decimal_places() {
        for (micros, text) in [
            (0, "0.000000"),
            (7, "0.000007"),
            (1_234, "0.001234"),
            (100_000, "0.100000"),
            (999_999, "0.999999"),
            (1_000_000, "1.000000"),
            (61_000_050, "61.000050"),
        ] {
            assert_eq!(seconds(Duration::from_micros(micros)), text);
        }
        assert_eq!(seconds(Duration::from_nanos(1_999)), "0.000001", "it is not rounded");
    }

    #[test]
    fn a_document_has_its_length_and_the_router_adds_that_of_an_empty_answer() {
        let (parts, ()) = http::Request::get("/v3/dids").body(()).unwrap().into_parts();
        let respond = |body: &'static str| {
            respond(StatusCode::OK, Bytes::from_static(body.as_bytes()), &parts, Duration::ZERO)
        };
        assert_eq!(respond("{\"data\":null}").headers()[header::CONTENT_LENGTH], "13");
        assert!(!respond("").headers().contains_key(header::CONTENT_LENGTH));
    }
}

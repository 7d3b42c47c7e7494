//! A recorded exchange: a request with its response, in the form of a file.

use std::collections::BTreeMap;

use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mask::{HIDDEN, mask, masked_query, masked_url};

/// Maximum number of bytes of a body that a recording keeps.
const MAX_BODY_BYTES: usize = 256 << 10;

/// The header with the version of DIDWW's API.
pub(crate) const VERSION: &str = "x-didww-api-version";
/// The headers of a request that are recorded.
const OF_REQUESTS: [&str; 5] = ["accept", "content-type", "idempotency-key", "origin", VERSION];
/// The headers of a request whose values are credentials.
pub(crate) const CREDENTIALS: [&str; 2] = ["api-key", "authorization"];
/// The headers of an answer that are recorded.
const OF_ANSWERS: [&str; 5] = ["allow", "content-type", "location", "retry-after", VERSION];

/// A request with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Exchange {
    /// The request.
    pub request: RecordedRequest,
    /// Its answer.
    pub response: RecordedResponse,
}

/// A recorded request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// The path, such as `/v3/dids`.
    pub path: String,
    /// The query without its question mark; `None` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The headers that matter, by their names in lower case. The value of a credential is `(hidden)`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body; `None` if it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

/// A recorded answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RecordedResponse {
    /// The status.
    pub status: u16,
    /// The headers that matter, by their names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body; `None` if it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

/// A recorded body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// JSON, with its secrets replaced.
    Json(Value),
    /// Another text, of an answer.
    Text(String),
    /// A body that is not kept, because it is too long, or is neither JSON nor the text of an answer: its number of
    /// bytes.
    Omitted(u64),
}

impl Body {
    /// The body of a request; `None` if it is empty. A text that is not JSON is not kept, because secrets in it would
    /// not be found.
    pub fn of_request(bytes: &[u8]) -> Option<Self> {
        Self::of(bytes, false)
    }

    /// The body of an answer with this media type; `None` if it is empty.
    pub fn of_answer(media_type: Option<&str>, bytes: &[u8]) -> Option<Self> {
        Self::of(bytes, media_type.is_some_and(|kind| kind.starts_with("text/")))
    }

    fn of(bytes: &[u8], is_text: bool) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        let omitted = || Self::Omitted(bytes.len() as u64);
        if bytes.len() > MAX_BODY_BYTES {
            return Some(omitted());
        }
        if let Ok(mut value) = serde_json::from_slice::<Value>(bytes) {
            mask(&mut value);
            return Some(Self::Json(value));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if is_text => Some(Self::Text(masked_url(text).unwrap_or_else(|| text.to_owned()))),
            _ => Some(omitted()),
        }
    }

    /// The bytes to send; `None` for a body that was not kept.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Json(value) => Some(value.to_string().into_bytes()),
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Omitted(_) => None,
        }
    }
}

impl RecordedRequest {
    /// Records a request. `query` is without its question mark.
    pub fn new(method: &str, path: &str, query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut recorded = chosen(headers, &OF_REQUESTS);
        for name in CREDENTIALS.into_iter().filter(|name| headers.contains_key(*name)) {
            recorded.insert(name.to_owned(), HIDDEN.to_owned());
        }
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.filter(|query| !query.is_empty()).map(masked_query),
            headers: recorded,
            body: Body::of_request(body),
        }
    }

    /// The method and the path with its query, for messages.
    pub fn line(&self) -> String {
        match &self.query {
            Some(query) => format!("{} {}?{query}", self.method, self.path),
            None => format!("{} {}", self.method, self.path),
        }
    }
}

impl RecordedResponse {
    /// Records an answer.
    pub fn new(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Self { status, headers: chosen(headers, &OF_ANSWERS), body: Body::of_answer(media_type, body) }
    }
}

impl Exchange {
    /// A request with its answer.
    pub fn new(request: RecordedRequest, response: RecordedResponse) -> Self {
        Self { request, response }
    }
}

/// The headers with these names. A URL in one has no user and no secret.
fn chosen(headers: &HeaderMap, names: &[&str]) -> BTreeMap<String, String> {
    let one = |name: &&str| {
        let value = headers.get(*name)?.to_str().ok()?;
        let masked = masked_url(value).unwrap_or_else(|| match value.split_once('?') {
            // A path on the same host.
            Some((path, query)) if path.starts_with('/') => format!("{path}?{}", masked_query(query)),
            _ => value.to_owned(),
        });
        Some(((*name).to_owned(), masked))
    };
    names.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_recorded_without_its_credentials() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("api-key", "k3y"), ("user-agent", "x"), (VERSION, "2026-11-19")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let body = br#"{"password":"p4ss","name":"A"}"#;
        let request = RecordedRequest::new("POST", "/v3/dids", Some("token=t0k"), &headers, body);
        let text = serde_json::to_string(&request).unwrap();
        for secret in ["k3y", "p4ss", "t0k", "user-agent"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(request.headers.get("api-key").map(String::as_str), Some(HIDDEN));
        assert_eq!(request.body, Some(Body::Json(json!({ "password": HIDDEN, "name": "A" }))));
        assert_eq!(serde_json::from_str::<RecordedRequest>(&text).unwrap(), request);
    }

    #[test]
    fn a_place_in_a_header_has_no_secret() {
        for (place, recorded) in [
            ("/v3/a?token=t0k&n=1", "/v3/a?token=%28hidden%29&n=1"),
            ("https://h/v3/a?n=1", "https://h/v3/a?n=1"),
            ("/v3/a", "/v3/a"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("location", HeaderValue::from_static(place));
            let response = RecordedResponse::new(201, &headers, b"");
            assert_eq!(response.headers.get("location").map(String::as_str), Some(recorded));
        }
    }

    #[test]
    fn a_body_that_cannot_be_masked_or_is_too_long_is_not_kept() {
        assert_eq!(Body::of_request(b"password=p"), Some(Body::Omitted(10)));
        assert_eq!(Body::of_request(b""), None);
        assert_eq!(Body::of_answer(Some("text/html"), b"<p>"), Some(Body::Text("<p>".to_owned())));
        assert_eq!(Body::of_answer(Some("image/png"), b"\x89P"), Some(Body::Omitted(2)));
        let text = Body::of_answer(Some("text/plain"), b"see https://ann:pw@h/ for more");
        assert_eq!(text, Some(Body::Text("see https://h/ for more".to_owned())));
        let body = |length: usize| format!("\"{}\"", "a".repeat(length - 2));
        assert!(matches!(Body::of_request(body(MAX_BODY_BYTES).as_bytes()), Some(Body::Json(_))));
        let long = body(MAX_BODY_BYTES + 1);
        assert_eq!(Body::of_request(long.as_bytes()), Some(Body::Omitted(long.len() as u64)));
    }
}

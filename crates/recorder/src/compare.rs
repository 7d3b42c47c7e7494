//! Sends the requests of a recording to another service, and lists where its answers differ.
//!
//! Requests are sent one after the other in the order of the recording. Ids that a recorded answer had are replaced by
//! those that the other service had at the same place, and hidden credentials by those of the target.

use std::fmt;

use bytes::Bytes;
use didww_types::{ApiVersion, Secret};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Client;
use serde_json::{Value, json};
use url::Url;

use crate::client::{Answer, client, send};
use crate::diff::{Difference, Place, differences, shown};
use crate::error::RecorderError;
use crate::exchange::{Body, CREDENTIALS, Exchange, RecordedResponse, VERSION};
use crate::known_ids::KnownIds;
use crate::mask::masked_url;

/// The lifetime of a token, in seconds.
const TOKEN_SECONDS: u32 = 3_600;

/// The service that is compared with a recording.
#[derive(Debug)]
pub struct Target {
    /// Scheme, host and port, without a slash at the end.
    origin: String,
    api_key: Secret,
    client: Client,
}

impl Target {
    /// A service at `http://HOST:PORT` or `https://HOST`, with an API key of its own.
    ///
    /// # Errors
    /// If it is another URL, such as one with the path of an API, or no HTTP client can be made.
    pub fn new(origin: &str, api_key: Secret) -> Result<Self, RecorderError> {
        let shown = masked_url(origin).unwrap_or_else(|| origin.to_owned());
        let refused = |why: &'static str| RecorderError::Target(shown.clone(), why);
        let url = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url =
            url.ok_or_else(|| refused("give http or https and a host, such as http://127.0.0.1:8080"))?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refused("give scheme, host and port only: the paths are those of the recording"));
        }
        let origin = origin.trim_end_matches('/').to_owned();
        Ok(Self { client: client(origin.starts_with("https:"))?, origin, api_key })
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, RecorderError> {
        let answer = send(&self.client, method, (self.origin.as_str(), target), headers, body).await;
        answer.map_err(|why| self.no_answer(why))
    }

    /// The error of a service that does not answer, without a user and a password in its URL.
    fn no_answer(&self, why: String) -> RecorderError {
        let shown = masked_url(&self.origin).unwrap_or_else(|| self.origin.clone());
        RecorderError::NoAnswer(shown, why)
    }

    /// Mints a token for a version of the API.
    async fn token(&self, version: &str) -> Result<String, RecorderError> {
        let body = json!({ "aud": "api.didww.com", "api_version": version, "expires_in": TOKEN_SECONDS });
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        insert(&mut headers, "api-key", self.api_key.expose());
        let answer = self.send(Method::POST, "/token", headers, body.to_string().into()).await?;
        let minted: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = minted.get("access_token").and_then(Value::as_str).map(str::to_owned);
        token.ok_or_else(|| {
            self.no_answer(format!("POST /token answered {} and no token", answer.status.as_u16()))
        })
    }
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// The number of exchanges that were compared.
    pub compared: usize,
    /// The files that were not compared, because the body of the request was not kept.
    pub skipped: Vec<String>,
    /// The differences, in the order of the recording.
    pub differences: Vec<Difference>,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        for file in &self.skipped {
            writeln!(f, "{file}: not compared: the recording does not have the body of the request")?;
        }
        writeln!(f, "{} exchanges compared, {} differences", self.compared, self.differences.len())
    }
}

/// Sends the requests of exchanges to a service, and compares its answers.
///
/// # Errors
/// If the service does not answer, or mints no token.
pub async fn compare(exchanges: &[(String, Exchange)], target: &Target) -> Result<Comparison, RecorderError> {
    let (mut found, mut ids) = (Comparison::default(), KnownIds::default());
    let mut tokens: Vec<(String, String)> = Vec::new();
    for (file, exchange) in exchanges {
        let request = &exchange.request;
        let (Some(body), Ok(method)) =
            (sent_body(request.body.as_ref(), &ids), Method::try_from(request.method.as_str()))
        else {
            found.skipped.push(file.clone());
            continue;
        };
        let path = ids.replace(&request.path);
        let query = request.query.as_deref().map(|query| format!("?{}", ids.replace(query)));
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            if !CREDENTIALS.contains(&name.as_str()) {
                insert(&mut headers, name, value);
            }
        }
        if request.headers.contains_key("api-key") {
            insert(&mut headers, "api-key", target.api_key.expose());
        }
        if request.headers.contains_key("authorization") {
            let version = request.headers.get(VERSION).map_or(ApiVersion::NEWEST.as_str(), String::as_str);
            let known = tokens.iter().find(|(known, _)| known == version).map(|(_, token)| token.clone());
            let token = if let Some(token) = known {
                token
            } else {
                let token = target.token(version).await?;
                tokens.push((version.to_owned(), token.clone()));
                token
            };
            insert(&mut headers, "authorization", &format!("Bearer {token}"));
        }
        let address = format!("{path}{}", query.unwrap_or_default());
        let Answer { status, headers, body } = target.send(method, &address, headers, body).await?;
        let answered = RecordedResponse::new(status.as_u16(), &headers, &body);
        let places = places(&exchange.response, &answered, &mut ids);
        found.differences.extend(places.into_iter().map(|place| Difference {
            file: file.clone(),
            request: request.line(),
            place: place.at,
            recorded: place.recorded,
            answered: place.answered,
        }));
        found.compared += 1;
    }
    Ok(found)
}

/// The body to send, with the ids of the other service; `None` if it was not kept.
fn sent_body(body: Option<&Body>, ids: &KnownIds) -> Option<Bytes> {
    let Some(body) = body else { return Some(Bytes::new()) };
    let text = String::from_utf8(body.bytes()?).ok()?;
    Some(ids.replace(&text).into())
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

/// The places where two answers differ.
fn places(recorded: &RecordedResponse, answered: &RecordedResponse, ids: &mut KnownIds) -> Vec<Place> {
    let mut places = Vec::new();
    differ(&mut places, "status", recorded.status.to_string(), answered.status.to_string());
    differ(&mut places, "content-type", media_type(recorded), media_type(answered));
    match (&recorded.body, &answered.body) {
        // A body that was not kept cannot be compared.
        (Some(Body::Omitted(_)), _) | (_, Some(Body::Omitted(_))) => {}
        (Some(Body::Json(one)), Some(Body::Json(other))) => places.extend(differences(one, other, ids)),
        (one, other) => differ(&mut places, "body", text(one.as_ref()), text(other.as_ref())),
    }
    places
}

fn differ(places: &mut Vec<Place>, at: &str, recorded: String, answered: String) {
    if recorded != answered {
        places.push(Place { at: at.to_owned(), recorded, answered });
    }
}

/// The media type of an answer, without parameters.
fn media_type(response: &RecordedResponse) -> String {
    let value = response.headers.get("content-type").map_or("", String::as_str);
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn text(body: Option<&Body>) -> String {
    match body {
        None => shown(None),
        Some(Body::Json(value)) => shown(Some(value)),
        Some(Body::Text(text)) => shown(Some(&Value::from(text.as_str()))),
        Some(Body::Omitted(bytes)) => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::RecordedRequest;

    fn response(status: u16, media_type: &'static str, body: &[u8]) -> RecordedResponse {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        RecordedResponse::new(status, &headers, body)
    }

    #[test]
    fn the_status_the_media_type_and_the_body_of_an_answer_count() {
        let of = |recorded: &RecordedResponse, answered: &RecordedResponse| {
            let places = places(recorded, answered, &mut KnownIds::default());
            places.into_iter().map(|place| place.at).collect::<Vec<_>>()
        };
        let recorded = response(200, "application/json; charset=utf-8", br#"{"a":1}"#);
        assert!(of(&recorded, &response(200, "application/json", br#"{"a":1}"#)).is_empty());
        assert_eq!(of(&recorded, &response(404, "application/json", br#"{"a":2}"#)), ["status", "/a"]);
        assert_eq!(of(&recorded, &response(200, "text/html", b"<p>")), ["content-type", "body"]);
        assert_eq!(of(&recorded, &response(200, "application/json", b"")), ["body"]);
    }

    #[test]
    fn a_server_is_a_scheme_a_host_and_a_port() {
        for right in ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "https://trunks.example.com"] {
            assert!(Target::new(right, Secret::new("k3y")).is_ok(), "{right}");
        }
        for wrong in
            ["127.0.0.1:8080", "http://127.0.0.1:8080/v3", "http://h/?a=1", "http://h/#a", "ftp://h", ""]
        {
            let error = Target::new(wrong, Secret::new("k3y")).unwrap_err().to_string();
            assert!(error.contains("is refused: give ") && !error.contains("k3y"), "{wrong}: {error}");
        }
    }

    #[tokio::test]
    async fn a_recording_sends_the_key_to_no_other_host_and_an_error_has_no_password() {
        let target = Target::new("http://ann:hunter2@127.0.0.1:1", Secret::new("k3y")).unwrap();
        for (path, why) in [("@127.0.0.2/v3/dids", "begin with a slash"), ("/v3/dids", "http://127.0.0.1:1 ")]
        {
            let mut headers = HeaderMap::new();
            headers.insert("api-key", HeaderValue::from_static("k"));
            let request = RecordedRequest::new("GET", path, None, &headers, b"");
            let exchange = Exchange::new(request, response(200, "text/plain", b""));
            let error = compare(&[("1.json".to_owned(), exchange)], &target).await.unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        }
    }
}

//! A client for the part of Telnyx's API that a setup needs: a key, a JSON body, an id or an error.
//!
//! It follows no redirect with the key, reads at most 256 KiB of a response, and removes secrets from the
//! carrier's error texts.

use std::time::Duration;

use client_core::{
    Answered, Body, Channel, Exchange, Outgoing, Repeatable, Service, Settings, SpanFields, TransportError,
    TransportKind, url_below,
};
use didww_types::Secret;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tracing::Instrument as _;

use crate::records::providers::SipCredentials;
use crate::setup::carrier::CarrierError;

/// The base URL of Telnyx's API.
pub(super) const PRODUCTION: &str = "https://api.telnyx.com/v2";

const SERVICE: Service = Service {
    production: PRODUCTION,
    domain: "telnyx.com",
    rate: None,
    fields: SpanFields { attempts: "telnyx.attempts", request_id: "telnyx.request_id" },
};

/// Maximum number of bytes of a response. The description of a created object has about 3 kB.
const MAX_RESPONSE_BYTES: usize = 256 << 10;
/// Maximum number of characters of the carrier's error texts that are passed on to the caller.
const MAX_ERROR_CHARS: usize = 600;

/// A client with one API key.
pub(super) struct Client {
    channel: Channel,
    /// Texts that are replaced in the carrier's error texts.
    secrets: [Secret; 3],
}

/// Why a request failed. Its text contains no header and no body of the request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The response has another status than expected; the words are the carrier's.
    #[error("{exchange}: {status}{words}")]
    Answer { exchange: Exchange, status: StatusCode, words: String },
    /// The response is a success, but without an id.
    #[error("{0}: the answer has no id")]
    NoId(Exchange),
    /// The response is missing or incomplete.
    #[error(transparent)]
    NoAnswer(Box<TransportError>),
    /// The path does not lead below the base URL.
    #[error("{0} is not a path below the base URL")]
    Path(String),
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::NoAnswer(Box::new(error))
    }
}

impl Failure {
    /// Whether Telnyx does not accept the key.
    pub(super) fn is_wrong_key(&self) -> bool {
        let statuses = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        matches!(self, Self::Answer { status, .. } if statuses.contains(status))
    }

    /// Whether the request itself is wrong. Statuses 408 and 429 do not imply that.
    pub(super) fn is_refusal(&self) -> bool {
        let other = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        matches!(self, Self::Answer { status, .. } if status.is_client_error() && !other.contains(status))
    }

    /// Whether the request may have taken effect in spite of the failure.
    pub(super) fn may_be_applied(&self) -> bool {
        match self {
            Self::Answer { status, .. } => !status.is_client_error(),
            Self::NoId(_) => true,
            Self::NoAnswer(error) => error.kind != TransportKind::Connect,
            Self::Path(_) => false,
        }
    }
}

impl Client {
    /// A client for the API at a base URL, with a time limit for each request. Sends nothing.
    ///
    /// # Errors
    /// When the base URL or the key is unusable.
    pub(super) fn open(
        base: &str,
        key: &Secret,
        sip: &SipCredentials,
        timeout: Duration,
    ) -> Result<Self, CarrierError> {
        let base = SERVICE.base_url(base).map_err(|error| {
            let sentence = format!("credentials.base_url: {error}.");
            CarrierError::Unfit(sentence)
        })?;
        let bearer = HeaderValue::try_from(format!("Bearer {}", key.expose()));
        let mut bearer = bearer.map_err(|_| {
            let sentence = "credentials.api_key has characters that a header cannot carry.";
            CarrierError::Unfit(sentence.to_owned())
        })?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (ACCEPT, HeaderValue::from_static("application/json")),
            (USER_AGENT, HeaderValue::from_static(concat!("trunk-server/", env!("CARGO_PKG_VERSION")))),
        ]);
        let settings = Settings { timeout, max_answer: MAX_RESPONSE_BYTES, ..Settings::default() };
        let channel = settings.open(base, headers, &SERVICE);
        let channel = channel.map_err(|error| CarrierError::Failed(error.to_string()))?;
        let secrets = [key.clone(), sip.password.clone(), Secret::new(sip.username.clone())];
        Ok(Self { channel, secrets })
    }

    /// Checks that Telnyx accepts the key.
    pub(super) async fn check_key(&self) -> Result<(), Failure> {
        let answered = self.send(Method::GET, "/whoami", "/whoami", None).await?;
        self.expect(answered, &[StatusCode::OK])?;
        Ok(())
    }

    /// Creates an object and returns its id.
    pub(super) async fn create(&self, path: &'static str, body: &Value) -> Result<String, Failure> {
        let answered = self.send(Method::POST, path, path, Some(body)).await?;
        let answered = self.expect(answered, &[StatusCode::OK, StatusCode::CREATED])?;
        id(&answered.body).ok_or(Failure::NoId(answered.exchange))
    }

    /// Deletes an object; one that does not exist is a failure.
    pub(super) async fn delete(&self, path: &str, id: &str) -> Result<(), Failure> {
        let template = format!("{path}/{{id}}");
        let answered = self.send(Method::DELETE, &template, &format!("{path}/{id}"), None).await?;
        self.expect(answered, &[StatusCode::OK, StatusCode::NO_CONTENT])?;
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        template: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answered, Failure> {
        let url = url_below(self.channel.base(), path, "").ok_or_else(|| Failure::Path(path.to_owned()))?;
        let span = client_core::request_span!(
            "telnyx",
            "telnyx.attempts",
            "telnyx.request_id",
            method,
            template,
            url.path(),
        );
        let bytes = body.map(|body| body.to_string().into());
        let body =
            bytes.map(|bytes| Body { media_type: HeaderValue::from_static("application/json"), bytes });
        let repeat = Repeatable::from(&method);
        let outgoing = Outgoing {
            method: &method,
            url: &url,
            body: body.as_ref(),
            headers: None,
            repeat,
            key: None,
            authorization: None,
        };
        Ok(self.channel.send(outgoing).instrument(span).await?)
    }

    fn expect(&self, answered: Answered, good: &[StatusCode]) -> Result<Answered, Failure> {
        if good.contains(&answered.status) {
            return Ok(answered);
        }
        let words = self.words(&answered.body);
        Err(Failure::Answer { exchange: answered.exchange, status: answered.status, words })
    }

    /// The carrier's error texts, after a colon; empty if the body contains none.
    fn words(&self, body: &[u8]) -> String {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<Value>,
        }
        let errors = serde_json::from_slice::<Errors>(body).map_or_else(|_| Vec::new(), |body| body.errors);
        let text_of = |error: &Value| {
            let text = |name| error.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            text("detail").or_else(|| text("title")).map(str::to_owned)
        };
        let mut words = errors.iter().filter_map(text_of).collect::<Vec<_>>().join("; ");
        if words.is_empty() {
            return words;
        }
        for secret in &self.secrets {
            words = words.replace(secret.expose(), "(hidden)");
        }
        let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
        let words: String = words.trim_end_matches('.').chars().map(plain).take(MAX_ERROR_CHARS).collect();
        format!(": {words}")
    }
}

/// The id of a created object: a text or a number of at most 128 characters. An id with characters that would
/// change the meaning of a path is refused.
fn id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Created {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        id: Value,
    }
    let id = match serde_json::from_slice::<Created>(body).ok()?.data.id {
        Value::String(id) => id,
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=128).contains(&id.len()) && id.bytes().all(is_plain)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        let sip = SipCredentials { username: "user7".to_owned(), password: Secret::new("pass7") };
        let client = Client::open("http://127.0.0.1:1", &Secret::new("KEY7"), &sip, Duration::from_secs(1));
        client.unwrap_or_else(|_| panic!("a client can be opened"))
    }

    #[test]
    fn an_id_is_a_text_or_a_number_and_never_a_path() {
        let of = |text: &str| id(format!(r#"{{"data":{{"id":{text},"name":"n"}}}}"#).as_bytes());
        assert_eq!(of(r#""1293384261075731499""#).as_deref(), Some("1293384261075731499"));
        assert_eq!(of("12933842610757314990").as_deref(), Some("12933842610757314990"));
        assert_eq!(of(r#""c3947e93-4a3b_1""#).as_deref(), Some("c3947e93-4a3b_1"));
        for other in [r#""""#, r#""..""#, r#""a/b""#, r#""a?b""#, "1.5", "null", "true", "[]"] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(of(&format!("{:?}", "1".repeat(129))), None);
        assert_eq!(id(br#"{"id":"1"}"#), None);
        assert_eq!(id(b"<html>"), None);
    }

    #[test]
    fn the_carriers_words_are_passed_on_without_secrets_and_bounded() {
        let words =
            |errors: Value| client().words(serde_json::json!({ "errors": errors }).to_string().as_bytes());
        let errors = serde_json::json!([
            { "code": "10015", "title": "Bad Request", "detail": "The user7 is\ntaken" },
            { "title": "Not with KEY7 or pass7." },
            5,
        ]);
        assert_eq!(words(errors), ": The (hidden) is taken; Not with (hidden) or (hidden)");
        assert_eq!(words(serde_json::json!([{ "detail": "x".repeat(10_000) }])).len(), MAX_ERROR_CHARS + 2);
        assert_eq!(words(serde_json::json!([])), "");
        assert_eq!(client().words(b"<html>KEY7</html>"), "");
    }
}

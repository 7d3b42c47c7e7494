//! Telnyx's API, as far as setting up needs it: a key, a JSON body, an id or an error.
//!
//! It follows no redirect with the key, reads no endless answer, and shows no word of the carrier that holds a
//! secret.

use std::time::Duration;

use super::SipCredentials;
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

use super::super::CarrierError;

const SERVICE: Service = Service {
    production: super::PRODUCTION,
    domain: "telnyx.com",
    rate: None,
    fields: SpanFields { attempts: "telnyx.attempts", request_id: "telnyx.request_id" },
};

/// Most bytes of an answer; what was made is told in about 3 kB.
const MOST: usize = 256 << 10;
/// Most characters of the carrier's own words that are passed on.
const WORDS: usize = 600;

/// The API with a key.
pub(super) struct Api {
    channel: Channel,
    /// What the carrier's own words are not to show.
    secrets: [Secret; 3],
}

/// Why a request did not do what it was to do. No text of it has a header or a body that was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The answer is no success; the words are the carrier's.
    #[error("{exchange}: {status}{words}")]
    Answer { exchange: Exchange, status: StatusCode, words: String },
    /// The answer is a success, and does not say what was made.
    #[error("{0}: the answer has no id")]
    NoId(Exchange),
    /// There is no whole answer.
    #[error(transparent)]
    NoAnswer(#[from] TransportError),
    /// The path is none below the base URL.
    #[error("{0} is no path below the base URL")]
    Path(String),
}

impl Failure {
    /// Whether the key is not accepted.
    pub(super) fn is_about_the_key(&self) -> bool {
        let known = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        matches!(self, Self::Answer { status, .. } if known.contains(status))
    }

    /// Whether what was asked for is not right. Too slow and too often say nothing about that.
    pub(super) fn is_refusal(&self) -> bool {
        let other = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        matches!(self, Self::Answer { status, .. } if status.is_client_error() && !other.contains(status))
    }

    /// Whether what was asked for may be there all the same.
    pub(super) fn may_be_done(&self) -> bool {
        match self {
            Self::Answer { status, .. } => !status.is_client_error(),
            Self::NoId(_) => true,
            Self::NoAnswer(error) => error.kind != TransportKind::Connect,
            Self::Path(_) => false,
        }
    }
}

impl Api {
    /// The API at a base URL. Nothing is sent. One request may take so long.
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
        let settings = Settings { timeout, max_answer: MOST, ..Settings::default() };
        let channel = settings.open(base, headers, None, &SERVICE);
        let channel = channel.map_err(|error| CarrierError::Failed(error.to_string()))?;
        let secrets = [key.clone(), sip.password.clone(), Secret::new(sip.username.clone())];
        Ok(Self { channel, secrets })
    }

    /// Whether the key is accepted.
    pub(super) async fn check_key(&self) -> Result<(), Failure> {
        let answered = self.send(Method::GET, "/whoami", "/whoami", None).await?;
        self.expect(answered, &[StatusCode::OK])?;
        Ok(())
    }

    /// Makes something and gives its id.
    pub(super) async fn make(&self, path: &'static str, body: &Value) -> Result<String, Failure> {
        let answered = self.send(Method::POST, path, path, Some(body)).await?;
        let answered = self.expect(answered, &[StatusCode::OK, StatusCode::CREATED])?;
        id(&answered.body).ok_or(Failure::NoId(answered.exchange))
    }

    /// Takes away what was made.
    pub(super) async fn take_away(&self, path: &str, id: &str) -> Result<(), Failure> {
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
        let body = bytes.map(|bytes| Body { media_type: "application/json", bytes });
        let repeat = Repeatable::from(&method);
        let outgoing = Outgoing { method: &method, url: &url, body: body.as_ref(), repeat };
        Ok(self.channel.send(outgoing).instrument(span).await?)
    }

    fn expect(&self, answered: Answered, good: &[StatusCode]) -> Result<Answered, Failure> {
        if good.contains(&answered.status) {
            return Ok(answered);
        }
        let words = self.words(&answered.body);
        Err(Failure::Answer { exchange: answered.exchange, status: answered.status, words })
    }

    /// What the carrier says about it, after a colon; nothing when it says nothing.
    fn words(&self, body: &[u8]) -> String {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<Value>,
        }
        let errors = serde_json::from_slice::<Errors>(body).map_or_else(|_| Vec::new(), |body| body.errors);
        let said = |error: &Value| {
            let text = |name| error.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            text("detail").or_else(|| text("title")).map(str::to_owned)
        };
        let mut words = errors.iter().filter_map(said).collect::<Vec<_>>().join("; ");
        if words.is_empty() {
            return words;
        }
        for secret in &self.secrets {
            words = words.replace(secret.expose(), "(hidden)");
        }
        let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
        let words: String = words.trim_end_matches('.').chars().map(plain).take(WORDS).collect();
        format!(": {words}")
    }
}

/// The id of what was made: a text, or a number. One that would make a path another one is none.
fn id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Made {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        id: Value,
    }
    let id = match serde_json::from_slice::<Made>(body).ok()?.data.id {
        Value::String(id) => id,
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=128).contains(&id.len()) && id.bytes().all(harmless)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Api {
        let sip = SipCredentials { username: "user7".to_owned(), password: Secret::new("pass7") };
        let api = Api::open("http://127.0.0.1:1", &Secret::new("KEY7"), &sip, Duration::from_secs(1));
        api.unwrap_or_else(|_| panic!("an API can be opened"))
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
    fn the_carriers_words_are_passed_on_without_secrets_and_without_end() {
        let words =
            |errors: Value| api().words(serde_json::json!({ "errors": errors }).to_string().as_bytes());
        let errors = serde_json::json!([
            { "code": "10015", "title": "Bad Request", "detail": "The user7 is\ntaken" },
            { "title": "Not with KEY7 or pass7." },
            5,
        ]);
        assert_eq!(words(errors), ": The (hidden) is taken; Not with (hidden) or (hidden)");
        assert_eq!(words(serde_json::json!([{ "detail": "x".repeat(10_000) }])).len(), WORDS + 2);
        assert_eq!(words(serde_json::json!([])), "");
        assert_eq!(api().words(b"<html>KEY7</html>"), "");
    }
}

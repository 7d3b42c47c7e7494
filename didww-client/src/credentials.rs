//! Authentication of requests: by the API key, or by access tokens that the client mints with it.
//!
//! The token service counts its requests apart from those of the API, so it has a channel of its own, over the same
//! HTTP client. A token is for one service alone, and its scope is `read` for a read-only client. No token is printed.

use std::sync::Arc;
use std::time::Duration;

use client_core::{Answered, Body, Channel, Credential, Outgoing, Renewal, Repeatable, Unreadable};
use didww_types::{ApiVersion, DecodeError, ErrorObject};
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::{Error, Refusal, TransportError};

/// The audience of the API: its production host name, in the sandbox too.
pub(crate) const AUDIENCE: &str = "api.didww.com";
/// The lifetime of a token whose response does not state it, as documented.
const DEFAULT_LIFE: Duration = Duration::from_mins(15);

/// How the requests of a client authenticate.
pub(crate) enum Credentials {
    /// By the API key, which is one of the channel's headers.
    Key,
    /// By access tokens, minted with the API key and renewed before they expire.
    Tokens(Box<Tokens>),
}

/// A token as the value of the `Authorization` header.
pub(crate) type Token = Arc<Credential<HeaderValue>>;

/// Mints access tokens. The clones of a client share one token at a time.
pub(crate) struct Tokens {
    service: Arc<TokenService>,
    current: Renewal<HeaderValue, MintFailure>,
}

/// The service that mints tokens. A mint has it for itself, because it goes on without the request that began it.
struct TokenService {
    /// Its base URL is the endpoint, and its headers contain the API key.
    channel: Channel,
    body: Body,
}

/// Why no token was minted, for all requests that waited for it.
#[derive(Clone)]
enum MintFailure {
    Transport(TransportError),
    Refused(Refusal),
    Unreadable(Unreadable),
}

impl From<MintFailure> for Error {
    fn from(failure: MintFailure) -> Self {
        match failure {
            MintFailure::Transport(error) => Self::Transport(Box::new(error)),
            MintFailure::Refused(refusal) => match refusal.status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                    refusal.into_error()
                }
                // A 404 or 422 of the token service says nothing about the record of the request.
                _ => Self::Api(Box::new(refusal)),
            },
            MintFailure::Unreadable(error) => Self::Decode(Box::new(error)),
        }
    }
}

impl Credentials {
    /// Returns the token for a request; `None` if requests have the API key.
    pub(crate) async fn token(&self) -> Result<Option<Token>, Error> {
        match self {
            Self::Key => Ok(None),
            Self::Tokens(tokens) => {
                let service = &tokens.service;
                let token = tokens.current.get(service.channel.timeout(), || Arc::clone(service).mint());
                Ok(Some(token.await?))
            }
        }
    }

    /// Forgets a token that the API refused.
    pub(crate) fn refused(&self, token: &Token) {
        if let Self::Tokens(tokens) = self {
            tokens.current.refused(token);
        }
    }
}

impl Tokens {
    /// A source of tokens for a version and a service. The channel's base URL is the endpoint.
    pub(crate) fn new(channel: Channel, audience: &str, version: ApiVersion, read_only: bool) -> Self {
        let scope = if read_only { "read" } else { "full" };
        let body = json!({ "aud": audience, "scope": scope, "api_version": version.as_str() });
        let body =
            Body { media_type: HeaderValue::from_static("application/json"), bytes: body.to_string().into() };
        Self { service: Arc::new(TokenService { channel, body }), current: Renewal::default() }
    }
}

impl TokenService {
    async fn mint(self: Arc<Self>) -> Result<(HeaderValue, Duration), MintFailure> {
        let url = self.channel.base();
        let span = client_core::request_span!(
            "didww",
            "didww.attempts",
            "didww.request_id",
            Method::POST,
            url.path(),
            url.path(),
        );
        let outgoing = Outgoing {
            method: &Method::POST,
            url,
            body: Some(&self.body),
            // A repeated mint only creates a token that is never used.
            headers: None,
            repeat: Repeatable::Harmless,
            key: None,
            authorization: None,
        };
        let answered = self.channel.send(outgoing).instrument(span).await.map_err(MintFailure::Transport)?;
        if answered.status.is_success() {
            read(&answered)
                .map_err(|error| MintFailure::Unreadable(Unreadable::new(answered.exchange, error)))
        } else {
            Err(MintFailure::Refused(refusal(answered)))
        }
    }
}

/// Reads the token and its lifetime. Errors do not quote the response.
fn read(answered: &Answered) -> Result<(HeaderValue, Duration), DecodeError> {
    let body: Value =
        serde_json::from_slice(&answered.body).map_err(|_| DecodeError::new(".", "expected JSON"))?;
    let token = body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let header = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
    let mut header = header.ok_or_else(|| DecodeError::new("access_token", "expected a token"))?;
    header.set_sensitive(true);
    let life = body.get("expires_in").and_then(Value::as_u64).map_or(DEFAULT_LIFE, Duration::from_secs);
    Ok((header, life))
}

/// Reads the error of the token service, which has the form of OAuth 2.0, as an error object: the error is its code and
/// its title, and the description its detail.
fn refusal(answered: Answered) -> Refusal {
    let body: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut refusal = Refusal::read(answered);
    if let Some(code) = text("error") {
        refusal.errors = vec![ErrorObject {
            title: Some(code.clone()),
            detail: text("error_description").or_else(|| Some(code.clone())),
            code: Some(code),
            status: Some(refusal.status.as_u16().to_string()),
            ..ErrorObject::default()
        }];
    }
    refusal
}

//! Idempotency keys on the API: the requests that use one, the identity of a request, and the errors.

use didww_types::{ApiVersion, ErrorCode, ErrorObject, MEDIA_TYPE};
use http::request::Parts;
use http::{Method, StatusCode};
use http_listener::Recovery;
use http_listener::idempotency::{KeptAnswer, KeyRefusal, Replay, SentKey};

use crate::jsonapi::{ApiError, JSON, Reply};

/// The outcome of a request with a key.
pub(crate) struct KeyedReply(pub(crate) Result<Reply, ApiError>);

impl Replay for KeyedReply {
    fn answer(&self) -> KeptAnswer {
        let (status, body, media_type) = match &self.0 {
            Ok(reply) => (reply.status, reply.body.clone(), reply.content_type),
            Err(error) => (error.status(), error.body().into(), None),
        };
        let content_type = if body.is_empty() { "" } else { media_type.unwrap_or(MEDIA_TYPE) };
        KeptAnswer { status, content_type: content_type.to_owned(), body }
    }

    fn replayed(KeptAnswer { status, content_type, body }: KeptAnswer) -> Self {
        let content_type = (content_type == JSON).then_some(JSON);
        Self(Ok(Reply { status, body, content_type, replayed: true, tag: None }))
    }
}

/// Returns the key of a POST. Other methods are idempotent, and their keys are ignored.
pub(crate) fn key(parts: &Parts) -> Result<Option<SentKey>, KeyRefusal> {
    if parts.method == Method::POST { SentKey::of(&parts.headers) } else { Ok(None) }
}

/// The identity of a request: its path and query, the version that serves it, and its body.
pub(crate) fn identity<'a>(parts: &'a Parts, version: ApiVersion, body: &'a [u8]) -> [&'a [u8]; 4] {
    let query = parts.uri.query().unwrap_or_default();
    [parts.uri.path().as_bytes(), query.as_bytes(), version.as_str().as_bytes(), body]
}

impl From<KeyRefusal> for ApiError {
    fn from(refusal: KeyRefusal) -> Self {
        let status = match refusal {
            KeyRefusal::Store(error) => return error.into(),
            KeyRefusal::Busy => return Self::busy(refusal.to_string()),
            KeyRefusal::Malformed => {
                return Self::new(ErrorCode::BadRequest, "Bad Request", refusal.to_string());
            }
            KeyRefusal::Reused => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::CONFLICT,
        };
        let recovery = (refusal == KeyRefusal::InProgress).then_some(Recovery::Retry);
        // DIDWW has no such errors, and no codes for them: as with its other codes from 400 on, the status is the code.
        let error = Self::from_object(ErrorObject {
            title: status.canonical_reason().map(str::to_owned),
            detail: Some(refusal.to_string()),
            code: Some(status.as_str().to_owned()),
            status: Some(status.as_str().to_owned()),
            ..ErrorObject::default()
        });
        Self { recovery, ..error }
    }
}

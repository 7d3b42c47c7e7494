//! Idempotency keys on the API: the requests that use one, the identity of a request, and the errors.

use axum::body::Bytes;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use http_listener::idempotency::{IDEMPOTENCY_REPLAYED, KeptAnswer, KeyRefusal, Replay, SentKey};

use super::response::json_response;
use crate::caller::Caller;
use crate::entity::json_text;
use crate::error::{ApiError, ApiResult, Status};

const JSON: &str = "application/json; charset=utf-8";

/// The outcome of a request with a key: that of the handler, or a replayed one.
pub(super) enum KeyedAnswer {
    Handled { outcome: ApiResult, request_id: String },
    Replayed(KeptAnswer),
}

impl KeyedAnswer {
    pub(super) fn new(outcome: ApiResult, request_id: String) -> Self {
        Self::Handled { outcome, request_id }
    }

    /// The response, or the handler's error.
    pub(super) fn into_response(self) -> Result<Response, ApiError> {
        match self {
            Self::Handled { outcome, .. } => outcome.map(|text| json_response(StatusCode::OK, text)),
            Self::Replayed(KeptAnswer { status, body, .. }) => {
                let text = String::from_utf8_lossy(&body).into_owned();
                let mut response = json_response(status, text);
                response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
                Ok(response)
            }
        }
    }
}

impl Replay for KeyedAnswer {
    fn answer(&self) -> KeptAnswer {
        let (status, body) = match self {
            Self::Handled { outcome: Ok(text), .. } => (StatusCode::OK, Bytes::from(text.clone())),
            Self::Handled { outcome: Err(error), request_id } => {
                (error.http_status(), json_text(&error.body(request_id)).into())
            }
            Self::Replayed(answer) => return answer.clone(),
        };
        KeptAnswer { status, content_type: JSON.to_owned(), body }
    }

    fn replayed(answer: KeptAnswer) -> Self {
        Self::Replayed(answer)
    }
}

/// Returns the key of a POST. The other methods are idempotent, and their keys are ignored.
pub(super) fn key(parts: &Parts) -> Result<Option<SentKey>, KeyRefusal> {
    if parts.method == Method::POST { SentKey::of(&parts.headers) } else { Ok(None) }
}

/// The identity of a request: its path, its caller, and its body. The query of a POST has only credentials. The caller
/// is part of it because the agents of a customer have different permissions.
pub(super) struct Identity {
    path: String,
    caller: String,
    body: Bytes,
}

pub(super) fn identity(parts: &Parts, caller: &Caller, body: Bytes) -> Identity {
    let path = parts.uri.path().to_owned();
    Identity { path, caller: format!("{caller:?}"), body }
}

impl Identity {
    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [self.path.as_bytes(), self.caller.as_bytes(), &self.body]
    }
}

impl From<KeyRefusal> for ApiError {
    fn from(refusal: KeyRefusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            KeyRefusal::Store(error) => error.into(),
            KeyRefusal::Busy => Self::busy(),
            KeyRefusal::Malformed => Self::new(Status::InvalidArgument, "INVALID_IDEMPOTENCY_KEY", message),
            KeyRefusal::Reused => Self::new(Status::Unprocessable, "IDEMPOTENCY_KEY_REUSED", message),
            KeyRefusal::ResponseLost => {
                Self::new(Status::FailedPrecondition, "IDEMPOTENCY_RESPONSE_LOST", message)
            }
            _ => Self {
                retry_after: Some(1),
                ..Self::new(Status::FailedPrecondition, "IDEMPOTENCY_KEY_IN_USE", message)
            },
        }
    }
}

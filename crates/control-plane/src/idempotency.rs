//! Idempotency keys on the control listener: the requests that use one, the identity of a request, and the errors.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header, response};
use http_listener::idempotency::{
    IDEMPOTENCY_REPLAYED, Idempotency, KeptAnswer, KeyRefusal, Replay, SentKey,
};
use service_core::Core;
use trunk_store::IdempotencyScope;

use crate::ControlError;
use crate::respond::{refused, respond, retry_after};

/// A response whose body was read.
struct Buffered(response::Parts, Bytes);

impl Replay for Buffered {
    fn answer(&self) -> KeptAnswer {
        let content_type = self.0.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        KeptAnswer {
            status: self.0.status,
            content_type: content_type.unwrap_or_default().to_owned(),
            body: self.1.clone(),
        }
    }

    fn replayed(KeptAnswer { status, content_type, body }: KeptAnswer) -> Self {
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = status;
        parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        parts.headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        if let Ok(kind) = HeaderValue::from_str(&content_type) {
            parts.headers.insert(header::CONTENT_TYPE, kind);
        }
        Self(parts, body)
    }
}

/// Returns the key of a POST. The other methods are idempotent, and their keys are ignored.
pub(crate) fn key(parts: &Parts) -> Result<Option<SentKey>, KeyRefusal> {
    if parts.method == Method::POST { SentKey::of(&parts.headers) } else { Ok(None) }
}

/// Runs the handler of a request with a key, or replays the response to an earlier one.
pub(crate) async fn run(
    idempotency: &Idempotency,
    core: &Arc<Core>,
    key: &SentKey,
    parts: Parts,
    body: Bytes,
    next: Next,
) -> Response {
    let target = parts.uri.to_string();
    let identity: [&[u8]; 2] = [target.as_bytes(), &body];
    let handler = {
        let request = Request::from_parts(parts, Body::from(body.clone()));
        async move {
            let (parts, body) = next.run(request).await.into_parts();
            // The handlers of this listener that a POST reaches have their whole response in memory.
            Buffered(parts, to_bytes(body, usize::MAX).await.unwrap_or_default())
        }
    };
    match idempotency.run(core, IdempotencyScope::Control, key, &identity, handler).await {
        Ok(Buffered(parts, body)) => Response::from_parts(parts, Body::from(body)),
        Err(refusal) => refuse(&refusal),
    }
}

/// Builds the response to a request with a key that is not carried out.
pub(crate) fn refuse(refusal: &KeyRefusal) -> Response {
    let wait = matches!(refusal, KeyRefusal::InProgress | KeyRefusal::Busy).then_some(1);
    let status = match refusal {
        KeyRefusal::Store(error) => return respond(Err(ControlError::Store(error.clone()))),
        KeyRefusal::Malformed => StatusCode::BAD_REQUEST,
        KeyRefusal::Reused => StatusCode::UNPROCESSABLE_ENTITY,
        KeyRefusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    };
    retry_after(refused(status, &refusal.to_string()), wait)
}

//! The responses to requests that are refused or fail, and their log lines.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_listener::{Exchange, Recovery};
use service_base::forwarded::{Client, origin};
use service_base::log_limiter::LogLimiter;

use crate::headers;
use crate::jsonapi::ApiError;
use crate::state::Api;

/// Counts the 503 responses by their cause. Under load there are too many of them to log each.
static UNAVAILABLE: LogLimiter = LogLimiter::new("requests were answered 503");

/// Counts the 401 and 429 responses by the address of the client, which can send any number of such requests.
static UNAUTHORIZED: LogLimiter = LogLimiter::new("requests were answered 401 or 429");

/// Counts the other refusals of requests that need no credential: for paths that no version has, and for types that are
/// open to anyone.
static OF_ANYONE: LogLimiter = LogLimiter::new("requests that need no credential were refused");

/// Logs that a request was refused or failed after `runtime`, and builds its response.
pub(crate) fn refused(api: &Api, exchange: &Exchange, runtime: Duration, error: &ApiError) -> Response {
    let Exchange { parts, request_id, .. } = exchange;
    let (method, path) = (&parts.method, parts.uri.path());
    let status = error.status();
    let internal = error.internal.as_deref();
    let detail = error.errors.first().and_then(|error| error.detail.as_deref()).unwrap_or_default();
    let is_summed =
        status == StatusCode::SERVICE_UNAVAILABLE && !UNAVAILABLE.admits(internal, api.core.clock.now());
    if is_summed || error.recovery.is_some_and(|recovery| recovery != Recovery::Retry) {
        tracing::debug!(%method, path, status = status.as_u16(), request_id, ?runtime, internal, "request failed");
    } else if status.is_server_error() {
        tracing::error!(%method, path, status = status.as_u16(), request_id, ?runtime, detail, internal, "request failed");
    } else if !is_summed_by_client(api, error, parts) {
        tracing::info!(%method, path, status = status.as_u16(), request_id, ?runtime, detail, internal, "request refused");
    }
    error_response(error, parts, runtime)
}

/// Builds the response of an error.
pub(crate) fn error_response(error: &ApiError, parts: &Parts, runtime: Duration) -> Response {
    let mut response = headers::respond(error.status(), Bytes::from(error.body()), parts, runtime);
    if let Some(seconds) = error.retry_after.or(error.recovery.and_then(Recovery::retry_after)) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(challenge) = error.challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

/// Returns true for a response that needs no credential, and that is counted in a summary and not logged on its own.
fn is_summed_by_client(api: &Api, error: &ApiError, parts: &Parts) -> bool {
    let limiter = match error.status() {
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => &UNAUTHORIZED,
        _ if error.is_of_anyone => &OF_ANYONE,
        _ => return false,
    };
    !limiter.admits(origin(Client::of(&parts.extensions)), api.core.clock.now())
}

//! The errors of the token service, in the form of OAuth 2.0 (RFC 6749, section 5.2). DIDWW documents the codes; the
//! texts are ours.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use http_listener::{Panicked, Recovery};
use serde::Serialize;
use trunk_store::StoreError;

/// Why no token was minted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MintError {
    /// The body is invalid. The text is for the client.
    InvalidRequest(String),
    /// The scope does not exist.
    InvalidScope,
    /// The API key is missing, unknown, of the other environment, or used from an address that it does not allow. The
    /// text is for the log alone.
    InvalidClient(&'static str),
    /// Too many requests; the client may try again after this number of seconds. The text is for the log alone.
    RateLimitExceeded(u64, &'static str),
    /// The store failed, or a handler panicked. The text is for the log alone.
    Failed(String, Option<Recovery>),
}

impl MintError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::InvalidRequest(_) | Self::InvalidScope => StatusCode::BAD_REQUEST,
            Self::InvalidClient(_) => StatusCode::UNAUTHORIZED,
            Self::RateLimitExceeded(..) => StatusCode::TOO_MANY_REQUESTS,
            Self::Failed(_, Some(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_, None) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The cause, for the log.
    pub(crate) fn cause(&self) -> &str {
        match self {
            Self::InvalidRequest(cause) | Self::Failed(cause, _) => cause,
            Self::InvalidScope => "the scope does not exist",
            Self::InvalidClient(cause) | Self::RateLimitExceeded(_, cause) => cause,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidClient(_) => "invalid_client",
            Self::RateLimitExceeded(..) => "rate_limit_exceeded",
            Self::Failed(_, Some(_)) => "temporarily_unavailable",
            Self::Failed(_, None) => "server_error",
        }
    }

    /// The text for the client, which does not say which of several causes it was.
    fn description(&self) -> &str {
        match self {
            Self::InvalidRequest(description) => description,
            Self::InvalidScope => "scope must be full, read, or a scope that begins with read:",
            Self::InvalidClient(_) => "the API key is missing or not valid here",
            Self::RateLimitExceeded(..) => "too many requests for tokens",
            Self::Failed(_, Some(_)) => "try again later",
            Self::Failed(_, None) => "the server failed",
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimitExceeded(seconds, _) => Some((*seconds).max(1)),
            Self::Failed(_, recovery) => recovery.and_then(Recovery::retry_after),
            _ => None,
        }
    }

    pub(crate) fn response(&self) -> Response {
        #[derive(Serialize)]
        struct Document<'a> {
            error: &'a str,
            error_description: &'a str,
        }
        let document = Document { error: self.code(), error_description: self.description() };
        let mut response = answer(self.status(), &document);
        let seconds = self.retry_after().map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)));
        response.headers_mut().extend(seconds);
        response
    }
}

/// Makes the service's error response with this status, for an injected fault.
pub fn refusal(status: StatusCode) -> Response {
    let code = match status {
        StatusCode::UNAUTHORIZED => "invalid_client",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_exceeded",
        StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        other if other.is_server_error() => "server_error",
        _ => "invalid_request",
    };
    let description = status.canonical_reason().unwrap_or("refused");
    answer(status, &serde_json::json!({ "error": code, "error_description": description }))
}

/// Makes a response with a JSON body, its members in the order of the type, that no cache may store.
pub(crate) fn answer(status: StatusCode, document: &impl Serialize) -> Response {
    // The documents are texts and numbers: encoding them cannot fail.
    let body = serde_json::to_string(document).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().extend([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ]);
    response
}

impl From<StoreError> for MintError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string(), Recovery::of(&error))
    }
}

impl From<Panicked> for MintError {
    fn from(_: Panicked) -> Self {
        Self::Failed("a handler panicked".to_owned(), None)
    }
}

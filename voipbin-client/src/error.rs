//! Errors that one can act on.
//!
//! Each names the method, the path and the request's id. None holds a header, a query, a body that was sent
//! or a credential.

mod endless;
mod not_sent;
mod refusal;
mod still_up;

use std::time::Duration;

use client_core::{Exchange, TransportError, Unreadable};
use reqwest::StatusCode;
use serde_json::{Map, Value};

pub use endless::{Endless, EndlessReason};
pub use not_sent::{NotSent, Reason};
pub use refusal::Refusal;
pub use still_up::StillUp;

use crate::types::ErrorReason;

/// Why a request has no usable answer.
///
/// ```
/// use voipbin_client::Error;
/// use voipbin_client::types::ErrorReason;
///
/// fn advice(error: &Error) -> String {
///     match error {
///         Error::Unauthorized(_) => "log in again".to_owned(),
///         Error::Forbidden(_) => "ask an administrator".to_owned(),
///         Error::RateLimited { retry_after, .. } => format!("wait {retry_after:?}"),
///         other if other.reason() == Some(&ErrorReason::ProviderNotFound) => "list the providers".to_owned(),
///         other => other.to_string(),
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// 400: something in the request is not as it must be.
    #[error("not valid: {0}")]
    Invalid(Box<Refusal>),
    /// 401: the credential is missing, wrong, expired or deleted; or a login was refused.
    #[error("the credentials are not accepted: {0}")]
    Unauthorized(Box<Refusal>),
    /// 403: the caller may not do this.
    #[error("not permitted: {0}")]
    Forbidden(Box<Refusal>),
    /// 404: there is no such record.
    #[error("not found: {0}")]
    NotFound(Box<Refusal>),
    /// 409: the record's state does not allow it.
    #[error("not in this state: {0}")]
    Conflict(Box<Refusal>),
    /// 429: the rate limit was reached, and stayed so as long as the retry policy allows to wait.
    #[error("the rate limit is reached: {refusal}")]
    RateLimited {
        /// The wait that the service asked for, if it did.
        retry_after: Option<Duration>,
        /// The answer.
        refusal: Box<Refusal>,
    },
    /// Any other status that is not a success.
    #[error("refused: {0}")]
    Api(Box<Refusal>),
    /// There is no whole answer. Whether a request that changes something took effect is not known, except
    /// when no connection could be made.
    #[error(transparent)]
    Transport(Box<TransportError>),
    /// The answer is not what the declaration says; the error names the place in the document.
    #[error(transparent)]
    Decode(Box<Unreadable>),
    /// Nothing was sent: the client or the request cannot be built.
    #[error(transparent)]
    NotSent(Box<NotSent>),
    /// A list that does not come to its end was left.
    #[error(transparent)]
    Endless(Box<Endless>),
    /// A call was not over when the time to wait for it was.
    #[error(transparent)]
    StillUp(Box<StillUp>),
}

impl Error {
    /// The answer that refused the request, if it was refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Invalid(refusal)
            | Self::Unauthorized(refusal)
            | Self::Forbidden(refusal)
            | Self::NotFound(refusal)
            | Self::Conflict(refusal)
            | Self::RateLimited { refusal, .. }
            | Self::Api(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The HTTP status of the answer that refused the request.
    pub fn status(&self) -> Option<StatusCode> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// The service's word for what is wrong.
    pub fn reason(&self) -> Option<&ErrorReason> {
        self.refusal()?.reason.as_ref()
    }

    /// The service's sentence about what is wrong.
    pub fn message(&self) -> Option<&str> {
        self.refusal()?.message.as_deref()
    }

    /// The service's facts about what is wrong.
    pub fn details(&self) -> &[Map<String, Value>] {
        self.refusal().map_or(&[], |refusal| &refusal.details)
    }

    /// The request, unless the client itself could not be built.
    pub fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Transport(error) => Some(&error.exchange),
            Self::Decode(error) => Some(&error.exchange),
            Self::NotSent(error) => error.exchange.as_ref(),
            Self::Endless(error) => Some(&error.exchange),
            _ => self.refusal().map(|refusal| &refusal.exchange),
        }
    }

    /// The service's own name for the request.
    pub fn request_id(&self) -> Option<&str> {
        self.exchange()?.request_id.as_deref()
    }

    /// Whether the same request may well succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Transport(_) | Self::RateLimited { .. } => true,
            Self::Api(refusal) => refusal.status.is_server_error(),
            _ => false,
        }
    }

    /// A login that is refused says 400 and nothing else.
    pub(crate) fn of_login(self) -> Self {
        match self {
            Self::Invalid(refusal) => Self::Unauthorized(refusal),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::Method;
    use serde_json::json;

    fn refused(status: u16, body: &Value) -> Error {
        let mut exchange = Exchange::unsent(&Method::GET, "/v1.0/providers");
        exchange.attempts = 2;
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::read(exchange, status, body.to_string().as_bytes()).into_error(None)
    }

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<Error>() <= 32, "{}", size_of::<Error>());
    }

    #[test]
    fn each_status_has_its_kind() {
        let of = |status| refused(status, &Value::Null);
        assert!(matches!(of(400), Error::Invalid(_)));
        assert!(matches!(of(401), Error::Unauthorized(_)));
        assert!(matches!(of(403), Error::Forbidden(_)));
        assert!(matches!(of(404), Error::NotFound(_)));
        assert!(matches!(of(409), Error::Conflict(_)));
        assert!(matches!(of(429), Error::RateLimited { .. }));
        for status in [301, 402, 500, 503] {
            assert!(matches!(of(status), Error::Api(_)), "{status}");
        }
        assert!(matches!(of(400).of_login(), Error::Unauthorized(_)));
        assert!(
            of(503).is_passing() && of(429).is_passing() && !of(402).is_passing() && !of(404).is_passing()
        );
    }

    #[test]
    fn the_text_names_request_status_reason_and_message() {
        let body = json!({"error": {"message": "The provider was not found.", "reason": "PROVIDER_NOT_FOUND",
            "request_id": "req_A", "status": "NOT_FOUND", "details": [{"limited_by": "ip"}]}});
        let error = refused(404, &body);
        assert_eq!(
            error.to_string(),
            "not found: GET /v1.0/providers (request req_A) after 2 attempts: 404 Not Found: \
             PROVIDER_NOT_FOUND: The provider was not found."
        );
        assert_eq!(error.reason(), Some(&ErrorReason::ProviderNotFound));
        assert_eq!(error.request_id(), Some("req_A"));
        assert_eq!(error.details()[0]["limited_by"], "ip");
    }

    #[test]
    fn what_is_odd_in_an_envelope_does_not_hide_the_rest() {
        let body =
            json!({"error": {"message": 7, "reason": "NEW_ONE", "request_id": null, "details": ["x", {}]}});
        let error = refused(500, &body);
        assert_eq!(error.reason().map(ErrorReason::as_str), Some("NEW_ONE"));
        assert_eq!((error.message(), error.request_id(), error.details().len()), (None, None, 1));
    }
}

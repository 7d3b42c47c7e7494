//! The errors of the client, distinguished by how a caller can react to them.
//!
//! Each names the method, the path and the request's id. None contains a header, a query, a request body or a
//! credential.

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
pub use still_up::{Awaited, StillUp};

use crate::types::ErrorReason;

/// Why a request did not succeed.
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
    /// 400: the request is malformed or has an invalid value.
    #[error("not valid: {0}")]
    Invalid(Box<Refusal>),
    /// 401: the credentials are missing, wrong, expired or deleted. Also a refused login.
    #[error("the credentials are not accepted: {0}")]
    Unauthorized(Box<Refusal>),
    /// 402: the customer's balance is below the minimum for this request.
    #[error("the balance does not suffice: {0}")]
    PaymentRequired(Box<Refusal>),
    /// 403: the credentials do not have the permission for this request.
    #[error("not permitted: {0}")]
    Forbidden(Box<Refusal>),
    /// 404: the record does not exist. The text has a hint if the base URL may be wrong.
    #[error("not found: {0}{hint}", hint = .0.address_hint())]
    NotFound(Box<Refusal>),
    /// 409: the state of the record does not allow the request, for example because the record is deleted.
    #[error("not possible in the present state: {0}")]
    Conflict(Box<Refusal>),
    /// 429: the rate limit is exceeded, and the retry policy allows no further attempt.
    #[error("the rate limit is exceeded: {refusal}")]
    RateLimited {
        /// The wait that the last response's `Retry-After` header asks for.
        retry_after: Option<Duration>,
        /// The last response of the service, after the retries that the policy allows.
        refusal: Box<Refusal>,
    },
    /// Any other status outside 2xx.
    #[error("refused: {0}")]
    Api(Box<Refusal>),
    /// No complete response was received. A request that changes something may have taken effect, unless the
    /// kind is [`TransportKind::Connect`](crate::TransportKind::Connect).
    #[error(transparent)]
    Transport(Box<TransportError>),
    /// A successful response does not have the declared shape. The error has the path in the document.
    #[error(transparent)]
    Decode(Box<Unreadable>),
    /// Nothing was sent, because the client or the request could not be built.
    #[error(transparent)]
    NotSent(Box<NotSent>),
    /// The client stopped reading a list because its pages would never end.
    #[error(transparent)]
    Endless(Box<Endless>),
    /// A call had not been answered or had not ended within the time limit of
    /// [`wait_until_answered`](crate::Calls::wait_until_answered) or
    /// [`wait_until_hung_up`](crate::Calls::wait_until_hung_up).
    #[error(transparent)]
    StillUp(Box<StillUp>),
}

impl Error {
    /// The response that refused the request; `None` for other errors.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Invalid(refusal)
            | Self::Unauthorized(refusal)
            | Self::PaymentRequired(refusal)
            | Self::Forbidden(refusal)
            | Self::NotFound(refusal)
            | Self::Conflict(refusal)
            | Self::RateLimited { refusal, .. }
            | Self::Api(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The HTTP status of the response that refused the request; `None` for other errors.
    pub fn status(&self) -> Option<StatusCode> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// The machine-readable reason that the service sent.
    pub fn reason(&self) -> Option<&ErrorReason> {
        self.refusal()?.reason.as_ref()
    }

    /// The human-readable message that the service sent.
    pub fn message(&self) -> Option<&str> {
        self.refusal()?.message.as_deref()
    }

    /// The further facts that the service sent; empty for errors that have none.
    pub fn details(&self) -> &[Map<String, Value>] {
        self.refusal().map_or(&[], |refusal| &refusal.details)
    }

    /// The request; `None` when the client itself could not be built, and for [`Error::StillUp`].
    pub fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Transport(error) => Some(&error.exchange),
            Self::Decode(error) => Some(&error.exchange),
            Self::NotSent(error) => error.exchange.as_ref(),
            Self::Endless(error) => Some(&error.exchange),
            _ => self.refusal().map(|refusal| &refusal.exchange),
        }
    }

    /// The request id that the service assigned, from the `x-request-id` header or the body of the response.
    pub fn request_id(&self) -> Option<&str> {
        self.exchange()?.request_id.as_deref()
    }

    /// Whether the same request is likely to succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Transport(_) | Self::RateLimited { .. } => true,
            Self::Api(refusal) => refusal.status.is_server_error(),
            _ => false,
        }
    }

    /// Converts the error of a login: the service answers a wrong name or password with a 400 without a
    /// reason.
    pub(crate) fn for_login(self) -> Self {
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
    fn each_status_has_its_variant() {
        let error = |status| refused(status, &Value::Null);
        assert!(matches!(error(400), Error::Invalid(_)));
        assert!(matches!(error(401), Error::Unauthorized(_)));
        assert!(matches!(error(402), Error::PaymentRequired(_)));
        assert!(matches!(error(403), Error::Forbidden(_)));
        assert!(matches!(error(404), Error::NotFound(_)));
        assert!(matches!(error(409), Error::Conflict(_)));
        assert!(matches!(error(429), Error::RateLimited { .. }));
        for status in [301, 500, 503] {
            assert!(matches!(error(status), Error::Api(_)), "{status}");
        }
        assert!(matches!(error(400).for_login(), Error::Unauthorized(_)));
        assert!(error(503).is_temporary() && error(429).is_temporary());
        assert!(!error(402).is_temporary() && !error(404).is_temporary());
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
    fn the_text_is_one_line_whatever_the_service_quotes() {
        let message = format!("x\n2026-11-30 INFO logged in{}", "y".repeat(2_000));
        let body = json!({"error": {"message": message, "reason": "A\rB", "request_id": "r\n1"}});
        let text = refused(400, &body).to_string();
        assert!(text.ends_with('y') && text.contains("A B: x 2026-11-30 INFO") && text.contains("r 1"));
        assert!(!text.contains(char::is_control) && text.len() < 1_200, "{text}");
    }

    #[test]
    fn a_malformed_member_of_an_envelope_does_not_hide_the_others() {
        let body =
            json!({"error": {"message": 7, "reason": "NEW_ONE", "request_id": null, "details": ["x", {}]}});
        let error = refused(500, &body);
        assert_eq!(error.reason().map(ErrorReason::as_str), Some("NEW_ONE"));
        assert_eq!((error.message(), error.request_id(), error.details().len()), (None, None, 1));
    }
}

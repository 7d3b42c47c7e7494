//! The errors of the client, distinguished by how a caller can react to them.
//!
//! Each names the method, the path and the request's id. None contains a header, a query, a request body or
//! the API key.

mod endless;
mod misplaced;
mod not_sent;
mod overdue;
mod refusal;

use std::time::Duration;

use client_core::Unreadable;
use didww_types::values::ValueError;
use didww_types::{DecodeError, ErrorObject, Violation};
use reqwest::StatusCode;

pub use endless::{Endless, EndlessReason};
pub use misplaced::Misplaced;
pub use not_sent::{NotSent, Reason};
pub use overdue::Overdue;
pub use refusal::Refusal;

use crate::{Exchange, TransportError};

/// Why a request did not succeed.
///
/// ```
/// use didww_client::Error;
///
/// fn advice(error: &Error) -> String {
///     match error {
///         Error::Unauthorized(_) => "check the API key".to_owned(),
///         Error::Validation(_) if !error.field("name").is_empty() => "choose another name".to_owned(),
///         Error::RateLimited { retry_after, .. } => format!("wait {retry_after:?}"),
///         other => other.to_string(),
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// 401: the API key, or the access token, is missing, wrong, of the other environment, or not allowed from this
    /// source address. The response may have no body; [`Refusal::challenge`] may have the reason.
    #[error("the API key is not accepted: {0}")]
    Unauthorized(Box<Refusal>),
    /// 404: the record does not exist or belongs to another account. The text has a hint if the base URL may be wrong.
    #[error("not found: {0}{hint}", hint = .0.address_hint())]
    NotFound(Box<Refusal>),
    /// 422: values break rules. [`Error::field`] returns the errors of an attribute or relationship.
    #[error("not valid: {0}")]
    Validation(Box<Refusal>),
    /// 429: the rate limit of the API key or the account is exceeded, and the retry policy allows no further attempt.
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
    /// A record did not meet the awaited condition before the deadline.
    #[error(transparent)]
    Overdue(Box<Overdue>),
    /// A value outside its documented limits. It lets `?` convert the errors of the constructors of
    /// [`values`](didww_types::values).
    #[error(transparent)]
    Value(Box<ValueError>),
    /// A blocking call could not run where it was made.
    #[error(transparent)]
    Misplaced(Box<Misplaced>),
}

impl Error {
    /// The response that refused the request; `None` for other errors.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Unauthorized(refusal)
            | Self::NotFound(refusal)
            | Self::Validation(refusal)
            | Self::RateLimited { refusal, .. }
            | Self::Api(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The HTTP status of the response that refused the request; `None` for other errors.
    pub fn status(&self) -> Option<StatusCode> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// The service's error objects; empty for errors that have none.
    pub fn errors(&self) -> &[ErrorObject] {
        self.refusal().map_or(&[], |refusal| &refusal.errors)
    }

    /// Whether the service answered 404: the record does not exist, or belongs to another account.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether another record has the value of a member that must be unique, such as a trunk's name. `field("name")`
    /// finds the error of one member. DIDWW's errors state it by their title alone.
    pub fn is_taken(&self) -> bool {
        self.errors().iter().any(is_taken)
    }

    /// The error objects whose pointer leads to or into the attribute or relationship `name`.
    pub fn field(&self, name: &str) -> Vec<&ErrorObject> {
        self.errors().iter().filter(|error| is_about(error, name)).collect()
    }

    /// The request; `None` when the client itself could not be built.
    pub fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Transport(error) => Some(&error.exchange),
            Self::Decode(error) => Some(&error.exchange),
            Self::NotSent(error) => error.exchange.as_ref(),
            Self::Endless(error) => Some(&error.exchange),
            Self::Overdue(error) => Some(&error.exchange),
            _ => self.refusal().map(|refusal| &refusal.exchange),
        }
    }

    /// The `x-request-id` of the response, by which DIDWW's support finds the request.
    pub fn request_id(&self) -> Option<&str> {
        self.exchange()?.request_id.as_deref()
    }

    pub(crate) fn decode(exchange: &Exchange, error: DecodeError) -> Self {
        Self::Decode(Box::new(Unreadable::new(exchange.clone(), error)))
    }
}

impl From<ValueError> for Error {
    fn from(error: ValueError) -> Self {
        Self::Value(Box::new(error))
    }
}

/// Whether an error states that a value must be unique and is not.
fn is_taken(error: &ErrorObject) -> bool {
    error.title.as_deref() == Some(Violation::Taken.to_string().as_str())
}

/// Whether an error's pointer, such as `/data/attributes/name` or `/data/relationships/dids/0`, contains the
/// name.
fn is_about(error: &ErrorObject, name: &str) -> bool {
    error.pointer().is_some_and(|pointer| pointer.split('/').skip(3).any(|segment| segment == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use didww_types::ErrorCode;
    use reqwest::Method;

    fn refused(status: u16, pointers: &[&str]) -> Error {
        let errors = pointers
            .iter()
            .map(|pointer| {
                ErrorObject::new(ErrorCode::Validation, "is invalid", "x - is invalid").at(*pointer)
            })
            .collect();
        let mut exchange = Exchange::unsent(&Method::POST, "/v3/dids");
        exchange.request_id = Some("r-1".to_owned());
        exchange.attempts = 2;
        let body = serde_json::to_vec(&didww_types::ErrorDocument { errors }).unwrap();
        let answered = client_core::Answered {
            exchange,
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            challenge: None,
            body: body.into(),
            unclear: false,
        };
        Refusal::read(answered).into_error()
    }

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<Error>() <= 32, "{}", size_of::<Error>());
    }

    #[test]
    fn each_status_has_its_variant() {
        assert!(matches!(refused(401, &[]), Error::Unauthorized(_)));
        assert!(matches!(refused(404, &[]), Error::NotFound(_)));
        assert!(matches!(refused(422, &[]), Error::Validation(_)));
        assert!(matches!(refused(429, &[]), Error::RateLimited { .. }));
        for status in [302, 400, 403, 409, 500, 503] {
            assert!(matches!(refused(status, &[]), Error::Api(_)), "{status}");
        }
    }

    #[test]
    fn what_a_program_reacts_to_has_a_question_of_its_own() {
        assert!(refused(404, &[]).is_not_found() && !refused(422, &[]).is_not_found());
        let mut taken = refused(422, &["/data/attributes/name"]);
        assert!(!taken.is_taken());
        if let Error::Validation(refusal) = &mut taken {
            refusal.errors[0].title = Some("has already been taken".to_owned());
        }
        assert!(taken.is_taken() && taken.field("name").len() == 1);
        let value = didww_types::values::TechPrefix::new("x").unwrap_err();
        assert_eq!(Error::from(value.clone()).to_string(), value.to_string());
    }

    #[test]
    fn errors_are_found_by_the_field_that_caused_them() {
        let error = refused(
            422,
            &[
                "/data/attributes/name",
                "/data/attributes/authentication_method/type",
                "/data/relationships/dids/0",
            ],
        );
        assert_eq!(error.field("name").len(), 1);
        assert_eq!(error.field("authentication_method").len(), 1);
        assert_eq!(error.field("type").len(), 1);
        assert_eq!(error.field("dids").len(), 1);
        assert!(error.field("attributes").is_empty());
    }

    #[test]
    fn the_text_is_one_line_whatever_the_service_quotes() {
        let mut error = refused(422, &["/data/attributes/name"]);
        let Error::Validation(refusal) = &mut error else { panic!("another error") };
        refusal.errors[0].detail = Some(format!("x\n2026-11-30 INFO logged in{}", "y".repeat(2_000)));
        let text = error.to_string();
        assert!(text.contains("x 2026-11-30 INFO") && !text.contains('\n') && text.len() < 1_200, "{text}");
    }

    #[test]
    fn the_text_names_request_status_and_reason() {
        assert_eq!(
            refused(422, &["/data/attributes/name"]).to_string(),
            "not valid: POST /v3/dids (request r-1) after 2 attempts: 422 Unprocessable Entity: x - is invalid"
        );
        assert_eq!(refused(503, &[]).request_id(), Some("r-1"));
    }
}

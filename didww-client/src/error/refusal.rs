//! A response with a status outside 2xx.

use std::fmt;
use std::time::Duration;

use client_core::Answered;
use didww_types::ErrorObject;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Exchange};

/// A response with a status outside 2xx, with the service's error objects.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// The request that was refused.
    pub exchange: Exchange,
    /// The HTTP status of the response.
    pub status: StatusCode,
    /// The error objects; empty when the body is not a JSON:API error document, for example that of a proxy.
    pub errors: Vec<ErrorObject>,
    /// The wait that the response's `Retry-After` header asks for.
    pub retry_after: Option<Duration>,
    /// The `WWW-Authenticate` header of the response, such as `Bearer error="insufficient_scope"`.
    pub challenge: Option<String>,
}

impl Refusal {
    /// Decodes the error objects one by one, so that a malformed one does not hide the others.
    pub(crate) fn read(answered: Answered) -> Self {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<Value>,
        }
        let Answered { exchange, status, retry_after, challenge, body, .. } = answered;
        let errors = serde_json::from_slice::<Errors>(&body).map_or_else(|_| Vec::new(), |body| body.errors);
        let errors = errors.into_iter().filter_map(|error| serde_json::from_value(error).ok()).collect();
        Self { exchange, status, errors, retry_after, challenge }
    }

    /// Whether the access token was refused because its scope does not permit the request: a read-only one was used to
    /// write.
    pub fn is_insufficient_scope(&self) -> bool {
        self.has_challenge("insufficient_scope")
    }

    /// Whether the access token itself was refused, such as an expired one.
    pub fn is_invalid_token(&self) -> bool {
        self.has_challenge("invalid_token")
    }

    fn has_challenge(&self, error: &str) -> bool {
        self.challenge.as_deref().is_some_and(|challenge| challenge.contains(&format!("error=\"{error}\"")))
    }

    pub(crate) fn into_error(self) -> Error {
        let (status, retry_after) = (self.status, self.retry_after);
        let refusal = Box::new(self);
        match status {
            StatusCode::UNAUTHORIZED => Error::Unauthorized(refusal),
            StatusCode::NOT_FOUND => Error::NotFound(refusal),
            StatusCode::UNPROCESSABLE_ENTITY => Error::Validation(refusal),
            StatusCode::TOO_MANY_REQUESTS => Error::RateLimited { retry_after, refusal },
            _ => Error::Api(refusal),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.exchange, self.status)?;
        let mut separator = ": ";
        for error in &self.errors {
            let text =
                error.detail.as_deref().or(error.title.as_deref()).unwrap_or("an error without a text");
            write!(f, "{separator}{text}")?;
            separator = "; ";
        }
        Ok(())
    }
}

//! An answer that is not a success.

use std::fmt;
use std::time::Duration;

use didww_types::ErrorObject;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Exchange};

/// An answer that is not a success, with the service's own error objects.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// The request.
    pub exchange: Exchange,
    /// The HTTP status.
    pub status: StatusCode,
    /// The error objects; none when the answer came from something else than the API.
    pub errors: Vec<ErrorObject>,
}

impl Refusal {
    /// Reads what can be read of the body: one odd member must not hide the rest.
    pub(crate) fn read(exchange: Exchange, status: StatusCode, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<Value>,
        }
        let errors = serde_json::from_slice::<Errors>(body).map_or_else(|_| Vec::new(), |body| body.errors);
        let errors = errors.into_iter().filter_map(|error| serde_json::from_value(error).ok()).collect();
        Self { exchange, status, errors }
    }

    pub(crate) fn into_error(self, retry_after: Option<Duration>) -> Error {
        let status = self.status;
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

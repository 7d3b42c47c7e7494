//! A response with a status outside 2xx.

use std::fmt;
use std::time::Duration;

use client_core::one_line;
use reqwest::StatusCode;
use serde_json::{Map, Value};

use crate::types::{ErrorReason, ErrorStatus};
use crate::{Error, Exchange};

/// The segments with which every path of the API begins.
const VERSION_SEGMENTS: [&str; 2] = ["v1.0", "v1"];
const ADDRESS_HINT: &str = "; the path has no /v1.0: the base URL looks like `https://api.voipbin.net/v1.0`";

/// The maximum number of characters of a text of the service that `Display` prints.
const MAX_TEXT_CHARACTERS: usize = 1_000;
/// The maximum number of characters of a request id in a body, as in a header.
const MAX_ID_CHARACTERS: usize = 128;

/// A response with a status outside 2xx, with the members of the service's error envelope.
///
/// All of those are absent when the body is not an error envelope, for example that of a proxy.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// The request that was refused.
    pub exchange: Exchange,
    /// The HTTP status of the response.
    pub status: StatusCode,
    /// The service's own status, such as `NOT_FOUND`.
    pub kind: Option<ErrorStatus>,
    /// The machine-readable reason, such as `PROVIDER_NOT_FOUND`.
    pub reason: Option<ErrorReason>,
    /// The message, such as `provider_id is required.`. Its wording may change.
    pub message: Option<String>,
    /// Further facts about the error, such as `{"limited_by": "customer"}`.
    pub details: Vec<Map<String, Value>>,
}

impl Refusal {
    /// Decodes the members of the envelope one by one, so that a malformed one does not hide the others.
    pub(crate) fn read(mut exchange: Exchange, status: StatusCode, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = body.get("error");
        let text = |name| error.and_then(|error| error.get(name)).and_then(Value::as_str);
        let details = error.and_then(|error| error.get("details")).and_then(Value::as_array);
        if exchange.request_id.is_none() {
            let id = text("request_id").filter(|id| !id.is_empty());
            exchange.request_id = id.map(|id| one_line(id, MAX_ID_CHARACTERS));
        }
        Self {
            exchange,
            status,
            kind: text("status").map(ErrorStatus::from),
            reason: text("reason").map(ErrorReason::from),
            message: text("message").map(ToOwned::to_owned),
            details: details.into_iter().flatten().filter_map(Value::as_object).cloned().collect(),
        }
    }

    /// A hint for a 404 of a path that is not the API's; empty if the response has the API's error envelope.
    pub(crate) fn address_hint(&self) -> &'static str {
        let path = &self.exchange.path;
        // The path of the login has no version segment.
        let is_right = path.split('/').any(|segment| VERSION_SEGMENTS.contains(&segment))
            || path.ends_with("/auth/login");
        if is_right || self.reason.is_some() { "" } else { ADDRESS_HINT }
    }

    pub(crate) fn into_error(self, retry_after: Option<Duration>) -> Error {
        let status = self.status;
        let refusal = Box::new(self);
        match status {
            StatusCode::BAD_REQUEST => Error::Invalid(refusal),
            StatusCode::UNAUTHORIZED => Error::Unauthorized(refusal),
            StatusCode::PAYMENT_REQUIRED => Error::PaymentRequired(refusal),
            StatusCode::FORBIDDEN => Error::Forbidden(refusal),
            StatusCode::NOT_FOUND => Error::NotFound(refusal),
            StatusCode::CONFLICT => Error::Conflict(refusal),
            StatusCode::TOO_MANY_REQUESTS => Error::RateLimited { retry_after, refusal },
            _ => Error::Api(refusal),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.exchange, self.status)?;
        if let Some(reason) = &self.reason {
            write!(f, ": {}", one_line(reason.as_str(), MAX_TEXT_CHARACTERS))?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {}", one_line(message, MAX_TEXT_CHARACTERS))?;
        }
        Ok(())
    }
}

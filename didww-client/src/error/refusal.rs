//! A response with a status outside 2xx.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use client_core::{Answered, one_line};
use didww_types::ErrorObject;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Exchange};

/// The members in which other services than DIDWW put the text of an error, the most specific one first.
const TEXT_MEMBERS: [&str; 5] = ["error_description", "message", "detail", "title", "error"];
/// The maximum number of characters of such a text that `Display` prints.
const MAX_TEXT_CHARACTERS: usize = 200;
/// The maximum number of characters of the text of an error object that `Display` prints.
const MAX_DETAIL_CHARACTERS: usize = 1_000;

/// The segment of every path of the API.
const VERSION_SEGMENT: &str = "v3";
/// The title of the error for a record that does not exist.
const NO_RECORD: &str = "Record not found";
const ADDRESS_HINT: &str = "; the path has no /v3: the base URL looks like `https://api.didww.com/v3`";

/// A response with a status outside 2xx, with the service's error objects. `Debug` does not print the body.
#[derive(Clone, PartialEq)]
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
    body: Bytes,
}

impl Refusal {
    /// Decodes the error objects one by one, so that a malformed one does not hide the others. One of another shape is
    /// kept as text.
    pub(crate) fn read(answered: Answered) -> Self {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<Value>,
        }
        let Answered { exchange, status, retry_after, challenge, body, .. } = answered;
        let errors = serde_json::from_slice::<Errors>(&body).map_or_else(|_| Vec::new(), |body| body.errors);
        let errors = errors.into_iter().map(read_error).collect();
        Self { exchange, status, errors, retry_after, challenge, body }
    }

    /// The body as received, at most as large as the client's limit for responses. Errors in the shape of OAuth, of
    /// Rails or of a proxy are readable here.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as text. Bytes that are not UTF-8 become replacement characters.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON; `None` if it is not valid JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
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

    /// A hint for a 404 of a path that is not the API's; empty for a record that does not exist.
    pub(crate) fn address_hint(&self) -> &'static str {
        let is_versioned = self.exchange.path.split('/').any(|segment| segment == VERSION_SEGMENT);
        let is_of_record = self.errors.iter().any(|error| error.title.as_deref() == Some(NO_RECORD));
        if is_versioned || is_of_record { "" } else { ADDRESS_HINT }
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

fn read_error(value: Value) -> ErrorObject {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    serde_json::from_value(value)
        .unwrap_or_else(|_| ErrorObject { detail: Some(text), ..ErrorObject::default() })
}

/// Returns the text of an error in another shape than DIDWW's, on one line and cut.
fn foreign_text(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = TEXT_MEMBERS.iter().find_map(|member| match body.get(member)? {
        Value::String(text) => Some(text),
        Value::Object(inner) => match inner.get("message")? {
            Value::String(text) => Some(text),
            _ => None,
        },
        _ => None,
    })?;
    Some(one_line(text, MAX_TEXT_CHARACTERS))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.exchange, self.status)?;
        if self.errors.is_empty()
            && let Some(text) = foreign_text(&self.body)
        {
            return write!(f, ": {text}");
        }
        let mut separator = ": ";
        for error in &self.errors {
            let text =
                error.detail.as_deref().or(error.title.as_deref()).unwrap_or("an error without a text");
            write!(f, "{separator}{}", one_line(text, MAX_DETAIL_CHARACTERS))?;
            separator = "; ";
        }
        Ok(())
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("exchange", &self.exchange)
            .field("status", &self.status)
            .field("errors", &self.errors)
            .field("retry_after", &self.retry_after)
            .field("challenge", &self.challenge)
            .finish_non_exhaustive()
    }
}

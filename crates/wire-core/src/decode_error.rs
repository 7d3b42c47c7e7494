//! The error of JSON that cannot be decoded, with its path in the document.

use std::fmt;

use serde::de::DeserializeOwned;

/// JSON that is malformed or does not match the declared shape. It names the path of the first mismatch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{path}`: {message}")]
pub struct DecodeError {
    path: String,
    message: String,
}

impl DecodeError {
    /// Creates an error at a path such as `data.attributes.created_at`.
    pub fn new(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { path: path.into(), message: message.to_string() }
    }

    /// Converts an error of `serde_path_to_error`, prefixing its path with the path of the value that was
    /// decoded.
    pub fn below<E: fmt::Display>(parent: impl fmt::Display, error: &serde_path_to_error::Error<E>) -> Self {
        let inner = error.path().to_string();
        let path = match inner.as_str() {
            "." => parent.to_string(),
            index if index.starts_with('[') => format!("{parent}{index}"),
            member => format!("{parent}.{member}"),
        };
        Self::new(path, error.inner())
    }

    /// Creates the error for a record whose `type` member is not the expected one.
    pub fn wrong_type(expected: &str, found: &str) -> Self {
        Self::new("type", format_args!("expected `{expected}`, found `{found}`"))
    }

    /// The path in the document, such as `data.attributes.created_at`; `.` is the document itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The problem at the path. It may quote the offending value, except a [`Secret`](crate::Secret).
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Prefixes the path with `outer` and a dot.
    #[must_use]
    pub fn under(mut self, outer: impl fmt::Display) -> Self {
        self.path = format!("{outer}.{}", self.path);
        self
    }
}

/// Decodes a JSON text. Text after the value is an error, white space excepted.
///
/// # Errors
/// Returns an error with the path when the text is not JSON or does not have the shape of `T`.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    // Tracking the path costs time, and only an error needs it.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| DecodeError::new(error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| DecodeError::new(".", error))?;
    Ok(value)
}

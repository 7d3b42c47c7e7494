//! JSON that cannot be read, and where.

use std::fmt;

use serde::de::DeserializeOwned;

/// JSON that is not what the declaration says, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{path}`: {message}")]
pub struct DecodeError {
    path: String,
    message: String,
}

impl DecodeError {
    /// An error at a place in the document.
    pub fn new(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { path: path.into(), message: message.to_string() }
    }

    /// What a deserialiser that follows its path found below a place.
    pub fn below<E: fmt::Display>(place: impl fmt::Display, error: &serde_path_to_error::Error<E>) -> Self {
        let inner = error.path().to_string();
        let path = match inner.as_str() {
            "." => place.to_string(),
            index if index.starts_with('[') => format!("{place}{index}"),
            member => format!("{place}.{member}"),
        };
        Self::new(path, error.inner())
    }

    /// A record of another type than the one that belongs here.
    pub fn wrong_type(expected: &str, found: &str) -> Self {
        Self::new("type", format_args!("expected `{expected}`, found `{found}`"))
    }

    /// The place in the document, such as `data.attributes.created_at`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong there.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error, seen from further out in the document.
    #[must_use]
    pub fn under(mut self, outer: impl fmt::Display) -> Self {
        self.path = format!("{outer}.{}", self.path);
        self
    }
}

/// Reads a whole JSON text.
///
/// # Errors
/// When the text is no JSON or not of this shape; the error names the place.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    // Following the path costs time, and only an error has a use for it.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| DecodeError::new(error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| DecodeError::new(".", error))?;
    Ok(value)
}

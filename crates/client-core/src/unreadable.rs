//! The error of a response that cannot be decoded.

use wire_core::DecodeError;

use crate::Exchange;

/// A successful response whose body does not have the declared shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{exchange}: the response cannot be decoded {error}")]
#[non_exhaustive]
pub struct Unreadable {
    /// The request that was answered.
    pub exchange: Exchange,
    /// The path in the document, and the problem there.
    pub error: DecodeError,
}

impl Unreadable {
    /// Creates the error for the response to a request.
    pub fn new(exchange: Exchange, error: DecodeError) -> Self {
        Self { exchange, error }
    }
}

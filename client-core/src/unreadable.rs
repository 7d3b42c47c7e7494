//! An answer that came, and says something else than it should.

use wire_core::DecodeError;

use crate::Exchange;

/// An answer is not what the declaration says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{exchange}: the answer cannot be read {error}")]
#[non_exhaustive]
pub struct Unreadable {
    /// The request.
    pub exchange: Exchange,
    /// The place in the document, and what is wrong there.
    pub error: DecodeError,
}

impl Unreadable {
    /// The answer to this request.
    pub fn new(exchange: Exchange, error: DecodeError) -> Self {
        Self { exchange, error }
    }
}

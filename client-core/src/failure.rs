//! No whole answer came.

use std::fmt;

use crate::Exchange;

/// What went wrong between the client and the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportKind {
    /// No connection could be made: name, route, refusal or TLS. The request was not sent.
    Connect,
    /// The answer was not there within the client's timeout.
    Timeout,
    /// The connection ended before the answer did.
    Interrupted,
    /// The answer is larger than the client reads.
    TooLarge {
        /// The most bytes that the client reads.
        limit: usize,
    },
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("no connection could be made"),
            Self::Timeout => f.write_str("no answer within the timeout"),
            Self::Interrupted => f.write_str("the connection ended before the answer did"),
            Self::TooLarge { limit } => write!(f, "the answer is larger than {limit} bytes"),
        }
    }
}

/// There is no whole answer to a request.
#[derive(Debug, thiserror::Error)]
#[error("{exchange}: {kind}")]
#[non_exhaustive]
pub struct TransportError {
    /// The request.
    pub exchange: Exchange,
    /// What went wrong.
    pub kind: TransportKind,
    /// The HTTP client's own error, without its URL.
    #[source]
    pub source: Option<reqwest::Error>,
}

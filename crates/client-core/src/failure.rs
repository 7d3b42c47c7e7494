//! The error of a request that did not receive a complete response.

use std::fmt;
use std::sync::Arc;

use crate::Exchange;

/// Why there is no complete response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportKind {
    /// No connection could be established: the name did not resolve, there was no route, the peer refused, or
    /// TLS failed. The request was not sent.
    Connect,
    /// The response was not complete within the client's timeout. The request may have taken effect.
    Timeout,
    /// The connection closed before the response was complete. The request may have taken effect.
    Interrupted,
    /// The response is larger than the client's limit. The request may have taken effect.
    TooLarge {
        /// The client's size limit of a response body, in bytes.
        limit: usize,
    },
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("no connection could be established"),
            Self::Timeout => f.write_str("no complete response within the timeout"),
            Self::Interrupted => f.write_str("the connection closed before the response was complete"),
            Self::TooLarge { limit } => write!(f, "the response is larger than {limit} bytes"),
        }
    }
}

/// A request did not receive a complete response.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{exchange}: {kind} ({host}{})", root_cause(.source.as_ref()))]
#[non_exhaustive]
pub struct TransportError {
    /// The request, with the number of attempts.
    pub exchange: Exchange,
    /// The reason, as a value to match on.
    pub kind: TransportKind,
    /// The host and port that the request was for.
    pub host: String,
    /// The error of the HTTP client, without the URL, which may hold secrets.
    #[source]
    pub source: Option<Arc<reqwest::Error>>,
}

/// The innermost cause of an error, such as `Connection refused`, as the continuation of a sentence.
fn root_cause(error: Option<&Arc<reqwest::Error>>) -> String {
    let Some(error) = error else { return String::new() };
    let mut cause: &dyn std::error::Error = &**error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!(": {cause}")
}

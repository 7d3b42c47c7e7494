//! A list that does not come to its end.

use std::fmt;

use client_core::Exchange;

/// How a list showed that it would not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndlessReason {
    /// The next page does not lie beyond the one that was read.
    NoProgress {
        /// The token of the next page.
        next: String,
    },
    /// A page without records names a next one.
    Empty,
}

/// A list that was left because it would not come to its end. The pages read so far were handed out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{exchange}: the list does not end: page {page} {reason}")]
#[non_exhaustive]
pub struct Endless {
    /// The last request.
    pub exchange: Exchange,
    /// Which page of the walk was read last, from 1.
    pub page: u64,
    /// How it showed.
    pub reason: EndlessReason,
}

impl fmt::Display for EndlessReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgress { next } => write!(f, "names `{next}` as the next one, which leads back"),
            Self::Empty => f.write_str("has no records and names a next one"),
        }
    }
}

//! The error of a list whose pages never end.

use std::fmt;

/// The client stopped reading a list because its pages would never end.
pub type Endless = client_core::Endless<EndlessReason>;

/// How the client detected that the pages of a list would never end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndlessReason {
    /// The token of the next page leads to a page that has been read already.
    NoProgress {
        /// The token of the next page.
        next: String,
    },
    /// A page without records has the token of a next page.
    Empty,
}

impl fmt::Display for EndlessReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgress { next } => {
                write!(f, "has the next page token `{next}`, which leads back to a page already read")
            }
            Self::Empty => f.write_str("has no records and has a next page token"),
        }
    }
}

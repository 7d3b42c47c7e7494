//! A list that does not come to its end.

use std::fmt;

/// A list that was left because it would not come to its end.
pub type Endless = client_core::Endless<EndlessReason>;

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

impl fmt::Display for EndlessReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgress { next } => write!(f, "names `{next}` as the next one, which leads back"),
            Self::Empty => f.write_str("has no records and names a next one"),
        }
    }
}

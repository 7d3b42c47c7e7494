//! The error of a list whose pages never end.

use std::fmt;

/// The client stopped reading a list because its pages would never end.
pub type Endless = client_core::Endless<EndlessReason>;

/// How the client detected that the pages of a list would never end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndlessReason {
    /// A page links to a next page that has been read already.
    Repeated {
        /// The number of the page to which it links.
        next: u64,
    },
    /// A page without records links to a next page.
    Empty,
    /// As many records as the list's `total_records` have been read, and the page links to a next page.
    BeyondTotal {
        /// The number of records that the list claims to have, its `total_records`.
        total: u64,
    },
}

impl fmt::Display for EndlessReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated { next } => write!(f, "links to page {next} as the next page"),
            Self::Empty => f.write_str("has no records and links to a next page"),
            Self::BeyondTotal { total } => write!(f, "links to a next page after all {total} records"),
        }
    }
}

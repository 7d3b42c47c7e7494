//! A list that does not come to its end.

use std::fmt;

/// A list that was left because it would not come to its end.
pub type Endless = client_core::Endless<EndlessReason>;

/// How a list showed that it would not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndlessReason {
    /// The next page is one that was read already.
    Repeated {
        /// The number of the page that is named as the next one.
        next: u64,
    },
    /// A page without records names a next one.
    Empty,
    /// All records that the list says it has were read, and it names a next page.
    BeyondTotal {
        /// How many records the list says it has.
        total: u64,
    },
}

impl fmt::Display for EndlessReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated { next } => write!(f, "names page {next} as the next one"),
            Self::Empty => f.write_str("has no records and names a next one"),
            Self::BeyondTotal { total } => write!(f, "names a next one after all {total} records"),
        }
    }
}

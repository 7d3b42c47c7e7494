//! The error of a wait that reached its deadline.

use std::time::Duration;

use crate::Exchange;

/// A record did not meet the awaited condition in time. It may still meet it later: the wait changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{exchange}: the record is not as expected after {}.{:03} s", .waited.as_secs(), .waited.subsec_millis())]
#[non_exhaustive]
pub struct Overdue {
    /// The request with which the record was read.
    pub exchange: Exchange,
    /// The time for which the record was watched.
    pub waited: Duration,
}

impl Overdue {
    pub(crate) fn new(exchange: Exchange, waited: Duration) -> Self {
        Self { exchange, waited }
    }
}

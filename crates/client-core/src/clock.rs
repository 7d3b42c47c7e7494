//! The clock. No other module of the clients reads the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use tokio::time::Instant;

/// The current time on Tokio's clock, which measures the waits and which tests can pause.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Waits on Tokio's clock, which tests can pause.
pub async fn sleep(wait: Duration) {
    tokio::time::sleep(wait).await;
}

/// The output of a future; `None` if it does not have one within the limit, on Tokio's clock.
pub async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Milliseconds since 1970 on the system clock; 0 before 1970. Only used to evaluate a `Retry-After` with a
/// date when the response has no `Date` header.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn unix_millis() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

//! The one place of the clients that reads the time.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Now, on the clock that waits are measured with; tests can pause it.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970, for a `Retry-After` that names a date in an answer that names none.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn unix_millis() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

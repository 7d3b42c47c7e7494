//! Waiting for times on a clock's stopwatch.

use std::time::Duration;

use service_base::clock::Clock;

/// Waits until a time on the clock's stopwatch; forever for `None`.
pub(crate) async fn sleep_until(clock: &Clock, time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time.saturating_sub(clock.stopwatch())).await,
        None => std::future::pending().await,
    }
}

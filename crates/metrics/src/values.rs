//! Bounds of a scrape, and conversions of counts into values of metrics.

use std::time::Duration;

/// Maximum number of trunks with series of their own.
pub const MAX_TRUNKS: usize = 500;
/// Maximum number of accounts with series of their own.
pub const MAX_ACCOUNTS: u64 = 500;
/// The maximum duration of a query to the database.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// A number of things as a value, which is exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "no count of this server is as large")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

/// As [`number`], for counters of 64 bits.
#[expect(clippy::cast_precision_loss, reason = "no count of this server is as large")]
pub(crate) fn count(count: u64) -> f64 {
    count as f64
}

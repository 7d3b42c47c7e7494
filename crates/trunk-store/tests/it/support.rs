//! Shared helpers: records to store, and a time limit.

#[cfg(feature = "postgres")]
pub mod postgres;
pub mod records;
pub mod regions;

use std::time::Duration;

/// Maximum time for every step: far longer than any step takes, and far shorter than a deadline of the store
/// that must not be the one that ends it.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for a future. Returns its output.
///
/// # Panics
/// Panics if the future takes longer than [`DEADLINE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} took longer than {} seconds", DEADLINE.as_secs()))
}

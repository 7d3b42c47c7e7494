//! What the tests share: records to store, and HTTP byte by byte.

pub mod records;
pub mod wire;

use std::time::Duration;

/// Longest time that anything may take here: far more than it takes, and far less than a deadline that must not
/// be the one that ends it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a future gives.
///
/// # Panics
/// When it takes longer than [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} took longer than {} seconds", PATIENCE.as_secs()))
}

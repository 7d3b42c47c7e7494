//! Keeps the edge's copies of the store's data from falling behind while no call uses them.
//!
//! A call applies the changes since the last use by itself, so this task does only what calls cannot: it bounds how much the
//! next one must apply, and loads anew what fell behind the change feed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use trunk_store::StoreError;

use super::Inner;

/// Delay before another attempt to load from a store that failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Applies changes and loads what must be loaded, for as long as the edge runs.
pub(crate) async fn run(inner: Arc<Inner>, mut wakes: watch::Receiver<u64>) {
    while wakes.changed().await.is_ok() {
        while let Err(error) = catch_up(&inner).await {
            tracing::error!(%error, "the edge fell behind the store and cannot load its trunks");
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }
}

async fn catch_up(inner: &Inner) -> Result<(), StoreError> {
    let store = &*inner.core.store;
    if inner.trunks.catch_up() {
        tracing::warn!("the edge fell behind the store: its trunks are loaded anew");
        inner.trunks.load(store).await?;
    }
    if inner.billing.must_compare() {
        inner.billing.compare(store).await?;
    }
    Ok(())
}

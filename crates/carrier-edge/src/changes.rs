//! Keeps the edge's copies of the store's data from falling behind while no call uses them, and ends the calls of deleted
//! trunks.
//!
//! A call applies the changes since the last use by itself, so this task does only what calls cannot: it bounds how much the
//! next one must apply, loads anew what fell behind the change feed, and ends active calls whose trunk does not exist any more.
//! DIDWW documents that the deletion of a trunk ends its calls at once. Emergency calls go on, as they do when
//! a threshold is reached: that is this server's own rule.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use trunk_rules::carrier::Cause;
use trunk_store::StoreError;

use super::Inner;
use super::call_state::CallState;

/// Delay before another attempt to load from a store that failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Applies changes and loads what must be loaded, for as long as the edge runs.
pub(crate) async fn run(inner: Arc<Inner>, mut wakes: watch::Receiver<u64>) {
    while wakes.changed().await.is_ok() {
        while let Err(error) = catch_up(&inner).await {
            tracing::error!(%error, "the edge fell behind the store and cannot load its trunks");
            tokio::time::sleep(RETRY_DELAY).await;
        }
        end_calls_of_deleted_trunks(&inner);
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

fn end_calls_of_deleted_trunks(inner: &Inner) {
    if !inner.trunks.take_deletions() {
        return;
    }
    let ended = inner.calls.end_for(Cause::TrunkDeleted, |call_state| has_lost_its_trunk(inner, call_state));
    if ended > 0 {
        tracing::info!(ended, "trunks were deleted: their calls are ended");
    }
}

/// Whether the call must end because its trunk was deleted.
pub(crate) fn has_lost_its_trunk(inner: &Inner, call_state: &CallState) -> bool {
    !call_state.is_emergency && !inner.trunks.read().has(&call_state.trunk.id)
}

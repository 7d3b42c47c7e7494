//! Keeps the edge's copies of the store's data from falling behind while no call uses them, and ends the calls of
//! deleted trunks.
//!
//! A call applies the changes since the last use by itself, so this task does only the rest: it bounds the changes that
//! the next call must apply, reloads copies that fell behind the change feed, and ends active calls whose trunk no
//! longer exists. DIDWW documents that the deletion of a trunk ends its calls at once. Emergency calls continue, as
//! they do when a threshold is reached: that is this server's own rule.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use trunk_rules::carrier::Cause;
use trunk_store::{Follower, StoreError};

use super::call_state::CallState;
use super::inner::Inner;
use super::other_nodes::hang_up;

/// Delay before another attempt to load from a store that failed, or to end a call whose queue of events was full.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Applies changes, and reloads copies that missed some, for as long as the edge runs. `hang_ups` follows the requests
/// of other nodes to end calls, if there can be other nodes.
pub(crate) async fn run(inner: Arc<Inner>, mut wakes: watch::Receiver<u64>, mut hang_ups: Option<Follower>) {
    let mut has_missed = false;
    loop {
        let woken = wakes.changed();
        let woken = if has_missed {
            tokio::time::timeout(RETRY_DELAY, woken).await.unwrap_or(Ok(()))
        } else {
            woken.await
        };
        if woken.is_err() {
            return;
        }
        if let Some(hang_ups) = &mut hang_ups {
            hang_up(&inner, hang_ups);
        }
        while let Err(error) = catch_up(&inner).await {
            tracing::error!(%error, "the edge fell behind the store and cannot load its trunks");
            tokio::time::sleep(RETRY_DELAY).await;
        }
        has_missed = end_calls_of_deleted_trunks(&inner, has_missed);
    }
}

async fn catch_up(inner: &Inner) -> Result<(), StoreError> {
    let store = &*inner.core.store;
    if inner.trunks.catch_up() {
        tracing::warn!("the edge fell behind the store: its trunks are reloaded");
        inner.trunks.load(store, |_| {}).await?;
    }
    if inner.billing.must_compare() {
        inner.billing.compare(store, inner.core.clock.now()).await?;
    }
    Ok(())
}

/// Ends the calls of deleted trunks, if trunks were deleted, or if the last attempt `has_missed` a call. Returns true
/// if a call did not receive the event because its peer keeps its queue full.
fn end_calls_of_deleted_trunks(inner: &Inner, has_missed: bool) -> bool {
    if !inner.trunks.take_deletions() && !has_missed {
        return false;
    }
    let lost = |call_state: &CallState| has_lost_its_trunk(inner, call_state);
    let (ended, missed) = inner.calls.end_for(Cause::TrunkDeleted, lost);
    if ended > 0 {
        tracing::info!(ended, "trunks were deleted: their calls are ended");
    }
    missed > 0
}

/// Whether the call must end because its trunk was deleted.
pub(crate) fn has_lost_its_trunk(inner: &Inner, call_state: &CallState) -> bool {
    !call_state.is_emergency && !inner.trunks.read().has(&call_state.trunk.id)
}

//! Calls across nodes: requests the end of other nodes' calls, and ends its own at the request of another node.

use std::sync::Weak;

use tokio::sync::watch;
use trunk_store::{Change, Changes, Committed, DocumentKind, DocumentQuery, Follower, StoreError};

use crate::entity::{Entity, Kind as _};
use crate::platform::Platform;
use crate::records::calls::Calls;

/// The change that ends a call which another node runs; `None` if no other node runs it.
pub(crate) fn hang_up(platform: &Platform, call: &Entity<Calls>) -> Option<Change> {
    let store = &platform.core.store;
    let is_elsewhere = store.is_shared() && call.private.node != store.node() && Calls::is_live(call);
    is_elsewhere.then_some(Change::HangUp(call.id))
}

/// Ends calls of this node at the request of other nodes, for as long as the platform exists. `wakes` are those of the store.
pub(crate) async fn follow_hang_ups(
    platform: Weak<Platform>,
    mut hang_ups: Follower,
    mut wakes: watch::Receiver<u64>,
) {
    let mut has_missed = false;
    while wakes.changed().await.is_ok() {
        let Some(platform) = platform.upgrade() else { return };
        match hang_ups.changes() {
            Changes::Since(writes) => {
                for effect in writes.iter().flat_map(|write| write.iter()) {
                    if let Committed::HangUp(id) = effect {
                        platform.active_calls.hang_up(*id);
                    }
                }
            }
            // The next changes contain the requests that were missed in the last minute. Clients cannot repeat that of a deleted call.
            Changes::Reload => has_missed = true,
        }
        if has_missed {
            has_missed = match hang_up_deleted(&platform).await {
                Ok(()) => false,
                Err(error) => {
                    tracing::debug!(%error, "calls that other servers deleted could not be looked for");
                    true
                }
            };
        }
    }
}

/// Ends the calls of this node that are marked as deleted: clients can no longer request their end.
async fn hang_up_deleted(platform: &Platform) -> Result<(), StoreError> {
    let store = &*platform.core.store;
    let calls = Entity::<Calls>::list(store, DocumentQuery::live(DocumentKind::Call)).await?;
    for call in calls.iter().filter(|call| call.deleted && call.private.node == store.node()) {
        platform.active_calls.hang_up(call.id);
    }
    Ok(())
}

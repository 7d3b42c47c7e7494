//! Calls across nodes: requests the end of other nodes' calls, and ends its own at the request of another node.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;
use trunk_store::{Change, Changes, Committed, DocumentKind, DocumentQuery, Follower, StoreError};
use uuid::Uuid;

use crate::entity::{Entity, Kind as _};
use crate::platform::Platform;
use crate::records::calls::Calls;

/// The change that ends a call which another node runs; `None` if no other node runs it.
pub(crate) fn hang_up(platform: &Platform, call: &Entity<Calls>) -> Option<Change> {
    let store = &platform.core.store;
    let is_elsewhere = store.is_shared() && call.private.node != store.node() && Calls::is_live(call);
    is_elsewhere.then_some(Change::HangUp(call.id))
}

/// Maximum number of calls whose end one transaction requests.
const MAX_REQUESTS_PER_COMMIT: usize = 500;
/// Time between two looks whether calls of other nodes have ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

impl Platform {
    /// Makes the active calls of all nodes hang up, and waits at most `timeout` until they have ended.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn hang_up_all(&self, timeout: Duration) -> Result<(), StoreError> {
        let elsewhere = self.calls_elsewhere().await?;
        for calls in elsewhere.chunks(MAX_REQUESTS_PER_COMMIT) {
            self.core.store.commit(calls.iter().copied().map(Change::HangUp).collect()).await?;
        }
        let others_ended = async {
            while !self.calls_elsewhere().await?.is_empty() {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            Ok::<(), StoreError>(())
        };
        let others_ended = tokio::time::timeout(timeout, others_ended);
        let (ended, ()) = tokio::join!(others_ended, self.active_calls.hang_up_all(timeout));
        ended.unwrap_or(Ok(()))
    }

    /// The live calls that other nodes run.
    async fn calls_elsewhere(&self) -> Result<Vec<Uuid>, StoreError> {
        if !self.core.store.is_shared() {
            return Ok(Vec::new());
        }
        let calls = live_calls(self).await?;
        Ok(calls.iter().filter(|call| hang_up(self, call).is_some()).map(|call| call.id).collect())
    }
}

/// Ends calls of this node at the request of other nodes, for as long as the platform exists. `wakes` are those of the
/// store.
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
            // The next changes contain the requests that were missed in the last minute. Clients cannot repeat that of
            // a deleted call.
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
    let own = platform.core.store.node();
    let calls = live_calls(platform).await?;
    for call in calls.iter().filter(|call| call.deleted && call.private.node == own) {
        platform.active_calls.hang_up(call.id);
    }
    Ok(())
}

/// The live calls of all nodes. One whose record cannot be read is left out: the search for calls that no node runs
/// names it in the log.
async fn live_calls(platform: &Platform) -> Result<Vec<Entity<Calls>>, StoreError> {
    let documents = platform.core.store.documents(DocumentQuery::live(DocumentKind::Call)).await?;
    Ok(documents.iter().filter_map(|document| Entity::from_document(document).ok()).collect())
}

//! Calls across nodes of the database: requests the end of other nodes' calls, ends its own at the request of another
//! node, and ends the records of calls whose node died.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;
use trunk_store::{Change, Changes, Committed, Follower, StoreError};
use uuid::Uuid;

use crate::shared::Shared;
use crate::stored;

/// Time between two searches for calls of nodes that died.
const DEAD_NODES_INTERVAL: Duration = Duration::from_secs(10);
/// The time until a search that failed is repeated.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Requests the end of a call from the node that runs it. Returns false if no other node runs it.
///
/// # Errors
/// If the store fails.
pub(crate) async fn hang_up(shared: &Shared, id: Uuid) -> Result<bool, StoreError> {
    let store = &shared.core.store;
    if !store.is_shared() {
        return Ok(false);
    }
    let found = stored::find(&shared.core, id).await?;
    let is_elsewhere =
        found.is_some_and(|stored| stored.call.time_end.is_none() && stored.node != store.node());
    if is_elsewhere {
        shared.core.commit(vec![Change::HangUp(id)]).await?;
    }
    Ok(is_elsewhere)
}

/// Ends calls of this node at the request of other nodes, for as long as the calls are kept. `wakes` are those of the
/// store.
pub(crate) async fn follow_hang_ups(
    shared: Weak<Shared>,
    mut hang_ups: Follower,
    mut wakes: watch::Receiver<u64>,
) {
    while wakes.changed().await.is_ok() {
        let Some(shared) = shared.upgrade() else { return };
        // The next changes contain the missed requests, and wake this task.
        let Changes::Since(writes) = hang_ups.changes() else { continue };
        for effect in writes.iter().flat_map(|write| write.iter()) {
            if let Committed::HangUp(id) = effect {
                shared.live.hang_up(*id);
            }
        }
    }
}

/// Ends the records of calls that no node runs any more, for as long as the calls are kept.
pub(crate) async fn end_calls_of_dead_nodes(shared: Weak<Shared>) {
    let mut wait = DEAD_NODES_INTERVAL;
    loop {
        tokio::time::sleep(wait).await;
        let Some(shared) = shared.upgrade() else { return };
        let ended = stored::end_interrupted(&shared.core, &shared.live).await;
        wait = if ended.is_ok() { DEAD_NODES_INTERVAL } else { RETRY_DELAY };
        match ended {
            Ok(0) => {}
            Ok(calls) => tracing::warn!(calls, "inbound calls that no server runs any more have ended"),
            Err(error) => {
                tracing::debug!(%error, "inbound calls of servers that died could not be looked for");
            }
        }
    }
}

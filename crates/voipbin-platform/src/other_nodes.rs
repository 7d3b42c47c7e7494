//! Calls that other nodes run: this one asks for their end, and ends its own when another node asks.

use std::sync::Weak;

use tokio::sync::watch;
use trunk_store::{Change, Changes, Committed, Follower};

use crate::entity::{Entity, Kind as _};
use crate::platform::Platform;
use crate::records::calls::Calls;

/// The change that ends a call which another node runs; `None` if no other node does.
pub(crate) fn hang_up(platform: &Platform, call: &Entity<Calls>) -> Option<Change> {
    let store = &platform.core.store;
    let is_elsewhere = store.is_shared() && call.private.node != store.node() && Calls::is_live(call);
    is_elsewhere.then_some(Change::HangUp(call.id))
}

/// Ends the calls that other nodes ask this one to end, for as long as the platform exists. `wakes` are those of the store.
pub(crate) async fn hang_up_when_asked(
    platform: Weak<Platform>,
    mut asked: Follower,
    mut wakes: watch::Receiver<u64>,
) {
    while wakes.changed().await.is_ok() {
        let Some(platform) = platform.upgrade() else { return };
        // What was missed is lost: the client finds the call still active, and asks again.
        let Changes::Since(writes) = asked.changes() else { continue };
        for effect in writes.iter().flat_map(|write| write.iter()) {
            if let Committed::HangUp(id) = effect {
                platform.active_calls.hang_up(*id);
            }
        }
    }
}

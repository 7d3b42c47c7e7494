//! The only node of a database in a file. A process that starts takes over the calls of the previous one as its own.

use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;

use super::super::running::{self, NODE};
use super::SqliteStore;
use crate::{Answer, Node, Nodes, RunningCalls, StoreError};

/// The number of heartbeats, and the time of the last one. They are kept in memory, because they only show that this
/// process is alive.
#[derive(Debug, Default)]
pub(super) struct Heartbeats(Mutex<(i64, Option<Timestamp>)>);

impl SqliteStore {
    fn has_calls(&self) -> Result<bool, StoreError> {
        self.connections.read(running::list).map(|running| !running.calls.is_empty())
    }
}

impl Nodes for SqliteStore {
    fn node(&self) -> i64 {
        NODE
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn shared_secret(&self, _name: &'static str, fresh: [u8; 32]) -> Answer<'_, [u8; 32]> {
        Answer::ready(Ok(fresh))
    }

    fn heartbeat(&self, at: Timestamp) -> Answer<'_, ()> {
        let mut heartbeats = self.heartbeats.0.lock().unwrap_or_else(PoisonError::into_inner);
        *heartbeats = (heartbeats.0 + 1, Some(at));
        Answer::ready(Ok(()))
    }

    fn nodes(&self) -> Answer<'_, Vec<Node>> {
        let (beats, beat_at) = *self.heartbeats.0.lock().unwrap_or_else(PoisonError::into_inner);
        let node = Node { number: NODE, beats, beat_at, heir: None };
        let nodes =
            if beats > 0 { Ok(vec![node]) } else { self.has_calls().map(|has| vec![node; has.into()]) };
        Answer::ready(nodes)
    }

    fn take_over_calls(&self, _dead: Node) -> Answer<'_, RunningCalls> {
        Answer::ready(Err(StoreError::Conflict))
    }

    fn remove_node(&self, number: i64) -> Answer<'_, bool> {
        if number != NODE {
            return Answer::ready(Ok(false));
        }
        let removed = self.has_calls().map(|has_calls| {
            let mut heartbeats = self.heartbeats.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_removed = !has_calls && heartbeats.0 > 0;
            if is_removed {
                *heartbeats = (0, None);
            }
            is_removed
        });
        Answer::ready(removed)
    }
}

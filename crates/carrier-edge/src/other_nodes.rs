//! Calls across nodes: an edge settles the calls of dead nodes, lists and ends those of live nodes, and ends its own
//! when another node requests it or has settled them.

use std::sync::Arc;

use service_core::nodes::CallKeeper;
use trunk_rules::carrier::{Cause, MediaFacts};
use trunk_store::{Change, Changes, Committed, Follower, NodeCall, RunningCalls, StoreError};
use uuid::Uuid;

use super::billing;
use super::calls::ActiveCall;
use super::inner::Inner;
use super::media_report::MediaReport;
use super::record::LostRecord;

/// The calls of an edge, for the task that watches the other nodes.
pub(crate) struct Keeper(pub(crate) Arc<Inner>);

impl CallKeeper for Keeper {
    async fn settle(&self, calls: RunningCalls) -> Result<(), StoreError> {
        billing::settle(&self.0, calls).await
    }

    fn end_all(&self) {
        let (ended, _) = self.0.calls.end_for(Cause::ServerLost, |_| true);
        tracing::error!(ended, "another node settled the calls of this one: they are ended");
    }
}

/// Ends the calls that other nodes ask this one to end.
pub(crate) fn hang_up(inner: &Inner, follower: &mut Follower) {
    // The next changes contain the missed requests, and wake this task.
    let Changes::Since(writes) = follower.changes() else { return };
    for effect in writes.iter().flat_map(|write| write.iter()) {
        if let Committed::HangUp(id) = effect
            && inner.calls.end(*id)
        {
            tracing::info!(call = %id, "a call is ended at the request of another node");
        }
    }
}

impl Inner {
    /// The active calls of all nodes, oldest first. Calls of other nodes are listed once they are answered, in their
    /// state at the answer.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn active_calls_of_all(&self) -> Result<Vec<ActiveCall>, StoreError> {
        let mut calls = self.calls.list();
        let others = self.core.store.calls_of_others(None).await?;
        if self.core.store.is_shared() {
            let own = Some(self.core.store.node());
            for call in &mut calls {
                call.node = own;
            }
        }
        calls.extend(others.iter().filter_map(of_other));
        calls.sort_by_key(|call| (call.time_start, call.id));
        Ok(calls)
    }

    /// Ends an active call, whichever node runs it. Returns true if it exists; a call of another node ends within a
    /// second.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn end_call_of_any(&self, id: Uuid) -> Result<bool, StoreError> {
        if self.calls.end(id) {
            return Ok(true);
        }
        if self.core.store.calls_of_others(Some(id)).await?.is_empty() {
            return Ok(false);
        }
        self.core.store.commit(vec![Change::HangUp(id)]).await.map(|_| true)
    }

    /// The number of active calls of this node.
    pub fn active_call_count(&self) -> usize {
        self.calls.number()
    }
}

fn of_other(NodeCall { node, call }: &NodeCall) -> Option<ActiveCall> {
    let record = LostRecord::read(&call.attributes)?;
    let text = |name: &str| record.text(name).unwrap_or_default().to_owned();
    Some(ActiveCall {
        id: call.id,
        node: Some(*node),
        trunk_id: call.trunk.to_string(),
        trunk_name: text("trunk_name"),
        account: call.account,
        src_number: text("src_number"),
        dst_number: text("dst_number"),
        source: record
            .source()
            .map(|source| format!("{}:{}", source.ip(), source.port()))
            .unwrap_or_default(),
        call_id: text("call_id"),
        time_start: record.text("time_start").and_then(|time| time.parse().ok()).unwrap_or(call.answered_at),
        time_connect: Some(call.answered_at),
        media: MediaReport::of(&MediaFacts::default()),
        no_audio: None,
    })
}

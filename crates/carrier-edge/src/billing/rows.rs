//! The rows of answered calls in the store. One task writes them in batches.
//!
//! The content of a row is decided when a batch is taken from the queue (`row_queue`). So nothing is written for a call
//! that has ended, and a duplicate entry costs nothing. Failed writes are queued again only by a step of `metering`,
//! and only when the queue is empty.

use std::sync::Arc;

use service_core::{AttemptError, Retries};
use trunk_store::{Change, RunningCall, StoreError};
use uuid::Uuid;

use super::row_queue::QueuedRow;
use super::state::Billing;
use super::trunk_ledger::{RowState, Running};
use crate::call_state::CallState;
use crate::inner::Inner;
use crate::record::running_json;

/// A batch waits for an overloaded store for about 0.6 s: a call on a trunk with a threshold is not answered before its
/// row is written.
const RETRIES: Retries = Retries { attempts: 8, ..Retries::BACKGROUND };

/// A pending update of a call's row.
struct RowUpdate {
    trunk: Uuid,
    call_state: Arc<CallState>,
    from: RowState,
    to: RowState,
}

impl RowUpdate {
    fn change(&self, inner: &Inner) -> Option<Change> {
        if self.from == RowState::Answered {
            return Some(Change::Acknowledged(self.call_state.origin.id));
        }
        Some(Change::Answered(Arc::new(RunningCall {
            id: self.call_state.origin.id,
            account: self.call_state.account(),
            trunk: self.trunk,
            answered_at: self.call_state.connected().unwrap_or_else(|| inner.core.clock.now()),
            acknowledged: self.to == RowState::Acknowledged,
            attributes: running_json(&inner.config.server_name, &self.call_state)?,
        })))
    }
}

impl Billing {
    /// The updates that these calls need. A call that has ended needs none.
    fn updates_for(&self, queued: &[QueuedRow]) -> Vec<RowUpdate> {
        let ledgers = self.lock();
        let updates = queued.iter().filter_map(|&QueuedRow { trunk, call, .. }| {
            let Running { call_state, meter, row, .. } = ledgers.get(&trunk)?.running.get(&call)?;
            let to = if meter.is_acknowledged() { RowState::Acknowledged } else { RowState::Answered };
            (*row < to).then(|| RowUpdate { trunk, call_state: Arc::clone(call_state), from: *row, to })
        });
        updates.collect()
    }

    fn mark_written(&self, updates: &[RowUpdate]) {
        let mut ledgers = self.lock();
        for RowUpdate { trunk, call_state, to, .. } in updates {
            let running =
                ledgers.get_mut(trunk).and_then(|ledger| ledger.running.get_mut(&call_state.origin.id));
            if let Some(running) = running {
                running.row = running.row.max(*to);
            }
        }
    }

    /// Queues every missing update, if the queue is empty. Only failed writes leave updates missing.
    pub(super) fn queue_missing(&self) {
        if !self.rows.lock().is_empty() {
            return;
        }
        let missing: Vec<(Uuid, Uuid)> = {
            let ledgers = self.lock();
            let running = ledgers.iter().flat_map(|(trunk, ledger)| {
                ledger.running.iter().map(move |(call, running)| (*trunk, *call, running))
            });
            let is_missing = |running: &Running| {
                running.row == RowState::None
                    || (running.row == RowState::Answered && running.meter.is_acknowledged())
            };
            running
                .filter(|(.., running)| is_missing(running))
                .map(|(trunk, call, _)| (trunk, call))
                .collect()
        };
        for (trunk, call) in missing {
            self.rows.queue_update(trunk, call);
        }
    }
}

/// Writes rows for as long as the edge runs.
pub(super) async fn run(inner: Arc<Inner>) {
    let Inner { billing, .. } = &*inner;
    loop {
        let queued = billing.rows.take();
        if queued.is_empty() {
            billing.rows.not_empty.notified().await;
            continue;
        }
        // Both entries of a call would write the same row.
        let mut updates = billing.updates_for(&queued);
        updates.sort_unstable_by_key(|update| update.call_state.origin.id);
        updates.dedup_by_key(|update| update.call_state.origin.id);
        let changes: Vec<Change> = updates.iter().filter_map(|update| update.change(&inner)).collect();
        let outcome = commit(&inner, changes).await;
        match &outcome {
            Ok(()) => billing.mark_written(&updates),
            Err(error) => billing.log_failed_write(error, "the rows of answered calls"),
        }
        for written in queued.into_iter().filter_map(|queued| queued.written) {
            // The receiver is gone if the call's future was dropped.
            let _gone = written.send(outcome.clone());
        }
    }
}

async fn commit(inner: &Inner, changes: Vec<Change>) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let changes = &changes;
    RETRIES
        .run(|| async move {
            inner.core.store.commit(changes.clone()).await.map(|_| ()).map_err(AttemptError::Store)
        })
        .await
}

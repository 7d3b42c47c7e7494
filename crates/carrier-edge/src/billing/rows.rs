//! The rows of answered calls in the store. One task writes them in batches.
//!
//! The queue holds ids only; what is written is decided when the batch is taken. So nothing is written for a
//! call that has ended, and a duplicate entry costs nothing. A call queues one entry when it is answered and
//! one when the answer is acknowledged, which bounds the queue by the calls. Failed writes are queued again
//! only by a step of `metering`, and only when the queue is empty.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use service_core::{AttemptError, Retries};
use tokio::sync::{Notify, oneshot};
use trunk_store::{Change, RunningCall, StoreError};
use uuid::Uuid;

use super::{Billing, Inner, Running};
use crate::call_state::CallState;
use crate::record::CallRecord;

/// Limit of calls in one commit.
const MAX_ROWS_PER_COMMIT: usize = 512;
/// A batch waits for an overloaded store for about 0.6 s: a call on a trunk with a threshold is not answered before its
/// row is written.
const RETRIES: Retries = Retries { attempts: 8, ..Retries::BACKGROUND };

/// The state of a call's row in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowState {
    /// There is no row.
    None,
    /// The row states that the call was answered.
    Answered,
    /// The row states that the answer was acknowledged.
    Acknowledged,
}

/// The queue of calls whose rows must be updated.
#[derive(Debug, Default)]
pub(super) struct Rows {
    queue: Mutex<Vec<QueuedRow>>,
    not_empty: Notify,
}

#[derive(Debug)]
struct QueuedRow {
    trunk: Uuid,
    call: Uuid,
    written: Option<oneshot::Sender<Result<(), StoreError>>>,
}

impl Rows {
    /// Queues an update of a call's row, without waiting for it.
    pub(super) fn queue_update(&self, trunk: Uuid, call: Uuid) {
        self.push(QueuedRow { trunk, call, written: None });
    }

    /// Queues an update of a call's row, and waits until it is durable.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(super) async fn write(&self, trunk: Uuid, call: Uuid) -> Result<(), StoreError> {
        let (written, outcome) = oneshot::channel();
        self.push(QueuedRow { trunk, call, written: Some(written) });
        outcome.await.unwrap_or_else(|_| Err(StoreError::Failed("the server stopped".to_owned())))
    }

    fn push(&self, queued: QueuedRow) {
        self.lock().push(queued);
        self.not_empty.notify_one();
    }

    fn take(&self) -> Vec<QueuedRow> {
        let mut queue = self.lock();
        let most = queue.len().min(MAX_ROWS_PER_COMMIT);
        queue.drain(..most).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<QueuedRow>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
            attributes: CallRecord::of_running(&inner.config.server_name, &self.call_state).to_json()?,
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

    /// Queues every missing update, if the queue is empty. Only failed writes leave any.
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

//! The queue of answered calls whose rows in the store must be updated.
//!
//! It holds ids only. A call queues one entry when it is answered and one when the answer is acknowledged, which bounds
//! the queue by the calls.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use trunk_store::StoreError;
use uuid::Uuid;

/// Limit of calls in one commit.
const MAX_ROWS_PER_COMMIT: usize = 512;

/// The queue of calls whose rows must be updated.
#[derive(Debug, Default)]
pub(super) struct Rows {
    queue: Mutex<Vec<QueuedRow>>,
    pub(super) not_empty: Notify,
}

/// A call whose row must be updated.
#[derive(Debug)]
pub(super) struct QueuedRow {
    pub(super) trunk: Uuid,
    pub(super) call: Uuid,
    pub(super) written: Option<oneshot::Sender<Result<(), StoreError>>>,
}

impl Rows {
    /// Queues an update of a call's row, without waiting for it.
    pub(super) fn queue_update(&self, trunk: Uuid, call: Uuid) {
        self.push(QueuedRow { trunk, call, written: None });
    }

    /// Queues an update of a call's row, and waits until it is durable.
    ///
    /// # Errors
    /// The store's error, if the row could not be written.
    pub(super) async fn write(&self, trunk: Uuid, call: Uuid) -> Result<(), StoreError> {
        let (written, outcome) = oneshot::channel();
        self.push(QueuedRow { trunk, call, written: Some(written) });
        outcome.await.unwrap_or_else(|_| Err(StoreError::Failed("the server stopped".to_owned())))
    }

    fn push(&self, queued: QueuedRow) {
        self.lock().push(queued);
        self.not_empty.notify_one();
    }

    pub(super) fn take(&self) -> Vec<QueuedRow> {
        let mut queue = self.lock();
        let most = queue.len().min(MAX_ROWS_PER_COMMIT);
        queue.drain(..most).collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<QueuedRow>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

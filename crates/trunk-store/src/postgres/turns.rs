//! Turns of long reads: the askers share the connections for them fairly.

use std::sync::{Arc, Mutex, PoisonError};

use service_base::fair_queue::{Bounds, FairQueue};
use tokio::sync::oneshot;

use crate::{Asker, StoreError, StoreLimits};

/// The waiting and the running long reads.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    queue: Arc<Mutex<FairQueue<Asker, oneshot::Sender<Turn>>>>,
    limits: StoreLimits,
}

/// A running long read. Dropping it begins the next one.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    asker: Asker,
    is_over: bool,
}

impl Turns {
    pub(super) fn new(limits: StoreLimits) -> Self {
        let bounds = Bounds {
            waiting: limits.waiting,
            waiting_of_one: limits.waiting_per_asker,
            running: limits.running.max(1),
            running_of_one: limits.running_per_asker,
        };
        Self { queue: Arc::new(Mutex::new(FairQueue::new(bounds))), limits }
    }

    /// Waits for the asker's turn.
    ///
    /// # Errors
    /// [`StoreError::Crowded`] if too many wait, or the turn does not come in time.
    pub(super) async fn wait(&self, asker: Asker) -> Result<Turn, StoreError> {
        let (begin, turn) = oneshot::channel();
        // Without its sender, the displaced read is refused.
        drop(self.lock().push(asker, begin).map_err(|_| StoreError::Crowded)?);
        self.begin();
        let turn = tokio::time::timeout(self.limits.max_wait, turn).await;
        turn.map_err(|_| StoreError::Crowded)?.map_err(|_| StoreError::Crowded)
    }

    /// The number of long reads that wait, and of those that run.
    pub(super) fn counts(&self) -> (u64, u64) {
        let queue = self.lock();
        (queue.waiting() as u64, queue.running() as u64)
    }

    /// Begins the reads that may run. A turn whose read is no longer awaited ends when it is dropped.
    fn begin(&self) {
        loop {
            let next = self.lock().begin_next();
            let Some((asker, begin)) = next else { return };
            let unheard = begin.send(Turn { turns: self.clone(), asker, is_over: false });
            if let Err(mut turn) = unheard {
                turn.is_over = true;
                self.lock().done(asker);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FairQueue<Asker, oneshot::Sender<Turn>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            self.turns.lock().done(self.asker);
            self.turns.begin();
        }
    }
}

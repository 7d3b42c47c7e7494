//! The rows of running calls: one task writes them, as many together as wait.
//!
//! What is queued is only which call to look at; what is written of it is decided when its turn comes, so that a call
//! that is over leaves nothing behind, and a second wish costs nothing. A call queues an entry when it is answered and
//! one when that is acknowledged, so the queue is bounded by the calls; what failed is queued again by the tick alone,
//! when the queue is empty.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::{Inner, Running, Spend};
use crate::facts::Facts;
use crate::record::CallRecord;
use trunk_store::{Change, RunningCall, StoreError};

/// Most calls that one write takes.
const TOGETHER: usize = 512;
/// How often a write is tried that the store has no room for.
const ATTEMPTS: u32 = 8;

/// What of a running call is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    None,
    Answered,
    Acknowledged,
}

/// Calls whose rows are to be brought up to date.
#[derive(Debug, Default)]
pub(super) struct Rows {
    queue: Mutex<Vec<Wanted>>,
    ring: Notify,
}

#[derive(Debug)]
struct Wanted {
    trunk: Uuid,
    call: Uuid,
    written: Option<oneshot::Sender<Result<(), StoreError>>>,
}

impl Rows {
    /// Has the row of a call brought up to date.
    pub(super) fn want(&self, trunk: Uuid, call: Uuid) {
        self.push(Wanted { trunk, call, written: None });
    }

    /// The same, and waits until it is durable.
    pub(super) async fn write(&self, trunk: Uuid, call: Uuid) -> Result<(), StoreError> {
        let (written, outcome) = oneshot::channel();
        self.push(Wanted { trunk, call, written: Some(written) });
        outcome.await.unwrap_or_else(|_| Err(StoreError::Failed("the server stopped".to_owned())))
    }

    fn push(&self, wanted: Wanted) {
        self.lock().push(wanted);
        self.ring.notify_one();
    }

    fn take(&self) -> Vec<Wanted> {
        let mut queue = self.lock();
        let most = queue.len().min(TOGETHER);
        queue.drain(..most).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Wanted>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call whose row is written.
struct Due {
    trunk: Uuid,
    facts: Arc<Facts>,
    from: Row,
    to: Row,
}

impl Due {
    fn change(&self, inner: &Inner) -> Option<Change> {
        if self.from == Row::Answered {
            return Some(Change::Acknowledged(self.facts.origin.id));
        }
        Some(Change::Answered(Arc::new(RunningCall {
            id: self.facts.origin.id,
            account: self.facts.account(),
            trunk: self.trunk,
            answered_at: self.facts.connected().unwrap_or_else(|| inner.core.clock.now()),
            acknowledged: self.to == Row::Acknowledged,
            attributes: CallRecord::of_running(inner, &self.facts).to_json()?,
        })))
    }
}

impl Spend {
    /// What is to be written of these calls. Those that are over need nothing.
    fn due(&self, wanted: &[Wanted]) -> Vec<Due> {
        let accounts = self.lock();
        let due = wanted.iter().filter_map(|&Wanted { trunk, call, .. }| {
            let Running { facts, meter, row, .. } = accounts.get(&trunk)?.running.get(&call)?;
            let to = if meter.is_acknowledged() { Row::Acknowledged } else { Row::Answered };
            (*row < to).then(|| Due { trunk, facts: Arc::clone(facts), from: *row, to })
        });
        due.collect()
    }

    fn note(&self, due: &[Due]) {
        let mut accounts = self.lock();
        for Due { trunk, facts, to, .. } in due {
            let running =
                accounts.get_mut(trunk).and_then(|account| account.running.get_mut(&facts.origin.id));
            if let Some(running) = running {
                running.row = running.row.max(*to);
            }
        }
    }

    /// Has everything written that is not, which is little unless something failed.
    pub(super) fn want_missing(&self) {
        if !self.rows.lock().is_empty() {
            return;
        }
        let missing: Vec<(Uuid, Uuid)> = {
            let accounts = self.lock();
            let running = accounts.iter().flat_map(|(trunk, account)| {
                account.running.iter().map(move |(call, running)| (*trunk, *call, running))
            });
            let is_missing = |running: &Running| {
                running.row == Row::None || (running.row == Row::Answered && running.meter.is_acknowledged())
            };
            running
                .filter(|(.., running)| is_missing(running))
                .map(|(trunk, call, _)| (trunk, call))
                .collect()
        };
        for (trunk, call) in missing {
            self.rows.want(trunk, call);
        }
    }
}

/// Writes rows for as long as the edge runs.
pub(super) async fn run(inner: Arc<Inner>) {
    let Inner { spend, .. } = &*inner;
    loop {
        let wanted = spend.rows.take();
        if wanted.is_empty() {
            spend.rows.ring.notified().await;
            continue;
        }
        // The same call twice in one batch is written once: the second would be the same row.
        let mut due = spend.due(&wanted);
        due.sort_unstable_by_key(|due| due.facts.origin.id);
        due.dedup_by_key(|due| due.facts.origin.id);
        let changes: Vec<Change> = due.iter().filter_map(|due| due.change(&inner)).collect();
        let outcome = commit(&inner, changes).await;
        match &outcome {
            Ok(()) => spend.note(&due),
            Err(error) => spend.not_written(error, "that calls are up"),
        }
        for written in wanted.into_iter().filter_map(|wanted| wanted.written) {
            // The call may be given up.
            let _gone = written.send(outcome.clone());
        }
    }
}

async fn commit(inner: &Inner, changes: Vec<Change>) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    for attempt in 0..ATTEMPTS {
        match inner.core.store.commit(changes.clone()).await {
            Err(StoreError::Overloaded) => tokio::time::sleep(Duration::from_millis(5 << attempt)).await,
            outcome => return outcome.map(|_| ()),
        }
    }
    Err(StoreError::Overloaded)
}

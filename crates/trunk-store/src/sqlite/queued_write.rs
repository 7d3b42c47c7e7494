//! Writes that wait for the writer, and errors that all of them share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::states::States;
use crate::StoreError;

/// The number of waiting writes, and of commits since the database was opened.
#[derive(Debug, Default)]
pub(super) struct WriteCounts {
    waiting: AtomicU64,
    commits: AtomicU64,
    /// The numbers of the states that the commits create.
    pub(super) states: States,
}

impl WriteCounts {
    /// Counts a write that is about to be queued.
    pub(super) fn queued(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts writes that were taken from the queue, or found no room in it.
    pub(super) fn taken(&self, writes: usize) {
        self.waiting.fetch_sub(writes as u64, Ordering::Relaxed);
    }

    /// Counts a commit that succeeded.
    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of writes that wait, and of commits.
    pub(super) fn read(&self) -> (u64, u64) {
        (self.waiting.load(Ordering::Relaxed), self.commits.load(Ordering::Relaxed))
    }
}

/// A write that waits in the queue.
pub(super) trait QueuedWrite: Send {
    /// Runs inside a transaction. It runs a second time if that transaction was rolled back because another write
    /// failed.
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;

    /// Answers the caller, after the write is durable or has failed.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// A write that runs `work` on `data`, and after the commit passes the result to `done` and to the caller.
pub(super) struct Task<S, T, F, D> {
    data: S,
    work: F,
    result: Option<T>,
    done: D,
    reply: oneshot::Sender<Reply<S, T, F>>,
}

/// The result of a write, its data, which the caller may use again, and its work. All are dropped on the caller's
/// thread: the writer's thread limits the rate of all writes, and should not spend time on freeing memory.
pub(super) type Reply<S, T, F> = (Result<T, StoreError>, S, F);

impl<S, T, F, D> Task<S, T, F, D> {
    pub(super) fn new(data: S, work: F, done: D, reply: oneshot::Sender<Reply<S, T, F>>) -> Self {
        Self { data, work, result: None, done, reply }
    }
}

impl<S, T, F, D> QueuedWrite for Task<S, T, F, D>
where
    S: Send,
    T: Send,
    F: Fn(&Connection, &S) -> Result<T, StoreError> + Send,
    D: FnOnce(&T) + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.result = Some((self.work)(connection, &self.data)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let missing = || StoreError::Failed("a write returned no result".to_owned());
        let Self { data, work, result, reply, done } = *self;
        let outcome = outcome.and_then(|()| result.ok_or_else(missing));
        if let Ok(result) = &outcome {
            done(result);
        }
        // The caller may have dropped the future; the write is committed nevertheless.
        let _unsent = reply.send((outcome, data, work));
    }
}

/// The error of every read and write after the store is closed.
pub(super) fn closed() -> StoreError {
    StoreError::Failed("the store is closed".to_owned())
}

/// Locks a mutex, even if a thread panicked while it held the lock.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

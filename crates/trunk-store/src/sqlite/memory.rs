//! The only connection of a database in memory, which all threads share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use service_base::clock::Stopwatch;

/// A connection that is used by one thread at a time.
pub(super) struct SharedConnection {
    connection: Mutex<Connection>,
    /// Number of threads that wait in [`lock_briefly`](Self::lock_briefly).
    waiting: AtomicUsize,
}

impl SharedConnection {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection: Mutex::new(connection), waiting: AtomicUsize::new(0) }
    }

    /// Locks the connection for a write or a read by a key. A long read that holds it yields.
    pub(super) fn lock_briefly(&self) -> MutexGuard<'_, Connection> {
        if let Ok(connection) = self.connection.try_lock() {
            return connection;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let connection = self.lock_for_long();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        connection
    }

    /// Locks the connection for a long read.
    pub(super) fn lock_for_long(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a thread waits in [`lock_briefly`](Self::lock_briefly).
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits until no thread waits for the connection, for at most `max`. Without this, a long read that releases the
    /// lock and takes it again at once would usually overtake the threads that wait.
    pub(super) fn yield_to_waiting(&self, max: Duration) {
        let since = Stopwatch::start();
        while self.is_awaited() && since.elapsed() < max {
            std::thread::yield_now();
        }
    }
}

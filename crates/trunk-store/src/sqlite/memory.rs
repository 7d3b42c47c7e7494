//! The one connection of a database in memory, and who waits for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use service_base::clock::Stopwatch;

/// A connection that reads and writes of all threads share.
pub(super) struct Memory {
    connection: Mutex<Connection>,
    waiting: AtomicUsize,
}

impl Memory {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection: Mutex::new(connection), waiting: AtomicUsize::new(0) }
    }

    /// The connection, for something short. A long read that has it makes way.
    pub(super) fn borrow(&self) -> MutexGuard<'_, Connection> {
        if let Ok(connection) = self.connection.try_lock() {
            return connection;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let connection = self.hold();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        connection
    }

    /// The connection, for a long read.
    pub(super) fn hold(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody waits for the connection with something short.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits until nobody waits any more, for so long at most: a lock that is let go of and taken again at once is
    /// seldom had by another.
    pub(super) fn make_way(&self, most: Duration) {
        let since = Stopwatch::start();
        while self.is_awaited() && since.elapsed() < most {
            std::thread::yield_now();
        }
    }
}

//! A pool of connections for reads by a key.
//!
//! Bounds: the pool has a fixed number of connections; a thread waits until one is free. A read by a key takes
//! microseconds.

use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::queued_write::lock;

/// Connections that threads borrow for one read each.
pub(super) struct Readers {
    pool: Mutex<Pool>,
    returned: Condvar,
}

struct Pool {
    /// Connections that no thread uses; `None` once the store is closed.
    free: Option<Vec<Connection>>,
    /// Number of threads that wait for a connection. If it is zero, the notification, a system call, is left out.
    waiting: usize,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        Self { pool: Mutex::new(Pool { free: Some(connections), waiting: 0 }), returned: Condvar::new() }
    }

    /// Waits for a free connection. Returns `None` once the store is closed.
    pub(super) fn borrow(&self) -> Option<Borrowed<'_>> {
        let mut pool = lock(&self.pool);
        loop {
            if let Some(connection) = pool.free.as_mut()?.pop() {
                return Some(Borrowed { readers: self, connection: Some(connection) });
            }
            pool.waiting += 1;
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
            pool.waiting -= 1;
        }
    }

    /// Closes the free connections, and each borrowed one when it is returned.
    pub(super) fn close(&self) {
        drop(lock(&self.pool).free.take());
        self.returned.notify_all();
    }
}

/// A borrowed connection, which returns to the pool when it is dropped, also by a panic.
pub(super) struct Borrowed<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Borrowed<'_> {
    /// The connection. It is absent only while it is being dropped.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut pool = lock(&self.readers.pool);
        if let Some(free) = &mut pool.free {
            free.extend(self.connection.take());
        }
        let is_awaited = pool.waiting > 0;
        drop(pool);
        if is_awaited {
            self.readers.returned.notify_one();
        }
    }
}

//! A pool of connections for reads by a key.
//!
//! Bounds: the pool has a maximum number of connections; a thread waits until one is free. A read by a key takes
//! microseconds. A connection beyond the first is opened when all others are in use for the first time.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::opener::Opener;
use super::queued_write::lock;

/// Connections that threads borrow for one read each.
pub(super) struct Readers {
    pool: Mutex<Pool>,
    returned: Condvar,
    opener: Arc<Opener>,
}

struct Pool {
    /// Connections that no thread uses; `None` once the store is closed.
    free: Option<Vec<Connection>>,
    /// Number of connections that may still be opened.
    unopened: usize,
    /// Number of threads that wait for a connection. If it is zero, the notification, a system call, is left out.
    waiting: usize,
}

impl Readers {
    /// A pool of at most `max` connections, of which the first is open.
    pub(super) fn new(first: Connection, max: usize, opener: Arc<Opener>) -> Self {
        let pool = Pool { free: Some(vec![first]), unopened: max.saturating_sub(1), waiting: 0 };
        Self { pool: Mutex::new(pool), returned: Condvar::new(), opener }
    }

    /// Takes a free connection, opens one if there may be more, or waits for one. Returns `None` once the store is closed.
    pub(super) fn borrow(&self) -> Option<Borrowed<'_>> {
        let mut may_open = true;
        let mut pool = lock(&self.pool);
        loop {
            if let Some(connection) = pool.free.as_mut()?.pop() {
                return Some(Borrowed { readers: self, connection: Some(connection) });
            }
            if may_open && pool.unopened > 0 {
                pool.unopened -= 1;
                drop(pool);
                let opened = self.opener.reader();
                if opened.is_some() {
                    return Some(Borrowed { readers: self, connection: opened });
                }
                pool = lock(&self.pool);
                pool.unopened += 1;
                may_open = false;
                continue;
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

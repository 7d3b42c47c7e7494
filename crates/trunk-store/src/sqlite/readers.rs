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

    /// Takes a free connection, opens one if there may be more, or waits for one. Returns `None` once the store is
    /// closed.
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::SqliteStore;
    use super::super::files::Files;
    use super::super::opener::reader;
    use super::*;

    /// A pool of at most two connections to a database, whose files it holds open; and the path of its log.
    fn pool() -> (tempfile::TempDir, Connection, Readers, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.db");
        drop(SqliteStore::open(&path).unwrap());
        let held = Connection::open(&path).unwrap();
        assert!(reads(&held));
        let mut files = Files::open(&path).unwrap();
        files.watch_companions().unwrap();
        let opener = Arc::new(Opener::new(files.path().to_owned(), files.watched()));
        let log = folder.path().join("pool.db-wal");
        (folder, held, Readers::new(reader(&path).unwrap(), 2, opener), log)
    }

    fn reads(connection: &Connection) -> bool {
        connection.query_row("SELECT count(*) FROM record", [], |row| row.get::<_, i64>(0)).is_ok()
    }

    #[test]
    fn a_connection_is_opened_when_the_others_are_in_use() {
        let (_folder, _held, readers, _log) = pool();
        for _ in 0..3 {
            let borrowed = (readers.borrow().unwrap(), readers.borrow().unwrap());
            assert!(reads(borrowed.0.connection().unwrap()) && reads(borrowed.1.connection().unwrap()));
            assert_eq!(lock(&readers.pool).unopened, 0);
        }
        readers.close();
        assert!(readers.borrow().is_none());
    }

    #[test]
    fn a_thread_waits_for_a_connection_while_none_can_be_opened() {
        let (folder, _held, readers, log) = pool();
        std::fs::rename(&log, folder.path().join("aside")).unwrap();
        let first = readers.borrow().unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| readers.borrow().is_some());
            while lock(&readers.pool).waiting == 0 {
                std::thread::yield_now();
            }
            drop(first);
            assert!(second.join().unwrap());
        });
        assert_eq!(lock(&readers.pool).unopened, 1, "it may be opened later");
    }
}

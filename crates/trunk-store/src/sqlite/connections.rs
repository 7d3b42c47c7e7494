//! The connections of a database: a queue to the writer thread, and a pool of readers. A database in memory has one
//! connection for both.
//!
//! Bounds: [`QUEUE_CAPACITY`] writes wait; the writer bounds how many of them share a transaction.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::idempotency;
use super::memory::SharedConnection;
use super::queued_write::{QueuedWrite, Task, WriteCounts, closed, lock};
use super::readers::Readers;
use super::writer::{Writer, commit_alone};
use crate::StoreError;
use crate::idempotency::KeyUse;

/// Maximum number of writes that wait. A further write is refused at once.
const QUEUE_CAPACITY: usize = 4096;

pub(super) enum Connections {
    File {
        queue: Mutex<Option<SyncSender<Box<dyn QueuedWrite>>>>,
        writer: Mutex<Option<JoinHandle<()>>>,
        readers: Readers,
        counts: Arc<WriteCounts>,
    },
    Memory {
        shared: Arc<SharedConnection>,
        counts: WriteCounts,
    },
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::File { .. }) {
            "Connections::File"
        } else {
            "Connections::Memory"
        })
    }
}

impl Connections {
    /// Starts the thread of the writer, which ends after the last write.
    pub(super) fn file(writer: Writer, readers: Readers) -> std::io::Result<Self> {
        let (queue, queued) = sync_channel(QUEUE_CAPACITY);
        let counts = Arc::clone(writer.counts());
        let work = move || writer.run(&queued);
        let writer = std::thread::Builder::new().name("store-writer".to_owned()).spawn(work)?;
        Ok(Self::File { queue: Mutex::new(Some(queue)), writer: Mutex::new(Some(writer)), readers, counts })
    }

    pub(super) fn memory(shared: Arc<SharedConnection>) -> Self {
        Self::Memory { shared, counts: WriteCounts::default() }
    }

    /// The number of writes that wait, and of commits since the database was opened.
    pub(super) fn counts(&self) -> (u64, u64) {
        match self {
            Self::Memory { counts, .. } => counts.read(),
            Self::File { counts, .. } => counts.read(),
        }
    }

    /// The [number of the state](super::states::States::current) that a read beginning now sees, unless it sees a later
    /// one.
    pub(super) fn state(&self) -> Option<u64> {
        match self {
            Self::Memory { counts, .. } => counts.states.current(),
            Self::File { counts, .. } => counts.states.current(),
        }
    }

    /// Reads one state of the database, on a connection that no other thread uses meanwhile. It runs on the caller's
    /// thread, because a read by a key takes microseconds; longer reads belong to [`Scans`](super::scan::Scans).
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Memory { shared, .. } => read(&shared.lock_briefly()),
            Self::File { readers, .. } => {
                let borrowed = readers.borrow().ok_or_else(closed)?;
                borrowed.connection().map_or_else(|| Err(closed()), read)
            }
        }
    }

    /// Queues a write, which shares a transaction with other writes of the queue. The future returns the result after
    /// the write is durable. A write of a request that uses an idempotency key also stores that, in the same
    /// transaction.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        self.write_then(work, |_| ())
    }

    /// As [`write`](Self::write), and calls `done` with the result after the write is durable and before the caller
    /// receives the answer: in the order of the writes, and even if the caller dropped the future.
    pub(super) fn write_then<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
        done: impl FnOnce(&T) + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let work = move |connection: &Connection, (): &()| -> Result<T, StoreError> { work(connection) };
        let written = self.write_with((), work, done);
        async move { written.await.map(|(result, ())| result) }
    }

    /// As [`write_then`](Self::write_then), with the data of the work, which the caller receives with the result: the
    /// rest of what the caller wants to know is often in it, and need not be copied by the writer.
    pub(super) fn write_with<S: Send + 'static, T: Send + 'static>(
        &self,
        data: S,
        work: impl Fn(&Connection, &S) -> Result<T, StoreError> + Send + 'static,
        done: impl FnOnce(&T) + Send + 'static,
    ) -> impl Future<Output = Result<(T, S), StoreError>> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let used = KeyUse::current();
        let work = move |connection: &Connection, data: &S| -> Result<T, StoreError> {
            let result = work(connection, data)?;
            // After the work: a write that fails before it has changed anything does not affect the others of its
            // group.
            used.as_ref().map(|used| idempotency::claim(connection, used)).transpose()?;
            Ok(result)
        };
        let mut task = Box::new(Task::new(data, work, done, reply));
        match self {
            Self::Memory { shared, counts } => {
                let connection = shared.lock_briefly();
                counts.states.begin_commit();
                let outcome = commit_alone(&connection, &mut *task);
                counts.states.end_commit();
                if outcome.is_ok() {
                    counts.committed();
                }
                task.answer(outcome);
            }
            Self::File { queue, counts, .. } => {
                let queue = lock(queue).clone();
                // Counted before it is queued, because the writer may take it at once.
                counts.queued();
                match queue.map(|queue| queue.try_send(task as Box<dyn QueuedWrite>)) {
                    // Without a queue the task is dropped, and its reply channel reports that the store is closed.
                    Some(Ok(())) => {}
                    None => counts.taken(1),
                    Some(Err(TrySendError::Full(task))) => {
                        counts.taken(1);
                        task.answer(Err(StoreError::Overloaded));
                    }
                    Some(Err(TrySendError::Disconnected(task))) => {
                        counts.taken(1);
                        task.answer(Err(closed()));
                    }
                }
            }
        }
        async move {
            let (outcome, data, _work) = answer.await.map_err(|_| closed())?;
            outcome.map(|result| (result, data))
        }
    }

    /// Accepts no further work, and waits until the writer has completed the queue.
    pub(super) fn close(&self) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
        let writer = self.end();
        async move {
            let Some(writer) = writer else { return Ok(()) };
            let joined = tokio::task::spawn_blocking(move || writer.join()).await;
            if matches!(joined, Ok(Ok(()))) {
                Ok(())
            } else {
                Err(StoreError::Failed("the writer thread panicked".to_owned()))
            }
        }
    }

    /// Accepts no further work. Returns the writer's thread, which ends after it has completed the queue.
    fn end(&self) -> Option<JoinHandle<()>> {
        let Self::File { queue, writer, readers, counts } = self else { return None };
        counts.states.close();
        drop(lock(queue).take());
        readers.close();
        lock(writer).take()
    }
}

impl Drop for Connections {
    /// Waits for the writer, so that the file can be opened again at once.
    fn drop(&mut self) {
        if let Some(Err(_)) = self.end().map(JoinHandle::join) {
            tracing::error!("the store's writer thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use super::super::error::failed;
    use super::*;

    /// The connections of a database with a table `n` and one whose rows a commit refuses, and its folder, which is
    /// deleted with the test.
    fn connections() -> (tempfile::TempDir, Connections) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        drop(SqliteStore::open(&path).unwrap());
        let tables = "CREATE TABLE n (n INTEGER UNIQUE); \
            CREATE TABLE refused (n INTEGER REFERENCES n (n) DEFERRABLE INITIALLY DEFERRED)";
        Connection::open(&path).unwrap().execute_batch(tables).unwrap();
        let connections = SqliteStore::open(&path).unwrap().connections;
        (folder, connections)
    }

    fn insert(connections: &Connections, n: i64) -> impl Future<Output = Result<(), StoreError>> {
        connections.write(move |connection| {
            connection.execute("INSERT INTO n VALUES (?1)", [n]).map(|_| ()).map_err(failed)
        })
    }

    fn numbers(connections: &Connections) -> Vec<i64> {
        connections
            .read(|connection| {
                let mut select = connection.prepare("SELECT n FROM n ORDER BY n").map_err(failed)?;
                select
                    .query_map([], |row| row.get(0))
                    .map_err(failed)?
                    .collect::<Result<_, _>>()
                    .map_err(failed)
            })
            .unwrap()
    }

    /// Blocks the writer until a message is sent, so that all writes until then form one group.
    fn occupy(connections: &Connections) -> std::sync::mpsc::Sender<()> {
        let (release, released) = std::sync::mpsc::channel();
        let (begun, started) = std::sync::mpsc::channel();
        drop(connections.write(move |_| {
            // If its group is rolled back it runs again, and is not awaited then.
            if begun.send(()).is_ok() { released.recv().map_err(|_| closed()) } else { Ok(()) }
        }));
        started.recv().unwrap();
        release
    }

    /// Begins a group with a statement that changes something. Writes until a message is sent join the group.
    fn begin_group(
        connections: &Connections,
        sql: &'static str,
    ) -> (std::sync::mpsc::Sender<()>, impl Future<Output = Result<(), StoreError>>) {
        let (release, released) = std::sync::mpsc::channel();
        let (begun, started) = std::sync::mpsc::channel();
        let first = connections.write(move |connection| {
            connection.execute(sql, []).map_err(failed)?;
            // If its group is rolled back it runs again, and is not awaited then.
            if begun.send(()).is_ok() { released.recv().map_err(|_| closed()) } else { Ok(()) }
        });
        started.recv().unwrap();
        (release, first)
    }

    /// The errors of writes that are refused because of data that another write may have stored.
    fn refusals() -> [StoreError; 3] {
        let quota = StoreError::Quota { kind: "voice_out_trunks", most: 1 };
        [StoreError::Conflict, StoreError::Taken("n".to_owned()), quota]
    }

    fn refuse(connections: &Connections, error: StoreError) -> impl Future<Output = Result<(), StoreError>> {
        connections.write(move |_| -> Result<(), StoreError> { Err(error.clone()) })
    }

    #[tokio::test]
    async fn the_data_of_a_write_comes_back_with_its_result() {
        let (_folder, connections) = connections();
        let length = |_: &Connection, data: &String| -> Result<usize, StoreError> { Ok(data.len()) };
        let written = connections.write_with("data".to_owned(), length, |_| ());
        assert_eq!(written.await, Ok((4, "data".to_owned())));
    }

    #[tokio::test]
    async fn a_panic_in_a_write_is_an_error_of_that_write_alone() {
        let (_folder, connections) = connections();
        let release = occupy(&connections);
        let before = insert(&connections, 1);
        let panics = connections.write(|connection| -> Result<(), StoreError> {
            connection.execute("INSERT INTO n VALUES (99)", []).map_err(failed)?;
            panic!("on purpose")
        });
        let after = insert(&connections, 2);
        release.send(()).unwrap();
        assert_eq!((before.await, after.await), (Ok(()), Ok(())));
        assert_eq!(panics.await, Err(StoreError::Failed("a write panicked".to_owned())));
        assert_eq!(insert(&connections, 3).await, Ok(()), "the writer continues");
        assert_eq!(numbers(&connections), [1, 2, 3], "the write that panicked changed nothing");
    }

    #[tokio::test]
    async fn a_write_that_fails_halfway_costs_the_others_of_its_group_nothing() {
        let (_folder, connections) = connections();
        let release = occupy(&connections);
        let before = insert(&connections, 1);
        let clean = connections.write(|_| -> Result<(), StoreError> { Err(StoreError::Conflict) });
        let halfway = connections.write(|connection| -> Result<(), StoreError> {
            connection.execute("INSERT INTO n VALUES (2)", []).map_err(failed)?;
            Err(StoreError::Taken("n".to_owned()))
        });
        let after = insert(&connections, 2);
        release.send(()).unwrap();
        assert_eq!((before.await, after.await), (Ok(()), Ok(())));
        assert_eq!(clean.await, Err(StoreError::Conflict));
        assert_eq!(halfway.await, Err(StoreError::Taken("n".to_owned())));
        assert_eq!(numbers(&connections), [1, 2]);
    }

    #[tokio::test]
    async fn the_rows_of_a_statement_that_fails_in_the_middle_are_taken_back_alone() {
        let (_folder, connections) = connections();
        let release = occupy(&connections);
        let before = insert(&connections, 1);
        // Nothing else of the write has changed anything.
        let halfway = connections.write(|connection| {
            let sql = "INSERT OR FAIL INTO n VALUES (5), (1), (6)";
            connection.execute(sql, []).map(|_| ()).map_err(|_| StoreError::Taken("n".to_owned()))
        });
        let after = insert(&connections, 5);
        release.send(()).unwrap();
        assert_eq!((before.await, after.await), (Ok(()), Ok(())));
        assert_eq!(halfway.await, Err(StoreError::Taken("n".to_owned())));
        assert_eq!(numbers(&connections), [1, 5]);
    }

    #[tokio::test]
    async fn a_write_that_comes_while_a_group_runs_shares_its_commit() {
        let (_folder, connections) = connections();
        let (_, before) = connections.counts();
        let (release, first) = begin_group(&connections, "INSERT INTO n VALUES (1)");
        let second = insert(&connections, 2);
        release.send(()).unwrap();
        assert_eq!((first.await, second.await), (Ok(()), Ok(())));
        let (waiting, after) = connections.counts();
        assert_eq!((waiting, after - before), (0, 1));
        assert_eq!(numbers(&connections), [1, 2]);
    }

    #[tokio::test]
    async fn a_group_that_has_changed_many_rows_is_joined_by_no_further_write() {
        let (_folder, connections) = connections();
        let (_, before) = connections.counts();
        let many = "WITH RECURSIVE m (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM m LIMIT 8192) \
            INSERT INTO n SELECT n FROM m";
        let (release, first) = begin_group(&connections, many);
        let second = insert(&connections, 0);
        release.send(()).unwrap();
        assert_eq!((first.await, second.await), (Ok(()), Ok(())));
        let (_, after) = connections.counts();
        assert_eq!(after - before, 2);
    }

    #[tokio::test]
    async fn a_write_that_its_group_refuses_is_answered_when_reads_see_why() {
        for error in refusals() {
            let (_folder, connections) = connections();
            let (release, first) = begin_group(&connections, "INSERT INTO n VALUES (1)");
            let refused = refuse(&connections, error.clone());
            release.send(()).unwrap();
            assert_eq!(refused.await, Err(error));
            assert_eq!(numbers(&connections), [1]);
            assert_eq!(first.await, Ok(()));
        }
    }

    #[tokio::test]
    async fn a_write_that_its_group_refuses_is_answered_when_reads_see_why_if_the_group_runs_twice() {
        for error in refusals() {
            let (_folder, connections) = connections();
            let (release, first) = begin_group(&connections, "INSERT INTO n VALUES (1)");
            let refused = refuse(&connections, error.clone());
            let late = error.clone();
            let halfway = connections.write(move |connection| -> Result<(), StoreError> {
                connection.execute("INSERT INTO n VALUES (2)", []).map_err(failed)?;
                Err(late.clone())
            });
            release.send(()).unwrap();
            assert_eq!(refused.await, Err(error.clone()));
            assert_eq!(numbers(&connections), [1]);
            assert_eq!((first.await, halfway.await), (Ok(()), Err(error)));
        }
    }

    #[tokio::test]
    async fn a_write_that_is_refused_for_what_is_never_committed_receives_the_error_of_the_commit() {
        for error in refusals() {
            let (_folder, connections) = connections();
            let (release, first) = begin_group(&connections, "INSERT INTO refused VALUES (9)");
            let refused = refuse(&connections, error.clone());
            release.send(()).unwrap();
            let lost = first.await.unwrap_err();
            assert!(matches!(lost, StoreError::Failed(_)), "{lost:?}");
            assert_eq!(refused.await, Err(lost));
            assert_eq!(insert(&connections, 3).await, Ok(()), "the writer continues");
        }
    }

    #[tokio::test]
    async fn no_write_of_a_group_succeeds_if_the_engine_rolls_the_group_back() {
        let (_folder, connections) = connections();
        let release = occupy(&connections);
        let before = insert(&connections, 1);
        let fatal = connections.write(|connection| -> Result<(), StoreError> {
            connection.execute_batch("ROLLBACK").map_err(failed)?;
            Err(StoreError::Full)
        });
        let after = insert(&connections, 2);
        release.send(()).unwrap();
        assert_eq!((before.await, fatal.await), (Err(StoreError::Full), Err(StoreError::Full)));
        assert_eq!(after.await, Ok(()));
        assert_eq!(numbers(&connections), [2]);
    }

    #[tokio::test]
    async fn the_callback_of_a_write_runs_even_if_its_future_is_dropped() {
        let (_folder, connections) = connections();
        let (sender, called) = std::sync::mpsc::channel();
        drop(connections.write_then(|_| Ok(7), move |n: &i32| sender.send(*n).unwrap()));
        assert_eq!(called.recv(), Ok(7));
        let (sender, called) = std::sync::mpsc::channel();
        let failed =
            connections.write_then(|_| Err(StoreError::Conflict), move |n: &i32| sender.send(*n).unwrap());
        assert_eq!(failed.await, Err(StoreError::Conflict));
        assert!(called.recv().is_err(), "a failed write calls nothing");
    }

    #[tokio::test]
    async fn a_closed_store_refuses_reads_and_writes_at_once() {
        let (_folder, connections) = connections();
        let waiting: Vec<_> = (0..100).map(|n| insert(&connections, n)).collect();
        connections.close().await.unwrap();
        for write in waiting {
            assert_eq!(write.await, Ok(()), "waiting writes are completed");
        }
        assert_eq!(insert(&connections, 1_000).await, Err(closed()));
        assert_eq!(connections.read(|_| Ok(())), Err(closed()));
        assert_eq!(connections.close().await, Ok(()), "closing twice is harmless");
    }

    #[tokio::test]
    async fn a_reader_that_panics_returns_its_connection() {
        let (_folder, connections) = connections();
        // More iterations than connections in the pool.
        for _ in 0..20 {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                connections.read(|_| -> Result<(), StoreError> { panic!("on purpose") })
            }));
            assert!(panicked.is_err());
        }
        assert!(numbers(&connections).is_empty(), "the pool is complete");
    }
}

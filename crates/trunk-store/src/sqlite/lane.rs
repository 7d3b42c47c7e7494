//! How work reaches the connections: many readers beside one writer that commits in groups.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::memory::Memory;
use super::writer::{Writer, alone};
use crate::StoreError;

/// Most writes that wait; beyond it a write is refused at once.
const QUEUE: usize = 4096;

pub(super) enum Lane {
    File {
        queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
        writer: Mutex<Option<JoinHandle<()>>>,
        readers: Readers,
    },
    Memory(Arc<Memory>),
}

/// The connections that read.
#[derive(Default)]
pub(super) struct Readers {
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    /// Those that nobody reads on; none at all once the store is closed.
    free: Option<Vec<Connection>>,
    /// How many wait for one: to tell nobody of a return would be a system call all the same.
    waiting: usize,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::File { .. }) { "Lane::File" } else { "Lane::Memory" })
    }
}

/// A write that waits. It is run inside a transaction, a second time when that was taken back for the sake of
/// another one, and answered when it is durable.
pub(super) trait Job: Send {
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Task<T, F, D> {
    work: F,
    result: Option<T>,
    done: D,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F, D> Job for Task<T, F, D>
where
    T: Send,
    F: Fn(&Connection) -> Result<T, StoreError> + Send,
    D: FnOnce(&T) + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.result = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let missing = || StoreError::Failed("a write gave no result".to_owned());
        let Self { result, reply, done, .. } = *self;
        let outcome = outcome.and_then(|()| result.ok_or_else(missing));
        if let Ok(result) = &outcome {
            done(result);
        }
        // Whoever asked may be gone; the write stands all the same.
        let _gone = reply.send(outcome);
    }
}

impl Lane {
    /// The writer has a thread of its own until the last write is done.
    pub(super) fn file(writer: Writer, readers: Vec<Connection>) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let work = move || writer.run(&jobs);
        let writer = std::thread::Builder::new().name("store-writer".to_owned()).spawn(work)?;
        Ok(Self::File {
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
            readers: Readers {
                pool: Mutex::new(Pool { free: Some(readers), waiting: 0 }),
                ..Readers::default()
            },
        })
    }

    pub(super) fn memory(memory: Arc<Memory>) -> Self {
        Self::Memory(memory)
    }

    /// Reads one state of the database, on a connection that nobody else uses. Reads by a key take microseconds, so the
    /// caller's thread does them; what takes longer is a matter of [`Scans`](super::scan::Scans).
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Memory(memory) => read(&memory.borrow()),
            Self::File { readers, .. } => {
                let borrowed = readers.borrow().ok_or_else(closed)?;
                borrowed.connection.as_ref().map_or_else(|| Err(closed()), read)
            }
        }
    }

    /// Writes in a transaction of its own or together with others; gives the result when it is durable.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        self.write_then(work, |_| ())
    }

    /// Writes, and once that is durable does something more with the result before anybody hears of it: in the
    /// order of the writes, and also when whoever asked does not wait for the answer any more.
    pub(super) fn write_then<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
        done: impl FnOnce(&T) + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let mut task = Box::new(Task { work, result: None, done, reply });
        match self {
            Self::Memory(memory) => {
                let connection = memory.borrow();
                let outcome = alone(&connection, &mut *task);
                task.answer(outcome);
            }
            Self::File { queue, .. } => {
                let queue = held(queue).clone();
                match queue.map(|queue| queue.try_send(task as Box<dyn Job>)) {
                    // Without a queue the task is dropped, and its reply's sender says that the store is closed.
                    Some(Ok(())) | None => {}
                    Some(Err(TrySendError::Full(task))) => task.answer(Err(StoreError::Overloaded)),
                    Some(Err(TrySendError::Disconnected(task))) => task.answer(Err(closed())),
                }
            }
        }
        async move { answer.await.unwrap_or_else(|_| Err(closed())) }
    }

    /// Takes no more work, lets the writer finish what is waiting, and waits for it.
    pub(super) fn close(&self) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
        let writer = self.end();
        async move {
            let Some(writer) = writer else { return Ok(()) };
            let joined = tokio::task::spawn_blocking(move || writer.join()).await;
            if matches!(joined, Ok(Ok(()))) {
                Ok(())
            } else {
                Err(StoreError::Failed("the writer ended badly".to_owned()))
            }
        }
    }

    /// Takes no more work. Gives the writer, which ends when it has done what is waiting.
    fn end(&self) -> Option<JoinHandle<()>> {
        let Self::File { queue, writer, readers } = self else { return None };
        drop(held(queue).take());
        readers.close();
        held(writer).take()
    }
}

impl Drop for Lane {
    /// Waits for the writer, so that the file can be opened again at once.
    fn drop(&mut self) {
        if let Some(Err(_)) = self.end().map(JoinHandle::join) {
            tracing::error!("the store's writer ended badly");
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> StoreError {
    StoreError::Failed("the store is closed".to_owned())
}

impl Readers {
    /// Waits for a connection that nobody reads on; gives none when the store is closed.
    fn borrow(&self) -> Option<Borrowed<'_>> {
        let mut pool = held(&self.pool);
        loop {
            if let Some(connection) = pool.free.as_mut()?.pop() {
                return Some(Borrowed { readers: self, connection: Some(connection) });
            }
            pool.waiting += 1;
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
            pool.waiting -= 1;
        }
    }

    fn close(&self) {
        drop(held(&self.pool).free.take());
        self.returned.notify_all();
    }
}

/// Gives a reading connection back, also when the reader panics.
struct Borrowed<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut pool = held(&self.readers.pool);
        if let Some(free) = &mut pool.free {
            free.extend(self.connection.take());
        }
        let awaited = pool.waiting > 0;
        drop(pool);
        if awaited {
            self.readers.returned.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use super::super::error::failed;
    use super::*;

    /// A lane on a table in a file, and the folder that goes with the test.
    fn lane() -> (tempfile::TempDir, Lane) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lane.db");
        drop(SqliteStore::open(&path).unwrap());
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE n (n INTEGER UNIQUE)").unwrap();
        let lane = SqliteStore::open(&path).unwrap().lane;
        (folder, lane)
    }

    fn insert(lane: &Lane, n: i64) -> impl Future<Output = Result<(), StoreError>> {
        lane.write(move |connection| {
            connection.execute("INSERT INTO n VALUES (?1)", [n]).map(|_| ()).map_err(failed)
        })
    }

    fn numbers(lane: &Lane) -> Vec<i64> {
        lane.read(|connection| {
            let mut select = connection.prepare("SELECT n FROM n ORDER BY n").map_err(failed)?;
            select.query_map([], |row| row.get(0)).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
        })
        .unwrap()
    }

    /// Keeps the writer busy until the sender is used, so that what is written meanwhile becomes one group.
    fn occupy(lane: &Lane) -> std::sync::mpsc::Sender<()> {
        let (release, released) = std::sync::mpsc::channel();
        let (begun, started) = std::sync::mpsc::channel();
        drop(lane.write(move |_| {
            begun.send(()).unwrap();
            released.recv().map_err(|_| closed())
        }));
        started.recv().unwrap();
        release
    }

    #[tokio::test]
    async fn a_panic_in_a_write_is_an_error_of_that_write_alone() {
        let (_folder, lane) = lane();
        let release = occupy(&lane);
        let before = insert(&lane, 1);
        let panics = lane.write(|connection| -> Result<(), StoreError> {
            connection.execute("INSERT INTO n VALUES (99)", []).map_err(failed)?;
            panic!("on purpose")
        });
        let after = insert(&lane, 2);
        release.send(()).unwrap();
        assert_eq!((before.await, after.await), (Ok(()), Ok(())));
        assert_eq!(panics.await, Err(StoreError::Failed("a write panicked".to_owned())));
        assert_eq!(insert(&lane, 3).await, Ok(()), "the writer lives on");
        assert_eq!(numbers(&lane), [1, 2, 3], "and the write that panicked left nothing");
    }

    #[tokio::test]
    async fn a_write_that_fails_halfway_costs_the_others_of_its_group_nothing() {
        let (_folder, lane) = lane();
        let release = occupy(&lane);
        let before = insert(&lane, 1);
        let clean = lane.write(|_| -> Result<(), StoreError> { Err(StoreError::Conflict) });
        let halfway = lane.write(|connection| -> Result<(), StoreError> {
            connection.execute("INSERT INTO n VALUES (2)", []).map_err(failed)?;
            Err(StoreError::Taken("n".to_owned()))
        });
        let after = insert(&lane, 2);
        release.send(()).unwrap();
        assert_eq!((before.await, after.await), (Ok(()), Ok(())));
        assert_eq!(clean.await, Err(StoreError::Conflict));
        assert_eq!(halfway.await, Err(StoreError::Taken("n".to_owned())));
        assert_eq!(numbers(&lane), [1, 2]);
    }

    #[tokio::test]
    async fn nobody_is_told_success_when_the_engine_gives_the_group_up() {
        let (_folder, lane) = lane();
        let release = occupy(&lane);
        let before = insert(&lane, 1);
        let fatal = lane.write(|connection| -> Result<(), StoreError> {
            connection.execute_batch("ROLLBACK").map_err(failed)?;
            Err(StoreError::Full)
        });
        let after = insert(&lane, 2);
        release.send(()).unwrap();
        assert_eq!((before.await, fatal.await), (Err(StoreError::Full), Err(StoreError::Full)));
        assert_eq!(after.await, Ok(()));
        assert_eq!(numbers(&lane), [2]);
    }

    #[tokio::test]
    async fn what_follows_a_write_happens_though_nobody_waits_for_the_answer() {
        let (_folder, lane) = lane();
        let (tell, told) = std::sync::mpsc::channel();
        drop(lane.write_then(|_| Ok(7), move |n: &i32| tell.send(*n).unwrap()));
        assert_eq!(told.recv(), Ok(7));
        let (tell, told) = std::sync::mpsc::channel();
        let failed = lane.write_then(|_| Err(StoreError::Conflict), move |n: &i32| tell.send(*n).unwrap());
        assert_eq!(failed.await, Err(StoreError::Conflict));
        assert!(told.recv().is_err(), "a write that failed is followed by nothing");
    }

    #[tokio::test]
    async fn a_closed_lane_refuses_and_does_not_wait() {
        let (_folder, lane) = lane();
        let waiting: Vec<_> = (0..100).map(|n| insert(&lane, n)).collect();
        lane.close().await.unwrap();
        for write in waiting {
            assert_eq!(write.await, Ok(()), "what was waiting is done");
        }
        assert_eq!(insert(&lane, 1_000).await, Err(closed()));
        assert_eq!(lane.read(|_| Ok(())), Err(closed()));
        assert_eq!(lane.close().await, Ok(()), "closing twice is harmless");
    }

    #[tokio::test]
    async fn a_reader_that_panics_gives_its_connection_back() {
        let (_folder, lane) = lane();
        // More often than there are connections.
        for _ in 0..20 {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                lane.read(|_| -> Result<(), StoreError> { panic!("on purpose") })
            }));
            assert!(panicked.is_err());
        }
        assert!(numbers(&lane).is_empty(), "the reading connections are there again");
    }
}

//! How work reaches the connections: many readers beside one writer that commits in groups.

use std::fs::File;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::failed;
use crate::store::{Committed, Observer, StoreError};

/// Who is told of writes: nobody until somebody asks for it.
pub(super) type Watch = Arc<OnceLock<Arc<dyn Observer>>>;

/// Most writes in one transaction. Larger groups gain little and make the last to come wait.
const GROUP: usize = 256;
/// Most writes that wait; beyond it a write is refused at once.
const QUEUE: usize = 4096;

pub(super) enum Lane {
    File {
        queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
        writer: Mutex<Option<JoinHandle<()>>>,
        readers: Mutex<Vec<Connection>>,
        idle: std::sync::Condvar,
        _lock: File,
    },
    Memory(Mutex<Connection>, Watch),
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::File { .. }) { "Lane::File" } else { "Lane::Memory" })
    }
}

/// A write that waits. It is run inside a transaction and answered when that is durable.
pub(super) trait Job: Send {
    /// Does the work and gives what observers are to be told of it.
    fn run(&mut self, connection: &Connection) -> Result<Vec<Committed>, StoreError>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Task<T, F> {
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<(T, Vec<Committed>), StoreError> + Send> Job for Task<T, F> {
    fn run(&mut self, connection: &Connection) -> Result<Vec<Committed>, StoreError> {
        let Some(work) = self.work.take() else { return Ok(Vec::new()) };
        let (result, committed) = work(connection)?;
        self.result = Some(result);
        Ok(committed)
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let missing = || StoreError::Failed("a write gave no result".to_owned());
        let Self { result, reply, .. } = *self;
        // Whoever asked may be gone; the write stands all the same.
        let _gone = reply.send(outcome.and_then(|()| result.ok_or_else(missing)));
    }
}

impl Lane {
    pub(super) fn file(
        writer: Connection,
        readers: Vec<Connection>,
        lock: File,
        watch: Watch,
    ) -> std::io::Result<Self> {
        super::open::prepare(&writer);
        let (queue, jobs) = sync_channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(writer, &jobs, &watch))?;
        Ok(Self::File {
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
            readers: Mutex::new(readers),
            idle: std::sync::Condvar::new(),
            _lock: lock,
        })
    }

    pub(super) fn memory(connection: Connection, watch: Watch) -> Self {
        Self::Memory(Mutex::new(connection), watch)
    }

    /// Reads on a connection that nobody else uses. Reads take microseconds, so the caller's thread does them.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Memory(connection, _) => read(&connection.lock().unwrap_or_else(PoisonError::into_inner)),
            Self::File { readers, idle, .. } => {
                let mut free = readers.lock().unwrap_or_else(PoisonError::into_inner);
                let connection = loop {
                    match free.pop() {
                        Some(connection) => break Returned { readers, idle, connection: Some(connection) },
                        None => free = idle.wait(free).unwrap_or_else(PoisonError::into_inner),
                    }
                };
                drop(free);
                connection
                    .connection
                    .as_ref()
                    .map_or_else(|| Err(StoreError::Failed("no connection to read on".to_owned())), read)
            }
        }
    }

    /// Writes in a transaction of its own or together with others; gives the result when it is durable.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<(T, Vec<Committed>), StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let mut task = Box::new(Task { work: Some(work), result: None, reply });
        match self {
            Self::Memory(connection, watch) => {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                let outcome = alone(&connection, &mut *task);
                task.answer(outcome.map(|committed| tell(watch, &committed)));
            }
            Self::File { queue, .. } => {
                let queue = queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
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

    /// Lets the writer finish what is waiting and waits for it.
    pub(super) fn close(&self) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
        let handle = match self {
            Self::Memory(..) => None,
            Self::File { queue, writer, .. } => {
                drop(queue.lock().unwrap_or_else(PoisonError::into_inner).take());
                writer.lock().unwrap_or_else(PoisonError::into_inner).take()
            }
        };
        async move {
            let Some(handle) = handle else { return Ok(()) };
            let joined = tokio::task::spawn_blocking(move || handle.join()).await;
            if matches!(joined, Ok(Ok(()))) { Ok(()) } else { Err(closed()) }
        }
    }
}

fn closed() -> StoreError {
    StoreError::Failed("the store is closed".to_owned())
}

/// Gives a reading connection back, also when the reader panics.
struct Returned<'a> {
    readers: &'a Mutex<Vec<Connection>>,
    idle: &'a std::sync::Condvar,
    connection: Option<Connection>,
}

impl Drop for Returned<'_> {
    fn drop(&mut self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).extend(self.connection.take());
        self.idle.notify_one();
    }
}

/// The writer's thread: it ends when nobody can send any more and all that was sent is done.
fn run(connection: Connection, jobs: &Receiver<Box<dyn Job>>, watch: &Watch) {
    while let Ok(first) = jobs.recv() {
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(GROUP - 1));
        commit_group(&connection, group, watch);
    }
    if let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);") {
        tracing::warn!(%error, "the write-ahead log was not folded into the database; the next start does it");
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database was not closed cleanly; nothing is lost");
    }
}

/// Tells the observer, if there is one, of a durable write.
fn tell(watch: &Watch, committed: &[Committed]) {
    if let Some(observer) = watch.get() {
        for committed in committed {
            observer.committed(committed);
        }
    }
}

fn commit_group(connection: &Connection, group: Vec<Box<dyn Job>>, watch: &Watch) {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        let error = failed(error);
        for job in group {
            job.answer(Err(error.clone()));
        }
        return;
    }
    let mut done = Vec::with_capacity(group.len());
    for mut job in group {
        match step(connection, &mut *job) {
            Ok(committed) => done.push((job, committed)),
            Err(error) => job.answer(Err(error)),
        }
        // Some failures of the disk end the whole transaction: what was done in it is undone.
        if connection.is_autocommit() {
            for (job, _) in done.drain(..) {
                job.answer(Err(StoreError::Failed("the transaction was lost".to_owned())));
            }
            if connection.execute_batch("BEGIN IMMEDIATE").is_err() {
                return;
            }
        }
    }
    match connection.execute_batch("COMMIT") {
        Ok(()) => {
            for (job, committed) in done {
                tell(watch, &committed);
                job.answer(Ok(()));
            }
        }
        Err(error) => {
            let error = failed(error);
            // Answers with the first error matter; a second one has nothing to add.
            let _already_over = connection.execute_batch("ROLLBACK");
            for (job, _) in done {
                job.answer(Err(error.clone()));
            }
        }
    }
}

/// One job of a group: what fails leaves the others of the group alone.
fn step(connection: &Connection, job: &mut dyn Job) -> Result<Vec<Committed>, StoreError> {
    let statement =
        |sql: &str| connection.prepare_cached(sql).and_then(|mut s| s.execute([])).map_err(failed);
    statement("SAVEPOINT job")?;
    match guarded(connection, job) {
        Ok(committed) => statement("RELEASE job").map(|_| committed),
        Err(error) => {
            if !connection.is_autocommit() {
                statement("ROLLBACK TO job")?;
                statement("RELEASE job")?;
            }
            Err(error)
        }
    }
}

/// A panic in one write must not take the writer down with it.
fn guarded(connection: &Connection, job: &mut dyn Job) -> Result<Vec<Committed>, StoreError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.run(connection)))
        .unwrap_or_else(|_| Err(StoreError::Failed("a write panicked".to_owned())))
}

/// One job in a transaction of its own.
fn alone(connection: &Connection, job: &mut dyn Job) -> Result<Vec<Committed>, StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    match guarded(connection, job) {
        Ok(committed) => connection.execute_batch("COMMIT").map(|()| committed).map_err(failed),
        Err(error) => {
            connection.execute_batch("ROLLBACK").map_err(failed)?;
            Err(error)
        }
    }
}

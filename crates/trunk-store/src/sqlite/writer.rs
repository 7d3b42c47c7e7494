//! The writer thread: it commits writes in groups, answers after the commit, and stops for good after a failed flush.
//!
//! After a failed flush the contents of the disk are unknown, and a later successful flush does not change that: the
//! kernel has forgotten which pages it lost. So the first failed flush ends writing for good. The write-ahead log is
//! truncated to the last acknowledged commit, reads continue from it, and only a restart, which reads the file again,
//! permits writes again. A full disk is different: a write that did not fit changed nothing, and small test writes show
//! when there is space again.
//!
//! Bounds: a group has at most [`MAX_GROUP_WRITES`] writes, and takes no further one after [`MAX_GROUP_CHANGES`]
//! changes; [`Connections`](super::connections::Connections) bounds the queue.

mod health;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use service_base::clock::Clock;
use tokio::sync::watch;

use super::commits::{CommitCount, Commits};
use super::error::failed;
use super::files::Files;
use super::queued_write::{QueuedWrite, WriteCounts};
use super::wal::Wal;
use crate::{StoreError, WriteHealth};
use health::HealthReporter;

/// Maximum number of writes in one transaction. Larger groups gain little and delay the writes that arrive meanwhile.
const MAX_GROUP_WRITES: usize = 256;
/// Number of changed rows after which a running group accepts no further writes: about the rows of [`MAX_GROUP_WRITES`]
/// writes of ordinary records. The first callers of a group wait for the writes that join it, which may be far larger.
const MAX_GROUP_CHANGES: u64 = 32 * MAX_GROUP_WRITES as u64;
/// How often an idle writer checks that its files are in place, and whether a full disk has space again.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Delay before the next checkpoint after one that failed.
const CHECKPOINT_RETRY_DELAY: Duration = Duration::from_secs(1);

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";

/// A write that was refused because of stored data, and its error.
type Refused = (Box<dyn QueuedWrite>, StoreError);

/// The writer of a database in a file.
pub(super) struct Writer {
    connection: Connection,
    wal: Wal,
    commits: Commits,
    files: Files,
    health: HealthReporter,
    clock: Clock,
    counts: Arc<WriteCounts>,
    /// The earliest time of the next checkpoint, on the clock's stopwatch.
    next_checkpoint: Duration,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        wal: Wal,
        commits: Commits,
        files: Files,
        health: watch::Sender<WriteHealth>,
        clock: Clock,
    ) -> Self {
        let health = HealthReporter::new(health, clock.clone());
        let (counts, next_checkpoint) = (Arc::default(), Duration::ZERO);
        Self { connection, wal, commits, files, health, clock, counts, next_checkpoint }
    }

    /// The writes that wait for this writer, and its commits.
    pub(super) fn counts(&self) -> &Arc<WriteCounts> {
        &self.counts
    }

    /// Runs writes until the queue is closed and empty.
    pub(super) fn run(mut self, writes: &Receiver<Box<dyn QueuedWrite>>) {
        loop {
            match writes.recv_timeout(IDLE_CHECK_INTERVAL) {
                Ok(first) => {
                    let mut group = vec![first];
                    group.extend(writes.try_iter().take(MAX_GROUP_WRITES - 1));
                    self.counts.taken(group.len());
                    self.commit_group(group, writes);
                }
                Err(RecvTimeoutError::Timeout) => self.check_while_idle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
    }

    fn commit_group(&mut self, group: Vec<Box<dyn QueuedWrite>>, writes: &Receiver<Box<dyn QueuedWrite>>) {
        if self.health.has_ended() {
            return self.refuse(group, &StoreError::Ended);
        }
        if let Err(group) = self.run_without_savepoints(group, writes) {
            self.run_with_savepoints(group);
        }
        self.checkpoint_if_due();
    }

    /// Takes a write that arrived while a group of `group` writes ran, so that it shares the commit of the group
    /// instead of waiting for the next flush.
    fn take_another(
        &self,
        writes: &Receiver<Box<dyn QueuedWrite>>,
        group: &mut usize,
        changes_before_group: u64,
    ) -> Option<Box<dyn QueuedWrite>> {
        let changes = self.connection.total_changes().saturating_sub(changes_before_group);
        if *group >= MAX_GROUP_WRITES || changes >= MAX_GROUP_CHANGES || self.health.has_ended() {
            return None;
        }
        let another = writes.try_recv().ok()?;
        *group += 1;
        self.counts.taken(1);
        Some(another)
    }

    /// Runs a group without savepoints, so that a single write cannot be rolled back, and with it the writes that come
    /// meanwhile. Most writes that fail have changed nothing yet. If one has, the whole group is rolled back and
    /// returned.
    fn run_without_savepoints(
        &mut self,
        group: Vec<Box<dyn QueuedWrite>>,
        writes: &Receiver<Box<dyn QueuedWrite>>,
    ) -> Result<(), Vec<Box<dyn QueuedWrite>>> {
        if execute(&self.connection, BEGIN).is_err() {
            return Err(group);
        }
        let changes_before_group = self.connection.total_changes();
        let mut done = Vec::with_capacity(group.len());
        // Writes that are refused because of data that the group may have changed. Reads see these changes only after
        // the commit: before it, a caller would not find the reason, and a repeated write would only be refused again.
        let mut refused: Vec<Refused> = Vec::new();
        let mut taken = group.len();
        let mut has_yielded = false;
        let mut group = group.into_iter();
        while let Some(mut write) = group
            .next()
            .or_else(|| self.take_another(writes, &mut taken, changes_before_group))
            .or_else(|| {
                // Several clients write. If threads that prepare further writes wait for a processor, they go first,
                // once, because a commit of more writes costs hardly more. If none waits, this returns at once.
                let yields = taken > 1 && !std::mem::replace(&mut has_yielded, true);
                yields.then(std::thread::yield_now)?;
                self.take_another(writes, &mut taken, changes_before_group)
            })
        {
            let before = self.connection.total_changes();
            match run_catching_panics(&self.connection, &mut *write) {
                Ok(()) => done.push(write),
                // The first case: nothing is committed after a failed flush, whichever write caused it.
                Err(error @ StoreError::Ended) => {
                    rollback(&self.connection);
                    done.push(write);
                    done.extend(refused.into_iter().map(|(write, _)| write));
                    done.extend(group);
                    self.refuse(done, &error);
                    return Ok(());
                }
                Err(error)
                    if self.connection.total_changes() == before && !self.connection.is_autocommit() =>
                {
                    if depends_on_stored_data(&error) && before != changes_before_group {
                        refused.push((write, error));
                    } else {
                        self.refuse(vec![write], &error);
                    }
                }
                Err(_) => {
                    rollback(&self.connection);
                    done.push(write);
                    // The changes because of which they were refused were rolled back with the group.
                    done.extend(refused.into_iter().map(|(write, _)| write));
                    done.extend(group);
                    return Err(done);
                }
            }
        }
        self.commit(done, refused, changes_before_group);
        Ok(())
    }

    /// Runs a group with a savepoint for each write, so that each can be rolled back alone. This is considerably
    /// slower.
    fn run_with_savepoints(&mut self, group: Vec<Box<dyn QueuedWrite>>) {
        let mut done = Vec::with_capacity(group.len());
        let mut refused: Vec<Refused> = Vec::new();
        let mut group = group.into_iter();
        if let Err(error) = execute(&self.connection, BEGIN) {
            return self.refuse(group.collect(), &failed(error));
        }
        let changes_before_group = self.connection.total_changes();
        while let Some(mut write) = group.next() {
            match run_in_savepoint(&self.connection, &mut *write) {
                Ok(()) => done.push(write),
                Err(error) if depends_on_stored_data(&error) && !self.connection.is_autocommit() => {
                    refused.push((write, error));
                }
                Err(error) => {
                    self.refuse(vec![write], &error);
                    if self.health.has_ended() {
                        rollback(&self.connection);
                        done.extend(refused.into_iter().map(|(write, _)| write));
                        done.extend(group);
                        return self.refuse(done, &error);
                    }
                    // Some disk failures make the engine roll the whole transaction back.
                    if self.connection.is_autocommit() {
                        done.extend(refused.drain(..).map(|(write, _)| write));
                        self.refuse(std::mem::take(&mut done), &error);
                        if let Err(error) = execute(&self.connection, BEGIN) {
                            return self.refuse(group.collect(), &failed(error));
                        }
                    }
                }
            }
        }
        self.commit(done, refused, changes_before_group);
    }

    /// Commits the transaction and answers all of its writes, and then those that were refused because of its changes.
    fn commit(&mut self, group: Vec<Box<dyn QueuedWrite>>, refused: Vec<Refused>, changes_before_group: u64) {
        let outcome = if self.connection.total_changes() == changes_before_group {
            // A transaction without changes needs no flush and is not counted.
            execute(&self.connection, COMMIT).map_err(failed).inspect_err(|_| rollback(&self.connection))
        } else {
            self.make_durable()
        };
        match outcome {
            Ok(()) => {
                for write in group {
                    write.answer(Ok(()));
                }
                for (write, error) in refused {
                    write.answer(Err(error));
                }
            }
            Err(error) => {
                self.refuse(group, &error);
                // The changes because of which they were refused may not be stored. They themselves have certainly
                // changed nothing.
                let error = if error == StoreError::Unknown { StoreError::Ended } else { error };
                self.refuse(refused.into_iter().map(|(write, _)| write).collect(), &error);
            }
        }
    }

    fn make_durable(&mut self) -> Result<(), StoreError> {
        let counted = self.commits.increment(&self.connection);
        self.counts.states.begin_commit();
        let committed = counted.and_then(|count| execute(&self.connection, COMMIT).map(|()| count));
        self.counts.states.end_commit();
        let count = match committed {
            Ok(count) => count,
            Err(error) => {
                rollback(&self.connection);
                return Err(self.handle_failed_commit(error));
            }
        };
        self.wal.note_flush();
        // The check between the flush and the answer ensures that an acknowledged write is in the file at this path.
        if let Err(why) = self.files.check() {
            self.health.end(why);
            return Err(StoreError::Unknown);
        }
        self.commits.note(count);
        self.counts.committed();
        self.health.report_writable();
        Ok(())
    }

    /// Ensures that a failed commit cannot reappear after a restart. Returns the error for the callers.
    fn handle_failed_commit(&mut self, error: rusqlite::Error) -> StoreError {
        let code = error.sqlite_error_code();
        if matches!(code, Some(ErrorCode::ConstraintViolation | ErrorCode::DatabaseBusy)) {
            // The engine refuses these before it writes to the log.
            return failed(error);
        }
        let (text, meaning) = (error.to_string(), failed(error));
        let is_harmless = meaning == StoreError::Full || code != Some(ErrorCode::SystemIoFailure);
        let cut = self.verify_rolled_back().and_then(|()| self.wal.truncate_to_last_commit(&self.connection));
        if is_harmless && cut.is_ok() {
            return meaning;
        }
        match cut.and(self.wal.discard_unflushed()) {
            Ok(()) => {
                self.health.end(format!("a commit failed ({text})"));
                StoreError::Ended
            }
            Err(why) => {
                self.health.end(format!("a commit failed ({text}), and {why}"));
                StoreError::Unknown
            }
        }
    }

    /// Verifies that the engine itself considers the commit failed.
    fn verify_rolled_back(&self) -> Result<(), String> {
        match CommitCount::of(&self.connection) {
            Ok(count) if count == self.commits.last() => Ok(()),
            Ok(_) => Err("the engine shows the commit that it reported as failed".to_owned()),
            Err(error) => Err(format!("the state after it cannot be read: {error}")),
        }
    }

    /// Answers writes that failed, and updates the health.
    fn refuse(&mut self, writes: Vec<Box<dyn QueuedWrite>>, error: &StoreError) {
        match error {
            StoreError::Full => self.health.report_full(writes.len()),
            StoreError::Ended | StoreError::Unknown => {
                // Before a commit, these errors can only come from a failed flush.
                self.health.end("a flush to the disk failed".to_owned());
                self.health.count_refused(writes.len());
            }
            _ => {}
        }
        for write in writes {
            write.answer(Err(error.clone()));
        }
    }

    /// Checkpoints the log if it is long. All of its writes are answered already; those that arrive meanwhile wait.
    fn checkpoint_if_due(&mut self) {
        if self.health.has_ended()
            || self.clock.stopwatch() < self.next_checkpoint
            || !Wal::is_due(&self.connection)
        {
            return;
        }
        let Err(error) = Wal::checkpoint(&self.connection) else { return };
        self.next_checkpoint = self.clock.stopwatch() + CHECKPOINT_RETRY_DELAY;
        let is_io = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        let text = error.to_string();
        match failed(error) {
            // Nothing is lost: the log contains all commits, and the next checkpoint will have space.
            StoreError::Full => {}
            StoreError::Ended => self.end_after_checkpoint(&text),
            _ if is_io => self.end_after_checkpoint(&text),
            _ => tracing::warn!(
                error = text,
                "the write-ahead log was not folded into the database; the server tries again"
            ),
        }
    }

    fn end_after_checkpoint(&mut self, text: &str) {
        self.health.end(format!("the write-ahead log could not be folded into the database ({text})"));
    }

    /// Logs the number of refused writes, checks the files, and tests whether a full disk has space again.
    fn check_while_idle(&mut self) {
        self.health.log_refused_if_due();
        if self.health.has_ended() {
            return;
        }
        if let Err(why) = self.files.check() {
            return self.health.end(why);
        }
        if self.health.is_full() {
            self.test_for_space();
        }
        self.checkpoint_if_due();
    }

    /// Tests with a write of 64 KiB, more than the smallest write needs, whether the disk has space again, and then
    /// removes the test data.
    fn test_for_space(&mut self) {
        for room in ["zeroblob(65536)", "NULL"] {
            let begun = format!("BEGIN IMMEDIATE; UPDATE commits SET room = {room};");
            let outcome = match self.connection.execute_batch(&begun) {
                Ok(()) => self.make_durable(),
                Err(error) => {
                    rollback(&self.connection);
                    Err(failed(error))
                }
            };
            if let Err(error) = outcome {
                return self.refuse(Vec::new(), &error);
            }
        }
    }

    /// Checkpoints the log and releases the files. The engine deletes a log that is checkpointed completely.
    fn close(mut self) {
        self.health.log_refused_if_due();
        if !self.health.has_ended()
            && let Err(why) = self.files.check()
        {
            self.health.end(why);
        }
        let checkpointed = if self.health.has_ended() {
            // A checkpoint after the failure that ended writing would repeat the failed flush unnoticed.
            Err("writes had ended".to_owned())
        } else {
            self.connection
                .execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")
                .map_err(|error| error.to_string())
        };
        if let Err(error) = checkpointed {
            tracing::warn!(
                error,
                "the write-ahead log was not folded into the database; the next start does it"
            );
            disable_checkpoint_on_close(&self.connection);
        }
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the database was not closed cleanly; nothing is lost");
        }
        drop(self.files);
    }
}

/// Keeps the engine from checkpointing the log when the connection is closed.
pub(super) fn disable_checkpoint_on_close(connection: &Connection) {
    if let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::debug!(%error, "the checkpoint on close cannot be disabled");
    }
}

/// Whether a write was refused because of stored data, which other writes of its group may have changed.
fn depends_on_stored_data(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict | StoreError::Taken(_) | StoreError::Quota { .. })
}

/// Executes a statement without parameters, which is compiled once.
fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Runs one write of a group. If it fails, only its own changes are rolled back.
fn run_in_savepoint(connection: &Connection, write: &mut dyn QueuedWrite) -> Result<(), StoreError> {
    execute(connection, "SAVEPOINT one").map_err(failed)?;
    let outcome = run_catching_panics(connection, write)
        .and_then(|()| execute(connection, "RELEASE one").map_err(failed));
    if outcome.is_err()
        && !connection.is_autocommit()
        && connection.execute_batch("ROLLBACK TO one; RELEASE one").is_err()
    {
        // A part of a write must not be committed with the other writes.
        rollback(connection);
    }
    outcome
}

/// Runs a write and turns a panic into an error, so that the writer's thread continues.
fn run_catching_panics(connection: &Connection, write: &mut dyn QueuedWrite) -> Result<(), StoreError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| write.run(connection)))
        .unwrap_or_else(|_| Err(StoreError::Failed("a write panicked".to_owned())))
}

/// Runs one write in its own transaction, on a database in memory.
pub(super) fn commit_alone(connection: &Connection, write: &mut dyn QueuedWrite) -> Result<(), StoreError> {
    execute(connection, BEGIN).map_err(failed)?;
    let outcome =
        run_catching_panics(connection, write).and_then(|()| execute(connection, COMMIT).map_err(failed));
    if outcome.is_err() {
        rollback(connection);
    }
    outcome
}

fn rollback(connection: &Connection) {
    // The caller reports the first error. This one only shows that the engine has rolled back already.
    let _already_rolled_back = connection.execute_batch("ROLLBACK");
}

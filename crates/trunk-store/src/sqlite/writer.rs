//! The thread that writes: it commits in groups, answers after the commit, and knows when it must stop.
//!
//! A flush that failed says nothing about what is on the disk, and a later one that succeeds does not either: the kernel
//! has forgotten which pages it lost. So the first such failure ends writing for good; the log is cut back to the last
//! commit that was acknowledged, reads go on from it, and a start from the file is the way out. A full disk is another
//! matter: what did not fit was not done, and a small write tries again and again whether there is room.
//!
//! Bounds: a group is at most [`GROUP`] writes; the queue before it is bounded where it is made.

mod health;

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::watch;

use super::commits::Commits;
use super::error::failed;
use super::files::Files;
use super::lane::Job;
use super::log::Log;
use crate::{StoreError, WriteHealth};
use health::Health;
use service_base::clock::Clock;

/// Most writes in one transaction. Larger groups gain little and make the last to come wait.
const GROUP: usize = 256;
/// How often an idle writer looks whether its files are there, and whether a full disk has room again.
const LOOK: Duration = Duration::from_millis(500);
/// The wait before a log that could not be folded for want of room is folded again.
const AGAIN: Duration = Duration::from_secs(1);

/// What writes to a database in a file.
pub(super) struct Writer {
    connection: Connection,
    log: Log,
    commits: Commits,
    files: Files,
    health: Health,
    clock: Clock,
    /// When the log is folded again, on the clock's stopwatch.
    fold_at: Duration,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        log: Log,
        commits: Commits,
        files: Files,
        health: watch::Sender<WriteHealth>,
        clock: Clock,
    ) -> Self {
        let health = Health::new(health, clock.clone());
        Self { connection, log, commits, files, health, clock, fold_at: Duration::ZERO }
    }

    /// Ends when nobody can send any more and all that was sent is done.
    pub(super) fn run(mut self, jobs: &Receiver<Box<dyn Job>>) {
        loop {
            match jobs.recv_timeout(LOOK) {
                Ok(first) => {
                    let mut group = vec![first];
                    group.extend(jobs.try_iter().take(GROUP - 1));
                    self.commit_group(group);
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
    }

    fn commit_group(&mut self, group: Vec<Box<dyn Job>>) {
        if self.health.has_ended() {
            return self.refuse(group, &StoreError::Ended);
        }
        if let Err(group) = self.together(group) {
            self.apart(group);
        }
        self.fold();
    }

    /// Does a group without a way back for a single job. Most jobs that fail have changed nothing yet, and need none;
    /// when one has, everything is undone and the jobs are given back.
    fn together(&mut self, group: Vec<Box<dyn Job>>) -> Result<(), Vec<Box<dyn Job>>> {
        if self.connection.execute_batch("BEGIN IMMEDIATE").is_err() {
            return Err(group);
        }
        let at_first = self.connection.total_changes();
        let mut done = Vec::with_capacity(group.len());
        let mut group = group.into_iter();
        while let Some(mut job) = group.next() {
            let before = self.connection.total_changes();
            match guarded(&self.connection, &mut *job) {
                Ok(()) => done.push(job),
                Err(error)
                    if self.connection.total_changes() == before && !self.connection.is_autocommit() =>
                {
                    self.refuse(vec![job], &error);
                }
                Err(error @ StoreError::Ended) => {
                    undo(&self.connection);
                    done.push(job);
                    done.extend(group);
                    self.refuse(done, &error);
                    return Ok(());
                }
                Err(_) => {
                    undo(&self.connection);
                    done.push(job);
                    done.extend(group);
                    return Err(done);
                }
            }
        }
        self.commit(done, at_first);
        Ok(())
    }

    /// Does a group so that each job can be undone alone, which costs a good deal more.
    fn apart(&mut self, group: Vec<Box<dyn Job>>) {
        let mut done = Vec::with_capacity(group.len());
        let mut group = group.into_iter();
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            return self.refuse(group.collect(), &failed(error));
        }
        let at_first = self.connection.total_changes();
        while let Some(mut job) = group.next() {
            match step(&self.connection, &mut *job) {
                Ok(()) => done.push(job),
                Err(error) => {
                    self.refuse(vec![job], &error);
                    if self.health.has_ended() {
                        undo(&self.connection);
                        done.extend(group);
                        return self.refuse(done, &error);
                    }
                    // Some failures of the disk end the whole transaction: what was done in it is undone.
                    if self.connection.is_autocommit() {
                        self.refuse(std::mem::take(&mut done), &error);
                        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
                            return self.refuse(group.collect(), &failed(error));
                        }
                    }
                }
            }
        }
        self.commit(done, at_first);
    }

    /// Makes the transaction durable and tells everybody in it how that went.
    fn commit(&mut self, group: Vec<Box<dyn Job>>, at_first: u64) {
        let outcome = if self.connection.total_changes() == at_first {
            // What changes nothing costs no flush, and is no commit to count.
            self.connection.execute_batch("COMMIT").map_err(failed).inspect_err(|_| undo(&self.connection))
        } else {
            self.make_durable()
        };
        match outcome {
            Ok(()) => {
                for job in group {
                    job.answer(Ok(()));
                }
            }
            Err(error) => self.refuse(group, &error),
        }
    }

    fn make_durable(&mut self) -> Result<(), StoreError> {
        let counted = self.commits.count(&self.connection);
        let committed = counted.and_then(|count| self.connection.execute_batch("COMMIT").map(|()| count));
        let count = match committed {
            Ok(count) => count,
            Err(error) => {
                undo(&self.connection);
                return Err(self.not_committed(error));
            }
        };
        // Looked at after the flush and before the answer: so what is acknowledged is in the file of this name.
        if let Err(why) = self.files.check() {
            self.health.end(why);
            return Err(StoreError::Unknown);
        }
        self.commits.note(count);
        self.health.writable();
        Ok(())
    }

    /// Sees to it that nothing of a commit that failed comes back, and says what the failure means.
    fn not_committed(&mut self, error: rusqlite::Error) -> StoreError {
        let code = error.sqlite_error_code();
        if matches!(code, Some(ErrorCode::ConstraintViolation | ErrorCode::DatabaseBusy)) {
            // Refused before anything was written.
            return failed(error);
        }
        let (said, meant) = (error.to_string(), failed(error));
        let is_harmless = meant == StoreError::Full || code != Some(ErrorCode::SystemIoFailure);
        match self.is_gone().and_then(|()| self.log.cut_back(&self.connection)) {
            Ok(()) if is_harmless => meant,
            Ok(()) => {
                self.health.end(format!("a commit failed ({said})"));
                StoreError::Ended
            }
            Err(why) => {
                self.health.end(format!("a commit failed ({said}), and {why}"));
                StoreError::Unknown
            }
        }
    }

    /// Whether the engine itself takes the commit for failed.
    fn is_gone(&self) -> Result<(), String> {
        match super::commits::Count::of(&self.connection) {
            Ok(count) if count == self.commits.last() => Ok(()),
            Ok(_) => Err("the engine shows what it said was not done".to_owned()),
            Err(error) => Err(format!("what it left cannot be read: {error}")),
        }
    }

    /// Answers jobs that were not done, and draws the conclusions.
    fn refuse(&mut self, jobs: Vec<Box<dyn Job>>, error: &StoreError) {
        match error {
            StoreError::Full => self.health.full(jobs.len()),
            StoreError::Ended | StoreError::Unknown => {
                // Only a flush says so before a commit.
                self.health.end("a flush to the disk failed".to_owned());
                self.health.refused(jobs.len());
            }
            _ => {}
        }
        for job in jobs {
            job.answer(Err(error.clone()));
        }
    }

    /// Folds the log into the database when it is long. Everything in it was answered: nobody waits for this alone.
    fn fold(&mut self) {
        if self.health.has_ended() || self.clock.stopwatch() < self.fold_at || !Log::is_due(&self.connection)
        {
            return;
        }
        let Err(error) = Log::fold(&self.connection) else { return };
        self.fold_at = self.clock.stopwatch() + AGAIN;
        let is_io = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        let said = error.to_string();
        match failed(error) {
            // The log holds it all, and there will be room.
            StoreError::Full => {}
            StoreError::Ended => self.end_folding(&said),
            _ if is_io => self.end_folding(&said),
            _ => tracing::warn!(
                error = said,
                "the write-ahead log was not folded into the database; it is tried again"
            ),
        }
    }

    fn end_folding(&mut self, said: &str) {
        self.health.end(format!("the write-ahead log could not be folded into the database ({said})"));
    }

    /// What an idle writer looks after.
    fn look(&mut self) {
        self.health.sum_up();
        if self.health.has_ended() {
            return;
        }
        if let Err(why) = self.files.check() {
            return self.health.end(why);
        }
        if self.health.is_full() {
            self.probe();
        }
    }

    /// Tries whether there is room again, for more than the smallest write, and takes back what it tried with.
    fn probe(&mut self) {
        for room in ["zeroblob(65536)", "NULL"] {
            let begun = format!("BEGIN IMMEDIATE; UPDATE commits SET room = {room};");
            let outcome = match self.connection.execute_batch(&begun) {
                Ok(()) => self.make_durable(),
                Err(error) => {
                    undo(&self.connection);
                    Err(failed(error))
                }
            };
            if let Err(error) = outcome {
                return self.refuse(Vec::new(), &error);
            }
        }
        self.fold();
    }

    /// Lets go of the files; a log that is folded whole is deleted by the engine.
    fn close(mut self) {
        self.health.sum_up();
        if !self.health.has_ended()
            && let Err(why) = self.files.check()
        {
            self.health.end(why);
        }
        let folded = if self.health.has_ended() {
            // What ended it must not be tried once more behind its back.
            Err("writes had ended".to_owned())
        } else {
            self.connection
                .execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")
                .map_err(|error| error.to_string())
        };
        if let Err(error) = folded {
            tracing::warn!(
                error,
                "the write-ahead log was not folded into the database; the next start does it"
            );
            leave_log(&self.connection);
        }
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the database was not closed cleanly; nothing is lost");
        }
        drop(self.files);
    }
}

/// Keeps the engine from folding the log when the connection is closed.
pub(super) fn leave_log(connection: &Connection) {
    if let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::debug!(%error, "the engine does not leave its log alone");
    }
}

/// One job of a group: what fails leaves the others of the group alone.
fn step(connection: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    let statement =
        |sql: &str| connection.prepare_cached(sql).and_then(|mut s| s.execute([])).map_err(failed);
    statement("SAVEPOINT job")?;
    let outcome = guarded(connection, job).and_then(|()| statement("RELEASE job").map(|_| ()));
    if outcome.is_err()
        && !connection.is_autocommit()
        && connection.execute_batch("ROLLBACK TO job; RELEASE job").is_err()
    {
        // Half of a job must not be committed with the others.
        undo(connection);
    }
    outcome
}

/// A panic in one write must not take the writer down with it.
fn guarded(connection: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.run(connection)))
        .unwrap_or_else(|_| Err(StoreError::Failed("a write panicked".to_owned())))
}

/// One job in a transaction of its own, on a database in memory.
pub(super) fn alone(connection: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let outcome = guarded(connection, job).and_then(|()| connection.execute_batch("COMMIT").map_err(failed));
    if outcome.is_err() {
        undo(connection);
    }
    outcome
}

fn undo(connection: &Connection) {
    // The first error is the one that matters; the transaction may be over already.
    let _already_over = connection.execute_batch("ROLLBACK");
}

//! Jobs. A stub. `commit` notifies `Node::jobs_scheduled` after a write with a schedule.

use std::time::Duration;

use didww_types::Timestamp;
use tokio::sync::watch;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::{Answer, IfScheduled, Job, JobLease, Jobs, LeasedJob, StoreError, TakeJobs};

/// As [`Change::Schedule`](crate::Change::Schedule).
pub(super) async fn schedule(_transaction: &Transaction<'_>, _job: &Job, _existing: IfScheduled) -> Done<()> {
    left_out()
}

/// As [`Change::Cancel`](crate::Change::Cancel).
pub(super) async fn cancel(_transaction: &Transaction<'_>, _kind: &'static str, _subject: &str) -> Done<()> {
    left_out()
}

/// As [`Change::Done`](crate::Change::Done).
pub(super) async fn complete(_transaction: &Transaction<'_>, _lease: JobLease) -> Done<()> {
    left_out()
}

/// As [`Change::Reschedule`](crate::Change::Reschedule).
pub(super) async fn reschedule(
    _transaction: &Transaction<'_>,
    _lease: JobLease,
    _due_at: Timestamp,
    _attempts: u32,
    _payload: Option<&str>,
) -> Done<()> {
    left_out()
}

/// Deletes the jobs of one account or of all accounts. The jobs of the server itself stay.
pub(super) async fn reset(_transaction: &Transaction<'_>, _account: Option<i64>) -> Done<()> {
    Ok(())
}

fn left_out<T>() -> Done<T> {
    Err(StoreError::Failed("this part is not written".to_owned()).into())
}

fn unwritten<'a, T>() -> Answer<'a, T> {
    Answer::ready(Err(StoreError::Failed("this part is not written".to_owned())))
}

impl Jobs for PostgresStore {
    fn job(&self, _kind: &'static str, _subject: String) -> Answer<'_, Option<Job>> {
        unwritten()
    }

    fn next_job(&self, _node: i64, _kinds: Vec<&'static str>) -> Answer<'_, Option<Timestamp>> {
        unwritten()
    }

    fn take_jobs(&self, _take: TakeJobs) -> Answer<'_, Vec<LeasedJob>> {
        unwritten()
    }

    fn release_jobs(&self, _node: i64) -> Answer<'_, u64> {
        unwritten()
    }

    fn set_back_jobs(&self, _now: Timestamp, _by: Duration) -> Answer<'_, ()> {
        unwritten()
    }

    fn jobs_scheduled(&self) -> watch::Receiver<()> {
        self.node.jobs_scheduled.subscribe()
    }
}

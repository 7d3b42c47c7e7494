//! The part of the store that keeps jobs: their due times, and the nodes that run them.
//!
//! Jobs are scheduled, cancelled, completed and rescheduled by [`Change`](crate::Change)s, so that each shares its
//! transaction with the write that it belongs to.

use std::time::Duration;

use didww_types::Timestamp;
use tokio::sync::watch;

use crate::answer::Answer;
use crate::job::{Job, JobLease, LeasedJob, TakeJobs};

/// Stored jobs, and the leases under which nodes run them.
pub trait Jobs: Send + Sync + std::fmt::Debug {
    /// Returns the job of a kind for a subject.
    fn job(&self, kind: &'static str, subject: String) -> Answer<'_, Option<Job>>;

    /// Returns when a node can take the next job of these kinds: the earliest due time, or end of another node's lease.
    /// The time may have passed. Jobs that the node itself holds are left out.
    fn next_job(&self, node: i64, kinds: Vec<&'static str>) -> Answer<'_, Option<Timestamp>>;

    /// Takes jobs that are due, and those whose lease by another node has expired. Returns them in the order of their
    /// due times, and among equal times in the order in which they were first scheduled.
    fn take_jobs(&self, take: TakeJobs) -> Answer<'_, Vec<LeasedJob>>;

    /// Ends the leases of a node but for those of the jobs that it runs. Returns their number. It holds others after a
    /// start, and after a [`take_jobs`](Self::take_jobs) with [`StoreError::Unknown`](crate::StoreError::Unknown).
    fn release_jobs(&self, node: i64, running: Vec<JobLease>) -> Answer<'_, u64>;

    /// Brings jobs and ends of leases that are later than `now` forward by `by`, but not to before `now`, after the
    /// clock was set back by that much.
    fn set_back_jobs(&self, now: Timestamp, by: Duration) -> Answer<'_, ()>;

    /// Deletes what is stored beside the jobs of accounts that are gone, at most this many rows, and returns their
    /// number. A database in a file has no such rows.
    fn forget_job_owners(&self, _most: u64) -> Answer<'_, u64> {
        Answer::ready(Ok(0))
    }

    /// Returns a receiver that is notified when a job was scheduled through this store. Jobs that another node
    /// schedules are not reported.
    fn jobs_scheduled(&self) -> watch::Receiver<()>;
}

//! Jobs: work that is due at a later time, stored with the change that makes it necessary.

use didww_types::Timestamp;

/// Maximum number of jobs of one account, of all kinds together. Jobs without an account are not counted: the server
/// schedules them for itself or its operator.
pub const MAX_JOBS_PER_ACCOUNT: u64 = 1_000;
/// Maximum size of a payload in bytes. The data of a job is stored elsewhere; the payload contains references to it.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 10;
/// Maximum size of a subject in bytes.
pub const MAX_SUBJECT_BYTES: usize = 256;

/// Work that is due at a time. A kind has at most one job for each subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The kind, which selects the handler. It is stored: a kind that is renamed loses its jobs.
    pub kind: &'static str,
    /// The subject of the job, such as the id of a record; empty for the only job of a kind. At most
    /// [`MAX_SUBJECT_BYTES`].
    pub subject: String,
    /// The number of the account that caused the job. Its jobs count against [`MAX_JOBS_PER_ACCOUNT`] and are deleted
    /// with it. `None` for a job of the server or its operator.
    pub account: Option<i64>,
    /// The time from which the job may run.
    pub due_at: Timestamp,
    /// JSON for the handler; the store does not read it. At most [`MAX_PAYLOAD_BYTES`].
    pub payload: String,
}

impl Job {
    /// Creates a job of the server itself, without a payload.
    pub fn new(kind: &'static str, subject: impl Into<String>, due_at: Timestamp) -> Self {
        Self { kind, subject: subject.into(), account: None, due_at, payload: "null".to_owned() }
    }
}

/// The effect of a schedule on a job that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfScheduled {
    /// The new job replaces it. A run that is in progress is superseded: it cannot complete, and the new job runs after
    /// its own due time.
    Replace,
    /// It stays, and is due at the earlier of the two times. A run in progress is not affected.
    KeepEarlier,
}

/// The right to complete a job. It is lost when the job is scheduled again or cancelled, and to another node when the
/// lease has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLease {
    pub(crate) number: i64,
    pub(crate) revision: i64,
}

/// A job that a node has taken to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedJob {
    /// The job as it was scheduled.
    pub job: Job,
    /// Number of runs that began since the last one that succeeded, including this one.
    pub attempts: u32,
    /// The right to complete the job.
    pub lease: JobLease,
}

/// A request for jobs that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeJobs {
    /// The node that takes them. It never takes a job that it holds already.
    pub node: i64,
    /// The time on the server's clock up to which jobs are due.
    pub now: Timestamp,
    /// Until when no other node may take the jobs.
    pub until: Timestamp,
    /// The maximum number of jobs of each kind. Jobs of other kinds are left.
    pub kinds: Vec<(&'static str, u64)>,
}

//! Jobs: work that must happen at a later time.
//!
//! A job is stored with the change that makes it necessary ([`Change::Schedule`]), and so survives a restart. When it
//! is due on the server's clock, [`run`] leases it from the store and calls the handler of its kind. The handler
//! returns the changes that are its effect; they are committed together with the job's completion. So an effect that is
//! a change of the store happens once, wherever the process is killed. A handler that acts outside of the store, such
//! as by a request to another host, acts at least once, which its documentation states. A handler that fails, panics or
//! exceeds [`RUN_LIMIT`] is run again after a delay, which doubles up to an hour, until it returns [`Outcome::done`].
//!
//! Bounds: runs at once ([`JobKind::at_once`], per kind, so that no kind delays another), the time of a run, the jobs
//! of an account and their size (`trunk-store`). However far the clock is advanced, a repeated job becomes due once,
//! since its next time is counted from the end of its run. While nothing is due, nothing is read or written: the runner
//! sleeps until the next due time, and is woken when a job is scheduled or the clock is changed. Only a database that
//! nodes share is read every few seconds, for the jobs of the others.
//!
//! # What is a job
//!
//! Work is a job if it must happen later even if the process that decided so has ended:
//!
//! - deleting records at the time that an attribute of theirs states, such as reservations, and uploaded files with
//!   their contents ([`expiry`](crate::expiry));
//! - carrying out orders a few seconds after they are made, looking for numbers that they lack, renewing DIDs and
//!   services when their paid period ends, and once for each database finding those that no earlier server renewed
//!   (`control-plane`);
//! - deleting expired records of calls, of the edge, of the platform and to DIDs ([`retention`](crate::retention));
//! - deleting the stored channels of trunks without calls ([`channels`](crate::channels));
//! - deleting expired idempotency keys, and shares of rate limits that ended nodes held (`http.forget_idempotency_keys`
//!   and `http.forget_rate_shares` of `http-listener`);
//! - checking the health of each of the platform's providers;
//! - making the files of exports, and deleting them after 30 days ([`exports`](crate::exports));
//! - deleting the records of types that keep them for some days, such as the history of DIDs ([`kept`](crate::kept)).
//!
//! These wait for a time and are not jobs:
//!
//! - The delivery of callbacks and webhooks, its retries and the age at which a webhook is dropped (`callbacks`). An
//!   event is a row of an ordered queue with a due time of its own; recording an attempt, advancing the queue of its
//!   subject and setting the next due time are one write. A job beside it would store the same a second time, and would
//!   have to be kept in step with the order of events within a subject and the turns of their owners.
//! - The re-opening of trunks whose spending of the last 24 hours has aged (`carrier-edge`). Its time moves with every
//!   charge, and follows from the stored charges, from which each start computes it: a job would double the writes of
//!   calls.
//! - What a live process does for its calls, connections and sockets: the timers of SIP, media and session refreshes,
//!   the metering of active calls, deadlines, the writer's checkpoints, repetitions of a write that failed, and log
//!   lines that are summed up. They end with the process.
//! - Times that are compared with the clock on use: those of tokens, access keys, digest nonces, limiters and wrong
//!   guesses.

mod runner;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use trunk_store::{Change, Job, LeasedJob, StoreError};

use crate::Core;

pub use runner::run;

/// Maximum time of a run. A handler with more work than that does a part of it and returns [`Outcome::again_at`].
pub const RUN_LIMIT: Duration = Duration::from_mins(5);

/// Why a handler failed. The job is tried again after a wait.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The store failed in a read or a write of the handler.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something else failed. The text is for the operator's log.
    #[error("{0}")]
    Failed(String),
}

/// When a job runs again after a run that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Never,
    At(Timestamp, Option<String>),
}

/// The result of a run: its effect, and whether the job runs again.
#[derive(Debug, Clone)]
#[must_use]
pub struct Outcome {
    changes: Vec<Change>,
    next: Next,
}

impl Outcome {
    /// The job is done and is deleted.
    pub fn done() -> Self {
        Self { changes: Vec::new(), next: Next::Never }
    }

    /// The job is due again at a time, with its payload.
    pub fn again_at(due_at: Timestamp) -> Self {
        Self { changes: Vec::new(), next: Next::At(due_at, None) }
    }

    /// The job is due again at a time, with another payload, such as its progress.
    pub fn again_with(due_at: Timestamp, payload: String) -> Self {
        Self { changes: Vec::new(), next: Next::At(due_at, Some(payload)) }
    }

    /// Adds changes, which are committed together with the completion of the run. If they fail with
    /// [`StoreError::Conflict`], because something was changed since the handler read it, the job runs again at once.
    pub fn with(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.changes.extend(changes);
        self
    }

    /// When the job runs again, if it does.
    #[cfg(test)]
    pub(crate) fn due_at(&self) -> Option<Timestamp> {
        match self.next {
            Next::Never => None,
            Next::At(due_at, _) => Some(due_at),
        }
    }

    /// The changes that are committed with the completion.
    #[cfg(test)]
    pub(crate) fn effect(&self) -> &[Change] {
        &self.changes
    }

    /// The changes to commit. The completion comes first: it fails if the run no longer counts, before anything is
    /// changed.
    fn into_changes(self, leased: &LeasedJob) -> Vec<Change> {
        let lease = leased.lease;
        let completion = match self.next {
            Next::Never => Change::Done(lease),
            Next::At(due_at, payload) => Change::Reschedule { lease, due_at, attempts: 0, payload },
        };
        std::iter::once(completion).chain(self.changes).collect()
    }
}

/// The future of a run.
type Run = Pin<Box<dyn Future<Output = Result<Outcome, JobError>> + Send>>;

/// A kind of jobs, and its handler.
pub struct JobKind {
    name: &'static str,
    at_once: usize,
    handler: Box<dyn Fn(Arc<Core>, LeasedJob) -> Run + Send + Sync>,
}

impl std::fmt::Debug for JobKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobKind")
            .field("name", &self.name)
            .field("at_once", &self.at_once)
            .finish_non_exhaustive()
    }
}

impl JobKind {
    /// A kind whose jobs run one after the other, in the order of their due times. The name is stored with each job and
    /// must not change.
    pub fn new<F, R>(name: &'static str, handler: F) -> Self
    where
        F: Fn(Arc<Core>, LeasedJob) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Outcome, JobError>> + Send + 'static,
    {
        Self { name, at_once: 1, handler: Box::new(move |core, job| Box::pin(handler(core, job))) }
    }

    /// Sets the maximum number of runs at the same time, at least 1. Jobs are started in the order of their due times.
    #[must_use]
    pub fn at_once(self, at_once: usize) -> Self {
        Self { at_once: at_once.max(1), ..self }
    }
}

/// The kinds of jobs that a server handles, and the jobs that it has from its start. Each component contributes its
/// own.
#[derive(Debug, Default)]
#[must_use]
pub struct JobSet {
    kinds: Vec<Arc<JobKind>>,
    standing: Vec<Job>,
}

impl JobSet {
    /// Adds a kind. Jobs of a kind that no set contains stay stored, and do not run.
    pub fn handle(mut self, kind: JobKind) -> Self {
        self.kinds.push(Arc::new(kind));
        self
    }

    /// Adds a job that is scheduled when the server starts, unless it is stored already with the same time or an
    /// earlier one.
    pub fn standing(mut self, job: Job) -> Self {
        self.standing.push(job);
        self
    }

    /// Adds the kinds and the jobs of another component.
    pub fn and(mut self, other: Self) -> Self {
        self.kinds.extend(other.kinds);
        self.standing.extend(other.standing);
        self
    }
}

#[cfg(test)]
pub(crate) mod tests;

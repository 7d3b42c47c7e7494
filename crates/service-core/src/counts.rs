//! What the tasks of a server have done since its start, for its metrics.
//!
//! The kinds of jobs are those that the server handles, so their number is bounded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Attempts that succeeded and attempts that did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Number of those that succeeded.
    pub done: u64,
    /// Number of those that failed, whether or not they are repeated.
    pub failed: u64,
}

/// Attempts at what is not repeated many times a second.
#[derive(Debug, Default)]
pub struct TryCounter {
    done: AtomicU64,
    failed: AtomicU64,
}

impl TryCounter {
    /// Counts an attempt.
    pub fn count(&self, is_done: bool) {
        let counter = if is_done { &self.done } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the attempts so far.
    pub fn read(&self) -> Tries {
        Tries { done: self.done.load(Ordering::Relaxed), failed: self.failed.load(Ordering::Relaxed) }
    }
}

/// What the tasks of a server have done since its start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Attempts to send callbacks of trunks.
    pub callbacks: TryCounter,
    /// Attempts to send webhooks of customers.
    pub webhooks: TryCounter,
    jobs: Mutex<BTreeMap<&'static str, Tries>>,
}

impl Counts {
    /// Counts a run of a job of this kind.
    pub(crate) fn count_job(&self, kind: &'static str, is_done: bool) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = jobs.entry(kind).or_default();
        let counter = if is_done { &mut tries.done } else { &mut tries.failed };
        *counter += 1;
    }

    /// Returns the runs of jobs so far by their kinds, in the order of the names. A kind without runs has none.
    pub fn jobs(&self) -> Vec<(&'static str, Tries)> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().map(|(kind, tries)| (*kind, *tries)).collect()
    }
}

//! Counters of the work of a server's tasks since its start, for its metrics.
//!
//! The kinds of jobs are those that the server handles, so their number is bounded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Numbers of attempts that succeeded and that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Number of attempts that succeeded.
    pub done: u64,
    /// Number of attempts that failed, whether or not they are repeated.
    pub failed: u64,
}

/// Counts attempts at tasks that do not run many times a second.
#[derive(Debug, Default)]
pub struct TryCounter {
    done: AtomicU64,
    failed: AtomicU64,
}

impl TryCounter {
    /// Counts an attempt, which succeeded if `is_done`.
    pub fn count(&self, is_done: bool) {
        let counter = if is_done { &self.done } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the attempts so far.
    pub fn read(&self) -> Tries {
        Tries { done: self.done.load(Ordering::Relaxed), failed: self.failed.load(Ordering::Relaxed) }
    }
}

/// Counters of the work of a server's tasks since its start.
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

    /// Returns the runs of jobs so far by their kinds, in the order of the names. Kinds without runs are left out.
    pub fn jobs(&self) -> Vec<(&'static str, Tries)> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().map(|(kind, tries)| (*kind, *tries)).collect()
    }
}

//! Counters of the messages that the filter answered or dropped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

/// Counters, since the start, of messages that never became a call attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct FrontCounts {
    /// Requests from unknown sources that were answered without a transaction.
    pub unknown_answered: u64,
    /// Messages from unknown sources without an answer: the rate was used up, or the message permits none.
    pub unknown_unanswered: u64,
    /// Messages that could not be parsed, from any source.
    pub unreadable: u64,
    /// Wrong digests that were not answered because their source had too many.
    pub guesses_unanswered: u64,
    /// Requests from known sources that were dropped because their source had too many in progress, or a call too many
    /// in a second.
    pub dropped: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    answered: AtomicU64,
    unanswered: AtomicU64,
    unreadable: AtomicU64,
    guesses_unanswered: AtomicU64,
    dropped: AtomicU64,
    written: Mutex<FrontCounts>,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counts {
    pub(super) fn answered(&self) {
        count(&self.answered);
    }

    pub(super) fn unanswered(&self) {
        count(&self.unanswered);
    }

    pub(super) fn unreadable(&self) {
        count(&self.unreadable);
    }

    pub(super) fn guess_unanswered(&self) {
        count(&self.guesses_unanswered);
    }

    pub(super) fn dropped(&self) {
        count(&self.dropped);
    }

    pub(super) fn read(&self) -> FrontCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FrontCounts {
            unknown_answered: read(&self.answered),
            unknown_unanswered: read(&self.unanswered),
            unreadable: read(&self.unreadable),
            guesses_unanswered: read(&self.guesses_unanswered),
            dropped: read(&self.dropped),
        }
    }

    /// The increase of each counter since the last call; `None` if there is none.
    pub(super) fn since_last_time(&self) -> Option<FrontCounts> {
        let now = self.read();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *written, now);
        let since = FrontCounts {
            unknown_answered: now.unknown_answered - before.unknown_answered,
            unknown_unanswered: now.unknown_unanswered - before.unknown_unanswered,
            unreadable: now.unreadable - before.unreadable,
            guesses_unanswered: now.guesses_unanswered - before.guesses_unanswered,
            dropped: now.dropped - before.dropped,
        };
        (since != FrontCounts::default()).then_some(since)
    }
}

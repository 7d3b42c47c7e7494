//! Detects merged requests: copies of an INVITE that arrived over different paths (RFC 3261 §8.2.2.2).
//!
//! A forking proxy can send the same INVITE here twice, with different branches. It is one call, so the
//! second copy is answered with 482. The same `CSeq` number is accepted again when no INVITE with it is
//! pending: some clients answer a challenge with the same number, and proxies try their next destination after a
//! refusal, or after a CANCEL for want of an answer.
//!
//! Bounds: there are as many pending entries as requests in progress. 65,536 finished calls are remembered,
//! for 32 seconds.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::stack::Incoming;

/// How long a copy of an INVITE may be delayed in the network.
const COPY_WINDOW: Duration = Duration::from_secs(32);
/// Limit of remembered requests that have finished.
const MAX_REMEMBERED: usize = 65_536;

/// The INVITEs outside of dialogs that are pending or became calls that ended lately.
#[derive(Debug)]
pub(crate) struct MergedRequests {
    /// The key of the hash, so that peers cannot construct collisions.
    secret: [u64; 2],
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashSet<u64>,
    /// The finished requests in `known`, oldest first, with the time until which each is remembered, on the clock's
    /// stopwatch.
    finished: VecDeque<(Duration, u64)>,
}

/// Keeps an INVITE pending until it is dropped.
pub(crate) struct Pending<'a> {
    merged: &'a MergedRequests,
    hash: u64,
    is_remembered: bool,
}

impl MergedRequests {
    pub(crate) fn new(secret: [u64; 2]) -> Self {
        Self { secret, state: Mutex::default() }
    }

    /// Registers an INVITE as pending. `None` if it is a copy of a pending or remembered one.
    pub(crate) fn begin(&self, request: &Incoming, now: Duration) -> Option<Pending<'_>> {
        let (number, _) = request.sequence()?;
        self.register((request.call_id(), request.remote_tag().unwrap_or_default(), number), now)
    }

    /// As [`begin`](Self::begin), for the INVITE with this `Call-ID`, tag in `From` and number in `CSeq`.
    pub(crate) fn register(
        &self,
        (call_id, tag, number): (&str, &str, u32),
        now: Duration,
    ) -> Option<Pending<'_>> {
        let mut hasher = DefaultHasher::new();
        (self.secret, call_id, tag, number).hash(&mut hasher);
        let hash = hasher.finish();
        let mut state = self.lock();
        while state.finished.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, hash)) = state.finished.pop_front() {
                state.known.remove(&hash);
            }
        }
        // Constructed only for a new entry: dropping a `Pending` would take the lock that is held here.
        state.known.insert(hash).then(|| Pending { merged: self, hash, is_remembered: false })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending<'_> {
    /// Ends the pending state, and keeps the INVITE's identity so that a delayed copy does not become another call.
    pub(crate) fn remember(mut self, now: Duration) {
        self.is_remembered = true;
        let mut state = self.merged.lock();
        if state.finished.len() >= MAX_REMEMBERED
            && let Some((_, oldest)) = state.finished.pop_front()
        {
            state.known.remove(&oldest);
        }
        state.finished.push_back((now + COPY_WINDOW, self.hash));
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.is_remembered {
            self.merged.lock().known.remove(&self.hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: (&str, &str, u32) = ("id", "tag", 1);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_same_request_is_merged_while_it_is_pending_and_no_longer() {
        let merged = MergedRequests::new([1, 2]);
        let pending = merged.register(FIRST, at(0)).expect("it is new");
        assert!(merged.register(FIRST, at(0)).is_none());
        for other in [("id", "tag", 2), ("id", "other", 1), ("other", "tag", 1)] {
            assert!(merged.register(other, at(0)).is_some(), "{other:?}");
        }
        drop(pending);
        assert!(merged.register(FIRST, at(0)).is_some());
    }

    #[test]
    fn one_that_became_a_call_is_remembered_for_a_while_after_it() {
        let merged = MergedRequests::new([1, 2]);
        merged.register(FIRST, at(0)).expect("it is new").remember(at(5));
        assert!(merged.register(FIRST, at(36)).is_none());
        assert!(merged.register(FIRST, at(37)).is_some());
        assert!(merged.lock().finished.is_empty() && merged.lock().known.is_empty());
    }

    #[test]
    fn the_number_of_remembered_requests_is_limited() {
        let merged = MergedRequests::new([1, 2]);
        for number in 0..u32::try_from(MAX_REMEMBERED).unwrap() + 3 {
            merged.register(("id", "tag", number), at(0)).expect("it is new").remember(at(0));
        }
        let state = merged.lock();
        assert_eq!((state.known.len(), state.finished.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
    }
}

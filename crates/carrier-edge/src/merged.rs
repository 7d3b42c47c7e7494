//! Requests that came twice on different ways (RFC 3261 §8.2.2.2).
//!
//! A proxy that forks can send the same INVITE here twice, with another branch. It is one call, so the second is told
//! that it looped. The same number may well come again when nothing is pending: some clients answer a challenge without
//! counting on, and proxies try again after a refusal.
//!
//! Bounds: as many pending as there are requests at work; 65,536 that are over are remembered, for 32 seconds.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::stack::Incoming;

/// How long a copy may take on its way.
const REMEMBERED: Duration = Duration::from_secs(32);
const MOST: usize = 65_536;

/// The INVITEs outside of dialogs that are pending, or were until just now.
#[derive(Debug)]
pub(crate) struct Merged {
    /// What nobody outside can know, so that nobody can make two names alike.
    secret: [u64; 2],
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashSet<u64>,
    /// Those of them that are over, and until when they are remembered, on the clock's stopwatch.
    over: VecDeque<(Duration, u64)>,
}

/// An INVITE that is pending, until this is dropped.
pub(crate) struct Pending<'a> {
    merged: &'a Merged,
    name: u64,
    remembered_until: Option<Duration>,
}

impl Merged {
    pub(crate) fn new(secret: [u64; 2]) -> Self {
        Self { secret, state: Mutex::default() }
    }

    /// Notes an INVITE; `None` when it is one that is pending, on another way.
    pub(crate) fn begin(&self, request: &Incoming, now: Duration) -> Option<Pending<'_>> {
        let (number, _) = request.sequence()?;
        self.note((request.call_id(), request.remote_tag().unwrap_or_default(), number), now)
    }

    fn note(&self, (call_id, tag, number): (&str, &str, u32), now: Duration) -> Option<Pending<'_>> {
        let mut hasher = DefaultHasher::new();
        (self.secret, call_id, tag, number).hash(&mut hasher);
        let name = hasher.finish();
        let mut state = self.lock();
        while state.over.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, name)) = state.over.pop_front() {
                state.known.remove(&name);
            }
        }
        // Not made before it is known to be new: what is not kept is forgotten, which takes the same lock.
        state.known.insert(name).then(|| Pending { merged: self, name, remembered_until: None })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending<'_> {
    /// It is over, and a copy that still comes is none that may become a call.
    pub(crate) fn remember(mut self, now: Duration) {
        self.remembered_until = Some(now + REMEMBERED);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut state = self.merged.lock();
        match self.remembered_until {
            None => {
                state.known.remove(&self.name);
            }
            Some(until) => {
                if state.over.len() >= MOST
                    && let Some((_, oldest)) = state.over.pop_front()
                {
                    state.known.remove(&oldest);
                }
                state.over.push_back((until, self.name));
            }
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
        let merged = Merged::new([1, 2]);
        let pending = merged.note(FIRST, at(0)).expect("it is new");
        assert!(merged.note(FIRST, at(0)).is_none());
        for other in [("id", "tag", 2), ("id", "other", 1), ("other", "tag", 1)] {
            assert!(merged.note(other, at(0)).is_some(), "{other:?}");
        }
        drop(pending);
        assert!(merged.note(FIRST, at(0)).is_some());
    }

    #[test]
    fn one_that_became_a_call_is_remembered_for_a_while_after_it() {
        let merged = Merged::new([1, 2]);
        merged.note(FIRST, at(0)).expect("it is new").remember(at(5));
        assert!(merged.note(FIRST, at(36)).is_none());
        assert!(merged.note(FIRST, at(37)).is_some());
        assert!(merged.lock().over.is_empty() && merged.lock().known.is_empty());
    }

    #[test]
    fn so_many_are_remembered() {
        let merged = Merged::new([1, 2]);
        for number in 0..u32::try_from(MOST).unwrap() + 3 {
            merged.note(("id", "tag", number), at(0)).expect("it is new").remember(at(0));
        }
        let state = merged.lock();
        assert_eq!((state.known.len(), state.over.len()), (MOST, MOST));
    }
}

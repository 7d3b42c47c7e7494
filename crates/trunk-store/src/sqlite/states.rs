//! Numbers of the states of the database that readers can see, by which a cached read is known to be current.
//!
//! The process has the only writer, so the number changes with each of its commits: once before the commit, when a
//! reader can still see the state before it, and once after it, when no reader can. Between the two a state has no
//! number. So no reader takes data from before a commit for current while another one already sees the commit, or after
//! the write was answered.

use std::sync::atomic::{AtomicU64, Ordering};

/// Set once the database is closed, and then no state has a number.
const CLOSED: u64 = 1 << 63;

/// The number of the current state: odd during a commit.
#[derive(Debug, Default)]
pub(super) struct States(AtomicU64);

impl States {
    /// Begins a commit: until it ends, the current state has no number.
    pub(super) fn begin_commit(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends a commit, whether it succeeded or not, before its writes are answered.
    pub(super) fn end_commit(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Closes the numbering: no later state has a number.
    pub(super) fn close(&self) {
        self.0.fetch_or(CLOSED, Ordering::SeqCst);
    }

    /// The number of the current state, which no other one has; `None` during a commit, and once the database is
    /// closed.
    pub(super) fn current(&self) -> Option<u64> {
        let number = self.0.load(Ordering::SeqCst);
        (number < CLOSED && number.is_multiple_of(2)).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_a_number_unless_it_is_being_committed_or_the_database_is_closed() {
        let states = States::default();
        let before = states.current();
        assert_eq!((before.is_some(), states.current()), (true, before));
        states.begin_commit();
        assert_eq!(states.current(), None);
        states.end_commit();
        let after = states.current();
        assert!(after.is_some() && after != before);
        states.close();
        assert_eq!(states.current(), None);
        states.begin_commit();
        assert_eq!(states.current(), None);
        states.end_commit();
        assert_eq!(states.current(), None);
    }
}

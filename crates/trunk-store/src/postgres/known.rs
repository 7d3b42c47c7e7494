//! The copy of accounts, API keys and token keys that a node keeps in memory, because every request reads them.
//!
//! Look-ups use the copy while the change feed is read often enough that the copy is at most
//! [`CHANGE_DELAY`](crate::CHANGE_DELAY) old. Otherwise it is read again, which fails if the database is unavailable.

use std::sync::{Mutex, MutexGuard, PoisonError};

use service_base::clock::Stopwatch;
use tokio::sync::Mutex as AsyncMutex;

use crate::CHANGE_DELAY;
use crate::directory::{Directory, SharedDirectory};

/// How old the directory can be.
#[derive(Debug, Default)]
struct Certainty {
    /// When the state that the directory reflects was read: by the last poll that succeeded.
    confirmed: Option<Stopwatch>,
    /// The last time at which it became uncertain whether the directory has all commits. A read from before does not
    /// end that.
    doubted: Option<Stopwatch>,
}

/// A node's copy of the directory.
#[derive(Debug)]
pub(super) struct DirectoryCopy {
    pub(super) directory: SharedDirectory,
    certainty: Mutex<Certainty>,
    /// Held while data is read and put into the directory, so that an older state never replaces a newer one.
    pub(super) updating: AsyncMutex<()>,
}

impl DirectoryCopy {
    /// An empty directory, which the first look-up loads.
    pub(super) fn new() -> Self {
        let directory = SharedDirectory::new(Directory::default());
        Self { directory, certainty: Mutex::default(), updating: AsyncMutex::default() }
    }

    /// The directory, if it is not too old.
    pub(super) fn directory(&self) -> Option<&SharedDirectory> {
        let confirmed = self.certainty().confirmed;
        confirmed.is_some_and(|since| since.elapsed() < CHANGE_DELAY).then_some(&self.directory)
    }

    /// Records that the directory contains all commits up to this time. Nothing changes if it was doubted since: the
    /// state that was read may lack the cause of the doubt.
    pub(super) fn confirm(&self, since: Stopwatch) {
        let mut certainty = self.certainty();
        if certainty.doubted.is_none_or(|doubted| doubted.started() < since.started()) {
            certainty.confirmed = Some(since);
        }
    }

    /// The maximum number of records of a type in an account; `None` means no limit.
    pub(super) fn quota(&self, account: i64, default: Option<u64>) -> Option<u64> {
        self.directory.read().quota(account, default)
    }

    /// Makes the next look-up reload the directory.
    pub(super) fn doubt(&self) {
        *self.certainty() = Certainty { confirmed: None, doubted: Some(Stopwatch::start()) };
    }

    fn certainty(&self) -> MutexGuard<'_, Certainty> {
        self.certainty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_read_before_a_doubt_does_not_end_it_and_what_is_read_after_it_does() {
        let known = DirectoryCopy::new();
        assert!(known.directory().is_none(), "nothing was read");
        let begun = Stopwatch::start();
        known.confirm(begun);
        assert!(known.directory().is_some());
        let before = Stopwatch::start();
        known.doubt();
        assert!(known.directory().is_none());
        known.confirm(before);
        assert!(known.directory().is_none(), "it may lack what was committed since");
        // Two readings of a clock can be the same, which leaves the doubt.
        let doubted = Stopwatch::start().started();
        let after = std::iter::repeat_with(Stopwatch::start).find(|later| later.started() > doubted).unwrap();
        known.confirm(after);
        assert!(known.directory().is_some() && after.elapsed() < Duration::from_secs(1));
    }
}

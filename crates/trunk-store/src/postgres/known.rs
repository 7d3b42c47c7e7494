//! The copy of accounts, API keys and token keys that a node keeps in memory, because every request reads them.
//!
//! Look-ups use the copy while the change feed is read often enough that the copy is at most
//! [`CHANGE_DELAY`](crate::CHANGE_DELAY) old. Otherwise it is read anew, which fails if the database is unavailable.

use std::sync::{Mutex, PoisonError};

use service_base::clock::Stopwatch;
use tokio::sync::Mutex as AsyncMutex;

use crate::CHANGE_DELAY;
use crate::directory::{Directory, SharedDirectory};

/// A node's copy of the directory.
#[derive(Debug)]
pub(super) struct DirectoryCopy {
    pub(super) directory: SharedDirectory,
    /// The age of the state that the directory reflects: that of the last poll that succeeded.
    confirmed: Mutex<Option<Stopwatch>>,
    /// Held while data is read and put into the directory, so that an older state never replaces a newer one.
    pub(super) updating: AsyncMutex<()>,
}

impl DirectoryCopy {
    /// An empty directory, which the first look-up loads.
    pub(super) fn new() -> Self {
        let directory = SharedDirectory::new(Directory::default());
        Self { directory, confirmed: Mutex::new(None), updating: AsyncMutex::default() }
    }

    /// The directory, if it is not too old.
    pub(super) fn directory(&self) -> Option<&SharedDirectory> {
        let confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.is_some_and(|since| since.elapsed() < CHANGE_DELAY).then_some(&self.directory)
    }

    /// Records that the directory contains all commits up to this time.
    pub(super) fn confirm(&self, since: Stopwatch) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Some(since);
    }

    /// The maximum number of records of a type in an account; `None` means no limit.
    pub(super) fn quota(&self, account: i64, default: Option<u64>) -> Option<u64> {
        self.directory.read().quota(account, default)
    }

    /// Makes the next look-up load the directory anew.
    pub(super) fn doubt(&self) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

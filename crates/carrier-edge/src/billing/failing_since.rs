//! Since when the store takes no writes.

use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;

/// The time since which the store takes no writes; `None` while writes work.
#[derive(Debug, Default)]
pub(super) struct FailingSince(Mutex<Option<Timestamp>>);

impl FailingSince {
    pub(super) fn set(&self, since: Option<Timestamp>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    pub(super) fn since(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

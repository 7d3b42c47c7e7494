//! When a request that failed because of the store can succeed.

use trunk_store::StoreError;

/// When a request that is answered 503 can succeed, and which component logs the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// On a retry. The API logs each refused request, or a summary of them. The store logs that its server cannot be
    /// reached.
    Retry,
    /// When the disk has free space again. The store logs this once, and a summary of the refused writes.
    FreeSpace,
    /// Not by a repetition: it would be refused until the server is restarted, or could repeat a stored change. The
    /// store has logged the cause.
    NotByRepetition,
}

impl Recovery {
    /// Returns when a request can succeed that failed with this error. `None` for an error that is the request's
    /// own, or a fault of the database: such a request is not answered 503.
    pub fn of(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::Overloaded | StoreError::Crowded | StoreError::TooLong | StoreError::Unavailable => {
                Some(Self::Retry)
            }
            StoreError::Full => Some(Self::FreeSpace),
            StoreError::Ended | StoreError::Unknown => Some(Self::NotByRepetition),
            _ => None,
        }
    }

    /// Returns the value of `Retry-After` in the response, in seconds. `None` if a retry does not help.
    pub fn retry_after(self) -> Option<u64> {
        (self != Self::NotByRepetition).then_some(1)
    }
}

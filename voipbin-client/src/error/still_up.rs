//! The error of a call that had not ended within a time limit.

use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use crate::Error;
use crate::types::Call;

/// A call had not ended within the time limit of [`wait_until_hung_up`](crate::Calls::wait_until_hung_up), or
/// the client could not read it.
#[derive(Debug)]
#[non_exhaustive]
pub struct StillUp {
    /// The call's id.
    pub id: Uuid,
    /// The time limit.
    pub waited: Duration,
    /// The last state of the call that the client read; `None` if it read none.
    pub call: Option<Call>,
    /// The error of the last request; `None` if it succeeded.
    pub error: Option<Error>,
}

impl fmt::Display for StillUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {} is not known to have ended within {:?}", self.id, self.waited)?;
        match &self.call {
            Some(call) => write!(f, ": its last known status is {}", call.status),
            None => f.write_str(": it could not be read"),
        }
    }
}

impl std::error::Error for StillUp {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.as_ref().map(|error| error as _)
    }
}

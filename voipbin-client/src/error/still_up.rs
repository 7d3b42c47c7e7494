//! The error of a call that had not reached an awaited state within a time limit.

use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use crate::Error;
use crate::types::Call;

/// The state of a call that a program waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Awaited {
    /// The call has been answered, or has ended without an answer.
    Answer,
    /// The call has ended, for any reason.
    End,
}

impl Awaited {
    /// Whether a call has reached this state.
    pub(crate) fn is_reached_by(self, call: &Call) -> bool {
        match self {
            Self::Answer => call.was_answered() || call.is_over(),
            Self::End => call.is_over(),
        }
    }
}

/// A call had not reached the awaited state within the time limit of
/// [`wait_until_answered`](crate::Calls::wait_until_answered) or
/// [`wait_until_hung_up`](crate::Calls::wait_until_hung_up), or the client could not read it.
#[derive(Debug)]
#[non_exhaustive]
pub struct StillUp {
    /// The id of the call, which may still be up.
    pub id: Uuid,
    /// The state that the caller waited for.
    pub awaited: Awaited,
    /// The time limit after which the client stopped waiting.
    pub waited: Duration,
    /// The last state of the call that the client read; `None` if it read none.
    pub call: Option<Call>,
    /// The error of the last request; `None` if it succeeded.
    pub error: Option<Error>,
}

impl fmt::Display for StillUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.awaited {
            Awaited::Answer => "been answered or ended",
            Awaited::End => "ended",
        };
        write!(f, "call {} is not known to have {state} within {:?}", self.id, self.waited)?;
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

//! A call that went on for longer than it was waited for.

use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use crate::Error;
use crate::types::Call;

/// A call was not over when the time to wait for it was.
#[derive(Debug)]
#[non_exhaustive]
pub struct StillUp {
    /// The call.
    pub id: Uuid,
    /// How long it was waited for.
    pub waited: Duration,
    /// The call as it was seen last, if it was seen.
    pub call: Option<Call>,
    /// Why it was not seen the last time, if it was not.
    pub error: Option<Error>,
}

impl fmt::Display for StillUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:?} call {} is not known to be over", self.waited, self.id)?;
        match &self.call {
            Some(call) => write!(f, ": it was {} when it was seen last", call.status),
            None => f.write_str(": it was not seen"),
        }
    }
}

impl std::error::Error for StillUp {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.as_ref().map(|error| error as _)
    }
}

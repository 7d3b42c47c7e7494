//! Reliable provisional responses, which are repeated until the caller acknowledges them with PRACK (RFC
//! 3262).

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

use crate::stack::Incoming;

/// The delay before the first repetition, which doubles each time. It equals T1 of the library's own timers.
const FIRST_REPETITION_DELAY: Duration = Duration::from_millis(500);
/// The repetitions before the call is refused, 32 seconds after the response.
const MAX_REPETITIONS: u32 = 5;

/// A provisional response that the caller acknowledges with PRACK.
pub(super) struct Reliable {
    /// The value of `RSeq`, which identifies the response.
    pub(super) number: String,
    /// The `CSeq` number of the INVITE.
    invite: String,
    /// True if the response carries a session description. The call is then not answered before the PRACK.
    has_description: bool,
    is_acknowledged: bool,
    repeated: u32,
    timer: Pin<Box<Sleep>>,
}

/// What an unacknowledged response needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The response must be repeated.
    Repetition,
    /// The time for the PRACK has run out: the call must be refused.
    Timeout,
}

impl Reliable {
    /// Prepares a response to this INVITE. `None` if its `CSeq` cannot be read.
    pub(super) fn new(request: &Incoming, random: u64, has_description: bool) -> Option<Self> {
        let invite = request.value("CSeq")?.split_ascii_whitespace().next()?.to_owned();
        // From 1 to 2^30 - 1. RFC 3262 §3 permits up to 2^31 - 1; the margin lets the number grow.
        let number = (1 + random % 0x3fff_ffff).to_string();
        let timer = Box::pin(tokio::time::sleep(FIRST_REPETITION_DELAY));
        Some(Self { number, invite, has_description, is_acknowledged: false, repeated: 0, timer })
    }

    /// Returns true if the `RAck` of a PRACK names this response.
    pub(super) fn is_named_by(&self, prack: &Incoming) -> bool {
        prack.value("RAck").is_some_and(|value| {
            value.split_ascii_whitespace().eq([self.number.as_str(), self.invite.as_str(), "INVITE"])
        })
    }

    /// Records the PRACK. Returns true if the response carried a session description.
    pub(super) fn acknowledge(&mut self) -> bool {
        self.is_acknowledged = true;
        self.has_description
    }

    /// Returns true if the response carried a session description and was acknowledged: offer and answer are
    /// complete.
    pub(super) fn has_agreed(&self) -> bool {
        self.has_description && self.is_acknowledged
    }

    /// Returns true if the call must not be answered before the PRACK.
    pub(super) fn holds_back(&self) -> bool {
        self.has_description && !self.is_acknowledged
    }

    /// Waits until a repetition or the end of the time is due; for ever after the PRACK. Cancel safe.
    pub(super) async fn due(&mut self) -> Due {
        if self.is_acknowledged {
            return std::future::pending().await;
        }
        self.timer.as_mut().await;
        self.repeated += 1;
        if self.repeated > MAX_REPETITIONS {
            return Due::Timeout;
        }
        self.timer = Box::pin(tokio::time::sleep(FIRST_REPETITION_DELAY * 2_u32.pow(self.repeated)));
        Due::Repetition
    }
}

/// As [`Reliable::due`]; for ever without a reliable response.
pub(super) async fn due(reliable: Option<&mut Reliable>) -> Due {
    match reliable {
        Some(reliable) => reliable.due().await,
        None => std::future::pending().await,
    }
}

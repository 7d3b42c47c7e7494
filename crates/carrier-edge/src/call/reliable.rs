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
    number: u32,
    /// The `CSeq` number of the INVITE.
    invite: String,
    /// True if the first response carries a session description. The call is then not answered before the PRACK.
    has_description: bool,
    /// True once a response with a session description was acknowledged: offer and answer are complete.
    has_agreed: bool,
    is_acknowledged: bool,
    repeated: u32,
    timer: Pin<Box<Sleep>>,
}

/// The next step for a response without a PRACK.
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
        let number = u32::try_from(1 + random % 0x3fff_ffff).ok()?;
        let timer = Box::pin(tokio::time::sleep(FIRST_REPETITION_DELAY));
        Some(Self {
            number,
            invite,
            has_description,
            has_agreed: false,
            is_acknowledged: false,
            repeated: 0,
            timer,
        })
    }

    /// The value of `RSeq`, which the PRACK repeats.
    pub(super) fn number(&self) -> String {
        self.number.to_string()
    }

    /// Prepares another response, without a session description. Its number is one higher (RFC 3262 §3). Returns false
    /// while the response before is not acknowledged: no other one may be sent until then.
    pub(super) fn renew(&mut self) -> bool {
        if !self.is_acknowledged {
            return false;
        }
        self.number += 1;
        (self.is_acknowledged, self.repeated) = (false, 0);
        self.timer = Box::pin(tokio::time::sleep(FIRST_REPETITION_DELAY));
        true
    }

    /// Returns true if the `RAck` of a PRACK names this response.
    pub(super) fn is_named_by(&self, prack: &Incoming) -> bool {
        prack.value("RAck").is_some_and(|value| {
            value.split_ascii_whitespace().eq([self.number().as_str(), self.invite.as_str(), "INVITE"])
        })
    }

    /// Records the PRACK. Returns true if this response, or one before it, carried a session description.
    pub(super) fn acknowledge(&mut self) -> bool {
        self.is_acknowledged = true;
        self.has_agreed = self.has_description;
        self.has_agreed
    }

    /// Returns true if a session description was sent in a response that was acknowledged.
    pub(super) fn has_agreed(&self) -> bool {
        self.has_agreed
    }

    /// Returns true if the call must not be answered before the PRACK.
    pub(super) fn holds_back(&self) -> bool {
        self.has_description && !self.has_agreed
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

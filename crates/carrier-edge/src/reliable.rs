//! Provisional responses that are repeated until the caller has them (RFC 3262).

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

use super::stack::Incoming;

/// The wait before the first repetition; it doubles each time. The library's own timers have the same beginning.
const FIRST: Duration = Duration::from_millis(500);
/// Repetitions until the call is given up, 32 seconds after the response.
const REPETITIONS: u32 = 5;

/// A provisional response that a caller confirms with PRACK.
pub(crate) struct Reliable {
    /// What names the response: the value of `RSeq`.
    pub number: String,
    /// The number of the INVITE.
    invite: String,
    /// Whether a session was agreed on in it: then the call is not answered before it is confirmed.
    agrees: bool,
    confirmed: bool,
    repeated: u32,
    timer: Pin<Box<Sleep>>,
}

/// What an unconfirmed response needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Repetition,
    /// The caller never confirmed it.
    GivingUp,
}

impl Reliable {
    /// A response that the caller confirms.
    pub(crate) fn new(request: &Incoming, random: u64, agrees: bool) -> Option<Self> {
        let invite = request.value("CSeq")?.split_ascii_whitespace().next()?.to_owned();
        // From 1 to 2^31 - 1, so that it can grow.
        let number = (1 + random % 0x3fff_ffff).to_string();
        let timer = Box::pin(tokio::time::sleep(FIRST));
        Some(Self { number, invite, agrees, confirmed: false, repeated: 0, timer })
    }

    /// Whether a PRACK is meant for this response.
    pub(crate) fn is_named_by(&self, prack: &Incoming) -> bool {
        prack.value("RAck").is_some_and(|value| {
            value.split_ascii_whitespace().eq([self.number.as_str(), self.invite.as_str(), "INVITE"])
        })
    }

    /// The caller has it. Returns whether it described a session.
    pub(crate) fn confirm(&mut self) -> bool {
        self.confirmed = true;
        self.agrees
    }

    /// Whether an offer and its answer were exchanged in it and in what confirmed it.
    pub(crate) fn has_agreed(&self) -> bool {
        self.agrees && self.confirmed
    }

    /// Whether the call must not be answered yet.
    pub(crate) fn holds_back(&self) -> bool {
        self.agrees && !self.confirmed
    }

    /// Waits until something is due; for ever once it was confirmed. Safe to give up waiting for.
    pub(crate) async fn due(&mut self) -> Due {
        if self.confirmed {
            return std::future::pending().await;
        }
        self.timer.as_mut().await;
        self.repeated += 1;
        if self.repeated > REPETITIONS {
            return Due::GivingUp;
        }
        self.timer = Box::pin(tokio::time::sleep(FIRST * 2_u32.pow(self.repeated)));
        Due::Repetition
    }
}

/// The same where there may be none.
pub(crate) async fn due(reliable: Option<&mut Reliable>) -> Due {
    match reliable {
        Some(reliable) => reliable.due().await,
        None => std::future::pending().await,
    }
}

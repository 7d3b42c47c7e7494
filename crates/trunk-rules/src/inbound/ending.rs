//! How a call ended, as its record states it.

use std::fmt;

use super::admission::Refused;
use super::rerouting::AttemptEnd;

/// The SIP response code of a call that was answered.
const OK: u16 = 200;
/// The SIP response code of a call whose caller hung up before the answer.
const REQUEST_TERMINATED: u16 = 487;
/// The SIP response code of a call that the server cannot continue.
const SERVER_INTERNAL_ERROR: u16 = 500;

/// The side that ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiator {
    /// The caller, for whom the control API acts.
    Caller,
    /// The trunk's side, which was called.
    Callee,
    /// This server, by a limit, a stop or a failure.
    Server,
}

impl Initiator {
    /// The name in records, such as `caller`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Server => "server",
        }
    }
}

/// The way in which a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The call was refused before a trunk was tried.
    Refused(Refused),
    /// The last attempt ended without an answer.
    Unanswered(AttemptEnd),
    /// The caller hung up before an answer.
    Cancelled,
    /// The caller hung up after an answer.
    CallerHungUp,
    /// The trunk's side hung up.
    CalleeHungUp,
    /// The server hung up, because the trunk's side no longer took part in the answered call.
    SessionExpired,
    /// It reached the longest duration of a call. True if it had been answered.
    TooLong(bool),
    /// The server stopped, or the records were reset. True if it had been answered.
    Stopped(bool),
    /// The server was killed during the call. True if it had been answered.
    Interrupted(bool),
    /// The database did not confirm a write of the call's record. True if the call had been answered.
    Unconfirmed(bool),
}

impl Ending {
    /// The SIP response code that the caller received: 200 for an answered call.
    pub const fn code(self) -> u16 {
        match self {
            Self::Refused(refused) => refused.code(),
            Self::Unanswered(end) => end.code(),
            Self::Cancelled => REQUEST_TERMINATED,
            Self::CallerHungUp
            | Self::CalleeHungUp
            | Self::SessionExpired
            | Self::TooLong(true)
            | Self::Stopped(true)
            | Self::Interrupted(true)
            | Self::Unconfirmed(true) => OK,
            Self::TooLong(false)
            | Self::Stopped(false)
            | Self::Interrupted(false)
            | Self::Unconfirmed(false) => SERVER_INTERNAL_ERROR,
        }
    }

    /// The side that ended the call.
    pub const fn initiator(self) -> Initiator {
        match self {
            Self::Cancelled | Self::CallerHungUp => Initiator::Caller,
            Self::CalleeHungUp
            | Self::Unanswered(
                AttemptEnd::Refused(_) | AttemptEnd::NoResponse | AttemptEnd::RingingTimeout,
            ) => Initiator::Callee,
            Self::Refused(_)
            | Self::Unanswered(
                AttemptEnd::NotDialled | AttemptEnd::Full(_) | AttemptEnd::NotCounted | AttemptEnd::NoPort,
            )
            | Self::SessionExpired
            | Self::TooLong(_)
            | Self::Stopped(_)
            | Self::Interrupted(_)
            | Self::Unconfirmed(_) => Initiator::Server,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Unanswered(end) => end.fmt(f),
            Self::Cancelled => f.write_str("the caller hung up before an answer"),
            Self::CallerHungUp => f.write_str("the caller hung up"),
            Self::CalleeHungUp => f.write_str("the trunk's side hung up"),
            Self::SessionExpired => f.write_str(
                "the trunk's side did not refresh the session, or did not respond within the call",
            ),
            Self::TooLong(_) => f.write_str("the call reached the longest duration of a call"),
            Self::Stopped(_) => f.write_str("the server stopped, or its records were reset"),
            Self::Interrupted(_) => f.write_str("the server was killed during the call"),
            Self::Unconfirmed(_) => f.write_str("the database did not confirm the record of the call"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answered_call_has_200_and_any_other_one_the_code_of_its_failure() {
        for answered in [
            Ending::CallerHungUp,
            Ending::CalleeHungUp,
            Ending::SessionExpired,
            Ending::TooLong(true),
            Ending::Stopped(true),
            Ending::Interrupted(true),
            Ending::Unconfirmed(true),
        ] {
            assert_eq!(answered.code(), 200, "{answered}");
        }
        for (ending, code) in [
            (Ending::Refused(Refused::UnknownNumber), 404),
            (Ending::Unanswered(AttemptEnd::Refused(486)), 486),
            (Ending::Unanswered(AttemptEnd::NoResponse), 408),
            (Ending::Unanswered(AttemptEnd::Full(1)), 480),
            (Ending::Unanswered(AttemptEnd::NotCounted), 503),
            (Ending::Unanswered(AttemptEnd::NoPort), 503),
            (Ending::Unanswered(AttemptEnd::RingingTimeout), 480),
            (Ending::Cancelled, 487),
            (Ending::Stopped(false), 500),
            (Ending::Unconfirmed(false), 500),
        ] {
            assert_eq!(ending.code(), code, "{ending}");
        }
    }

    #[test]
    fn the_side_that_ended_the_call_is_named() {
        let of = |ending: Ending| ending.initiator().name();
        assert_eq!(of(Ending::Cancelled), "caller");
        assert_eq!(of(Ending::CalleeHungUp), "callee");
        assert_eq!(of(Ending::SessionExpired), "server");
        assert_eq!(of(Ending::Unanswered(AttemptEnd::Refused(603))), "callee");
        assert_eq!(of(Ending::Unanswered(AttemptEnd::NotDialled)), "server");
        assert_eq!(of(Ending::Unanswered(AttemptEnd::NoPort)), "server");
        assert_eq!(of(Ending::Unanswered(AttemptEnd::NotCounted)), "server");
        assert_eq!(of(Ending::Refused(Refused::Blocked)), "server");
    }
}

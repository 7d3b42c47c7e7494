//! What the end of an attempt means: the cause, whether another way is tried, and what the record says.
//!
//! The causes are those of Q.850 as the open PBX under the platform derives them from SIP; they decide whether another
//! way is tried. The reason of a call that a carrier rejects (401, 403, 407) or redirects is `failed`, as the platform's
//! documents have it; its running code says `noanswer`, or `normal` of a redirection.

use super::call::CallStatus;

/// Why a channel ended: a Q.850 cause, or one of the platform's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cause(pub u16);

impl Cause {
    /// The platform's own ring timeout.
    pub const RING_TIMEOUT: Self = Self(0);
    /// Somebody hung up.
    pub const NORMAL: Self = Self(16);
    /// The called side is busy.
    pub const BUSY: Self = Self(17);
    /// There was no answer from the called side at all.
    pub const NO_RESPONSE: Self = Self(18);
    /// The called side was rung, or is away.
    pub const NO_ANSWER: Self = Self(19);
    /// The called side refuses.
    pub const REJECTED: Self = Self(21);
    /// Another device took the call.
    pub const ANSWERED_ELSEWHERE: Self = Self(26);
    /// The longest duration is over.
    pub const DURATION: Self = Self(200);
    /// A machine answered.
    pub const MACHINE: Self = Self(201);

    /// The cause that a final response of SIP stands for.
    pub const fn of_response(code: u16) -> Self {
        Self(match code {
            401 | 403 | 407 | 603 => return Self::REJECTED,
            404 | 485 | 604 => 1,
            408 => return Self::NO_RESPONSE,
            409 => 41,
            410 => 22,
            420 => 3,
            480 | 483 => return Self::NO_ANSWER,
            484 => 28,
            486 | 600 => return Self::BUSY,
            488 | 606 => 58,
            500 => 38,
            501 => 29,
            502 => 27,
            504 => 102,
            505 => 127,
            _ if code >= 500 && code < 600 => 34,
            _ if code >= 400 && code < 700 => 127,
            _ => return Self::NORMAL,
        })
    }

    /// Whether a call that ended so before the answer is tried another way.
    const fn may_be_retried(self) -> bool {
        !matches!(self.0, 16 | 17 | 19 | 21 | 26 | 200 | 201)
    }
}

/// How an attempt, or an answered call, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A final response that refuses, 300 to 699.
    Refused(u16),
    /// No answer to the INVITE at all: silence, an unreachable or unknown host.
    NoResponse,
    /// Nobody answered within our own ring timeout.
    RingTimeout,
    /// The far end hung up.
    FarEnd,
    /// Our side ended it: a request, an action, the end of the flow.
    OurSide,
    /// The longest duration of a call is over.
    LongestDuration,
    /// A machine answered, and the flow wanted none.
    Machine,
}

impl Ending {
    /// The cause of the channel's end.
    pub const fn cause(self) -> Cause {
        match self {
            Self::Refused(code) => Cause::of_response(code),
            Self::NoResponse => Cause::NO_RESPONSE,
            Self::RingTimeout => Cause::RING_TIMEOUT,
            Self::FarEnd | Self::OurSide => Cause::NORMAL,
            Self::LongestDuration => Cause::DURATION,
            Self::Machine => Cause::MACHINE,
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads a word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Why a call ended, as its record says.
    HangupReason {
        /// Somebody hung up.
        Normal = "normal",
        /// The call could not be made.
        Failed = "failed",
        /// The called side is busy.
        Busy = "busy",
        /// We gave up before the answer.
        Cancel = "cancel",
        /// The longest duration is over.
        Timeout = "timeout",
        /// The called side does not answer, or refuses.
        NoAnswer = "noanswer",
        /// Nobody answered within our own ring timeout.
        DialOut = "dialout",
        /// A machine answered.
        Machine = "amd",
    }
}

words! {
    /// Who ended a call, as its record says.
    HangupBy {
        /// The far end.
        Remote = "remote",
        /// Our side.
        Local = "local",
    }
}

/// What a call's record says of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hangup {
    /// Why.
    pub reason: HangupReason,
    /// Who.
    pub by: HangupBy,
}

/// What the record says of a call whose channel ended when it had come to a status.
pub const fn hangup(last: CallStatus, ending: Ending) -> Hangup {
    let cause = ending.cause();
    match last {
        CallStatus::Dialing | CallStatus::Ringing => {
            let reason = match ending {
                Ending::Refused(300..=399 | 401 | 403 | 407) => HangupReason::Failed,
                _ => unanswered(cause),
            };
            Hangup { reason, by: HangupBy::Remote }
        }
        CallStatus::Canceling => Hangup { reason: HangupReason::Cancel, by: HangupBy::Local },
        CallStatus::Progressing if cause.0 == Cause::DURATION.0 => {
            Hangup { reason: HangupReason::Timeout, by: HangupBy::Remote }
        }
        CallStatus::Progressing => Hangup { reason: HangupReason::Normal, by: HangupBy::Remote },
        CallStatus::Terminating | CallStatus::Hangup if cause.0 == Cause::MACHINE.0 => {
            Hangup { reason: HangupReason::Machine, by: HangupBy::Local }
        }
        CallStatus::Terminating | CallStatus::Hangup => {
            Hangup { reason: HangupReason::Normal, by: HangupBy::Local }
        }
    }
}

const fn unanswered(cause: Cause) -> HangupReason {
    match cause.0 {
        0 => HangupReason::DialOut,
        16 | 26 => HangupReason::Normal,
        17 => HangupReason::Busy,
        19 | 21 => HangupReason::NoAnswer,
        200 => HangupReason::Timeout,
        201 => HangupReason::Machine,
        _ => HangupReason::Failed,
    }
}

/// The place, in a call's list of `ways`, of the next attempt after the one at `current`; `None` when the call is
/// over. Only `tel` destinations have ways.
pub const fn next_attempt(last: CallStatus, ending: Ending, current: usize, ways: usize) -> Option<usize> {
    let next = current.saturating_add(1);
    if last.is_before_answer() && ending.cause().may_be_retried() && next < ways { Some(next) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SIP codes, Q.850 cause, reason, and whether the next way is tried.
    const TABLE: &[(&[u16], u16, &str, bool)] = &[
        (&[300, 301, 302, 305, 380, 399], 16, "failed", false),
        (&[401, 403, 407], 21, "failed", false),
        (&[603], 21, "noanswer", false),
        (&[404, 485, 604], 1, "failed", true),
        (&[408], 18, "failed", true),
        (&[409], 41, "failed", true),
        (&[410], 22, "failed", true),
        (&[420], 3, "failed", true),
        (&[480, 483], 19, "noanswer", false),
        (&[484], 28, "failed", true),
        (&[486, 600], 17, "busy", false),
        (&[488, 606], 58, "failed", true),
        (&[500], 38, "failed", true),
        (&[501], 29, "failed", true),
        (&[502], 27, "failed", true),
        (&[503, 513, 580, 599], 34, "failed", true),
        (&[504], 102, "failed", true),
        (&[402, 405, 411, 413, 414, 415, 481, 482, 487, 491, 493, 505, 499, 605, 699], 127, "failed", true),
    ];

    #[test]
    fn every_final_response_has_its_cause_its_reason_and_its_say_about_another_way() {
        for (codes, cause, reason, again) in TABLE {
            for code in *codes {
                let ending = Ending::Refused(*code);
                assert_eq!(ending.cause(), Cause(*cause), "{code}");
                for status in [CallStatus::Dialing, CallStatus::Ringing] {
                    let hangup = hangup(status, ending);
                    assert_eq!((hangup.reason.as_str(), hangup.by), (*reason, HangupBy::Remote), "{code}");
                    assert_eq!(next_attempt(status, ending, 0, 2), again.then_some(1), "{code}");
                }
            }
        }
    }

    #[test]
    fn silence_fails_and_our_own_ring_timeout_says_dialout_and_both_try_another_way() {
        for (ending, reason) in
            [(Ending::NoResponse, HangupReason::Failed), (Ending::RingTimeout, HangupReason::DialOut)]
        {
            assert_eq!(hangup(CallStatus::Ringing, ending).reason, reason);
            assert_eq!(next_attempt(CallStatus::Ringing, ending, 1, 3), Some(2));
        }
    }

    #[test]
    fn after_the_answer_the_last_status_decides() {
        for (last, ending, reason, by) in [
            (CallStatus::Canceling, Ending::Refused(487), "cancel", "local"),
            (CallStatus::Canceling, Ending::Refused(486), "cancel", "local"),
            (CallStatus::Progressing, Ending::LongestDuration, "timeout", "remote"),
            (CallStatus::Progressing, Ending::FarEnd, "normal", "remote"),
            (CallStatus::Terminating, Ending::Machine, "amd", "local"),
            (CallStatus::Terminating, Ending::OurSide, "normal", "local"),
            (CallStatus::Terminating, Ending::FarEnd, "normal", "local"),
        ] {
            let hangup = hangup(last, ending);
            assert_eq!((hangup.reason.as_str(), hangup.by.as_str()), (reason, by), "{last} {ending:?}");
        }
    }

    #[test]
    fn the_last_way_has_no_next_one() {
        assert_eq!(next_attempt(CallStatus::Dialing, Ending::NoResponse, 0, 1), None);
        assert_eq!(next_attempt(CallStatus::Dialing, Ending::NoResponse, 0, 0), None);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for reason in ["normal", "failed", "busy", "cancel", "timeout", "noanswer", "dialout", "amd"] {
            assert_eq!(HangupReason::parse(reason).map(HangupReason::as_str), Some(reason));
        }
        assert_eq!(HangupReason::parse("no_answer"), None);
    }

    proptest! {
        #[test]
        fn another_way_is_never_tried_once_a_call_was_answered_or_given_up(code in 300u16..700, ways in 0usize..5) {
            for last in CallStatus::ALL.into_iter().filter(|status| !status.is_before_answer()) {
                prop_assert_eq!(next_attempt(last, Ending::Refused(code), 0, ways), None);
            }
        }

        #[test]
        fn attempts_come_to_an_end(code in 300u16..700, ways in 0usize..50) {
            let mut current = 0;
            let mut made = 1;
            while let Some(next) = next_attempt(CallStatus::Dialing, Ending::Refused(code), current, ways) {
                prop_assert!(next > current);
                (current, made) = (next, made + 1);
            }
            prop_assert!(made <= ways.max(1));
        }
    }
}

//! The meaning of the end of an attempt: its cause, whether another route is tried, and what the call record
//! states.
//!
//! The causes are those of Q.850, as the open-source PBX underneath the platform derives them from SIP; they
//! decide whether another route is tried. A call that a carrier rejects (401, 403, 407) or redirects has the
//! reason `failed`, as the platform documents; its running code records `noanswer`, or `normal` for a
//! redirection.

use voipbin_types::{CallStatus, HangupBy, HangupReason};

use super::call::is_before_answer;

/// Why a channel ended: a Q.850 cause, or one of the platform's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cause(pub u16);

impl Cause {
    /// The platform's own ring timeout.
    pub const RING_TIMEOUT: Self = Self(0);
    /// Normal clearing: one side hung up.
    pub const NORMAL: Self = Self(16);
    /// The callee is busy: the response was 486 or 600.
    pub const BUSY: Self = Self(17);
    /// The callee's side did not respond at all.
    pub const NO_RESPONSE: Self = Self(18);
    /// The callee was alerted but did not answer, or is away.
    pub const NO_ANSWER: Self = Self(19);
    /// The callee rejects the call.
    pub const REJECTED: Self = Self(21);
    /// Another device answered the call.
    pub const ANSWERED_ELSEWHERE: Self = Self(26);
    /// The call reached the maximum duration.
    pub const DURATION: Self = Self(200);
    /// An answering machine answered, and the flow does not want one.
    pub const MACHINE: Self = Self(201);

    /// Returns the cause for a final SIP response.
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

    /// Whether another route is tried after an unanswered call ended with this cause.
    const fn may_be_retried(self) -> bool {
        !matches!(self.0, 16 | 17 | 19 | 21 | 26 | 200 | 201)
    }
}

/// How an attempt or an answered call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A final response from 300 to 699.
    Refused(u16),
    /// No response to the INVITE: silence, or an unreachable or unknown host.
    NoResponse,
    /// The callee did not answer within the platform's ring timeout.
    RingTimeout,
    /// The callee, or its carrier, hung up with a BYE.
    FarEnd,
    /// The platform ended the call: by a request, an action, or the end of the flow.
    OurSide,
    /// The call reached the maximum duration.
    LongestDuration,
    /// An answering machine answered, and the flow does not want one.
    Machine,
}

impl Ending {
    /// The cause with which the channel ended.
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

/// The end of a call, as its record states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hangup {
    /// Why the call ended, in the terms of the API.
    pub reason: HangupReason,
    /// The side that ended it.
    pub by: HangupBy,
}

/// Returns what the record states about a call. `last` is the status that the call had when its channel
/// ended. A status that is unknown here counts as unanswered.
pub fn hangup(last: &CallStatus, ending: Ending) -> Hangup {
    let cause = ending.cause();
    match last {
        CallStatus::Canceling => Hangup { reason: HangupReason::Cancel, by: HangupBy::Local },
        CallStatus::Progressing if cause.0 == Cause::DURATION.0 => {
            Hangup { reason: HangupReason::Timeout, by: HangupBy::Remote }
        }
        CallStatus::Progressing => Hangup { reason: HangupReason::Normal, by: HangupBy::Remote },
        CallStatus::Terminating | CallStatus::Hangup if cause.0 == Cause::MACHINE.0 => {
            Hangup { reason: HangupReason::Amd, by: HangupBy::Local }
        }
        CallStatus::Terminating | CallStatus::Hangup => {
            Hangup { reason: HangupReason::Normal, by: HangupBy::Local }
        }
        _ => {
            let reason = match ending {
                Ending::Refused(300..=399 | 401 | 403 | 407) => HangupReason::Failed,
                _ => unanswered(cause),
            };
            Hangup { reason, by: HangupBy::Remote }
        }
    }
}

fn unanswered(cause: Cause) -> HangupReason {
    match cause.0 {
        0 => HangupReason::Dialout,
        16 | 26 => HangupReason::Normal,
        17 => HangupReason::Busy,
        19 | 21 => HangupReason::Noanswer,
        200 => HangupReason::Timeout,
        201 => HangupReason::Amd,
        _ => HangupReason::Failed,
    }
}

/// Whether another route is tried after an attempt, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextRoute {
    /// The route at this index of the call's list is tried.
    Tried(usize),
    /// The attempt was answered, so no other route is needed.
    Answered,
    /// The call was hung up here before an answer.
    HungUp,
    /// The attempt ended with a cause after which no other route is tried: the callee's own decision, a refusal of the
    /// caller, or a redirection.
    Final(Cause),
    /// Every route was tried, and none was answered.
    NoneLeft,
}

impl std::fmt::Display for NextRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tried(_) => f.write_str("the next route was tried"),
            Self::Answered => f.write_str("no other route was tried: the call was answered"),
            Self::HungUp => f.write_str("no other route was tried: the call was hung up here"),
            Self::Final(Cause::BUSY) => f.write_str("no other route was tried: the callee is busy"),
            Self::Final(Cause::NO_ANSWER) => {
                f.write_str("no other route was tried: the callee did not answer")
            }
            Self::Final(Cause::REJECTED) => f.write_str("no other route was tried: the call was rejected"),
            Self::Final(Cause::NORMAL) => f.write_str(
                "no other route was tried: the call was redirected, which is not followed, or cleared",
            ),
            Self::Final(Cause(cause)) => write!(f, "no other route was tried: cause {cause} ends the call"),
            Self::NoneLeft => f.write_str("no route was left"),
        }
    }
}

/// Whether another route is tried after the one at `current` in a call's list of `routes`. `last` is the status that
/// the call had when the attempt ended. Only `tel` destinations have routes.
pub const fn next_route(last: &CallStatus, ending: Ending, current: usize, routes: usize) -> NextRoute {
    let next = current.saturating_add(1);
    match last {
        CallStatus::Progressing => NextRoute::Answered,
        CallStatus::Canceling | CallStatus::Terminating => NextRoute::HungUp,
        _ if !is_before_answer(last) => NextRoute::Answered,
        _ if !ending.cause().may_be_retried() => NextRoute::Final(ending.cause()),
        _ if next < routes => NextRoute::Tried(next),
        _ => NextRoute::NoneLeft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The index of the route that is tried next.
    fn tried(last: &CallStatus, ending: Ending, current: usize, routes: usize) -> Option<usize> {
        match next_route(last, ending, current, routes) {
            NextRoute::Tried(next) => Some(next),
            _ => None,
        }
    }

    /// SIP codes, Q.850 cause, reason, and whether the next route is tried.
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
    fn every_final_response_has_its_cause_its_reason_and_whether_another_route_is_tried() {
        for (codes, cause, reason, again) in TABLE {
            for code in *codes {
                let ending = Ending::Refused(*code);
                assert_eq!(ending.cause(), Cause(*cause), "{code}");
                for status in [CallStatus::Dialing, CallStatus::Ringing] {
                    let hangup = hangup(&status, ending);
                    assert_eq!((hangup.reason.as_str(), hangup.by), (*reason, HangupBy::Remote), "{code}");
                    assert_eq!(tried(&status, ending, 0, 2), again.then_some(1), "{code}");
                }
            }
        }
    }

    #[test]
    fn silence_fails_and_the_ring_timeout_records_dialout_and_both_try_another_route() {
        for (ending, reason) in
            [(Ending::NoResponse, HangupReason::Failed), (Ending::RingTimeout, HangupReason::Dialout)]
        {
            assert_eq!(hangup(&CallStatus::Ringing, ending).reason, reason);
            assert_eq!(tried(&CallStatus::Ringing, ending, 1, 3), Some(2));
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
            let hangup = hangup(&last, ending);
            assert_eq!((hangup.reason.as_str(), hangup.by.as_str()), (reason, by), "{last} {ending:?}");
        }
    }

    #[test]
    fn the_last_route_has_no_next_one() {
        assert_eq!(tried(&CallStatus::Dialing, Ending::NoResponse, 0, 1), None);
        assert_eq!(tried(&CallStatus::Dialing, Ending::NoResponse, 0, 0), None);
    }

    #[test]
    fn why_no_other_route_is_tried_is_stated() {
        for (last, ending, why) in [
            (CallStatus::Progressing, Ending::FarEnd, "the call was answered"),
            (CallStatus::Terminating, Ending::OurSide, "the call was hung up here"),
            (CallStatus::Canceling, Ending::Refused(487), "the call was hung up here"),
            (CallStatus::Ringing, Ending::Refused(486), "the callee is busy"),
            (CallStatus::Dialing, Ending::Refused(403), "the call was rejected"),
            (CallStatus::Dialing, Ending::Refused(302), "redirected"),
            (CallStatus::Dialing, Ending::Refused(503), "no route was left"),
        ] {
            let sentence = next_route(&last, ending, 0, 1).to_string();
            assert!(sentence.contains(why), "{last} {ending:?}: {sentence}");
        }
    }

    proptest! {
        #[test]
        fn another_route_is_never_tried_once_a_call_was_answered_or_cancelled(code in 300u16..700, routes in 0usize..5) {
            let statuses = CallStatus::TEXTS.iter().map(|text| CallStatus::from(*text));
            for last in statuses.filter(|status| !is_before_answer(status)) {
                prop_assert_eq!(tried(&last, Ending::Refused(code), 0, routes), None);
            }
        }

        #[test]
        fn attempts_come_to_an_end(code in 300u16..700, routes in 0usize..50) {
            let mut current = 0;
            let mut made = 1;
            while let Some(next) = tried(&CallStatus::Dialing, Ending::Refused(code), current, routes) {
                prop_assert!(next > current);
                (current, made) = (next, made + 1);
            }
            prop_assert!(made <= routes.max(1));
        }
    }
}

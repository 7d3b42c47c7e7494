//! The states of a call, which only advance.

use voipbin_types::CallStatus;

/// An event that may change the status of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEvent {
    /// The callee is ringing: the carrier sent 180.
    Ringing,
    /// The callee answered: the carrier sent a 2xx.
    Answered,
    /// The platform ends the call, by a request or an action.
    HangupRequested,
    /// The channel no longer exists.
    Gone,
}

/// Whether the call is unanswered and not being cancelled.
pub const fn is_before_answer(status: &CallStatus) -> bool {
    matches!(status, CallStatus::Dialing | CallStatus::Ringing)
}

/// Whether a call may change from a status to another one. From a status that is unknown here, which only a
/// later release can have stored, a call can only end.
pub const fn may_become(status: &CallStatus, next: &CallStatus) -> bool {
    match status {
        CallStatus::Dialing => !matches!(next, CallStatus::Dialing | CallStatus::Unknown(_)),
        CallStatus::Ringing => {
            !matches!(next, CallStatus::Dialing | CallStatus::Ringing | CallStatus::Unknown(_))
        }
        CallStatus::Progressing => matches!(next, CallStatus::Terminating | CallStatus::Hangup),
        CallStatus::Hangup => false,
        _ => matches!(next, CallStatus::Hangup),
    }
}

/// Returns the status after an event; `None` if the event changes nothing.
pub fn status_after(status: &CallStatus, event: CallEvent) -> Option<CallStatus> {
    let next = match event {
        CallEvent::Ringing => CallStatus::Ringing,
        CallEvent::Answered => CallStatus::Progressing,
        CallEvent::HangupRequested if is_before_answer(status) => CallStatus::Canceling,
        CallEvent::HangupRequested => CallStatus::Terminating,
        CallEvent::Gone => CallStatus::Hangup,
    };
    may_become(status, &next).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_transitions_are_those_of_the_table() {
        use CallStatus::{Canceling, Dialing, Hangup, Progressing, Ringing, Terminating};
        let table: [(CallStatus, &[CallStatus]); 6] = [
            (Dialing, &[Ringing, Progressing, Terminating, Canceling, Hangup]),
            (Ringing, &[Progressing, Terminating, Canceling, Hangup]),
            (Progressing, &[Terminating, Hangup]),
            (Terminating, &[Hangup]),
            (Canceling, &[Hangup]),
            (Hangup, &[]),
        ];
        for (from, to) in table {
            let all = CallStatus::TEXTS.iter().map(|text| CallStatus::from(*text));
            let may: Vec<CallStatus> = all.filter(|next| may_become(&from, next)).collect();
            assert_eq!(may, to, "{from}");
        }
    }

    #[test]
    fn a_call_with_an_unknown_status_can_only_end() {
        let unknown = CallStatus::from("parked");
        for (text, may) in CallStatus::TEXTS.iter().map(|text| (*text, *text == "hangup")) {
            let known = CallStatus::from(text);
            assert_eq!(may_become(&unknown, &known), may, "{text}");
            assert!(!may_become(&known, &unknown), "{text}");
        }
    }

    #[test]
    fn a_hangup_request_cancels_before_the_answer_and_terminates_after_it() {
        use CallStatus::{Canceling, Dialing, Hangup, Progressing, Ringing, Terminating};
        for (from, to) in [
            (Dialing, Some(Canceling)),
            (Ringing, Some(Canceling)),
            (Progressing, Some(Terminating)),
            (Canceling, None),
            (Terminating, None),
            (Hangup, None),
        ] {
            assert_eq!(status_after(&from, CallEvent::HangupRequested), to, "{from}");
        }
    }

    #[test]
    fn an_answer_that_crosses_a_cancel_changes_nothing() {
        assert_eq!(status_after(&CallStatus::Canceling, CallEvent::Answered), None);
    }

    proptest! {
        #[test]
        fn no_sequence_of_events_goes_backward(events in proptest::collection::vec(0usize..4, 0..12)) {
            let kinds =
                [CallEvent::Ringing, CallEvent::Answered, CallEvent::HangupRequested, CallEvent::Gone];
            let mut status = CallStatus::Dialing;
            for event in events {
                if let Some(next) = status_after(&status, kinds[event]) {
                    prop_assert!(next > status);
                    status = next;
                }
            }
        }
    }
}

//! The states of a call, which only advance.

/// The status of a call, in the order of a call's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallStatus {
    /// An INVITE was sent.
    Dialing,
    /// The callee is ringing.
    Ringing,
    /// The callee answered.
    Progressing,
    /// The call is being ended after its answer.
    Terminating,
    /// The call is being cancelled before its answer.
    Canceling,
    /// The call has ended.
    Hangup,
}

/// An event that may change the status of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEvent {
    /// The callee is ringing.
    Ringing,
    /// The callee answered.
    Answered,
    /// The platform ends the call, by a request or an action.
    HangupRequested,
    /// The channel no longer exists.
    Gone,
}

impl CallStatus {
    /// All statuses, in order.
    pub const ALL: [Self; 6] =
        [Self::Dialing, Self::Ringing, Self::Progressing, Self::Terminating, Self::Canceling, Self::Hangup];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::Progressing => "progressing",
            Self::Terminating => "terminating",
            Self::Canceling => "canceling",
            Self::Hangup => "hangup",
        }
    }

    /// Parses a name; `None` if it is unknown.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the call is unanswered and not being cancelled.
    pub const fn is_before_answer(self) -> bool {
        matches!(self, Self::Dialing | Self::Ringing)
    }

    /// Whether a call may change from this status to `next`.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Dialing => !matches!(next, Self::Dialing),
            Self::Ringing => !matches!(next, Self::Dialing | Self::Ringing),
            Self::Progressing => matches!(next, Self::Terminating | Self::Hangup),
            Self::Terminating | Self::Canceling => matches!(next, Self::Hangup),
            Self::Hangup => false,
        }
    }

    /// Returns the status after an event; `None` if the event changes nothing.
    pub fn after(self, event: CallEvent) -> Option<Self> {
        let next = match event {
            CallEvent::Ringing => Self::Ringing,
            CallEvent::Answered => Self::Progressing,
            CallEvent::HangupRequested if self.is_before_answer() => Self::Canceling,
            CallEvent::HangupRequested => Self::Terminating,
            CallEvent::Gone => Self::Hangup,
        };
        self.may_become(next).then_some(next)
    }
}

impl std::fmt::Display for CallStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
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
            let may: Vec<CallStatus> =
                CallStatus::ALL.into_iter().filter(|next| from.may_become(*next)).collect();
            assert_eq!(may, to, "{from}");
            assert_eq!(CallStatus::parse(from.as_str()), Some(from));
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
            assert_eq!(from.after(CallEvent::HangupRequested), to, "{from}");
        }
    }

    #[test]
    fn an_answer_that_crosses_a_cancel_changes_nothing() {
        assert_eq!(CallStatus::Canceling.after(CallEvent::Answered), None);
    }

    proptest! {
        #[test]
        fn no_sequence_of_events_goes_backward(events in proptest::collection::vec(0usize..4, 0..12)) {
            let kinds =
                [CallEvent::Ringing, CallEvent::Answered, CallEvent::HangupRequested, CallEvent::Gone];
            let mut status = CallStatus::Dialing;
            for event in events {
                if let Some(next) = status.after(kinds[event]) {
                    prop_assert!(next > status);
                    status = next;
                }
            }
        }
    }
}

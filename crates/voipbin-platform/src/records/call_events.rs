//! The events of a call, from which its state at each of them is rebuilt.
//!
//! An event stores its time and, for a step of the flow, the action that began. Everything else that changes during a
//! call follows from the order of the events. A call has at most [`MAX_EVENTS`] of them: beyond that, the oldest
//! `call_updated` is dropped, together with its action.

use serde::{Deserialize, Serialize};
use voipbin_types::{Action, BASIC, Call, CallStatus, Timestamp, to_json};

/// Maximum number of events that are kept of a call.
const MAX_EVENTS: usize = 50;
/// Maximum length of the options of an action in bytes of JSON. Longer ones are left out of the event.
const MAX_OPTION_BYTES: usize = 1_024;

/// The type of events about changes other than those of the status.
const UPDATED: &str = "call_updated";

/// An event, as it is stored with the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CallEvent {
    /// The type, such as `call_ringing`.
    pub(crate) kind: String,
    /// When the event happened, on the server's clock.
    pub(crate) at: Timestamp,
    /// The action that began; `None` unless the event is a step of the flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
}

/// Adds an event to those of a call. `action` is the one that began, for a step of the flow.
pub(crate) fn add(events: &mut Vec<CallEvent>, kind: &str, at: Timestamp, action: Option<&Action>) {
    let action = action.cloned().map(|mut action| {
        if to_json(&action.option).map_or(0, |json| json.len()) > MAX_OPTION_BYTES {
            action.option.clear();
        }
        action
    });
    if events.len() >= MAX_EVENTS
        && let Some(oldest) = events.iter().position(|event| event.kind == UPDATED)
    {
        events.remove(oldest);
    }
    if events.len() < MAX_EVENTS {
        events.push(CallEvent { kind: kind.to_owned(), at, action });
    }
}

/// The call at each of its events, oldest first. `call` is its present state.
pub(crate) fn states(call: &Call, events: &[CallEvent]) -> Vec<Call> {
    let mut state = Call {
        status: CallStatus::Dialing,
        action: Action { id: BASIC, ..Action::default() },
        hangup_by: None,
        hangup_reason: None,
        tm_ringing: None,
        tm_progressing: None,
        tm_hangup: None,
        tm_update: None,
        tm_delete: None,
        ..call.clone()
    };
    let apply = |event: &CallEvent| {
        let at = Some(event.at);
        match event.kind.as_str() {
            "call_created" => return state.clone(),
            "call_ringing" => (state.status, state.tm_ringing) = (CallStatus::Ringing, at),
            "call_progressing" => (state.status, state.tm_progressing) = (CallStatus::Progressing, at),
            "call_canceling" => state.status = CallStatus::Canceling,
            "call_terminating" => state.status = CallStatus::Terminating,
            "call_hangup" => {
                (state.status, state.tm_hangup) = (CallStatus::Hangup, at);
                state.hangup_by.clone_from(&call.hangup_by);
                state.hangup_reason.clone_from(&call.hangup_reason);
            }
            _ => {}
        }
        if let Some(action) = &event.action {
            state.action = action.clone();
        }
        state.tm_update = at;
        state.clone()
    };
    events.iter().map(apply).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use voipbin_types::{ActionKind, HangupBy, HangupReason};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_micros(second * 1_000_000)
    }

    #[test]
    fn the_state_at_each_event_is_that_which_its_webhook_had() {
        let action = Action { kind: Some(ActionKind::from("talk")), ..Action::default() };
        let end = Call {
            status: CallStatus::Hangup,
            action: action.clone(),
            hangup_by: Some(HangupBy::Local),
            hangup_reason: Some(HangupReason::Normal),
            tm_ringing: Some(at(1)),
            tm_progressing: Some(at(2)),
            tm_hangup: Some(at(5)),
            tm_create: Some(at(0)),
            tm_update: Some(at(5)),
            ..Call::default()
        };
        let mut events = Vec::new();
        for (kind, second, action) in [
            ("call_created", 0, None),
            ("call_ringing", 1, None),
            ("call_progressing", 2, None),
            ("call_updated", 3, Some(&action)),
            ("call_terminating", 4, None),
            ("call_hangup", 5, None),
        ] {
            add(&mut events, kind, at(second), action);
        }
        let states = states(&end, &events);
        let statuses: Vec<&str> = states.iter().map(|state| state.status.as_str()).collect();
        assert_eq!(statuses, ["dialing", "ringing", "progressing", "progressing", "terminating", "hangup"]);
        assert_eq!((states[0].tm_update, states[1].tm_update), (None, Some(at(1))));
        assert_eq!((states[1].tm_progressing, states[2].tm_progressing), (None, Some(at(2))));
        assert_eq!((states[2].action.id, states[3].action.kind.clone()), (BASIC, action.kind.clone()));
        assert_eq!((&states[4].hangup_by, states[4].tm_hangup), (&None, None));
        assert_eq!(states[5], end);
    }

    #[test]
    fn the_events_of_a_call_are_bounded_and_its_changes_of_status_are_kept() {
        let mut events = Vec::new();
        add(&mut events, "call_created", at(0), None);
        for second in 1..1_000 {
            let option = json!({ "text": "x".repeat(10_000) });
            let option = option.as_object().unwrap().clone().into_iter().collect();
            let action = Action { option, ..Action::default() };
            add(&mut events, UPDATED, at(second), Some(&action));
        }
        add(&mut events, "call_hangup", at(1_000), None);
        assert_eq!(events.len(), MAX_EVENTS);
        assert_eq!((events[0].kind.as_str(), events[1].at), ("call_created", at(952)));
        assert_eq!(events[MAX_EVENTS - 1].kind, "call_hangup");
        assert!(events.iter().flat_map(|event| &event.action).all(|action| action.option.is_empty()));
    }
}

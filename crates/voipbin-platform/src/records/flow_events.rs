//! The events of a kept flow, each with the flow as it was then.
//!
//! The flow at its last event is the current flow, so that only replaced parts are stored again. A flow has at most
//! [`MAX_EVENTS`] events, and their flows have together at most [`MAX_STATE_BYTES`]: beyond that the oldest are
//! dropped.

use serde::{Deserialize, Serialize};
use voipbin_types::{Flow, Timestamp, to_json};

/// Maximum number of events that are kept of a flow.
const MAX_EVENTS: usize = 20;
/// Maximum length of the replaced flows in bytes of JSON. Each call that runs the flow reads them with it.
const MAX_STATE_BYTES: usize = 16 << 10;

/// An event, as it is stored with the flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FlowEvent {
    /// The type: `flow_created` or `flow_updated`.
    pub(crate) kind: String,
    /// When the event happened, on the server's clock.
    pub(crate) at: Timestamp,
    /// The flow after the event, once another event followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced: Option<Flow>,
}

/// The events of a new flow.
pub(crate) fn created(at: Timestamp) -> Vec<FlowEvent> {
    vec![FlowEvent { kind: "flow_created".to_owned(), at, replaced: None }]
}

/// Adds the event of a change. `before` is the flow without it.
pub(crate) fn updated(events: &mut Vec<FlowEvent>, before: Flow, at: Timestamp) {
    if let Some(last) = events.last_mut() {
        last.replaced = Some(before);
    }
    events.push(FlowEvent { kind: "flow_updated".to_owned(), at, replaced: None });
    let mut bytes = 0;
    // The newest events that fit.
    let fits = |event: &FlowEvent| {
        bytes += event.replaced.as_ref().map_or(0, |flow| to_json(flow).map_or(0, |json| json.len()));
        bytes <= MAX_STATE_BYTES
    };
    let kept = events.iter().rev().take(MAX_EVENTS).map(fits).take_while(|fits| *fits).count();
    events.drain(..events.len() - kept);
}

/// The flow at each of its events, oldest first. `flow` is its present state.
pub(crate) fn states<'a>(flow: &'a Flow, events: &'a [FlowEvent]) -> Vec<&'a Flow> {
    events.iter().map(|event| event.replaced.as_ref().unwrap_or(flow)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_micros(second * 1_000_000)
    }

    fn named(name: &str) -> Flow {
        Flow { name: name.to_owned(), ..Flow::default() }
    }

    #[test]
    fn each_event_has_the_flow_after_it() {
        let mut events = created(at(0));
        updated(&mut events, named("first"), at(1));
        updated(&mut events, named("second"), at(2));
        let now = named("third");
        let names: Vec<&str> = states(&now, &events).iter().map(|flow| flow.name.as_str()).collect();
        assert_eq!(names, ["first", "second", "third"]);
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["flow_created", "flow_updated", "flow_updated"]);
    }

    #[test]
    fn the_events_of_a_flow_are_bounded_by_their_number_and_by_what_they_replaced() {
        let mut events = created(at(0));
        for second in 1..100 {
            updated(&mut events, named("n"), at(second));
        }
        assert_eq!((events.len(), events[0].at), (MAX_EVENTS, at(80)));
        updated(&mut events, named(&"n".repeat(10_000)), at(100));
        assert_eq!(events.len(), MAX_EVENTS);
        updated(&mut events, named(&"n".repeat(10_000)), at(101));
        assert_eq!(events.len(), 2, "the flow at the older event is too long beside the newer one");
        updated(&mut events, named(&"n".repeat(MAX_STATE_BYTES)), at(102));
        assert_eq!((events.len(), events[0].at), (1, at(102)));
    }
}

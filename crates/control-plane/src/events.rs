//! Server-sent events about the server's state, for pages and programs that show it live.
//!
//! An event contains new data, or states that data must be read again. It never replaces a list: a subscriber that lost
//! events is notified of it, and reads its lists again.
//!
//! Bounds: [`MAX_SUBSCRIBERS`] at once, each of which holds a connection. Events for a slow subscriber wait in the
//! queues that the edge keeps for all followers (1,024 entries each) and in the change feed of the store, and the
//! changes within a second are one event. A client that reads nothing loses its connection by the listener's own
//! deadline.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use http::{HeaderValue, StatusCode, header};
use lab::Lab;
use serde_json::{Value, json};
use service_core::Core;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::MissedTickBehavior;
use trunk_store::{Changes, Committed, DocumentKind, Follower, Interest};

use crate::Control;
use crate::respond::{refused, retry_after};
use crate::route::Route;

/// Maximum number of subscribers of a listener.
const MAX_SUBSCRIBERS: usize = 64;
/// Seconds after which a refused subscriber may try again.
const RETRY_AFTER: u64 = 5;
/// How often the change feed is checked, which costs one load of a number if nothing was written.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The number of checks without a change after which a heartbeat is sent.
const CHECKS_PER_HEARTBEAT: u32 = 15;

/// An event: its name, and its data.
pub(crate) struct Event {
    name: &'static str,
    data: Value,
}

/// The events of calls at the edge, from now on.
pub(crate) type CallEvents = BoxStream<'static, Event>;

impl Event {
    pub(crate) fn new(name: &'static str, data: Value) -> Self {
        Self { name, data }
    }

    /// The event after changes that may have been missed: all shown data must be read again.
    pub(crate) fn reload() -> Self {
        Self::new("reload", json!({}))
    }

    fn text(&self) -> Bytes {
        // The JSON is one line.
        Bytes::from(format!("event: {}\ndata: {}\n\n", self.name, self.data))
    }
}

/// The route of the events. `of_calls` returns those of calls, and is [`of_no_calls`] in a build without the edge.
pub(crate) fn route(of_calls: fn(&Control) -> CallEvents) -> Route {
    let places = Arc::new(Semaphore::new(MAX_SUBSCRIBERS));
    let subscribe = move |State(control): State<Control>| {
        let places = Arc::clone(&places);
        async move { respond_to_subscriber(&control, of_calls, places) }
    };
    Route::get("/events", "Streams what happens at the server as server-sent events.", subscribe)
        .declare(|operation| operation.answers_with(200, "text/event-stream"))
}

/// The events of a build without the edge.
#[allow(dead_code, reason = "builds with the edge have another source")]
pub(crate) fn of_no_calls(_control: &Control) -> CallEvents {
    stream::pending().boxed()
}

fn respond_to_subscriber(
    control: &Control,
    of_calls: fn(&Control) -> CallEvents,
    places: Arc<Semaphore>,
) -> Response {
    let Ok(place) = places.try_acquire_owned() else {
        let error =
            format!("there are {MAX_SUBSCRIBERS} subscribers already; poll the lists instead, or try again");
        return retry_after(refused(StatusCode::SERVICE_UNAVAILABLE, &error), Some(RETRY_AFTER));
    };
    let core = Arc::clone(&control.core);
    let changes = changes(Arc::clone(&core), control.lab.clone(), place);
    let events = stream::select(of_calls(control).chain(stream::pending()), changes);
    let stopping = Box::pin(async move { core.stopping().await });
    let texts = events.take_until(stopping).map(|event| Ok::<_, Infallible>(event.text()));
    let mut response = Response::new(Body::from_stream(texts));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Events about changes, at most one a second, and heartbeats in between. The first event is a heartbeat. The
/// subscriber's place is taken until the stream is dropped.
fn changes(core: Arc<Core>, lab: Lab, place: OwnedSemaphorePermit) -> impl Stream<Item = Event> {
    let follower = core.store.follow(Interest::Everything);
    let lab = WatchedLab::new(lab);
    let mut checks = tokio::time::interval(CHECK_INTERVAL);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let state = (core, place, follower, lab, checks, CHECKS_PER_HEARTBEAT);
    stream::unfold(state, |(core, place, mut follower, mut lab, mut checks, mut quiet)| async move {
        let event = loop {
            checks.tick().await;
            quiet += 1;
            if let Some(event) = changed(&mut follower, &mut lab) {
                break event;
            }
            if quiet > CHECKS_PER_HEARTBEAT {
                break Event::new("heartbeat", json!({ "now": core.clock.now() }));
            }
        };
        Some((event, (core, place, follower, lab, checks, 0)))
    })
}

/// The changes since the follower's position, and those of the lab; `None` if there are none that pages show.
fn changed(follower: &mut Follower, lab: &mut WatchedLab) -> Option<Event> {
    let mut kinds: BTreeSet<&'static str> = lab.changed().into_iter().flatten().collect();
    if !follower.is_current() {
        let Changes::Since(writes) = follower.changes() else { return Some(Event::reload()) };
        for effect in writes.iter().flat_map(|write| write.iter()) {
            match effect {
                Committed::Reset { .. } => return Some(Event::reload()),
                effect => kinds.extend(kind_of(effect)),
            }
        }
    }
    (!kinds.is_empty()).then(|| Event::new("changed", json!({ "kinds": kinds })))
}

/// The lab, whose journal and faults are not in the store, with the state that its subscriber has received. A check
/// costs two loads of numbers.
struct WatchedLab {
    lab: Lab,
    journal: u64,
    faults: u64,
}

impl WatchedLab {
    fn new(lab: Lab) -> Self {
        let mut watched = Self { lab, journal: 0, faults: 0 };
        watched.changed();
        watched
    }

    /// The parts of the lab that changed since the last check.
    fn changed(&mut self) -> [Option<&'static str>; 2] {
        let journal = self.lab.journal().map_or(0, |journal| journal.revision());
        let faults = self.lab.faults().revision();
        let kinds =
            [(journal != self.journal).then_some("journal"), (faults != self.faults).then_some("faults")];
        (self.journal, self.faults) = (journal, faults);
        kinds
    }
}

fn kind_of(effect: &Committed) -> Option<&'static str> {
    match effect {
        Committed::Stored(stored) => Some(stored.record.kind),
        Committed::Deleted { kind, .. } => Some(*kind),
        Committed::Account { .. } => Some("accounts"),
        Committed::CallRunning(_) | Committed::CallEnded(_) => Some("calls"),
        Committed::Document { kind: DocumentKind::Provider, .. } => Some("providers"),
        Committed::Document {
            kind:
                DocumentKind::Customer | DocumentKind::Agent | DocumentKind::AccessKey | DocumentKind::Number,
            ..
        } => Some("customers"),
        Committed::Document { .. } | Committed::Reset { .. } | Committed::HangUp(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_is_set_is_news_once() {
        let lab = Lab::default();
        let mut watched = WatchedLab::new(lab.clone());
        assert_eq!(watched.changed(), [None, None]);
        lab.faults().add(lab::Fault::close()).unwrap();
        assert_eq!(watched.changed(), [None, Some("faults")]);
        assert_eq!(watched.changed(), [None, None]);
        lab.faults().clear();
        assert_eq!(watched.changed(), [None, Some("faults")]);
    }

    #[test]
    fn an_event_is_two_lines_and_an_empty_one() {
        let event = Event::new("call", json!({ "explanation": "two\nlines", "n": 1 }));
        assert_eq!(event.text(), "event: call\ndata: {\"explanation\":\"two\\nlines\",\"n\":1}\n\n");
    }
}

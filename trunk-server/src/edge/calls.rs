//! The calls that are up, and who must hear what comes for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::stack::Incoming;

/// What names a dialog: the call id, the caller's tag and ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) call_id: String,
    pub(super) remote: String,
    pub(super) local: String,
}

impl Key {
    /// The dialog of a request that comes in.
    pub(super) fn of(request: &Incoming) -> Option<Self> {
        Some(Self { call_id: request.call_id(), remote: request.remote_tag()?, local: request.local_tag()? })
    }
}

/// What comes for a call that is up.
pub(super) enum Event {
    /// A request in its dialog.
    Request(Box<Incoming>),
    /// The answer to an offer of ours, which an ACK brought.
    Answer(Vec<u8>),
    /// It is ended from our side.
    End,
}

/// Events that wait for a call. A peer that floods its own call loses the rest.
const QUEUE: usize = 16;

/// A call that is up or being set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ActiveCall {
    /// Its id, which its record will have.
    pub id: Uuid,
    /// The trunk that it came in on.
    pub trunk_id: String,
    /// The trunk's name.
    pub trunk_name: String,
    /// The store's number of the account.
    #[serde(skip)]
    pub account: i64,
    /// The caller number that went on.
    pub src_number: String,
    /// What was dialled.
    pub dst_number: String,
    /// Where it came from.
    pub source: String,
    /// The dialog's `Call-ID`.
    pub call_id: String,
    /// When it came.
    pub time_start: Timestamp,
    /// When it was answered.
    pub time_connect: Option<Timestamp>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Calls {
    state: Mutex<HashMap<Key, Entry>>,
    /// Those of them and those whose records are still to be written.
    count: watch::Sender<usize>,
}

#[derive(Debug)]
struct Entry {
    events: mpsc::Sender<Event>,
    call: Arc<Mutex<ActiveCall>>,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Request(_) => "Request",
            Self::Answer(_) => "Answer",
            Self::End => "End",
        })
    }
}

/// A call's place among the active ones; it leaves when this is dropped, if not before.
pub(super) struct Registered<'a> {
    calls: &'a Calls,
    key: Key,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) call: Arc<Mutex<ActiveCall>>,
}

impl Calls {
    pub(super) fn register(&self, key: Key, call: ActiveCall) -> Registered<'_> {
        let (sender, events) = mpsc::channel(QUEUE);
        let call = Arc::new(Mutex::new(call));
        let mut state = self.lock();
        state.insert(key.clone(), Entry { events: sender, call: Arc::clone(&call) });
        self.count.send_modify(|count| *count += 1);
        Registered { calls: self, key, events, call }
    }

    /// Hands a request to its call; gives it back when there is no such call.
    pub(super) fn deliver(&self, key: &Key, request: Incoming) -> Result<(), Box<Incoming>> {
        let sender = self.lock().get(key).map(|entry| entry.events.clone());
        let event = Event::Request(Box::new(request));
        let undelivered = match sender {
            None => event,
            Some(sender) => match sender.try_send(event) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(event) | mpsc::error::TrySendError::Closed(event)) => {
                    event
                }
            },
        };
        match undelivered {
            Event::Request(request) => Err(request),
            Event::Answer(_) | Event::End => Ok(()),
        }
    }

    /// Hands the answer to an offer of ours to its call. A call that is over needs none.
    pub(super) fn answer(&self, key: &Key, body: Vec<u8>) {
        if let Some(entry) = self.lock().get(key) {
            // A peer that floods its own call loses it.
            let _lost = entry.events.try_send(Event::Answer(body));
        }
    }

    /// The caller numbers of some calls of a trunk.
    pub(super) fn callers_on(&self, trunk: &str, most: usize) -> Vec<String> {
        let state = self.lock();
        let calls = state.values().map(|entry| entry.call.lock().unwrap_or_else(PoisonError::into_inner));
        calls.filter(|call| call.trunk_id == trunk).take(most).map(|call| call.src_number.clone()).collect()
    }

    pub(super) fn list(&self) -> Vec<ActiveCall> {
        let mut calls: Vec<ActiveCall> = self
            .lock()
            .values()
            .map(|entry| entry.call.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect();
        calls.sort_by_key(|call| (call.time_start, call.id));
        calls
    }

    /// Ends one call from our side; gives whether there was one.
    pub(super) fn end(&self, id: Uuid) -> bool {
        let state = self.lock();
        let found =
            state.values().find(|entry| entry.call.lock().unwrap_or_else(PoisonError::into_inner).id == id);
        found.is_some_and(|entry| entry.events.try_send(Event::End).is_ok())
    }

    pub(super) fn end_all(&self) {
        for entry in self.lock().values() {
            // A call whose queue is full is ending, or floods itself and is dropped with the server.
            let _full = entry.events.try_send(Event::End);
        }
    }

    pub(super) async fn wait_until_empty(&self, most: Duration) {
        let mut count = self.count.subscribe();
        let _late = tokio::time::timeout(most, count.wait_for(|count| *count == 0)).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered<'_> {
    /// The call is over: nothing comes for it any more. It counts until its record is written.
    pub(super) fn leave(&self) {
        self.calls.lock().remove(&self.key);
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.leave();
        self.calls.count.send_modify(|count| *count -= 1);
    }
}

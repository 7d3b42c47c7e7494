//! The active calls: found by dialog for requests, by id for the control API, and counted for a stop of the
//! server.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Notify;
use trunk_rules::carrier::Cause;
use uuid::Uuid;

use super::call_event::CallEvent;
use super::call_state::{CallState, DialogKey};
use super::hung_up_by::HungUpBy;
use super::media_report::MediaReport;
use super::peers::{Need, Peers};

/// An active call: being set up, or answered.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ActiveCall {
    /// The id of the call, which its record will have too.
    pub id: Uuid,
    /// The number of the node that runs the call; absent if the database has one node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<i64>,
    /// The id of the trunk.
    pub trunk_id: String,
    /// The name of the trunk.
    pub trunk_name: String,
    /// The account's number in the store. It is not part of the JSON.
    #[serde(skip)]
    pub account: i64,
    /// The caller number that the called party is shown.
    pub src_number: String,
    /// The number as the caller dialled it, including a tech prefix.
    pub dst_number: String,
    /// The address and port that the INVITE came from.
    pub source: String,
    /// The `Call-ID` of the dialog.
    pub call_id: String,
    /// When the INVITE arrived, by the server's clock.
    pub time_start: Timestamp,
    /// When the call was answered; null before.
    pub time_connect: Option<Timestamp>,
    /// The call's media so far.
    pub media: MediaReport,
    /// Why the call has had no audio so far: a sentence that begins with `no audio, because`; null if it had
    /// audio, or is not answered yet.
    pub no_audio: Option<String>,
}

impl ActiveCall {
    fn of(call_state: &CallState) -> Self {
        let CallState { key, origin, trunk, dialled, cli, .. } = call_state;
        let facts = call_state.media.lock();
        Self {
            id: origin.id,
            node: None,
            trunk_id: trunk.id.to_string(),
            trunk_name: trunk.name.to_string(),
            account: call_state.account(),
            src_number: cli.presented.clone(),
            dst_number: dialled.to_string(),
            source: format!("{}:{}", origin.source.ip(), origin.source.port()),
            call_id: key.call_id.to_string(),
            time_start: origin.started,
            time_connect: call_state.connected(),
            media: MediaReport::of(&facts),
            no_audio: call_state.no_audio(&facts),
        }
    }
}

/// All active calls of the edge.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    state: Mutex<HashSet<Entry>>,
    /// Whether the edge stops, so that a call ends as soon as it begins. It is set under the lock of `state`.
    is_stopping: AtomicBool,
    /// The number of active calls from each source address that was [proved](CallState::has_proved_address).
    sources: Mutex<HashMap<IpAddr, usize>>,
    /// The peers whose connections active calls and requests in progress need.
    peers: Arc<Peers>,
    /// The number of active calls, ended calls and refusals whose records are not written yet. A stop waits
    /// for zero.
    count: AtomicUsize,
    /// Notified when `count` has become zero.
    emptied: Notify,
}

/// An element of the set, hashed and compared by the dialog's key.
#[derive(Debug)]
struct Entry(Arc<CallState>);

impl Borrow<DialogKey> for Entry {
    fn borrow(&self) -> &DialogKey {
        &self.0.key
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Entry {}

/// The registration of an active call. Dropping it removes the call.
pub(crate) struct Registered<'a> {
    stop_guard: StopGuard<'a>,
    pub call_state: Arc<CallState>,
    /// The need for the connection that the call is signalled over. Boxed, because a call over UDP has none.
    need: Option<Box<Need>>,
}

/// Keeps a stop of the edge waiting until it is dropped, or until the stop deadline passes.
pub(crate) struct StopGuard<'a>(&'a Calls);

impl Drop for StopGuard<'_> {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}

impl Calls {
    /// Adds a call to the active ones.
    pub(crate) fn register(&self, call_state: CallState) -> Registered<'_> {
        let call_state = Arc::new(call_state);
        let mut state = self.lock();
        state.replace(Entry(Arc::clone(&call_state)));
        if self.is_stopping.load(Ordering::Relaxed) {
            let _full = call_state.mailbox.put(CallEvent::End(HungUpBy::Server));
        }
        drop(state);
        if call_state.has_proved_address {
            *self.sources().entry(call_state.origin.source.ip()).or_default() += 1;
        }
        let need = self.need(call_state.origin.source, call_state.origin.protocol).map(Box::new);
        Registered { stop_guard: self.delay_stop(), call_state, need }
    }

    /// Makes a stop of the edge wait for a record that is not written yet.
    pub(crate) fn delay_stop(&self) -> StopGuard<'_> {
        self.count.fetch_add(1, Ordering::SeqCst);
        StopGuard(self)
    }

    /// Returns true if a call with this dialog is active.
    pub(crate) fn contains(&self, key: &DialogKey) -> bool {
        self.lock().contains(key)
    }

    /// Returns true if an active call came from this address, which was not forged.
    pub(crate) fn has_source(&self, source: IpAddr) -> bool {
        self.sources().contains_key(&source)
    }

    /// Returns true if an active call or a request in progress needs the connection from this address and port.
    pub(crate) fn has_peer(&self, source: SocketAddr) -> bool {
        self.peers.has(source)
    }

    /// Keeps the connection from this address and port needed; `None` over UDP.
    pub(crate) fn need(&self, source: SocketAddr, transport: &str) -> Option<Need> {
        self.peers.need(source, transport)
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, key: &DialogKey) -> Option<Arc<CallState>> {
        self.lock().get(key).map(|entry| Arc::clone(&entry.0))
    }

    /// The caller numbers of at most `limit` active calls of a trunk, in no particular order.
    pub(crate) fn callers_on(&self, trunk: &str, limit: usize) -> Vec<String> {
        let state = self.lock();
        let on_trunk = state.iter().filter(|Entry(call_state)| call_state.trunk.id.as_str() == trunk);
        on_trunk.take(limit).map(|Entry(call_state)| call_state.cli.presented.clone()).collect()
    }

    /// All active calls, oldest first.
    pub(crate) fn list(&self) -> Vec<ActiveCall> {
        // Built outside of the lock, which every request in a dialog needs.
        let states = self.all();
        let mut calls: Vec<ActiveCall> = states.iter().map(|call_state| ActiveCall::of(call_state)).collect();
        calls.sort_by_key(|call| (call.time_start, call.id));
        calls
    }

    /// The active calls in no particular order.
    pub(crate) fn all(&self) -> Vec<Arc<CallState>> {
        self.lock().iter().map(|Entry(call_state)| Arc::clone(call_state)).collect()
    }

    /// The number of active calls.
    pub(crate) fn number(&self) -> usize {
        self.lock().len()
    }

    /// Ends one call from the edge's side. Returns true if it existed and its queue had room for the event.
    pub(crate) fn end(&self, id: Uuid) -> bool {
        let state = self.lock();
        let found = state.iter().find(|Entry(call_state)| call_state.origin.id == id);
        found.is_some_and(|Entry(call_state)| {
            call_state.mailbox.put(CallEvent::End(HungUpBy::Operator)).is_ok()
        })
    }

    /// Ends the calls that match `test`, with `cause`. Returns how many received the event, and how many could not,
    /// because their queue is full or they are ending.
    pub(crate) fn end_for(&self, cause: Cause, test: impl Fn(&CallState) -> bool) -> (usize, usize) {
        // The test runs without the lock, because it may take other locks, and a long time.
        let all = self.all();
        let found = all.iter().filter(|call_state| test(call_state));
        let (received, missed): (Vec<_>, Vec<_>) =
            found.partition(|call_state| call_state.mailbox.put(CallEvent::EndFor(cause)).is_ok());
        (received.len(), missed.len())
    }

    /// Ends all calls because the edge stops, and each that begins later at once.
    pub(crate) fn end_all(&self) {
        let state = self.lock();
        self.is_stopping.store(true, Ordering::Relaxed);
        for Entry(call_state) in state.iter() {
            // A call with a full queue is either ending, or flooded by its peer; the latter is dropped at the
            // deadline.
            let _full = call_state.mailbox.put(CallEvent::End(HungUpBy::Server));
        }
    }

    /// Waits until all calls have ended and their records are written, or the timeout has passed.
    pub(crate) async fn wait_until_empty(&self, timeout: Duration) {
        let is_empty = async {
            loop {
                // Made before the count is read, so that it is notified of every later change.
                let emptied = self.emptied.notified();
                if self.count.load(Ordering::SeqCst) == 0 {
                    return;
                }
                emptied.await;
            }
        };
        let _timed_out = tokio::time::timeout(timeout, is_empty).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Entry>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered<'_> {
    /// Records that a request of the caller moved the dialog to another port, such as that of a new connection.
    pub(crate) fn moved_to(&mut self, source: SocketAddr, transport: &str) {
        let need = self.stop_guard.0.need(source, transport).map(Box::new);
        drop(std::mem::replace(&mut self.need, need));
    }

    /// Removes an ended call: it receives no further events. A stop still waits for it until this is dropped. Returns
    /// the events that the call did not read.
    pub(crate) fn leave(&self) -> impl Iterator<Item = CallEvent> + use<> {
        let unread = self.call_state.mailbox.close();
        self.stop_guard.0.lock().remove(&self.call_state.key);
        unread
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        drop(self.leave());
        if !self.call_state.has_proved_address {
            return;
        }
        let mut sources = self.stop_guard.0.sources();
        let source = self.call_state.origin.source.ip();
        if let Some(count) = sources.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                sources.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call_state::Origin;
    use crate::test_trunk::admitted;

    fn state(call_id: &str) -> CallState {
        let key = DialogKey { call_id: call_id.into(), remote_tag: "a".into(), local_tag: "b".into() };
        let origin = Origin {
            id: Uuid::nil(),
            started: Timestamp::from_unix_millis(0),
            source: "127.0.0.1:5060".parse().unwrap(),
            protocol: "udp",
            user_agent: None,
            p_charge_info: None,
        };
        CallState::new(key, origin, 1, admitted(None), false)
    }

    #[test]
    fn a_caller_may_send_fifty_requests_a_second_and_a_hundred_at_once() {
        let state = state("id");
        let asked = |now: i64| (0..1_000).filter(|_| state.may_ask(now)).count();
        assert_eq!([asked(5_000), asked(5_000), asked(6_000), asked(60_000)], [100, 0, 50, 100]);
    }

    #[tokio::test]
    async fn a_stop_waits_for_calls_and_for_records_that_are_not_written() {
        let calls = Arc::new(Calls::default());
        let long = Duration::from_mins(1);
        calls.wait_until_empty(long).await;
        let (call, record) = (calls.register(state("call")), calls.delay_stop());
        assert_eq!(calls.count.load(Ordering::SeqCst), 2);
        let waiting = {
            let calls = Arc::clone(&calls);
            tokio::spawn(async move { calls.wait_until_empty(long).await })
        };
        drop(call);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "a record is not written");
        drop(record);
        waiting.await.unwrap();
    }

    #[test]
    fn a_stop_ends_the_calls_that_are_there_and_those_that_begin_after_it() {
        let calls = Calls::default();
        let before = calls.register(state("before"));
        calls.end_all();
        let after = calls.register(state("after"));
        for registered in [before, after] {
            let events: Vec<CallEvent> = registered.leave().collect();
            assert!(matches!(events[..], [CallEvent::End(HungUpBy::Server)]));
        }
        assert_eq!(calls.number(), 0);
    }
}

//! The calls of this node that have not ended: their limits, the places in limited capacities, and the signals that end
//! them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The signal that ends a call.
#[derive(Debug, Default)]
pub(crate) struct HangUp {
    requested: CancellationToken,
    /// True if the server ends the call, false if the caller does.
    by_server: AtomicBool,
}

impl HangUp {
    /// Ends the call as its caller would.
    pub(crate) fn as_caller(&self) {
        self.requested.cancel();
    }

    /// Ends the call because the server stops, or its record is gone.
    pub(crate) fn as_server(&self) {
        if !self.requested.is_cancelled() {
            self.by_server.store(true, Ordering::Relaxed);
        }
        self.requested.cancel();
    }

    /// Waits until the call must end. Cancel-safe.
    pub(crate) async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// `None` while the call may continue; otherwise true if the server ends it, false if its caller does.
    pub(crate) fn requested_by_server(&self) -> Option<bool> {
        self.requested.is_cancelled().then(|| self.by_server.load(Ordering::Relaxed))
    }
}

/// All live calls of this node.
#[derive(Debug)]
pub(crate) struct LiveCalls {
    max_calls: usize,
    state: Mutex<State>,
    count: watch::Sender<usize>,
    /// True once the server is stopping: calls that are reserved from then on end at once.
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// The calls whose end is not written.
    calls: HashMap<Uuid, Arc<HangUp>>,
    /// Number of these calls that count towards the limit: those that have not ended.
    counted: usize,
    /// The number of calls of each account, DID, group and trunk that has any, by its id.
    busy: HashMap<Uuid, u64>,
}

/// The slot of a live call. It counts towards the limit until the call has ended, and dropping it forgets the call.
#[derive(Debug)]
pub(crate) struct Slot {
    live: Arc<LiveCalls>,
    id: Uuid,
    /// Whether the call counts towards the limit.
    counts: bool,
    /// The signal that ends the call.
    pub(crate) hang_up: Arc<HangUp>,
}

/// The place of a call in the capacity of an account, a DID, a group or a trunk. Dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    live: Arc<LiveCalls>,
    subject: Uuid,
}

impl LiveCalls {
    /// No calls yet, with a limit on all calls.
    pub(crate) fn new(max_calls: usize) -> Self {
        Self {
            max_calls,
            state: Mutex::default(),
            count: watch::Sender::new(0),
            stopping: AtomicBool::new(false),
        }
    }

    /// The number of calls whose end is not written.
    pub(crate) fn number(&self) -> usize {
        *self.count.borrow()
    }

    /// Maximum number of live calls.
    pub(crate) fn max_calls(&self) -> usize {
        self.max_calls
    }

    /// Reserves the slot of a new call; `None` if there are as many calls as are permitted.
    pub(crate) fn reserve(self: &Arc<Self>, id: Uuid) -> Option<Slot> {
        let mut state = self.lock();
        if state.counted >= self.max_calls {
            return None;
        }
        state.counted += 1;
        let hang_up = Arc::new(HangUp::default());
        if self.stopping.load(Ordering::Relaxed) {
            hang_up.as_server();
        }
        state.calls.insert(id, Arc::clone(&hang_up));
        self.count.send_replace(state.calls.len());
        drop(state);
        Some(Slot { live: Arc::clone(self), id, counts: true, hang_up })
    }

    /// Takes a place in the capacity of `subject`; `None` if it has as many calls as `limit` permits.
    pub(crate) fn enter(self: &Arc<Self>, subject: Uuid, limit: Option<u64>) -> Option<Place> {
        let mut state = self.lock();
        let calls = state.busy.get(&subject).copied().unwrap_or_default();
        if limit.is_some_and(|limit| calls >= limit) {
            return None;
        }
        state.busy.insert(subject, calls + 1);
        drop(state);
        Some(Place { live: Arc::clone(self), subject })
    }

    /// Whether a call is live on this node, or ends and its end is not written yet.
    pub(crate) fn has(&self, id: Uuid) -> bool {
        self.lock().calls.contains_key(&id)
    }

    /// Ends a call as its caller would. Returns whether it is live on this node.
    pub(crate) fn hang_up(&self, id: Uuid) -> bool {
        let found = self.lock().calls.get(&id).cloned();
        if let Some(hang_up) = &found {
            hang_up.as_caller();
        }
        found.is_some()
    }

    /// Ends every call, including those that are reserved from now on, without waiting.
    pub(crate) fn abandon(&self) {
        let state = self.lock();
        self.stopping.store(true, Ordering::Relaxed);
        state.calls.values().for_each(|hang_up| hang_up.as_server());
    }

    /// Ends every present call, and waits at most `timeout` until all have ended.
    pub(crate) async fn end_all(&self, timeout: Duration) {
        let ending: Vec<Arc<HangUp>> = self.lock().calls.values().cloned().collect();
        for hang_up in ending {
            hang_up.as_server();
        }
        self.all_ended(timeout).await;
    }

    /// Waits at most `timeout` until no call is live. The future holds no reference to the calls' state.
    pub(crate) fn all_ended(&self, timeout: Duration) -> impl Future<Output = ()> + Send + use<> {
        let mut count = self.count.subscribe();
        async move {
            let _elapsed = tokio::time::timeout(timeout, count.wait_for(|count| *count == 0)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Makes room for another call: this one has ended. It is known to this node until its end is written.
    pub(crate) fn free(&mut self) {
        if std::mem::replace(&mut self.counts, false) {
            self.live.lock().counted -= 1;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free();
        let mut state = self.live.lock();
        state.calls.remove(&self.id);
        self.live.count.send_replace(state.calls.len());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        if let Entry::Occupied(mut calls) = state.busy.entry(self.subject) {
            *calls.get_mut() -= 1;
            if *calls.get() == 0 {
                calls.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUNK: Uuid = Uuid::from_u128(1 << 64);

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn calls_have_slots_up_to_the_limit_and_not_one_more() {
        let live = Arc::new(LiveCalls::new(2));
        let (first, second) = (live.reserve(id(1)).unwrap(), live.reserve(id(2)).unwrap());
        assert!(live.reserve(id(3)).is_none());
        drop(first);
        assert!(live.reserve(id(3)).is_some());
        drop(second);
        assert_eq!(live.number(), 0);
    }

    #[test]
    fn a_call_that_has_ended_leaves_room_for_another_one_before_its_end_is_written() {
        let live = Arc::new(LiveCalls::new(1));
        let mut ended = live.reserve(id(1)).unwrap();
        ended.free();
        ended.free();
        let next = live.reserve(id(2)).unwrap();
        assert!(live.reserve(id(3)).is_none(), "it leaves room for one");
        assert!(live.has(id(1)), "it has not ended for who looks for calls of no node");
        assert_eq!(live.number(), 2);
        drop(ended);
        assert!(live.reserve(id(3)).is_none(), "its place is not freed twice");
        drop(next);
        assert_eq!((live.number(), live.lock().counted), (0, 0));
    }

    #[test]
    fn a_capacity_has_as_many_places_as_its_limit_and_a_freed_one_is_taken_again() {
        let live = Arc::new(LiveCalls::new(9));
        let place = live.enter(TRUNK, Some(1)).unwrap();
        assert!(live.enter(TRUNK, Some(1)).is_none());
        assert!(live.enter(id(7), Some(1)).is_some(), "another trunk has places of its own");
        assert!(live.enter(TRUNK, None).is_some(), "without a limit there is always one");
        drop(place);
        assert!(live.enter(TRUNK, Some(1)).is_some());
        assert!(live.enter(TRUNK, Some(0)).is_none());
        assert!(live.lock().busy.is_empty(), "what has no call is not remembered");
    }

    #[test]
    fn a_call_is_ended_by_its_id_and_the_one_who_requested_it_first_is_named() {
        let live = Arc::new(LiveCalls::new(9));
        let (one, other) = (live.reserve(id(1)).unwrap(), live.reserve(id(2)).unwrap());
        assert!(live.hang_up(id(1)) && !live.hang_up(id(3)));
        assert_eq!(
            (one.hang_up.requested_by_server(), other.hang_up.requested_by_server()),
            (Some(false), None)
        );
        live.abandon();
        assert_eq!(
            (one.hang_up.requested_by_server(), other.hang_up.requested_by_server()),
            (Some(false), Some(true))
        );
        assert_eq!(live.reserve(id(3)).unwrap().hang_up.requested_by_server(), Some(true));
    }
}

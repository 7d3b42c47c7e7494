//! Channels that several nodes share, of trunks and of all else that has a limit on simultaneous calls: those that this
//! node's calls hold, and the calls that wait for one. In this module "trunk" means any of these, because channels are
//! identified by an id alone.
//!
//! A room counts the calls of this node first. If other nodes may run calls of the same trunk, a call on a trunk with a
//! limit then requests a channel from the store, before it rings or is answered. Calls that wait share a transaction
//! with each other and with channels that are returned, which happens at once when their calls end. A call that finds
//! no free channel requests one once more after `SECOND_REQUEST_DELAY`, because another node returns a channel only
//! after its call has ended.
//!
//! The store never counts fewer channels for this node than its calls have. So while the database is unavailable, calls
//! take the channels that this node holds, and unused ones are not returned; calls beyond those are refused.
//!
//! Bounds: the calls of the server, and `MAX_TRUNKS_PER_WRITE` trunks in one transaction.

mod forgetting;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service_base::clock::Stopwatch;
use tokio::sync::{Notify, oneshot, watch};
use trunk_rules::carrier::Full;
use trunk_store::{ChannelRequest, Channels, HeldChannels, StoreError, WriteHealth};
use uuid::Uuid;

use crate::nodes::HEARTBEAT_INTERVAL;

pub use forgetting::jobs;

/// Limit of trunks in one transaction.
const MAX_TRUNKS_PER_WRITE: usize = 256;
/// The delay before the second and last request for a call that found no free channel.
const SECOND_REQUEST_DELAY: Duration = Duration::from_millis(100);
/// The time after a failed transaction in which none is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why a call has no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoChannel {
    /// The calls of all nodes have all channels of the trunk.
    Full(Full),
    /// The store could not be reached.
    Unknown,
}

/// The channels that the calls of this node have. No other value of this type may have the same trunks on this node.
#[derive(Debug, Default)]
pub struct SharedChannels {
    state: Mutex<State>,
    /// Notified when a trunk becomes due.
    due: Notify,
}

#[derive(Debug, Default)]
struct State {
    trunks: HashMap<Uuid, TrunkChannels>,
    /// The trunks with waiting calls, or whose number of channels must be written.
    due: VecDeque<Uuid>,
}

/// Sends a waiting call its channel, or the reason why it has none.
type Waiting = oneshot::Sender<Result<SharedChannel, NoChannel>>;

/// The channels of one trunk.
#[derive(Debug, Default)]
struct TrunkChannels {
    /// Number of calls of this node, whether the trunk had a limit when they began or not.
    calls: u32,
    /// The least number of channels that the store counts for this node.
    held: u32,
    /// The limit of the trunk as last known.
    limit: u32,
    waiting: VecDeque<Waiting>,
    /// True if the trunk is in [`State::due`].
    is_due: bool,
}

/// A channel of a trunk. Dropping it returns the channel.
#[derive(Debug)]
#[must_use = "the channel is returned when this value is dropped"]
pub struct SharedChannel {
    channels: Arc<SharedChannels>,
    trunk: Uuid,
}

impl Drop for SharedChannel {
    fn drop(&mut self) {
        let mut state = self.channels.lock();
        let Some(of_trunk) = state.trunks.get_mut(&self.trunk) else { return };
        of_trunk.calls -= 1;
        if of_trunk.held > of_trunk.calls {
            self.channels.make_due(&mut state, self.trunk);
        } else if of_trunk.is_idle() {
            state.trunks.remove(&self.trunk);
        }
    }
}

impl TrunkChannels {
    fn is_idle(&self) -> bool {
        self.calls == 0 && self.held == 0 && self.waiting.is_empty() && !self.is_due
    }
}

/// One trunk's part of a transaction.
struct TrunkRequest {
    request: ChannelRequest,
    /// The channels of the trunk that this node held when the request was made.
    held_before: u32,
}

impl SharedChannels {
    /// Counts a call of a trunk that has no limit, and informs the other nodes soon, without waiting for that: a limit
    /// that the trunk receives during the call is a limit for this call too.
    pub fn count(self: &Arc<Self>, trunk: Uuid) -> SharedChannel {
        let mut state = self.lock();
        state.trunks.entry(trunk).or_default().calls += 1;
        self.make_due(&mut state, trunk);
        drop(state);
        SharedChannel { channels: Arc::clone(self), trunk }
    }

    /// Takes a channel of a trunk. Without a limit, the call is only counted, and the other nodes do not know of it
    /// until [`run`] finds that the trunk has received one.
    ///
    /// # Errors
    /// [`NoChannel`].
    pub async fn take(self: &Arc<Self>, trunk: Uuid, limit: Option<u32>) -> Result<SharedChannel, NoChannel> {
        let Some(limit) = limit else {
            self.lock().trunks.entry(trunk).or_default().calls += 1;
            return Ok(SharedChannel { channels: Arc::clone(self), trunk });
        };
        match self.request(trunk, limit).await {
            Err(NoChannel::Full(_)) if limit > 0 => {
                tokio::time::sleep(SECOND_REQUEST_DELAY).await;
                self.request(trunk, limit).await
            }
            taken => taken,
        }
    }

    async fn request(self: &Arc<Self>, trunk: Uuid, limit: u32) -> Result<SharedChannel, NoChannel> {
        let taken = {
            let mut state = self.lock();
            let of_trunk = state.trunks.entry(trunk).or_default();
            of_trunk.limit = limit;
            if of_trunk.calls < of_trunk.held.min(limit) && of_trunk.waiting.is_empty() {
                // An ended call's channel that was not returned yet.
                of_trunk.calls += 1;
                return Ok(SharedChannel { channels: Arc::clone(self), trunk });
            }
            let (sender, taken) = oneshot::channel();
            of_trunk.waiting.push_back(sender);
            self.make_due(&mut state, trunk);
            taken
        };
        taken.await.unwrap_or(Err(NoChannel::Unknown))
    }

    fn make_due(&self, state: &mut State, trunk: Uuid) {
        let Some(of_trunk) = state.trunks.get_mut(&trunk) else { return };
        if !std::mem::replace(&mut of_trunk.is_due, true) {
            state.due.push_back(trunk);
        }
        // Even if it was due already: while the store cannot be reached, waiting calls are refused.
        self.due.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the requests of the next transaction. Until its outcome is known, only the channels of calls count as
    /// held.
    fn take_due(&self) -> Vec<TrunkRequest> {
        let mut state = self.lock();
        let mut requests = Vec::new();
        while requests.len() < MAX_TRUNKS_PER_WRITE
            && let Some(trunk) = state.due.pop_front()
        {
            let Some(of_trunk) = state.trunks.get_mut(&trunk) else { continue };
            of_trunk.is_due = false;
            let held_before = of_trunk.held;
            of_trunk.held = of_trunk.held.min(of_trunk.calls);
            let more = u32::try_from(of_trunk.waiting.len()).unwrap_or(u32::MAX);
            requests.push(TrunkRequest {
                request: ChannelRequest { trunk, calls: of_trunk.calls, more, limit: of_trunk.limit },
                held_before,
            });
        }
        requests
    }

    /// Assigns the channels that the store granted to the waiting calls, oldest first, and refuses the calls beyond
    /// them.
    fn received(self: &Arc<Self>, requests: &[TrunkRequest], held: &[HeldChannels]) {
        let mut answers = Vec::new();
        let mut state = self.lock();
        for (TrunkRequest { request, .. }, held) in requests.iter().zip(held) {
            let Some(of_trunk) = state.trunks.get_mut(&request.trunk) else { continue };
            of_trunk.held = held.held;
            for _ in 0..request.more {
                let Some(waiting) = of_trunk.waiting.pop_front() else { break };
                let answer = if of_trunk.calls < of_trunk.held {
                    of_trunk.calls += 1;
                    Ok(SharedChannel { channels: Arc::clone(self), trunk: request.trunk })
                } else {
                    let all = held.held.saturating_add(held.others);
                    Err(NoChannel::Full(Full { held: all, limit: request.limit }))
                };
                answers.push((waiting, answer));
            }
            if of_trunk.held != of_trunk.calls {
                self.make_due(&mut state, request.trunk);
            } else if of_trunk.is_idle() {
                state.trunks.remove(&request.trunk);
            }
        }
        drop(state);
        answer(answers);
    }

    /// Refuses the waiting calls of these trunks. The node holds what it held before, unless it is unknown whether the
    /// transaction was committed.
    fn failed(&self, requests: &[TrunkRequest], error: &StoreError) {
        let mut answers = Vec::new();
        let mut state = self.lock();
        for TrunkRequest { request, held_before } in requests {
            let Some(of_trunk) = state.trunks.get_mut(&request.trunk) else { continue };
            if *error != StoreError::Unknown {
                of_trunk.held = of_trunk.held.max(*held_before);
            }
            for waiting in of_trunk.waiting.drain(..) {
                answers.push((waiting, Err(NoChannel::Unknown)));
            }
            self.make_due(&mut state, request.trunk);
        }
        drop(state);
        answer(answers);
    }

    /// Refuses all waiting calls, because the store cannot be reached.
    fn refuse_waiting(&self) {
        let mut state = self.lock();
        let waiting = state.trunks.values_mut().flat_map(|of_trunk| of_trunk.waiting.drain(..));
        let answers: Vec<_> = waiting.map(|waiting| (waiting, Err(NoChannel::Unknown))).collect();
        drop(state);
        answer(answers);
    }

    /// Makes trunks due that received a limit while they had calls: other nodes must count these calls.
    fn compare_with(&self, limit_of: impl Fn(Uuid) -> Option<u32>) {
        let mut state = self.lock();
        let differs: Vec<Uuid> = state
            .trunks
            .iter()
            .filter(|(_, of_trunk)| of_trunk.held != of_trunk.calls)
            .map(|(trunk, _)| *trunk)
            .collect();
        for trunk in differs {
            if let Some(limit) = limit_of(trunk)
                && let Some(of_trunk) = state.trunks.get_mut(&trunk)
            {
                of_trunk.limit = limit;
                self.make_due(&mut state, trunk);
            }
        }
    }
}

/// Answers waiting calls. The channel of a call that has ended is returned, so this must not be called under the lock.
fn answer(answers: Vec<(Waiting, Result<SharedChannel, NoChannel>)>) {
    for (waiting, answer) in answers {
        let _gone = waiting.send(answer);
    }
}

/// Takes and returns channels, and never ends. `limit_of` returns the present limit of a trunk whose calls began
/// without one; `None` leaves them uncounted elsewhere.
pub async fn run<S: Channels + ?Sized>(
    channels: &Arc<SharedChannels>,
    store: &S,
    mut health: watch::Receiver<WriteHealth>,
    limit_of: impl Fn(Uuid) -> Option<u32>,
) {
    let mut compared = Stopwatch::start();
    loop {
        tokio::select! {
            () = channels.due.notified() => {}
            // The store may work again.
            Ok(()) = health.changed() => {}
            () = tokio::time::sleep(HEARTBEAT_INTERVAL.saturating_sub(compared.elapsed())) => {
                channels.compare_with(&limit_of);
                compared = Stopwatch::start();
            }
        }
        loop {
            if health.borrow_and_update().reason().is_some() {
                channels.refuse_waiting();
                break;
            }
            let requests = channels.take_due();
            if requests.is_empty() {
                break;
            }
            match store.hold_channels(requests.iter().map(|due| due.request).collect()).await {
                Ok(held) => channels.received(&requests, &held),
                Err(error) => {
                    tracing::debug!(%error, "channels of trunks could not be taken or returned");
                    channels.failed(&requests, &error);
                    // Calls that arrive meanwhile are refused afterwards, or take channels that are held.
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Channels that several nodes share, of trunks and of all else that has a limit on simultaneous calls: what this node's calls
//! hold, and the calls that wait for one. A trunk stands here for each of these: its channels are known by its id alone.
//!
//! A room counts the calls of this node first. If other nodes may run calls of the same trunk, one that has a limit asks the
//! store next, before it rings or is answered. Calls that wait share a transaction, and so do channels that are given back, which
//! happens at once when their calls end. A call that finds no free channel asks once more a moment later, because a channel
//! that another node returns travels behind the end of its call.
//!
//! The store never counts less for this node than its calls have. So while the database is away, calls take the channels that
//! this node holds, and those that are left are not given back; others are refused.
//!
//! Bounds: the calls of the server, and `MAX_TRUNKS_PER_WRITE` trunks in one transaction.

mod forgetting;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service_base::clock::Stopwatch;
use tokio::sync::{Notify, oneshot, watch};
use trunk_rules::carrier::Full;
use trunk_store::{AskedChannels, Channels, HeldChannels, StoreError, WriteHealth};
use uuid::Uuid;

use crate::nodes::HEARTBEAT_INTERVAL;

pub use forgetting::jobs;

/// Limit of trunks in one transaction.
const MAX_TRUNKS_PER_WRITE: usize = 256;
/// The time after which a call that found no free channel asks once more.
const SECOND_TRY: Duration = Duration::from_millis(100);
/// The time after a failed write in which channels are not given back.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why a call has no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoChannel {
    /// The calls of all nodes have them all.
    Full(Full),
    /// The store cannot be asked.
    Unknown,
}

/// The channels that the calls of this node have. No other value of this type may have the same trunks on this node.
#[derive(Debug, Default)]
pub struct SharedChannels {
    state: Mutex<State>,
    /// Notified when trunks are due.
    due: Notify,
}

#[derive(Debug, Default)]
struct State {
    trunks: HashMap<Uuid, TrunkChannels>,
    /// The trunks with calls that wait, or whose number must be written.
    due: VecDeque<Uuid>,
}

/// Where a call that waits receives its channel.
type Waiting = oneshot::Sender<Result<SharedChannel, NoChannel>>;

/// The channels of one trunk.
#[derive(Debug, Default)]
struct TrunkChannels {
    /// Number of calls of this node, whether the trunk had a limit when they began or not.
    calls: u32,
    /// Number of channels that the store counts for this node, at least.
    held: u32,
    /// The limit of the trunk as last known.
    limit: u32,
    waiting: VecDeque<Waiting>,
    /// True if the trunk is among those that are due.
    is_due: bool,
}

/// A channel of a trunk. Dropping it returns the channel.
#[derive(Debug)]
#[must_use = "the channel is given back when this value is dropped"]
pub struct SharedChannel {
    channels: Arc<SharedChannels>,
    trunk: Uuid,
}

impl Drop for SharedChannel {
    fn drop(&mut self) {
        let mut state = self.channels.lock();
        let Some(of) = state.trunks.get_mut(&self.trunk) else { return };
        of.calls -= 1;
        if of.held > of.calls {
            self.channels.make_due(&mut state, self.trunk);
        } else if of.is_over() {
            state.trunks.remove(&self.trunk);
        }
    }
}

impl TrunkChannels {
    fn is_over(&self) -> bool {
        self.calls == 0 && self.held == 0 && self.waiting.is_empty() && !self.is_due
    }
}

/// What was asked of the store, with what was known before.
struct Asked {
    asked: AskedChannels,
    held_before: u32,
}

impl SharedChannels {
    /// Counts a call of a trunk that has no limit, and lets the other nodes know soon, without waiting for that: a limit that
    /// the trunk receives during the call is a limit for this call too.
    pub fn count(self: &Arc<Self>, trunk: Uuid) -> SharedChannel {
        let mut state = self.lock();
        state.trunks.entry(trunk).or_default().calls += 1;
        self.make_due(&mut state, trunk);
        drop(state);
        SharedChannel { channels: Arc::clone(self), trunk }
    }

    /// Takes a channel of a trunk. Without a limit, the call is only counted, and the other nodes do not know of it until [`run`]
    /// finds that the trunk has received one.
    ///
    /// # Errors
    /// [`NoChannel`].
    pub async fn take(self: &Arc<Self>, trunk: Uuid, limit: Option<u32>) -> Result<SharedChannel, NoChannel> {
        let Some(limit) = limit else {
            self.lock().trunks.entry(trunk).or_default().calls += 1;
            return Ok(SharedChannel { channels: Arc::clone(self), trunk });
        };
        match self.ask(trunk, limit).await {
            Err(NoChannel::Full(_)) if limit > 0 => {
                tokio::time::sleep(SECOND_TRY).await;
                self.ask(trunk, limit).await
            }
            taken => taken,
        }
    }

    async fn ask(self: &Arc<Self>, trunk: Uuid, limit: u32) -> Result<SharedChannel, NoChannel> {
        let taken = {
            let mut state = self.lock();
            let of = state.trunks.entry(trunk).or_default();
            of.limit = limit;
            if of.calls < of.held.min(limit) && of.waiting.is_empty() {
                // Its channel was not given back yet.
                of.calls += 1;
                return Ok(SharedChannel { channels: Arc::clone(self), trunk });
            }
            let (sender, taken) = oneshot::channel();
            of.waiting.push_back(sender);
            self.make_due(&mut state, trunk);
            taken
        };
        taken.await.unwrap_or(Err(NoChannel::Unknown))
    }

    fn make_due(&self, state: &mut State, trunk: Uuid) {
        let Some(of) = state.trunks.get_mut(&trunk) else { return };
        if !std::mem::replace(&mut of.is_due, true) {
            state.due.push_back(trunk);
        }
        // Even if it was due already: while the store cannot be asked, calls that wait are refused.
        self.due.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the next transaction asks for. From then on only the channels of calls are known to be held.
    fn take_due(&self) -> Vec<Asked> {
        let mut state = self.lock();
        let mut asked = Vec::new();
        while asked.len() < MAX_TRUNKS_PER_WRITE
            && let Some(trunk) = state.due.pop_front()
        {
            let Some(of) = state.trunks.get_mut(&trunk) else { continue };
            of.is_due = false;
            let held_before = of.held;
            of.held = of.held.min(of.calls);
            let more = u32::try_from(of.waiting.len()).unwrap_or(u32::MAX);
            asked.push(Asked {
                asked: AskedChannels { trunk, calls: of.calls, more, limit: of.limit },
                held_before,
            });
        }
        asked
    }

    /// Hands channels that the store counts now to the calls that asked, as far as they reach.
    fn received(self: &Arc<Self>, asked: &[Asked], held: &[HeldChannels]) {
        let mut answers = Vec::new();
        let mut state = self.lock();
        for (Asked { asked, .. }, held) in asked.iter().zip(held) {
            let Some(of) = state.trunks.get_mut(&asked.trunk) else { continue };
            of.held = held.held;
            for _ in 0..asked.more {
                let Some(waiting) = of.waiting.pop_front() else { break };
                let answer = if of.calls < of.held {
                    of.calls += 1;
                    Ok(SharedChannel { channels: Arc::clone(self), trunk: asked.trunk })
                } else {
                    let all = held.held.saturating_add(held.others);
                    Err(NoChannel::Full(Full { held: all, limit: asked.limit }))
                };
                answers.push((waiting, answer));
            }
            if of.held != of.calls {
                self.make_due(&mut state, asked.trunk);
            } else if of.is_over() {
                state.trunks.remove(&asked.trunk);
            }
        }
        drop(state);
        answer(answers);
    }

    /// Refuses the calls that asked. What is held is known unless it is not known whether the write was done.
    fn failed(&self, asked: &[Asked], error: &StoreError) {
        let mut answers = Vec::new();
        let mut state = self.lock();
        for Asked { asked, held_before } in asked {
            let Some(of) = state.trunks.get_mut(&asked.trunk) else { continue };
            if *error != StoreError::Unknown {
                of.held = of.held.max(*held_before);
            }
            for waiting in of.waiting.drain(..) {
                answers.push((waiting, Err(NoChannel::Unknown)));
            }
            self.make_due(&mut state, asked.trunk);
        }
        drop(state);
        answer(answers);
    }

    /// Refuses all calls that wait, because the store cannot be asked.
    fn refuse_waiting(&self) {
        let mut state = self.lock();
        let waiting = state.trunks.values_mut().flat_map(|of| of.waiting.drain(..));
        let answers: Vec<_> = waiting.map(|waiting| (waiting, Err(NoChannel::Unknown))).collect();
        drop(state);
        answer(answers);
    }

    /// Makes trunks due that received a limit during calls: other nodes must count those.
    fn compare_with(&self, limit_of: impl Fn(Uuid) -> Option<u32>) {
        let mut state = self.lock();
        let differs: Vec<Uuid> =
            state.trunks.iter().filter(|(_, of)| of.held != of.calls).map(|(trunk, _)| *trunk).collect();
        for trunk in differs {
            if let Some(limit) = limit_of(trunk)
                && let Some(of) = state.trunks.get_mut(&trunk)
            {
                of.limit = limit;
                self.make_due(&mut state, trunk);
            }
        }
    }
}

/// Answers calls. One that is gone returns its channel, so this must not be called under the lock.
fn answer(answers: Vec<(Waiting, Result<SharedChannel, NoChannel>)>) {
    for (waiting, answer) in answers {
        let _gone = waiting.send(answer);
    }
}

/// Takes and returns channels, and never ends. `limit_of` returns the present limit of a trunk whose calls began without one;
/// `None` leaves them uncounted elsewhere.
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
            // The store may be asked again.
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
            let asked = channels.take_due();
            if asked.is_empty() {
                break;
            }
            match store.hold_channels(asked.iter().map(|asked| asked.asked).collect()).await {
                Ok(held) => channels.received(&asked, &held),
                Err(error) => {
                    tracing::debug!(%error, "channels of trunks could not be taken or given back");
                    channels.failed(&asked, &error);
                    // Calls that come meanwhile are refused afterwards, or take what is held.
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

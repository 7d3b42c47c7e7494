//! The change feed of a process: the latest writes in memory, and the positions of its followers.
//!
//! Bounds: a write is kept until every follower has passed it, and at most [`MAX_WRITES`] are kept. A follower that
//! fell behind further must reload its copies. Without a follower nothing is kept.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use crate::call::{RunningCall, StoredCharge};
use crate::document::DocumentKind;
use crate::record::StoredRecord;

/// Maximum number of writes that are kept for the slowest follower: twice as many as can wait to be committed.
const MAX_WRITES: usize = 8_192;
/// The lag in writes at which a follower's owner is woken to apply them, because nothing has used its copies for so
/// long.
const WRITES_PER_WAKE: usize = 64;

/// The effect of a write, as its followers see it.
#[derive(Debug, Clone)]
pub enum Committed {
    /// The record was created or changed.
    Stored(StoredRecord),
    /// The record was deleted; followers drop their copies of it.
    Deleted {
        /// The number of the account that owned it, or [`NO_ACCOUNT`](crate::NO_ACCOUNT).
        account: i64,
        /// The name of its type.
        kind: &'static str,
        /// The id of the record that no longer exists.
        id: Uuid,
    },
    /// A document was changed, or is a new customer, agent, access key or price plan. Other new documents and those
    /// that are [forgotten](crate::Change::Forget) are left out: only calls and documents created for them are
    /// forgotten, and no copies of those are kept.
    Document {
        /// The kind of the document that was changed.
        kind: DocumentKind,
        /// The id of the document that was changed.
        id: Uuid,
        /// The customer who owns it, or nil.
        customer: Uuid,
    },
    /// The account, or one of its keys, was created, changed or removed.
    Account {
        /// The number of the account that was changed.
        account: i64,
    },
    /// Every record of an account, or of all accounts, was deleted. Without an account, many documents were deleted
    /// too.
    Reset {
        /// The account's number; `None` means all accounts.
        account: Option<i64>,
        /// Whether the accounts and their keys were deleted too.
        accounts: bool,
    },
    /// The current row of a call of another node that was answered, or whose answer was acknowledged. A node does not
    /// receive its own calls.
    CallRunning(Arc<RunningCall>),
    /// Another node wrote the record of a call that was answered and has ended, or that has a price.
    CallEnded(Arc<StoredCharge>),
    /// The node that runs the call with this id ends it.
    HangUp(Uuid),
}

/// The effects of one write, in the order of its changes. Deletions come last.
pub type Write = Arc<[Committed]>;

/// The changes since a follower's position.
#[derive(Debug, Clone)]
#[must_use = "the follower's position has moved past them"]
pub enum Changes {
    /// The writes, in the order of the feed.
    Since(Vec<Write>),
    /// The follower fell behind too far, or the engine may have missed writes of other nodes. Its owner reloads its
    /// copies. The follower's position is the newest one again, so later changes follow the load. Its next changes also
    /// name the calls that other nodes wanted to end meanwhile.
    Reload,
}

/// The effects that a follower receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Every effect, those on records included.
    Everything,
    /// Everything but changes of records and calls. Those are collected only if another follower needs them, because
    /// each costs a read; then this follower receives them too.
    AllButRecords,
}

/// The latest writes of a store.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// The position of the newest write. It is written under the lock of `state`.
    head: AtomicU64,
    /// Number of followers. It is written under the lock of `state`.
    followers: AtomicUsize,
    /// Number of followers that receive records. It is written under the lock of `state`.
    of_records: AtomicUsize,
    state: Mutex<State>,
    /// The position at which the owners of followers were last woken.
    wake: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The position of the newest write that is no longer kept.
    dropped: u64,
    /// The writes with the positions from `dropped + 1` to the head.
    writes: VecDeque<Write>,
    /// The position and the interest of each follower.
    followers: BTreeMap<u64, (u64, Interest)>,
    /// The number of the next follower.
    next: u64,
    /// The position of the last loss with additional effects, and these effects, which the affected followers receive
    /// after it.
    besides: (u64, Vec<Committed>),
}

impl Feed {
    /// Whether the effects of writes on records must be collected.
    pub(crate) fn follows_records(&self) -> bool {
        self.of_records.load(Ordering::Acquire) > 0
    }

    /// Adds a write that is durable, before it is answered.
    pub(crate) fn append(&self, write: Write) {
        if write.is_empty() || self.followers.load(Ordering::Acquire) == 0 {
            return;
        }
        let is_urgent = |effect: &Committed| match effect {
            Committed::Deleted { .. } | Committed::Reset { .. } | Committed::HangUp(_) => true,
            Committed::Document { kind, .. } => kind.is_kept_by_all(),
            _ => false,
        };
        let wakes = write.iter().any(is_urgent);
        let mut state = self.lock();
        state.writes.push_back(write);
        if state.writes.len() > MAX_WRITES {
            state.writes.pop_front();
            state.dropped += 1;
        }
        let head = state.head();
        self.head.store(head, Ordering::Release);
        let is_behind = state.writes.len().is_multiple_of(WRITES_PER_WAKE);
        drop(state);
        if is_behind || wakes {
            self.wake.send_replace(head);
        }
    }

    /// Makes every follower reload, because the engine may have missed writes.
    pub(crate) fn lose(&self) {
        self.lose_but(Vec::new());
    }

    /// As [`lose`](Self::lose), with additional effects, which followers receive after their reload, because reloaded
    /// data does not show them.
    pub(crate) fn lose_but(&self, besides: Vec<Committed>) {
        let mut state = self.lock();
        state.dropped += state.writes.len() as u64 + 1;
        state.writes.clear();
        let head = state.head();
        if !besides.is_empty() {
            // Includes the effects of an earlier loss, for followers that have not reached it yet.
            let before = state.besides.0;
            if state.followers.values().all(|(position, _)| *position >= before) {
                state.besides.1.clear();
            }
            state.besides.0 = head;
            state.besides.1.extend(besides);
        }
        self.head.store(head, Ordering::Release);
        drop(state);
        self.wake.send_replace(head);
    }

    /// Adds a follower at the head.
    pub(crate) fn follow(self: &Arc<Self>, interest: Interest) -> Follower {
        let mut state = self.lock();
        let (number, position) = (state.next, state.head());
        state.next += 1;
        state.followers.insert(number, (position, interest));
        self.count(&state);
        Follower { feed: Arc::clone(self), number, position, interest, besides: None }
    }

    /// Announces new writes, as [`ChangeFeed::wakes`](crate::ChangeFeed::wakes) describes.
    pub(crate) fn wakes(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    fn count(&self, state: &State) {
        let of_records = state.followers.values().filter(|(_, interest)| *interest == Interest::Everything);
        self.of_records.store(of_records.count(), Ordering::Release);
        self.followers.store(state.followers.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn head(&self) -> u64 {
        self.dropped + self.writes.len() as u64
    }

    /// Drops the writes that every follower has passed.
    fn trim(&mut self) {
        let passed = self.followers.values().map(|(position, _)| *position).min();
        let passed = passed.unwrap_or_else(|| self.head());
        while self.dropped < passed && self.writes.pop_front().is_some() {
            self.dropped += 1;
        }
    }
}

/// A position in a store's change feed. Dropping it ends the following.
#[derive(Debug)]
pub struct Follower {
    feed: Arc<Feed>,
    number: u64,
    position: u64,
    interest: Interest,
    /// The additional effects of a loss that it has passed, until it receives them.
    besides: Option<Write>,
}

impl Follower {
    /// Whether there are no changes since the position. It costs one load of a number.
    pub fn is_current(&self) -> bool {
        self.position == self.feed.head.load(Ordering::Acquire) && self.besides.is_none()
    }

    /// Returns the changes since the position, and moves it to the newest one.
    pub fn changes(&mut self) -> Changes {
        let mut state = self.feed.lock();
        let head = state.head();
        let unseen = usize::try_from(head.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let changes = if self.position < state.dropped {
            let (lost_at, besides) = &state.besides;
            if self.position < *lost_at {
                let earlier = self.besides.take();
                let earlier = earlier.iter().flat_map(|write| write.iter());
                self.besides = Some(earlier.chain(besides).cloned().collect());
            }
            Changes::Reload
        } else {
            let seen = state.writes.len().saturating_sub(unseen);
            Changes::Since(
                self.besides.take().into_iter().chain(state.writes.range(seen..).cloned()).collect(),
            )
        };
        self.position = head;
        state.followers.insert(self.number, (head, self.interest));
        state.trim();
        drop(state);
        if matches!(changes, Changes::Reload) {
            // Loading is asynchronous, and the caller may not be.
            self.feed.wake.send_replace(head);
        }
        changes
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut state = self.feed.lock();
        state.followers.remove(&self.number);
        self.feed.count(&state);
        state.trim();
    }
}

#[cfg(test)]
mod tests;

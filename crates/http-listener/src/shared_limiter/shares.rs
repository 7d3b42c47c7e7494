//! What this node holds of shared limits: a state that changes with requests, time and the store's answers, without I/O.
//!
//! `now` is the server's clock in microseconds, by which requests are counted; `at` is a stopwatch, by which shares last.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service_base::limiter::{Divide, Limiter};
use tokio::sync::oneshot;
use trunk_store::{AskedShare, HeldShare, RateSubject, SHARE_LEASE};

use super::recent::Recent;

/// A node uses this fraction of a limit without a share: a slice, which is at least one part.
const SLICES: u32 = 16;
/// The time after which a share is asked for again. What is not used goes back then.
pub(super) const RENEWAL: Duration = Duration::from_millis(500);
/// The time in which no more is asked for after there was not enough.
const PAUSE_AFTER_SCARCITY: Duration = Duration::from_millis(100);
/// The time in which a failed store is not asked.
pub(super) const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// The time after which no node has a share any more that it took before the store failed.
const ALL_SHARES_ARE_OVER: Duration = Duration::from_secs(4);
/// The time over which the rate of requests is measured, at least, in microseconds.
const LEAST_MEASURED: i64 = 500_000;
/// Limit of limits that this node has a share of. Of others it uses a slice.
const MAX_SHARES: usize = 10_000;
/// Limit of shares in one transaction.
const MAX_SHARES_PER_WRITE: usize = 256;

/// The smallest number of parts that a node can use.
pub(super) fn slice(parts: u32) -> u32 {
    (parts / SLICES).max(1)
}

/// The counters of requests, and the shares that they are held to.
#[derive(Debug)]
pub(super) struct Shares<C: Divide> {
    pub(super) counters: Limiter<RateSubject, C>,
    state: Mutex<State<C::Limit>>,
}

#[derive(Debug)]
struct State<L> {
    shares: HashMap<RateSubject, Share<L>>,
    /// Those to be asked for.
    due: VecDeque<RateSubject>,
    /// Since when the store fails. A share whose question failed is asked for again, so an answer ends this soon after the store
    /// is back.
    failing_since: Option<Duration>,
    /// Nothing is asked before.
    not_before: Duration,
}

/// The share of one limit.
#[derive(Debug)]
struct Share<L> {
    /// The whole limit, as of the last request.
    limit: L,
    /// Number of parts that the store counts for this node, at least, and until when this node uses them.
    held: u32,
    until: Duration,
    /// Number of parts that the counter is held to.
    applied: u32,
    asked_at: Duration,
    is_due: bool,
    /// No more than this is asked for before.
    not_before: Duration,
    /// Requests that are decided with the next answer. It drops the senders.
    waiting: Vec<oneshot::Sender<()>>,
    admitted: Recent,
    refused: Recent,
}

/// The refusal of a request.
#[derive(Debug)]
pub(super) struct Refused {
    /// Whole seconds to wait.
    pub(super) seconds: u64,
    /// Ends when it is worth to try again. `None` if the refusal is final.
    pub(super) answer: Option<oneshot::Receiver<()>>,
}

/// What was asked of the store, and when.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) shares: Vec<AskedShare>,
    at: Duration,
}

impl<C: Divide> Default for Shares<C> {
    fn default() -> Self {
        let state = State {
            shares: HashMap::new(),
            due: VecDeque::new(),
            failing_since: None,
            not_before: Duration::ZERO,
        };
        Self { counters: Limiter::default(), state: Mutex::new(state) }
    }
}

impl<C: Divide> Shares<C> {
    /// Counts a request. `nodes` is the number of nodes that live.
    ///
    /// # Errors
    /// The limit, or what this node has of it, is exceeded. The request is not counted then.
    pub(super) fn admit(
        &self,
        subject: RateSubject,
        limit: C::Limit,
        now: i64,
        at: Duration,
        nodes: u32,
    ) -> Result<(), Refused> {
        let whole = C::parts(limit);
        let mut state = self.lock();
        let allowed = state.allowed(subject, whole, at, nodes);
        if allowed != slice(whole) || state.shares.contains_key(&subject) {
            self.apply(&mut state, subject, limit, allowed, now, at);
        }
        let outcome = self.counters.admit(subject, C::part(limit, allowed), now);
        let Err(seconds) = outcome else {
            if let Some(share) = state.shares.get_mut(&subject) {
                share.admitted.add(at);
            }
            return Ok(());
        };
        if allowed >= whole {
            return Err(Refused { seconds, answer: None });
        }
        // A slower part would name a longer wait than the whole limit does.
        let refused = |answer| Refused { seconds: 1, answer };
        let can_ask = at >= state.not_before;
        let Some(share) = state.share(subject, limit, allowed, at) else { return Err(refused(None)) };
        let room = usize::try_from(whole - allowed).unwrap_or(usize::MAX);
        if !can_ask || at < share.not_before || share.waiting.len() >= room {
            share.refused.add(at);
            return Err(refused(None));
        }
        let (sender, answer) = oneshot::channel();
        share.waiting.push(sender);
        state.make_due(subject);
        Err(refused(Some(answer)))
    }

    /// Makes the shares due that must be asked for again. Returns whether there are shares.
    pub(super) fn renew(&self, at: Duration) -> bool {
        let mut state = self.lock();
        let is_old = |share: &Share<C::Limit>| at.saturating_sub(share.asked_at) >= RENEWAL;
        let old: Vec<RateSubject> =
            state.shares.iter().filter(|(_, share)| is_old(share)).map(|(subject, _)| *subject).collect();
        for subject in old {
            state.make_due(subject);
        }
        !state.shares.is_empty()
    }

    /// Takes what the next transaction asks for; empty if nothing is due. From then on no more is used than what the
    /// transaction says is needed.
    pub(super) fn take_due(&self, now: i64, at: Duration) -> Asked {
        let mut state = self.lock();
        let mut shares = Vec::new();
        while shares.len() < MAX_SHARES_PER_WRITE
            && let Some(subject) = state.due.pop_front()
        {
            let Some(share) = state.shares.get_mut(&subject).filter(|share| share.is_due) else { continue };
            share.is_due = false;
            share.asked_at = at;
            let part = C::part(share.limit, share.applied);
            let used = self.counters.used(&subject, part, share.applied, now);
            let asked = share.asked::<C>(subject, used, at);
            share.held = share.held.min(asked.least);
            shares.push(asked);
        }
        Asked { shares, at }
    }

    /// Uses what the store answered, and lets requests that wait try again.
    pub(super) fn received(&self, asked: &Asked, held: &[HeldShare], now: i64, at: Duration) {
        let mut state = self.lock();
        (state.failing_since, state.not_before) = (None, Duration::ZERO);
        for (asked_share, held) in asked.shares.iter().zip(held) {
            let Some(share) = state.shares.get_mut(&asked_share.subject) else { continue };
            share.held = held.held;
            share.until = asked.at + SHARE_LEASE;
            let has_waited = !share.waiting.is_empty();
            share.waiting.clear();
            // Those that waited try again first: what is asked for before that would return what is for them.
            share.is_due = false;
            if held.held < asked_share.least {
                share.not_before = at + PAUSE_AFTER_SCARCITY;
            }
            if asked_share.most == 0 && !has_waited {
                let (subject, limit) = (asked_share.subject, share.limit);
                self.apply(&mut state, subject, limit, slice(C::parts(limit)), now, at);
                state.shares.remove(&subject);
            }
        }
    }

    /// Lets requests that wait try again, without more.
    pub(super) fn failed(&self, asked: &Asked, at: Duration) {
        let mut state = self.lock();
        state.failing_since.get_or_insert(at);
        state.not_before = at + PAUSE_AFTER_FAILURE;
        for asked in &asked.shares {
            if let Some(share) = state.shares.get_mut(&asked.subject) {
                share.waiting.clear();
            }
        }
    }

    /// Holds the counter of a limit to a number of parts.
    fn apply(
        &self,
        state: &mut State<C::Limit>,
        subject: RateSubject,
        limit: C::Limit,
        parts: u32,
        now: i64,
        at: Duration,
    ) {
        let Some(share) = state.share(subject, limit, slice(C::parts(limit)), at) else { return };
        share.limit = limit;
        if share.applied != parts {
            self.counters.resize(&subject, C::part(limit, share.applied), C::part(limit, parts), now);
            share.applied = parts;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C::Limit>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of shares, and of requests that wait.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        let state = self.lock();
        (state.shares.len(), state.shares.values().map(|share| share.waiting.len()).sum())
    }
}

impl<L: Copy> State<L> {
    /// Number of parts of a limit that this node may use.
    fn allowed(&self, subject: RateSubject, whole: u32, at: Duration, nodes: u32) -> u32 {
        let held = match self.shares.get(&subject) {
            Some(share) if at < share.until => share.held,
            _ => 0,
        };
        // An only node needs no answer to know that no other one has a share.
        let is_alone_or_late =
            |since: Duration| nodes <= 1 || at.saturating_sub(since) >= ALL_SHARES_ARE_OVER;
        let without_store = match self.failing_since {
            Some(since) if is_alone_or_late(since) => whole / nodes.max(1),
            _ => 0,
        };
        slice(whole).max(held).max(without_store).min(whole)
    }

    /// The share of a limit. `None` if there is none and no room for another one. A new one has a counter that is held to
    /// `applied` parts.
    fn share(&mut self, subject: RateSubject, limit: L, applied: u32, at: Duration) -> Option<&mut Share<L>> {
        if self.shares.len() >= MAX_SHARES && !self.shares.contains_key(&subject) {
            return None;
        }
        Some(self.shares.entry(subject).or_insert_with(|| Share {
            limit,
            held: 0,
            until: Duration::ZERO,
            applied,
            asked_at: at,
            is_due: false,
            not_before: Duration::ZERO,
            waiting: Vec::new(),
            admitted: Recent::new(at),
            refused: Recent::new(at),
        }))
    }

    fn make_due(&mut self, subject: RateSubject) {
        if let Some(share) = self.shares.get_mut(&subject)
            && !std::mem::replace(&mut share.is_due, true)
        {
            self.due.push_back(subject);
        }
    }
}

impl<L: Copy> Share<L> {
    /// What to ask for, if the requests that still count use this many parts.
    fn asked<C: Divide<Limit = L>>(&mut self, subject: RateSubject, used: u32, at: Duration) -> AskedShare {
        let limit = C::parts(self.limit);
        let slice = slice(limit);
        let ((admitted, within), (refused, _)) = (self.admitted.count(at), self.refused.count(at));
        let micros = i64::try_from(within.as_micros()).unwrap_or(i64::MAX).max(LEAST_MEASURED);
        let needed = used.max(C::parts_for(self.limit, admitted.saturating_add(refused), micros));
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let (least, most) = if waiting > 0 {
            // Twice as much: a limit of any height is reached with few questions.
            let least = needed.saturating_add(waiting);
            (least, least.max(used.saturating_mul(2)))
        } else if needed <= slice {
            (0, 0)
        } else {
            (needed, needed.saturating_add(slice.max(needed / 4)))
        };
        let memory = Duration::from_micros(C::memory(self.limit).unsigned_abs());
        AskedShare { subject, least: least.min(limit), most: most.min(limit), limit, memory }
    }
}

//! The shares of limits that this node holds: a state that changes with requests, time and the store's answers, without
//! I/O.
//!
//! `now` is the server's clock in microseconds, by which requests are counted; `at` is a stopwatch, by which shares
//! expire.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service_base::limiter::{Divide, Limiter};
use tokio::sync::oneshot;
use trunk_store::{HeldShare, RateSubject, SHARE_LEASE, ShareRequest};

use super::recent::Recent;

/// A node uses this fraction of a limit without a share: a slice, which is at least one part.
const SLICES: u32 = 16;
/// The time after which a share is requested again; parts that are not used are returned then.
pub(super) const RENEWAL_INTERVAL: Duration = Duration::from_millis(500);
/// The time in which no larger share of a limit is requested after too few parts were free.
const PAUSE_AFTER_SCARCITY: Duration = Duration::from_millis(100);
/// The time without requests to a store that failed.
pub(super) const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// The time after which every share has expired that a node took before the store failed.
const ALL_SHARES_EXPIRED: Duration = Duration::from_secs(4);
/// The shortest time over which the rate of requests is measured, in microseconds.
const MIN_MEASURED_MICROS: i64 = 500_000;
/// Maximum number of limits that this node has a share of. Of others it uses a slice.
const MAX_SHARES: usize = 10_000;
/// Limit of shares in one transaction.
const MAX_SHARES_PER_WRITE: usize = 256;

/// The smallest number of parts that a node can use.
pub(super) fn slice(parts: u32) -> u32 {
    (parts / SLICES).max(1)
}

/// The counters of requests, and the shares that limit them.
#[derive(Debug)]
pub(super) struct Shares<C: Divide> {
    pub(super) counters: Limiter<RateSubject, C>,
    state: Mutex<State<C::Limit>>,
}

#[derive(Debug)]
struct State<L> {
    shares: HashMap<RateSubject, Share<L>>,
    /// The shares that the next transactions request.
    due: VecDeque<RateSubject>,
    /// Since when the store fails. A share whose request failed is requested again, so this ends soon after the store
    /// works again.
    failing_since: Option<Duration>,
    /// No request is made before this time on the stopwatch.
    not_before: Duration,
}

/// The share of one limit.
#[derive(Debug)]
struct Share<L> {
    /// The whole limit, as of the last request.
    limit: L,
    /// The least number of parts that the store counts for this node, and until when this node may use them.
    held: u32,
    until: Duration,
    /// Number of parts that the counter currently admits.
    applied: u32,
    requested_at: Duration,
    is_due: bool,
    /// No larger share is requested before this time.
    not_before: Duration,
    /// Requests that are decided again with the store's next answer, which drops the senders.
    waiting: Vec<oneshot::Sender<()>>,
    admitted: Recent,
    refused: Recent,
}

/// The refusal of a request.
#[derive(Debug)]
pub(super) struct Refused {
    /// Whole seconds to wait.
    pub(super) seconds: u64,
    /// Completes when the request can be decided again. `None` if the refusal is final.
    pub(super) answer: Option<oneshot::Receiver<()>>,
}

/// The requests of one transaction, and when they were made.
#[derive(Debug)]
pub(super) struct ShareRequests {
    pub(super) requests: Vec<ShareRequest>,
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
    /// Counts a request. `nodes` is the number of live nodes.
    ///
    /// # Errors
    /// The limit, or this node's share of it, is exceeded. The request is not counted then.
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
        // The part of a limit has a longer wait than the whole limit.
        let refused = |answer| Refused { seconds: 1, answer };
        let may_request = at >= state.not_before;
        let Some(share) = state.share(subject, limit, allowed, at) else { return Err(refused(None)) };
        let room = usize::try_from(whole - allowed).unwrap_or(usize::MAX);
        if !may_request || at < share.not_before || share.waiting.len() >= room {
            share.refused.add(at);
            return Err(refused(None));
        }
        let (sender, answer) = oneshot::channel();
        share.waiting.push(sender);
        state.make_due(subject);
        Err(refused(Some(answer)))
    }

    /// Makes the shares due whose [`RENEWAL_INTERVAL`] is over. Returns true if there are shares.
    pub(super) fn renew(&self, at: Duration) -> bool {
        let mut state = self.lock();
        let is_old = |share: &Share<C::Limit>| at.saturating_sub(share.requested_at) >= RENEWAL_INTERVAL;
        let old: Vec<RateSubject> =
            state.shares.iter().filter(|(_, share)| is_old(share)).map(|(subject, _)| *subject).collect();
        for subject in old {
            state.make_due(subject);
        }
        !state.shares.is_empty()
    }

    /// Takes the requests of the next transaction; empty if nothing is due. From then on this node uses no more parts
    /// than the requests state as needed.
    pub(super) fn take_due(&self, now: i64, at: Duration) -> ShareRequests {
        let mut state = self.lock();
        let mut requests = Vec::new();
        while requests.len() < MAX_SHARES_PER_WRITE
            && let Some(subject) = state.due.pop_front()
        {
            let Some(share) = state.shares.get_mut(&subject).filter(|share| share.is_due) else { continue };
            share.is_due = false;
            share.requested_at = at;
            let part = C::part(share.limit, share.applied);
            let used = self.counters.used(&subject, part, share.applied, now);
            let request = share.request::<C>(subject, used, at);
            share.held = share.held.min(request.needed);
            requests.push(request);
        }
        ShareRequests { requests, at }
    }

    /// Applies the shares that the store granted, and lets waiting requests be decided again.
    pub(super) fn received(&self, sent: &ShareRequests, held: &[HeldShare], now: i64, at: Duration) {
        let mut state = self.lock();
        (state.failing_since, state.not_before) = (None, Duration::ZERO);
        for (request, held) in sent.requests.iter().zip(held) {
            let Some(share) = state.shares.get_mut(&request.subject) else { continue };
            share.held = held.held;
            share.until = sent.at + SHARE_LEASE;
            let has_waited = !share.waiting.is_empty();
            share.waiting.clear();
            // Not due before the waiting requests were decided: a renewal would return the parts that are meant for
            // them.
            share.is_due = false;
            if held.held < request.needed {
                share.not_before = at + PAUSE_AFTER_SCARCITY;
            }
            if request.wanted == 0 && !has_waited {
                let (subject, limit) = (request.subject, share.limit);
                self.apply(&mut state, subject, limit, slice(C::parts(limit)), now, at);
                state.shares.remove(&subject);
            }
        }
    }

    /// Lets waiting requests be decided again, with unchanged shares.
    pub(super) fn failed(&self, sent: &ShareRequests, at: Duration) {
        let mut state = self.lock();
        state.failing_since.get_or_insert(at);
        state.not_before = at + PAUSE_AFTER_FAILURE;
        for request in &sent.requests {
            if let Some(share) = state.shares.get_mut(&request.subject) {
                share.waiting.clear();
            }
        }
    }

    /// Lets the counter of a limit admit this number of parts.
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
        // If there is only one node, no other one can have a share.
        let is_alone_or_late = |since: Duration| nodes <= 1 || at.saturating_sub(since) >= ALL_SHARES_EXPIRED;
        let without_store = match self.failing_since {
            Some(since) if is_alone_or_late(since) => whole / nodes.max(1),
            _ => 0,
        };
        slice(whole).max(held).max(without_store).min(whole)
    }

    /// The share of a limit, which is added if it is missing: its counter then admits `applied` parts. `None` if there
    /// are [`MAX_SHARES`] others.
    fn share(&mut self, subject: RateSubject, limit: L, applied: u32, at: Duration) -> Option<&mut Share<L>> {
        if self.shares.len() >= MAX_SHARES && !self.shares.contains_key(&subject) {
            return None;
        }
        Some(self.shares.entry(subject).or_insert_with(|| Share {
            limit,
            held: 0,
            until: Duration::ZERO,
            applied,
            requested_at: at,
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
    /// The request for this share, if the requests that still count use this many parts.
    fn request<C: Divide<Limit = L>>(
        &mut self,
        subject: RateSubject,
        used: u32,
        at: Duration,
    ) -> ShareRequest {
        let limit = C::parts(self.limit);
        let slice = slice(limit);
        let ((admitted, within), (refused, _)) = (self.admitted.count(at), self.refused.count(at));
        let micros = i64::try_from(within.as_micros()).unwrap_or(i64::MAX).max(MIN_MEASURED_MICROS);
        let needed = used.max(C::parts_for(self.limit, admitted.saturating_add(refused), micros));
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let (needed, wanted) = if waiting > 0 {
            // Twice the used parts, so that few requests reach a limit of any height.
            let needed = needed.saturating_add(waiting);
            (needed, needed.max(used.saturating_mul(2)))
        } else if needed <= slice {
            (0, 0)
        } else {
            (needed, needed.saturating_add(slice.max(needed / 4)))
        };
        let memory = Duration::from_micros(C::memory(self.limit).unsigned_abs());
        ShareRequest { subject, needed: needed.min(limit), wanted: wanted.min(limit), limit, memory }
    }
}

//! Rate limits that the nodes of a database share.
//!
//! Requests are counted and decided in memory. A node may use a slice of each limit, a sixteenth or one request,
//! without a share. A node whose requests exceed the slice takes a share of the limit from the store; the shares of all
//! nodes together never exceed the limit. Each node's counter admits its share, so in any second all nodes together
//! admit the limit, and at most a slice more for each node without a share.
//!
//! A request that exceeds the share of its node waits for an answer of the store, which enlarges the share; each
//! further one doubles it. Twice a second a node requests its shares again, and returns the parts that its requests no
//! longer use. It does not take parts that another node lacks. So no part of a limit is unused for longer than a second
//! while another node refuses requests.
//!
//! Without the store, a node uses the shares that it holds for two more seconds, then slices; once all shares have
//! expired it uses the limit divided by the number of nodes that were alive. When the store works again, the first
//! nodes that request shares can hold the whole limit while others still use theirs, for a second.
//!
//! A database in a file has one node: there, requests are counted against the whole limit, and nothing else happens.
//!
//! Bounds: 10,000 shares, 256 in one transaction, one transaction at a time; as many requests wait as there are parts
//! of their limit, each for at most a second and eight answers.

mod recent;
mod shares;

use std::sync::Arc;
use std::time::Duration;

use service_base::clock::Stopwatch;
use service_base::limiter::Divide;
use service_core::Core;
use service_core::cleanup::hourly;
use service_core::jobs::JobSet;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use trunk_store::{RateShares, RateSubject};

use shares::{PAUSE_AFTER_FAILURE, RENEWAL_INTERVAL, Refused, Shares};

/// The longest time that a request waits for answers of the store.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Maximum number of answers that a request waits for. Five double a slice up to the whole limit.
const MAX_ANSWERS: usize = 8;
/// The longest time of one transaction.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(2);

/// The name of the job that deletes shares of nodes that ended. It is stored.
const FORGET_SHARES: &str = "http.forget_rate_shares";
const MAX_SHARES_PER_DELETION: u64 = 500;

/// A rate limiter for keys, accounts and customers.
#[derive(Debug)]
pub struct SharedLimiter<C: Divide> {
    inner: Arc<Inner<C>>,
    /// The task that requests shares, if other nodes have some.
    task: Option<AbortHandle>,
}

#[derive(Debug)]
struct Inner<C: Divide> {
    shares: Shares<C>,
    /// The stopwatch by which shares last.
    running: Stopwatch,
    /// Notified when a share is due.
    due: Notify,
    /// The server, if other nodes may have shares.
    core: Option<Arc<Core>>,
}

impl<C: Divide> Drop for SharedLimiter<C> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl<C> SharedLimiter<C>
where
    C: Divide + std::fmt::Debug + Send + 'static,
    C::Limit: Send + Sync + 'static,
{
    /// A limiter of this process alone.
    pub fn local() -> Self {
        Self { inner: Arc::new(Inner::new(None)), task: None }
    }

    /// A limiter whose limits hold for all nodes of the server's database. In a database that nodes share, it starts a
    /// task that takes shares until the limiter is dropped.
    pub fn of(core: &Arc<Core>) -> Self {
        if !core.store.is_shared() {
            return Self::local();
        }
        let inner = Arc::new(Inner::new(Some(Arc::clone(core))));
        let (requester, core) = (Arc::clone(&inner), Arc::clone(core));
        let task = async move { requester.run(&*core.store, || core.clock.now().as_unix_micros()).await };
        Self { inner, task: Some(tokio::spawn(task).abort_handle()) }
    }

    /// Admits and counts a request. `now` returns the time in microseconds since 1970.
    ///
    /// # Errors
    /// The number of whole seconds to wait, if the limit is exceeded. The request is not counted then.
    pub async fn admit(
        &self,
        subject: RateSubject,
        limit: C::Limit,
        now: impl Fn() -> i64,
    ) -> Result<(), u64> {
        if C::is_unlimited(limit) {
            return Ok(());
        }
        match &self.inner.core {
            None => self.inner.shares.counters.admit(subject, limit, now()),
            Some(core) => self.inner.admit(subject, limit, now, || core.live_nodes()).await,
        }
    }
}

impl<C: Divide> Inner<C> {
    fn new(core: Option<Arc<Core>>) -> Self {
        Self { shares: Shares::default(), running: Stopwatch::start(), due: Notify::new(), core }
    }

    async fn admit(
        &self,
        subject: RateSubject,
        limit: C::Limit,
        now: impl Fn() -> i64,
        nodes: impl Fn() -> u32,
    ) -> Result<(), u64> {
        let since = self.running.elapsed();
        let decide = || self.shares.admit(subject, limit, now(), self.running.elapsed(), nodes());
        let mut decided = decide();
        for _ in 0..MAX_ANSWERS {
            let Err(Refused { answer: Some(answer), .. }) = &mut decided else { break };
            self.due.notify_one();
            // Its sender is dropped with the answer.
            let left = MAX_WAIT.saturating_sub(self.running.elapsed().saturating_sub(since));
            if tokio::time::timeout(left, answer).await.is_err() {
                break;
            }
            decided = decide();
        }
        decided.map_err(|refused| refused.seconds)
    }

    /// Requests shares for as long as the server runs.
    async fn run(&self, store: &(impl RateShares + ?Sized), now: impl Fn() -> i64) {
        let mut has_shares = false;
        loop {
            if has_shares {
                let _renew = tokio::time::timeout(RENEWAL_INTERVAL / 4, self.due.notified()).await;
            } else {
                self.due.notified().await;
            }
            has_shares = self.shares.renew(self.running.elapsed());
            self.request_due(store, &now).await;
        }
    }

    /// Requests the shares that are due.
    async fn request_due(&self, store: &(impl RateShares + ?Sized), now: &impl Fn() -> i64) {
        loop {
            let due = self.shares.take_due(now(), self.running.elapsed());
            if due.requests.is_empty() {
                return;
            }
            let answer =
                tokio::time::timeout(TRANSACTION_TIMEOUT, store.hold_shares(due.requests.clone())).await;
            let at = self.running.elapsed();
            if let Ok(Ok(held)) = &answer {
                self.shares.received(&due, held, now(), at);
            } else {
                tracing::debug!(?answer, "shares of rate limits could not be taken or returned");
                self.shares.failed(&due, at);
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

/// The job that deletes the shares of nodes that ended, every hour. Only a database that nodes share has some.
pub fn jobs(core: &Core) -> JobSet {
    if !core.store.is_shared() {
        return JobSet::default();
    }
    hourly(&core.clock, FORGET_SHARES, |core| async move {
        let deleted = core.store.forget_shares(MAX_SHARES_PER_DELETION).await;
        deleted.map(|shares| shares > 0)
    })
}

#[cfg(test)]
mod tests;

//! Limits how many requests of a kind are processed at the same time, fairly between accounts.
//!
//! A request waits before its body is parsed or the store is read, so a waiting request only occupies its
//! connection. Accounts take turns. A request that waits too long is refused. Two kinds of request need this.
//! Writes: one that is checked and then refused because the database is busy costs as much as one that is
//! stored. Lists: the database reads pages faster than responses are made of them, and a page takes more
//! memory than its response. Complete responses have a bound of their own (`unread_responses`).
//!
//! Bounds: the requests in progress and the waiting requests, each in total and for one account, and the time
//! that one waits. If as many wait as may in total, a request displaces one of an account with more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service_base::fair_queue::{Bounds, FairQueue};
use tokio::sync::oneshot;
use trunk_store::Asker;

/// Twice as many as one transaction of the database holds: one group is committed while the next is prepared.
/// One account has at most half, so a request of another account waits for one group at most.
const WRITES: Bounds = Bounds { waiting: 16_384, waiting_of_one: 8_192, running: 512, running_of_one: 256 };
const WRITES_TIMEOUT: Duration = Duration::from_secs(3);

/// Twice as many as the database reads at the same time: responses are made of some pages while it reads the
/// next. On PostgreSQL even a short list waits for an answer, so as many wait here as of the writes: a burst of a
/// thousand clients of one account is served.
const LISTS: Bounds = Bounds { waiting: 16_384, waiting_of_one: 8_192, running: 8, running_of_one: 4 };
const LISTS_TIMEOUT: Duration = Duration::from_secs(2);

/// Each upload is in memory with its whole file, up to a few times.
const UPLOADS: Bounds = Bounds { waiting: 64, waiting_of_one: 8, running: 4, running_of_one: 2 };
/// Longer than a body may take, so that clients who send slowly do not keep out others whose turn is next.
const UPLOADS_TIMEOUT: Duration = Duration::from_secs(45);

/// The requests of a kind that are in progress or wait for their turn.
#[derive(Debug)]
pub struct FairLimiter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Mutex<TurnQueue>,
    timeout: Duration,
}

/// The queue of waiting requests, each of which receives its turn through a channel.
type TurnQueue = FairQueue<Asker, oneshot::Sender<Turn>>;

/// A request's permission to be processed. Dropping it starts the next request.
#[derive(Debug)]
pub struct Turn(Option<(Arc<Inner>, Asker)>);

impl FairLimiter {
    /// The limits for requests that write: 512 in progress, 256 of one account; 16,384 waiting, 8,192 of one
    /// account, for up to 3 seconds.
    pub fn writes() -> Self {
        Self::new(WRITES, WRITES_TIMEOUT)
    }

    /// The limits for requests for lists: 8 in progress, 4 of one account; 16,384 waiting, 8,192 of one
    /// account, for up to 2 seconds.
    pub fn lists() -> Self {
        Self::new(LISTS, LISTS_TIMEOUT)
    }

    /// The limits for uploads of files, whose bodies are read in their turn: 4 in progress, 2 of one account; 64
    /// waiting, 8 of one account, for up to 45 seconds.
    pub fn uploads() -> Self {
        Self::new(UPLOADS, UPLOADS_TIMEOUT)
    }

    fn new(bounds: Bounds, timeout: Duration) -> Self {
        Self(Arc::new(Inner { queue: Mutex::new(FairQueue::new(bounds)), timeout }))
    }

    /// Waits for a turn. Returns `None` if too many requests wait already, or if the turn does not come in
    /// time.
    pub async fn turn(&self, asker: Asker) -> Option<Turn> {
        let waiting = {
            let mut queue = self.0.lock();
            if queue.begin(asker) {
                return Some(Turn(Some((Arc::clone(&self.0), asker))));
            }
            let (reply, waiting) = oneshot::channel();
            // Without its sender, the displaced request is refused.
            drop(queue.push(asker, reply).ok()?);
            waiting
        };
        tokio::time::timeout(self.0.timeout, waiting).await.ok()?.ok()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, TurnQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the waiting requests that may start now.
    fn start_waiting(self: &Arc<Self>, queue: &mut TurnQueue) {
        while let Some((asker, reply)) = queue.begin_next() {
            if let Err(mut unused) = reply.send(Turn(Some((Arc::clone(self), asker)))) {
                // The request timed out, or its client disconnected. The lock is held here, so dropping the
                // turn must not take it again.
                unused.0 = None;
                queue.done(asker);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((inner, asker)) = self.0.take() {
            let mut queue = inner.lock();
            queue.done(asker);
            inner.start_waiting(&mut queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const HEAVY: Asker = Asker::Account(1);
    const LIGHT: Asker = Asker::Account(2);

    fn writes(timeout: Duration) -> FairLimiter {
        FairLimiter::new(Bounds { waiting: 4, waiting_of_one: 3, running: 3, running_of_one: 2 }, timeout)
    }

    #[tokio::test]
    async fn a_burst_of_lists_of_one_account_waits_and_one_more_than_may_wait_is_refused() {
        let lists = FairLimiter::lists();
        let running: Vec<_> = (0..LISTS.running_of_one)
            .map(|_| lists.turn(HEAVY).now_or_never().flatten().expect("it starts at once"))
            .collect();
        let begin = |count: usize| -> Vec<_> {
            let mut waiting: Vec<_> = (0..count).map(|_| Box::pin(lists.turn(HEAVY))).collect();
            assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()), "all of them wait");
            waiting
        };
        let mut clients = begin(1_000);
        let _others = begin(LISTS.waiting_of_one - clients.len());
        assert!(matches!(lists.turn(HEAVY).now_or_never(), Some(None)), "no more may wait");
        assert!(matches!(lists.turn(LIGHT).now_or_never(), Some(Some(_))), "another account starts at once");
        drop(running);
        let started: Vec<_> = clients.iter_mut().filter_map(FutureExt::now_or_never).flatten().collect();
        assert_eq!(started.len(), LISTS.running_of_one, "the next ones start");
    }

    #[tokio::test]
    async fn an_account_with_a_full_queue_does_not_delay_others() {
        let writes = writes(Duration::from_mins(1));
        let first = [writes.turn(HEAVY).await.unwrap(), writes.turn(HEAVY).await.unwrap()];
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(writes.turn(HEAVY))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()), "the account is at its limit");
        assert!(writes.turn(HEAVY).await.is_none(), "and its queue is full");
        let light = writes.turn(LIGHT).now_or_never().flatten().expect("another account starts at once");
        let mut next = Box::pin(writes.turn(LIGHT));
        assert!((&mut next).now_or_never().is_none(), "now all turns are taken");
        drop(light);
        assert!(next.await.is_some());
        drop(first);
        for turn in waiting.drain(..2) {
            assert!(turn.await.is_some());
        }
    }

    #[tokio::test]
    async fn accounts_that_fill_the_queue_do_not_shut_out_another() {
        let writes = writes(Duration::from_mins(1));
        let other = Asker::Account(3);
        let _held = [
            writes.turn(HEAVY).await.unwrap(),
            writes.turn(HEAVY).await.unwrap(),
            writes.turn(LIGHT).await.unwrap(),
        ];
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(writes.turn(HEAVY))).collect();
        waiting.push(Box::pin(writes.turn(LIGHT)));
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()), "as many wait as may");
        let mut next = Box::pin(writes.turn(other));
        assert!((&mut next).now_or_never().is_none(), "it waits for its turn");
        let refused: Vec<bool> =
            waiting.iter_mut().map(|turn| turn.now_or_never().is_some_and(|turn| turn.is_none())).collect();
        assert_eq!(refused, [false, false, true, false], "the newest request of the account with the most");
    }

    #[test]
    fn an_upload_waits_for_longer_than_a_body_may_take() {
        assert!(UPLOADS_TIMEOUT > crate::Limits::default().body_deadline);
    }

    #[tokio::test]
    async fn a_request_that_waits_too_long_gets_no_turn_and_occupies_none() {
        let writes = writes(Duration::from_millis(5));
        let held = [writes.turn(HEAVY).await.unwrap(), writes.turn(HEAVY).await.unwrap()];
        assert!(writes.turn(HEAVY).await.is_none());
        let gone = Box::pin(writes.turn(HEAVY)).now_or_never();
        assert!(gone.is_none(), "its client disconnected while it waited");
        drop(held);
        for _ in 0..10 {
            let turns = [writes.turn(HEAVY).await, writes.turn(HEAVY).await, writes.turn(LIGHT).await];
            assert!(turns.iter().all(Option::is_some), "all turns are free again");
        }
    }
}

//! A credential that expires: obtained once for all who wait for it, and renewed before it expires.
//!
//! The first request that needs the credential asks for it, and concurrent requests wait for the result, even if it is
//! a failure. A short time before the credential expires, one request renews it while the others use the old one;
//! if that fails, they do so until it has expired. The time is Tokio's, so that tests can pause it.
//!
//! All who wait drive the attempt. A future that began it and is dropped, or is not polled while its task awaits
//! another request, as in a loop with `select!` or over a buffered stream, does not stop the others. An attempt that
//! has lasted longer than one of its requests may is not joined: if nothing drove it, its time limit has passed all the
//! same, and its failure would be that of the service's next request.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::time::Instant;

use crate::clock;

/// The longest time before the expiry of a credential at which it is renewed; for a short-lived one, a fifth of its
/// life.
const MAX_MARGIN: Duration = Duration::from_mins(1);
/// The longest time for which a credential is used. A service can state any life, also one that no clock can add.
const MAX_LIFE: Duration = Duration::from_hours(24);
/// The time between two attempts to renew a credential that has not expired.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// An attempt to obtain a credential.
type Obtaining<T, E> = BoxFuture<'static, Result<Arc<Credential<T>>, E>>;

/// A credential that the clones of a client share, and the attempt to obtain the next one.
pub struct Renewal<T, E> {
    state: Mutex<State<T, E>>,
}

struct State<T, E> {
    current: Option<Arc<Credential<T>>>,
    /// The last attempt, until its result is stored. It ends with the last request that waits for it.
    pending: Option<WeakShared<Obtaining<T, E>>>,
    /// The number of attempts that have begun.
    begun: u64,
    /// When the last attempt began.
    begun_at: Instant,
    /// The number of the last attempt whose result is stored.
    concluded: u64,
    /// No attempt before the end of the credential is made before this time.
    not_before: Instant,
}

/// What a request does for a credential.
enum Step<T, E> {
    Use(Arc<Credential<T>>),
    /// Wait for the attempt with this number.
    Wait(u64, Shared<Obtaining<T, E>>),
}

/// A credential, and the time for which it is used.
pub struct Credential<T> {
    /// The credential that requests authenticate with. It is a secret, and not printed.
    pub value: T,
    obtained_at: Instant,
    renew_at: Instant,
    ends_at: Instant,
}

impl<T> Credential<T> {
    fn new(value: T, asked_at: Instant, life: Duration) -> Self {
        let life = life.min(MAX_LIFE);
        let margin = MAX_MARGIN.min(life / 5);
        // A request must arrive before the credential expires.
        let ends_at = asked_at + life.saturating_sub(margin / 4);
        let renew_at = asked_at + life.saturating_sub(margin);
        Self { value, obtained_at: clock::now(), renew_at, ends_at }
    }

    /// Whether the credential has expired.
    pub fn has_ended(&self) -> bool {
        clock::now() >= self.ends_at
    }

    /// Whether the credential was obtained at this time or later.
    pub fn is_since(&self, time: Instant) -> bool {
        self.obtained_at >= time
    }
}

impl<T: Send + Sync + 'static, E: Clone + Send + Sync + 'static> Renewal<T, E> {
    /// Returns the credential. If there is none, or it is time for a new one, `obtain` makes a future that asks for
    /// one, and returns it with its life. An attempt that began longer ago than `patience` is not waited for.
    ///
    /// # Errors
    /// The failure of the attempt, of this request or of the one that it waited for.
    pub async fn get<F>(
        &self,
        patience: Duration,
        obtain: impl FnOnce() -> F,
    ) -> Result<Arc<Credential<T>>, E>
    where
        F: Future<Output = Result<(T, Duration), E>> + Send + 'static,
    {
        let (number, attempt) = match self.step(patience, obtain) {
            Step::Use(credential) => return Ok(credential),
            Step::Wait(number, attempt) => (number, attempt),
        };
        // This clone is kept until the result is stored: a request that comes meanwhile begins no other attempt.
        let outcome = attempt.clone().await;
        self.conclude(number, outcome)
    }

    fn step<F>(&self, patience: Duration, obtain: impl FnOnce() -> F) -> Step<T, E>
    where
        F: Future<Output = Result<(T, Duration), E>> + Send + 'static,
    {
        let now = clock::now();
        let mut state = self.lock();
        if let Some(current) = state.current.as_ref().filter(|current| now < current.renew_at) {
            return Step::Use(Arc::clone(current));
        }
        let is_recent = now.saturating_duration_since(state.begun_at) <= patience;
        let pending = state.pending.as_ref().filter(|_| is_recent).and_then(WeakShared::upgrade);
        let waits = pending.is_some() || now < state.not_before;
        if let Some(current) = state.current.as_ref().filter(|current| waits && now < current.ends_at) {
            return Step::Use(Arc::clone(current));
        }
        if let Some(attempt) = pending {
            return Step::Wait(state.begun, attempt);
        }
        let credential = move |(value, life)| Arc::new(Credential::new(value, now, life));
        let attempt = obtain().map(move |obtained| obtained.map(credential)).boxed().shared();
        state.begun += 1;
        state.begun_at = now;
        state.pending = attempt.downgrade();
        Step::Wait(state.begun, attempt)
    }

    /// Stores the result of an attempt, unless another request has done so. If it failed, a credential that has not
    /// expired is used on.
    fn conclude(&self, number: u64, outcome: Result<Arc<Credential<T>>, E>) -> Result<Arc<Credential<T>>, E> {
        let now = clock::now();
        let mut state = self.lock();
        let is_first = state.concluded < number;
        if is_first {
            state.concluded = number;
        }
        if is_first && number == state.begun {
            // A request that is not polled any more would keep it, and its result would be that of all later ones.
            state.pending = None;
        }
        match outcome {
            Ok(obtained) => {
                if is_first {
                    state.current = Some(Arc::clone(&obtained));
                }
                Ok(obtained)
            }
            Err(failure) => {
                if is_first {
                    state.not_before = now + RETRY_INTERVAL;
                }
                state.current.as_ref().filter(|current| now < current.ends_at).cloned().ok_or(failure)
            }
        }
    }

    /// Forgets a credential that the service refused, so that the next request obtains another one. If another one has
    /// been obtained already, nothing changes.
    pub fn refused(&self, credential: &Arc<Credential<T>>) {
        let mut state = self.lock();
        if state.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, credential)) {
            state.current = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, E> Default for Renewal<T, E> {
    fn default() -> Self {
        let now = clock::now();
        let state =
            State { current: None, pending: None, begun: 0, begun_at: now, concluded: 0, not_before: now };
        Self { state: Mutex::new(state) }
    }
}

impl<T, E> fmt::Debug for Renewal<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal(hidden)")
    }
}

impl<T> fmt::Debug for Credential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep, timeout};

    use super::*;

    /// A service that takes a second for each credential, and numbers them.
    #[derive(Default)]
    struct Service {
        asked: AtomicU32,
        fails: AtomicBool,
    }

    const LIFE: Duration = Duration::from_mins(15);
    const PATIENCE: Duration = Duration::from_mins(2);

    impl Service {
        async fn obtain(self: Arc<Self>) -> Result<(u32, Duration), &'static str> {
            let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
            sleep(Duration::from_secs(1)).await;
            if self.fails.load(Ordering::Relaxed) { Err("failed") } else { Ok((number, LIFE)) }
        }
    }

    #[derive(Default)]
    struct Client {
        service: Arc<Service>,
        renewal: Renewal<u32, &'static str>,
    }

    impl Client {
        async fn credential(&self) -> Result<Arc<Credential<u32>>, &'static str> {
            self.renewal.get(PATIENCE, || Arc::clone(&self.service).obtain()).await
        }

        async fn get(&self) -> Result<u32, &'static str> {
            self.credential().await.map(|credential| credential.value)
        }

        fn asked(&self) -> u32 {
            self.service.asked.load(Ordering::Relaxed)
        }

        fn fails(&self, fails: bool) {
            self.service.fails.store(fails, Ordering::Relaxed);
        }

        async fn thousand(&self) -> Vec<Result<u32, &'static str>> {
            join_all((0..1_000).map(|_| self.get())).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_requests_share_one_credential() {
        let client = Client::default();
        let start = clock::now();
        assert!(client.thousand().await.into_iter().all(|credential| credential == Ok(1)));
        assert_eq!((start.elapsed().as_secs(), client.asked()), (1, 1));
        advance(Duration::from_secs(838)).await;
        assert_eq!(client.get().await, Ok(1), "it is not time yet");
        assert_eq!(client.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_renews_it_before_it_expires_and_the_others_do_not_wait() {
        let client = Client::default();
        assert_eq!(client.get().await, Ok(1));
        advance(Duration::from_mins(14)).await;
        let of_all = client.thousand().await;
        assert_eq!(of_all.iter().filter(|credential| **credential == Ok(1)).count(), 999);
        assert_eq!(of_all.iter().filter(|credential| **credential == Ok(2)).count(), 1);
        assert_eq!((client.get().await, client.asked()), (Ok(2), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_fails_leaves_the_old_one_until_it_has_expired() {
        let client = Client::default();
        assert_eq!(client.get().await, Ok(1));
        advance(Duration::from_mins(14)).await;
        client.fails(true);
        for _ in 0..100 {
            assert_eq!(client.get().await, Ok(1));
        }
        assert_eq!(client.asked(), 2, "it is not tried again at once");
        advance(RETRY_INTERVAL).await;
        assert_eq!((client.get().await, client.asked()), (Ok(1), 3));
        advance(Duration::from_mins(1)).await;
        assert_eq!(client.get().await, Err("failed"));
        client.fails(false);
        assert_eq!(client.get().await, Ok(5));
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_share_a_failure_and_the_next_request_tries_again() {
        let client = Client::default();
        client.fails(true);
        assert!(client.thousand().await.into_iter().all(|credential| credential == Err("failed")));
        assert_eq!(client.asked(), 1);
        client.fails(false);
        assert_eq!(client.get().await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_one_is_replaced_once() {
        let client = Client::default();
        let refused = client.credential().await.unwrap();
        for _ in 0..1_000 {
            client.renewal.refused(&refused);
        }
        assert!(client.thousand().await.into_iter().all(|credential| credential == Ok(2)));
        client.renewal.refused(&refused);
        assert_eq!((client.get().await, client.asked()), (Ok(2), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_dropped_passes_the_task_on() {
        let client = Client::default();
        let dropped = || timeout(Duration::from_millis(500), client.get());
        let (first, waiting) = tokio::join!(dropped(), client.get());
        assert!(first.is_err());
        assert_eq!((waiting, client.asked()), (Ok(1), 1), "what was begun is carried on");

        client.renewal.refused(&client.credential().await.unwrap());
        assert!(dropped().await.is_err());
        sleep(LIFE).await;
        let again = client.get().await;
        assert_eq!((again, client.asked()), (Ok(3), 3), "what no request waits for ends");
    }

    /// As in a task that leaves a request half-way, awaits another one, and comes back to the first.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_not_polled_any_more_keeps_no_other_one_waiting() {
        let client = Client::default();
        let mut first = Box::pin(client.credential());
        assert!(first.as_mut().now_or_never().is_none());
        let second = timeout(Duration::from_secs(5), client.get()).await;
        assert_eq!((second, client.asked()), (Ok(Ok(1)), 1));

        // Nor does it keep an old result.
        advance(LIFE).await;
        assert_eq!((client.get().await, client.asked()), (Ok(2), 2));
        assert_eq!(first.await.map(|credential| credential.value), Ok(1));
        assert_eq!((client.get().await, client.asked()), (Ok(2), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_is_not_polled_any_more_is_ended_by_the_next_request_that_needs_it() {
        let client = Client::default();
        assert_eq!(client.get().await, Ok(1));
        advance(Duration::from_mins(14)).await;
        let mut renewing = Box::pin(client.credential());
        assert!(renewing.as_mut().now_or_never().is_none());
        assert_eq!(client.get().await, Ok(1), "the old one has not expired");
        advance(Duration::from_mins(1)).await;
        let next = timeout(Duration::from_secs(5), client.get()).await;
        assert_eq!((next, client.asked()), (Ok(Ok(2)), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_was_left_for_longer_than_its_time_limit_is_not_waited_for() {
        for is_newer_first in [true, false] {
            let client = Client::default();
            let mut left = Box::pin(client.credential());
            assert!(left.as_mut().now_or_never().is_none());
            advance(PATIENCE + Duration::from_secs(1)).await;
            let mut newer = Box::pin(client.credential());
            assert!(newer.as_mut().now_or_never().is_none());
            if is_newer_first {
                assert_eq!(newer.await.map(|credential| credential.value), Ok(2));
            }
            client.fails(true);
            let expected = if is_newer_first { Ok(2) } else { Err("failed") };
            assert_eq!(left.await.map(|credential| credential.value), expected);
            client.fails(false);
            assert_eq!((client.get().await, client.asked()), (Ok(2), 2), "the newer one is that of all");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_life_has_a_short_margin() {
        let life = Duration::from_mins(1);
        let start = clock::now();
        let credential = Credential::new((), start, life);
        assert_eq!((credential.renew_at - start).as_secs(), 48);
        assert_eq!((credential.ends_at - start).as_secs(), 57);
        assert!(Credential::new((), start, Duration::ZERO).ends_at <= clock::now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_that_no_clock_can_add_is_a_day() {
        let start = clock::now();
        for life in [Duration::from_secs(u64::MAX), Duration::MAX] {
            assert_eq!(Credential::new((), start, life).renew_at - start + MAX_MARGIN, MAX_LIFE);
        }
    }
}

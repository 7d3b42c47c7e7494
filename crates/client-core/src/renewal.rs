//! A credential that expires: obtained once for all who wait for it, and renewed before it expires.
//!
//! The first request that needs the credential obtains it, and concurrent requests wait for the result, even if it is a
//! failure. A short time before the credential expires, one request renews it while the others use the old one;
//! if that fails, they do so until it has expired. Dropping the future of the request that obtains it passes the task
//! to one that waits. The time is Tokio's, so that tests can pause it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock;

/// The longest time before the expiry of a credential at which it is renewed; for a short-lived one, a fifth of its
/// life.
const MAX_MARGIN: Duration = Duration::from_mins(1);
/// The longest time for which a credential is used. A service can state any life, also one that no clock can add.
const MAX_LIFE: Duration = Duration::from_hours(24);
/// The time between two attempts to renew a credential that has not expired.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// A credential that the clones of a client share, and the failure of the last attempt to obtain it.
pub struct Renewal<T, E> {
    state: Mutex<State<T, E>>,
    /// Held by the request that obtains the credential.
    obtaining: tokio::sync::Mutex<()>,
}

struct State<T, E> {
    current: Option<Arc<Credential<T>>>,
    /// The number of attempts that have ended.
    attempts: u64,
    /// The failure of the last attempt, if it failed.
    failure: Option<E>,
    /// No attempt before the end of the credential is made before this time.
    not_before: Instant,
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

impl<T, E: Clone> Renewal<T, E> {
    /// Returns the credential. If there is none, or it is time for a new one, `obtain` asks for one, and returns it
    /// with its life.
    ///
    /// # Errors
    /// The failure of `obtain`, of this request or of the one that it waited for.
    pub async fn get<F>(&self, obtain: impl FnOnce() -> F) -> Result<Arc<Credential<T>>, E>
    where
        F: Future<Output = Result<(T, Duration), E>>,
    {
        let now = clock::now();
        let (attempts, early) = {
            let state = self.lock();
            let early = match &state.current {
                Some(current) if now < current.renew_at => return Ok(Arc::clone(current)),
                Some(current) if now < current.ends_at => {
                    let obtaining = self.obtaining.try_lock().ok().filter(|_| now >= state.not_before);
                    let Some(obtaining) = obtaining else { return Ok(Arc::clone(current)) };
                    Some(obtaining)
                }
                _ => None,
            };
            (state.attempts, early)
        };
        let _obtaining = match early {
            Some(obtaining) => obtaining,
            None => self.obtaining.lock().await,
        };
        if let Some(result) = self.result_since(attempts) {
            return result;
        }
        let asked_at = clock::now();
        let outcome = obtain().await;
        let mut state = self.lock();
        state.attempts += 1;
        match outcome {
            Ok((value, life)) => {
                let current = Arc::new(Credential::new(value, asked_at, life));
                state.failure = None;
                state.current = Some(Arc::clone(&current));
                Ok(current)
            }
            Err(failure) => {
                let now = clock::now();
                state.failure = Some(failure.clone());
                state.not_before = now + RETRY_INTERVAL;
                match &state.current {
                    Some(current) if now < current.ends_at => Ok(Arc::clone(current)),
                    _ => Err(failure),
                }
            }
        }
    }

    /// Returns the result of the attempt that ended while this request waited; `None` if there was none, or its
    /// credential is of no use any more.
    fn result_since(&self, attempts: u64) -> Option<Result<Arc<Credential<T>>, E>> {
        let state = self.lock();
        if state.attempts == attempts {
            return None;
        }
        match (&state.failure, &state.current) {
            (Some(failure), _) => Some(Err(failure.clone())),
            (None, Some(current)) if clock::now() < current.ends_at => Some(Ok(Arc::clone(current))),
            _ => None,
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
        let state = State { current: None, attempts: 0, failure: None, not_before: clock::now() };
        Self { state: Mutex::new(state), obtaining: tokio::sync::Mutex::default() }
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
    use std::cell::Cell;

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    /// A service that takes a second for each credential, and numbers them.
    #[derive(Default)]
    struct Service {
        asked: Cell<u32>,
        fails: Cell<bool>,
    }

    const LIFE: Duration = Duration::from_mins(15);

    impl Service {
        async fn obtain(&self) -> Result<(u32, Duration), &'static str> {
            self.asked.set(self.asked.get() + 1);
            sleep(Duration::from_secs(1)).await;
            if self.fails.get() { Err("failed") } else { Ok((self.asked.get(), LIFE)) }
        }
    }

    #[derive(Default)]
    struct Client {
        service: Service,
        renewal: Renewal<u32, &'static str>,
    }

    impl Client {
        async fn get(&self) -> Result<u32, &'static str> {
            self.renewal.get(|| self.service.obtain()).await.map(|credential| credential.value)
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
        assert_eq!((start.elapsed().as_secs(), client.service.asked.get()), (1, 1));
        advance(Duration::from_secs(838)).await;
        assert_eq!(client.get().await, Ok(1), "it is not time yet");
        assert_eq!(client.service.asked.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_renews_it_before_it_expires_and_the_others_do_not_wait() {
        let client = Client::default();
        assert_eq!(client.get().await, Ok(1));
        advance(Duration::from_mins(14)).await;
        let of_all = client.thousand().await;
        assert_eq!(of_all.iter().filter(|credential| **credential == Ok(1)).count(), 999);
        assert_eq!(of_all.iter().filter(|credential| **credential == Ok(2)).count(), 1);
        assert_eq!((client.get().await, client.service.asked.get()), (Ok(2), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_fails_leaves_the_old_one_until_it_has_expired() {
        let client = Client::default();
        assert_eq!(client.get().await, Ok(1));
        advance(Duration::from_mins(14)).await;
        client.service.fails.set(true);
        for _ in 0..100 {
            assert_eq!(client.get().await, Ok(1));
        }
        assert_eq!(client.service.asked.get(), 2, "it is not tried again at once");
        advance(RETRY_INTERVAL).await;
        assert_eq!((client.get().await, client.service.asked.get()), (Ok(1), 3));
        advance(Duration::from_mins(1)).await;
        assert_eq!(client.get().await, Err("failed"));
        client.service.fails.set(false);
        assert_eq!(client.get().await, Ok(5));
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_share_a_failure_and_the_next_request_tries_again() {
        let client = Client::default();
        client.service.fails.set(true);
        assert!(client.thousand().await.into_iter().all(|credential| credential == Err("failed")));
        assert_eq!(client.service.asked.get(), 1);
        client.service.fails.set(false);
        assert_eq!(client.get().await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_one_is_replaced_once() {
        let client = Client::default();
        let refused = client.renewal.get(|| client.service.obtain()).await.unwrap();
        for _ in 0..1_000 {
            client.renewal.refused(&refused);
        }
        assert!(client.thousand().await.into_iter().all(|credential| credential == Ok(2)));
        client.renewal.refused(&refused);
        assert_eq!((client.get().await, client.service.asked.get()), (Ok(2), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_dropped_passes_the_task_on() {
        let client = Client::default();
        let dropped = tokio::time::timeout(Duration::from_millis(500), client.get());
        let (dropped, waiting) = tokio::join!(dropped, client.get());
        assert!(dropped.is_err());
        assert_eq!((waiting, client.service.asked.get()), (Ok(2), 2));
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

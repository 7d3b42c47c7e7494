//! Makes attempts until the retry policy or the budget stops.

use tokio::time::sleep;

use super::{Budget, Decision, Outcome, Repeatable, RetryPolicy, decide};
use crate::jitter::Jitter;
use crate::transport::{Failure, Received};

/// The retry state that the clones of a client share.
#[derive(Debug)]
pub(crate) struct Retrier {
    policy: RetryPolicy,
    budget: Budget,
    jitter: Jitter,
}

/// The attempts of one request, and the result of the last one.
#[derive(Debug)]
pub(crate) struct Attempts {
    pub(crate) last: Result<Received, Failure>,
    pub(crate) count: u32,
    /// Whether an attempt before the last may have taken effect.
    pub(crate) unclear: bool,
}

impl Retrier {
    pub(crate) fn new(policy: RetryPolicy, jitter: Jitter) -> Self {
        Self { budget: Budget::new(policy.retry_budget()), policy, jitter }
    }

    pub(crate) fn jitter(&self) -> f64 {
        self.jitter.next()
    }

    pub(crate) async fn run<F, A>(&self, repeat: Repeatable, mut attempt: F) -> Attempts
    where
        F: FnMut() -> A,
        A: Future<Output = Result<Received, Failure>>,
    {
        let mut count = 0;
        let mut unclear = false;
        loop {
            let last = attempt().await;
            count += 1;
            let outcome = Outcome::of(&last);
            let decision = decide(&self.policy, count, repeat, outcome, self.jitter.next());
            if last.as_ref().is_ok_and(|received| received.status.is_success()) {
                self.budget.earn();
            }
            match decision {
                Decision::Retry(wait) if self.budget.spend() => {
                    unclear |= outcome.is_unclear();
                    tracing::debug!(attempts = count, ?outcome, ?wait, "the request will be retried");
                    if !wait.is_zero() {
                        sleep(wait).await;
                    }
                }
                _ => return Attempts { last, count, unclear },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::StatusCode;

    use super::*;
    use crate::{TransportKind, clock};

    #[expect(clippy::unnecessary_wraps, reason = "same type as `failed`")]
    fn response(status: u16, retry_after: Option<u64>) -> Result<Received, Failure> {
        Ok(Received {
            status: StatusCode::from_u16(status).unwrap(),
            request_id: None,
            challenge: None,
            retry_after: retry_after.map(Duration::from_secs),
            body: bytes::Bytes::new(),
        })
    }

    fn failed(kind: TransportKind) -> Result<Received, Failure> {
        Err(Failure { kind, source: None })
    }

    async fn run(retrier: &Retrier, repeat: Repeatable, results: Vec<Result<Received, Failure>>) -> Attempts {
        let mut results = results.into_iter();
        retrier.run(repeat, || std::future::ready(results.next().unwrap())).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_that_the_service_asks_for_is_kept() {
        let retrier = Retrier::new(RetryPolicy::default(), Jitter::seeded(1));
        let start = clock::now();
        let results = vec![response(429, Some(7)), response(503, Some(2)), response(200, None)];
        let result = run(&retrier, Repeatable::Creates, results).await;
        assert_eq!(start.elapsed(), Duration::from_secs(9));
        assert_eq!((result.count, result.last.unwrap().status), (3, StatusCode::OK));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_retry_after_the_wait_is_a_random_part_of_a_doubling_one() {
        let retrier = Retrier::new(RetryPolicy::default(), Jitter::seeded(1));
        let start = clock::now();
        let results = (0..4).map(|_| response(502, None)).collect();
        let result = run(&retrier, Repeatable::Harmless, results).await;
        let waited = start.elapsed();
        assert_eq!(result.count, 4);
        assert!(waited > Duration::ZERO && waited < Duration::from_millis(1750), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_whose_effect_is_not_known_is_remembered() {
        let retrier = Retrier::new(RetryPolicy::default(), Jitter::seeded(1));
        let unclear = vec![failed(TransportKind::Timeout), response(404, None)];
        assert!(run(&retrier, Repeatable::Harmless, unclear).await.unclear);
        let clear = vec![failed(TransportKind::Connect), response(429, None), response(404, None)];
        assert!(!run(&retrier, Repeatable::Harmless, clear).await.unclear);
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_ends_the_retries_until_successes_fill_it() {
        let policy = RetryPolicy::default().budget(1);
        let retrier = Retrier::new(policy, Jitter::seeded(1));
        let broken = || vec![response(503, None), response(503, None)];
        assert_eq!(run(&retrier, Repeatable::Harmless, broken()).await.count, 2);
        assert_eq!(run(&retrier, Repeatable::Harmless, broken()).await.count, 1);
        for _ in 0..10 {
            run(&retrier, Repeatable::Harmless, vec![response(200, None)]).await;
        }
        assert_eq!(run(&retrier, Repeatable::Harmless, broken()).await.count, 2);
    }
}

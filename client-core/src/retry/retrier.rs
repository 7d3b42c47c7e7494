//! Sends until the decision is to stop.

use tokio::time::sleep;

use super::{Budget, Decision, Outcome, Repeatable, RetryPolicy, decide};
use crate::jitter::Jitter;
use crate::transport::{Failure, Received};

/// What the clones of a client share for repetitions.
#[derive(Debug)]
pub(crate) struct Repeater {
    policy: RetryPolicy,
    budget: Budget,
    jitter: Jitter,
}

/// The last attempt, and what the earlier ones left.
#[derive(Debug)]
pub(crate) struct Repeated {
    pub(crate) last: Result<Received, Failure>,
    pub(crate) attempts: u32,
    /// Whether an attempt before the last may have taken effect.
    pub(crate) unclear: bool,
}

impl Repeater {
    pub(crate) fn new(policy: RetryPolicy, jitter: Jitter) -> Self {
        Self { budget: Budget::new(policy.repetitions()), policy, jitter }
    }

    pub(crate) fn jitter(&self) -> f64 {
        self.jitter.next()
    }

    pub(crate) async fn run<F, A>(&self, repeat: Repeatable, mut attempt: F) -> Repeated
    where
        F: FnMut() -> A,
        A: Future<Output = Result<Received, Failure>>,
    {
        let mut attempts = 0;
        let mut unclear = false;
        loop {
            let last = attempt().await;
            attempts += 1;
            let outcome = Outcome::of(&last);
            let decision = decide(&self.policy, attempts, repeat, outcome, self.jitter.next());
            if last.as_ref().is_ok_and(|received| received.status.is_success()) {
                self.budget.earn();
            }
            match decision {
                Decision::Again(wait) if self.budget.spend() => {
                    unclear |= outcome.is_unclear();
                    tracing::debug!(attempts, ?outcome, ?wait, "the request is sent again");
                    if !wait.is_zero() {
                        sleep(wait).await;
                    }
                }
                _ => return Repeated { last, attempts, unclear },
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

    #[expect(clippy::unnecessary_wraps, reason = "it stands beside `failed`")]
    fn answered(status: u16, retry_after: Option<u64>) -> Result<Received, Failure> {
        Ok(Received {
            status: StatusCode::from_u16(status).unwrap(),
            request_id: None,
            retry_after: retry_after.map(Duration::from_secs),
            body: bytes::Bytes::new(),
        })
    }

    fn failed(kind: TransportKind) -> Result<Received, Failure> {
        Err(Failure { kind, source: None })
    }

    async fn run(
        repeater: &Repeater,
        repeat: Repeatable,
        answers: Vec<Result<Received, Failure>>,
    ) -> Repeated {
        let mut answers = answers.into_iter();
        repeater.run(repeat, || std::future::ready(answers.next().unwrap())).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_that_the_service_asks_for_is_kept() {
        let repeater = Repeater::new(RetryPolicy::default(), Jitter::seeded(1));
        let start = clock::now();
        let answers = vec![answered(429, Some(7)), answered(503, Some(2)), answered(200, None)];
        let result = run(&repeater, Repeatable::Creates, answers).await;
        assert_eq!(start.elapsed(), Duration::from_secs(9));
        assert_eq!((result.attempts, result.last.unwrap().status), (3, StatusCode::OK));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_wish_the_wait_is_a_random_part_of_a_doubling_one() {
        let repeater = Repeater::new(RetryPolicy::default(), Jitter::seeded(1));
        let start = clock::now();
        let answers = (0..4).map(|_| answered(502, None)).collect();
        let result = run(&repeater, Repeatable::Harmless, answers).await;
        let waited = start.elapsed();
        assert_eq!(result.attempts, 4);
        assert!(waited > Duration::ZERO && waited < Duration::from_millis(1750), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_whose_effect_is_not_known_is_remembered() {
        let repeater = Repeater::new(RetryPolicy::default(), Jitter::seeded(1));
        let unclear = vec![failed(TransportKind::Timeout), answered(404, None)];
        assert!(run(&repeater, Repeatable::Harmless, unclear).await.unclear);
        let clear = vec![failed(TransportKind::Connect), answered(429, None), answered(404, None)];
        assert!(!run(&repeater, Repeatable::Harmless, clear).await.unclear);
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_ends_the_repetitions_until_successes_fill_it() {
        let policy = RetryPolicy::default().budget(1);
        let repeater = Repeater::new(policy, Jitter::seeded(1));
        let broken = || vec![answered(503, None), answered(503, None)];
        assert_eq!(run(&repeater, Repeatable::Harmless, broken()).await.attempts, 2);
        assert_eq!(run(&repeater, Repeatable::Harmless, broken()).await.attempts, 1);
        for _ in 0..10 {
            run(&repeater, Repeatable::Harmless, vec![answered(200, None)]).await;
        }
        assert_eq!(run(&repeater, Repeatable::Harmless, broken()).await.attempts, 2);
    }
}

//! The retry policy: whether a request is retried, and after which wait.
//!
//! The decision is a pure function. A request that creates something is retried only when it cannot have
//! taken effect, unless it has an idempotency key: a second trunk or a second call costs more than an error, and
//! neither API documents such keys.

mod backoff;
mod budget;
mod retrier;

use std::time::Duration;

use reqwest::Method;

pub use backoff::Backoff;
pub(crate) use budget::Budget;
pub(crate) use retrier::{Attempts, Retrier};

use crate::TransportKind;
use crate::transport::{Failure, Received};

/// How often a client retries a request, and how long it waits before each retry.
///
/// GET, PATCH, PUT, DELETE and other requests that are safe to repeat are retried when no connection could be
/// established, when an attempt timed out, when the connection closed early, and on 429, 502, 503 and 504.
/// Requests that create something are retried only when no connection could be established, on 429, and on
/// 503 with `Retry-After`; with an idempotency key they are retried as the others are, and also on 409 with
/// `Retry-After`, which means that an earlier attempt is in progress. The wait is the one that `Retry-After` asks for;
/// without that header it is a random part of a wait that doubles with each attempt.
///
/// ```
/// use std::time::Duration;
/// # use client_core::RetryPolicy;
///
/// let patient = RetryPolicy::default().max_attempts(6).max_wait(Duration::from_secs(60));
/// let never = RetryPolicy::none();
/// # assert_ne!(patient, never);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    base_wait: Duration,
    max_wait: Duration,
    budget: u32,
}

impl Default for RetryPolicy {
    /// Four attempts, with waits of up to 250 ms, 500 ms and 1 s between them. A `Retry-After` is obeyed up
    /// to 30 s. The budget is 20 retries.
    fn default() -> Self {
        Self {
            max_attempts: 4,
            base_wait: Duration::from_millis(250),
            max_wait: Duration::from_secs(30),
            budget: 20,
        }
    }
}

impl RetryPolicy {
    /// No retries: every request is sent once.
    pub fn none() -> Self {
        Self::default().max_attempts(1)
    }

    /// Sets the maximum number of attempts for one request, the first included; 0 counts as 1.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the longest wait before the second attempt, 250 ms by default. It doubles with each further
    /// attempt.
    #[must_use]
    pub fn base_wait(mut self, wait: Duration) -> Self {
        self.base_wait = wait;
        self
    }

    /// Sets the longest wait before any attempt, 30 s by default. When `Retry-After` asks for more, the
    /// request is not retried and the response is returned at once.
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Sets how many retries a client and its clones may make while nothing succeeds, 20 by default. Ten
    /// successful responses add one retry, up to this number. When the budget is used up, requests are sent
    /// once, so that retries do not keep an overloaded service down.
    #[must_use]
    pub fn budget(mut self, retries: u32) -> Self {
        self.budget = retries;
        self
    }

    pub(crate) const fn backoff(&self) -> Backoff {
        Backoff { first: self.base_wait, longest: self.max_wait }
    }

    pub(crate) const fn retry_budget(&self) -> u32 {
        self.budget
    }
}

/// Whether a request can be sent twice without harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeatable {
    /// Idempotent: it reads, deletes, or sets attributes to fixed values.
    Harmless,
    /// Not idempotent: each request creates another record or places another call.
    Creates,
    /// Not idempotent, and sent with an idempotency key: the service carries it out once.
    Keyed,
}

impl From<&Method> for Repeatable {
    /// POST and unknown methods count as not idempotent.
    fn from(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD | Method::PUT | Method::PATCH | Method::DELETE => Self::Harmless,
            _ => Self::Creates,
        }
    }
}

/// The outcome of one attempt, as far as the retry decision depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A response whose body was read to its end, with any status, and the wait that its `Retry-After` header asks
    /// for.
    Response { status: u16, retry_after: Option<Duration> },
    /// No complete response was received. Unless connecting failed, the request may have taken effect.
    Failed(TransportKind),
}

impl Outcome {
    pub(crate) fn of(result: &Result<Received, Failure>) -> Self {
        match result {
            Ok(received) => {
                Self::Response { status: received.status.as_u16(), retry_after: received.retry_after }
            }
            Err(failure) => Self::Failed(failure.kind),
        }
    }

    /// Whether the request may have taken effect although the attempt failed.
    pub(crate) const fn is_unclear(self) -> bool {
        match self {
            Self::Response { status, .. } => status >= 500,
            Self::Failed(kind) => !matches!(kind, TransportKind::Connect),
        }
    }
}

/// The action after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Return the outcome to the caller.
    Stop,
    /// Send the request again after this wait.
    Retry(Duration),
}

/// Decides whether to retry after `attempts` attempts, the last of which had this outcome.
pub(crate) fn decide(
    policy: &RetryPolicy,
    attempts: u32,
    repeat: Repeatable,
    outcome: Outcome,
    jitter: f64,
) -> Decision {
    if attempts >= policy.max_attempts || !is_retried(repeat, outcome) {
        return Decision::Stop;
    }
    let retry_after = match outcome {
        Outcome::Response { retry_after, .. } => retry_after,
        Outcome::Failed(_) => None,
    };
    let wait = retry_after.unwrap_or_else(|| policy.backoff().wait(attempts, jitter));
    if wait > policy.max_wait { Decision::Stop } else { Decision::Retry(wait) }
}

fn is_retried(repeat: Repeatable, outcome: Outcome) -> bool {
    let harmless = repeat != Repeatable::Creates;
    match outcome {
        Outcome::Failed(TransportKind::Connect)
        | Outcome::Response { status: 429, .. }
        | Outcome::Response { status: 503, retry_after: Some(_) } => true,
        // An earlier attempt is in progress.
        Outcome::Response { status: 409, retry_after: Some(_) } => repeat == Repeatable::Keyed,
        Outcome::Failed(TransportKind::Timeout | TransportKind::Interrupted)
        | Outcome::Response { status: 502..=504, .. } => harmless,
        Outcome::Failed(TransportKind::TooLarge { .. }) | Outcome::Response { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16) -> Outcome {
        Outcome::Response { status, retry_after: None }
    }

    fn with_retry_after(status: u16, seconds: u64) -> Outcome {
        Outcome::Response { status, retry_after: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn each_outcome_is_retried_for_the_methods_that_are_safe_to_repeat() {
        use TransportKind::{Connect, Interrupted, Timeout, TooLarge};
        // Outcome; whether GET, PUT, PATCH and DELETE are retried; whether POST is.
        let cases: &[(Outcome, bool, bool)] = &[
            (Outcome::Failed(Connect), true, true),
            (Outcome::Failed(Timeout), true, false),
            (Outcome::Failed(Interrupted), true, false),
            (Outcome::Failed(TooLarge { limit: 1 }), false, false),
            (response(200), false, false),
            (response(302), false, false),
            (response(400), false, false),
            (response(401), false, false),
            (response(404), false, false),
            (response(422), false, false),
            (response(429), true, true),
            (with_retry_after(429, 1), true, true),
            (response(500), false, false),
            (response(501), false, false),
            (response(502), true, false),
            (with_retry_after(502, 1), true, false),
            (response(503), true, false),
            (with_retry_after(503, 1), true, true),
            (response(504), true, false),
            (response(505), false, false),
        ];
        let policy = RetryPolicy::default();
        for (outcome, harmless, post) in cases {
            for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
                let retried = decide(&policy, 1, Repeatable::from(&method), *outcome, 0.5) != Decision::Stop;
                assert_eq!(retried, *harmless, "{method} {outcome:?}");
            }
            let retried =
                decide(&policy, 1, Repeatable::from(&Method::POST), *outcome, 0.5) != Decision::Stop;
            assert_eq!(retried, *post, "POST {outcome:?}");
        }
    }

    #[test]
    fn a_request_with_an_idempotency_key_is_retried_as_a_read_is_and_while_an_earlier_attempt_is_in_progress()
    {
        let retried =
            |repeat, outcome| decide(&RetryPolicy::default(), 1, repeat, outcome, 0.5) != Decision::Stop;
        for kind in [TransportKind::Timeout, TransportKind::Interrupted, TransportKind::Connect] {
            assert!(retried(Repeatable::Keyed, Outcome::Failed(kind)), "{kind:?}");
        }
        for (outcome, expected) in [
            (response(502), true),
            (response(503), true),
            (with_retry_after(409, 1), true),
            (response(409), false),
            (response(422), false),
            (response(500), false),
        ] {
            assert_eq!(retried(Repeatable::Keyed, outcome), expected, "{outcome:?}");
        }
        assert!(!retried(Repeatable::Creates, with_retry_after(409, 1)));
        assert!(!retried(Repeatable::Harmless, with_retry_after(409, 1)));
    }

    #[test]
    fn the_wait_doubles_is_random_and_has_a_limit() {
        let policy = RetryPolicy::default().max_attempts(99).max_wait(Duration::from_secs(3));
        let wait =
            |attempts, jitter| match decide(&policy, attempts, Repeatable::Harmless, response(502), jitter) {
                Decision::Retry(wait) => wait.as_millis(),
                Decision::Stop => panic!("no retry after {attempts} attempts"),
            };
        assert_eq!(
            [1, 2, 3, 4, 5, 40].map(|attempts| wait(attempts, 1.0)),
            [250, 500, 1000, 2000, 3000, 3000]
        );
        assert_eq!([0.0, 0.5].map(|jitter| wait(2, jitter)), [0, 250]);
    }

    #[test]
    fn a_retry_after_is_waited_for_exactly_or_ends_the_retries() {
        let policy = RetryPolicy::default().max_wait(Duration::from_secs(5));
        let decide = |seconds| decide(&policy, 1, Repeatable::Harmless, with_retry_after(429, seconds), 0.1);
        assert_eq!(decide(0), Decision::Retry(Duration::ZERO));
        assert_eq!(decide(5), Decision::Retry(Duration::from_secs(5)));
        assert_eq!(decide(6), Decision::Stop);
    }

    #[test]
    fn the_last_attempt_is_not_retried() {
        let at = |policy: &RetryPolicy, attempts| {
            decide(policy, attempts, Repeatable::Harmless, response(503), 0.0)
        };
        assert_eq!(at(&RetryPolicy::default(), 3), Decision::Retry(Duration::ZERO));
        assert_eq!(at(&RetryPolicy::default(), 4), Decision::Stop);
        assert_eq!(at(&RetryPolicy::none(), 1), Decision::Stop);
        assert_eq!(at(&RetryPolicy::default().max_attempts(0), 1), Decision::Stop);
    }

    #[test]
    fn only_outcomes_that_prove_the_request_had_no_effect_are_clear() {
        assert!(!Outcome::Failed(TransportKind::Connect).is_unclear());
        assert!(!response(429).is_unclear());
        assert!(Outcome::Failed(TransportKind::Timeout).is_unclear());
        assert!(response(502).is_unclear());
    }
}

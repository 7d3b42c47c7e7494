//! Whether a request is sent again, and when.
//!
//! The decision is a pure function. A request that creates is repeated only where it cannot have taken effect:
//! neither API has idempotency keys, and a second trunk or a second call costs more than an error.

mod backoff;
mod budget;
mod repeat;

use std::time::Duration;

use reqwest::Method;

pub use backoff::Backoff;
pub(crate) use budget::Budget;
pub(crate) use repeat::{Repeated, Repeater};

use crate::TransportKind;
use crate::transport::{Failure, Received};

/// How often and how patiently a client repeats a request.
///
/// What does no harm when it is done twice, such as GET, PATCH, PUT and DELETE, is repeated when no connection could
/// be made, when the connection or the patience ended, and on 429, 502, 503 and 504. What creates is repeated when no
/// connection could be made, on 429, and on 503 with `Retry-After`. The wait is the one that `Retry-After` asks for,
/// else a random part of one that doubles.
///
/// ```
/// use std::time::Duration;
/// use client_core::RetryPolicy;
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
    /// Four attempts, waits of up to 250 ms, 500 ms and 1 s, at most 30 s for a `Retry-After`, a budget of 20.
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
    /// Sends every request once.
    pub fn none() -> Self {
        Self::default().max_attempts(1)
    }

    /// Sends a request at most so often; 0 counts as 1.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// The longest wait before the second attempt; it doubles with each further one.
    #[must_use]
    pub fn base_wait(mut self, wait: Duration) -> Self {
        self.base_wait = wait;
        self
    }

    /// The longest wait before any attempt. A `Retry-After` beyond it ends the attempts.
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// How many repetitions a client and its clones may spend while nothing succeeds. Ten successes give one
    /// back. When it is spent, requests are sent once: a service that is down is not helped by more of them.
    #[must_use]
    pub fn budget(mut self, repetitions: u32) -> Self {
        self.budget = repetitions;
        self
    }

    pub(crate) const fn backoff(&self) -> Backoff {
        Backoff { first: self.base_wait, longest: self.max_wait }
    }

    pub(crate) const fn repetitions(&self) -> u32 {
        self.budget
    }
}

/// Whether it does harm to send a request twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeatable {
    /// Twice is once: it reads, deletes, or sets values to what it says.
    Harmless,
    /// It makes something, each time.
    Creates,
}

impl From<&Method> for Repeatable {
    fn from(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD | Method::PUT | Method::PATCH | Method::DELETE => Self::Harmless,
            _ => Self::Creates,
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With an answer of this status, which may ask for a wait.
    Answered { status: u16, retry_after: Option<Duration> },
    /// Without a whole answer.
    Failed(TransportKind),
}

impl Outcome {
    pub(crate) fn of(result: &Result<Received, Failure>) -> Self {
        match result {
            Ok(received) => {
                Self::Answered { status: received.status.as_u16(), retry_after: received.retry_after }
            }
            Err(failure) => Self::Failed(failure.kind),
        }
    }

    /// Whether the request may have taken effect although it looks as if it had not.
    pub(crate) const fn is_unclear(self) -> bool {
        match self {
            Self::Answered { status, .. } => status >= 500,
            Self::Failed(kind) => !matches!(kind, TransportKind::Connect),
        }
    }
}

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Take the outcome as it is.
    Stop,
    /// Send the request again after this wait.
    Again(Duration),
}

/// Decides after `attempts` attempts, of which the last had this outcome.
pub(crate) fn decide(
    policy: &RetryPolicy,
    attempts: u32,
    repeat: Repeatable,
    outcome: Outcome,
    jitter: f64,
) -> Decision {
    if attempts >= policy.max_attempts || !is_repeated(repeat, outcome) {
        return Decision::Stop;
    }
    let asked = match outcome {
        Outcome::Answered { retry_after, .. } => retry_after,
        Outcome::Failed(_) => None,
    };
    let wait = asked.unwrap_or_else(|| policy.backoff().wait(attempts, jitter));
    if wait > policy.max_wait { Decision::Stop } else { Decision::Again(wait) }
}

fn is_repeated(repeat: Repeatable, outcome: Outcome) -> bool {
    let harmless = repeat == Repeatable::Harmless;
    match outcome {
        Outcome::Failed(TransportKind::Connect)
        | Outcome::Answered { status: 429, .. }
        | Outcome::Answered { status: 503, retry_after: Some(_) } => true,
        Outcome::Failed(TransportKind::Timeout | TransportKind::Interrupted)
        | Outcome::Answered { status: 502..=504, .. } => harmless,
        Outcome::Failed(TransportKind::TooLarge { .. }) | Outcome::Answered { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    fn asking(status: u16, seconds: u64) -> Outcome {
        Outcome::Answered { status, retry_after: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn each_outcome_is_repeated_for_the_methods_that_bear_it() {
        use TransportKind::{Connect, Interrupted, Timeout, TooLarge};
        // Outcome; whether GET, PATCH and DELETE are repeated; whether POST is.
        let cases: &[(Outcome, bool, bool)] = &[
            (Outcome::Failed(Connect), true, true),
            (Outcome::Failed(Timeout), true, false),
            (Outcome::Failed(Interrupted), true, false),
            (Outcome::Failed(TooLarge { limit: 1 }), false, false),
            (answered(200), false, false),
            (answered(302), false, false),
            (answered(400), false, false),
            (answered(401), false, false),
            (answered(404), false, false),
            (answered(422), false, false),
            (answered(429), true, true),
            (asking(429, 1), true, true),
            (answered(500), false, false),
            (answered(501), false, false),
            (answered(502), true, false),
            (asking(502, 1), true, false),
            (answered(503), true, false),
            (asking(503, 1), true, true),
            (answered(504), true, false),
            (answered(505), false, false),
        ];
        let policy = RetryPolicy::default();
        for (outcome, harmless, post) in cases {
            for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
                let again = decide(&policy, 1, Repeatable::from(&method), *outcome, 0.5) != Decision::Stop;
                assert_eq!(again, *harmless, "{method} {outcome:?}");
            }
            let again = decide(&policy, 1, Repeatable::from(&Method::POST), *outcome, 0.5) != Decision::Stop;
            assert_eq!(again, *post, "POST {outcome:?}");
        }
    }

    #[test]
    fn the_wait_doubles_is_random_and_has_a_limit() {
        let policy = RetryPolicy::default().max_attempts(99).max_wait(Duration::from_secs(3));
        let wait =
            |attempts, jitter| match decide(&policy, attempts, Repeatable::Harmless, answered(502), jitter) {
                Decision::Again(wait) => wait.as_millis(),
                Decision::Stop => panic!("no repetition after {attempts} attempts"),
            };
        assert_eq!(
            [1, 2, 3, 4, 5, 40].map(|attempts| wait(attempts, 1.0)),
            [250, 500, 1000, 2000, 3000, 3000]
        );
        assert_eq!([0.0, 0.5].map(|jitter| wait(2, jitter)), [0, 250]);
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept_exactly_or_not_at_all() {
        let policy = RetryPolicy::default().max_wait(Duration::from_secs(5));
        let decide = |seconds| decide(&policy, 1, Repeatable::Harmless, asking(429, seconds), 0.1);
        assert_eq!(decide(0), Decision::Again(Duration::ZERO));
        assert_eq!(decide(5), Decision::Again(Duration::from_secs(5)));
        assert_eq!(decide(6), Decision::Stop);
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        let at = |policy: &RetryPolicy, attempts| {
            decide(policy, attempts, Repeatable::Harmless, answered(503), 0.0)
        };
        assert_eq!(at(&RetryPolicy::default(), 3), Decision::Again(Duration::ZERO));
        assert_eq!(at(&RetryPolicy::default(), 4), Decision::Stop);
        assert_eq!(at(&RetryPolicy::none(), 1), Decision::Stop);
        assert_eq!(at(&RetryPolicy::default().max_attempts(0), 1), Decision::Stop);
    }

    #[test]
    fn only_what_was_surely_not_done_is_clear() {
        assert!(!Outcome::Failed(TransportKind::Connect).is_unclear());
        assert!(!answered(429).is_unclear());
        assert!(Outcome::Failed(TransportKind::Timeout).is_unclear());
        assert!(answered(502).is_unclear());
    }
}

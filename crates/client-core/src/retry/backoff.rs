//! The wait before a retry when the service does not ask for one.

use std::time::Duration;

/// Exponential backoff with jitter: the wait doubles with each attempt up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first attempt.
    pub first: Duration,
    /// The upper limit of any wait.
    pub longest: Duration,
}

impl Backoff {
    /// The wait after `attempts` attempts, multiplied by `jitter`, which is clamped to 0.0 to 1.0.
    pub fn wait(self, attempts: u32, jitter: f64) -> Duration {
        let factor = 2_u32.saturating_pow(attempts.saturating_sub(1));
        self.first.saturating_mul(factor).min(self.longest).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

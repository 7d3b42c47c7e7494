//! How long to wait when nobody says.

use std::time::Duration;

/// Waits that double up to a longest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Backoff {
    /// A part (`jitter`, from 0.0 to 1.0) of the wait after so many attempts.
    pub fn wait(self, attempts: u32, jitter: f64) -> Duration {
        let factor = 2_u32.saturating_pow(attempts.saturating_sub(1));
        self.first.saturating_mul(factor).min(self.longest).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

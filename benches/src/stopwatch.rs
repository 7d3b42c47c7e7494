//! The only use of the system's clock in this crate.

#![expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]

use std::time::{Duration, Instant};

/// The start of a measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds since the start.
    pub(crate) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

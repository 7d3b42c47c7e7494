//! A sustained rate and a burst: the generic cell rate algorithm, on which all limiters of this crate agree.
//!
//! A key has a bucket that each admitted action fills by one, and that drains at the rate. A bucket is one number,
//! the time at which it is empty. [`limiter`](crate::limiter) and [`buckets`](crate::buckets) keep those numbers.

/// A sustained rate and a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds for each admission; 0 means no limit.
    interval: i64,
    burst: i64,
}

impl Rate {
    /// Admits `count` in a second, up to `burst` of them at once. A count of 0 means no limit; a burst of 0
    /// counts as 1.
    pub const fn per_second(count: u32, burst: u32) -> Self {
        Self::new(1_000_000, count, burst)
    }

    /// Admits `count` in a minute, up to `burst` of them at once. A count of 0 means no limit; a burst of 0
    /// counts as 1.
    pub const fn per_minute(count: u32, burst: u32) -> Self {
        Self::new(60_000_000, count, burst)
    }

    const fn new(micros: i64, count: u32, burst: u32) -> Self {
        let interval = if count == 0 { 0 } else { micros / count as i64 };
        Self { interval, burst: if burst == 0 { 1 } else { burst as i64 } }
    }

    pub(crate) fn is_unlimited(self) -> bool {
        self.interval == 0
    }

    /// Microseconds in which a full bucket drains.
    pub(crate) fn capacity(self) -> i64 {
        self.interval.saturating_mul(self.burst)
    }

    /// Returns when a bucket is empty after one more action, if it is empty at `empty_at` without it. All times are
    /// in microseconds since 1970.
    ///
    /// # Errors
    /// The number of microseconds to wait, if the action would overfill the bucket.
    pub(crate) fn one_more(self, empty_at: i64, now: i64) -> Result<i64, i64> {
        let empty_at = empty_at.max(now).saturating_add(self.interval);
        match empty_at - now - self.capacity() {
            wait @ 1.. => Err(wait),
            _ => Ok(empty_at),
        }
    }
}

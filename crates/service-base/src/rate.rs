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

    /// Number of parts that the rate can be divided into: the number of actions in a second or in a burst, whichever is
    /// greater.
    pub(crate) fn parts(self) -> u32 {
        let a_second = 1_000_000_i64.checked_div(self.interval).unwrap_or(1);
        u32::try_from(a_second.max(self.burst)).unwrap_or(u32::MAX).max(1)
    }

    /// The rate and the burst of some parts. Neither is 0.
    pub(crate) fn part(self, parts: u32) -> Self {
        let (parts, all) = (i64::from(parts.max(1)), i64::from(self.parts()));
        // Rounded up: all parts together are no faster than the whole.
        let interval = self.interval.saturating_mul(all).saturating_add(parts - 1) / parts;
        Self { interval, burst: (self.burst.saturating_mul(parts) / all).max(1) }
    }

    /// Number of parts that admit actions at a rate, of which this many were counted in this many microseconds.
    pub(crate) fn parts_for(self, actions: u32, micros: i64) -> u32 {
        let needed = i128::from(actions) * i128::from(self.interval) * i128::from(self.parts());
        let parts = (needed + i128::from(micros) - 1) / i128::from(micros.max(1));
        u32::try_from(parts).unwrap_or(u32::MAX).min(self.parts())
    }

    /// The number of parts in use, of `parts` that have this rate together, by a bucket that is empty after `micros`
    /// microseconds.
    pub(crate) fn parts_in(self, micros: i64, parts: u32) -> u32 {
        let full = i128::from(micros.max(0)) * i128::from(parts);
        let used = (full + i128::from(self.capacity()) - 1) / i128::from(self.capacity().max(1));
        u32::try_from(used).unwrap_or(u32::MAX)
    }

    /// The microseconds after which a bucket is empty at the rate `to`, if at this rate it is empty after `micros`.
    pub(crate) fn converted(self, micros: i64, to: Self) -> i64 {
        let converted =
            i128::from(micros.max(0)) * i128::from(to.interval) / i128::from(self.interval.max(1));
        i64::try_from(converted).unwrap_or(i64::MAX)
    }
}

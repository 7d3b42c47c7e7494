//! Counts actions against a sustained rate with a burst.

use super::{Counter, Divide};
use crate::rate::Rate;

/// The bucket of a key: when it is empty, in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct LeakyBucket(i64);

impl Default for LeakyBucket {
    fn default() -> Self {
        Self(i64::MIN)
    }
}

impl Counter for LeakyBucket {
    type Limit = Rate;

    fn is_unlimited(limit: Rate) -> bool {
        limit.is_unlimited()
    }

    fn check(&mut self, limit: Rate, now: i64) -> Result<(), i64> {
        // Only a clock that stepped back leaves more than a full bucket. From now on it drains.
        self.0 = self.0.min(now.saturating_add(limit.capacity()));
        limit.one_more(self.0, now).map(|_| ())
    }

    fn count(&mut self, limit: Rate, now: i64) {
        self.0 = limit.one_more(self.0, now).unwrap_or(self.0);
    }

    fn idle_at(&self) -> i64 {
        self.0
    }
}

impl Divide for LeakyBucket {
    fn parts(limit: Rate) -> u32 {
        limit.parts()
    }

    fn part(limit: Rate, parts: u32) -> Rate {
        limit.part(parts)
    }

    fn parts_for(limit: Rate, actions: u32, micros: i64) -> u32 {
        limit.parts_for(actions, micros)
    }

    fn memory(limit: Rate) -> i64 {
        limit.capacity()
    }

    fn used(&mut self, part: Rate, parts: u32, now: i64) -> u32 {
        part.parts_in(self.0.saturating_sub(now), parts)
    }

    fn resize(&mut self, from: Rate, to: Rate, now: i64) {
        self.0 = now.saturating_add(from.converted(self.0.saturating_sub(now), to));
    }
}

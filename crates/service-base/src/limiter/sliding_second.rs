//! Counts the actions of each second exactly: no second, wherever it starts, has more than the limit.

use std::collections::VecDeque;

use super::{Counter, Divide};

/// The maximum number of actions in any second; 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerSecond(pub u32);

/// The length of the window, in microseconds.
const WINDOW: i64 = 1_000_000;

/// The times of a key's actions in the last second, the oldest first, in microseconds since 1970: at most as many as
/// the limit.
#[derive(Debug, Default)]
pub struct SlidingSecond(VecDeque<i64>);

impl SlidingSecond {
    fn expire(&mut self, now: i64) {
        // The clock may have been set back. Times in the future count as now, so they expire in a second.
        for time in self.0.iter_mut().rev().take_while(|time| **time > now) {
            *time = now;
        }
        let expired = |time: &i64| now.saturating_sub(*time) >= WINDOW;
        while self.0.front().is_some_and(expired) {
            self.0.pop_front();
        }
    }
}

impl Counter for SlidingSecond {
    type Limit = PerSecond;

    fn is_unlimited(PerSecond(limit): PerSecond) -> bool {
        limit == 0
    }

    fn check(&mut self, PerSecond(limit): PerSecond, now: i64) -> Result<(), i64> {
        self.expire(now);
        // The limit may be lower than it was when these were counted.
        let excess = self.0.len().checked_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        match excess.and_then(|index| self.0.get(index)) {
            Some(time) => Err(WINDOW - now.saturating_sub(*time)),
            None => Ok(()),
        }
    }

    fn count(&mut self, _: PerSecond, now: i64) {
        self.0.push_back(now);
    }

    fn idle_at(&self) -> i64 {
        self.0.back().map_or(i64::MIN, |last| last.saturating_add(WINDOW))
    }
}

impl Divide for SlidingSecond {
    fn parts(PerSecond(limit): PerSecond) -> u32 {
        limit.max(1)
    }

    fn part(_: PerSecond, parts: u32) -> PerSecond {
        PerSecond(parts.max(1))
    }

    fn parts_for(_: PerSecond, actions: u32, _micros: i64) -> u32 {
        actions
    }

    fn memory(_: PerSecond) -> i64 {
        WINDOW
    }

    fn used(&mut self, _: PerSecond, _parts: u32, now: i64) -> u32 {
        self.expire(now);
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    fn resize(&mut self, _: PerSecond, _: PerSecond, _now: i64) {}
}

//! Counts recent events in two intervals.

use std::time::Duration;

/// The length of an interval, at least.
const INTERVAL: Duration = Duration::from_millis(500);

/// Number of events in the last interval and in the one that is not over. All times are of one stopwatch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recent {
    now: u32,
    since: Duration,
    before: u32,
    before_since: Duration,
}

impl Recent {
    pub(super) fn new(at: Duration) -> Self {
        Self { now: 0, since: at, before: 0, before_since: at }
    }

    pub(super) fn add(&mut self, at: Duration) {
        self.turn(at);
        self.now = self.now.saturating_add(1);
    }

    /// The number of events, and the time in which they happened.
    pub(super) fn count(&mut self, at: Duration) -> (u32, Duration) {
        self.turn(at);
        (self.now.saturating_add(self.before), at.saturating_sub(self.before_since))
    }

    /// Begins an interval if one is over.
    fn turn(&mut self, at: Duration) {
        let elapsed = at.saturating_sub(self.since);
        if elapsed >= 2 * INTERVAL {
            *self = Self::new(at);
        } else if elapsed >= INTERVAL {
            *self = Self { now: 0, since: at, before: self.now, before_since: self.since };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_more_than_two_intervals_ago_does_not_count() {
        let at = Duration::from_millis;
        let mut recent = Recent::new(at(1_000));
        for millis in [1_000, 1_100, 1_499] {
            recent.add(at(millis));
        }
        assert_eq!(recent.count(at(1_499)), (3, at(499)));
        recent.add(at(1_600));
        assert_eq!(recent.count(at(1_700)), (4, at(700)));
        assert_eq!(recent.count(at(2_150)), (1, at(550)));
        assert_eq!(recent.count(at(9_000)), (0, at(0)));
    }
}

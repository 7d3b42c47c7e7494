//! The platform's timestamps: in microseconds, and unique for everything that lists are paged by.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use service_base::clock::Clock;
use voipbin_types::Timestamp;

/// A time of the server's clock, which counts milliseconds, in the platform's precision.
pub(crate) fn from_clock(at: didww_types::Timestamp) -> Timestamp {
    Timestamp::from_unix_micros(at.as_unix_micros())
}

/// How many of the last timestamps are remembered, so that a clock that is set back cannot repeat one of
/// them.
const MAX_REMEMBERED: usize = 1_024;
/// Number of nodes of a database with different timestamps. A node issues 15 in a millisecond; more are ahead of its
/// clock.
const DISTINCT_NODES: i64 = 64;

/// Issues timestamps that are all different: lists are paged by them. They increase while the system's clock
/// runs, also where it steps back, and follow a clock that was set to another time. Nodes of a database whose numbers
/// differ by less than 64 issue different ones.
#[derive(Debug)]
pub struct UniqueTimestamps {
    clock: Clock,
    issued: Mutex<Issued>,
}

/// The timestamps that were issued before, in microseconds since 1970.
#[derive(Debug, Default)]
struct Issued {
    /// The number of this node, if others issue timestamps too.
    node: Option<i64>,
    last: i64,
    /// The clock's time when `last` was issued.
    clock_at_last: i64,
    /// The last [`MAX_REMEMBERED`] timestamps, in the order in which they were issued.
    order: VecDeque<i64>,
    /// The timestamps of `order`, sorted, to find whether one was issued.
    all: BTreeSet<i64>,
}

impl Issued {
    fn next(&mut self, now: i64, clock_is_set: bool) -> i64 {
        let mut next = if now == self.clock_at_last || (now <= self.last && !clock_is_set) {
            now.max(self.last.saturating_add(1))
        } else {
            now
        };
        let mut step = 1;
        if let Some(node) = self.node {
            step = DISTINCT_NODES;
            next = next.saturating_add(node.wrapping_sub(next).rem_euclid(DISTINCT_NODES));
        }
        while self.all.contains(&next) {
            next = next.saturating_add(step);
        }
        (self.last, self.clock_at_last) = (next, now);
        if self.order.len() >= MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        self.order.push_back(next);
        self.all.insert(next);
        next
    }
}

impl UniqueTimestamps {
    /// Continues after the last timestamp that was ever issued, in microseconds since 1970. `node` is the number of
    /// this node, if the database has others.
    pub(crate) fn after(clock: Clock, last: i64, node: Option<i64>) -> Self {
        let issued = Issued { node, last, clock_at_last: i64::MIN, ..Issued::default() };
        Self { clock, issued: Mutex::new(issued) }
    }

    /// The current time, or the next microsecond that was not issued yet.
    pub fn next(&self) -> Timestamp {
        let now = from_clock(self.clock.now()).as_unix_micros();
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp::from_unix_micros(issued.next(now, self.clock.is_set()))
    }

    /// The current time. Two calls may return the same timestamp.
    pub fn now(&self) -> Timestamp {
        from_clock(self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_timestamps_are_the_same_although_the_clock_stands_still() {
        let clock = Clock::system();
        clock.freeze(Some(didww_types::Timestamp::from_unix_millis(1)));
        let timestamps = UniqueTimestamps::after(clock.clone(), 0, None);
        assert_eq!([timestamps.next(), timestamps.next()].map(Timestamp::as_unix_micros), [1_000, 1_001]);
    }

    #[test]
    fn no_two_nodes_of_a_database_issue_the_same_timestamp() {
        let mut all = BTreeSet::new();
        for node in 7..7 + DISTINCT_NODES {
            let mut issued = Issued { node: Some(node), clock_at_last: i64::MIN, ..Issued::default() };
            // Some in the same millisecond, and after a step back of the system's clock.
            let times = [5_000, 5_000, 6_000, 6_000, 6_000, 5_000].map(|now| issued.next(now, false));
            assert!(times.is_sorted() && times[4] < 7_000, "{times:?}");
            // The clock was set to a time at which it issued some.
            let again = issued.next(6_000, true);
            assert!(times.into_iter().chain([again]).all(|time| all.insert(time)), "node {node}");
        }
    }

    #[test]
    fn timestamps_increase_although_the_systems_clock_steps_back() {
        let mut issued = Issued { last: 5_000, clock_at_last: i64::MIN, ..Issued::default() };
        assert_eq!(
            [6_000, 3_000, 3_000, 7_000].map(|now| issued.next(now, false)),
            [6_000, 6_001, 6_002, 7_000]
        );
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed_and_no_timestamp_is_issued_twice() {
        let mut issued = Issued { last: 5_000_000, clock_at_last: i64::MIN, ..Issued::default() };
        let first: Vec<_> = (0..2_000).map(|_| issued.next(1_000, true)).collect();
        assert_eq!((first[0], first[1_999]), (1_000, 2_999));
        assert_eq!([9_000, 2_500, 9_000].map(|now| issued.next(now, true)), [9_000, 3_000, 9_001]);
        let clock = Clock::system();
        let timestamps =
            UniqueTimestamps::after(clock.clone(), from_clock(clock.now()).as_unix_micros(), None);
        timestamps.next();
        let frozen = from_clock(clock.freeze(Some("2026-04-08T00:00:00.000Z".parse().unwrap())));
        assert_eq!(timestamps.next(), frozen);
    }
}

//! Which connection of a full table is closed to make room for a new one.
//!
//! A connection counts for its holder: an address, or a /64 of IPv6. One that its peer would not miss is closed for any
//! new one after a while. Another one is closed for those of a holder that has fewer, and those of the holder with the
//! most come first: a few clients that keep theirs in use do not keep out the others. The while is short if the
//! holder has many more than that of the new one.
//!
//! A search visits every connection. After one that found none, there is none for a moment, unless the new connection's
//! holder has far fewer than that of the earlier one: those with many keep no others from searching.

use std::cmp::Reverse;
use std::time::Duration;

/// A connection can be closed after this time.
const MIN_WAIT: Duration = Duration::from_secs(5);
/// As [`MIN_WAIT`], if its holder has [`MANY_MORE`] connections more than that of the new one.
const MIN_WAIT_OF_MANY: Duration = Duration::from_millis(500);
const MANY_MORE: usize = 16;
/// The time between two searches that find none.
const SEARCH_INTERVAL: Duration = Duration::from_millis(100);

/// A connection that can be closed.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<K> {
    /// What identifies it in its table.
    pub key: K,
    /// Since when nothing has kept it from being closed, as a reading of the stopwatch.
    pub since: Duration,
    /// Whether its peer would miss it.
    pub is_missed: bool,
    /// The number of connections of its holder.
    pub of_holder: usize,
}

impl<K> Candidate<K> {
    fn gives_way(&self, of_newcomer: usize, now: Duration) -> bool {
        let has_many = self.of_holder >= of_newcomer.saturating_add(MANY_MORE);
        let min_wait = if has_many { MIN_WAIT_OF_MANY } else { MIN_WAIT };
        let has_waited = now.saturating_sub(self.since) >= min_wait;
        has_waited && (!self.is_missed || self.of_holder > of_newcomer)
    }

    /// The lowest one goes first.
    fn order(&self) -> (bool, Reverse<usize>, Duration) {
        (self.is_missed, Reverse(if self.is_missed { self.of_holder } else { 0 }), self.since)
    }
}

/// The searches in one table.
#[derive(Debug, Default)]
pub struct RoomSearch {
    /// When the last search found none, and how many connections the holder of the new one had.
    failed: Option<(Duration, usize)>,
}

impl RoomSearch {
    /// The connection that is closed for a new one, whose holder has `of_newcomer` others. `None` if there is none, or
    /// if it is too early for another search.
    pub fn find<K>(
        &mut self,
        of_newcomer: usize,
        now: Duration,
        candidates: impl Iterator<Item = Candidate<K>>,
    ) -> Option<K> {
        // Each search of an interval is for at most half as many as the one before, so there are few.
        if let Some((at, fewest)) = self.failed
            && (fewest == 0 || of_newcomer > fewest / 2)
            && now.saturating_sub(at) < SEARCH_INTERVAL
        {
            return None;
        }
        let giving_way = candidates.filter(|candidate| candidate.gives_way(of_newcomer, now));
        let found = giving_way.min_by_key(Candidate::order);
        // After a connection that was found there may be another one, so the next search need not wait.
        self.failed = found.is_none().then_some((now, of_newcomer));
        found.map(|candidate| candidate.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_secs(100) + Duration::from_millis(millis)
    }

    fn candidate(key: &str, since: u64, is_missed: bool, of_holder: usize) -> Candidate<&str> {
        Candidate { key, since: at(since), is_missed, of_holder }
    }

    fn found<'a>(of_newcomer: usize, now: u64, candidates: &[Candidate<&'a str>]) -> Option<&'a str> {
        RoomSearch::default().find(of_newcomer, at(now), candidates.iter().copied())
    }

    #[test]
    fn one_that_is_not_missed_comes_first_and_then_the_oldest_of_the_holder_with_the_most() {
        let missed = [("few", 0, 17), ("new", 2, 30), ("old", 1, 30)];
        let missed = missed.map(|(key, since, of_holder)| candidate(key, since, true, of_holder));
        assert_eq!(found(0, 499, &missed), None);
        assert_eq!(found(0, 600, &missed), Some("old"));
        assert_eq!(found(14, 600, &missed), Some("old"));
        assert_eq!(found(15, 600, &missed), None, "its holder has not many more");
        assert_eq!(found(15, 5_100, &missed), Some("old"));
        assert_eq!(found(30, 60_000, &missed), None, "no holder has more");
        let all = [&missed[..], &[candidate("idle", 3, false, 1)]].concat();
        assert_eq!(found(0, 600, &all), Some("old"), "it is not idle for long");
        assert_eq!(found(0, 5_100, &all), Some("idle"));
        assert_eq!(found(30, 5_100, &all), Some("idle"));
    }

    #[test]
    fn a_search_in_vain_delays_the_next_one_except_for_a_holder_with_far_fewer() {
        let mut search = RoomSearch::default();
        let mut find =
            |of_newcomer, now| search.find(of_newcomer, at(now), [candidate("a", 0, true, 20)].into_iter());
        assert_eq!(find(20, 1_000), None);
        assert_eq!(find(4, 1_001), Some("a"));
        assert_eq!(find(20, 1_002), None);
        assert_eq!(find(10, 1_003), None);
        assert_eq!(find(10, 5_050), Some("a"));
        assert_eq!(find(20, 5_060), None);
        let mut visited = 0;
        let candidates = std::iter::once(candidate("a", 0, true, 20)).inspect(|_| visited += 1);
        assert_eq!(search.find(20, at(5_100), candidates), None);
        assert_eq!(visited, 0);
    }
}

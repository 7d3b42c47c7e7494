//! The rows and revisions that are in a node's change feed already, so that no change is added twice.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use service_base::clock::Stopwatch;

/// How long the newest revision of a record in the feed is remembered: longer than a commit takes.
pub(super) const REVISION_MEMORY: Duration = Duration::from_secs(30);
/// How long rows are kept, in microseconds.
pub(super) const ROW_MEMORY_MICROS: i64 = 60_000_000;

/// The identity of a row: the node that wrote it, and a number of that node.
pub(super) type RowId = (i64, i64);

/// The changes that are in the feed of this node already.
#[derive(Debug, Default)]
pub(super) struct FeedState {
    /// The position after which the next poll reads.
    pub(super) from: i64,
    /// The position after which a poll with the whole overlap reads.
    pub(super) wide_from: i64,
    /// The database's time at the last poll.
    pub(super) polled_at: i64,
    /// The rows that a later poll may read again, with their positions or later ones: those of a transaction of this
    /// node have none until it is known to be committed.
    pub(super) rows: HashMap<RowId, Option<i64>>,
    /// The newest revision of each record in the feed.
    newest: HashMap<i64, Newest>,
    /// The position of the last reset of each account, and of all.
    resets: BTreeMap<Option<i64>, i64>,
}

/// The newest revision of a record that is in the feed.
#[derive(Debug)]
struct Newest {
    revision: i64,
    account: i64,
    position: i64,
    added: Stopwatch,
}

impl FeedState {
    /// Returns true if a record's effect is newer than those in the feed, and records it as the newest.
    pub(super) fn is_newer(&mut self, account: i64, number: i64, revision: i64, position: i64) -> bool {
        let is_reset = |of: Option<i64>| self.resets.get(&of).is_some_and(|reset| *reset > position);
        if is_reset(Some(account)) || is_reset(None) {
            return false;
        }
        let is_newer = self.newest.get(&number).is_none_or(|newest| revision > newest.revision);
        if is_newer {
            self.newest.insert(number, Newest { revision, account, position, added: Stopwatch::start() });
        }
        is_newer
    }

    /// Records a reset of an account or of all. Returns true if a later change of one of its records is in the feed
    /// already: followers that receive the reset after it would drop that record.
    pub(super) fn is_late_reset(&mut self, account: Option<i64>, position: i64) -> bool {
        let last = self.resets.entry(account).or_insert(position);
        *last = position.max(*last);
        let is_of = |newest: &Newest| account.is_none_or(|account| account == newest.account);
        self.newest.values().any(|newest| newest.position > position && is_of(newest))
    }

    /// Forgets revisions and positions: those of another server, or of a clock that was set back, cannot be compared
    /// with them.
    pub(super) fn forget(&mut self) {
        self.newest.clear();
        self.resets.clear();
    }

    pub(super) fn prune(&mut self) {
        let from = self.wide_from;
        self.rows.retain(|_, position| position.is_none_or(|position| position > from));
        self.newest.retain(|_, newest| newest.added.elapsed() < REVISION_MEMORY);
        self.resets.retain(|_, position| *position > from - ROW_MEMORY_MICROS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_late_if_a_later_change_of_its_account_is_in_the_feed() {
        let mut seen = FeedState::default();
        assert!(seen.is_newer(1, 10, 0, 100));
        assert!(!seen.is_newer(1, 10, 0, 101), "it is in the feed");
        assert!(!seen.is_late_reset(Some(1), 100));
        assert!(seen.is_late_reset(Some(1), 99));
        assert!(!seen.is_late_reset(Some(2), 99));
        assert!(seen.is_late_reset(None, 99));
        assert!(!seen.is_newer(1, 11, 0, 99), "it was read before the last reset");
        assert!(seen.is_newer(1, 11, 0, 101));
        seen.forget();
        assert!(seen.is_newer(1, 11, 0, 99), "another server may have less");
    }
}

//! What a node remembers of the change feed, so that nothing is in it twice.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use service_base::clock::Stopwatch;

/// How long it is remembered which revision of a record is in the feed: longer than a commit takes.
pub(super) const REMEMBERED: Duration = Duration::from_secs(30);
/// How long rows are kept, in microseconds.
pub(super) const KEPT: i64 = 60_000_000;

/// What distinguishes a row from all others: the node that wrote it, and a number of that node.
pub(super) type RowId = (i64, i64);

/// What is in the feed of this node already.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The position behind which the next poll reads.
    pub(super) from: i64,
    /// The position behind which a poll reads that takes nothing for granted.
    pub(super) wide_from: i64,
    /// The database's time at the last poll.
    pub(super) polled_at: i64,
    /// The rows that a later poll may read again, with their positions: those of this node have none until a poll reads them.
    pub(super) rows: HashMap<RowId, Option<i64>>,
    /// The newest revision of each record that is in the feed, and when it was added.
    pub(super) newest: HashMap<i64, (i64, Stopwatch)>,
    /// The position of the last reset of each account, and of all.
    pub(super) resets: BTreeMap<Option<i64>, i64>,
}

impl Seen {
    /// Whether a record's effect is newer than what is in the feed, which it then is.
    pub(super) fn is_newer(&mut self, account: i64, number: i64, revision: i64, position: i64) -> bool {
        let is_reset = |of: Option<i64>| self.resets.get(&of).is_some_and(|reset| *reset > position);
        if is_reset(Some(account)) || is_reset(None) {
            return false;
        }
        let newest = self.newest.entry(number).or_insert((-1, Stopwatch::start()));
        let is_newer = revision > newest.0;
        if is_newer {
            *newest = (revision, Stopwatch::start());
        }
        is_newer
    }

    pub(super) fn prune(&mut self) {
        let from = self.wide_from;
        self.rows.retain(|_, position| position.is_none_or(|position| position > from));
        self.newest.retain(|_, (_, since)| since.elapsed() < REMEMBERED);
        self.resets.retain(|_, position| *position > from - KEPT);
    }
}

//! The ids of calls whose charges were counted in the last 10 to 20 minutes, so that no charge is counted twice.

use std::collections::HashSet;
use std::time::Duration;

use service_base::clock::Stopwatch;
use uuid::Uuid;

/// The least time for which an id is kept: longer than the change feed may repeat a change.
const MIN_KEPT: Duration = Duration::from_mins(10);

/// Two generations of ids. The older one is dropped every [`MIN_KEPT`].
#[derive(Debug, Default)]
pub(super) struct RecentCalls {
    new: HashSet<Uuid>,
    old: HashSet<Uuid>,
    /// The age of the newer generation; `None` before the first id.
    since: Option<Stopwatch>,
}

impl RecentCalls {
    /// Adds an id. Returns false if it is in the set already.
    pub(super) fn insert(&mut self, id: Uuid) -> bool {
        if self.since.get_or_insert_with(Stopwatch::start).elapsed() >= MIN_KEPT {
            self.old = std::mem::take(&mut self.new);
            self.since = Some(Stopwatch::start());
        }
        !self.old.contains(&id) && self.new.insert(id)
    }

    /// Returns true if an id is in the set.
    pub(super) fn contains(&self, id: Uuid) -> bool {
        self.new.contains(&id) || self.old.contains(&id)
    }
}

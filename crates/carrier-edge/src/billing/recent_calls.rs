//! Ids of calls whose charge was counted lately.

use std::collections::HashSet;
use std::time::Duration;

use service_base::clock::Stopwatch;
use uuid::Uuid;

/// How long an id is kept at least: longer than the change feed may repeat what it has said.
const KEPT: Duration = Duration::from_mins(10);

/// Ids, in two generations of which the older one is forgotten.
#[derive(Debug, Default)]
pub(super) struct RecentCalls {
    new: HashSet<Uuid>,
    old: HashSet<Uuid>,
    /// Since when there are newer ones.
    since: Option<Stopwatch>,
}

impl RecentCalls {
    /// Adds an id. Returns false if it is known.
    pub(super) fn insert(&mut self, id: Uuid) -> bool {
        if self.since.get_or_insert_with(Stopwatch::start).elapsed() >= KEPT {
            self.old = std::mem::take(&mut self.new);
            self.since = Some(Stopwatch::start());
        }
        !self.old.contains(&id) && self.new.insert(id)
    }

    /// Whether an id is known.
    pub(super) fn contains(&self, id: Uuid) -> bool {
        self.new.contains(&id) || self.old.contains(&id)
    }
}

//! The leases of subjects. A database in a file has one node, and the leases of a process end with it, so they are kept
//! in memory. They only separate callers with different node numbers.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use uuid::Uuid;

use crate::{Due, PendingEvent};

/// Maximum number of subjects that are remembered. Beyond it all are forgotten, which a single node does not notice.
const MAX_SUBJECTS: usize = 16_384;

/// The holder of each subject, and until when.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Leases(Mutex<HashMap<Uuid, (i64, Timestamp)>>);

impl Leases {
    /// Leases the subjects of events to the calling node, and leaves out those that another node holds.
    pub(in crate::sqlite) fn take(&self, due: Due, mut events: Vec<PendingEvent>) -> Vec<PendingEvent> {
        let mut leases = self.lock();
        for (_, until) in leases.values_mut().filter(|(holder, _)| *holder == due.node) {
            *until = due.until.max(*until);
        }
        events.retain(|pending| {
            let subject = pending.event.subject;
            if leases.get(&subject).is_some_and(|(holder, until)| *holder != due.node && *until > due.now) {
                return false;
            }
            if leases.len() >= MAX_SUBJECTS && !leases.contains_key(&subject) {
                leases.clear();
            }
            leases.insert(subject, (due.node, due.until));
            true
        });
        events
    }

    /// Ends a node's lease of a subject. Returns false if another node has it.
    pub(in crate::sqlite) fn end(&self, node: i64, subject: Uuid) -> bool {
        let mut leases = self.lock();
        let is_own = leases.get(&subject).is_none_or(|(holder, _)| *holder == node);
        if is_own {
            leases.remove(&subject);
        }
        is_own
    }

    /// Brings the ends of leases forward after the clock was set back.
    pub(in crate::sqlite) fn set_back(&self, now: Timestamp, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        for (_, until) in self.lock().values_mut().filter(|(_, until)| *until > now) {
            let earlier = Timestamp::from_unix_millis(until.as_unix_millis().saturating_sub(by));
            *until = earlier.max(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, (i64, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

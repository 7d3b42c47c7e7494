//! The outbox: events to deliver to customers.

use std::time::Duration;

use didww_types::Timestamp;

use crate::answer::Answer;
use crate::outbox::{Attempted, Backlog, Bounds, Delivery, Dropped, Due, Owner, PendingEvent};

/// Reads events, and records the outcome of their delivery. Events are queued by
/// [`Change::Emit`](crate::Change::Emit).
pub trait Events: Send + Sync + std::fmt::Debug {
    /// Returns the events that are due, and leases their subjects to the calling node. For an account's subject it
    /// returns at most 100 from the head of its queue, in their order; for a customer's subject, the first. The first
    /// event of every owner comes before the second of any, so that a long queue does not delay the events of another
    /// owner.
    ///
    /// No event of a subject that another node holds is returned until the lease expires. Each call extends the leases
    /// that the node holds already, so a sending node must call it more often than its leases expire.
    fn due_events(&self, due: Due) -> Answer<'_, Vec<PendingEvent>>;

    /// Returns when the next event that is not due yet will be due.
    fn next_due(&self, now: Timestamp) -> Answer<'_, Option<Timestamp>>;

    /// Adjusts the due times after the clock was set back to `now` by `by`: no event waits longer than before.
    fn set_back(&self, now: Timestamp, by: Duration) -> Answer<'_, ()>;

    /// Records the outcome of an attempt by a node, and ends the node's lease of the subject. If another node has the
    /// lease by now, the events do not change: that node repeats the attempt. The attempt is in the history
    /// nevertheless. An attempt that is recorded again, because its first record was not confirmed, counts once.
    fn attempted(&self, node: i64, attempted: Attempted) -> Answer<'_, ()>;

    /// Returns true if more than `most` events of any one customer wait.
    fn is_overfull(&self, most: u64) -> Answer<'_, bool>;

    /// Drops events of customers that exceed a bound, the oldest first, at most `most` in total. Of a queue that is too
    /// long it drops at least a hundredth of the bound. The next event of the same call takes the place of a dropped
    /// one. Returns the numbers of dropped events by customer; empty if no queue exceeds a bound.
    fn drop_surplus(&self, bounds: Bounds, most: u64) -> Answer<'_, Vec<Dropped>>;

    /// Deletes what is stored for the queues of customers that are deleted and have no events, at most this many rows,
    /// and returns their number. Events of theirs that were dropped still count for all owners. A database in a file has
    /// one row for each owner, which stays.
    fn forget_queues(&self, _most: u64) -> Answer<'_, u64> {
        Answer::ready(Ok(0))
    }

    /// Counts the undelivered and the dropped events of one owner, or of all owners.
    fn backlog(&self, owner: Option<Owner>) -> Answer<'_, Backlog>;

    /// Returns the attempts for one owner or for all owners, the newest first.
    fn deliveries(&self, owner: Option<Owner>, limit: u64) -> Answer<'_, Vec<Delivery>>;
}

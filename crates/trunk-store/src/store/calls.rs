//! Records of calls, and the calls that are running.

use didww_types::Timestamp;
use uuid::Uuid;

use crate::answer::Answer;
use crate::call::{CallQuery, NodeCall, RunningCalls, StoredCall, StoredCharge};

/// Reads calls, and deletes old records of calls. Calls are written by [`Writes::commit`](crate::Writes::commit).
pub trait Calls: Send + Sync + std::fmt::Debug {
    /// Returns the records of calls that ended or were refused, the newest first.
    fn calls(&self, query: CallQuery) -> Answer<'_, Vec<StoredCall>>;

    /// Returns the records after a number, the lowest first, with their numbers, which ascend approximately in the
    /// order in which the calls ended. `i64::MIN` is before the first one.
    fn calls_after(&self, query: CallQuery, number: i64) -> Answer<'_, Vec<(i64, StoredCall)>>;

    /// Deletes the records of calls that ended before this time, among the `most` oldest records. Returns how many
    /// were deleted; zero if no record is left to delete.
    fn forget_calls(&self, before: Timestamp, most: u64) -> Answer<'_, u64>;

    /// Returns this node's calls that were answered and have no record yet. Those of a dead node are taken over
    /// ([`Nodes::take_over_calls`](crate::Nodes::take_over_calls)).
    fn running_calls(&self) -> Answer<'_, RunningCalls>;

    /// Returns the calls of the other nodes that were answered and have no record yet, in the order of their ids: all
    /// of them, or the one with this id.
    fn calls_of_others(&self, id: Option<Uuid>) -> Answer<'_, Vec<NodeCall>>;

    /// Returns the price of each call that ended at this time or later and was not free.
    fn charges_since(&self, from: Timestamp) -> Answer<'_, Vec<StoredCharge>>;
}

//! The change feed: committed writes, for the parts of a server that keep copies of stored data.

use std::time::Duration;

use tokio::sync::watch;

use crate::feed::{Follower, Interest};

/// The time after which a change that was committed by another node is in the feed of this one.
pub const CHANGE_DELAY: Duration = Duration::from_secs(1);

/// The changes of a store, in positions that ascend in the order of the commits.
///
/// A part of a server that keeps copies of stored data follows the feed, reads the data, and applies the
/// [changes since](Follower::changes) its position whenever the copies are used and the follower is not
/// [current](Follower::is_current). Nothing runs inside the write, and no part can hold up a writer.
///
/// # Guarantee
///
/// When a write is answered, its changes are in the feed of the process that made it: code of this process that runs
/// after the answer finds copies that contain the write. They are in the feeds of the other nodes of the database
/// within [`CHANGE_DELAY`] after the commit. Changes of one record, document or account appear in the order of their
/// commits; changes of different ones that different nodes made may appear in another order. A change may appear twice,
/// and a follower that must reload may have applied some of what it loads.
///
/// The feed exists as long as the process: a copy is built by reading the store, and kept up to date by the feed. It is
/// kept in memory, so that reading it never waits. An engine with several nodes fills it with its own writes before it
/// answers them, and with those of others from a table of the database, which it polls by position; the polls overlap
/// by more than the longest transaction, because positions are not committed in order, and changes that were seen are
/// dropped by id and revision.
pub trait ChangeFeed: Send + Sync + std::fmt::Debug {
    /// Returns a follower at the feed's present position. Earlier commits are in the data that its owner reads after
    /// this call; later ones are in the follower's changes.
    fn follow(&self, interest: Interest) -> Follower;

    /// Returns a receiver that changes when followers are 64 writes behind, when one must reload, when records were
    /// deleted, when a call must end, and when a customer, agent, access key or price plan was changed. The owner of
    /// copies that are seldom used then applies the changes, and ends, for instance, the calls of a deleted trunk.
    fn wakes(&self) -> watch::Receiver<u64>;
}

//! Channels of trunks, of groups and of DIDs, which the nodes of a database share.

use crate::answer::Answer;
use crate::channel::{AskedChannels, HeldChannels};

/// Channels of trunks, of groups and of DIDs with a limit on simultaneous calls; each of them is a trunk here.
///
/// A node states how many calls it runs on a trunk and how many wait, and receives channels for those that fit: what the
/// nodes hold in total exceeds the limit only by calls that ran before the limit was lowered. It holds no channel that no call
/// has: with the next statement it returns those of calls that ended. The numbers are absolute, so a node may repeat what it
/// asked for. A node that was taken over ([`Nodes::take_over_calls`](crate::Nodes::take_over_calls)), that left, or that never had
/// a heartbeat holds nothing for the others.
///
/// A database in a file has one node, which counts its calls itself: nothing is stored.
pub trait Channels: Send + Sync + std::fmt::Debug {
    /// Takes and returns channels of several trunks, each named once, in one transaction. Returns what this node holds of
    /// each, in the order of the trunks. A node does not ask again about a trunk before it has the
    /// answer.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if this node was taken over, or a failure of the engine. After
    /// [`StoreError::Unknown`](crate::StoreError::Unknown) the node holds what it held before or what it asked for.
    fn hold_channels(&self, asked: Vec<AskedChannels>) -> Answer<'_, Vec<HeldChannels>>;

    /// Deletes what is stored of trunks of which no node holds a channel, at most this many rows of a kind, and returns their
    /// number. It may run beside [`hold_channels`](Self::hold_channels) of any node.
    fn forget_channels(&self, most: u64) -> Answer<'_, u64>;
}

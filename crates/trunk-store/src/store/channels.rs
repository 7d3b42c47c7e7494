//! Channels of trunks, of groups and of DIDs, which the nodes of a database share.

use crate::answer::Answer;
use crate::channel::{ChannelRequest, HeldChannels};

/// Channels of trunks, of groups and of DIDs with a limit on simultaneous calls; each of them is a trunk here.
///
/// A node states how many calls it runs on a trunk and how many wait, and receives channels within the limit: all nodes
/// together hold more only for calls that ran before the limit was lowered. Each request also returns the channels of
/// calls that have ended. The numbers are absolute, so a request may be repeated. Channels of a node that was taken
/// over ([`Nodes::take_over_calls`](crate::Nodes::take_over_calls)), that left, or that never had a heartbeat are not
/// counted for other nodes.
///
/// A database in a file has one node, which counts its calls itself: nothing is stored.
pub trait Channels: Send + Sync + std::fmt::Debug {
    /// Takes and returns channels of several trunks, each named once, in one transaction. Returns the channels that
    /// this node holds, in the order of the requests. A node has one request for a trunk in progress at a time.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if this node was taken over, or a failure of the engine.
    /// After [`StoreError::Unknown`](crate::StoreError::Unknown) the node holds either what it held before or what the
    /// request granted.
    fn hold_channels(&self, requests: Vec<ChannelRequest>) -> Answer<'_, Vec<HeldChannels>>;

    /// Deletes the stored rows of trunks of which no node holds a channel, and those that a node wrote after it had
    /// left, at most this many rows of a kind, and returns their number. It may run beside
    /// [`hold_channels`](Self::hold_channels) of any node that had a heartbeat.
    fn forget_channels(&self, most: u64) -> Answer<'_, u64>;
}

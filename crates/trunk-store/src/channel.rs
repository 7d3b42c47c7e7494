//! Channels for simultaneous calls, of limits that the nodes of a database share. In this module "trunk" means any of
//! these: an inbound or an outbound trunk, a group of trunks, or a DID.

use uuid::Uuid;

/// A node's request for channels of one trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelRequest {
    /// The id of the trunk, in the sense of this module.
    pub trunk: Uuid,
    /// Number of its calls that this node runs. Their channels are held whatever the limit is.
    pub calls: u32,
    /// Number of calls that wait for a channel.
    pub more: u32,
    /// The limit of the trunk, for the calls of all nodes together.
    pub limit: u32,
}

/// The channels of one trunk that a node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldChannels {
    /// Number of channels that this node holds from now on: one for each of its calls, and those that it received.
    pub held: u32,
    /// Number of channels that the other nodes held when the request was decided.
    pub others: u32,
}

impl ChannelRequest {
    /// The channels that the node holds if the others hold this many.
    pub(crate) fn granted(&self, others: u32) -> HeldChannels {
        let free = self.limit.saturating_sub(self.calls.saturating_add(others));
        HeldChannels { held: self.calls.saturating_add(self.more.min(free)), others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_keep_their_channels_and_waiting_ones_receive_what_is_free() {
        let held = |calls, more, limit, others| {
            ChannelRequest { trunk: Uuid::nil(), calls, more, limit }.granted(others).held
        };
        assert_eq!([held(0, 2, 5, 0), held(3, 4, 5, 0), held(3, 4, 5, 1), held(3, 4, 5, 2)], [2, 5, 4, 3]);
        assert_eq!([held(3, 1, 2, 0), held(3, 1, 2, 9), held(0, 1, 0, 0)], [3, 3, 0]);
        assert_eq!(held(u32::MAX, 1, u32::MAX, u32::MAX), u32::MAX);
    }
}

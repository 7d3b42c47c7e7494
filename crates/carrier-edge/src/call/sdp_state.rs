//! The state that the session descriptions of one call share.

use sip_transport::sdp;
use trunk_rules::carrier::{Agreed, Direction, Removed};

/// The identity, key and pending offer of a call's session descriptions, and what they agreed on.
pub(super) struct SdpState {
    pub(super) identity: sdp::Identity,
    /// The edge's SRTP key, once one was needed.
    pub(super) srtp_key: Option<Box<str>>,
    /// True while an offer of the edge has no answer.
    pub(super) awaits_answer: bool,
    /// The agreements that later offers of the edge must keep; most calls have none.
    pub(super) agreed: Option<Box<Agreed>>,
    /// The disabled streams, while the caller has removed its audio.
    pub(super) removed: Option<Box<Removed>>,
    /// The agreed direction, from the caller's point of view.
    pub(super) direction: Direction,
}

impl SdpState {
    pub(super) fn new(random: u64) -> Self {
        Self {
            identity: sdp::Identity::new(random),
            srtp_key: None,
            awaits_answer: false,
            agreed: None,
            removed: None,
            direction: Direction::SendRecv,
        }
    }

    /// The `m=` values of an offer that leaves removed audio as it is; `None` while there is audio, or if the
    /// streams were too many to keep.
    pub(super) fn disabled_lines(&self) -> Option<Vec<String>> {
        self.removed.as_deref().map(Removed::lines).filter(|lines| !lines.is_empty())
    }
}

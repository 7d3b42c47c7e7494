//! The facts of a DID that the rules use.

use didww_types::resources::Did;
use didww_types::{Id, Timestamp};

/// The properties of a DID that the rules use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DidFacts {
    /// The DID's id, by which trunks refer to it.
    pub id: Id<Did>,
    /// The number in E.164 without the plus.
    pub number: String,
    /// Whether the DID may be a caller number: it is neither terminated nor blocked, and its group allows
    /// outbound calls.
    pub eligible: bool,
    /// Whether emergency calls may be made from it.
    pub emergency_enabled: bool,
    /// When the DID expires; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl DidFacts {
    /// Takes the properties of a DID. `voice_out` is a property of its DID group: whether it allows outbound
    /// calls.
    pub fn of(did: &Did, voice_out: bool) -> Self {
        Self {
            id: did.id.clone(),
            number: did.number.clone(),
            eligible: voice_out && !did.blocked && !did.terminated,
            emergency_enabled: did.emergency_enabled == Some(true),
            expires_at: did.expires_at,
        }
    }
}

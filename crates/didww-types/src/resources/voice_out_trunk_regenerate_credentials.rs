//! Rotation of a trunk's SIP credentials: `voice_out_trunk_regenerate_credentials`.

use super::VoiceOutTrunk;
use crate::{Id, Resource, ToOne};

/// A request for a new digest username and password of a trunk.
///
/// The response contains only the trunk's id; the new credentials are attributes of the trunk. Only a trunk
/// with the authentication method `credentials_and_ip` has credentials.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "voice_out_trunk_regenerate_credentials",
    since = "2021-12-15",
    verbs(create),
    needs(Outbound, "2026-04-16")
)]
#[non_exhaustive]
pub struct VoiceOutTrunkRegenerateCredentials {
    /// The id of the trunk; the request itself has no id.
    pub id: Id<VoiceOutTrunkRegenerateCredentials>,
    /// The trunk whose credentials are replaced.
    #[rel(one = "voice_out_trunks", create = required)]
    pub voice_out_trunk: ToOne<VoiceOutTrunk>,
}

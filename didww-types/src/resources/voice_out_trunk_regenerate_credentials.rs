//! New SIP credentials for a trunk: `voice_out_trunk_regenerate_credentials`.

use super::VoiceOutTrunk;
use crate::{Id, Resource, ToOne};

/// The act of giving a trunk a new username and password.
///
/// The answer holds nothing but the trunk's id; read the trunk for its new credentials. Only a trunk of kind
/// `credentials_and_ip` has any.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "voice_out_trunk_regenerate_credentials", since = "2021-12-15", verbs(create))]
#[non_exhaustive]
pub struct VoiceOutTrunkRegenerateCredentials {
    /// The id of the trunk, not of the act.
    pub id: Id<VoiceOutTrunkRegenerateCredentials>,
    /// The trunk.
    #[rel(one = "voice_out_trunks", create = required)]
    pub voice_out_trunk: ToOne<VoiceOutTrunk>,
}

//! The list of all declared resources.

use crate::ResourceSpec;
use crate::resource::Resource as _;
use crate::resources::{Did, VoiceOutTrunk, VoiceOutTrunkRegenerateCredentials};

/// The declarations of all resources, ordered by type name. A new resource needs one entry here.
pub const REGISTRY: &[&ResourceSpec] =
    &[Did::SPEC, VoiceOutTrunkRegenerateCredentials::SPEC, VoiceOutTrunk::SPEC];

/// Finds the declaration of a resource by its plural type name, such as `voice_out_trunks`.
pub fn find(name: &str) -> Option<&'static ResourceSpec> {
    REGISTRY.iter().copied().find(|spec| spec.name == name)
}

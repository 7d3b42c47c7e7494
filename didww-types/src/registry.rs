//! Every declared resource.

use crate::ResourceSpec;
use crate::resource::Resource as _;
use crate::resources::{Did, VoiceOutTrunk, VoiceOutTrunkRegenerateCredentials};

/// The declarations, in the order of their type names. A new resource is one line here and one file.
pub const REGISTRY: &[&ResourceSpec] =
    &[Did::SPEC, VoiceOutTrunkRegenerateCredentials::SPEC, VoiceOutTrunk::SPEC];

/// The declaration of a type by its wire name, such as `voice_out_trunks`.
pub fn find(name: &str) -> Option<&'static ResourceSpec> {
    REGISTRY.iter().copied().find(|spec| spec.name == name)
}

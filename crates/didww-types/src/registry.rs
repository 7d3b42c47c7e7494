//! The list of all declared resources.

use crate::resource::Resource as _;
use crate::{ResourceSpec, resources};

/// Defines [`REGISTRY`], and a macro that passes the list to another one.
macro_rules! registry {
    ($d:tt $($name:ident: $resource:ident,)+) => {
        /// The declarations of all resources, ordered by type name.
        pub const REGISTRY: &[&ResourceSpec] = &[$(resources::$resource::SPEC),+];

        /// Calls a macro with the type name and the Rust type of each declared resource: `dids: Did, ...`.
        #[macro_export]
        macro_rules! for_each_resource {
            ($d callback:ident) => { $d callback! { $($name: $resource,)+ } };
        }
    };
}

// A new resource needs one entry here.
registry! { $
    capacity_pools: CapacityPool,
    dids: Did,
    voice_out_trunk_regenerate_credentials: VoiceOutTrunkRegenerateCredentials,
    voice_out_trunks: VoiceOutTrunk,
}

/// Finds the declaration of a resource by its plural type name, such as `voice_out_trunks`.
pub fn find(name: &str) -> Option<&'static ResourceSpec> {
    REGISTRY.iter().copied().find(|spec| spec.name == name)
}

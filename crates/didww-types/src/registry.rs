//! The list of all declared resources, and a record of any of them.

use std::cmp::Ordering;
use std::sync::LazyLock;

use crate::resource::Resource as _;
use crate::{ApiVersion, DecodeError, Named as _, ResourceObject, ResourceSpec, resources};

/// Defines [`REGISTRY`], and a macro that passes the list to another one.
macro_rules! registry {
    ($d:tt $($name:ident: $resource:ident,)+) => {
        /// The declarations of all resources, ordered by type name.
        pub const REGISTRY: &[&ResourceSpec] = &[$(resources::$resource::SPEC),+];

        /// A record of any type: a typed value where the type is declared, else the resource object.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum AnyRecord {
            $(
                #[doc = concat!("A record of the type `", stringify!($name), "`.")]
                $resource(Box<resources::$resource>),
            )+
            /// A record of a type that this crate does not declare.
            Undeclared(Box<ResourceObject>),
        }

        impl AnyRecord {
            /// Decodes a record in the form of an API version.
            ///
            /// # Errors
            /// Returns an error with the path when a record of a declared type does not have its shape.
            // A program that does not call it need not compile the decoding of every type.
            #[inline]
            pub fn decode_at(version: ApiVersion, object: ResourceObject) -> Result<Self, DecodeError> {
                match canonical_name(version, &object.kind) {
                    $(
                        resources::$resource::TYPE => resources::$resource::decode_at(version, object)
                            .map(|record| Self::$resource(Box::new(record))),
                    )+
                    _ => Ok(Self::Undeclared(Box::new(object))),
                }
            }

            /// The plural type name, such as `dids`.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$resource(_) => resources::$resource::TYPE,)+
                    Self::Undeclared(object) => &object.kind,
                }
            }

            /// The record's id, which is unique among the records of its type.
            pub fn id(&self) -> &str {
                match self {
                    $(Self::$resource(record) => record.id.as_str(),)+
                    Self::Undeclared(object) => &object.id,
                }
            }
        }

        /// Calls a macro with the type name and the Rust type of each declared resource: `dids: Did, ...`.
        #[macro_export]
        macro_rules! for_each_resource {
            ($d callback:ident) => { $d callback! { $($name: $resource,)+ } };
        }
    };
}

// A new resource needs one entry here.
registry! { $
    address_requirement_validations: AddressRequirementValidation,
    address_requirements: AddressRequirement,
    address_verifications: AddressVerification,
    addresses: Address,
    areas: Area,
    available_dids: AvailableDid,
    balances: Balance,
    capacity_pools: CapacityPool,
    cities: City,
    countries: Country,
    did_group_types: DidGroupType,
    did_groups: DidGroup,
    did_history: DidHistory,
    did_reservations: DidReservation,
    dids: Did,
    emergency_calling_services: EmergencyCallingService,
    emergency_requirement_validations: EmergencyRequirementValidation,
    emergency_requirements: EmergencyRequirement,
    emergency_verifications: EmergencyVerification,
    encrypted_files: EncryptedFile,
    exports: Export,
    identities: Identity,
    nanpa_prefixes: NanpaPrefix,
    orders: Order,
    permanent_supporting_documents: PermanentSupportingDocument,
    pops: Pop,
    proof_types: ProofType,
    proofs: Proof,
    public_keys: PublicKey,
    qty_based_pricings: QtyBasedPricing,
    regions: Region,
    sender_id_verifications: SenderIdVerification,
    shared_capacity_groups: SharedCapacityGroup,
    sms_trunk_groups: SmsTrunkGroup,
    sms_trunk_regenerate_credentials: SmsTrunkRegenerateCredentials,
    sms_trunks: SmsTrunk,
    stock_keeping_units: StockKeepingUnit,
    supporting_document_templates: SupportingDocumentTemplate,
    voice_in_trunk_groups: VoiceInTrunkGroup,
    voice_in_trunks: VoiceInTrunk,
    voice_out_trunk_regenerate_credentials: VoiceOutTrunkRegenerateCredentials,
    voice_out_trunks: VoiceOutTrunk,
}

/// Finds the declaration of a resource by its plural type name, such as `voice_out_trunks`.
pub fn find(name: &str) -> Option<&'static ResourceSpec> {
    let place = REGISTRY.binary_search_by(|spec| spec.name.cmp(name)).ok()?;
    REGISTRY.get(place).copied()
}

/// The resources whose paths begin with a segment, in any version, in the order of [`compare`]. A request is looked up
/// more than once.
static PATHS: LazyLock<Vec<(&str, Vec<&ResourceSpec>)>> = LazyLock::new(|| {
    let mut paths: Vec<(&str, Vec<&ResourceSpec>)> = Vec::new();
    for spec in REGISTRY {
        for path in spec.paths() {
            match paths.binary_search_by(|(one, _)| compare(one, path)) {
                Ok(found) => {
                    if let Some((_, specs)) = paths.get_mut(found) {
                        specs.push(*spec);
                    }
                }
                Err(place) => paths.insert(place, (path, vec![*spec])),
            }
        }
    }
    paths
});

/// An order that the lengths alone decide for most pairs of paths. Finding one by it takes fewer steps than hashing it.
fn compare(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// The resources whose paths begin with this segment.
fn with_path(path: &str) -> Option<&'static [&'static ResourceSpec]> {
    let found = PATHS.binary_search_by(|(one, _)| compare(one, path)).ok()?;
    PATHS.get(found).map(|(_, specs)| specs.as_slice())
}

/// Finds the declaration of a resource by the first segment of its path in a version, such as `balance`.
pub fn find_path(path: &str, version: ApiVersion) -> Option<&'static ResourceSpec> {
    let is_at = |spec: &&ResourceSpec| spec.path_at(version) == path && spec.exists_in(version);
    with_path(path)?.iter().copied().find(is_at)
}

/// The name of a type, which a version may call otherwise.
pub fn canonical_name(version: ApiVersion, name: &str) -> &str {
    let is_called = |spec: &&&ResourceSpec| spec.former.is_some() && spec.name_at(version) == name;
    REGISTRY.iter().find(is_called).map_or(name, |spec| spec.name)
}

/// Whether a text is the first segment of the path of a declared resource in any version.
pub fn is_path(path: &str) -> bool {
    with_path(path).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_leads_to_its_type_and_no_other_text_is_a_path() {
        for spec in REGISTRY {
            for path in spec.paths() {
                let found = with_path(path).unwrap();
                assert!(is_path(path) && found.iter().any(|one| one.name == spec.name), "{path}");
            }
        }
        for other in ["", "did", "didz", "dids_", "no_such_type"] {
            assert!(!is_path(other), "{other}");
        }
    }
}

//! Checks of the requirements of emergency calling: `emergency_requirement_validations`.

use super::{Address, EmergencyRequirement, Identity};
use crate::{Id, Resource, ToOne};

/// A request to check whether an identity, an address, or both meet the requirement of emergency calling.
///
/// Nothing is stored. The response contains only the id of the requirement; if something is missing, the request is
/// refused with one error for each.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "emergency_requirement_validations",
    since = "2026-04-16",
    verbs(create),
    needs(Emergency, "2026-04-16")
)]
#[non_exhaustive]
pub struct EmergencyRequirementValidation {
    /// The id of the requirement; the request itself has no id.
    pub id: Id<EmergencyRequirementValidation>,
    /// The requirement that is checked.
    #[rel(one = "emergency_requirements", create = required)]
    pub emergency_requirement: ToOne<EmergencyRequirement>,
    /// The identity that is checked. The request has it, or `address`, or both.
    #[rel(one = "identities", create)]
    pub identity: ToOne<Identity>,
    /// The address that is checked. Beside an identity, it is one of the identity's addresses.
    #[rel(one = "addresses", create)]
    pub address: ToOne<Address>,
}

//! Checks of the requirements of a registration: `address_requirement_validations`.

use super::{Address, AddressRequirement, Identity};
use crate::{Id, Resource, ToOne};

/// A request to check whether an identity, an address, or both meet a requirement.
///
/// Nothing is stored. The response contains only the id of the requirement; if something is missing, the request is
/// refused with one error for each.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "address_requirement_validations",
    since = "2021-04-19",
    formerly(name = "requirement_validations", until = "2022-05-10"),
    verbs(create)
)]
#[non_exhaustive]
pub struct AddressRequirementValidation {
    /// The id of the requirement; the request itself has no id.
    pub id: Id<AddressRequirementValidation>,
    /// The requirement that is checked.
    #[rel(
        one = "address_requirements",
        create = required,
        formerly(name = "requirement", target = "requirements", until = "2022-05-10")
    )]
    pub address_requirement: ToOne<AddressRequirement>,
    /// The identity that is checked. The request has it, or `address`, or both.
    #[rel(one = "identities", create)]
    pub identity: ToOne<Identity>,
    /// The address that is checked. Beside an identity, it is one of the identity's addresses.
    #[rel(one = "addresses", create)]
    pub address: ToOne<Address>,
}

//! Requirements for emergency calling: `emergency_requirements`.

use serde::{Deserialize, Serialize};

use super::{AreaLevel, Country, DidGroupType, NumberType, RequiredIdentityType};
use crate::values::{BoundedList, Money};
use crate::{Extra, Id, Resource, ToOne};

/// The members of an identity or of an address that are demanded, as labels for people, such as `Birth Date`.
pub type MandatoryLabels = BoundedList<String, 16>;

/// The information that is required before emergency services can be called from numbers of a type and a country, and
/// the price.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "emergency_requirements",
    since = "2026-04-16",
    verbs(list, get),
    needs(Emergency, "2026-04-16"),
    global,
    unrouted,
    priced_by = "monthly_price"
)]
#[filter(name = "country.id", linked = "country", list, value = Id<Country>)]
#[filter(name = "did_group_type.id", linked = "did_group_type", list, until = "2026-04-16", value = Id<DidGroupType>)]
#[filter(name = "id", id, list, value = Id<EmergencyRequirement>)]
#[non_exhaustive]
pub struct EmergencyRequirement {
    /// The requirement's id, a UUID that the service chose.
    pub id: Id<EmergencyRequirement>,
    /// The type of the numbers. None in a requirement that an older version served: up to 2026-04-16 the relationship
    /// `did_group_type` has it.
    #[attr(filter(list), since = "2026-11-19", default = "local", value = NumberType)]
    pub number_type: Option<NumberType>,
    /// The kinds of identities that are accepted.
    #[attr(default = "any")]
    pub identity_type: RequiredIdentityType,
    /// Where the address must be.
    #[attr(default = "country")]
    pub address_area_level: AreaLevel,
    /// Where a person must be. None accepts no persons.
    #[attr]
    pub personal_area_level: Option<AreaLevel>,
    /// Where a business must be. None accepts no businesses.
    #[attr]
    pub business_area_level: Option<AreaLevel>,
    /// The members that the address must have.
    #[attr(default = [])]
    pub address_mandatory_fields: MandatoryLabels,
    /// The members that a person's identity must have.
    #[attr(default = [])]
    pub personal_mandatory_fields: MandatoryLabels,
    /// The members that a business's identity must have.
    #[attr(default = [])]
    pub business_mandatory_fields: MandatoryLabels,
    /// How long it takes until emergency services can be called, in words, such as `7-14 days`.
    #[attr(default = "")]
    pub estimate_setup_time: String,
    /// Further restrictions, in words.
    #[attr]
    pub requirement_restriction_message: Option<String>,
    /// The country of the numbers.
    #[rel(one = "countries")]
    pub country: ToOne<Country>,
    /// The type of the numbers. Since 2026-11-19 the attribute `number_type` has it.
    #[rel(one = "did_group_types", until = "2026-04-16", mirrors = "number_type")]
    pub did_group_type: ToOne<DidGroupType>,
    /// The price of emergency calling.
    #[meta]
    pub meta: EmergencyPrices,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The price of emergency calling from numbers, in US dollars.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EmergencyPrices {
    /// The one-time price.
    #[serde(default)]
    pub setup_price: Option<Money>,
    /// The monthly price.
    #[serde(default)]
    pub monthly_price: Option<Money>,
}

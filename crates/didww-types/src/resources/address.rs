//! Addresses of identities: `addresses`.

use super::{Area, City, Country, Identity, Proof};
use crate::values::{ExternalReference, StreetAddress};
use crate::{Extra, Id, Resource, Timestamp, ToMany, ToOne};

/// An address of an identity, which is registered with numbers that require one.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "addresses",
    since = "2021-04-19",
    verbs(list, get, create, update, delete),
    nested_includes(
        "proofs.proof_type",
        "identity.country",
        "identity.proofs",
        "identity.proofs.proof_type",
        "identity.permanent_documents",
        "identity.permanent_documents.template"
    )
)]
#[filter(name = "address_contains", contains = "address", blank(until = "2026-04-16"), value = String)]
#[filter(name = "area.id", linked = "area", list, blank(until = "2026-04-16"), value = Id<Area>)]
#[filter(name = "city.id", linked = "city", list, blank(until = "2026-04-16"), value = Id<City>)]
#[filter(name = "city_name_contains", contains = "city_name", blank(until = "2026-04-16"), value = String)]
#[filter(name = "country.id", linked = "country", list, blank(until = "2026-04-16"), value = Id<Country>)]
#[filter(name = "description_contains", contains = "description", blank(until = "2026-04-16"), value = String)]
#[filter(name = "id", id, list, value = Id<Address>)]
#[filter(
    name = "identity.external_reference_id",
    related = "identity.external_reference_id",
    since = "2026-04-16",
    value = String
)]
#[filter(name = "identity.id", linked = "identity", list, blank(until = "2026-04-16"), value = Id<Identity>)]
#[filter(name = "postal_code_contains", contains = "postal_code", blank(until = "2026-04-16"), value = String)]
#[non_exhaustive]
pub struct Address {
    /// The address's id, a UUID.
    pub id: Id<Address>,
    /// The name of the city.
    #[attr(create = required(3), update, sort, filter(blank(until = "2026-04-16")))]
    pub city_name: String,
    /// The postal code.
    #[attr(create = required(4), update, sort, filter(blank(until = "2026-04-16")))]
    pub postal_code: String,
    /// The street and the number, at most 200 characters, and before 2026-04-16 at most 255.
    #[attr(
        create = required(5),
        update,
        sort,
        revised(since = "2026-04-16", value = StreetAddress),
        filter(blank(until = "2026-04-16"))
    )]
    pub address: String,
    /// The customer's note about the address.
    #[attr(create, update, sort, filter(blank(until = "2026-04-16")))]
    pub description: Option<String>,
    /// The time at which the address was created.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The address's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// Whether a DID is registered to the address.
    #[attr(sort, default = false, referred("dids.addresses"))]
    pub verified: bool,
    /// The identity that the address belongs to. It cannot be changed.
    #[rel(one = "identities", create = required(1))]
    pub identity: ToOne<Identity>,
    /// The country of the address. It cannot be changed.
    #[rel(one = "countries", create = required(2))]
    pub country: ToOne<Country>,
    /// The documents that prove the address, which are deleted with it.
    #[rel(many = "proofs", inverse = "entity")]
    pub proofs: ToMany<Proof>,
    /// The regulatory area of the address. A recording of 2021-04-19 has it, when areas had no paths yet.
    #[rel(one = "areas")]
    pub area: ToOne<Area>,
    /// The city of the address.
    #[rel(one = "cities")]
    pub city: ToOne<City>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

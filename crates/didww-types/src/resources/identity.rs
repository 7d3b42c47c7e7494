//! The persons and businesses to whom numbers are registered: `identities`.

use serde_json::{Map, Value};

use super::{Address, Country, PermanentSupportingDocument, Proof};
use crate::enumeration::string_enum;
use crate::values::{Date, EmailAddress, ExternalReference, PhoneDigits};
use crate::{Adapter, ApiVersion, Extra, Id, Resource, Timestamp, ToMany, ToOne};

string_enum! {
    /// Whether an identity is that of a person or of a business.
    IdentityType {
        /// A person.
        Personal = "personal",
        /// A business, which the person of `first_name` and `last_name` represents.
        Business = "business",
    }
}

string_enum! {
    /// The texts of [`IdentityType`] up to 2022-05-10.
    CapitalisedIdentityType {
        /// A person.
        Personal = "Personal",
        /// A business.
        Business = "Business",
    }
}

/// A person or a business, which an account registers before it uses numbers that require it.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "identities",
    since = "2021-04-19",
    verbs(list, get, create, update, delete),
    adapter = CAPITALISED,
    nested_includes("proofs.proof_type", "addresses.country", "permanent_documents.template")
)]
#[filter(name = "company_name_contains", contains = "company_name", list(until = "2022-05-10"), blank(until = "2026-04-16"), value = String)]
#[filter(name = "company_reg_number_contains", contains = "company_reg_number", list(until = "2022-05-10"), blank(until = "2026-04-16"), value = String)]
#[filter(name = "country.id", linked = "country", list, value = Id<Country>)]
#[filter(name = "description_contains", contains = "description", list(until = "2022-05-10"), blank(until = "2026-04-16"), value = String)]
#[filter(name = "first_name_contains", contains = "first_name", list(until = "2022-05-10"), blank(until = "2026-04-16"), value = String)]
#[filter(name = "id", id, list, value = Id<Identity>)]
#[filter(name = "id_number_contains", contains = "id_number", list(until = "2022-05-10"), blank(until = "2026-04-16"), value = String)]
#[filter(name = "identity_type", equals = "identity_type", value = IdentityType)]
#[filter(name = "last_name_contains", contains = "last_name", list(until = "2022-05-10"), blank(until = "2026-04-16"), value = String)]
#[filter(name = "personal_tax_id_contains", contains = "personal_tax_id", list(until = "2022-05-10"), blank(until = "2026-04-16"), value = String)]
#[filter(name = "phone_number_contains", contains = "phone_number", list(until = "2022-05-10"), blank(until = "2026-04-16"), value = String)]
#[filter(name = "vat_id_contains", contains = "vat_id", list(until = "2022-05-10"), blank(until = "2026-04-16"), value = String)]
#[non_exhaustive]
pub struct Identity {
    /// The identity's id, a UUID.
    pub id: Id<Identity>,
    /// The first name, of a business that of its representative.
    #[attr(create = required(2), update, sort, filter(list(until = "2022-05-10"), blank(until = "2026-04-16")))]
    pub first_name: String,
    /// The last name, of a business that of its representative.
    #[attr(create = required(3), update, sort, filter(list(until = "2022-05-10"), blank(until = "2026-04-16")))]
    pub last_name: String,
    /// The telephone number, only digits.
    #[attr(
        create = required(4),
        update,
        sort,
        revised(since = "2022-05-10", value = PhoneDigits),
        filter(list(until = "2022-05-10"), blank(until = "2026-04-16"))
    )]
    pub phone_number: String,
    /// The number of a person's identity document.
    #[attr(create, update, sort, filter(list(until = "2022-05-10"), blank(until = "2026-04-16")))]
    pub id_number: Option<String>,
    /// The day of birth.
    #[attr(create, update, sort, filter(list(until = "2022-05-10")))]
    pub birth_date: Option<Date>,
    /// The name of the business. A business needs one, and from 2026-04-16 on a person has none.
    #[attr(create, update, sort, filter(list(until = "2022-05-10"), blank(until = "2026-04-16")))]
    pub company_name: Option<String>,
    /// The number of the business in a register. From 2026-04-16 on a person has none.
    #[attr(create, update, sort, filter(list(until = "2022-05-10"), blank(until = "2026-04-16")))]
    pub company_reg_number: Option<String>,
    /// The business's VAT number. From 2026-04-16 on a person has none, and it has the form of the
    /// country, which must be set too.
    #[attr(create, update, sort, filter(list(until = "2022-05-10"), blank(until = "2026-04-16")))]
    pub vat_id: Option<String>,
    /// The customer's note about the identity.
    #[attr(create, update, sort, filter(list(until = "2022-05-10"), blank(until = "2026-04-16")))]
    pub description: Option<String>,
    /// A person's number for taxes.
    #[attr(create, update, sort, filter(list(until = "2022-05-10"), blank(until = "2026-04-16")))]
    pub personal_tax_id: Option<String>,
    /// Whether the identity is that of a person or of a business. It cannot be changed.
    #[attr(
        create = required(1),
        value = CapitalisedIdentityType,
        revised(since = "2026-04-16", value = IdentityType)
    )]
    pub identity_type: IdentityType,
    /// The time at which the identity was created.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The identity's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, sort, filter)]
    pub external_reference_id: Option<ExternalReference>,
    /// Whether a DID is registered to the identity.
    #[attr(sort, default = false, referred("dids.identity"))]
    pub verified: bool,
    /// An e-mail address.
    #[attr(create, update, since = "2026-04-16", sort, value = Option<EmailAddress>)]
    pub contact_email: Option<String>,
    /// The country of the identity. A business needs one.
    #[rel(one = "countries", create, update)]
    pub country: ToOne<Country>,
    /// The country of birth.
    #[rel(one = "countries", create, update, since = "2026-04-16")]
    pub birth_country: ToOne<Country>,
    /// The documents that prove the identity, which are deleted with it.
    #[rel(many = "proofs", inverse = "entity")]
    pub proofs: ToMany<Proof>,
    /// The addresses of the identity, which are deleted with it.
    #[rel(many = "addresses", inverse = "identity")]
    pub addresses: ToMany<Address>,
    /// The forms that were filled in for the identity, which are deleted with it.
    #[rel(many = "permanent_supporting_documents", inverse = "identity")]
    pub permanent_documents: ToMany<PermanentSupportingDocument>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// Up to 2022-05-10, the type is written with a capital letter.
static CAPITALISED: Adapter = Adapter {
    until: ApiVersion::V2022_05_10,
    attributes: &[],
    from_canonical: |_version, attributes| rewrite(attributes, str::to_ascii_uppercase),
    to_canonical: |_version, attributes| rewrite(attributes, str::to_ascii_lowercase),
    not_representable: |_version, _attributes| None,
};

fn rewrite(attributes: &mut Map<String, Value>, form: fn(&str) -> String) {
    if let Some(Value::String(text)) = attributes.get_mut("identity_type")
        && let Some((first, rest)) = text.split_at_checked(1)
    {
        *text = form(first) + rest;
    }
}

//! Requirements for the registration of numbers: `address_requirements`.

use serde_json::{Map, Value};

use super::former_words::{self, capitalised};
use super::{Country, DidGroupType, NumberType, ProofType, SupportingDocumentTemplate};
use crate::enumeration::string_enum;
use crate::values::BoundedList;
use crate::{Adapter, ApiVersion, Extra, Id, Resource, ToMany, ToOne};

string_enum! {
    /// The kinds of identities that a requirement accepts.
    RequiredIdentityType {
        /// Persons and businesses.
        Any = "any",
        /// Only persons.
        Personal = "personal",
        /// Only businesses.
        Business = "business",
    }
}

string_enum! {
    /// Where an identity or an address must be.
    AreaLevel {
        /// Anywhere.
        WorldWide = "world_wide",
        /// In the country of the numbers.
        Country = "country",
        /// In the area of the numbers.
        Area = "area",
        /// In the city of the numbers.
        City = "city",
    }
}

string_enum! {
    /// A member of an identity that a requirement demands.
    MandatoryField {
        /// The day of birth.
        BirthDate = "birth_date",
        /// The country of birth.
        BirthCountry = "birth_country",
        /// The country of the identity.
        Country = "country",
        /// The person's tax number.
        PersonalTaxId = "personal_tax_id",
        /// The number of an identity document.
        IdNumber = "id_number",
        /// The business's VAT number.
        VatId = "vat_id",
        /// The business's registration number.
        CompanyRegNumber = "company_reg_number",
        /// An e-mail address.
        ContactEmail = "contact_email",
    }
}

/// The members of an identity that a requirement demands. A service that knows more than this crate declares can return
/// more.
pub type MandatoryFields = BoundedList<MandatoryField, 8>;

/// The documents and addresses that are required before numbers of a type and a country can be used.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "address_requirements",
    since = "2021-04-19",
    formerly(name = "requirements", until = "2022-05-10"),
    verbs(list, get),
    adapter = CAPITALISED,
    global
)]
#[filter(name = "country.id", linked = "country", list, blank(until = "2026-04-16"), value = Id<Country>)]
#[filter(
    name = "did_group_type.id",
    linked = "did_group_type",
    list,
    blank,
    until = "2026-04-16",
    value = Id<DidGroupType>
)]
#[filter(name = "id", id, list, value = Id<AddressRequirement>)]
#[non_exhaustive]
pub struct AddressRequirement {
    /// The requirement's id, a UUID that the service chose.
    pub id: Id<AddressRequirement>,
    /// The type of the numbers. None in a requirement that an older version served: up to 2026-04-16 the relationship
    /// `did_group_type` has it.
    #[attr(filter(list), since = "2026-11-19", default = "local", value = NumberType)]
    pub number_type: Option<NumberType>,
    /// The kinds of identities that are accepted.
    #[attr(default = "any")]
    pub identity_type: RequiredIdentityType,
    /// Where a person must be. None accepts no persons.
    #[attr]
    pub personal_area_level: Option<AreaLevel>,
    /// Where a business must be. None accepts no businesses.
    #[attr]
    pub business_area_level: Option<AreaLevel>,
    /// Where the address must be.
    #[attr(default = "world_wide")]
    pub address_area_level: AreaLevel,
    /// The number of documents that prove a person's identity.
    #[attr(sort, default = 0)]
    pub personal_proof_qty: i64,
    /// The number of documents that prove a business's identity.
    #[attr(sort, default = 0)]
    pub business_proof_qty: i64,
    /// The number of documents that prove the address.
    #[attr(sort, default = 0)]
    pub address_proof_qty: i64,
    /// The members that a person's identity must have.
    #[attr]
    pub personal_mandatory_fields: Option<MandatoryFields>,
    /// The members that a business's identity must have.
    #[attr]
    pub business_mandatory_fields: Option<MandatoryFields>,
    /// Whether the use of the numbers must be described.
    #[attr(sort, default = false)]
    pub service_description_required: bool,
    /// Further restrictions, in words.
    #[attr(sort)]
    pub restriction_message: Option<String>,
    /// The country of the numbers.
    #[rel(one = "countries")]
    pub country: ToOne<Country>,
    /// The type of the numbers. Since 2026-11-19 the attribute `number_type` has it.
    #[rel(one = "did_group_types", until = "2026-04-16", mirrors = "number_type")]
    pub did_group_type: ToOne<DidGroupType>,
    /// The form that a person fills in once.
    #[rel(one = "supporting_document_templates")]
    pub personal_permanent_document: ToOne<SupportingDocumentTemplate>,
    /// The form that a business fills in once.
    #[rel(one = "supporting_document_templates")]
    pub business_permanent_document: ToOne<SupportingDocumentTemplate>,
    /// The form that a person fills in for each verification.
    #[rel(one = "supporting_document_templates")]
    pub personal_onetime_document: ToOne<SupportingDocumentTemplate>,
    /// The form that a business fills in for each verification.
    #[rel(one = "supporting_document_templates")]
    pub business_onetime_document: ToOne<SupportingDocumentTemplate>,
    /// The documents that prove a person's identity.
    #[rel(many = "proof_types")]
    pub personal_proof_types: ToMany<ProofType>,
    /// The documents that prove a business's identity.
    #[rel(many = "proof_types")]
    pub business_proof_types: ToMany<ProofType>,
    /// The documents that prove the address.
    #[rel(many = "proof_types")]
    pub address_proof_types: ToMany<ProofType>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// Up to 2022-05-10, enumerations are written in capitalised words, such as `WorldWide`.
static CAPITALISED: Adapter = Adapter {
    until: ApiVersion::V2022_05_10,
    attributes: &[],
    from_canonical: |_version, attributes| rewrite(attributes, capitalised, words),
    to_canonical: |_version, attributes| rewrite(attributes, snake_case, field),
    not_representable: |_version, _attributes| None,
};

const ENUMERATIONS: [&str; 4] =
    ["identity_type", "personal_area_level", "business_area_level", "address_area_level"];

const FIELDS: [&str; 2] = ["personal_mandatory_fields", "business_mandatory_fields"];

/// Names of mandatory fields, and the words for them.
const WORDS: [(&str, &str); 8] = [
    ("birth_date", "Birth Date"),
    ("birth_country", "Birth Country"),
    ("country", "Country"),
    ("personal_tax_id", "Personal Tax ID"),
    ("id_number", "ID Number"),
    ("vat_id", "VAT ID"),
    ("company_reg_number", "Company Reg Number"),
    ("contact_email", "Contact Email"),
];

fn rewrite(
    attributes: &mut Map<String, Value>,
    form: fn(&str) -> String,
    word: fn(&str) -> Option<&'static str>,
) {
    for name in ENUMERATIONS {
        former_words::rewrite(attributes, name, form);
    }
    for name in FIELDS {
        for item in attributes.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(text) = item.as_str().and_then(word) {
                *item = Value::from(text);
            }
        }
    }
}

fn words(name: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| *known == name).map(|(_, words)| *words)
}

fn field(words: &str) -> Option<&'static str> {
    WORDS.iter().find(|(_, known)| *known == words).map(|(name, _)| *name)
}

fn snake_case(text: &str) -> String {
    let mut snake = String::with_capacity(text.len() + 1);
    for letter in text.chars() {
        if letter.is_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

//! Checks whether an identity and an address meet the requirements of a registration.
//!
//! The errors name the request as a whole. Their texts are recorded, or those of official examples, but for that of an
//! identity whose kind is not accepted.

use didww_types::resources::{
    Address, AreaLevel, Country, Identity, IdentityPartial, IdentityType, RequiredIdentityType,
};
use didww_types::{DecodeError, Resource as _, ResourceSpec, Violation};

use super::needs::{Found, FoundRecord, Need, found};
use super::{Links, Refusal, WriteContext};

/// The names of the relationships of a request to check something.
const IDENTITY: &str = "identity";
const ADDRESS: &str = "address";

/// The country of a requirement, and those of an identity and of an address.
const COUNTRY: &str = Identity::COUNTRY.as_str();
const BIRTH_COUNTRY: &str = Identity::BIRTH_COUNTRY.as_str();

/// The demands on identities of one kind.
#[derive(Debug, Default)]
pub(super) struct OfIdentity {
    /// The area in which they must be; `None` if this kind is not accepted.
    pub(super) area: Option<AreaLevel>,
    /// The names, or the labels, of the members that they must have.
    pub(super) fields: Vec<String>,
}

/// The demands of a requirement.
#[derive(Debug, Default)]
pub(super) struct Demands {
    pub(super) identity_type: Option<RequiredIdentityType>,
    pub(super) personal: OfIdentity,
    pub(super) business: OfIdentity,
    pub(super) address_area: Option<AreaLevel>,
}

impl Demands {
    /// The demands on identities of the kind of this one; `None` if the kind is not accepted.
    fn of_kind(&self, identity: &IdentityPartial) -> Option<&OfIdentity> {
        let (of_kind, other) = if is_business(identity) {
            (&self.business, RequiredIdentityType::Personal)
        } else {
            (&self.personal, RequiredIdentityType::Business)
        };
        Some(of_kind).filter(|of_kind| of_kind.area.is_some() && self.identity_type.as_ref() != Some(&other))
    }
}

/// A request to check an identity, an address, or both, with the records that were read for it.
pub(super) struct Check<'a> {
    found: &'a [Found],
    requirement: (&'static ResourceSpec, String),
    identity: Option<(String, IdentityPartial)>,
    address: Option<String>,
}

/// The needs of every check, by the links of the request.
pub(super) fn needs(requirement: (&'static ResourceSpec, &'static str), links: &Links) -> Vec<Need> {
    let (spec, name) = requirement;
    let wanted = [
        (spec, name, COUNTRY),
        (Identity::SPEC, IDENTITY, COUNTRY),
        (Identity::SPEC, IDENTITY, BIRTH_COUNTRY),
        (Address::SPEC, ADDRESS, COUNTRY),
        (Address::SPEC, ADDRESS, Address::IDENTITY.as_str()),
    ];
    let need = |(spec, name, through): (&'static ResourceSpec, &'static str, &'static str)| {
        Some(Need::MembersOf(spec, vec![first(links, name)?], through))
    };
    wanted.into_iter().filter_map(need).collect()
}

/// The first id of a relationship of the request.
pub(super) fn first(links: &Links, name: &str) -> Option<String> {
    links.get(name)?.first().cloned()
}

/// The id of the identity, or of the address, that a request names.
pub(super) fn subjects(links: &Links) -> (Option<String>, Option<String>) {
    (first(links, IDENTITY), first(links, ADDRESS))
}

impl<'a> Check<'a> {
    /// The requested check; `None` if it is refused already, or names nothing to check: `refusals` has the reasons.
    pub(super) fn of(
        context: &WriteContext<'a>,
        requirement: (&'static ResourceSpec, &'static str),
        refusals: &mut Vec<Refusal>,
    ) -> Result<Option<Self>, DecodeError> {
        let (spec, name) = requirement;
        let (identity, address) = (one(context, IDENTITY), one(context, ADDRESS));
        if identity.is_none() && address.is_none() {
            refusals.push(Refusal::record("identity or address can't be blank"));
        }
        let Some(requirement) = one(context, name).filter(|_| refusals.is_empty()) else { return Ok(None) };
        let identity = match identity {
            Some(record) => record.decode::<Identity>()?.map(|identity| (record.id.clone(), identity)),
            None => None,
        };
        let address = address.map(|record| record.id.clone());
        let check =
            Self { found: context.found, requirement: (spec, requirement.id.clone()), identity, address };
        if check.is_of_another_identity() {
            refusals.push(
                Refusal::relationship(ADDRESS, Violation::Invalid).because("it is of another identity"),
            );
            return Ok(None);
        }
        Ok(Some(check))
    }

    /// The id of the requirement.
    pub(super) fn requirement(&self) -> &str {
        &self.requirement.1
    }

    /// The id of the identity that is checked, and whether it is that of a business.
    pub(super) fn identity(&self) -> Option<(&str, bool)> {
        self.identity.as_ref().map(|(id, identity)| (id.as_str(), is_business(identity)))
    }

    /// The id of the address that is checked.
    pub(super) fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The ids of the members of a relationship of a record, as they were read.
    fn members(&self, spec: &'static ResourceSpec, id: &str, through: &'static str) -> Vec<&'a str> {
        let records: &'a [FoundRecord] = self.linked(spec, id, through);
        records.iter().map(|record| record.id.as_str()).collect()
    }

    /// The members of a relationship of a record, as they were read.
    fn linked(&self, spec: &'static ResourceSpec, id: &str, through: &'static str) -> &'a [FoundRecord] {
        found(self.found, &Need::MembersOf(spec, vec![id.to_owned()], through)).unwrap_or_default()
    }

    /// The members of a relationship of the requirement, as they were read.
    pub(super) fn required(&self, through: &'static str) -> &'a [FoundRecord] {
        self.linked(self.requirement.0, &self.requirement.1, through)
    }

    /// Why the kind or the country of the identity is not accepted.
    pub(super) fn wrong_identity(&self, demands: &Demands) -> Result<Option<String>, DecodeError> {
        let Some((id, identity)) = &self.identity else { return Ok(None) };
        let Some(of_kind) = demands.of_kind(identity) else {
            let kind = kind_of(identity).to_lowercase();
            return Ok(Some(format!("Identity of the type {kind} is not accepted")));
        };
        let is_anywhere = of_kind.area == Some(AreaLevel::WorldWide);
        if is_anywhere || self.is_in_country(Identity::SPEC, id) {
            return Ok(None);
        }
        Ok(Some(format!("Identity Place of Birth must be {}", self.country()?)))
    }

    /// Why the country of the address is not accepted.
    pub(super) fn wrong_address(&self, demands: &Demands) -> Result<Option<String>, DecodeError> {
        let is_anywhere = matches!(demands.address_area, None | Some(AreaLevel::WorldWide));
        let Some(address) = self.address.as_deref().filter(|_| !is_anywhere) else { return Ok(None) };
        // Requirements have no area and no city.
        if self.is_in_country(Address::SPEC, address) {
            return Ok(None);
        }
        Ok(Some(format!("Address in {} required", self.country()?)))
    }

    /// The demanded members that the identity lacks.
    pub(super) fn missing_fields(&self, demands: &Demands) -> Vec<String> {
        let Some((id, identity)) = &self.identity else { return Vec::new() };
        let fields = demands.of_kind(identity).map_or(&[][..], |of_kind| of_kind.fields.as_slice());
        let absent = fields.iter().filter(|field| !self.has(id, identity, field));
        let text = |field: &String| {
            let label = label(field, is_business(identity));
            format!("{label} is required for {} Identity", kind_of(identity))
        };
        absent.map(text).collect()
    }

    /// The name of the country of the numbers.
    fn country(&self) -> Result<String, DecodeError> {
        let Some(country) = self.required(COUNTRY).first() else { return Ok(String::new()) };
        Ok(country.decode_partial::<Country>()?.name.unwrap_or_default())
    }

    /// Whether a record has the country of the requirement. A requirement without a country accepts every one.
    fn is_in_country(&self, spec: &'static ResourceSpec, id: &str) -> bool {
        let of_numbers = self.members(self.requirement.0, &self.requirement.1, COUNTRY);
        let of_record = self.members(spec, id, COUNTRY);
        of_numbers.is_empty() || of_record.iter().any(|country| of_numbers.contains(country))
    }

    fn is_of_another_identity(&self) -> bool {
        let (Some((identity, _)), Some(address)) = (&self.identity, &self.address) else { return false };
        let owners = self.members(Address::SPEC, address, Address::IDENTITY.as_str());
        !owners.contains(&identity.as_str())
    }

    /// Whether an identity has a member, by its name or by its label. A member that no version can write is not
    /// demanded.
    fn has(&self, id: &str, identity: &IdentityPartial, field: &str) -> bool {
        let is_linked = |through| !self.members(Identity::SPEC, id, through).is_empty();
        match field {
            "birth_date" | "Birth Date" | "Company Representative Date of Birth" => {
                identity.birth_date.as_ref().is_some_and(Option::is_some)
            }
            "birth_country" => is_linked(BIRTH_COUNTRY),
            "country" | "Country of Tax Residence" => is_linked(COUNTRY),
            "personal_tax_id" | "Personal Tax ID" | "Representative Tax ID" => {
                is_filled(identity.personal_tax_id.as_ref().and_then(Option::as_deref))
            }
            "id_number" | "ID Number" => is_filled(identity.id_number.as_ref().and_then(Option::as_deref)),
            "vat_id" | "VAT Number / TAX Code" => {
                is_filled(identity.vat_id.as_ref().and_then(Option::as_deref))
            }
            "company_reg_number" | "Company ID" => {
                is_filled(identity.company_reg_number.as_ref().and_then(Option::as_deref))
            }
            "contact_email" | "Contact email" => {
                is_filled(identity.contact_email.as_ref().and_then(Option::as_deref))
            }
            _ => true,
        }
    }
}

fn one<'a>(context: &WriteContext<'a>, name: &str) -> Option<&'a super::LinkedRecord<'a>> {
    context.linked(name).and_then(<[_]>::first)
}

fn is_business(identity: &IdentityPartial) -> bool {
    identity.identity_type == Some(IdentityType::Business)
}

fn kind_of(identity: &IdentityPartial) -> &'static str {
    if is_business(identity) { "Business" } else { "Personal" }
}

/// The label of a member of an identity. The requirements for emergency calling have labels instead of names.
fn label(field: &str, is_business: bool) -> &str {
    match (field, is_business) {
        ("birth_date", false) => "Birth Date",
        ("birth_date", true) => "Company Representative Date of Birth",
        ("birth_country", _) => "Country of Birth",
        ("country", _) => "Country of Tax Residence",
        ("personal_tax_id", false) => "Personal Tax ID",
        ("personal_tax_id", true) => "Representative Tax ID",
        ("id_number", _) => "ID Number",
        ("vat_id", _) => "VAT Number / TAX Code",
        ("company_reg_number", _) => "Company ID",
        ("contact_email", _) => "Contact email",
        _ => field,
    }
}

fn is_filled(text: Option<&str>) -> bool {
    text.is_some_and(|text| !text.trim().is_empty())
}

//! The rules of checks against the requirements of a registration: nothing is stored, and missing data is refused.

use didww_types::resources::{
    AddressRequirement, AddressRequirementValidation, MandatoryFields, PermanentSupportingDocument, Proof,
    ProofType, SupportingDocumentTemplate,
};
use didww_types::{DecodeError, Resource as _};

use super::draft::Draft;
use super::needs::{Found, Need, found};
use super::requirement_check::{Check, Demands, OfIdentity, first, needs, subjects};
use super::{Links, RecordChange, Refusal, Rules, WriteContext};

const REQUIREMENT: &str = AddressRequirementValidation::ADDRESS_REQUIREMENT.as_str();
const PERSONAL_PROOFS: &str = AddressRequirement::PERSONAL_PROOF_TYPES.as_str();
const BUSINESS_PROOFS: &str = AddressRequirement::BUSINESS_PROOF_TYPES.as_str();
const ADDRESS_PROOFS: &str = AddressRequirement::ADDRESS_PROOF_TYPES.as_str();
const PERSONAL_FORM: &str = AddressRequirement::PERSONAL_PERMANENT_DOCUMENT.as_str();
const BUSINESS_FORM: &str = AddressRequirement::BUSINESS_PERMANENT_DOCUMENT.as_str();

/// Maximum number of documents of a kind that are counted.
const MAX_COUNTED: u64 = 100;

impl Rules for AddressRequirementValidation {
    const IS_OPERATION: bool = true;

    /// Reads the documents that the requirement accepts, and those that the identity and the address have.
    fn link_needs(links: &Links, read: &[Found]) -> Vec<Need> {
        let Some(requirement) = first(links, REQUIREMENT) else { return Vec::new() };
        let mut all = needs((AddressRequirement::SPEC, REQUIREMENT), links);
        let (identity, address) = subjects(links);
        for (id, proofs, form) in [
            (identity.as_ref(), PERSONAL_PROOFS, Some(PERSONAL_FORM)),
            (identity.as_ref(), BUSINESS_PROOFS, Some(BUSINESS_FORM)),
            (address.as_ref(), ADDRESS_PROOFS, None),
        ] {
            let Some(id) = id else { continue };
            for through in std::iter::once(proofs).chain(form) {
                let accepted = of_requirement(&requirement, through);
                let accepted_ids = found(read, &accepted).unwrap_or_default().iter();
                all.extend(accepted_ids.map(|record| {
                    if through == proofs { of_type(id, &record.id) } else { of_form(id, &record.id) }
                }));
                all.push(accepted);
            }
            all.push(all_proofs(id));
        }
        all
    }

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        let requirement = (AddressRequirement::SPEC, REQUIREMENT);
        let Some(check) = Check::of(context, requirement, &mut draft.refusals)? else { return Ok(()) };
        let linked = context.linked(REQUIREMENT).and_then(<[_]>::first);
        let required = match linked {
            Some(linked) => linked.decode::<AddressRequirement>()?,
            None => None,
        };
        let Some(required) = required else { return Ok(()) };
        let fields = |fields: Option<MandatoryFields>| -> Vec<String> {
            fields.iter().flat_map(MandatoryFields::as_slice).map(ToString::to_string).collect()
        };
        let demands = Demands {
            identity_type: required.identity_type,
            personal: OfIdentity {
                area: required.personal_area_level.flatten(),
                fields: fields(required.personal_mandatory_fields.flatten()),
            },
            business: OfIdentity {
                area: required.business_area_level.flatten(),
                fields: fields(required.business_mandatory_fields.flatten()),
            },
            address_area: required.address_area_level,
        };
        let documents = Documents { found: context.found, check: &check };
        let mut missing = Vec::new();
        missing.extend(check.wrong_identity(&demands)?);
        if let Some((id, is_business)) = check.identity() {
            let (quantity, proofs, form) = if is_business {
                (required.business_proof_qty, BUSINESS_PROOFS, BUSINESS_FORM)
            } else {
                (required.personal_proof_qty, PERSONAL_PROOFS, PERSONAL_FORM)
            };
            missing.extend(documents.missing_proofs("Identity", id, quantity, proofs)?);
            missing.extend(documents.missing_form(id, form)?);
        }
        missing.extend(check.wrong_address(&demands)?);
        if let Some(id) = check.address() {
            let quantity = required.address_proof_qty;
            missing.extend(documents.missing_proofs("Address", id, quantity, ADDRESS_PROOFS)?);
        }
        missing.extend(check.missing_fields(&demands));
        draft.refusals.extend(missing.into_iter().map(Refusal::record));
        let id = check.requirement().to_owned();
        draft.also.push(RecordChange::Unchanged { spec: AddressRequirement::SPEC, id });
        Ok(())
    }
}

/// The documents of the identity and the address that are checked.
struct Documents<'a> {
    found: &'a [Found],
    check: &'a Check<'a>,
}

impl Documents<'_> {
    /// Compares the number of documents of the accepted kinds with the number that is required. Without accepted kinds
    /// every document counts.
    fn missing_proofs(
        &self,
        what: &str,
        id: &str,
        quantity: Option<i64>,
        through: &'static str,
    ) -> Result<Option<String>, DecodeError> {
        let accepted = self.check.required(through);
        let counted = |need: &Need| found(self.found, need).map_or(0, <[_]>::len);
        let has: usize = if accepted.is_empty() {
            counted(&all_proofs(id))
        } else {
            accepted.iter().map(|kind| counted(&of_type(id, &kind.id))).sum()
        };
        let wanted = usize::try_from(quantity.unwrap_or_default()).unwrap_or_default();
        if has >= wanted {
            return Ok(None);
        }
        let mut names = Vec::with_capacity(accepted.len());
        for kind in accepted {
            names.push(kind.decode_partial::<ProofType>()?.name.unwrap_or_default());
        }
        let kinds = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        Ok(Some(format!("{wanted} {what} Proof(s){kinds} required")))
    }

    /// Checks that the form was filled in, if one is required.
    fn missing_form(&self, identity: &str, through: &'static str) -> Result<Option<String>, DecodeError> {
        let mut names = Vec::new();
        for form in self.check.required(through) {
            if found(self.found, &of_form(identity, &form.id)).is_none_or(<[_]>::is_empty) {
                names.push(form.decode_partial::<SupportingDocumentTemplate>()?.name.unwrap_or_default());
            }
        }
        let forms = names.join(", ");
        Ok((!names.is_empty()).then(|| format!("Following Supporting Document(s) required ({forms})")))
    }
}

fn of_requirement(id: &str, through: &'static str) -> Need {
    Need::MembersOf(AddressRequirement::SPEC, vec![id.to_owned()], through)
}

fn all_proofs(entity: &str) -> Need {
    proofs(vec![(Proof::ENTITY.as_str(), entity.to_owned())])
}

fn of_type(entity: &str, kind: &str) -> Need {
    proofs(vec![(Proof::ENTITY.as_str(), entity.to_owned()), (Proof::PROOF_TYPE.as_str(), kind.to_owned())])
}

fn proofs(links: Vec<(&'static str, String)>) -> Need {
    Need::Owners(Proof::SPEC, links, MAX_COUNTED)
}

fn of_form(identity: &str, form: &str) -> Need {
    let links = vec![
        (PermanentSupportingDocument::IDENTITY.as_str(), identity.to_owned()),
        (PermanentSupportingDocument::TEMPLATE.as_str(), form.to_owned()),
    ];
    Need::Owners(PermanentSupportingDocument::SPEC, links, 1)
}

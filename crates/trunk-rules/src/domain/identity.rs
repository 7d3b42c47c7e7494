//! The rules of identities: the members of persons and businesses, and when they are kept.

use didww_types::resources::{
    Address, AddressVerification, Country, Did, EmergencyCallingService, EmergencyVerification, Identity,
    IdentityType, PermanentSupportingDocument, Proof,
};
use didww_types::{DecodeError, Resource as _, Violation};

use super::draft::Draft;
use super::{
    DeleteContext, Dependents, MembersRead, Refusal, RelatedRecords, Rules, WriteContext, WriteError,
    WriteOutcome, vat_id,
};

const COMPANY_NAME: &str = Identity::SPEC.attribute_name("company_name");
const COMPANY_REG_NUMBER: &str = Identity::SPEC.attribute_name("company_reg_number");
const VAT_ID: &str = Identity::SPEC.attribute_name("vat_id");
const COUNTRY: &str = Identity::COUNTRY.as_str();

impl Rules for Identity {
    /// A request that only sets the VAT number is decided on the country that the identity has.
    const WRITE_READS: &'static [MembersRead] = &[MembersRead { relationship: COUNTRY, attribute: VAT_ID }];
    const DELETE_READS: &'static [RelatedRecords] = &[
        RelatedRecords::Owners(Did::SPEC, Did::IDENTITY.as_str()),
        RelatedRecords::ByPath(AddressVerification::SPEC, "addresses.identity"),
        RelatedRecords::ByPath(EmergencyVerification::SPEC, "addresses.identity"),
        RelatedRecords::ByPath(EmergencyCallingService::SPEC, "addresses.identity"),
    ];
    const DEPENDENTS: &'static [Dependents] = &[
        Dependents { spec: Address::SPEC, relationship: Address::IDENTITY.as_str() },
        Dependents { spec: Proof::SPEC, relationship: Proof::ENTITY.as_str() },
        Dependents {
            spec: PermanentSupportingDocument::SPEC,
            relationship: PermanentSupportingDocument::IDENTITY.as_str(),
        },
    ];

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        let stored = draft.before.as_ref().map(|identity| &identity.identity_type);
        match draft.changes.identity_type.as_ref().or(stored) {
            Some(IdentityType::Business) => business(context, draft),
            Some(IdentityType::Personal) => personal(context, draft),
            _ => {}
        }
        tax_number(context, draft)?;
        draft.require_linked_records(context);
        Ok(())
    }

    /// An identity is kept while a DID is registered to it, and while a verification of one of its addresses is
    /// reviewed.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        let reviewed = "a verification that is not reviewed yet";
        let users = ["a DID", reviewed, reviewed, "an emergency calling service that is not canceled"];
        match users.iter().zip(context.related).find(|(_, records)| !records.is_empty()) {
            Some((user, _)) => Err(Refusal::in_use(format!("The identity is used by {user}.")).into()),
            None => Ok(context.delete()),
        }
    }
}

/// A business has a name and a country.
fn business(context: &WriteContext<'_>, draft: &mut Draft<Identity>) {
    let sent_name = &draft.changes.company_name;
    let name = sent_name.as_ref().and_then(Option::as_deref).unwrap_or_default();
    if (context.is_create() || sent_name.is_some()) && name.trim().is_empty() {
        let refusal = Refusal::attribute(COMPANY_NAME, Violation::Blank);
        draft.refusals.push(refusal.because("a business has a name"));
    }
    let sent = context.linked(COUNTRY);
    if (context.is_create() || sent.is_some()) && sent.is_none_or(<[_]>::is_empty) {
        let refusal = Refusal::relationship(COUNTRY, Violation::Blank);
        draft.refusals.push(refusal.because("a business has a country"));
    }
}

/// From 2026-04-16 on, a person has nothing that only businesses have.
fn personal(context: &WriteContext<'_>, draft: &mut Draft<Identity>) {
    if !context.version.has_corrected_rules() {
        return;
    }
    let changes = &draft.changes;
    for (name, value) in [
        (COMPANY_NAME, &changes.company_name),
        (COMPANY_REG_NUMBER, &changes.company_reg_number),
        (VAT_ID, &changes.vat_id),
    ] {
        if value.as_ref().and_then(Option::as_deref).is_some_and(|text| !text.is_empty()) {
            let refusal = Refusal::attribute(name, Violation::MustBeBlank);
            draft.refusals.push(refusal.because("the identity is that of a person"));
        }
    }
}

/// From 2026-04-16 on, a VAT number that is sent has the form of the country that is sent or stored.
fn tax_number(context: &WriteContext<'_>, draft: &mut Draft<Identity>) -> Result<(), DecodeError> {
    let stored = draft.before.as_ref().map(|identity| &identity.identity_type);
    let kind = draft.changes.identity_type.as_ref().or(stored);
    let number = draft.changes.vat_id.as_ref().and_then(Option::as_deref).filter(|number| !number.is_empty());
    let Some(number) = number.filter(|_| kind == Some(&IdentityType::Business)) else { return Ok(()) };
    if !context.version.has_corrected_rules() {
        return Ok(());
    }
    let Some(country) = context.members(COUNTRY).first() else {
        // Otherwise the missing country is refused already.
        if !context.is_create() && context.linked(COUNTRY).is_none() {
            let refusal = Refusal::relationship(COUNTRY, Violation::Blank);
            draft.refusals.push(refusal.because("the VAT number needs a country"));
        }
        return Ok(());
    };
    let iso = country.decode::<Country>()?.and_then(|country| country.iso);
    if iso.is_some_and(|iso| !vat_id::is_valid(&iso, number)) {
        let refusal = Refusal::attribute(VAT_ID, Violation::Invalid);
        draft.refusals.push(refusal.because("it has not the form of the country"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use didww_types::ApiVersion;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{LinkedRecord, RecordText, Rulebook, WriteKind};

    const GERMANY: &str = r#"{"name":"Germany","prefix":"49","iso":"DE"}"#;
    const STORED: &str = r#"{"first_name":"A","last_name":"B","phone_number":"1","identity_type":"business",
        "company_name":"C","verified":false,"created_at":"2026-04-08T06:57:33.304Z"}"#;

    /// The errors of a write: each pointer with its title.
    fn errors(
        version: ApiVersion,
        kind: WriteKind<'_>,
        attributes: &Value,
        country: Option<&str>,
        is_stored: bool,
    ) -> Vec<(String, String)> {
        let record = |text| LinkedRecord { id: "7".to_owned(), attributes: Some(text) };
        let links: BTreeMap<_, Vec<_>> =
            country.map(|text| (COUNTRY, vec![record(text)])).into_iter().collect();
        let stored = if is_stored { vec![record(GERMANY)] } else { Vec::new() };
        let context = WriteContext {
            kind,
            version,
            sent: attributes.as_object().unwrap(),
            links: &links,
            stored_members: &BTreeMap::from([(COUNTRY, stored)]),
            ..WriteContext::of_nothing()
        };
        match Rulebook::DIDWW.decide_write(Identity::SPEC, &context) {
            Ok(_) => Vec::new(),
            Err(WriteError::Refused(refusals)) => {
                let shown = |refusal: &Refusal| {
                    let error = json!(refusal.to_error());
                    let text = |value: &Value| value.as_str().unwrap().to_owned();
                    (text(&error["source"]["pointer"]), text(&error["title"]))
                };
                refusals.iter().map(shown).collect()
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn refusals(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(pointer, title)| (format!("/data/{pointer}"), (*title).to_owned())).collect()
    }

    fn create(
        version: ApiVersion,
        kind: &str,
        further: &Value,
        country: Option<&str>,
    ) -> Vec<(String, String)> {
        let mut attributes =
            json!({ "identity_type": kind, "first_name": "A", "last_name": "B", "phone_number": "123" });
        attributes.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        errors(version, WriteKind::Create, &attributes, country, false)
    }

    #[test]
    fn a_business_has_a_name_and_a_country_in_every_version() {
        let both = refusals(&[
            ("attributes/company_name", "can't be blank"),
            ("relationships/country", "can't be blank"),
        ]);
        for version in [ApiVersion::V2021_04_19, ApiVersion::V2022_05_10] {
            assert_eq!(create(version, "Business", &json!({}), None), both);
            assert_eq!(create(version, "Personal", &json!({}), None), refusals(&[]));
        }
        for version in [ApiVersion::V2026_04_16, ApiVersion::NEWEST] {
            assert_eq!(create(version, "business", &json!({ "company_name": " " }), None), both);
            assert_eq!(
                create(version, "business", &json!({ "company_name": "C" }), Some(GERMANY)),
                refusals(&[])
            );
            assert_eq!(create(version, "personal", &json!({}), None), refusals(&[]));
        }
    }

    #[test]
    fn a_person_has_nothing_of_a_business_from_2026_04_16_on() {
        let sent = json!({ "company_name": "C", "company_reg_number": "1", "vat_id": "2" });
        assert_eq!(create(ApiVersion::V2022_05_10, "Personal", &sent, None), refusals(&[]));
        let expected = refusals(&[
            ("attributes/company_name", "must be blank"),
            ("attributes/company_reg_number", "must be blank"),
            ("attributes/vat_id", "must be blank"),
        ]);
        assert_eq!(create(ApiVersion::V2026_04_16, "personal", &sent, None), expected);
        let empty = json!({ "company_name": null, "vat_id": "" });
        assert_eq!(create(ApiVersion::NEWEST, "personal", &empty, None), refusals(&[]));
    }

    #[test]
    fn a_vat_number_has_the_form_of_the_country_from_2026_04_16_on() {
        let of = |number: &str| json!({ "company_name": "C", "vat_id": number });
        for right in ["DE123456789", "123456789"] {
            assert_eq!(create(ApiVersion::NEWEST, "business", &of(right), Some(GERMANY)), refusals(&[]));
        }
        let invalid = refusals(&[("attributes/vat_id", "is invalid")]);
        assert_eq!(create(ApiVersion::V2026_04_16, "business", &of("DE12"), Some(GERMANY)), invalid);
        assert_eq!(create(ApiVersion::V2022_05_10, "Business", &of("DE12"), Some(GERMANY)), refusals(&[]));
    }

    #[test]
    fn an_update_of_the_vat_number_needs_a_country_that_is_sent_or_stored() {
        let update = |sent: &Value, country, is_stored| {
            let stored = RecordText { id: "1", attributes: STORED, meta: None };
            errors(ApiVersion::NEWEST, WriteKind::Update(stored), sent, country, is_stored)
        };
        let number = json!({ "vat_id": "DE123456789" });
        assert_eq!(update(&number, None, true), refusals(&[]));
        let invalid = refusals(&[("attributes/vat_id", "is invalid")]);
        assert_eq!(update(&json!({ "vat_id": "DE1" }), None, true), invalid);
        assert_eq!(update(&number, Some(GERMANY), false), refusals(&[]));
        assert_eq!(update(&number, None, false), refusals(&[("relationships/country", "can't be blank")]));
        assert_eq!(update(&json!({ "vat_id": null }), None, false), refusals(&[]));
        assert_eq!(update(&json!({ "first_name": "Z" }), None, false), refusals(&[]));
        assert_eq!(
            update(&json!({ "company_name": null }), None, true),
            refusals(&[("attributes/company_name", "can't be blank")])
        );
    }
}

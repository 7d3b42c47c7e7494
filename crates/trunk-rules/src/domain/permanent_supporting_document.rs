//! The rules of forms that were filled in for an identity.

use didww_types::resources::{
    AddressVerification, EmergencyVerification, Identity, PermanentSupportingDocument,
    SupportingDocumentTemplate,
};
use didww_types::{DecodeError, Resource as _, Violation};

use super::draft::Draft;
use super::needs::{Found, Need};
use super::proof::{relied_on, too_many_files};
use super::{
    DeleteContext, Links, RecordChange, Refusal, RelatedRecords, Rules, WriteContext, WriteError,
    WriteOutcome,
};

const TEMPLATE: &str = PermanentSupportingDocument::TEMPLATE.as_str();
const IDENTITY: &str = PermanentSupportingDocument::IDENTITY.as_str();
const FILES: &str = PermanentSupportingDocument::FILES.as_str();

/// The path from a verification under review to the documents that it relies on.
const DOCUMENTS: &str = "addresses.identity.permanent_documents";

/// Maximum number of older documents that a new one replaces. There is one at most, unless concurrent requests add
/// several.
const MAX_OLDER: u64 = 10;

impl Rules for PermanentSupportingDocument {
    const DELETE_READS: &'static [RelatedRecords] = &[
        RelatedRecords::ByPath(AddressVerification::SPEC, DOCUMENTS),
        RelatedRecords::ByPath(EmergencyVerification::SPEC, DOCUMENTS),
    ];

    /// Reads the older documents of the same form and identity.
    fn link_needs(links: &Links, _read: &[Found]) -> Vec<Need> {
        let id = |name: &'static str| Some((name, links.get(name)?.first()?.clone()));
        match (id(TEMPLATE), id(IDENTITY)) {
            (Some(template), Some(identity)) => {
                vec![Need::Owners(PermanentSupportingDocument::SPEC, vec![template, identity], MAX_OLDER)]
            }
            _ => Vec::new(),
        }
    }

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        draft.refusals.extend(too_many_files(context, FILES));
        if !context.is_create() {
            return Ok(());
        }
        let template = match context.linked(TEMPLATE).and_then(<[_]>::first) {
            Some(template) => template.decode::<SupportingDocumentTemplate>()?,
            None => None,
        };
        if template.is_some_and(|template| template.permanent != Some(true)) {
            let refusal = Refusal::relationship(TEMPLATE, Violation::Invalid);
            draft.refusals.push(refusal.because("the form is filled in for each verification"));
        }
        let older = context.found.iter().flat_map(|found| &found.records);
        draft
            .also
            .extend(older.map(|record| RecordChange::Delete { spec: Self::SPEC, id: record.id.clone() }));
        let identities = context.linked(IDENTITY).unwrap_or_default();
        let existing = identities.iter().filter(|identity| identity.attributes.is_some());
        draft.also.extend(existing.map(|identity| RecordChange::touched(Identity::SPEC, &identity.id)));
        Ok(())
    }

    /// A document is kept while a verification that relies on it is reviewed.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        relied_on(context).map_or_else(|| Ok(context.delete()), |refusal| Err(refusal.into()))
    }
}

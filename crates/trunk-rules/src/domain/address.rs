//! The rules of addresses.

use didww_types::resources::{Address, AddressVerification, Identity, Proof};
use didww_types::{DecodeError, Resource as _};

use super::draft::Draft;
use super::{
    DeleteContext, Dependents, RecordChange, Refusal, RelatedRecords, Rules, UNDER_REVIEW, WriteContext,
    WriteError, WriteOutcome,
};

impl Rules for Address {
    const DELETE_READS: &'static [RelatedRecords] =
        &[RelatedRecords::Owners(AddressVerification::SPEC, UNDER_REVIEW)];
    const DEPENDENTS: &'static [Dependents] =
        &[Dependents { spec: Proof::SPEC, relationship: Proof::ENTITY.as_str() }];

    /// A new address changes the revision of its identity, so that it cannot be added beside the deletion of that.
    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        let identities = context.linked(Address::IDENTITY.as_str()).unwrap_or_default();
        let existing = identities.iter().filter(|identity| identity.attributes.is_some());
        draft.also.extend(existing.map(|identity| RecordChange::touched(Identity::SPEC, &identity.id)));
        Ok(())
    }

    /// An address is kept while a verification of it is reviewed.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        if context.related.iter().any(|records| !records.is_empty()) {
            let why = "The address is used by a verification that is not reviewed yet.";
            return Err(Refusal::in_use(why).into());
        }
        Ok(context.delete())
    }
}

//! The rules of addresses: their identity, and when they are kept.

use didww_types::resources::{
    Address, AddressVerification, EmergencyCallingService, EmergencyVerification, Identity, Proof,
};
use didww_types::{DecodeError, Resource as _};

use super::draft::Draft;
use super::{
    DeleteContext, Dependents, RecordChange, Refusal, RelatedRecords, Rules, UNDER_REVIEW, WriteContext,
    WriteError, WriteOutcome,
};

impl Rules for Address {
    const DELETE_READS: &'static [RelatedRecords] = &[
        RelatedRecords::Owners(AddressVerification::SPEC, UNDER_REVIEW),
        RelatedRecords::Owners(EmergencyVerification::SPEC, UNDER_REVIEW),
        RelatedRecords::Owners(EmergencyCallingService::SPEC, UNDER_REVIEW),
    ];
    const DEPENDENTS: &'static [Dependents] =
        &[Dependents { spec: Proof::SPEC, relationship: Proof::ENTITY.as_str() }];

    /// A new address changes the revision of its identity, so that it cannot be added while the identity is deleted.
    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        let identities = context.linked(Address::IDENTITY.as_str()).unwrap_or_default();
        let existing = identities.iter().filter(|identity| identity.attributes.is_some());
        draft.also.extend(existing.map(|identity| RecordChange::touched(Identity::SPEC, &identity.id)));
        Ok(())
    }

    /// An address is kept while a verification of it is reviewed, and while an emergency calling service uses it.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        let reviewed = "a verification that is not reviewed yet";
        let users = [reviewed, reviewed, "an emergency calling service that is not canceled"];
        match users.iter().zip(context.related).find(|(_, records)| !records.is_empty()) {
            Some((user, _)) => Err(Refusal::in_use(format!("The address is used by {user}.")).into()),
            None => Ok(context.delete()),
        }
    }
}

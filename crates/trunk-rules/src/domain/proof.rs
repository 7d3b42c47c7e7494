//! The rules of documents that prove an identity or an address.

use didww_types::resources::{
    Address, AddressVerification, EmergencyVerification, Identity, IdentityType, Proof, ProofEntityType,
    ProofType,
};
use didww_types::{DecodeError, Resource as _, Violation};

use super::draft::Draft;
use super::{
    DeleteContext, RecordChange, Refusal, RelatedRecords, Rules, WriteContext, WriteError, WriteOutcome,
};

const PROOF_TYPE: &str = Proof::PROOF_TYPE.as_str();
const ENTITY: &str = Proof::ENTITY.as_str();
const FILES: &str = Proof::FILES.as_str();

/// Maximum number of files of a document.
pub(super) const MAX_FILES: usize = 5;

impl Rules for Proof {
    const DELETE_READS: &'static [RelatedRecords] = &[
        RelatedRecords::ByPath(AddressVerification::SPEC, "addresses.proofs"),
        RelatedRecords::ByPath(AddressVerification::SPEC, "addresses.identity.proofs"),
        RelatedRecords::ByPath(EmergencyVerification::SPEC, "addresses.proofs"),
        RelatedRecords::ByPath(EmergencyVerification::SPEC, "addresses.identity.proofs"),
    ];

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        draft.refusals.extend(too_many_files(context, FILES));
        let entity = context.linked(ENTITY).and_then(<[_]>::first);
        let kind = context.linked(PROOF_TYPE).and_then(<[_]>::first);
        let (Some(entity), Some(kind)) = (entity, kind) else { return Ok(()) };
        // The type of identity only applies to identities, not to addresses.
        let Some(identity) = entity.decode::<Identity>()? else { return Ok(()) };
        let Some(proved) = kind.decode::<ProofType>()?.and_then(|kind| kind.entity_type) else {
            return Ok(());
        };
        let (spec, expected) = match identity.identity_type {
            None => (Address::SPEC, ProofEntityType::Address),
            Some(IdentityType::Business) => (Identity::SPEC, ProofEntityType::Business),
            Some(_) => (Identity::SPEC, ProofEntityType::Personal),
        };
        if proved != expected {
            let refusal = Refusal::relationship(PROOF_TYPE, Violation::Invalid);
            draft.refusals.push(refusal.because(format!("the document proves {proved}, not {expected}")));
        }
        draft.also.push(RecordChange::touched(spec, &entity.id));
        Ok(())
    }

    /// A document is kept while a verification that relies on it is reviewed.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        relied_on(context).map_or_else(|| Ok(context.delete()), |refusal| Err(refusal.into()))
    }
}

/// The refusal of more files than a document can have.
pub(super) fn too_many_files(context: &WriteContext<'_>, files: &str) -> Option<Refusal> {
    let sent = context.linked(files).map_or(0, <[_]>::len);
    (sent > MAX_FILES).then(|| Refusal::relationship(files, Violation::TooMany(MAX_FILES)))
}

/// The refusal of a deletion because of the records that were found.
pub(super) fn relied_on(context: &DeleteContext<'_>) -> Option<Refusal> {
    let is_needed = context.related.iter().any(|records| !records.is_empty());
    is_needed.then(|| Refusal::record("is used by a verification that is not reviewed yet"))
}

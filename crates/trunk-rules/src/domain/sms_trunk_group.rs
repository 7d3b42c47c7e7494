//! The rules of groups of text message trunks. Whether a trunk can be in a group is a rule of the trunk.

use didww_types::resources::{Did, SmsTrunk, SmsTrunkGroup};
use didww_types::{DecodeError, Resource as _};

use super::draft::Draft;
use super::sms_trunk::TRUNKS;
use super::{
    Counted, DeleteContext, Dependents, Refusal, RelatedRecords, Rules, WriteContext, WriteError,
    WriteOutcome,
};

/// The text is this server's own: no source has one.
const ROUTED: &str = "The trunk group cannot be removed while numbers are routed to it";

impl Rules for SmsTrunkGroup {
    const COUNTED: &'static [Counted] = &[Counted { member: "sms_trunks_count", relationship: TRUNKS }];

    const DELETE_READS: &'static [RelatedRecords] =
        &[RelatedRecords::Owners(Did::SPEC, Did::SMS_TRUNK_GROUP.as_str())];

    /// The trunks of a group are deleted with it, unless a number is routed to one of them.
    const DEPENDENTS: &'static [Dependents] =
        &[Dependents { spec: SmsTrunk::SPEC, relationship: SmsTrunk::SMS_TRUNK_GROUP.as_str() }];

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        draft.changes.updated_at = Some(context.now);
        Ok(())
    }

    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        if context.related.iter().any(|dids| !dids.is_empty()) {
            return Err(Refusal::record(ROUTED).into());
        }
        Ok(context.delete())
    }
}

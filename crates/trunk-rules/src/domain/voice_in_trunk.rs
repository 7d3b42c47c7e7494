//! The rules of inbound trunks.

mod configuration;

use didww_types::resources::{Did, VoiceInTrunk, VoiceInTrunkGroup};
use didww_types::{DecodeError, Resource as _, Violation};

pub use configuration::complete_configuration;

use super::draft::Draft;
use super::voice_in_trunk_group::{MAX_TRUNKS, TRUNKS};
use super::{
    DeleteContext, LinkedRead, RecordChange, Refusal, RelatedRecords, Rules, WriteContext, WriteError,
    WriteOutcome,
};

const GROUP: &str = VoiceInTrunk::VOICE_IN_TRUNK_GROUP.as_str();

/// The texts are this server's own: no source has them.
const ROUTED: &str = "The trunk cannot be removed while numbers are routed to it";
const IN_GROUP: &str = "The trunk cannot be removed while it is in a trunk group";

impl Rules for VoiceInTrunk {
    const LINKED_READS: &'static [LinkedRead] = &[LinkedRead { relationship: GROUP, members: TRUNKS }];

    const DELETE_READS: &'static [RelatedRecords] =
        &[RelatedRecords::Owners(Did::SPEC, Did::VOICE_IN_TRUNK.as_str()), RelatedRecords::Members(GROUP)];

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        configuration::decide(context, draft);
        draft.require_linked_records(context);
        join(context, draft);
        Ok(())
    }

    /// From 2026-04-16 on, a trunk in use stays. Before, the DIDs that are routed to it lose their route.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        let [dids, groups] = context.related else { return Ok(context.delete()) };
        if context.version.has_corrected_rules() {
            if !dids.is_empty() {
                return Err(Refusal::record(ROUTED).into());
            }
            if !groups.is_empty() {
                return Err(Refusal::record(IN_GROUP).into());
            }
        }
        Ok(context.delete())
    }
}

/// A group that the trunk joins must have room for it. The group's revision changes, so that of two trunks that join at
/// once, the second one is decided again.
fn join(context: &WriteContext<'_>, draft: &mut Draft<VoiceInTrunk>) {
    // The trunks are read only for a request about the trunk, not for one about the group.
    let Some(trunks) = context.stored_members.get(TRUNKS) else { return };
    let Some(group) = context.linked(GROUP).and_then(<[_]>::first) else { return };
    let own = match context.kind {
        super::WriteKind::Create => "",
        super::WriteKind::Update(stored) => stored.id,
    };
    if trunks.iter().any(|trunk| trunk.id == own) {
        return;
    }
    if trunks.len() >= MAX_TRUNKS && context.version.has_corrected_rules() {
        let refusal = Refusal::relationship(GROUP, Violation::Invalid);
        draft.refusals.push(refusal.because(format!("the group has {MAX_TRUNKS} trunks")));
    }
    draft.also.push(RecordChange::touched(VoiceInTrunkGroup::SPEC, &group.id));
}

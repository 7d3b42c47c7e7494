//! The rules of groups of inbound trunks.

use didww_types::resources::{Did, VoiceInTrunk, VoiceInTrunkGroup};
use didww_types::{DecodeError, Feature, Resource as _, Violation};

use super::draft::Draft;
use super::through_members::ids_of;
use super::{
    Counted, DeleteContext, LinkedRecord, RecordChange, Refusal, RelatedRecords, Rules, WriteContext,
    WriteError, WriteOutcome,
};

pub(super) const TRUNKS: &str = VoiceInTrunkGroup::VOICE_IN_TRUNKS.as_str();

/// Maximum number of trunks of a group.
pub(super) const MAX_TRUNKS: usize = 10;

/// The text is this server's own: no source has one.
const ROUTED: &str = "The trunk group cannot be removed while numbers are routed to it or to its trunks";

impl Rules for VoiceInTrunkGroup {
    const COUNTED: &'static [Counted] = &[Counted { member: "trunks_count", relationship: TRUNKS }];

    const DELETE_READS: &'static [RelatedRecords] = &[
        RelatedRecords::Owners(Did::SPEC, Did::VOICE_IN_TRUNK_GROUP.as_str()),
        RelatedRecords::ByPath(Did::SPEC, "voice_in_trunk.voice_in_trunk_group"),
        RelatedRecords::Members(TRUNKS),
    ];

    /// Recorded responses name the trunks by the column that the service has for them.
    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        let Some(trunks) = context.linked(TRUNKS) else { return Ok(()) };
        if trunks.iter().any(|trunk| trunk.attributes.is_none()) {
            let refusal =
                Refusal::member_at("/data/attributes/trunk_ids", "trunk_ids", Violation::AreInvalid);
            draft.refusals.push(refusal.because("the account has no such trunk"));
        }
        let sent = ids_of(trunks);
        let stays = |stored: &&LinkedRecord<'_>| context.adds && !sent.contains(stored.id.as_str());
        let kept = context.stored(TRUNKS).iter().filter(stays).count();
        if trunks.len() + kept > MAX_TRUNKS && context.version.has_corrected_rules() {
            draft.refusals.push(Refusal::relationship(TRUNKS, Violation::TooMany(MAX_TRUNKS)));
        }
        Ok(())
    }

    /// From 2026-04-16 on, the trunks of a group are deleted with it. Before, they stay, and the DIDs lose their route.
    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        if context.features.has(Feature::ReadOnly) {
            return Err(Refusal::forbidden().because("the account is in read-only mode").into());
        }
        let outcome = context.delete();
        let [of_group, of_trunks, trunks] = context.related else { return Ok(outcome) };
        if !context.version.has_corrected_rules() {
            return Ok(outcome);
        }
        if !of_group.is_empty() || !of_trunks.is_empty() {
            return Err(Refusal::record(ROUTED).into());
        }
        let mut changes = Vec::with_capacity(2 * trunks.len() + 1);
        for id in trunks {
            let (spec, relationship) = (Did::SPEC, Did::VOICE_IN_TRUNK.as_str());
            changes.push(RecordChange::Unlinked { spec, relationship, id: id.clone() });
            changes.push(RecordChange::Delete { spec: VoiceInTrunk::SPEC, id: id.clone() });
        }
        changes.extend(outcome.changes);
        Ok(WriteOutcome { changes, events: outcome.events })
    }
}

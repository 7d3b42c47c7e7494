//! The rules of shared capacity groups.

use didww_types::resources::{CapacityPool, Did, SharedCapacityGroup};
use didww_types::values::ChannelCount;
use didww_types::{DecodeError, Resource as _, Violation};

use super::draft::Draft;
use super::{
    DeleteContext, LinkedRecord, MembersRead, RecordChange, Refusal, RelatedRecords, Rules, WriteContext,
    WriteError, WriteOutcome,
};

const SHARED_CHANNELS: &str = SharedCapacityGroup::SPEC.attribute_name("shared_channels_count");
const METERED_CHANNELS: &str = SharedCapacityGroup::SPEC.attribute_name("metered_channels_count");
const CAPACITY_POOL: &str = SharedCapacityGroup::CAPACITY_POOL.as_str();

/// Maximum number of channels of a group that are charged by the minute.
const MAX_METERED: i64 = 1_000;

/// The text is this server's own: no source has one.
const NO_CHANNELS: &str = "At least one shared or metered channel is required";

/// The recorded text of the refusal to delete a group.
const IN_USE: &str = "The capacity group cannot be removed while active numbers are assigned to it";

impl Rules for SharedCapacityGroup {
    /// The channels are compared with the free ones of the pool, whichever of both the request sets.
    const WRITE_READS: &'static [MembersRead] = &[
        MembersRead { relationship: CAPACITY_POOL, attribute: SHARED_CHANNELS },
        MembersRead { relationship: CAPACITY_POOL, attribute: CAPACITY_POOL },
    ];

    const DELETE_READS: &'static [RelatedRecords] =
        &[RelatedRecords::Owners(Did::SPEC, Did::SHARED_CAPACITY_GROUP.as_str())];

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        channels(context, draft);
        let before = draft.before.as_ref().map(|group| group.shared_channels_count.get());
        let sent = draft.changes.shared_channels_count.map(ChannelCount::get);
        let stored = context.stored(CAPACITY_POOL).first();
        let linked = context.linked(CAPACITY_POOL).map(<[_]>::first);
        if draft.before.is_some() && linked.is_some_and(|pool| pool.is_none()) {
            draft.refusals.push(Refusal::relationship(CAPACITY_POOL, Violation::Blank));
        }
        let Some(pool) = linked.flatten().or(stored) else { return Ok(()) };
        let wanted = sent.or(before).unwrap_or_default();
        let held =
            if stored.is_some_and(|known| known.id == pool.id) { before.unwrap_or_default() } else { 0 };
        // Fewer channels than before are always permitted, even if the pool has become too small.
        if wanted <= held {
            return Ok(());
        }
        let Some(free) = free_channels(pool)? else { return Ok(()) };
        let most = free.saturating_add(held);
        if wanted > most {
            let refusal = Refusal::attribute(SHARED_CHANNELS, Violation::LessOrEqual(most.max(0).into()));
            draft.refusals.push(refusal.because("the pool has no more free channels"));
        }
        // A concurrent request for channels changes the pool's revision.
        draft.also.push(RecordChange::Unchanged { spec: CapacityPool::SPEC, id: pool.id.clone() });
        Ok(())
    }

    fn delete(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
        if context.related.iter().any(|dids| !dids.is_empty()) {
            return Err(Refusal::record(IN_USE).into());
        }
        Ok(context.delete())
    }
}

/// From 2026-04-16 on, a group has at least one channel, and not too many that are charged by the minute.
fn channels(context: &WriteContext<'_>, draft: &mut Draft<SharedCapacityGroup>) {
    let (shared, metered) = (draft.changes.shared_channels_count, draft.changes.metered_channels_count);
    let is_about_channels = if context.is_create() {
        context.linked(CAPACITY_POOL).is_some_and(|pools| !pools.is_empty())
    } else {
        shared.is_some() || metered.is_some()
    };
    if !context.version.has_corrected_rules() || !is_about_channels {
        return;
    }
    if metered.flatten().is_some_and(|metered| metered.get() > MAX_METERED) {
        let violation = Violation::LessOrEqual(MAX_METERED.into());
        draft.refusals.push(Refusal::attribute(METERED_CHANNELS, violation));
    }
    let before = draft.before.as_ref();
    let shared = shared.or(before.map(|group| group.shared_channels_count));
    let metered = metered.or(before.map(|group| group.metered_channels_count)).flatten();
    let has_channels = [shared, metered].into_iter().flatten().any(|channels| channels.get() > 0);
    if !has_channels && draft.refusals.is_empty() {
        draft.refusals.push(Refusal::record(NO_CHANNELS));
    }
}

/// The channels of a pool that nothing is assigned to; `None` if the account has no such pool.
pub(super) fn free_channels(pool: &LinkedRecord<'_>) -> Result<Option<i64>, DecodeError> {
    let Some(pool) = pool.decode::<CapacityPool>()? else { return Ok(None) };
    let total = pool.total_channels_count.unwrap_or_default();
    Ok(Some(total.saturating_sub(pool.assigned_channels_count.unwrap_or_default())))
}

//! The rules of shared capacity groups.

use didww_types::resources::{CapacityPool, Did, SharedCapacityGroup};
use didww_types::values::ChannelCount;
use didww_types::{DecodeError, Resource as _, Violation};

use super::draft::Draft;
use super::needs::{Found, Need};
use super::pool_country::{MAX_DIDS, MAX_NAMED, is_one_elsewhere, needs_of_group, needs_of_stored_pool};
use super::{
    DeleteContext, LinkedRecord, Links, MembersRead, RecordChange, Refusal, RelatedRecords, Rules,
    WriteContext, WriteError, WriteOutcome,
};

const SHARED_CHANNELS: &str = SharedCapacityGroup::SPEC.attribute_name("shared_channels_count");
const CAPACITY_POOL: &str = SharedCapacityGroup::CAPACITY_POOL.as_str();
const DIDS: &str = SharedCapacityGroup::DIDS.as_str();

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

    /// The rules of DIDs compare their countries with those of the pool.
    fn link_needs(links: &Links, read: &[Found]) -> Vec<Need> {
        needs_of_group(links, read)
    }

    fn update_needs(id: &str, links: &Links, read: &[Found]) -> Vec<Need> {
        let is_sent = |name: &str| links.get(name).is_some_and(|ids| !ids.is_empty());
        if is_sent(DIDS) && !is_sent(CAPACITY_POOL) { needs_of_stored_pool(id, read) } else { Vec::new() }
    }

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        if context.linked(DIDS).is_some_and(|dids| dids.len() > MAX_DIDS) {
            let refusal = Refusal::relationship(DIDS, Violation::TooMany(MAX_DIDS));
            draft.refusals.push(refusal.because("the countries of all numbers are compared with the pool's"));
            return Ok(());
        }
        // Up to this number, the rules of DIDs refuse each that is elsewhere.
        let has_many = context.linked(DIDS).is_some_and(|dids| dids.len() > MAX_NAMED);
        if has_many && is_one_elsewhere(context.found) {
            let refusal = Refusal::relationship(DIDS, Violation::NoSharedCapacity);
            draft.refusals.push(refusal.because("the pool does not have the country of one of the numbers"));
        }
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

/// The channels of a pool that nothing is assigned to; `None` if the account has no such pool.
pub(super) fn free_channels(pool: &LinkedRecord<'_>) -> Result<Option<i64>, DecodeError> {
    let Some(pool) = pool.decode::<CapacityPool>()? else { return Ok(None) };
    let total = pool.total_channels_count.unwrap_or_default();
    Ok(Some(total.saturating_sub(pool.assigned_channels_count.unwrap_or_default())))
}

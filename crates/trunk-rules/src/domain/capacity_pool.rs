//! The rules of capacity pools.

use didww_types::resources::CapacityPool;
use didww_types::{DecodeError, Resource as _, Violation};

use super::draft::Draft;
use super::{Refusal, Rules, WriteContext};

const TOTAL_CHANNELS: &str = CapacityPool::SPEC.attribute_name("total_channels_count");

impl Rules for CapacityPool {
    /// An owner can only return channels: more of them are bought with an order, and neither those in use nor those of
    /// the smallest size can be returned.
    fn write(_context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        let (Some(pool), Some(after)) = (&draft.before, draft.changes.total_channels_count) else {
            return Ok(());
        };
        let before = pool.total_channels_count;
        let smallest = pool.assigned_channels_count.max(pool.minimum_limit);
        let refuse = |violation| Refusal::attribute(TOTAL_CHANNELS, violation);
        if after > before {
            let refusal = refuse(Violation::LessOrEqual(before.into()));
            draft.refusals.push(refusal.because("channels are added with an order"));
        } else if after < before && after < smallest {
            draft.refusals.push(refuse(Violation::AtLeast(smallest)));
        }
        Ok(())
    }
}

//! The active calls of trunks and their spending in the last 24 hours, for the server's metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use didww_types::Id;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::inner::Inner;

/// The calls and the spending of a trunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrunkActivity {
    /// The id of the trunk.
    pub trunk: Uuid,
    /// The name of the trunk; empty if it was deleted and has no active call.
    pub name: Arc<str>,
    /// Number of active calls of this node, including those that are being set up.
    pub active_calls: u64,
    /// The price so far of the active calls of this node, in US dollars.
    pub active_price: Decimal,
    /// The price of the calls of all nodes in the last 24 hours, active ones included, in US dollars.
    pub last_24_hours: Decimal,
}

/// The activity of each trunk that has any, in the order of their ids.
pub(super) fn of(inner: &Inner) -> Vec<TrunkActivity> {
    let mut activity: BTreeMap<Uuid, TrunkActivity> = BTreeMap::new();
    for call_state in inner.calls.all() {
        let Some(trunk) = call_state.trunk_uuid() else { continue };
        let of_trunk = activity.entry(trunk).or_default();
        of_trunk.active_calls += 1;
        of_trunk.name = (*call_state.trunk.name).into();
    }
    for (trunk, active, spent) in inner.billing.prices(inner.core.clock.now()) {
        let of_trunk = activity.entry(trunk).or_default();
        (of_trunk.active_price, of_trunk.last_24_hours) = (active, spent);
    }
    let trunks = inner.trunks.read();
    let named = activity.into_iter().map(|(trunk, of_trunk)| {
        let terms = trunks.index.get(&Id::new(trunk.to_string()));
        let name = terms.map_or(of_trunk.name, |terms| (*terms.name).into());
        TrunkActivity { trunk, name, ..of_trunk }
    });
    named.collect()
}

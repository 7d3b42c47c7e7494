//! What an order needs to be carried out. It is in the `meta` of the order's record, which no answer has.

use didww_types::values::Money;
use serde::Deserialize;
use service_core::jobs::JobError;
use trunk_rules::domain::PLAN;
use trunk_store::Record;
use uuid::Uuid;

/// What an item of an order needs to be carried out: of numbers, or of channels.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Item {
    Numbers(NumbersItem),
    Channels { capacity_pool: Uuid, qty: i64 },
}

/// An item of numbers.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct NumbersItem {
    pub(super) did_group: Uuid,
    pub(super) nanpa_prefix: Option<String>,
    pub(super) qty: usize,
    /// How many of the numbers that the order holds are this item's.
    pub(super) held: usize,
    /// Whether the item names its number, so that no other one can replace it.
    #[serde(default)]
    pub(super) chosen: bool,
    pub(super) channels: i64,
    pub(super) cycles: Option<i64>,
    #[serde(default)]
    pub(super) monthly_price: Option<Money>,
}

/// What the items of an order need, from its record.
pub(super) fn plan_of(record: &Record, payload: &str) -> Result<Vec<Item>, JobError> {
    let failed = |error: serde_json::Error| JobError::Failed(error.to_string());
    match record.meta()?.remove(PLAN) {
        Some(plan) => serde_json::from_value(plan).map_err(failed),
        // Of an order that is older than plans, the job has it.
        None => serde_json::from_str(payload).map_err(failed),
    }
}

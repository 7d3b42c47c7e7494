//! What an order needs to be carried out. It is in the `meta` of the order's record, which no answer has.

use didww_types::Timestamp;
use didww_types::values::Money;
use serde::Deserialize;
use service_core::jobs::JobError;
use trunk_rules::domain::{PLAN, days_long, month_after};
use trunk_store::Record;
use uuid::Uuid;

/// What an item of an order needs to be carried out: of numbers, or of channels.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Item {
    Numbers(NumbersItem),
    Channels {
        capacity_pool: Uuid,
        qty: i64,
        /// The days of the pool's period that are paid; `None` if the whole period is.
        #[serde(default)]
        days: Option<i64>,
    },
}

/// Which of the numbers that an order holds are an item's.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Held {
    /// Those with these ids.
    Ids(Vec<Uuid>),
    /// The next ones, as many as this: in an order that is older than the ids in its plan.
    Count(usize),
}

/// An item of numbers.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct NumbersItem {
    pub(super) did_group: Uuid,
    pub(super) nanpa_prefix: Option<String>,
    pub(super) qty: usize,
    pub(super) held: Held,
    /// Whether the item names its number, so that no other one can replace it.
    #[serde(default)]
    pub(super) chosen: bool,
    pub(super) channels: i64,
    pub(super) cycles: Option<i64>,
    /// The days of the first period that are paid; `None` if the whole period is.
    #[serde(default)]
    days: Option<i64>,
    #[serde(default)]
    pub(super) monthly_price: Option<Money>,
}

impl NumbersItem {
    /// When the period ends that is paid of numbers which become DIDs now.
    pub(super) fn paid_until(&self, now: Timestamp) -> Timestamp {
        self.days.map_or_else(|| month_after(now), |days| now.after(days_long(days)))
    }
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

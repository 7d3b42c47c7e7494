//! The plan of an order: the data for carrying it out. It is in the `meta` of the order's record, which answers do not
//! show.

use didww_types::Timestamp;
use didww_types::values::Money;
use serde::{Deserialize, Deserializer};
use service_core::jobs::JobError;
use trunk_rules::domain::{PLAN, days_long, month_after};
use trunk_store::Record;
use uuid::Uuid;

/// The data for carrying out an item of an order: of numbers, or of channels.
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

/// An item of telephone numbers of a DID group.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct NumbersItem {
    pub(super) did_group: Uuid,
    pub(super) nanpa_prefix: Option<String>,
    pub(super) qty: usize,
    /// The ids of the numbers that the order holds for the item. `None` stands for the next number that it holds: plans
    /// once had only the count.
    #[serde(deserialize_with = "ids_or_count")]
    pub(super) held: Vec<Option<Uuid>>,
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
    /// The end of the paid period of numbers that become DIDs now.
    pub(super) fn paid_until(&self, now: Timestamp) -> Timestamp {
        self.days.map_or_else(|| month_after(now), |days| now.after(days_long(days)))
    }
}

fn ids_or_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Option<Uuid>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum IdsOrCount {
        Ids(Vec<Uuid>),
        Count(usize),
    }
    Ok(match IdsOrCount::deserialize(deserializer)? {
        IdsOrCount::Ids(ids) => ids.into_iter().map(Some).collect(),
        IdsOrCount::Count(count) => vec![None; count],
    })
}

/// The plan of an order, from its record.
pub(super) fn plan_of(record: &Record, payload: &str) -> Result<Vec<Item>, JobError> {
    let failed = |error: serde_json::Error| JobError::Failed(error.to_string());
    match record.meta()?.remove(PLAN) {
        Some(plan) => serde_json::from_value(plan).map_err(failed),
        // The plan of an order from before plans were stored is in its job.
        None => serde_json::from_str(payload).map_err(failed),
    }
}

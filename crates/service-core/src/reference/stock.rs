//! Compares the numbers in stock of a file with the DIDs that some of them became.
//!
//! A file is loaded again at every start. Numbers that became DIDs meanwhile are still in the file, and are still
//! counted in the stock that it states for their group.

use std::collections::{HashMap, HashSet};

use didww_types::resources::{AvailableDid, Did, DidGroup};
use didww_types::{FilterTest, Named as _, Resource as _, ResourceSpec};
use serde_json::{Map, Value, json};
use trunk_store::{Condition, IndexValue, ListQuery, Record, Scope, StoreError};
use uuid::Uuid;

use super::checked::Checked;
use crate::Core;

/// The path from a number in stock to the DID that it became.
const DIDS: &str = "available_dids<dids";

/// The telephone number in the attributes of a record, if it has one.
pub(super) fn number(attributes: &Map<String, Value>) -> Option<&str> {
    attributes.get("number")?.as_str()
}

/// The new records that are numbers in stock, but DIDs already. Empty for other types.
pub(super) async fn dids_among(
    core: &Core,
    spec: &'static ResourceSpec,
    found: &HashMap<Uuid, Record>,
    records: &[Checked],
) -> Result<HashSet<String>, StoreError> {
    if spec.name != AvailableDid::TYPE {
        return Ok(HashSet::new());
    }
    let new = records.iter().filter(|record| !found.contains_key(&record.id));
    let numbers: Vec<String> =
        new.filter_map(|record| number(&record.attributes)).map(str::to_owned).collect();
    if numbers.is_empty() {
        return Ok(HashSet::new());
    }
    core.store.claimed(Did::SPEC, "number", numbers).await
}

/// The `meta` of a stored record according to the file; for a DID group, without the numbers that became DIDs.
pub(super) async fn left(
    core: &Core,
    scope: Scope,
    before: &Record,
    stated: Option<String>,
) -> Result<Option<String>, StoreError> {
    let Some(text) = stated else { return Ok(None) };
    // Numbers are counted only if some were sold, or the file was changed.
    if scope.spec.name != DidGroup::TYPE || before.meta.as_ref() == Some(&text) {
        return Ok(Some(text));
    }
    let free = Condition { test: FilterTest::Linked(DIDS), values: vec![IndexValue::Null] };
    let all = count(core, scope, before, None).await?;
    let sold = all.saturating_sub(count(core, scope, before, Some(free)).await?);
    let mut meta: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| StoreError::Failed(format!("the meta of {}: {error}", before.id)))?;
    let stock = meta.get("total_count").and_then(Value::as_u64);
    let Some(stock) = stock.filter(|_| sold > 0) else { return Ok(Some(text)) };
    let left = stock.saturating_sub(sold);
    meta.insert("total_count".to_owned(), json!(left));
    if left == 0 {
        meta.insert("is_available".to_owned(), json!(false));
    }
    Ok(Some(Value::Object(meta).to_string()))
}

/// Counts the numbers of a DID group that fulfil a condition.
async fn count(
    core: &Core,
    scope: Scope,
    group: &Record,
    condition: Option<Condition>,
) -> Result<u64, StoreError> {
    let of_group = Condition {
        test: FilterTest::Linked(AvailableDid::DID_GROUP.as_str()),
        values: vec![IndexValue::Text(group.id.to_string())],
    };
    let query = ListQuery {
        scope: Scope { spec: AvailableDid::SPEC, ..scope },
        linked_from: None,
        conditions: std::iter::once(of_group).chain(condition).collect(),
        order: Vec::new(),
        offset: 0,
        limit: 1,
    };
    Ok(core.store.list(query).await?.total)
}

//! Numbers in stock: the counts of DID groups, and finding the stocked numbers of DIDs.

use std::collections::{BTreeMap, HashMap};

use didww_types::resources::{AvailableDid, AvailableDidPartial, Did, DidGroup, Order, OrderStatus};
use didww_types::{FilterTest, Partial as _, Resource as _};
use serde_json::{Value, json};
use service_core::{Core, Retries};
use trunk_store::{Change, Condition, IndexValue, ListQuery, NO_ACCOUNT, Record, Scope, StoreError};
use uuid::Uuid;

use crate::balances::balance;

/// Maximum number of numbers that are looked up at a time.
const AT_ONCE: usize = 500;

/// The changes that add these differences to the stock that DID groups state.
pub(crate) async fn count(core: &Core, differences: BTreeMap<Uuid, i64>) -> Result<Vec<Change>, StoreError> {
    let scope = Scope { account: NO_ACCOUNT, spec: DidGroup::SPEC };
    let mut changes = Vec::with_capacity(differences.len());
    for (group, difference) in differences {
        let Some(before) = core.store.find(scope, group).await? else { continue };
        let mut meta = before.meta()?;
        let Some(stock) = meta.get("total_count").and_then(Value::as_i64) else { continue };
        let left = stock.saturating_add(difference).max(0);
        meta.insert("total_count".to_owned(), json!(left));
        meta.insert("is_available".to_owned(), json!(left > 0));
        let (attributes, meta) = (before.attributes()?, Some(Value::Object(meta).to_string()));
        changes.push(Change::Replace { scope, before, attributes, links: Vec::new(), meta });
    }
    Ok(changes)
}

/// Deletes the records of an account, and with `deletes` the account, and adds the numbers that it had ordered to the
/// stock that DID groups state, in one transaction.
///
/// # Errors
/// If the store fails.
pub(crate) async fn clear(core: &Core, account: i64, deletes: bool) -> Result<(), StoreError> {
    let cleared = Retries::REQUEST
        .run(|| async move {
            let changes = return_to_stock(core, account).await?;
            core.store.reset_with(changes, Some(account), deletes).await?;
            Ok(())
        })
        .await;
    core.stock.begin_anew();
    cleared
}

/// The changes that return the numbers of an account to the stock, and the conditions on which they depend.
///
/// # Errors
/// [`StoreError::Conflict`] if DIDs were added or removed meanwhile, or the store fails.
async fn return_to_stock(core: &Core, account: i64) -> Result<Vec<Change>, StoreError> {
    // A later order is paid from the balance, and one that is pending already is carried out by a change of its record.
    // So both cause a conflict, except a new order that costs nothing.
    let paid_from = balance(core, account).await?;
    let mut changes: Vec<Change> = paid_from.into_iter().map(|record| Change::Unchanged { record }).collect();
    changes.extend(pending_orders(core, account).await?);
    let numbers = ordered(core, account).await?;
    changes.extend(count(core, numbers.clone()).await?);
    check_ordered(core, account, &numbers).await?;
    Ok(changes)
}

/// Checks that an account still has these DIDs. One that was released before the record of its group was read is
/// counted there already; a later release changes that record.
async fn check_ordered(core: &Core, account: i64, numbers: &BTreeMap<Uuid, i64>) -> Result<(), StoreError> {
    if ordered(core, account).await? == *numbers { Ok(()) } else { Err(StoreError::Conflict) }
}

/// A page of the records that fulfil conditions.
async fn page(
    core: &Core,
    scope: Scope,
    conditions: Vec<Condition>,
    offset: u64,
) -> Result<Vec<Record>, StoreError> {
    let (order, limit) = (Vec::new(), AT_ONCE as u64);
    let query = ListQuery { scope, linked_from: None, conditions, order, offset, limit };
    Ok(core.store.list(query).await?.records)
}

/// The index of the status of orders, without regard to case.
const STATUS: &str = "status~";

/// The conditions that the pending orders of an account stay as they are.
async fn pending_orders(core: &Core, account: i64) -> Result<Vec<Change>, StoreError> {
    let scope = Scope { account, spec: Order::SPEC };
    let values = vec![IndexValue::Text(OrderStatus::Pending.as_str().to_owned())];
    let is_pending = vec![Condition { test: FilterTest::Equals(STATUS), values }];
    let (mut conditions, mut offset) = (Vec::new(), 0);
    loop {
        let orders = page(core, scope, is_pending.clone(), offset).await?;
        if orders.is_empty() {
            return Ok(conditions);
        }
        offset += AT_ONCE as u64;
        conditions.extend(orders.into_iter().map(|record| Change::Unchanged { record }));
    }
}

/// The numbers of DIDs of an account that were ordered, by their DID group.
async fn ordered(core: &Core, account: i64) -> Result<BTreeMap<Uuid, i64>, StoreError> {
    let scope = Scope { account, spec: Did::SPEC };
    let (mut numbers, mut offset) = (BTreeMap::new(), 0);
    loop {
        let page = page(core, scope, Vec::new(), offset).await?;
        if page.is_empty() {
            return Ok(numbers);
        }
        offset += AT_ONCE as u64;
        let dids = page.iter().map(|did| did.number).collect();
        let orders = core.store.members(scope, dids, Did::ORDER.as_str(), usize::MAX).await?;
        let of_orders: Vec<i64> = orders.into_iter().map(|(did, _, _)| did).collect();
        if of_orders.is_empty() {
            continue;
        }
        let groups = core.store.members(scope, of_orders, Did::DID_GROUP.as_str(), usize::MAX).await?;
        for (_, _, group) in groups {
            *numbers.entry(group).or_default() += 1;
        }
    }
}

/// The path from a number in stock to its reservation.
const RESERVATIONS: &str = "available_did<did_reservations";

/// Finds the records of numbers in stock by their telephone numbers. Reserved numbers are left out: the order of a
/// reservation detects that its number is a DID.
pub(crate) async fn by_number(core: &Core, numbers: &[String]) -> Result<HashMap<String, Uuid>, StoreError> {
    let scope = Scope { account: NO_ACCOUNT, spec: AvailableDid::SPEC };
    let mut found = HashMap::new();
    // Most servers have no stock, and searching for reservations is a long read.
    let all = ListQuery {
        scope,
        linked_from: None,
        conditions: Vec::new(),
        order: Vec::new(),
        offset: 0,
        limit: 0,
    };
    if core.store.list(all).await?.total == 0 {
        return Ok(found);
    }
    for some in numbers.chunks(AT_ONCE) {
        let values = some.iter().cloned().map(IndexValue::Text).collect();
        let query = ListQuery {
            scope,
            linked_from: None,
            conditions: vec![
                Condition { test: FilterTest::Equals("number"), values },
                Condition { test: FilterTest::Linked(RESERVATIONS), values: vec![IndexValue::Null] },
            ],
            order: Vec::new(),
            offset: 0,
            limit: some.len() as u64,
        };
        for record in core.store.list(query).await?.records {
            let read = AvailableDidPartial::from_attributes(&record.attributes);
            let number = read.ok().and_then(|read| read.number);
            found.extend(number.map(|number| (number, record.id)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;

//! Drops events of queues that are too long, and events that are too old.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::queue::{delete_finished, mark_first, update_backlog};
use crate::sqlite::error::failed;
use crate::sqlite::row::uuid;
use crate::{Bounds, Dropped, Owner, StoreError, Surplus};

/// Selects the customers with more waiting events than the bound. Without the hint, the engine would read every
/// customer.
pub(super) const OVERFULL_CUSTOMERS: &str =
    "SELECT customer, waiting FROM backlog INDEXED BY backlog_longest WHERE account = 0 AND waiting > ?1";

/// Selects the customers with waiting events.
pub(super) const WAITING_CUSTOMERS: &str = "SELECT customer FROM backlog WHERE account = 0 AND waiting > 0";

/// Drops, among a number of the oldest waiting events of a customer, those that happened before a time.
pub(super) const DROP_OLDEST: &str = "UPDATE outbox SET outcome = 'dropped', first = 0 WHERE number IN (\
    SELECT number FROM (SELECT number, created_at FROM outbox WHERE customer = ?1 AND outcome IS NULL \
    ORDER BY number LIMIT ?2) WHERE created_at < ?3) RETURNING subject";

pub(in crate::sqlite) fn is_overfull(connection: &Connection, bound: u64) -> Result<bool, StoreError> {
    connection
        .prepare_cached(OVERFULL_CUSTOMERS)
        .map_err(failed)?
        .query_row([i64::try_from(bound).unwrap_or(i64::MAX)], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
        .map_err(failed)
}

/// Drops events of all customers, at most `max` in total.
pub(in crate::sqlite) fn drop_surplus(
    connection: &Connection,
    bounds: Bounds,
    max: u64,
) -> Result<Vec<Dropped>, StoreError> {
    let mut dropped = Vec::new();
    let mut remaining = max;
    for (customer, waiting) in overfull_customers(connection, bounds.most)? {
        if remaining == 0 {
            break;
        }
        // At least a hundredth of the bound, so that not every further event drops one.
        let surplus = (waiting - bounds.most).max(bounds.most / 100).min(remaining);
        let events = drop_oldest(connection, customer, surplus, i64::MAX)?;
        remaining -= events;
        dropped.push(Dropped { customer, events, why: Surplus::TooMany });
    }
    let before = bounds.before.as_unix_millis();
    for customer in waiting_customers(connection)? {
        if remaining == 0 {
            break;
        }
        let events = drop_oldest(connection, customer, remaining, before)?;
        remaining -= events;
        dropped.push(Dropped { customer, events, why: Surplus::TooOld });
    }
    dropped.retain(|dropped| dropped.events > 0);
    if !dropped.is_empty() {
        delete_finished(connection)?;
    }
    Ok(dropped)
}

fn overfull_customers(connection: &Connection, bound: u64) -> Result<Vec<(Uuid, u64)>, StoreError> {
    let mut select = connection.prepare_cached(OVERFULL_CUSTOMERS).map_err(failed)?;
    let rows = select
        .query_map([i64::try_from(bound).unwrap_or(i64::MAX)], |row| {
            Ok((uuid(row, 0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default()))
        })
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn waiting_customers(connection: &Connection) -> Result<Vec<Uuid>, StoreError> {
    let mut select = connection.prepare_cached(WAITING_CUSTOMERS).map_err(failed)?;
    let rows = select.query_map([], |row| uuid(row, 0)).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Drops, among the `max` oldest waiting events of a customer, those that happened before a time. Returns how many.
fn drop_oldest(connection: &Connection, customer: Uuid, max: u64, before: i64) -> Result<u64, StoreError> {
    let mut drop = connection.prepare_cached(DROP_OLDEST).map_err(failed)?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = drop
        .query_map(params![customer.as_bytes(), max, before], |row| row.get::<_, Vec<u8>>(0))
        .map_err(failed)?;
    let subjects = rows.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let dropped = subjects.len();
    if dropped == 0 {
        return Ok(0);
    }
    for subject in subjects.into_iter().collect::<HashSet<_>>() {
        mark_first(connection, &subject)?;
    }
    let count = i64::try_from(dropped).unwrap_or(i64::MAX);
    update_backlog(connection, Owner::Customer(customer), -count, count)?;
    Ok(u64::try_from(dropped).unwrap_or_default())
}

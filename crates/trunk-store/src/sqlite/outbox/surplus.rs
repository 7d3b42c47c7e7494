//! What is dropped of a customer's queue when it has become too long or too old.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::{forget_over, lead, settle};
use crate::sqlite::error::failed;
use crate::sqlite::uuid;
use crate::{Bounds, Dropped, Owner, StoreError, Surplus};

/// Customers of whom more waits than may. By itself the engine would look at every customer.
pub(super) const LONGEST: &str =
    "SELECT customer, waiting FROM backlog INDEXED BY backlog_longest WHERE account = 0 AND waiting > ?1";

/// Customers of whom anything waits.
pub(super) const WAITING: &str = "SELECT customer FROM backlog WHERE account = 0 AND waiting > 0";

/// So many of a customer's oldest events, of them those that happened before a time.
pub(super) const DROP: &str = "UPDATE outbox SET outcome = 'dropped', first = 0 WHERE number IN (\
    SELECT number FROM (SELECT number, created_at FROM outbox WHERE customer = ?1 AND outcome IS NULL \
    ORDER BY number LIMIT ?2) WHERE created_at < ?3) RETURNING subject";

pub(in crate::sqlite) fn is_overfull(connection: &Connection, most: u64) -> Result<bool, StoreError> {
    connection
        .prepare_cached(LONGEST)
        .map_err(failed)?
        .query_row([i64::try_from(most).unwrap_or(i64::MAX)], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
        .map_err(failed)
}

/// Drops so many events at most, altogether.
pub(in crate::sqlite) fn drop_surplus(
    connection: &Connection,
    bounds: Bounds,
    most: u64,
) -> Result<Vec<Dropped>, StoreError> {
    let mut all = Vec::new();
    let mut room = most;
    for (customer, waiting) in overfull(connection, bounds.most)? {
        if room == 0 {
            break;
        }
        // A little more than has to go, so that not every further event drops one.
        let surplus = (waiting - bounds.most).max(bounds.most / 100).min(room);
        let events = drop_oldest(connection, customer, surplus, i64::MAX)?;
        room -= events;
        all.push(Dropped { customer, events, why: Surplus::TooMany });
    }
    let before = bounds.before.as_unix_millis();
    for customer in waiting(connection)? {
        if room == 0 {
            break;
        }
        let events = drop_oldest(connection, customer, room, before)?;
        room -= events;
        all.push(Dropped { customer, events, why: Surplus::TooOld });
    }
    all.retain(|dropped| dropped.events > 0);
    if !all.is_empty() {
        forget_over(connection)?;
    }
    Ok(all)
}

fn overfull(connection: &Connection, most: u64) -> Result<Vec<(Uuid, u64)>, StoreError> {
    let mut select = connection.prepare_cached(LONGEST).map_err(failed)?;
    let rows = select
        .query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| {
            Ok((uuid(row, 0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default()))
        })
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn waiting(connection: &Connection) -> Result<Vec<Uuid>, StoreError> {
    let mut select = connection.prepare_cached(WAITING).map_err(failed)?;
    let rows = select.query_map([], |row| uuid(row, 0)).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Drops of so many of a customer's oldest events those that happened before a time; gives how many.
fn drop_oldest(connection: &Connection, customer: Uuid, most: u64, before: i64) -> Result<u64, StoreError> {
    let mut drop = connection.prepare_cached(DROP).map_err(failed)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = drop
        .query_map(params![customer.as_bytes(), most, before], |row| row.get::<_, Vec<u8>>(0))
        .map_err(failed)?;
    let subjects = rows.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let dropped = subjects.len();
    if dropped == 0 {
        return Ok(0);
    }
    for subject in subjects.into_iter().collect::<HashSet<_>>() {
        lead(connection, &subject)?;
    }
    let count = i64::try_from(dropped).unwrap_or(i64::MAX);
    settle(connection, Owner::Customer(customer), -count, count)?;
    Ok(u64::try_from(dropped).unwrap_or_default())
}

//! The outbox: events to deliver, and the history of attempts.

mod due;
mod leases;
mod queue;
mod surplus;

use std::time::Duration;

use didww_types::Timestamp;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::callback_secrets;
use super::error::failed;
use super::row::uuid;
use crate::{Attempted, Backlog, Delivery, NewEvent, Owner, StoreError};
use queue::{MAX_HISTORY, columns, delete_finished, mark_first, update_backlog};

pub(super) use due::{due, next_due};
pub(super) use leases::Leases;
pub(super) use surplus::{drop_surplus, is_overfull};

const INSERT: &str = "INSERT INTO outbox \
    (account, customer, subject, url, method, signature, body, created_at, due_at, first) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, \
        NOT EXISTS (SELECT 1 FROM outbox WHERE subject = ?3 AND outcome IS NULL))";

pub(super) fn insert(connection: &Connection, event: &NewEvent) -> Result<(), StoreError> {
    let owner = event.form.owner();
    if let Owner::Account(account) = owner
        && !callback_secrets::has_enabled(connection, account)?
    {
        tracing::info!(subject = %event.subject, "an event was dropped: its account has no enabled callback secret");
        return update_backlog(connection, owner, 0, 1);
    }
    let (account, customer) = columns(owner);
    let (method, signature) = event.form.stored();
    connection
        .prepare_cached(INSERT)
        .map_err(failed)?
        .execute(params![
            account,
            customer.as_ref().map(Uuid::as_bytes),
            event.subject.as_bytes().as_slice(),
            event.url,
            method,
            signature,
            event.body,
            event.created_at.as_unix_millis(),
        ])
        .map_err(failed)?;
    update_backlog(connection, owner, 1, 0)
}

/// Updates an event after an attempt. Nothing changes if a reset deleted it during the attempt, even if another event
/// has its number now, nor if it was dropped.
const RECORD_ATTEMPT: &str = "UPDATE outbox SET attempts = attempts + 1, due_at = coalesce(?2, due_at), outcome = ?3, \
    first = first AND ?3 IS NULL WHERE number = ?1 AND subject = ?4 AND outcome IS NULL";

/// Records an attempt in the history, and the outcome at its events unless another node has taken these over.
pub(super) fn record_attempt(
    connection: &Connection,
    attempted: &Attempted,
    is_holder: bool,
) -> Result<(), StoreError> {
    let Attempted { numbers, delivery, again_at } = attempted;
    let numbers = if is_holder && !is_counted(connection, attempted)? { numbers.as_slice() } else { &[] };
    let outcome = match (again_at, &delivery.error) {
        (Some(_), _) => None,
        (None, None) => Some("told"),
        (None, Some(_)) => Some("given up"),
    };
    let subject = delivery.subject.as_bytes().as_slice();
    let mut updated = 0;
    for number in numbers {
        updated += connection
            .prepare_cached(RECORD_ATTEMPT)
            .map_err(failed)?
            .execute(params![number, again_at.map(Timestamp::as_unix_millis), outcome, subject])
            .map_err(failed)?;
    }
    let finished = if outcome.is_some() { i64::try_from(updated).unwrap_or_default() } else { 0 };
    if finished > 0 {
        mark_first(connection, subject)?;
    }
    update_backlog(connection, delivery.owner, -finished, 0)?;
    let (account, customer) = columns(delivery.owner);
    connection
        .prepare_cached(
            "INSERT INTO delivery (account, customer, subject, url, events, attempt, at, status, error) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .map_err(failed)?
        .execute(params![
            account,
            customer.as_ref().map(Uuid::as_bytes),
            delivery.subject.as_bytes().as_slice(),
            delivery.url,
            delivery.events,
            delivery.attempt,
            delivery.at.as_unix_millis(),
            delivery.status,
            delivery.error,
        ])
        .map_err(failed)?;
    connection
        .prepare_cached("DELETE FROM delivery WHERE number <= ?1")
        .map_err(failed)?
        .execute(params![connection.last_insert_rowid() - MAX_HISTORY])
        .map_err(failed)?;
    delete_finished(connection)
}

/// Whether the first of the events of an attempt that is repeated has counted this attempt: it was recorded before.
fn is_counted(connection: &Connection, attempted: &Attempted) -> Result<bool, StoreError> {
    let Attempted { numbers, delivery, again_at: Some(_) } = attempted else { return Ok(false) };
    let subject = delivery.subject.as_bytes().as_slice();
    connection
        .prepare_cached("SELECT 1 FROM outbox WHERE number = ?1 AND subject = ?2 AND attempts >= ?3")
        .and_then(|mut select| select.exists(params![numbers.first(), subject, delivery.attempt]))
        .map_err(failed)
}

/// Brings forward the events that are due later than `now`, after the clock was set back.
pub(super) fn set_back(connection: &Connection, now: Timestamp, by: Duration) -> Result<(), StoreError> {
    let (now, by) = (now.as_unix_millis(), i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    connection
        .execute(
            "UPDATE outbox SET due_at = max(due_at - ?2, ?1) WHERE outcome IS NULL AND due_at > ?1",
            params![now, by],
        )
        .map_err(failed)?;
    connection
        .execute(
            "UPDATE backlog SET due_at = (SELECT min(due_at) FROM outbox o WHERE o.first = 1 \
             AND o.account = backlog.account AND o.customer IS nullif(backlog.customer, x'')) \
             WHERE due_at > ?1",
            params![now],
        )
        .map_err(failed)?;
    Ok(())
}

pub(super) fn backlog(connection: &Connection, owner: Option<Owner>) -> Result<Backlog, StoreError> {
    let (account, customer) = owner.map(columns).unzip();
    connection
        .prepare_cached(
            "SELECT coalesce(sum(waiting), 0), coalesce(sum(dropped), 0) FROM backlog \
             WHERE ?1 IS NULL OR account = ?1 AND customer = coalesce(?2, x'')",
        )
        .map_err(failed)?
        .query_row(params![account, customer.flatten().as_ref().map(Uuid::as_bytes)], |row| {
            let count =
                |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or_default());
            Ok(Backlog { waiting: count(0)?, dropped: count(1)? })
        })
        .map_err(failed)
}

pub(super) fn deliveries(
    connection: &Connection,
    owner: Option<Owner>,
    limit: u64,
) -> Result<Vec<Delivery>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT account, subject, url, events, attempt, at, status, error, customer FROM delivery \
             WHERE ?1 IS NULL OR account = ?1 AND customer IS ?2 ORDER BY number DESC LIMIT ?3",
        )
        .map_err(failed)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let delivery = |row: &Row<'_>| {
        Ok(Delivery {
            owner: match row.get(8)? {
                None => Owner::Account(row.get(0)?),
                Some(bytes) => Owner::Customer(Uuid::from_bytes(bytes)),
            },
            subject: uuid(row, 1)?,
            url: row.get(2)?,
            events: row.get(3)?,
            attempt: row.get(4)?,
            at: Timestamp::from_unix_millis(row.get(5)?),
            status: row.get(6)?,
            error: row.get(7)?,
        })
    };
    let (account, customer) = owner.map(columns).unzip();
    let customer = customer.flatten();
    let rows = statement
        .query_map(params![account, customer.as_ref().map(Uuid::as_bytes), limit], delivery)
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

#[cfg(test)]
mod tests;

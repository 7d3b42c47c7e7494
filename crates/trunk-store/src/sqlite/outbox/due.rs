//! Finds the events that are due. The cost depends on the number of events that are requested, not on how many wait.

use didww_types::Timestamp;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::queue::NO_ACCOUNT;
use crate::sqlite::error::failed;
use crate::sqlite::row::uuid;
use crate::{Due, EventForm, NewEvent, Owner, PendingEvent, StoreError};

/// Maximum number of events of one subject.
const MAX_EVENTS_OF_SUBJECT: usize = 100;

/// Selects the owners with due events; the owner whose event has been due longest comes first.
pub(super) const DUE_OWNERS: &str =
    "SELECT account, customer FROM backlog WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";

macro_rules! columns {
    () => {
        "number, account, customer, subject, url, method, signature, body, created_at, attempts, due_at"
    };
}

/// Selects the due first events of an owner's subjects.
pub(super) const FIRST_EVENTS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM outbox WHERE first = 1 AND account = ?1 AND customer IS ?2 AND due_at <= ?3 ORDER BY due_at, number LIMIT ?4"
);

/// Selects the events after the first one of a subject.
pub(super) const FOLLOWING_EVENTS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM outbox WHERE subject = ?1 AND outcome IS NULL AND number > ?2 ORDER BY number LIMIT ?3"
);

/// Selects when the next first event of any subject is due. The events after a first event are due no earlier.
pub(super) const NEXT_DUE: &str = "SELECT min(due_at) FROM outbox WHERE first = 1 AND due_at > ?1";

/// Returns the events that are due: those whose due time has passed, unless an earlier event of the same subject is not
/// due. So no event of a subject is due before its first one. The owners share the limit equally.
pub(in crate::sqlite) fn due(connection: &Connection, due: Due) -> Result<Vec<PendingEvent>, StoreError> {
    let (now, limit) = (due.now.as_unix_millis(), usize::try_from(due.limit).unwrap_or(usize::MAX));
    let owners = owners(connection, due)?;
    let mut first_events: Vec<(usize, PendingEvent)> = Vec::new();
    for (served, (account, customer)) in owners.iter().enumerate() {
        let share = (limit - first_events.len()).div_ceil(owners.len() - served);
        let share = i64::try_from(share.min(usize::try_from(due.of_owner).unwrap_or(usize::MAX)));
        let mut select = connection.prepare_cached(FIRST_EVENTS).map_err(failed)?;
        let customer = customer.as_ref().map(Uuid::as_bytes);
        let rows = select
            .query_map(params![account, customer, now, share.unwrap_or(i64::MAX)], pending)
            .map_err(failed)?;
        let mut own = rows.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        own.sort_by_key(|first| first.number);
        first_events.extend(own.into_iter().enumerate());
    }
    first_events.sort_by_key(|(turn, first)| (*turn, first.number));
    let mut remaining = limit - first_events.len();
    let mut events = Vec::with_capacity(first_events.len());
    for (_, first) in first_events {
        // A customer's event is sent alone, so the events after it are not needed yet.
        let following = match first.event.form.owner() {
            Owner::Account(_) => {
                following(connection, &first, remaining.min(MAX_EVENTS_OF_SUBJECT - 1), now)?
            }
            Owner::Customer(_) => Vec::new(),
        };
        remaining -= following.len();
        events.push(first);
        events.extend(following);
    }
    Ok(events)
}

fn owners(connection: &Connection, due: Due) -> Result<Vec<(i64, Option<Uuid>)>, StoreError> {
    let mut select = connection.prepare_cached(DUE_OWNERS).map_err(failed)?;
    let limit = i64::try_from(due.limit).unwrap_or(i64::MAX);
    let owner = |row: &Row<'_>| {
        let account = row.get(0)?;
        Ok((account, if account == NO_ACCOUNT { Some(uuid(row, 1)?) } else { None }))
    };
    let rows = select.query_map(params![due.now.as_unix_millis(), limit], owner).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Returns the due events after the first one of a subject, up to the first that is not due.
fn following(
    connection: &Connection,
    first: &PendingEvent,
    max: usize,
    now: i64,
) -> Result<Vec<PendingEvent>, StoreError> {
    let mut select = connection.prepare_cached(FOLLOWING_EVENTS).map_err(failed)?;
    let subject = first.event.subject.as_bytes().as_slice();
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>("due_at")?, pending(row)?));
    let max = i64::try_from(max).unwrap_or_default();
    let rows = select.query_map(params![subject, first.number, max], read).map_err(failed)?;
    rows.take_while(|row| !matches!(row, Ok((due_at, _)) if *due_at > now))
        .map(|row| row.map(|(_, event)| event).map_err(failed))
        .collect()
}

fn pending(row: &Row<'_>) -> rusqlite::Result<PendingEvent> {
    let form = match row.get("customer")? {
        None => EventForm::of_account(row.get("account")?, &row.get::<_, String>("method")?),
        Some(bytes) => EventForm::Webhook {
            customer: Uuid::from_bytes(bytes),
            method: row.get("method")?,
            signature: row.get("signature")?,
        },
    };
    Ok(PendingEvent {
        number: row.get("number")?,
        event: NewEvent {
            form,
            subject: Uuid::from_bytes(row.get("subject")?),
            url: row.get("url")?,
            body: row.get("body")?,
            created_at: Timestamp::from_unix_millis(row.get("created_at")?),
        },
        attempts: row.get("attempts")?,
    })
}

/// Returns when the next event will be due. Events that are due already are left out: their delivery is in progress, or
/// waits for the limits of the sender.
pub(in crate::sqlite) fn next_due(
    connection: &Connection,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let due: Option<i64> = connection
        .prepare_cached(NEXT_DUE)
        .map_err(failed)?
        .query_row(params![now.as_unix_millis()], |row| row.get(0))
        .map_err(failed)?;
    Ok(due.map(Timestamp::from_unix_millis))
}

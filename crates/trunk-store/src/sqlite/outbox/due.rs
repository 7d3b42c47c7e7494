//! What is due. It costs what is asked for, not what waits.

use didww_types::Timestamp;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::NO_ACCOUNT;
use crate::sqlite::error::failed;
use crate::sqlite::uuid;
use crate::{Due, EventForm, NewEvent, Owner, PendingEvent, StoreError};

/// Most events that are shown of one subject.
const HEAD: usize = 100;

/// Owners of whom something is due, in the order in which it came to be.
pub(super) const OWNERS: &str =
    "SELECT account, customer FROM backlog WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";

macro_rules! columns {
    () => {
        "number, account, customer, subject, url, method, signature, body, created_at, attempts, due_at"
    };
}

/// The first events of an owner's subjects.
pub(super) const FIRSTS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM outbox WHERE first = 1 AND account = ?1 AND customer IS ?2 AND due_at <= ?3 ORDER BY due_at, number LIMIT ?4"
);

/// What stands behind the first event of a subject.
pub(super) const BEHIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM outbox WHERE subject = ?1 AND outcome IS NULL AND number > ?2 ORDER BY number LIMIT ?3"
);

/// When the next first event of a subject is due. What stands behind it is due no earlier.
pub(super) const NEXT: &str = "SELECT min(due_at) FROM outbox WHERE first = 1 AND due_at > ?1";

/// An event is due when its time has come and no earlier one of the same subject is still waiting for its own: so
/// none is while the first of its subject is not. Each owner has its share of what is asked for.
pub(in crate::sqlite) fn due(connection: &Connection, due: Due) -> Result<Vec<PendingEvent>, StoreError> {
    let (now, limit) = (due.now.as_unix_millis(), usize::try_from(due.limit).unwrap_or(usize::MAX));
    let owners = owners(connection, due)?;
    let mut firsts: Vec<(usize, PendingEvent)> = Vec::new();
    for (served, (account, customer)) in owners.iter().enumerate() {
        let share = (limit - firsts.len()).div_ceil(owners.len() - served);
        let share = i64::try_from(share.min(usize::try_from(due.of_owner).unwrap_or(usize::MAX)));
        let mut select = connection.prepare_cached(FIRSTS).map_err(failed)?;
        let customer = customer.as_ref().map(Uuid::as_bytes);
        let rows = select
            .query_map(params![account, customer, now, share.unwrap_or(i64::MAX)], pending)
            .map_err(failed)?;
        let mut own = rows.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        own.sort_by_key(|first| first.number);
        firsts.extend(own.into_iter().enumerate());
    }
    firsts.sort_by_key(|(turn, first)| (*turn, first.number));
    let mut room = limit - firsts.len();
    let mut events = Vec::with_capacity(firsts.len());
    for (_, first) in firsts {
        // A customer's event is told alone: what stands behind it is not looked at before its turn.
        let behind = match first.event.form.owner() {
            Owner::Account(_) => behind(connection, &first, room.min(HEAD - 1), now)?,
            Owner::Customer(_) => Vec::new(),
        };
        room -= behind.len();
        events.push(first);
        events.extend(behind);
    }
    Ok(events)
}

fn owners(connection: &Connection, due: Due) -> Result<Vec<(i64, Option<Uuid>)>, StoreError> {
    let mut select = connection.prepare_cached(OWNERS).map_err(failed)?;
    let limit = i64::try_from(due.limit).unwrap_or(i64::MAX);
    let owner = |row: &Row<'_>| {
        let account = row.get(0)?;
        Ok((account, if account == NO_ACCOUNT { Some(uuid(row, 1)?) } else { None }))
    };
    let rows = select.query_map(params![due.now.as_unix_millis(), limit], owner).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn behind(
    connection: &Connection,
    first: &PendingEvent,
    most: usize,
    now: i64,
) -> Result<Vec<PendingEvent>, StoreError> {
    let mut select = connection.prepare_cached(BEHIND).map_err(failed)?;
    let subject = first.event.subject.as_bytes().as_slice();
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>("due_at")?, pending(row)?));
    let most = i64::try_from(most).unwrap_or_default();
    let rows = select.query_map(params![subject, first.number, most], read).map_err(failed)?;
    rows.take_while(|row| !matches!(row, Ok((due_at, _)) if *due_at > now))
        .map(|row| row.map(|(_, event)| event).map_err(failed))
        .collect()
}

fn pending(row: &Row<'_>) -> rusqlite::Result<PendingEvent> {
    let form = match row.get("customer")? {
        None => EventForm::Trunk { account: row.get("account")? },
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

/// An event that is due already is left out: it is on its way, or waits for room.
pub(in crate::sqlite) fn next_due(
    connection: &Connection,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let due: Option<i64> = connection
        .prepare_cached(NEXT)
        .map_err(failed)?
        .query_row(params![now.as_unix_millis()], |row| row.get(0))
        .map_err(failed)?;
    Ok(due.map(Timestamp::from_unix_millis))
}

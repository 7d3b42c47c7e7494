//! The queues of the outbox: one for each subject, of which the first event is marked, and the counts of each owner.

use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::sqlite::error::failed;
use crate::{Owner, StoreError};

/// Number of attempts, and of finished events, that are kept for the operator. Older ones are deleted.
pub(super) const MAX_HISTORY: i64 = 100_000;

/// The value of the column `account` for events of customers: account numbers begin at 1.
pub(super) const NO_ACCOUNT: i64 = 0;

/// Returns the values of the columns `account` and `customer`.
pub(super) fn columns(owner: Owner) -> (i64, Option<Uuid>) {
    match owner {
        Owner::Account(account) => (account, None),
        Owner::Customer(customer) => (NO_ACCOUNT, Some(customer)),
    }
}

/// Marks the next waiting event of a subject as its first, if there is one.
pub(super) const MARK_FIRST: &str = "UPDATE outbox SET first = 1 \
    WHERE number = (SELECT min(number) FROM outbox WHERE subject = ?1 AND outcome IS NULL)";

pub(super) fn mark_first(connection: &Connection, subject: &[u8]) -> Result<(), StoreError> {
    connection
        .prepare_cached(MARK_FIRST)
        .and_then(|mut mark| mark.execute([subject]))
        .map(|_| ())
        .map_err(failed)
}

pub(super) const UPDATE_BACKLOG: &str = "INSERT INTO backlog (account, customer, waiting, dropped, due_at) \
    VALUES (?1, coalesce(?2, x''), ?3, ?4, \
        (SELECT min(due_at) FROM outbox WHERE first = 1 AND account = ?1 AND customer IS ?2)) \
    ON CONFLICT (account, customer) DO UPDATE SET \
        waiting = waiting + excluded.waiting, dropped = dropped + excluded.dropped, due_at = excluded.due_at";

/// Adds to the number of waiting and of dropped events of an owner, and updates when its first event is due.
pub(super) fn update_backlog(
    connection: &Connection,
    owner: Owner,
    waiting: i64,
    dropped: i64,
) -> Result<(), StoreError> {
    let (account, customer) = columns(owner);
    connection
        .prepare_cached(UPDATE_BACKLOG)
        .and_then(|mut update| {
            update.execute(params![account, customer.as_ref().map(Uuid::as_bytes), waiting, dropped])
        })
        .map(|_| ())
        .map_err(failed)
}

pub(super) const DELETE_FINISHED: &str = "DELETE FROM outbox \
    WHERE outcome IS NOT NULL AND number <= (SELECT max(number) FROM outbox) - ?1";

/// Deletes finished events after which at least [`MAX_HISTORY`] later events were queued.
pub(super) fn delete_finished(connection: &Connection) -> Result<(), StoreError> {
    connection
        .prepare_cached(DELETE_FINISHED)
        .and_then(|mut delete| delete.execute([MAX_HISTORY]))
        .map(|_| ())
        .map_err(failed)
}

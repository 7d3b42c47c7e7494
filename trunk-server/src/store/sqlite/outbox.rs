//! Events to tell, and what became of them.

use didww_types::Timestamp;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::error::failed;
use super::uuid;
use crate::store::{Attempted, Delivery, EventForm, NewEvent, Owner, PendingEvent, StoreError};

/// Attempts, and events that are over, that are kept for whoever asks; older ones are forgotten.
const KEPT: i64 = 100_000;

/// Most events that are shown of one subject.
const HEAD: i64 = 100;

/// The account of what belongs to a customer: the numbers of accounts begin at 1.
const NO_ACCOUNT: i64 = 0;

/// What the columns `account` and `customer` hold.
fn columns(owner: Owner) -> (i64, Option<Uuid>) {
    match owner {
        Owner::Account(account) => (account, None),
        Owner::Customer(customer) => (NO_ACCOUNT, Some(customer)),
    }
}

pub(super) fn insert(connection: &Connection, event: &NewEvent) -> Result<(), StoreError> {
    let (account, customer) = columns(event.form.owner());
    let (method, signature) = match &event.form {
        EventForm::Trunk { .. } => ("POST", None),
        EventForm::Webhook { method, signature, .. } => (method.as_str(), signature.as_deref()),
    };
    connection
        .prepare_cached(
            "INSERT INTO outbox (account, customer, subject, url, method, signature, body, created_at, due_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
        )
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
        .map(|_| ())
        .map_err(failed)
}

/// An event is due when its time has come and no earlier one of the same subject is still waiting for its own.
/// Owners take turns, so that the limit cuts the longest queues first.
pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<PendingEvent>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "WITH due AS ( \
                 SELECT o.*, row_number() OVER (PARTITION BY o.subject ORDER BY o.number) AS place FROM outbox o \
                 WHERE o.outcome IS NULL AND o.due_at <= ?1 AND NOT EXISTS ( \
                     SELECT 1 FROM outbox e WHERE e.subject = o.subject AND e.number < o.number \
                     AND e.outcome IS NULL AND e.due_at > ?1)), \
             head AS ( \
                 SELECT *, row_number() OVER (PARTITION BY account, customer ORDER BY number) AS turn FROM due \
                 WHERE place <= ?3) \
             SELECT number, account, customer, subject, url, method, signature, body, created_at, attempts FROM head \
             ORDER BY turn, number LIMIT ?2",
        )
        .map_err(failed)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![now.as_unix_millis(), limit, HEAD], pending).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
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

/// An event that is due already is left out: it is on its way, or stands behind one that waits.
pub(super) fn next_due(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let due: Option<i64> = connection
        .prepare_cached("SELECT min(due_at) FROM outbox WHERE outcome IS NULL AND due_at > ?1")
        .map_err(failed)?
        .query_row(params![now.as_unix_millis()], |row| row.get(0))
        .map_err(failed)?;
    Ok(due.map(Timestamp::from_unix_millis))
}

pub(super) fn attempted(connection: &Connection, attempted: &Attempted) -> Result<(), StoreError> {
    let Attempted { numbers, delivery, again_at } = attempted;
    let outcome = match (again_at, &delivery.error) {
        (Some(_), _) => None,
        (None, None) => Some("told"),
        (None, Some(_)) => Some("given up"),
    };
    for number in numbers {
        connection
            .prepare_cached(
                // A reset may have taken the event while it was under way, and its number may be another's now.
                "UPDATE outbox SET attempts = attempts + 1, due_at = coalesce(?2, due_at), outcome = ?3 \
                 WHERE number = ?1 AND subject = ?4",
            )
            .map_err(failed)?
            .execute(params![
                number,
                again_at.map(Timestamp::as_unix_millis),
                outcome,
                delivery.subject.as_bytes().as_slice(),
            ])
            .map_err(failed)?;
    }
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
        .execute(params![connection.last_insert_rowid() - KEPT])
        .map_err(failed)?;
    connection
        .prepare_cached(
            "DELETE FROM outbox WHERE number <= (SELECT max(number) FROM outbox) - ?1 AND outcome IS NOT NULL",
        )
        .map_err(failed)?
        .execute(params![KEPT])
        .map(|_| ())
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
mod tests {
    use crate::store::{Change, SqliteStore, Store as _};

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn emit(account: i64, subject: u128) -> Change {
        event(EventForm::Trunk { account }, subject)
    }

    fn webhook(customer: u128, subject: u128) -> Change {
        let customer = Uuid::from_u128(customer);
        let signature = Some("sha256=00".to_owned());
        event(EventForm::Webhook { customer, method: "PUT".to_owned(), signature }, subject)
    }

    fn event(form: EventForm, subject: u128) -> Change {
        Change::Emit(Box::new(NewEvent {
            form,
            subject: Uuid::from_u128(subject),
            url: "http://example.com/".to_owned(),
            body: "{}".to_owned(),
            created_at: at(1_000),
        }))
    }

    fn failed_until(number: i64, subject: u128, again_at: Option<Timestamp>) -> Attempted {
        let delivery = Delivery {
            owner: Owner::Account(1),
            subject: Uuid::from_u128(subject),
            url: String::new(),
            events: 1,
            attempt: 1,
            at: at(1_000),
            status: None,
            error: Some("no".to_owned()),
        };
        Attempted { numbers: vec![number], delivery, again_at }
    }

    async fn due(store: &SqliteStore, now: i64, limit: u64) -> Vec<i64> {
        let due: Vec<PendingEvent> = store.due_events(at(now), limit).await.unwrap();
        due.iter().map(|pending| pending.number).collect()
    }

    #[tokio::test]
    async fn what_stands_behind_a_waiting_event_of_its_subject_is_not_due() {
        let store = SqliteStore::in_memory().unwrap();
        store.commit(vec![emit(1, 7), emit(1, 7), emit(1, 8)]).await.unwrap();
        assert!(due(&store, 999, 9).await.is_empty());
        assert_eq!(due(&store, 1_000, 9).await, [1, 2, 3]);
        store.attempted(failed_until(1, 7, Some(at(5_000)))).await.unwrap();
        assert_eq!(due(&store, 4_999, 9).await, [3]);
        assert_eq!(store.next_due(at(4_999)).await.unwrap(), Some(at(5_000)));
        assert_eq!(due(&store, 5_000, 9).await, [1, 2, 3]);
        assert_eq!(store.next_due(at(5_000)).await.unwrap(), None);
        store.attempted(failed_until(1, 7, None)).await.unwrap();
        assert_eq!(due(&store, 5_000, 9).await, [2, 3]);
    }

    #[tokio::test]
    async fn a_long_queue_hides_neither_another_subject_nor_another_account() {
        let store = SqliteStore::in_memory().unwrap();
        let mut changes: Vec<Change> = (0..150).map(|_| emit(1, 7)).collect();
        changes.extend([emit(1, 8), emit(2, 9)]);
        store.commit(changes).await.unwrap();
        assert_eq!(due(&store, 1_000, 2).await, [1, 152]);
        let seen = due(&store, 1_000, 1_000).await;
        assert_eq!(seen.len(), 102);
        assert!(seen.contains(&100) && !seen.contains(&101) && seen.contains(&151));
    }

    #[tokio::test]
    async fn an_attempt_at_an_event_that_a_reset_took_leaves_its_successor_alone() {
        let store = SqliteStore::in_memory().unwrap();
        store.commit(vec![emit(1, 7)]).await.unwrap();
        store.reset(Some(1), false).await.unwrap();
        assert!(due(&store, 1_000, 9).await.is_empty());
        store.commit(vec![emit(1, 8)]).await.unwrap();
        store.attempted(failed_until(1, 7, None)).await.unwrap();
        assert_eq!(due(&store, 1_000, 9).await, [1]);
    }

    #[tokio::test]
    async fn a_webhook_is_kept_with_all_that_it_takes_to_send_it() {
        let store = SqliteStore::in_memory().unwrap();
        store.commit(vec![webhook(5, 7), emit(1, 8)]).await.unwrap();
        let due = store.due_events(at(1_000), 9).await.unwrap();
        let (customer, method) = (Uuid::from_u128(5), "PUT".to_owned());
        let kept = EventForm::Webhook { customer, method, signature: Some("sha256=00".to_owned()) };
        assert_eq!(
            due.iter().map(|due| &due.event.form).collect::<Vec<_>>(),
            [&kept, &EventForm::Trunk { account: 1 }]
        );
    }

    #[tokio::test]
    async fn customers_take_turns_with_each_other_and_with_accounts() {
        let store = SqliteStore::in_memory().unwrap();
        let queue = (10..60).map(|subject| webhook(5, subject));
        store.commit(queue.chain([webhook(6, 7), emit(1, 8)]).collect()).await.unwrap();
        assert_eq!(due(&store, 1_000, 4).await, [1, 51, 52, 2]);
    }

    #[tokio::test]
    async fn a_reset_of_an_account_leaves_customers_alone_and_one_of_everything_does_not() {
        let store = SqliteStore::in_memory().unwrap();
        store.commit(vec![emit(1, 7), webhook(5, 8)]).await.unwrap();
        store.attempted(failed_until(1, 7, Some(at(5_000)))).await.unwrap();
        let mut of_customer = failed_until(2, 8, Some(at(1_000)));
        of_customer.delivery.owner = Owner::Customer(Uuid::from_u128(5));
        store.attempted(of_customer).await.unwrap();
        let owners = async |owner| {
            let found = store.deliveries(owner, 9).await.unwrap();
            found.iter().map(|delivery| delivery.owner).collect::<Vec<_>>()
        };
        let (account, customer) = (Owner::Account(1), Owner::Customer(Uuid::from_u128(5)));
        assert_eq!(owners(None).await, [customer, account]);
        assert_eq!(
            (owners(Some(account)).await, owners(Some(customer)).await),
            (vec![account], vec![customer])
        );
        assert!(owners(Some(Owner::Customer(Uuid::nil()))).await.is_empty());
        store.reset(Some(1), true).await.unwrap();
        assert_eq!((due(&store, 5_000, 9).await, owners(None).await), (vec![2], vec![customer]));
        store.reset(None, false).await.unwrap();
        assert!(due(&store, 5_000, 9).await.is_empty() && owners(None).await.is_empty());
    }
}

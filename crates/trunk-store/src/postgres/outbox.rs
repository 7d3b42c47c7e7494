//! The outbox: events to deliver, and the history of attempts.
//!
//! The events of a subject are a queue, which one node at a time sends, under a lease. The queues of an owner are in
//! [`lanes`](lane::LANES), each of which counts its events and knows when the next one is due. Locks are taken in the order
//! lanes, queues, events; of each in the order of its key.

mod due;
mod history;
mod lane;
mod surplus;

use std::time::Duration;

use didww_types::Timestamp;
use futures_util::future::join;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::{
    Answer, Attempted, Backlog, Bounds, Delivery, Dropped, Due, EventForm, Events, NewEvent, Owner,
    PendingEvent,
};
use lane::Lane;

/// Locks the lane of an event, creates it if there is none, and draws the number of the event.
const LOCK_LANE: &str = "INSERT INTO outbox_lane AS l (account, customer, lane, waiting, dropped, last) \
     VALUES ($1, $2, $3, 0, 0, $4) \
     ON CONFLICT (account, customer, lane) DO UPDATE SET last = greatest(l.last + 1, excluded.last)";

/// Inserts an event unless it is one of a trunk whose account has no enabled callback secret, and begins a queue unless its
/// subject has one. The lane is locked by a statement before this one, so this one sees what others committed in it.
const INSERT: &str = "WITH event AS (\
         INSERT INTO outbox (subject, number, account, customer, lane, url, method, signature, body, created_at, \
             attempts, due_at) \
         SELECT $4, l.last, $1, $2, $3, $5, $6, $7, $8, $9, 0, $9 FROM outbox_lane l \
         WHERE l.account = $1 AND l.customer = $2 AND l.lane = $3 \
         AND ($1 = 0 OR EXISTS (SELECT 1 FROM callback_secret s WHERE s.account = $1 AND s.enabled)) \
         RETURNING number), \
     queue AS (\
         INSERT INTO outbox_queue (subject, account, customer, lane, first, due_at) \
         SELECT $4, $1, $2, $3, number, $9 FROM event ON CONFLICT (subject) DO NOTHING RETURNING due_at) \
     UPDATE outbox_lane l SET waiting = l.waiting + (SELECT count(*) FROM event), \
         dropped = l.dropped + 1 - (SELECT count(*) FROM event), \
         due_at = least(l.due_at, (SELECT due_at FROM queue)) \
     WHERE l.account = $1 AND l.customer = $2 AND l.lane = $3 RETURNING EXISTS (SELECT 1 FROM event)";

/// Queues an event, or counts it as dropped.
pub(super) async fn insert(transaction: &Transaction<'_>, event: &NewEvent) -> Done<()> {
    let Lane { account, customer, lane } = Lane::of(event.form.owner(), event.subject);
    let (method, signature) = match &event.form {
        EventForm::Trunk { .. } => ("POST", None),
        EventForm::Webhook { method, signature, .. } => (method.as_str(), signature.as_deref()),
    };
    let number = transaction.node.number();
    let created_at = event.created_at.as_unix_millis();
    let lock = async {
        transaction
            .execute_typed(
                LOCK_LANE,
                &[
                    (&account, Type::INT8),
                    (&customer, Type::UUID),
                    (&lane, Type::INT2),
                    (&number, Type::INT8),
                ],
            )
            .await
    };
    let insert = async {
        transaction
            .query_typed_one(
                INSERT,
                &[
                    (&account, Type::INT8),
                    (&customer, Type::UUID),
                    (&lane, Type::INT2),
                    (&event.subject, Type::UUID),
                    (&event.url, Type::TEXT),
                    (&method, Type::TEXT),
                    (&signature, Type::TEXT),
                    (&event.body, Type::TEXT),
                    (&created_at, Type::INT8),
                ],
            )
            .await
    };
    // Both are sent at once, and executed in this order.
    let (locked, inserted) = join(lock, insert).await;
    locked?;
    let is_queued: bool = inserted?.try_get(0)?;
    if !is_queued {
        tracing::info!(trunk = %event.subject, "an event was dropped: its account has no enabled callback secret");
    }
    Ok(())
}

/// Deletes the events of one account, or of all owners.
pub(super) async fn reset(transaction: &Transaction<'_>, account: Option<i64>) -> Done<()> {
    for table in ["outbox_lane", "outbox_queue", "outbox", "delivery"] {
        let delete = format!("DELETE FROM {table} WHERE $1 IS NULL OR account = $1");
        transaction.execute_typed(&delete, &[(&account, Type::INT8)]).await?;
    }
    Ok(())
}

/// Updates the events after an attempt that is repeated.
const REPEAT: &str =
    "UPDATE outbox SET attempts = attempts + 1, due_at = $3 WHERE subject = $1 AND number = ANY ($2)";

/// Deletes the events after an attempt that is the last, and counts them.
const FINISH: &str = "WITH gone AS (DELETE FROM outbox WHERE subject = $1 AND number = ANY ($2) RETURNING 1) \
     UPDATE outbox_lane SET waiting = waiting - (SELECT count(*) FROM gone) \
     WHERE account = $3 AND customer = $4 AND lane = $5";

async fn record_attempt(transaction: &Transaction<'_>, node: i64, attempted: &Attempted) -> Done<()> {
    let Attempted { numbers, delivery, again_at } = attempted;
    let lane = Lane::of(delivery.owner, delivery.subject);
    let (locked, held) = join(lane.lock(transaction), lane::lock_queue(transaction, delivery.subject)).await;
    locked?;
    let is_holder = held?.is_some_and(|holder| holder.is_none_or(|holder| holder == node));
    if !is_holder {
        // The events are deleted, or another node repeats the attempt.
        return history::insert(transaction, delivery).await;
    }
    let outcome = async {
        match again_at {
            Some(at) => {
                let at = at.as_unix_millis();
                let parameters = &[
                    (&delivery.subject as _, Type::UUID),
                    (numbers as _, Type::INT8_ARRAY),
                    (&at as _, Type::INT8),
                ];
                transaction.execute_typed(REPEAT, parameters).await
            }
            None => {
                let parameters = &[
                    (&delivery.subject as _, Type::UUID),
                    (numbers as _, Type::INT8_ARRAY),
                    (&lane.account as _, Type::INT8),
                    (&lane.customer as _, Type::UUID),
                    (&lane.lane as _, Type::INT2),
                ];
                transaction.execute_typed(FINISH, parameters).await
            }
        }
    };
    let subjects = [delivery.subject];
    let queue = lane::begin_queues_anew(transaction, &subjects, true);
    let due = lane::update_due(transaction, lane.account, lane.customer, Some(lane.lane));
    // All of them are sent at once, and executed in this order.
    let ((outcome, queue), (due, recorded)) =
        join(join(outcome, queue), join(due, history::insert(transaction, delivery))).await;
    outcome?;
    queue?;
    due?;
    recorded
}

async fn set_back(transaction: &Transaction<'_>, now: Timestamp, by: Duration) -> Done<()> {
    let (now, by) = (now.as_unix_millis(), i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    transaction
        .execute_typed("SELECT 1 FROM outbox_lane ORDER BY account, customer, lane FOR UPDATE", &[])
        .await?;
    transaction.execute_typed("SELECT 1 FROM outbox_queue ORDER BY subject FOR UPDATE", &[]).await?;
    for (table, column) in [("outbox_queue", "due_at"), ("outbox_queue", "held_until"), ("outbox", "due_at")]
    {
        let update = format!("UPDATE {table} SET {column} = greatest({column} - $2, $1) WHERE {column} > $1");
        transaction.execute_typed(&update, &[(&now, Type::INT8), (&by, Type::INT8)]).await?;
    }
    transaction
        .execute_typed(
            "UPDATE outbox_lane l SET due_at = (SELECT min(q.due_at) FROM outbox_queue q \
             WHERE q.account = l.account AND q.customer = l.customer AND q.lane = l.lane) WHERE l.due_at > $1",
            &[(&now, Type::INT8)],
        )
        .await?;
    Ok(())
}

async fn next_due(client: &Client, now: Timestamp) -> Done<Option<Timestamp>> {
    let select = "SELECT min(due_at) FROM outbox_queue WHERE due_at > $1";
    let row = client.query_typed_one(select, &[(&now.as_unix_millis(), Type::INT8)]).await?;
    Ok(row.try_get::<_, Option<i64>>(0)?.map(Timestamp::from_unix_millis))
}

impl Events for PostgresStore {
    fn due_events(&self, due: Due) -> Answer<'_, Vec<PendingEvent>> {
        Answer::later(due::due_events(&self.node, due))
    }

    fn next_due(&self, now: Timestamp) -> Answer<'_, Option<Timestamp>> {
        Answer::later(self.node.read(now, |client, now| Box::pin(next_due(client, *now))))
    }

    fn set_back(&self, now: Timestamp, by: Duration) -> Answer<'_, ()> {
        self.node.write((now, by), |transaction, (now, by)| Box::pin(set_back(transaction, *now, *by)))
    }

    fn attempted(&self, node: i64, attempted: Attempted) -> Answer<'_, ()> {
        self.node.write((node, attempted), |transaction, (node, attempted)| {
            Box::pin(record_attempt(transaction, *node, attempted))
        })
    }

    fn is_overfull(&self, most: u64) -> Answer<'_, bool> {
        Answer::later(self.node.read(most, |client, most| Box::pin(surplus::is_overfull(client, *most))))
    }

    fn drop_surplus(&self, bounds: Bounds, most: u64) -> Answer<'_, Vec<Dropped>> {
        self.node.write((bounds, most), |transaction, (bounds, most)| {
            Box::pin(surplus::drop_surplus(transaction, *bounds, *most))
        })
    }

    fn backlog(&self, owner: Option<Owner>) -> Answer<'_, Backlog> {
        Answer::later(self.node.read(owner, |client, owner| Box::pin(lane::backlog(client, *owner))))
    }

    fn deliveries(&self, owner: Option<Owner>, limit: u64) -> Answer<'_, Vec<Delivery>> {
        Answer::later(
            self.node.read((owner, limit), |client, (owner, limit)| {
                Box::pin(history::list(client, *owner, *limit))
            }),
        )
    }
}

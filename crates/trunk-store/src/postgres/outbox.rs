//! The outbox: events to deliver, and the history of attempts.
//!
//! The events of a subject are a queue, which one node at a time sends, under a lease. The queues of an owner are in
//! [`lanes`](lane::LANES), each of which has the number of its events and the time when the next one is due. Locks are
//! taken in the order lanes, queues, events, and within each of these in the order of the keys.

mod due;
mod history;
mod lane;
mod surplus;

use std::time::Duration;

use didww_types::Timestamp;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::PostgresStore;
use super::failure::Done;
use super::parameter::Parameter;
use super::transaction::Transaction;
use crate::{
    Answer, Attempted, Backlog, Bounds, Delivery, Dropped, Due, Events, NewEvent, Owner, PendingEvent,
};
use lane::Lane;

/// Locks the lanes of events, and creates those that are missing.
const LOCK_LANES: &str = "INSERT INTO outbox_lane AS l (account, customer, lane, waiting, dropped, last) \
     SELECT DISTINCT w.account, w.customer, w.lane, 0, 0, 0 \
     FROM unnest($1::bigint[], $2::uuid[], $3::smallint[]) AS w (account, customer, lane) \
     ORDER BY w.account, w.customer, w.lane \
     ON CONFLICT (account, customer, lane) DO UPDATE SET last = l.last";

/// Inserts events except those of trunks whose accounts have no enabled callback secret, and begins the queues of
/// subjects that have none. The lanes are locked by a statement before this one, so it sees what others committed in
/// them. A number is greater than those before it in the lane, whatever the clocks of the nodes say.
const INSERT: &str = "WITH wanted AS (\
         SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::smallint[], $4::uuid[], $5::text[], $6::text[], \
             $7::text[], $8::text[], $9::bigint[], $10::bigint[]) \
         AS w (account, customer, lane, subject, url, method, signature, body, created_at, number)), \
     event AS (\
         INSERT INTO outbox (subject, number, account, customer, lane, url, method, signature, body, created_at, \
             attempts, due_at) \
         SELECT w.subject, greatest(w.number, l.last + row_number() OVER (\
                 PARTITION BY w.account, w.customer, w.lane ORDER BY w.number)), \
             w.account, w.customer, w.lane, w.url, w.method, w.signature, w.body, w.created_at, 0, w.created_at \
         FROM wanted w JOIN outbox_lane l ON l.account = w.account AND l.customer = w.customer AND l.lane = w.lane \
         WHERE w.account = 0 \
         OR EXISTS (SELECT 1 FROM callback_secret s WHERE s.account = w.account AND s.enabled) \
         RETURNING subject, number, account, customer, lane, due_at), \
     queue AS (\
         INSERT INTO outbox_queue (subject, account, customer, lane, first, due_at) \
         SELECT DISTINCT ON (subject) subject, account, customer, lane, number, due_at FROM event \
         ORDER BY subject, number ON CONFLICT (subject) DO NOTHING RETURNING account, customer, lane, due_at), \
     counted AS (\
         SELECT account, customer, lane, sum(wanted) AS wanted, sum(events) AS events, max(last) AS last, \
             min(due_at) AS due_at \
         FROM (\
             SELECT account, customer, lane, 1 AS wanted, 0 AS events, 0 AS last, NULL::bigint AS due_at FROM wanted \
             UNION ALL SELECT account, customer, lane, 0, 1, number, NULL FROM event \
             UNION ALL SELECT account, customer, lane, 0, 0, 0, due_at FROM queue) AS each \
         GROUP BY account, customer, lane) \
     UPDATE outbox_lane l SET waiting = l.waiting + c.events, dropped = l.dropped + c.wanted - c.events, \
         last = greatest(l.last, c.last), due_at = least(l.due_at, c.due_at) \
     FROM counted c WHERE l.account = c.account AND l.customer = c.customer AND l.lane = c.lane \
     RETURNING l.account, c.wanted - c.events";

/// Queues events, or counts them as dropped.
pub(super) async fn insert(transaction: &Transaction<'_>, events: &[&NewEvent]) -> Done<()> {
    if events.is_empty() {
        return Ok(());
    }
    let lanes = events.iter().map(|event| Lane::of(event.form.owner(), event.subject));
    let (accounts, (customers, lanes)): (Vec<i64>, (Vec<Uuid>, Vec<i16>)) =
        lanes.map(|Lane { account, customer, number }| (account, (customer, number))).unzip();
    let forms = events.iter().map(|event| event.form.stored());
    let (methods, signatures): (Vec<&str>, Vec<Option<&str>>) = forms.unzip();
    let subjects: Vec<Uuid> = events.iter().map(|event| event.subject).collect();
    let urls: Vec<&str> = events.iter().map(|event| event.url.as_str()).collect();
    let bodies: Vec<&str> = events.iter().map(|event| event.body.as_str()).collect();
    let created_at: Vec<i64> = events.iter().map(|event| event.created_at.as_unix_millis()).collect();
    let numbers: Vec<i64> = events.iter().map(|_| transaction.node.number()).collect();
    let parameters: [Parameter<'_>; 10] = [
        (&accounts, Type::INT8_ARRAY),
        (&customers, Type::UUID_ARRAY),
        (&lanes, Type::INT2_ARRAY),
        (&subjects, Type::UUID_ARRAY),
        (&urls, Type::TEXT_ARRAY),
        (&methods, Type::TEXT_ARRAY),
        (&signatures, Type::TEXT_ARRAY),
        (&bodies, Type::TEXT_ARRAY),
        (&created_at, Type::INT8_ARRAY),
        (&numbers, Type::INT8_ARRAY),
    ];
    let lock = transaction.execute_typed(LOCK_LANES, parameters.get(..3).unwrap_or_default());
    // Both are sent at once, and executed in this order.
    let (_, dropped) = tokio::try_join!(biased; lock, transaction.query_typed(INSERT, &parameters))?;
    for row in dropped {
        let (account, events): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if events > 0 {
            tracing::info!(
                account,
                events,
                "events were dropped: their account has no enabled callback secret"
            );
        }
    }
    Ok(())
}

/// The lane of a subject.
pub(super) fn lane_of(subject: uuid::Uuid) -> i16 {
    Lane::of(crate::Owner::Account(0), subject).number
}

/// Deletes the events of one account, or of all owners.
pub(super) async fn reset(transaction: &Transaction<'_>, account: Option<i64>) -> Done<()> {
    for table in ["outbox_lane", "outbox_queue", "outbox", "delivery"] {
        let delete = format!("DELETE FROM {table} WHERE $1 IS NULL OR account = $1");
        transaction.execute_typed(&delete, &[(&account, Type::INT8)]).await?;
    }
    Ok(())
}

/// Updates the events after an attempt that is repeated. Nothing changes if the first of them has counted this attempt:
/// it is recorded again if the commit of the first record was not confirmed.
const REPEAT: &str = "UPDATE outbox SET attempts = attempts + 1, due_at = $3 WHERE subject = $1 AND number = ANY ($2) \
     AND NOT EXISTS (SELECT 1 FROM outbox r WHERE r.subject = $1 AND r.number = $4 AND r.attempts >= $5)";

/// Deletes the events after an attempt that is the last, and counts them.
const FINISH: &str = "WITH gone AS (DELETE FROM outbox WHERE subject = $1 AND number = ANY ($2) RETURNING 1) \
     UPDATE outbox_lane SET waiting = waiting - (SELECT count(*) FROM gone) \
     WHERE account = $3 AND customer = $4 AND lane = $5";

async fn record_attempt(transaction: &Transaction<'_>, node: i64, attempted: &Attempted) -> Done<()> {
    let Attempted { numbers, delivery, again_at } = attempted;
    let lane = Lane::of(delivery.owner, delivery.subject);
    let queue = lane::lock_queue(transaction, delivery.subject, node);
    let ((), is_holder) = tokio::try_join!(biased; lane.lock(transaction), queue)?;
    if !is_holder {
        // The events are deleted, or another node repeats the attempt.
        return history::insert(transaction, delivery).await;
    }
    let outcome = async {
        if let Some(at) = again_at {
            let at = at.as_unix_millis();
            let (first, attempt) = (numbers.first(), i64::from(delivery.attempt));
            let parameters: [Parameter<'_>; 5] = [
                (&delivery.subject, Type::UUID),
                (numbers, Type::INT8_ARRAY),
                (&at, Type::INT8),
                (&first, Type::INT8),
                (&attempt, Type::INT8),
            ];
            transaction.execute_typed(REPEAT, &parameters).await
        } else {
            let parameters: [Parameter<'_>; 5] = [
                (&delivery.subject, Type::UUID),
                (numbers, Type::INT8_ARRAY),
                (&lane.account, Type::INT8),
                (&lane.customer, Type::UUID),
                (&lane.number, Type::INT2),
            ];
            transaction.execute_typed(FINISH, &parameters).await
        }
    };
    let subjects = [delivery.subject];
    // All of them are sent at once, and executed in this order.
    tokio::try_join!(biased;
        outcome,
        lane::begin_queues_anew(transaction, &subjects, true),
        lane::update_due(transaction, lane.account, lane.customer, Some(lane.number)),
        history::insert(transaction, delivery),
    )?;
    Ok(())
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

    fn forget_queues(&self, most: u64) -> Answer<'_, u64> {
        self.node.write(most, |transaction, most| Box::pin(lane::forget(transaction, *most)))
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

//! Finds the events that are due, and leases their subjects to the calling node. The cost depends on the number of
//! events that are requested, not on how many wait.

use std::collections::HashSet;
use std::sync::Arc;

use didww_types::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::lane::{LANES, owner};
use crate::postgres::Node;
use crate::postgres::failure::Done;
use crate::postgres::transaction::Transaction;
use crate::{Due, EventForm, NewEvent, Owner, PendingEvent, StoreError};

/// Maximum number of events of one subject.
const MAX_EVENTS_OF_SUBJECT: usize = 100;
/// Maximum number of returned events, whatever the requested number is.
const MAX_EVENTS: u64 = 65_536;

/// Selects the owners with due events, the owner whose event has been due longest first, and of each the due queues
/// that no other node holds.
const DUE_QUEUES: &str = "WITH owner AS (\
         SELECT account, customer, min(due_at) AS due_at FROM (\
             SELECT account, customer, due_at FROM outbox_lane WHERE due_at <= $1 ORDER BY due_at LIMIT $2\
         ) AS lanes GROUP BY account, customer ORDER BY min(due_at), account, customer LIMIT $3) \
     SELECT owner.account, owner.customer, q.subject, q.first, q.holder, q.held_until \
     FROM owner CROSS JOIN LATERAL (\
         SELECT subject, first, due_at, holder, held_until FROM outbox_queue \
         WHERE account = owner.account AND customer = owner.customer AND due_at <= $1 \
         AND (holder IS NULL OR holder = $5 OR held_until <= $1) ORDER BY due_at, first, subject LIMIT $4) AS q \
     ORDER BY owner.due_at, owner.account, owner.customer, q.due_at, q.first, q.subject";

/// Whether a node holds queues whose leases end before a time.
const ENDS_SOON: &str = "SELECT EXISTS (SELECT 1 FROM outbox_queue WHERE holder = $1 AND held_until < $2)";

/// Leases queues that are still due and that no other node holds by now, and extends the leases that end soon.
const LEASE: &str = "UPDATE outbox_queue q SET holder = $1, held_until = greatest($2, q.held_until) FROM (\
         SELECT subject FROM outbox_queue \
         WHERE subject = ANY ($3) AND due_at <= $4 AND (holder IS NULL OR holder = $1 OR held_until <= $4) \
         OR holder = $1 AND held_until < $5 ORDER BY subject FOR UPDATE) AS own \
     WHERE q.subject = own.subject RETURNING q.subject";

/// Selects the events at the head of queues that a node holds: of each at most a number.
const HEADS: &str = "SELECT w.place, e.number, e.account, e.customer, e.subject, e.url, e.method, e.signature, e.body, \
         e.created_at, e.attempts, e.due_at \
     FROM unnest($2::uuid[], $3::bigint[]) WITH ORDINALITY AS w (subject, most, place) \
     JOIN outbox_queue q ON q.subject = w.subject AND q.holder = $1 \
     CROSS JOIN LATERAL (\
         SELECT * FROM outbox o WHERE o.subject = w.subject AND o.number >= q.first ORDER BY o.number LIMIT w.most\
     ) AS e ORDER BY w.place, e.number";

/// A queue that is due.
#[derive(Debug, Clone, Copy)]
struct Queue {
    owner: Owner,
    subject: Uuid,
    first: i64,
    holder: Option<i64>,
    held_until: i64,
}

/// Returns the events that are due: those whose due time has passed, unless an earlier event of the same subject is not
/// due. So no event of a subject is due before its first one. The owners share the limit equally.
pub(super) async fn due_events(node: &Arc<Node>, due: Due) -> Result<Vec<PendingEvent>, StoreError> {
    let due = Due { limit: due.limit.min(MAX_EVENTS), ..due };
    let soon = soon(due);
    let (queues, ends_soon) =
        node.read((due, soon), |client, (due, soon)| Box::pin(find(client, *due, *soon))).await?;
    let mut queues = share(&queues, due);
    let is_leased =
        |queue: &Queue| queue.holder == Some(due.node) && queue.held_until >= soon.as_unix_millis();
    if ends_soon || !queues.iter().all(is_leased) {
        let subjects: Vec<Uuid> = queues.iter().map(|queue| queue.subject).collect();
        let leased = node.write((due, soon, subjects), |transaction, (due, soon, subjects)| {
            Box::pin(lease(transaction, *due, *soon, subjects))
        });
        let leased = leased.await?;
        queues.retain(|queue| leased.contains(&queue.subject) || is_leased(queue));
    }
    if queues.is_empty() {
        return Ok(Vec::new());
    }
    let limit = usize::try_from(due.limit).unwrap_or(usize::MAX);
    let remaining = limit.saturating_sub(queues.len());
    let heads = node.read((due, queues, remaining), |client, (due, queues, remaining)| {
        Box::pin(heads(client, *due, queues, *remaining))
    });
    heads.await
}

/// Leases that end before this time are extended: once a quarter of their time has passed, so that not every call
/// writes.
fn soon(due: Due) -> Timestamp {
    let (now, until) = (due.now.as_unix_millis(), due.until.as_unix_millis());
    Timestamp::from_unix_millis(now.saturating_add(until.saturating_sub(now) / 4 * 3))
}

async fn find(client: &Client, due: Due, soon: Timestamp) -> Done<(Vec<Queue>, bool)> {
    let limit = i64::try_from(due.limit).unwrap_or(i64::MAX);
    let lanes = limit.saturating_mul(i64::try_from(LANES).unwrap_or(i64::MAX));
    let of_owner = i64::try_from(due.of_owner).unwrap_or(i64::MAX).min(limit);
    let now = due.now.as_unix_millis();
    let queues = async {
        client
            .query_typed(
                DUE_QUEUES,
                &[
                    (&now, Type::INT8),
                    (&lanes, Type::INT8),
                    (&limit, Type::INT8),
                    (&of_owner, Type::INT8),
                    (&due.node, Type::INT8),
                ],
            )
            .await
    };
    let ends_soon = async {
        let parameters = &[(&due.node as _, Type::INT8), (&soon.as_unix_millis() as _, Type::INT8)];
        client.query_typed_one(ENDS_SOON, parameters).await
    };
    let (queues, ends_soon) = tokio::try_join!(biased; queues, ends_soon)?;
    Ok((queues.iter().map(queue).collect::<Done<_>>()?, ends_soon.try_get(0)?))
}

fn queue(row: &Row) -> Done<Queue> {
    Ok(Queue {
        owner: owner(row.try_get(0)?, row.try_get(1)?),
        subject: row.try_get(2)?,
        first: row.try_get(3)?,
        holder: row.try_get(4)?,
        held_until: row.try_get::<_, Option<i64>>(5)?.unwrap_or(i64::MIN),
    })
}

/// Selects queues so that the owners share the limit equally, in turns: the first queue of every owner comes before the
/// second of any.
fn share(queues: &[Queue], due: Due) -> Vec<Queue> {
    let limit = usize::try_from(due.limit).unwrap_or(usize::MAX);
    let of_owner = usize::try_from(due.of_owner).unwrap_or(usize::MAX);
    let owners: Vec<&[Queue]> = queues.chunk_by(|one, other| one.owner == other.owner).collect();
    let mut turns: Vec<(usize, Queue)> = Vec::new();
    for (served, own) in owners.iter().enumerate() {
        let share = (limit - turns.len()).div_ceil(owners.len() - served).min(of_owner);
        let mut own: Vec<Queue> = own.iter().take(share).copied().collect();
        own.sort_by_key(|queue| queue.first);
        turns.extend(own.into_iter().enumerate());
    }
    turns.sort_by_key(|(turn, queue)| (*turn, queue.first));
    turns.into_iter().map(|(_, queue)| queue).collect()
}

/// Leases queues. Returns the subjects of those that were leased or extended.
async fn lease(
    transaction: &Transaction<'_>,
    due: Due,
    soon: Timestamp,
    subjects: &[Uuid],
) -> Done<HashSet<Uuid>> {
    let rows = transaction
        .query_typed(
            LEASE,
            &[
                (&due.node, Type::INT8),
                (&due.until.as_unix_millis(), Type::INT8),
                (&subjects, Type::UUID_ARRAY),
                (&due.now.as_unix_millis(), Type::INT8),
                (&soon.as_unix_millis(), Type::INT8),
            ],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Reads the due events at the heads of queues, up to the first that is not due. `remaining` events behind the first
/// ones are returned in all.
async fn heads(client: &Client, due: Due, queues: &[Queue], mut remaining: usize) -> Done<Vec<PendingEvent>> {
    let subjects: Vec<Uuid> = queues.iter().map(|queue| queue.subject).collect();
    // A customer's event is sent alone, so the events after it are not needed yet.
    let max_events = |queue: &Queue| match queue.owner {
        Owner::Account(_) => i64::try_from(remaining.min(MAX_EVENTS_OF_SUBJECT - 1) + 1).unwrap_or(1),
        Owner::Customer(_) => 1,
    };
    let most: Vec<i64> = queues.iter().map(max_events).collect();
    let rows = client
        .query_typed(
            HEADS,
            &[(&due.node, Type::INT8), (&subjects, Type::UUID_ARRAY), (&most, Type::INT8_ARRAY)],
        )
        .await?;
    let mut events = Vec::with_capacity(rows.len());
    // The place of the last first event, and whether the events after it are left out.
    let (mut place, mut is_over) = (0, true);
    for row in &rows {
        let own: i64 = row.try_get(0)?;
        let is_first = own != place;
        if is_first {
            (place, is_over) = (own, false);
        }
        is_over =
            is_over || row.try_get::<_, i64>(11)? > due.now.as_unix_millis() || (!is_first && remaining == 0);
        if is_over {
            continue;
        }
        if !is_first {
            remaining -= 1;
        }
        events.push(pending(row)?);
    }
    Ok(events)
}

fn pending(row: &Row) -> Done<PendingEvent> {
    let form = match owner(row.try_get(2)?, row.try_get(3)?) {
        Owner::Account(account) => EventForm::of_account(account, row.try_get(6)?),
        Owner::Customer(customer) => {
            EventForm::Webhook { customer, method: row.try_get(6)?, signature: row.try_get(7)? }
        }
    };
    Ok(PendingEvent {
        number: row.try_get(1)?,
        event: NewEvent {
            form,
            subject: row.try_get(4)?,
            url: row.try_get(5)?,
            body: row.try_get(8)?,
            created_at: Timestamp::from_unix_millis(row.try_get(9)?),
        },
        attempts: u32::try_from(row.try_get::<_, i64>(10)?).unwrap_or(u32::MAX),
    })
}

//! The lanes of an owner, and the queues of its subjects.

use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::postgres::failure::Done;
use crate::postgres::parameter::Parameter;
use crate::postgres::transaction::Transaction;
use crate::{Backlog, DocumentKind, Owner};

/// Number of lanes of an owner. Writes of events of one owner wait for each other where they are in the same lane.
pub(super) const LANES: u64 = 8;

/// The value of the column `account` for events of customers: account numbers begin at 1.
const NO_ACCOUNT: i64 = 0;

/// A lane: the owner's columns, and the lane's number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    pub(super) account: i64,
    pub(super) customer: Uuid,
    pub(super) number: i16,
}

/// Returns the values of the columns `account` and `customer`.
pub(super) fn columns(owner: Owner) -> (i64, Uuid) {
    match owner {
        Owner::Account(account) => (account, Uuid::nil()),
        Owner::Customer(customer) => (NO_ACCOUNT, customer),
    }
}

/// Returns the owner with these columns.
pub(super) fn owner(account: i64, customer: Uuid) -> Owner {
    if account == NO_ACCOUNT { Owner::Customer(customer) } else { Owner::Account(account) }
}

impl Lane {
    /// The lane of a subject. A subject has one owner.
    pub(super) fn of(owner: Owner, subject: Uuid) -> Self {
        let (account, customer) = columns(owner);
        let number = i16::try_from(subject.as_u64_pair().1 % LANES).unwrap_or_default();
        Self { account, customer, number }
    }

    pub(super) async fn lock(&self, transaction: &Transaction<'_>) -> Done<()> {
        let select =
            "SELECT 1 FROM outbox_lane WHERE account = $1 AND customer = $2 AND lane = $3 FOR UPDATE";
        transaction
            .execute_typed(
                select,
                &[(&self.account, Type::INT8), (&self.customer, Type::UUID), (&self.number, Type::INT2)],
            )
            .await?;
        Ok(())
    }
}

/// Locks the queue of a subject. Returns false if there is none, or another node holds it.
pub(super) async fn lock_queue(transaction: &Transaction<'_>, subject: Uuid, node: i64) -> Done<bool> {
    let select = "SELECT holder FROM outbox_queue WHERE subject = $1 FOR UPDATE";
    let Some(row) = transaction.query_typed_opt(select, &[(&subject, Type::UUID)]).await? else {
        return Ok(false);
    };
    let holder: Option<i64> = row.try_get(0)?;
    Ok(holder.is_none_or(|holder| holder == node))
}

/// Makes the first waiting event of each subject the first of its queue, and deletes the queues without one. The lanes
/// and the queues are locked. With `ends_lease`, no node holds the queues any more.
pub(super) async fn begin_queues_anew(
    transaction: &Transaction<'_>,
    subjects: &[Uuid],
    ends_lease: bool,
) -> Done<()> {
    let update = "WITH head AS (\
             SELECT s.subject, n.number, n.due_at FROM unnest($1::uuid[]) AS s (subject) LEFT JOIN LATERAL (\
                 SELECT o.number, o.due_at FROM outbox o WHERE o.subject = s.subject ORDER BY o.number LIMIT 1\
             ) AS n ON true), \
         moved AS (\
             UPDATE outbox_queue q SET first = head.number, due_at = head.due_at, \
                 holder = CASE WHEN $2 THEN NULL ELSE q.holder END, \
                 held_until = CASE WHEN $2 THEN NULL ELSE q.held_until END \
             FROM head WHERE q.subject = head.subject AND head.number IS NOT NULL) \
         DELETE FROM outbox_queue q USING head WHERE q.subject = head.subject AND head.number IS NULL";
    transaction.execute_typed(update, &[(&subjects, Type::UUID_ARRAY), (&ends_lease, Type::BOOL)]).await?;
    Ok(())
}

/// Updates when the next event of a lane, or of all lanes of an owner, is due. The lanes are locked.
pub(super) async fn update_due(
    transaction: &Transaction<'_>,
    account: i64,
    customer: Uuid,
    lane: Option<i16>,
) -> Done<()> {
    let update = "UPDATE outbox_lane l SET due_at = (SELECT min(q.due_at) FROM outbox_queue q \
             WHERE q.account = l.account AND q.customer = l.customer AND q.lane = l.lane) \
         WHERE l.account = $1 AND l.customer = $2 AND ($3 IS NULL OR l.lane = $3)";
    transaction
        .execute_typed(update, &[(&account, Type::INT8), (&customer, Type::UUID), (&lane, Type::INT2)])
        .await?;
    Ok(())
}

/// The customer of the lane that has the number of events that were dropped of customers who are gone.
const GONE: Uuid = Uuid::max();

/// Deletes the lanes of customers who are deleted, if no event waits in them. The events that were dropped from them
/// count in one lane for all. Lanes that another transaction has locked are left alone.
const FORGET: &str = "WITH idle AS MATERIALIZED (\
         SELECT l.account, l.customer, l.lane FROM outbox_lane l \
         WHERE l.account = 0 AND l.waiting = 0 AND l.customer <> $2 AND NOT EXISTS (\
             SELECT 1 FROM document d WHERE d.kind = $3 AND d.id = l.customer AND NOT d.deleted) \
         ORDER BY l.customer, l.lane LIMIT $1 FOR UPDATE OF l SKIP LOCKED), \
     gone AS (\
         DELETE FROM outbox_lane l USING idle i \
         WHERE l.account = i.account AND l.customer = i.customer AND l.lane = i.lane RETURNING l.dropped), \
     kept AS (\
         INSERT INTO outbox_lane AS l (account, customer, lane, waiting, dropped, last) \
         SELECT 0, $2, 0, 0, sum(dropped)::bigint, 0 FROM gone HAVING sum(dropped) > 0 \
         ON CONFLICT (account, customer, lane) DO UPDATE SET dropped = l.dropped + excluded.dropped) \
     SELECT count(*) FROM gone";

pub(super) async fn forget(transaction: &Transaction<'_>, most: u64) -> Done<u64> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let kind = DocumentKind::Customer as i16;
    let parameters: [Parameter<'_>; 3] = [(&most, Type::INT8), (&GONE, Type::UUID), (&kind, Type::INT2)];
    let row = transaction.query_typed_one(FORGET, &parameters).await?;
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default())
}

pub(super) async fn backlog(client: &Client, owner: Option<Owner>) -> Done<Backlog> {
    let (account, customer) = owner.map(columns).unzip();
    let select = "SELECT coalesce(sum(waiting), 0)::bigint, coalesce(sum(dropped), 0)::bigint FROM outbox_lane \
                  WHERE $1 IS NULL OR account = $1 AND customer = $2";
    let row = client.query_typed_one(select, &[(&account, Type::INT8), (&customer, Type::UUID)]).await?;
    let count = |column: usize| row.try_get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(Backlog { waiting: count(0)?, dropped: count(1)? })
}

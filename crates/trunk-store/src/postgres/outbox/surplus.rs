//! Drops events of a customer's queues that are too many or too old.

use std::collections::HashSet;

use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::lane::{LANES, begin_queues_anew, update_due};
use crate::postgres::failure::Done;
use crate::postgres::transaction::Transaction;
use crate::{Bounds, Dropped, StoreError, Surplus};

/// The customers with more waiting events than the bound. One of their lanes has more than its share of it.
macro_rules! overfull {
    () => {
        "FROM outbox_lane WHERE account = 0 AND customer IN (\
             SELECT customer FROM outbox_lane WHERE account = 0 AND waiting > $1 / $2) \
         GROUP BY customer HAVING sum(waiting) > $1"
    };
}

/// Selects the customers with more waiting events than the bound, the shortest queue first.
const OVERFULL: &str = concat!("SELECT customer ", overfull!(), " ORDER BY sum(waiting), customer");
const IS_OVERFULL: &str = concat!("SELECT EXISTS (SELECT 1 ", overfull!(), ")");

/// Selects the customers with an event that happened before a time.
const AGED: &str = "SELECT c.customer FROM (\
         SELECT DISTINCT customer FROM outbox_lane WHERE account = 0 AND waiting > 0) AS c \
     WHERE EXISTS (SELECT 1 FROM outbox o \
         WHERE o.account = 0 AND o.customer = c.customer AND o.created_at < $1) ORDER BY c.customer";

/// Drops, among a number of the oldest waiting events of a customer, those that happened before a time, and counts
/// them.
const DROP: &str = "WITH gone AS (\
         DELETE FROM outbox o USING (\
             SELECT subject, number FROM (SELECT subject, number, created_at FROM outbox \
             WHERE account = 0 AND customer = $1 ORDER BY number LIMIT $2) AS oldest WHERE created_at < $3) AS victim \
         WHERE o.subject = victim.subject AND o.number = victim.number RETURNING o.subject, o.lane), \
     counted AS (\
         UPDATE outbox_lane l SET waiting = l.waiting - g.events, dropped = l.dropped + g.events \
         FROM (SELECT lane, count(*) AS events FROM gone GROUP BY lane) AS g \
         WHERE l.account = 0 AND l.customer = $1 AND l.lane = g.lane) \
     SELECT subject FROM gone";

fn bound(most: u64) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

fn lanes() -> i64 {
    i64::try_from(LANES).unwrap_or(1)
}

pub(super) async fn is_overfull(client: &Client, most: u64) -> Done<bool> {
    let row =
        client.query_typed_one(IS_OVERFULL, &[(&bound(most), Type::INT8), (&lanes(), Type::INT8)]).await?;
    Ok(row.try_get(0)?)
}

/// Drops events of all customers, at most `max` in total.
pub(super) async fn drop_surplus(
    transaction: &Transaction<'_>,
    bounds: Bounds,
    max: u64,
) -> Done<Vec<Dropped>> {
    let overfull = transaction
        .query_typed(OVERFULL, &[(&bound(bounds.most), Type::INT8), (&lanes(), Type::INT8)])
        .await?;
    let overfull: Vec<Uuid> = overfull.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let before = bounds.before.as_unix_millis();
    let aged = transaction.query_typed(AGED, &[(&before, Type::INT8)]).await?;
    let aged: Vec<Uuid> = aged.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let both: Vec<Uuid> = overfull.iter().chain(&aged).copied().collect();
    if both.is_empty() {
        return Ok(Vec::new());
    }
    lock_lanes(transaction, &both).await?;
    let mut dropped = Vec::new();
    let mut remaining = max;
    for customer in overfull {
        // Another node may have dropped them until the lanes were locked.
        let waiting = waiting(transaction, customer).await?;
        if remaining == 0 || waiting <= bounds.most {
            continue;
        }
        // At least a hundredth of the bound, so that not every further event drops one.
        let surplus = (waiting - bounds.most).max(bounds.most / 100).min(remaining);
        let events = drop_oldest(transaction, customer, surplus, i64::MAX).await?;
        remaining = remaining.saturating_sub(events);
        dropped.push(Dropped { customer, events, why: Surplus::TooMany });
    }
    for customer in aged {
        if remaining == 0 {
            break;
        }
        let events = drop_oldest(transaction, customer, remaining, before).await?;
        remaining = remaining.saturating_sub(events);
        dropped.push(Dropped { customer, events, why: Surplus::TooOld });
    }
    dropped.retain(|dropped| dropped.events > 0);
    Ok(dropped)
}

async fn lock_lanes(transaction: &Transaction<'_>, customers: &[Uuid]) -> Done<()> {
    let select = "SELECT 1 FROM outbox_lane WHERE account = 0 AND customer = ANY ($1) \
                  ORDER BY account, customer, lane FOR UPDATE";
    transaction.execute_typed(select, &[(&customers, Type::UUID_ARRAY)]).await?;
    Ok(())
}

async fn waiting(transaction: &Transaction<'_>, customer: Uuid) -> Done<u64> {
    let select =
        "SELECT coalesce(sum(waiting), 0)::bigint FROM outbox_lane WHERE account = 0 AND customer = $1";
    let waiting: i64 = transaction.query_typed_one(select, &[(&customer, Type::UUID)]).await?.try_get(0)?;
    u64::try_from(waiting).map_err(|_| StoreError::Corrupt("fewer events than none wait".to_owned()).into())
}

/// Drops, among the `max` oldest waiting events of a customer, those that happened before a time. Returns how many.
async fn drop_oldest(transaction: &Transaction<'_>, customer: Uuid, max: u64, before: i64) -> Done<u64> {
    let rows = transaction
        .query_typed(DROP, &[(&customer, Type::UUID), (&bound(max), Type::INT8), (&before, Type::INT8)])
        .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let subjects: HashSet<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let subjects: Vec<Uuid> = subjects.into_iter().collect();
    let lock = "SELECT 1 FROM outbox_queue WHERE subject = ANY ($1) ORDER BY subject FOR UPDATE";
    transaction.execute_typed(lock, &[(&subjects, Type::UUID_ARRAY)]).await?;
    begin_queues_anew(transaction, &subjects, false).await?;
    update_due(transaction, 0, customer, None).await?;
    Ok(rows.len() as u64)
}

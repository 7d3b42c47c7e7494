//! The history of delivery attempts, of which the newest are kept.

use didww_types::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::lane::{columns, owner};
use crate::postgres::failure::Done;
use crate::postgres::transaction::Transaction;
use crate::{Delivery, Owner};

/// Number of attempts that are kept for the operator. Older ones are deleted.
const MAX_HISTORY: i64 = 100_000;
/// About one attempt in this many deletes the old ones, because finding them costs more the more there are.
const ATTEMPTS_PER_DELETION: i64 = 1_024;

pub(super) async fn insert(transaction: &Transaction<'_>, delivery: &Delivery) -> Done<()> {
    let number = transaction.node.number();
    let (account, customer) = columns(delivery.owner);
    transaction
        .execute_typed(
            "INSERT INTO delivery (number, account, customer, subject, url, events, attempt, at, status, error) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                (&number, Type::INT8),
                (&account, Type::INT8),
                (&customer, Type::UUID),
                (&delivery.subject, Type::UUID),
                (&delivery.url, Type::TEXT),
                (&i64::from(delivery.events), Type::INT8),
                (&i64::from(delivery.attempt), Type::INT8),
                (&delivery.at.as_unix_millis(), Type::INT8),
                (&delivery.status.map(i32::from), Type::INT4),
                (&delivery.error, Type::TEXT),
            ],
        )
        .await?;
    // The bits of the number behind those of the process are of the time.
    if (number >> 12) % ATTEMPTS_PER_DELETION == 0 {
        let delete = "DELETE FROM delivery WHERE number <= \
                      (SELECT number FROM delivery ORDER BY number DESC OFFSET $1 LIMIT 1)";
        transaction.execute_typed(delete, &[(&MAX_HISTORY, Type::INT8)]).await?;
    }
    Ok(())
}

pub(super) async fn list(client: &Client, owner: Option<Owner>, limit: u64) -> Done<Vec<Delivery>> {
    let (account, customer) = owner.map(columns).unzip();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = client
        .query_typed(
            "SELECT account, customer, subject, url, events, attempt, at, status, error FROM delivery \
             WHERE $1 IS NULL OR account = $1 AND customer = $2 ORDER BY number DESC LIMIT $3",
            &[(&account, Type::INT8), (&customer, Type::UUID), (&limit, Type::INT8)],
        )
        .await?;
    rows.iter().map(delivery).collect()
}

fn delivery(row: &Row) -> Done<Delivery> {
    let count =
        |column: usize| row.try_get::<_, i64>(column).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let status: Option<i32> = row.try_get(7)?;
    Ok(Delivery {
        owner: owner(row.try_get(0)?, row.try_get(1)?),
        subject: row.try_get(2)?,
        url: row.try_get(3)?,
        events: count(4)?,
        attempt: count(5)?,
        at: Timestamp::from_unix_millis(row.try_get(6)?),
        status: status.and_then(|status| u16::try_from(status).ok()),
        error: row.try_get(8)?,
    })
}

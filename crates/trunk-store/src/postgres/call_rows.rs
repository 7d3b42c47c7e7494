//! Reads running calls and charges from rows.

use didww_types::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::failure::Done;
use crate::{RunningCall, StoredCharge};

/// Reads a running call from the first columns of a row.
pub(super) fn running_call(row: &Row) -> Done<RunningCall> {
    Ok(RunningCall {
        id: row.try_get(0)?,
        account: row.try_get(1)?,
        trunk: row.try_get(2)?,
        answered_at: Timestamp::from_unix_millis(row.try_get(3)?),
        acknowledged: row.try_get(4)?,
        attributes: row.try_get(5)?,
    })
}

/// Returns the running calls with these ids, those without a record, for the change feed.
pub(super) async fn running_with(client: &Client, ids: &[Uuid]) -> Done<Vec<RunningCall>> {
    let select = "SELECT id, account, trunk, answered_at, acknowledged, attributes FROM running_call r \
                  WHERE id = ANY ($1) AND NOT EXISTS (SELECT 1 FROM call c WHERE c.id = r.id)";
    client.query_typed(select, &[(&ids, Type::UUID_ARRAY)]).await?.iter().map(running_call).collect()
}

/// Returns the charges of the calls with these ids, for the change feed.
pub(super) async fn charges_of(client: &Client, ids: &[Uuid]) -> Done<Vec<StoredCharge>> {
    let select = "SELECT account, trunk, ended_at, price, id FROM call WHERE id = ANY ($1)";
    client.query_typed(select, &[(&ids, Type::UUID_ARRAY)]).await?.iter().map(|row| charge(row, 4)).collect()
}

/// Reads a charge from a row whose column `id` has the id.
pub(super) fn charge(row: &Row, id: usize) -> Done<StoredCharge> {
    Ok(StoredCharge {
        id: row.try_get(id)?,
        account: row.try_get(0)?,
        trunk: row.try_get(1)?,
        ended_at: Timestamp::from_unix_millis(row.try_get(2)?),
        price: row.try_get(3)?,
    })
}

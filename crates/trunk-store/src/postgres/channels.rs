//! Channels of trunks that the nodes share: how many each holds, and a row of each trunk that is locked to take some.
//!
//! With that lock, a transaction sees the channels that every other one has taken: the statement that counts is
//! executed after the lock was received, and sees all commits until then. Returning channels needs no lock: a node that
//! counts the old number refuses a call rather than admits one too many. The rows of a node are deleted with it; those
//! of a node that was taken over are not counted until then.
//!
//! Rows without a meaning are deleted by a job. A row without channels counts as much as none. The row of a turn is
//! only its lock: while a deletion of it is not committed, a transaction that takes the turn waits, and then inserts
//! the row again, so that one has it. Rows that a transaction holds are left alone, so a deletion waits for none.

use std::collections::HashMap;

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::PostgresStore;
use super::failure::Done;
use super::parameter::Parameter;
use super::transaction::Transaction;
use crate::{Answer, ChannelRequest, Channels, HeldChannels, StoreError};

/// Whether a row of channels counts for no node: it has none, or its node has left.
macro_rules! means_nothing {
    () => {
        "(c.held = 0 OR NOT EXISTS (SELECT 1 FROM node n WHERE n.number = c.node AND NOT n.removed))"
    };
}

/// Takes the trunks' turns, in the order of their ids.
const LOCK: &str = "INSERT INTO channel_turn AS c (trunk, turns) \
     SELECT t, 1 FROM unnest($1::uuid[]) AS given (t) ORDER BY t \
     ON CONFLICT (trunk) DO UPDATE SET turns = c.turns + 1";
/// The channels that the other nodes hold, without nodes that are known to be dead. A node that left may have written a
/// row after it was removed, which must not count.
const OTHERS: &str = "SELECT c.trunk, sum(c.held)::bigint FROM channel c \
     WHERE c.trunk = ANY ($1) AND c.node <> $2 AND EXISTS (\
         SELECT 1 FROM node n WHERE n.number = c.node AND n.heir IS NULL AND NOT n.removed) \
     GROUP BY c.trunk";
/// Stores the channels that this node holds, unless it was taken over.
const HOLD: &str = "INSERT INTO channel (trunk, node, held) \
     SELECT t, $1, h FROM unnest($2::uuid[], $3::int8[]) AS given (t, h) \
     WHERE NOT EXISTS (SELECT 1 FROM node n WHERE n.number = $1 AND (n.heir IS NOT NULL OR n.removed)) \
     ON CONFLICT (trunk, node) DO UPDATE SET held = excluded.held";

async fn hold(transaction: &Transaction<'_>, requests: &[ChannelRequest]) -> Done<Vec<HeldChannels>> {
    let own = transaction.node.number;
    let mut taken: Vec<Uuid> =
        requests.iter().filter(|request| request.more > 0).map(|request| request.trunk).collect();
    taken.sort_unstable();
    let mut others: HashMap<Uuid, u32> = HashMap::new();
    if !taken.is_empty() {
        let parameters: [Parameter<'_>; 2] = [(&taken, Type::UUID_ARRAY), (&own, Type::INT8)];
        let [trunks, _] = &parameters;
        // A lock that is taken without a row of this node has no effect. Both are sent at once, and executed in this
        // order.
        let harmless = transaction.harmless();
        let (_, others_hold) = tokio::try_join!(biased;
            harmless.execute_typed(LOCK, std::slice::from_ref(trunks)),
            harmless.query_typed(OTHERS, &parameters),
        )?;
        for row in others_hold {
            let held: i64 = row.try_get(1)?;
            others.insert(row.try_get(0)?, u32::try_from(held).unwrap_or(u32::MAX));
        }
    }
    let others = |trunk| others.get(&trunk).copied().unwrap_or_default();
    let granted: Vec<HeldChannels> =
        requests.iter().map(|request| request.granted(others(request.trunk))).collect();
    let trunks: Vec<Uuid> = requests.iter().map(|request| request.trunk).collect();
    let held: Vec<i64> = granted.iter().map(|granted| granted.held.into()).collect();
    let parameters =
        &[(&own as _, Type::INT8), (&trunks as _, Type::UUID_ARRAY), (&held as _, Type::INT8_ARRAY)];
    let stored = transaction.execute_typed(HOLD, parameters).await?;
    if stored == 0 && !requests.is_empty() {
        return Err(StoreError::Conflict.into());
    }
    Ok(granted)
}

/// Deletes rows without channels, and those of nodes that are not there. One that receives channels meanwhile is locked,
/// or does not match any more once it is. The rows are selected once: a subquery that is executed again would find
/// others behind those that were deleted.
const FORGET: &str = concat!(
    "WITH empty AS MATERIALIZED (SELECT c.trunk, c.node FROM channel c WHERE ",
    means_nothing!(),
    " LIMIT $1 FOR UPDATE OF c SKIP LOCKED) \
     DELETE FROM channel c USING empty e WHERE c.trunk = e.trunk AND c.node = e.node AND ",
    means_nothing!()
);
/// Deletes turns of trunks of which no node holds channels, and which no transaction has now.
const FORGET_TURNS: &str = "WITH unused AS MATERIALIZED (\
         SELECT t.trunk FROM channel_turn t \
         WHERE NOT EXISTS (SELECT 1 FROM channel c WHERE c.trunk = t.trunk) \
         LIMIT $1 FOR UPDATE SKIP LOCKED) \
     DELETE FROM channel_turn t USING unused u WHERE t.trunk = u.trunk";

async fn forget(transaction: &Transaction<'_>, most: u64) -> Done<u64> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut forgotten = 0;
    for delete in [FORGET, FORGET_TURNS] {
        forgotten += transaction.execute_typed(delete, &[(&most, Type::INT8)]).await?;
    }
    Ok(forgotten)
}

impl Channels for PostgresStore {
    fn hold_channels(&self, requests: Vec<ChannelRequest>) -> Answer<'_, Vec<HeldChannels>> {
        self.node.write(requests, |transaction, requests| Box::pin(hold(transaction, requests)))
    }

    fn forget_channels(&self, most: u64) -> Answer<'_, u64> {
        self.node.write(most, |transaction, most| Box::pin(forget(transaction, *most)))
    }
}

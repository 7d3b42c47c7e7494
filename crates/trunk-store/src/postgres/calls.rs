//! The records of calls that ended or were refused, and the calls that are running.
//!
//! A call is charged by its record, of which it has one: the id is unique. A row of a running call whose record exists
//! does not count, in whichever order the two were written.

use didww_types::Timestamp;
use serde_json::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::call_rows::{charge, running_call};
use super::failure::Done;
use super::late::{Late, owned};
use super::parameter::Parameter;
use super::transaction::{Announcement, Transaction};
use crate::{
    Answer, Asker, CallQuery, Calls, NodeCall, RunningCall, RunningCalls, StoreError, StoredCall,
    StoredCharge,
};

/// Number of charges that are read at a time.
const CHARGES_PER_READ: usize = 50_000;

/// Stores a call that was answered, unless its record exists already, because the call ended before this write.
pub(super) fn answered(transaction: &Transaction<'_>, call: &RunningCall) {
    let number = transaction.node.number();
    let insert = "INSERT INTO running_call AS r (id, number, node, account, trunk, answered_at, acknowledged, attributes) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE NOT EXISTS (SELECT 1 FROM call WHERE id = $1) \
         ON CONFLICT (id) DO UPDATE SET acknowledged = r.acknowledged OR excluded.acknowledged";
    let parameters = vec![
        owned(call.id, &Type::UUID),
        owned(number, &Type::INT8),
        owned(transaction.node.number, &Type::INT8),
        owned(call.account, &Type::INT8),
        owned(call.trunk, &Type::UUID),
        owned(call.answered_at.as_unix_millis(), &Type::INT8),
        owned(call.acknowledged, &Type::BOOL),
        owned(call.attributes.clone(), &Type::TEXT),
    ];
    transaction.later(Late::new(insert, parameters));
    let RunningCall { account, trunk, id, .. } = *call;
    transaction.announce(Announcement::CallRunning { account, trunk, call: id });
}

/// Marks a running call as acknowledged.
pub(super) async fn acknowledged(transaction: &Transaction<'_>, id: Uuid) -> Done<()> {
    let update = "UPDATE running_call SET acknowledged = true WHERE id = $1 RETURNING account, trunk";
    if let Some(row) = transaction.query_typed_opt(update, &[(&id, Type::UUID)]).await? {
        let (account, trunk) = (row.try_get(0)?, row.try_get(1)?);
        transaction.announce(Announcement::CallRunning { account, trunk, call: id });
    }
    Ok(())
}

/// Stores until when the running calls of this node are known to have been up.
pub(super) fn step(transaction: &Transaction<'_>, at: Timestamp) {
    let upsert =
        "INSERT INTO call_step (node, at) VALUES ($1, $2) ON CONFLICT (node) DO UPDATE SET at = excluded.at";
    let parameters =
        vec![owned(transaction.node.number, &Type::INT8), owned(at.as_unix_millis(), &Type::INT8)];
    transaction.later(Late::new(upsert, parameters));
}

/// Stores the record of a call, which replaces its row as a running call. An existing record with the same id is
/// unchanged: the caller repeats writes whose outcome is unknown.
pub(super) async fn ended(transaction: &Transaction<'_>, call: &StoredCall) -> Done<()> {
    let number = transaction.node.number();
    let attributes: Value = serde_json::from_str(&call.attributes).unwrap_or_default();
    let member = |name: &str| attributes.get(name).and_then(Value::as_str).map(str::to_owned);
    // A call without a price is announced if it was announced as running.
    let is_announced = call.price != "0" || {
        let select = "SELECT 1 FROM running_call WHERE id = $1 FOR UPDATE";
        transaction.harmless().query_typed_opt(select, &[(&call.id, Type::UUID)]).await?.is_some()
    };
    let insert = "WITH record AS (\
             INSERT INTO call (number, id, account, trunk, ended_at, cause, code, source, destination, price, \
                 call_id, source_ip, check_name, attributes) \
             VALUES ($2, $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO NOTHING) \
         DELETE FROM running_call WHERE id = $1";
    let parameters = vec![
        owned(call.id, &Type::UUID),
        owned(number, &Type::INT8),
        owned(call.account, &Type::INT8),
        owned(call.trunk, &Type::UUID),
        owned(call.ended_at.as_unix_millis(), &Type::INT8),
        owned(i32::from(call.cause), &Type::INT4),
        owned(i32::from(call.code), &Type::INT4),
        owned(call.source.clone(), &Type::TEXT),
        owned(call.destination.clone(), &Type::TEXT),
        owned(call.price.clone(), &Type::TEXT),
        owned(call.call_id.clone(), &Type::TEXT),
        owned(member("source_ip"), &Type::TEXT),
        owned(member("check"), &Type::TEXT),
        owned(call.attributes.clone(), &Type::TEXT),
    ];
    transaction.later(Late::new(insert, parameters));
    if is_announced {
        let StoredCall { account, trunk, id, .. } = *call;
        transaction.announce(Announcement::CallEnded { account, trunk, call: id });
    }
    Ok(())
}

/// Deletes the calls of one account or of all, running ones too.
pub(super) async fn reset(transaction: &Transaction<'_>, account: Option<i64>) -> Done<()> {
    for table in ["call", "running_call"] {
        let delete = format!("DELETE FROM {table} WHERE $1 IS NULL OR account = $1");
        transaction.execute_typed(&delete, &[(&account, Type::INT8)]).await?;
    }
    Ok(())
}

async fn list(client: &Client, query: &CallQuery) -> Done<Vec<StoredCall>> {
    Ok(select(client, query, None).await?.into_iter().map(|(_, call)| call).collect())
}

/// The records after a number, in ascending order, or with `None` all of them, in descending order. Each has its
/// number.
async fn select(client: &Client, query: &CallQuery, after: Option<i64>) -> Done<Vec<(i64, StoredCall)>> {
    if has_nul(query) {
        return Ok(Vec::new());
    }
    let cause = query.cause.map(i32::from);
    let source_ip = query.source_ip.map(|ip| ip.to_string());
    let from = query.from.map(Timestamp::as_unix_millis);
    let to = query.to.map(Timestamp::as_unix_millis);
    let mut conditions = vec!["true".to_owned()];
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    let filters: [(&str, Option<Parameter<'_>>); 10] = [
        ("account = ?", query.account.as_ref().map(|account| (account as _, Type::INT8))),
        ("trunk = ?", query.trunk.as_ref().map(|trunk| (trunk as _, Type::UUID))),
        ("cause = ?", cause.as_ref().map(|cause| (cause as _, Type::INT4))),
        ("call_id = ?", query.call_id.as_ref().map(|id| (id as _, Type::TEXT))),
        ("source_ip = ?", source_ip.as_ref().map(|ip| (ip as _, Type::TEXT))),
        ("check_name = ?", query.check.as_ref().map(|check| (check as _, Type::TEXT))),
        (
            "(strpos(source, ?) > 0 OR strpos(destination, ?) > 0)",
            query.number.as_ref().map(|number| (number as _, Type::TEXT)),
        ),
        ("ended_at >= ?", from.as_ref().map(|from| (from as _, Type::INT8))),
        ("ended_at < ?", to.as_ref().map(|to| (to as _, Type::INT8))),
        ("number > ?", after.as_ref().map(|after| (after as _, Type::INT8))),
    ];
    for (condition, parameter) in filters {
        if let Some(parameter) = parameter {
            parameters.push(parameter);
            conditions.push(condition.replace('?', &format!("${}", parameters.len())));
        }
    }
    let select = format!(
        "SELECT id, account, trunk, ended_at, cause, code, source, destination, price, call_id, attributes, number \
         FROM call WHERE {} ORDER BY number {} LIMIT {}",
        conditions.join(" AND "),
        if after.is_some() { "ASC" } else { "DESC" },
        i64::try_from(query.limit).unwrap_or(i64::MAX)
    );
    let rows = client.query_typed(&select, &parameters).await?;
    rows.iter().map(|row| Ok((row.try_get(11)?, call(row)?))).collect()
}

/// Whether a text of a query has a NUL character. No stored text has one, and the server refuses to look for it.
fn has_nul(query: &CallQuery) -> bool {
    [&query.call_id, &query.check, &query.number].into_iter().flatten().any(|text| text.contains('\0'))
}

fn call(row: &Row) -> Done<StoredCall> {
    let code =
        |column: usize| row.try_get::<_, i32>(column).map(|code| u16::try_from(code).unwrap_or_default());
    Ok(StoredCall {
        id: row.try_get(0)?,
        account: row.try_get(1)?,
        trunk: row.try_get(2)?,
        ended_at: Timestamp::from_unix_millis(row.try_get(3)?),
        cause: code(4)?,
        code: code(5)?,
        source: row.try_get(6)?,
        destination: row.try_get(7)?,
        price: row.try_get(8)?,
        call_id: row.try_get(9)?,
        attributes: row.try_get(10)?,
    })
}

/// Deletes the records that ended before a time, among the `most` records with the lowest numbers. Numbers are made of
/// the time, so the lowest are the oldest, and no index on the time is needed.
async fn forget(transaction: &Transaction<'_>, before: Timestamp, most: u64) -> Done<u64> {
    let delete = "DELETE FROM call WHERE ended_at < $1 \
                  AND number IN (SELECT number FROM call ORDER BY number LIMIT $2)";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let deleted = transaction
        .execute_typed(delete, &[(&before.as_unix_millis(), Type::INT8), (&most, Type::INT8)])
        .await?;
    Ok(deleted)
}

/// Returns the calls of a node that have no record, in the order in which they were answered.
pub(super) async fn running(client: &Client, node: i64) -> Done<RunningCalls> {
    let step = async {
        client.query_typed_opt("SELECT at FROM call_step WHERE node = $1", &[(&node, Type::INT8)]).await
    };
    let calls = async {
        let select = "SELECT id, account, trunk, answered_at, acknowledged, attributes FROM running_call r \
                      WHERE node = $1 AND NOT EXISTS (SELECT 1 FROM call c WHERE c.id = r.id) ORDER BY number";
        client.query_typed(select, &[(&node, Type::INT8)]).await
    };
    let (step, calls) = tokio::try_join!(biased; step, calls)?;
    let step: Option<i64> = step.map(|row| row.try_get(0)).transpose()?;
    let calls = calls.iter().map(running_call).collect::<Done<_>>()?;
    Ok(RunningCalls { calls, step: step.map(Timestamp::from_unix_millis) })
}

/// Returns the calls of other nodes that have no record: all of them, or one.
async fn of_others(client: &Client, own: i64, id: Option<Uuid>) -> Done<Vec<NodeCall>> {
    let select = "SELECT id, account, trunk, answered_at, acknowledged, attributes, node FROM running_call r \
                  WHERE node <> $1 AND ($2 IS NULL OR id = $2) \
                  AND NOT EXISTS (SELECT 1 FROM call c WHERE c.id = r.id) ORDER BY id";
    let rows = client.query_typed(select, &[(&own, Type::INT8), (&id, Type::UUID)]).await?;
    rows.iter().map(|row| Ok(NodeCall { node: row.try_get(6)?, call: running_call(row)? })).collect()
}

/// Reads charges after a position: the end of a call and the number of its record. Returns the position of the last
/// one.
async fn charges(client: &Client, (ended_at, number): (i64, i64)) -> Done<(Vec<StoredCharge>, (i64, i64))> {
    let select = "SELECT account, trunk, ended_at, price, number, id FROM call \
                  WHERE price <> '0' AND (ended_at, number) > ($1, $2) ORDER BY ended_at, number LIMIT $3";
    let limit = i64::try_from(CHARGES_PER_READ).unwrap_or(i64::MAX);
    let rows = client
        .query_typed(select, &[(&ended_at, Type::INT8), (&number, Type::INT8), (&limit, Type::INT8)])
        .await?;
    let last = match rows.last() {
        Some(last) => (last.try_get(2)?, last.try_get(4)?),
        None => (ended_at, number),
    };
    Ok((rows.iter().map(|row| charge(row, 5)).collect::<Done<_>>()?, last))
}

impl PostgresStore {
    /// A day of charges of a busy edge can exceed the limits of one read, so it is read in parts.
    async fn all_charges(&self, from: Timestamp) -> Result<Vec<StoredCharge>, StoreError> {
        let mut position = (from.as_unix_millis(), i64::MIN);
        let mut all = Vec::new();
        loop {
            let read = self.node.read(position, |client, position| Box::pin(charges(client, *position)));
            let (part, last) = read.await?;
            let is_last = part.len() < CHARGES_PER_READ;
            all.extend(part);
            if is_last {
                break;
            }
            position = last;
        }
        let key = |charge: &StoredCharge| (charge.ended_at, charge.trunk);
        all.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.price.cmp(&b.price)));
        Ok(all)
    }
}

impl Calls for PostgresStore {
    fn calls(&self, query: CallQuery) -> Answer<'_, Vec<StoredCall>> {
        Answer::later(
            self.node.long_read(Asker::Operator, query, |client, query| Box::pin(list(client, query))),
        )
    }

    fn calls_after(&self, query: CallQuery, number: i64) -> Answer<'_, Vec<(i64, StoredCall)>> {
        Answer::later(self.node.long_read(Asker::Operator, (query, number), |client, (query, number)| {
            Box::pin(select(client, query, Some(*number)))
        }))
    }

    fn forget_calls(&self, before: Timestamp, most: u64) -> Answer<'_, u64> {
        self.node.write((before, most), |transaction, (before, most)| {
            Box::pin(forget(transaction, *before, *most))
        })
    }

    fn running_calls(&self) -> Answer<'_, RunningCalls> {
        Answer::later(self.node.read(self.node.number, |client, node| Box::pin(running(client, *node))))
    }

    fn calls_of_others(&self, id: Option<Uuid>) -> Answer<'_, Vec<NodeCall>> {
        Answer::later(
            self.node
                .read((self.node.number, id), |client, (own, id)| Box::pin(of_others(client, *own, *id))),
        )
    }

    fn charges_since(&self, from: Timestamp) -> Answer<'_, Vec<StoredCharge>> {
        Answer::later(self.all_charges(from))
    }
}

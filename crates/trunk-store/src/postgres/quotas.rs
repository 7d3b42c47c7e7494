//! The numbers of records, and the quotas of accounts.
//!
//! The number of an account's records of a type is the sum of [`SHARDS`] rows. A transaction adds to one of them as
//! late as it can, and holds that row until it is committed. So at most [`SHARDS`] transactions have added numbers that
//! others do not see yet, and a transaction that adds few records and sees a sum far enough below the quota is within
//! the quota in any case. Every other one locks all rows first, and sees the exact number.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::failure::{Done, Failure};
use super::parameter::Parameter;
use super::shards::SHARDS;
use super::symbols::Symbols;
use super::transaction::Transaction;
use crate::{Scope, StoreError};

/// Maximum number of records of a type that a transaction may add without locking all rows.
pub(super) const MAX_ADDED_UNLOCKED: u8 = 32;
/// The most records that other transactions may have added unseen, together with those of this transaction.
const MARGIN: i64 = SHARDS as i64 * MAX_ADDED_UNLOCKED as i64;

/// The numbers of records of each account and type that have a quota.
#[derive(Debug, Default)]
pub(super) struct Quotas(BTreeMap<(i64, i64), Count>);

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    records: i64,
    added: i64,
    quota: i64,
}

/// Reads the counts that have a quota.
pub(super) async fn read(
    transaction: &Transaction<'_>,
    scopes: impl Iterator<Item = Scope> + Send,
) -> Done<Quotas> {
    let node = transaction.node;
    let mut counts: BTreeMap<(i64, i64), Count> = BTreeMap::new();
    // Records that belong to no account are not created by customers.
    for scope in scopes.filter(|scope| !scope.spec.global) {
        let key = (scope.account, node.symbols.kind(scope.spec.name));
        if let Some(count) = counts.get_mut(&key) {
            count.added += 1;
        } else if let Some(quota) = scope.quota(node.known.quota(scope.account, node.limits.records)) {
            let quota = i64::try_from(quota).unwrap_or(i64::MAX);
            counts.insert(key, Count { records: 0, added: 1, quota });
        }
    }
    if counts.is_empty() {
        return Ok(Quotas::default());
    }
    let (accounts, kinds): (Vec<i64>, Vec<i64>) = counts.keys().copied().unzip();
    let parameters: [Parameter<'_>; 2] = [(&accounts, Type::INT8_ARRAY), (&kinds, Type::INT8_ARRAY)];
    if transaction.is_exact {
        lock(transaction, &accounts, &kinds).await?;
    }
    let select = "SELECT account, kind, sum(records)::int8 FROM record_count WHERE (account, kind) IN \
                  (SELECT * FROM unnest($1::int8[], $2::int8[])) GROUP BY account, kind";
    for row in transaction.harmless().query_typed(select, &parameters).await? {
        if let Some(count) = counts.get_mut(&(row.try_get(0)?, row.try_get(1)?)) {
            count.records = row.try_get(2)?;
        }
    }
    for ((account, kind), count) in &mut counts {
        // The records that a transaction adds in several steps count together.
        let counted = transaction.counted(*account, *kind);
        count.records += counted;
        let is_near = counted + count.added > i64::from(MAX_ADDED_UNLOCKED)
            || count.records + count.added > count.quota - MARGIN;
        if !transaction.is_exact && is_near && count.records < count.quota {
            return Err(Failure::NearQuota);
        }
        count.added = 0;
        if !transaction.is_exact {
            transaction.guard(*account, *kind, count.quota);
        }
    }
    Ok(Quotas(counts))
}

/// Locks all rows of the counts of these accounts and types, whether they exist already or not. No transaction that
/// creates or deletes records of them is in progress then.
pub(super) async fn lock(transaction: &Transaction<'_>, accounts: &[i64], kinds: &[i64]) -> Done<()> {
    let parameters: [Parameter<'_>; 2] = [(&accounts, Type::INT8_ARRAY), (&kinds, Type::INT8_ARRAY)];
    let create = format!(
        "INSERT INTO record_count (account, kind, shard, records, changes) \
         SELECT a, k, s, 0, 0 FROM unnest($1::int8[], $2::int8[]) AS g (a, k), generate_series(0, {}) s \
         ORDER BY a, k, s ON CONFLICT DO NOTHING",
        SHARDS - 1
    );
    transaction.execute_typed(&create, &parameters).await?;
    let lock = "SELECT 1 FROM record_count WHERE (account, kind) IN \
                (SELECT * FROM unnest($1::int8[], $2::int8[])) ORDER BY account, kind, shard FOR UPDATE";
    transaction.query_typed(lock, &parameters).await?;
    Ok(())
}

impl Quotas {
    /// Refuses a further record if the account has reached its quota, and counts it otherwise.
    pub(super) fn take(&mut self, symbols: &Symbols, scope: Scope) -> Result<(), StoreError> {
        let Some(count) = self.0.get_mut(&(scope.account, symbols.kind(scope.spec.name))) else {
            return Ok(());
        };
        if scope.spec.global {
            return Ok(());
        }
        if count.records + count.added >= count.quota {
            let most = u64::try_from(count.quota).unwrap_or_default();
            return Err(StoreError::Quota { kind: scope.spec.name, most });
        }
        count.added += 1;
        Ok(())
    }
}

/// Adds to the counts, and counts a change of each. The rows are locked in their order.
pub(super) async fn add(client: &Client, shard: i16, counted: &BTreeMap<(i64, i64), i64>) -> Done<()> {
    if counted.is_empty() {
        return Ok(());
    }
    let (accounts, kinds): (Vec<i64>, Vec<i64>) = counted.keys().copied().unzip();
    let by: Vec<i64> = counted.values().copied().collect();
    let add = "INSERT INTO record_count AS c (account, kind, shard, records, changes) \
               SELECT a, k, $4, n, 1 FROM unnest($1::int8[], $2::int8[], $3::int8[]) AS g (a, k, n) ORDER BY a, k \
               ON CONFLICT (account, kind, shard) DO UPDATE SET records = c.records + excluded.records, \
               changes = c.changes + 1";
    let ints = Type::INT8_ARRAY;
    client
        .execute_typed(
            add,
            &[(&accounts, ints.clone()), (&kinds, ints.clone()), (&by, ints), (&shard, Type::INT2)],
        )
        .await?;
    Ok(())
}

/// Fails, and so ends the transaction, if one of the counts (account, type and quota) is near its quota by now. It is
/// one statement, so that the commit can be sent right after it.
pub(super) async fn check(client: &Client, guards: &[(i64, i64, i64)]) -> Done<()> {
    if guards.is_empty() {
        return Ok(());
    }
    let accounts: Vec<i64> = guards.iter().map(|(account, ..)| *account).collect();
    let kinds: Vec<i64> = guards.iter().map(|(_, kind, _)| *kind).collect();
    let most: Vec<i64> = guards.iter().map(|(.., quota)| quota - MARGIN).collect();
    let check = "SELECT 1 / CASE WHEN EXISTS (SELECT 1 FROM unnest($1::int8[], $2::int8[], $3::int8[]) AS g (a, k, m) \
                 WHERE (SELECT coalesce(sum(records), 0) FROM record_count c WHERE c.account = a AND c.kind = k) > m) \
                 THEN 0 ELSE 1 END";
    let ints = Type::INT8_ARRAY;
    let checked =
        client.query_typed(check, &[(&accounts, ints.clone()), (&kinds, ints.clone()), (&most, ints)]).await;
    checked.map(|_| ()).map_err(|error| {
        let is_near = error.code() == Some(&tokio_postgres::error::SqlState::DIVISION_BY_ZERO);
        if is_near { Failure::NearQuota } else { error.into() }
    })
}

//! Writes records, with their index and their links, inside the transaction of a write.
//!
//! Rows that a decision depends on are locked first: the record itself by the update that counts its revision, and the
//! records to which it links against deletion. Consecutive new records of one write are inserted together.

use std::collections::{HashMap, HashSet};

use didww_types::ResourceSpec;
use serde_json::{Map, Value};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::failure::Done;
use super::index_rows::{IndexRows, Taken};
use super::late::{Late, owned};
use super::parameter::Parameter;
use super::quotas;
use super::records::{COLUMNS, record};
use super::sums::{self, Differences};
use super::symbols::Symbols;
use super::transaction::{Announcement, Transaction};
use crate::content::Content;
use crate::{NO_ACCOUNT, Record, Scope, StoreError};

/// A record to insert, with its stored form and its links.
pub(super) struct New<'a> {
    pub(super) scope: Scope,
    pub(super) id: Uuid,
    pub(super) created_at: i64,
    pub(super) attributes: &'a Map<String, Value>,
    pub(super) links: &'a [(&'static str, Vec<Uuid>)],
    pub(super) meta: Option<&'a str>,
    pub(super) content: &'a Content,
}

/// The numbers of records that exist, and their accounts, by their ids.
type Found = HashMap<Uuid, (i64, i64)>;

/// New links, as one array for each column.
#[derive(Default)]
struct Links {
    numbers: Vec<i64>,
    owners: Vec<i64>,
    relationships: Vec<i64>,
    targets: Vec<i64>,
    known: HashSet<(i64, i64, i64)>,
}

impl Links {
    /// Adds a link to a record of the same owner or of no account; a repeated link has no effect. Fails if the target
    /// no longer exists: the caller must apply the rules again. Returns the number of a target that was added.
    fn add(
        &mut self,
        transaction: &Transaction<'_>,
        scope: Scope,
        (owner, relationship): (i64, i64),
        target: Uuid,
        found: &Found,
    ) -> Result<Option<i64>, StoreError> {
        let (target, account) = *found.get(&target).ok_or(StoreError::Conflict)?;
        if account != scope.owner() && account != NO_ACCOUNT {
            return Err(StoreError::Conflict);
        }
        if !self.known.insert((owner, relationship, target)) {
            return Ok(None);
        }
        self.numbers.push(transaction.node.number());
        self.owners.push(owner);
        self.relationships.push(relationship);
        self.targets.push(target);
        Ok(Some(target))
    }

    fn insert(self, transaction: &Transaction<'_>) {
        if self.numbers.is_empty() {
            return;
        }
        let insert = "INSERT INTO link (number, owner, relationship, target) \
                      SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[]) \
                      ON CONFLICT (owner, relationship, target) DO NOTHING";
        let columns = [self.numbers, self.owners, self.relationships, self.targets];
        let parameters = columns.map(|column| owned(column, &Type::INT8_ARRAY)).into();
        transaction.later(Late::new(insert, parameters));
    }
}

/// Finds records by their ids, and keeps them from being deleted until the end of the transaction.
async fn find_all(transaction: &Transaction<'_>, ids: &[Uuid]) -> Done<Found> {
    if ids.is_empty() {
        return Ok(Found::new());
    }
    let select =
        "SELECT id, number, account FROM record WHERE id = ANY($1::uuid[]) ORDER BY number FOR KEY SHARE";
    let rows = transaction.harmless().query_typed(select, &[(&ids, Type::UUID_ARRAY)]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)))).collect()
}

/// Inserts records, in their order. If one of them cannot be inserted, none is.
pub(super) async fn insert_all(
    transaction: &Transaction<'_>,
    new: &[New<'_>],
    sums: &mut Differences,
) -> Done<Vec<Record>> {
    let symbols = &transaction.node.symbols;
    let ids: Vec<Uuid> = new
        .iter()
        .flat_map(|new| new.links.iter().flat_map(|(_, ids)| ids).chain([&new.id]))
        .copied()
        .collect();
    let entries = new.iter().map(|new| (new.scope, new.content.gained.as_slice()));
    let (mut quotas, mut taken, mut found) = tokio::try_join!(biased;
        quotas::read(transaction, new.iter().map(|new| new.scope)),
        Taken::read(transaction, entries),
        find_all(transaction, &ids),
    )?;
    let (mut records, mut rows, mut links) =
        (Vec::with_capacity(new.len()), IndexRows::default(), Links::default());
    for New { scope, id, attributes, links: to, meta, content, .. } in new {
        quotas.take(symbols, *scope)?;
        taken.take_unique(symbols, *scope, &content.gained)?;
        taken.take_claims(symbols, *scope, &content.gained)?;
        let number = transaction.node.number();
        if found.insert(*id, (number, scope.owner())).is_some() {
            return Err(StoreError::Taken("id".to_owned()).into());
        }
        rows.add(symbols, *scope, number, &content.gained);
        for (relationship, targets) in *to {
            let name = *relationship;
            let relationship = symbols.member(scope.spec.name, name);
            for target in targets {
                if let Some(target) =
                    links.add(transaction, *scope, (number, relationship), *target, &found)?
                {
                    sums.add_link(symbols, scope.spec, name, target, attributes, 1);
                }
            }
        }
        transaction.count(scope.owner(), symbols.kind(scope.spec.name), 1);
        let record = Record {
            number,
            id: *id,
            kind: scope.spec.name,
            revision: 0,
            attributes: content.text.clone(),
            meta: meta.map(str::to_owned),
        };
        announce(transaction, *scope, &record);
        records.push(record);
    }
    insert_rows(transaction, new, &records);
    rows.insert(transaction);
    links.insert(transaction);
    Ok(records)
}

fn insert_rows(transaction: &Transaction<'_>, new: &[New<'_>], records: &[Record]) {
    let symbols = &transaction.node.symbols;
    let numbers: Vec<i64> = records.iter().map(|record| record.number).collect();
    let accounts: Vec<i64> = new.iter().map(|new| new.scope.owner()).collect();
    let kinds: Vec<i64> = new.iter().map(|new| symbols.kind(new.scope.spec.name)).collect();
    let ids: Vec<Uuid> = new.iter().map(|new| new.id).collect();
    let created: Vec<i64> = new.iter().map(|new| new.created_at).collect();
    let attributes: Vec<String> = records.iter().map(|record| record.attributes.clone()).collect();
    let metas: Vec<Option<String>> = records.iter().map(|record| record.meta.clone()).collect();
    let insert = "INSERT INTO record (number, account, kind, id, revision, created_at, attributes, meta) \
                  SELECT n, a, k, i, 0, c, t, m FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::uuid[], $5::int8[], \
                  $6::text[], $7::text[]) AS g (n, a, k, i, c, t, m)";
    let ints = &Type::INT8_ARRAY;
    let parameters = vec![
        owned(numbers, ints),
        owned(accounts, ints),
        owned(kinds, ints),
        owned(ids, &Type::UUID_ARRAY),
        owned(created, ints),
        owned(attributes, &Type::TEXT_ARRAY),
        owned(metas, &Type::TEXT_ARRAY),
    ];
    // If another transaction has inserted one of them since the check, the next attempt finds it.
    transaction.later(Late::new(insert, parameters).contested(&["record_id", "record_pkey"]));
}

fn announce(transaction: &Transaction<'_>, scope: Scope, record: &Record) {
    let record = Box::new(record.clone());
    transaction.announce(Announcement::Record { account: scope.owner(), record, links: Vec::new() });
}

/// Locks a record against changes. Returns false if it was changed since it was read.
async fn lock(transaction: &Transaction<'_>, record: &Record) -> Done<bool> {
    let select = "SELECT 1 FROM record WHERE number = $1 AND id = $2 AND revision = $3 FOR NO KEY UPDATE";
    let parameters: [Parameter<'_>; 3] =
        [(&record.number, Type::INT8), (&record.id, Type::UUID), (&record.revision, Type::INT8)];
    Ok(transaction.harmless().query_typed_opt(select, &parameters).await?.is_some())
}

/// Replaces a record if its revision is still the one that was read.
pub(super) async fn replace(
    transaction: &Transaction<'_>,
    scope: Scope,
    before: &Record,
    content: &Content,
    links: &[(&'static str, Vec<Uuid>)],
    meta: Option<&str>,
) -> Done<Record> {
    let symbols = &transaction.node.symbols;
    let Content { text, gained, released } = content;
    let meta = meta.map(str::to_owned).or_else(|| before.meta.clone());
    let targets: Vec<Uuid> = links.iter().flat_map(|(_, ids)| ids).copied().collect();
    // The lock comes first: a value that this record itself took by a change at another node must not refuse this
    // write.
    let (is_same, mut taken, found) = tokio::try_join!(biased;
        lock(transaction, before),
        Taken::read(transaction, std::iter::once((scope, gained.as_slice()))),
        find_all(transaction, &targets),
    )?;
    if !is_same {
        return Err(StoreError::Conflict.into());
    }
    transaction.count(scope.owner(), symbols.kind(scope.spec.name), 0);
    taken.take_claims(symbols, scope, gained)?;
    taken.take_unique(symbols, scope, gained)?;
    let update = "UPDATE record SET attributes = $1, meta = $3, revision = revision + 1 WHERE number = $2";
    let parameters = vec![
        owned(text.clone(), &Type::TEXT),
        owned(before.number, &Type::INT8),
        owned(meta.clone(), &Type::TEXT),
    ];
    transaction.later(Late::new(update, parameters));
    let (mut old, mut new) = (IndexRows::default(), IndexRows::default());
    old.add(symbols, scope, before.number, released);
    new.add(symbols, scope, before.number, gained);
    old.delete(transaction);
    new.insert(transaction);
    if !links.is_empty() {
        let mut all = Links::default();
        let mut relationships = Vec::with_capacity(links.len());
        for (relationship, targets) in links {
            let relationship = symbols.member(scope.spec.name, relationship);
            relationships.push(relationship);
            for target in targets {
                all.add(transaction, scope, (before.number, relationship), *target, &found)?;
            }
        }
        let delete = "DELETE FROM link WHERE owner = $1 AND relationship = ANY($2::int8[])";
        let parameters = vec![owned(before.number, &Type::INT8), owned(relationships, &Type::INT8_ARRAY)];
        transaction.later(Late::new(delete, parameters));
        all.insert(transaction);
    }
    let record = Record { attributes: text.clone(), revision: before.revision + 1, meta, ..before.clone() };
    announce(transaction, scope, &record);
    Ok(record)
}

/// Adds members to a relationship of a record, or removes them from it, if its revision is still the one that was read.
pub(super) async fn change_members(
    transaction: &Transaction<'_>,
    scope: Scope,
    owner: &Record,
    relationship: &'static str,
    add: bool,
    members: &[Uuid],
) -> Done<()> {
    let (is_same, found) =
        tokio::try_join!(biased; lock(transaction, owner), find_all(transaction, members))?;
    if !is_same {
        return Err(StoreError::Conflict.into());
    }
    let update = "UPDATE record SET revision = revision + 1 WHERE number = $1";
    transaction.later(Late::new(update, vec![owned(owner.number, &Type::INT8)]));
    let relationship = transaction.node.symbols.member(scope.spec.name, relationship);
    if add {
        let mut links = Links::default();
        for member in members {
            links.add(transaction, scope, (owner.number, relationship), *member, &found)?;
        }
        links.insert(transaction);
    } else {
        let is_reachable = |account: i64| account == scope.owner() || account == NO_ACCOUNT;
        let targets: Vec<i64> =
            found.values().filter(|(_, account)| is_reachable(*account)).map(|(number, _)| *number).collect();
        let delete = "DELETE FROM link WHERE owner = $1 AND relationship = $2 AND target = ANY($3::int8[])";
        let parameters = vec![
            owned(owner.number, &Type::INT8),
            owned(relationship, &Type::INT8),
            owned(targets, &Type::INT8_ARRAY),
        ];
        transaction.later(Late::new(delete, parameters));
    }
    announce(transaction, scope, &Record { revision: owner.revision + 1, ..owner.clone() });
    Ok(())
}

/// Fails unless the revision of a record still matches. It cannot change until the end of the transaction. `is_changed`
/// says that the transaction itself may change the record: it is locked as for that, because two transactions that
/// share a record would each wait for the other one to change it.
pub(super) async fn check_unchanged(
    transaction: &Transaction<'_>,
    record: &Record,
    is_changed: bool,
) -> Done<()> {
    if is_changed {
        let is_same = lock(transaction, record).await?;
        return if is_same { Ok(()) } else { Err(StoreError::Conflict.into()) };
    }
    let select = "SELECT 1 FROM record WHERE number = $1 AND id = $2 AND revision = $3 FOR SHARE";
    let same = transaction
        .harmless()
        .query_typed_opt(
            select,
            &[(&record.number, Type::INT8), (&record.id, Type::UUID), (&record.revision, Type::INT8)],
        )
        .await?;
    if same.is_some() { Ok(()) } else { Err(StoreError::Conflict.into()) }
}

/// Locks the targets of links that must not exist, in the order of their numbers.
const LOCK: &str = "SELECT id, number FROM record WHERE id = ANY($1::uuid[]) ORDER BY number FOR UPDATE";

/// Finds one of several links, each through a relationship to a target, from a record of an account or, if it is
/// shared, of any. The limit of one for each, and the account as a value of its own, keep the server from joining: it
/// would read all records of an account for each target.
const LINKED: &str = "SELECT 1 FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::bool[]) \
                      AS g (target, relationship, account, is_shared) CROSS JOIN LATERAL \
                      (SELECT 1 FROM link l WHERE l.target = g.target AND l.relationship = g.relationship \
                      AND (g.is_shared OR (SELECT account FROM record WHERE number = l.owner) = g.account) LIMIT 1) found \
                      LIMIT 1";

/// Fails if one of these links exists: that of a record of an owner, through a relationship, to a target. Nothing can
/// link to the targets until the end of the transaction.
pub(super) async fn check_unlinked(
    transaction: &Transaction<'_>,
    unlinked: &[(Scope, &'static str, Uuid)],
) -> Done<()> {
    let ids: HashSet<Uuid> = unlinked.iter().map(|(_, _, target)| *target).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let rows = transaction.harmless().query_typed(LOCK, &[(&ids, Type::UUID_ARRAY)]).await?;
    let numbers: HashMap<Uuid, i64> =
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Done<_>>()?;
    let symbols = &transaction.node.symbols;
    let (mut targets, mut relationships) = (Vec::new(), Vec::new());
    let (mut accounts, mut are_shared) = (Vec::new(), Vec::new());
    for (owners, relationship, target) in unlinked {
        let Some(target) = numbers.get(target) else { continue };
        targets.push(*target);
        relationships.push(symbols.member(owners.spec.name, relationship));
        accounts.push(owners.owner());
        are_shared.push(owners.leads_to_shared(relationship));
    }
    if targets.is_empty() {
        return Ok(());
    }
    let parameters: [Parameter<'_>; 4] = [
        (&targets, Type::INT8_ARRAY),
        (&relationships, Type::INT8_ARRAY),
        (&accounts, Type::INT8_ARRAY),
        (&are_shared, Type::BOOL_ARRAY),
    ];
    let linked = transaction.query_typed_opt(LINKED, &parameters).await?;
    if linked.is_some() { Err(StoreError::Conflict.into()) } else { Ok(()) }
}

/// Deletes a record, its index, and its links in both directions. The deletion is announced by the caller.
pub(super) async fn delete(
    transaction: &Transaction<'_>,
    scope: Scope,
    id: Uuid,
    sums: &mut Differences,
) -> Done<Announcement> {
    let symbols = &transaction.node.symbols;
    let select =
        format!("SELECT {COLUMNS} FROM record WHERE id = $1 AND account = $2 AND kind = $3 FOR UPDATE");
    let kind = symbols.kind(scope.spec.name);
    let found = transaction
        .harmless()
        .query_typed_opt(&select, &[(&id, Type::UUID), (&scope.owner(), Type::INT8), (&kind, Type::INT8)])
        .await?;
    let Some(row) = found else { return Err(StoreError::Conflict.into()) };
    let record = record(&row, scope.spec.name)?;
    let attributes = record.attributes()?;
    sums.add(transaction, scope.spec, record.number, &attributes, -1).await?;
    let mut rows = IndexRows::default();
    rows.add(symbols, scope, record.number, &symbols.index_of(scope.spec, &attributes));
    let links = "DELETE FROM link WHERE owner = $1 OR target = $1";
    let records = "DELETE FROM record WHERE number = $1";
    rows.delete(transaction);
    for sql in [links, records] {
        transaction.later(Late::new(sql, vec![owned(record.number, &Type::INT8)]));
    }
    transaction.count(scope.owner(), kind, -1);
    let (account, kind) = (scope.owner(), scope.spec.name);
    Ok(Announcement::RecordDeleted { account, kind, id, number: record.number })
}

/// Changes a sum in a record, if that still exists.
pub(super) async fn change_sum(
    transaction: &Transaction<'_>,
    number: i64,
    spec: &'static ResourceSpec,
    sum: &'static str,
    difference: i64,
) -> Done<()> {
    let symbols: &Symbols = &transaction.node.symbols;
    let select = format!("SELECT {COLUMNS}, account FROM record WHERE number = $1 FOR NO KEY UPDATE");
    let Some(row) = transaction.query_typed_opt(&select, &[(&number, Type::INT8)]).await? else {
        return Ok(());
    };
    let (before, account) = (record(&row, spec.name)?, row.try_get(5)?);
    let mut attributes = before.attributes()?;
    let value = if let Some(attribute) = spec.attribute(sum).filter(|attribute| attribute.is_referred()) {
        Value::from(sums::is_referred(transaction, attribute, number).await?)
    } else {
        let value = attributes.get(sum).and_then(Value::as_i64).unwrap_or_default();
        Value::from(value.saturating_add(difference))
    };
    if attributes.insert(sum.to_owned(), value.clone()) == Some(value) {
        return Ok(());
    }
    let content = Content::of_changed(symbols, spec, &before, &attributes)?;
    // Boxed because the future is large.
    Box::pin(replace(transaction, Scope { account, spec }, &before, &content, &[], None)).await?;
    Ok(())
}

#[cfg(test)]
mod tests;

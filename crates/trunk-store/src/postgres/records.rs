//! Reads of records by their ids and numbers. Lists are in `list`.

use std::collections::{HashMap, HashSet};

use didww_types::ResourceSpec;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::failure::Done;
use super::parameter::Parameter;
use super::short_reads::few_members;
use super::symbols::Symbols;
use super::transaction::{Links, Transaction};
use super::{PostgresStore, list, quotas};
use crate::list_plan::MAX_DIRECT_RECORDS;
use crate::{
    Answer, Asker, IndexValue, ListQuery, Listing, Record, Records, Scope, StoreError, StoredRecord,
};

/// The columns that [`record`] reads.
pub(super) const COLUMNS: &str = "number, id, revision, attributes, meta";

/// Reads a record from the first five columns.
pub(super) fn record(row: &Row, kind: &'static str) -> Done<Record> {
    Ok(Record {
        number: row.try_get(0)?,
        id: row.try_get(1)?,
        kind,
        revision: row.try_get(2)?,
        attributes: row.try_get(3)?,
        meta: row.try_get(4)?,
    })
}

/// Finds a record by its id. The id alone selects it: planning further conditions would cost more than reading it.
async fn find(client: &Client, kind: i64, scope: Scope, id: Uuid) -> Done<Option<Record>> {
    let select = format!("SELECT {COLUMNS}, account, kind FROM record WHERE id = $1");
    let Some(row) = client.query_typed_opt(&select, &[(&id, Type::UUID)]).await? else { return Ok(None) };
    let is_in_scope = row.try_get::<_, i64>(5)? == scope.owner() && row.try_get::<_, i64>(6)? == kind;
    is_in_scope.then(|| record(&row, scope.spec.name)).transpose()
}

/// Finds the records that exist among these ids, of at most `max_bytes` bytes.
async fn find_all(
    client: &Client,
    kind: i64,
    scope: Scope,
    ids: &[Uuid],
    max_bytes: usize,
) -> Done<Vec<Record>> {
    let most = i64::try_from(max_bytes).unwrap_or(i64::MAX);
    let select = format!(
        "SELECT number, id, revision, CASE WHEN bytes <= $4 THEN attributes END, CASE WHEN bytes <= $4 THEN meta END \
         FROM (SELECT r.*, place, sum({}) OVER (ORDER BY place) AS bytes \
         FROM unnest($1::uuid[]) WITH ORDINALITY AS g (wanted, place) JOIN record r ON r.id = g.wanted \
         WHERE r.account = $2 AND r.kind = $3) found ORDER BY place",
        list::BYTES
    );
    let rows = client
        .query_typed(
            &select,
            &[
                (&ids, Type::UUID_ARRAY),
                (&scope.owner(), Type::INT8),
                (&kind, Type::INT8),
                (&most, Type::INT8),
            ],
        )
        .await?;
    list::within(&rows, scope.spec.name)
}

/// Returns which of these texts, whose index keys are `keys`, are claimed in a field.
async fn claimed(client: &Client, field: i64, texts: &[String], keys: &[Vec<u8>]) -> Done<HashSet<String>> {
    let select = "SELECT g.place FROM unnest($1::bytea[]) WITH ORDINALITY AS g (value, place) \
                  WHERE EXISTS (SELECT 1 FROM claim c WHERE c.field = $2 AND c.value = g.value) \
                  OR EXISTS (SELECT 1 FROM unclaimed c WHERE c.field = $2 AND c.value = g.value)";
    let rows = client.query_typed(select, &[(&keys, Type::BYTEA_ARRAY), (&field, Type::INT8)]).await?;
    let mut claimed = HashSet::with_capacity(rows.len());
    for row in &rows {
        // Places are counted from 1.
        let place: i64 = row.try_get(0)?;
        let text = usize::try_from(place - 1).ok().and_then(|index| texts.get(index));
        claimed.extend(text.cloned());
    }
    Ok(claimed)
}

/// Returns the record that has claimed a text, whose index key is `key`, in a field, and the number of its account. Of
/// records that share a text, one claims it; once that one is deleted, another one is returned.
async fn claimant(
    client: &Client,
    field: i64,
    key: &[u8],
    kind: &'static str,
) -> Done<Option<(i64, Record)>> {
    let select = "SELECT r.number, r.id, r.revision, r.attributes, r.meta, r.account \
                  FROM (SELECT record FROM claim WHERE field = $1 AND value = $2 \
                        UNION ALL SELECT record FROM unclaimed WHERE field = $1 AND value = $2) c \
                  JOIN record r ON r.number = c.record ORDER BY r.number LIMIT 1";
    let found = client.query_typed_opt(select, &[(&field, Type::INT8), (&key, Type::BYTEA)]).await?;
    found.map(|row| Ok((row.try_get(5)?, record(&row, kind)?))).transpose()
}

/// Returns the members of a relationship of these records, at most `max` in total.
async fn members(
    client: &Client,
    symbols: &Symbols,
    owners: &[i64],
    (relationship, inverse): (i64, bool),
    max: usize,
) -> Done<Vec<(i64, String, Uuid)>> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let select = if inverse {
        "SELECT g.owner, r.kind, r.id FROM unnest($1::int8[]) WITH ORDINALITY AS g (owner, place) \
         JOIN link l ON l.target = g.owner AND l.relationship = $2 JOIN record r ON r.number = l.owner \
         ORDER BY g.place, l.owner LIMIT $3"
    } else {
        "SELECT g.owner, r.kind, r.id FROM unnest($1::int8[]) WITH ORDINALITY AS g (owner, place) \
         JOIN link l ON l.owner = g.owner AND l.relationship = $2 JOIN record r ON r.number = l.target \
         ORDER BY g.place, l.number LIMIT $3"
    };
    let rows = client
        .query_typed(select, &[(&owners, Type::INT8_ARRAY), (&relationship, Type::INT8), (&max, Type::INT8)])
        .await?;
    rows.iter().map(|row| member(row, symbols)).collect()
}

/// Reads a member of a relationship from the number of its owner, its type and its id.
pub(super) fn member(row: &Row, symbols: &Symbols) -> Done<(i64, String, Uuid)> {
    let kind = symbols.kind_name(row.try_get(1)?);
    let kind =
        kind.ok_or_else(|| StoreError::Corrupt("a record of a type that is not declared".to_owned()))?;
    Ok((row.try_get(0)?, kind.to_owned(), row.try_get(2)?))
}

/// Returns the members of every relationship of these records, in the order in which they were linked.
pub(super) async fn links(client: &Client, numbers: &[i64]) -> Done<HashMap<i64, Vec<(i64, Uuid)>>> {
    let select = "SELECT l.owner, l.relationship, r.id FROM link l JOIN record r ON r.number = l.target \
                  WHERE l.owner = ANY($1::int8[]) ORDER BY l.number";
    let mut links: HashMap<i64, Vec<(i64, Uuid)>> = HashMap::new();
    for row in client.query_typed(select, &[(&numbers, Type::INT8_ARRAY)]).await? {
        links.entry(row.try_get(0)?).or_default().push((row.try_get(1)?, row.try_get(2)?));
    }
    Ok(links)
}

/// Sorts the links of a record by its relationships.
pub(super) fn by_relationship(symbols: &Symbols, kind: &str, links: Option<&Vec<(i64, Uuid)>>) -> Links {
    let Some(spec) = symbols.spec(kind) else { return Vec::new() };
    let of = |name: &'static str| {
        let number = symbols.member(spec.name, name);
        let linked = links.into_iter().flatten().filter(|(relationship, _)| *relationship == number);
        linked.map(|(_, id)| *id).collect()
    };
    spec.relationships.iter().map(|relationship| (relationship.name, of(relationship.name))).collect()
}

/// Reads the records with these numbers that exist and whose types are declared.
pub(super) async fn stored(
    client: &Client,
    symbols: &Symbols,
    numbers: &[i64],
) -> Done<HashMap<i64, StoredRecord>> {
    let select = format!("SELECT {COLUMNS}, account, kind FROM record WHERE number = ANY($1::int8[])");
    let parameters: [Parameter<'_>; 1] = [(&numbers, Type::INT8_ARRAY)];
    let rows = client.query_typed(&select, &parameters).await?;
    let links = links(client, numbers).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let Some(kind) = symbols.kind_name(row.try_get(6)?) else { continue };
        let record = record(row, kind)?;
        let links = by_relationship(symbols, kind, links.get(&record.number));
        found.insert(record.number, StoredRecord { account: row.try_get(5)?, record, links });
    }
    Ok(found)
}

/// Returns the records of a type with greater numbers than `after`, at most `most`, in the order of their numbers.
async fn records_after(
    client: &Client,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    after: i64,
    most: u64,
) -> Done<Vec<StoredRecord>> {
    let select = format!(
        "SELECT {COLUMNS}, account FROM record WHERE (kind, number) > ($1, $2) AND kind <= $1 ORDER BY kind, number LIMIT $3"
    );
    let (kind, most) = (symbols.kind(spec.name), i64::try_from(most).unwrap_or(i64::MAX));
    let rows = client
        .query_typed(&select, &[(&kind, Type::INT8), (&after, Type::INT8), (&most, Type::INT8)])
        .await?;
    let numbers = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Done<Vec<i64>>>()?;
    let links = links(client, &numbers).await?;
    let stored = |row: &Row| {
        let record = record(row, spec.name)?;
        let links = by_relationship(symbols, spec.name, links.get(&record.number));
        Ok(StoredRecord { account: row.try_get(5)?, record, links })
    };
    rows.iter().map(stored).collect()
}

/// Deletes the records of one account or of all.
pub(super) async fn reset(transaction: &Transaction<'_>, account: Option<i64>) -> Done<()> {
    // After this no write of these accounts is in progress: each changes a row of a count, and some of these rows may
    // not exist yet.
    if let Some(account) = account {
        let symbols = &transaction.node.symbols;
        let kinds: Vec<i64> = symbols.registry().iter().map(|spec| symbols.kind(spec.name)).collect();
        quotas::lock(transaction, &vec![account; kinds.len()], &kinds).await?;
    } else {
        transaction.execute_typed("LOCK TABLE record_count IN SHARE ROW EXCLUSIVE MODE", &[]).await?;
    }
    let parameters: [Parameter<'_>; 1] = [(&account, Type::INT8)];
    for sql in [
        "DELETE FROM link WHERE owner IN (SELECT number FROM record WHERE $1::int8 IS NULL OR account = $1)",
        "DELETE FROM link WHERE target IN (SELECT number FROM record WHERE $1::int8 IS NULL OR account = $1)",
        "DELETE FROM facet WHERE $1::int8 IS NULL OR account = $1",
        "DELETE FROM unique_facet WHERE $1::int8 IS NULL OR account = $1",
        "DELETE FROM claim WHERE record IN (SELECT number FROM record WHERE $1::int8 IS NULL OR account = $1)",
        "DELETE FROM unclaimed WHERE record IN (SELECT number FROM record WHERE $1::int8 IS NULL OR account = $1)",
    ] {
        transaction.execute_typed(sql, &parameters).await?;
    }
    // The rows of the counts stay, so that the number of changes never has the same value twice.
    let delete = "WITH gone AS (DELETE FROM record WHERE $1::int8 IS NULL OR account = $1 RETURNING account, kind) \
                  SELECT account, kind, count(*) FROM gone GROUP BY account, kind ORDER BY account, kind";
    for row in transaction.query_typed(delete, &parameters).await? {
        transaction.count(row.try_get(0)?, row.try_get(1)?, -row.try_get::<_, i64>(2)?);
    }
    Ok(())
}

impl Records for PostgresStore {
    fn find(&self, scope: Scope, id: Uuid) -> Answer<'_, Option<Record>> {
        let kind = self.node.symbols.kind(scope.spec.name);
        Answer::later(
            self.node.read((kind, scope, id), |client, (kind, scope, id)| {
                Box::pin(find(client, *kind, *scope, *id))
            }),
        )
    }

    fn find_all(&self, scope: Scope, ids: Vec<Uuid>) -> Answer<'_, Vec<Record>> {
        let (kind, bytes) = (self.node.symbols.kind(scope.spec.name), self.node.limits.page_bytes);
        let is_short = ids.len() <= MAX_DIRECT_RECORDS;
        Answer::later(async move {
            let asker = Asker::Account(scope.account);
            let arguments = (kind, scope, ids, bytes);
            if is_short {
                let found = self.node.read(arguments, |client, (kind, scope, ids, bytes)| {
                    Box::pin(find_all(client, *kind, *scope, ids, *bytes))
                });
                return found.await;
            }
            let found = self.node.long_read(asker, arguments, |client, (kind, scope, ids, bytes)| {
                Box::pin(find_all(client, *kind, *scope, ids, *bytes))
            });
            found.await
        })
    }

    fn list(&self, query: ListQuery) -> Answer<'_, Listing> {
        Answer::later(list::list(&self.node, query))
    }

    fn first_in_stock(
        &self,
        scope: Scope,
        links: Vec<(&'static str, Uuid)>,
        after: i64,
        most: u64,
    ) -> Answer<'_, Vec<Record>> {
        Answer::later(list::first_in_stock(&self.node, scope, links, after, most))
    }

    fn list_ids(&self, query: ListQuery) -> Answer<'_, Vec<Uuid>> {
        Answer::later(list::ids(&self.node, query))
    }

    fn members(
        &self,
        scope: Scope,
        owners: Vec<i64>,
        relationship: &'static str,
        most: usize,
    ) -> Answer<'_, Vec<(i64, String, Uuid)>> {
        let link = self.node.symbols.link(scope.spec.name, relationship);
        Answer::later(async move {
            let symbols = &self.node.symbols;
            if owners.len() <= MAX_DIRECT_RECORDS {
                let few = (symbols, owners.clone(), link, most.min(MAX_DIRECT_RECORDS));
                let few = self.node.read(few, |client, (symbols, owners, relationship, most)| {
                    Box::pin(few_members(client, symbols, owners, *relationship, *most))
                });
                if let Some(few) = few.await? {
                    return Ok(few);
                }
            }
            let (asker, all) = (Asker::Account(scope.account), (symbols, owners, link, most));
            let all = self.node.long_read(asker, all, |client, (symbols, owners, relationship, most)| {
                Box::pin(members(client, symbols, owners, *relationship, *most))
            });
            all.await
        })
    }

    fn claimed(
        &self,
        spec: &'static ResourceSpec,
        attribute: &'static str,
        texts: Vec<String>,
    ) -> Answer<'_, HashSet<String>> {
        let field = self.node.symbols.member(spec.name, attribute);
        let is_short = texts.len() <= MAX_DIRECT_RECORDS;
        let keys: Vec<Vec<u8>> = texts.iter().map(|text| IndexValue::Text(text.clone()).key()).collect();
        Answer::later(async move {
            let arguments = (field, texts, keys);
            if is_short {
                let found = self.node.read(arguments, |client, (field, texts, keys)| {
                    Box::pin(claimed(client, *field, texts, keys))
                });
                return found.await;
            }
            let found = self.node.long_read(Asker::Operator, arguments, |client, (field, texts, keys)| {
                Box::pin(claimed(client, *field, texts, keys))
            });
            found.await
        })
    }

    fn claimant(
        &self,
        spec: &'static ResourceSpec,
        attribute: &'static str,
        text: String,
    ) -> Answer<'_, Option<(i64, Record)>> {
        let field = self.node.symbols.member(spec.name, attribute);
        let arguments = (field, IndexValue::Text(text).key(), spec.name);
        Answer::later(
            self.node
                .read(arguments, |client, (field, key, kind)| Box::pin(claimant(client, *field, key, kind))),
        )
    }

    fn records_after(
        &self,
        spec: &'static ResourceSpec,
        after: i64,
        most: u64,
    ) -> Answer<'_, Vec<StoredRecord>> {
        let arguments = (&self.node.symbols, spec, after, most);
        Answer::later(self.node.long_read(
            Asker::Operator,
            arguments,
            |client, (symbols, spec, after, most)| {
                Box::pin(records_after(client, symbols, spec, *after, *most))
            },
        ))
    }
}

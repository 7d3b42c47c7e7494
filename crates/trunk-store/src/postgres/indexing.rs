//! Brings the index in line with the declarations, before a node serves, as the embedded engine does when it opens a
//! file.
//!
//! The table `indexed` has the form of each attribute's entries. Entries that differ from the declaration are built
//! here, in batches, each of which records its progress and keeps the lease. A node of another release that runs
//! meanwhile continues to write entries of its own declarations.

use std::collections::HashMap;

use didww_types::ResourceSpec;
use serde_json::{Map, Value};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::failure::Done;
use super::migrate::{BEGIN, Lease};
use super::open_error::PostgresOpenError;
use super::sums;
use super::symbols::Symbols;
use crate::canonical::canonical_text;
use crate::index::{IndexEntry, IndexValue, form_of, index_of};

/// Number of records in one transaction.
const BATCH: i64 = 1_000;
/// Number of duplicate values that are named; the others are counted.
const MAX_NAMED: usize = 20;
/// Maximum number of shared values that are logged. The log line has the total.
const MAX_LOGGED_VALUES: i64 = 20;

/// An attribute whose index entries are missing or of another form.
#[derive(Debug)]
struct Stale {
    path: &'static str,
    field: i64,
    form: String,
    /// The number of the last visited record, if building was cut off.
    after: Option<i64>,
}

/// Builds the missing index entries of all types.
pub(super) async fn build(
    client: &Client,
    lease: &Lease,
    symbols: &Symbols,
) -> Result<(), PostgresOpenError> {
    forget_undeclared(client, symbols).await?;
    let mut forms: HashMap<i64, (String, Option<i64>)> = HashMap::new();
    for row in client.query_typed("SELECT field, form, after FROM indexed", &[]).await? {
        forms.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
    }
    for spec in symbols.registry() {
        let stale = stale(symbols, spec, &forms);
        if !stale.is_empty() {
            build_type(client, lease, symbols, spec, &stale).await?;
        }
    }
    Ok(())
}

/// Forgets the form of attributes that are no longer indexed: records that are written from now on have no entries.
async fn forget_undeclared(client: &Client, symbols: &Symbols) -> Done<()> {
    let declared: Vec<i64> = symbols
        .registry()
        .iter()
        .flat_map(|spec| paths(spec).into_iter().map(|entry| symbols.member(spec.name, entry.path)))
        .collect();
    let delete = "DELETE FROM indexed WHERE field <> ALL($1::int8[])";
    client.execute_typed(delete, &[(&declared, Type::INT8_ARRAY)]).await?;
    Ok(())
}

fn paths(spec: &'static ResourceSpec) -> Vec<IndexEntry> {
    index_of(spec, &Map::new())
}

fn stale(
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    forms: &HashMap<i64, (String, Option<i64>)>,
) -> Vec<Stale> {
    let of = |entry: IndexEntry| {
        let (field, form) = (symbols.member(spec.name, entry.path), form_of(spec, &entry));
        let after = match forms.get(&field) {
            Some((found, None)) if *found == form => return None,
            Some((found, after)) if *found == form => *after,
            _ => None,
        };
        Some(Stale { path: entry.path, field, form, after })
    };
    paths(spec).into_iter().filter_map(of).collect()
}

async fn build_type(
    client: &Client,
    lease: &Lease,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    stale: &[Stale],
) -> Result<(), PostgresOpenError> {
    let kind = symbols.kind(spec.name);
    let fields: Vec<i64> = stale.iter().map(|stale| stale.field).collect();
    let has_records = client
        .query_typed_opt("SELECT 1 FROM record WHERE kind = $1 LIMIT 1", &[(&kind, Type::INT8)])
        .await?;
    if has_records.is_none() {
        client.batch_execute(BEGIN).await?;
    } else {
        lease.begin(client).await?;
        // Entries of another form, except of attributes whose building was cut off.
        let others: Vec<i64> =
            stale.iter().filter(|stale| stale.after.is_none()).map(|stale| stale.field).collect();
        for sql in [
            "DELETE FROM facet WHERE field = ANY($1::int8[])",
            "DELETE FROM unique_facet WHERE field = ANY($1::int8[])",
        ] {
            client.execute_typed(sql, &[(&others, Type::INT8_ARRAY)]).await?;
        }
    }
    for stale in stale {
        let after = has_records.is_some().then(|| stale.after.unwrap_or(0));
        let note = "INSERT INTO indexed (field, form, after) VALUES ($1, $2, $3) \
                    ON CONFLICT (field) DO UPDATE SET form = excluded.form, after = excluded.after";
        client
            .execute_typed(
                note,
                &[(&stale.field, Type::INT8), (&stale.form, Type::TEXT), (&after, Type::INT8)],
            )
            .await?;
    }
    if has_records.is_none() {
        client.batch_execute("COMMIT").await?;
        return Ok(());
    }
    lease.commit(client).await?;
    let mut after = stale.iter().map(|stale| stale.after.unwrap_or(0)).min().unwrap_or(0);
    let mut visited = 0;
    loop {
        lease.begin(client).await?;
        let (last, records) = build_batch(client, symbols, spec, stale, after).await?;
        let note = "UPDATE indexed SET after = $2 WHERE field = ANY($1::int8[])";
        client.execute_typed(note, &[(&fields, Type::INT8_ARRAY), (&last, Type::INT8)]).await?;
        let Some(last) = last else {
            // In the transaction that records the progress: if a start was interrupted between them, the next one would
            // take an incomplete index for finished.
            let found = duplicates(client, spec, symbols, stale).await?;
            lease.commit(client).await?;
            if visited > 0 {
                let attributes: Vec<&str> = stale.iter().map(|stale| stale.path).collect();
                tracing::info!(
                    kind = spec.name,
                    records = visited,
                    attributes = attributes.join(", "),
                    "stored records were indexed for attributes that were declared since"
                );
            }
            return found.map_or(Ok(()), Err);
        };
        lease.commit(client).await?;
        after = last;
        visited += records;
    }
}

/// Indexes the next records of a type. Returns the number of the last one, and how many they were.
async fn build_batch(
    client: &Client,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    stale: &[Stale],
    after: i64,
) -> Done<(Option<i64>, usize)> {
    let select = "SELECT number, account, attributes FROM record WHERE (kind, number) > ($1, $2) AND kind <= $1 \
                  ORDER BY kind, number LIMIT $3 FOR UPDATE";
    let kind = symbols.kind(spec.name);
    let rows = client
        .query_typed(select, &[(&kind, Type::INT8), (&after, Type::INT8), (&BATCH, Type::INT8)])
        .await?;
    let mut last = None;
    let (mut facets, mut unique, mut claims) = (Entries::default(), Entries::default(), Entries::default());
    for row in &rows {
        let (number, account): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        last = Some(number);
        let mut attributes: Map<String, Value> = serde_json::from_str(row.try_get(2)?)
            .map_err(|error| crate::StoreError::Corrupt(format!("attributes of record {number}: {error}")))?;
        if sums::recompute(client, symbols, spec, number, &mut attributes).await? {
            let update = "UPDATE record SET attributes = $2, revision = revision + 1 WHERE number = $1";
            let text = canonical_text(spec, &attributes);
            client.execute_typed(update, &[(&number, Type::INT8), (&text, Type::TEXT)]).await?;
        }
        for entry in symbols.index_of(spec, &attributes) {
            let Some(stale) = stale.iter().find(|stale| stale.path == entry.path) else { continue };
            let to = if entry.unique { &mut unique } else { &mut facets };
            to.push(account, stale.field, entry.value.key(), number);
            if entry.value != IndexValue::Null && spec.is_unique_everywhere(entry.path) {
                claims.push(0, stale.field, entry.value.key(), number);
            }
        }
    }
    // A duplicate of a unique value is left out, and `duplicates` finds it. A duplicate claim is kept by both records.
    for (entries, insert) in [
        (
            &facets,
            "INSERT INTO facet (account, field, value, record) SELECT a, f, v, r FROM given ON CONFLICT DO NOTHING",
        ),
        (
            &unique,
            "INSERT INTO unique_facet (account, field, value, record) SELECT a, f, v, r FROM given ON CONFLICT DO NOTHING",
        ),
        (
            &claims,
            "INSERT INTO claim (field, value, record) SELECT f, v, r FROM given ON CONFLICT DO NOTHING",
        ),
        (
            &claims,
            "INSERT INTO unclaimed (field, value, record) SELECT f, v, r FROM given WHERE NOT EXISTS \
             (SELECT 1 FROM claim c WHERE c.field = f AND c.value = v AND c.record = r) ON CONFLICT DO NOTHING",
        ),
    ] {
        if !entries.fields.is_empty() {
            let insert = format!(
                "WITH given AS (SELECT * FROM unnest($1::int8[], $2::int8[], $3::bytea[], $4::int8[]) \
                 AS g (a, f, v, r)) {insert}"
            );
            client
                .execute_typed(
                    &insert,
                    &[
                        (&entries.accounts, Type::INT8_ARRAY),
                        (&entries.fields, Type::INT8_ARRAY),
                        (&entries.values, Type::BYTEA_ARRAY),
                        (&entries.records, Type::INT8_ARRAY),
                    ],
                )
                .await?;
        }
    }
    Ok((last, rows.len()))
}

/// Entries to insert, as one array for each column.
#[derive(Default)]
struct Entries {
    accounts: Vec<i64>,
    fields: Vec<i64>,
    values: Vec<Vec<u8>>,
    records: Vec<i64>,
}

impl Entries {
    fn push(&mut self, account: i64, field: i64, value: Vec<u8>, record: i64) {
        self.accounts.push(account);
        self.fields.push(field);
        self.values.push(value);
        self.records.push(record);
    }
}

/// Finds records without an entry of an attribute that became unique. If there are any, discards the entries of every
/// attribute that became unique, because the attributes after the first one with duplicates have not been checked.
async fn duplicates(
    client: &Client,
    spec: &'static ResourceSpec,
    symbols: &Symbols,
    stale: &[Stale],
) -> Done<Option<PostgresOpenError>> {
    let is_unique = |stale: &&Stale| spec.attribute(stale.path).is_some_and(|attribute| attribute.unique);
    let unique: Vec<&Stale> = stale.iter().filter(is_unique).collect();
    for stale in &unique {
        let select = "SELECT r.attributes FROM record r WHERE r.kind = $2 AND NOT EXISTS \
                      (SELECT 1 FROM unique_facet u WHERE u.account = r.account AND u.field = $1 AND u.record = r.number) \
                      ORDER BY r.number";
        let kind = symbols.kind(spec.name);
        let rows = client.query_typed(select, &[(&stale.field, Type::INT8), (&kind, Type::INT8)]).await?;
        if rows.is_empty() {
            continue;
        }
        let fields: Vec<i64> = unique.iter().map(|stale| stale.field).collect();
        let forget = "DELETE FROM indexed WHERE field = ANY($1::int8[])";
        client.execute_typed(forget, &[(&fields, Type::INT8_ARRAY)]).await?;
        let value = |row: &tokio_postgres::Row| {
            let attributes: Map<String, Value> = serde_json::from_str(row.try_get(0).ok()?).ok()?;
            attributes.get(stale.path).and_then(Value::as_str).map(str::to_owned)
        };
        return Ok(Some(PostgresOpenError::Duplicates {
            attribute: format!("{}/{}", spec.name, stale.path),
            records: rows.len(),
            values: rows.iter().filter_map(value).take(MAX_NAMED).collect(),
        }));
    }
    Ok(None)
}

/// Logs the values that must be unique and that several records share.
pub(super) async fn log_shared(client: &Client) -> Done<()> {
    let select = "SELECT s.name, u.value, count(*) OVER () FROM (SELECT DISTINCT field, value FROM unclaimed) u \
                  JOIN symbol s ON s.number = u.field ORDER BY u.value LIMIT $1";
    let rows = client.query_typed(select, &[(&MAX_LOGGED_VALUES, Type::INT8)]).await?;
    let Some(first) = rows.first() else { return Ok(()) };
    let total: i64 = first.try_get(2)?;
    let mut listed = Vec::with_capacity(rows.len());
    for row in &rows {
        let (member, value): (String, &[u8]) = (row.try_get(0)?, row.try_get(1)?);
        listed.push(format!("{member} {}", String::from_utf8_lossy(value.get(1..).unwrap_or_default())));
    }
    tracing::warn!(
        values = total,
        listed = listed.join(", "),
        "several records share a value that must be unique; they are kept, and new ones are refused"
    );
    Ok(())
}

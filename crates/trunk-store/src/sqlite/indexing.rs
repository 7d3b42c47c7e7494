//! Brings the index in line with the declarations, before the store serves.
//!
//! A list that is sorted or filtered by an attribute finds records through their index entries. An attribute that gains
//! a `sort`, `filter` or `unique` mark has none for the records that are stored already, and one whose kind changes has
//! entries of another form. The table `indexed` has the form of each attribute's entries; entries that differ from the
//! declaration are built here, in batches, each of which records its progress: after an interrupted start, the next one
//! continues there.

use std::collections::{HashMap, HashSet};

use didww_types::ResourceSpec;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Transaction, params};
use serde_json::{Map, Value};

use super::claims;
use super::sums;
use super::symbols::Symbols;
use crate::NO_ACCOUNT;
use crate::canonical::canonical_text;
use crate::index::{IndexEntry, IndexValue, form_of};

/// Number of records in one transaction.
const BATCH: usize = 1_000;
/// Number of records after which progress is logged.
const LOG_EVERY: usize = 100_000;
/// Number of duplicate values that are named; the others are counted.
const MAX_NAMED: usize = 20;

/// An attribute whose index entries are missing or of another form.
#[derive(Debug)]
pub(super) struct Stale {
    path: &'static str,
    field: i64,
    form: String,
    /// The number of the last visited record, if building was interrupted.
    after: Option<i64>,
}

/// Values of an attribute that several records have, although it is declared unique.
#[derive(Debug)]
pub(super) struct Duplicates {
    /// The type and the attribute, such as `voice_out_trunks/name`.
    pub(super) attribute: String,
    /// The first of the values, at most [`MAX_NAMED`], for the operator.
    pub(super) values: Vec<String>,
    /// Number of records that have the value of another one.
    pub(super) records: usize,
}

/// The stale attributes of a type that has records.
pub(super) type Unfinished = Vec<(&'static ResourceSpec, Vec<Stale>)>;

/// The recorded form of each attribute's entries, by its field; and the last visited record, if building was
/// interrupted.
type RecordedForms = HashMap<i64, (String, Option<i64>)>;

/// Records the declared forms, and deletes entries of another form. Returns the types whose records are yet to be
/// indexed by [`finish`].
pub(super) fn begin(transaction: &Transaction<'_>, symbols: &Symbols) -> rusqlite::Result<Unfinished> {
    let recorded = recorded(transaction)?;
    forget_undeclared(transaction, symbols, &recorded)?;
    let mut changed: Unfinished = Vec::new();
    for spec in symbols.registry() {
        let stale = stale(&recorded, symbols, spec);
        if !stale.is_empty() {
            changed.push((*spec, stale));
        }
    }
    if changed.is_empty() {
        return Ok(changed);
    }
    // A new database has no records of any type, which one statement finds out.
    let is_empty: bool =
        transaction.query_row("SELECT NOT EXISTS (SELECT 1 FROM record)", [], |row| row.get(0))?;
    let (mut without_records, mut unfinished): (Vec<Stale>, Unfinished) = (Vec::new(), Vec::new());
    for (spec, stale) in changed {
        if is_empty || batch(transaction, symbols.kind(spec.name), 0, 1)?.is_empty() {
            without_records.extend(stale);
        } else {
            unfinished.push((spec, stale));
        }
    }
    // First, because types share some fields: one that has records is unfinished even if another has none.
    note_finished_forms(transaction, &without_records)?;
    for (_, stale) in &unfinished {
        delete_other_forms(transaction, stale)?;
        for stale in stale {
            note_form(transaction, stale)?;
        }
    }
    Ok(unfinished)
}

/// Builds the missing entries. Returns duplicates of an attribute that became unique, whose entries are then discarded.
pub(super) fn finish(
    connection: &mut Connection,
    symbols: &Symbols,
    unfinished: Unfinished,
) -> rusqlite::Result<Option<Duplicates>> {
    for (spec, stale) in unfinished {
        if let Some(duplicates) = build(connection, symbols, spec, &stale)? {
            return Ok(Some(duplicates));
        }
    }
    Ok(None)
}

fn recorded(connection: &Connection) -> rusqlite::Result<RecordedForms> {
    let mut select = connection.prepare("SELECT field, form, after FROM indexed")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    rows.collect()
}

/// Forgets the form of attributes that are no longer indexed: records that are written from now on have no entries.
fn forget_undeclared(
    connection: &Connection,
    symbols: &Symbols,
    recorded: &RecordedForms,
) -> rusqlite::Result<()> {
    if recorded.is_empty() {
        return Ok(());
    }
    let declared: HashSet<i64> = symbols
        .registry()
        .iter()
        .flat_map(|spec| paths(symbols, spec).into_iter().map(|entry| symbols.member(spec.name, entry.path)))
        .collect();
    for field in recorded.keys().filter(|field| !declared.contains(*field)) {
        connection.prepare_cached("DELETE FROM indexed WHERE field = ?1")?.execute(params![field])?;
    }
    Ok(())
}

fn paths(symbols: &Symbols, spec: &'static ResourceSpec) -> Vec<IndexEntry> {
    symbols.index_of(spec, &Map::new())
}

fn stale(recorded: &RecordedForms, symbols: &Symbols, spec: &'static ResourceSpec) -> Vec<Stale> {
    let mut stale = Vec::new();
    for entry in paths(symbols, spec) {
        let (field, form) = (symbols.member(spec.name, entry.path), form_of(spec, &entry));
        let after = match recorded.get(&field) {
            Some((found, None)) if *found == form => continue,
            Some((found, after)) if *found == form => *after,
            _ => None,
        };
        stale.push(Stale { path: entry.path, field, form, after });
    }
    stale
}

fn build(
    connection: &mut Connection,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    stale: &[Stale],
) -> rusqlite::Result<Option<Duplicates>> {
    let mut after = stale.iter().map(|stale| stale.after.unwrap_or(0)).min().unwrap_or(0);
    let mut visited = 0;
    let duplicates = loop {
        let transaction = connection.transaction()?;
        let mut batch = batch(&transaction, symbols.kind(spec.name), after, BATCH)?;
        let Some((last, ..)) = batch.last() else {
            note(&transaction, stale, None)?;
            // In the transaction that records the progress: if a start was interrupted between them, the next one would
            // take an incomplete index for finished.
            let found = duplicates(&transaction, spec, stale)?;
            transaction.commit()?;
            break found;
        };
        after = *last;
        for (record, account, attributes) in &mut batch {
            let (record, account) = (*record, *account);
            if sums::recompute(&transaction, symbols, spec, record, attributes)? {
                transaction
                    .prepare_cached(
                        "UPDATE record SET attributes = ?2, revision = revision + 1 WHERE number = ?1",
                    )?
                    .execute(params![record, canonical_text(spec, attributes)])?;
            }
            for entry in symbols.index_of(spec, attributes) {
                if let Some(stale) = stale.iter().find(|stale| stale.path == entry.path) {
                    insert(&transaction, stale.field, account, record, &entry)?;
                    if entry.value != IndexValue::Null && spec.is_unique_everywhere(entry.path) {
                        claims::adopt(&transaction, stale.field, record, &entry)?;
                    }
                }
            }
        }
        note(&transaction, stale, Some(after))?;
        transaction.commit()?;
        visited += batch.len();
        if visited % LOG_EVERY < BATCH && visited >= LOG_EVERY {
            tracing::info!(
                kind = spec.name,
                records = visited,
                "records are indexed for attributes that were declared since"
            );
        }
    };
    if visited > 0 {
        let attributes: Vec<&str> = stale.iter().map(|stale| stale.path).collect();
        tracing::info!(
            kind = spec.name,
            records = visited,
            attributes = attributes.join(", "),
            "stored records were indexed for attributes that were declared since"
        );
    }
    Ok(duplicates)
}

/// Deletes entries of another form, except of attributes whose building was interrupted.
fn delete_other_forms(transaction: &Transaction<'_>, stale: &[Stale]) -> rusqlite::Result<()> {
    let owners: Vec<i64> = transaction
        .prepare("SELECT number FROM account UNION ALL SELECT ?1")?
        .query_map([NO_ACCOUNT], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for stale in stale.iter().filter(|stale| stale.after.is_none()) {
        for owner in &owners {
            for sql in [
                "DELETE FROM facet WHERE account = ?1 AND field = ?2",
                "DELETE FROM unique_facet WHERE account = ?1 AND field = ?2",
            ] {
                transaction.prepare_cached(sql)?.execute(params![owner, stale.field])?;
            }
        }
    }
    Ok(())
}

/// Records the form of an attribute, and the record after which building must begin or continue.
fn note_form(transaction: &Transaction<'_>, stale: &Stale) -> rusqlite::Result<()> {
    let after = stale.after.unwrap_or(0);
    transaction
        .prepare_cached(
            "INSERT INTO indexed (field, form, after) VALUES (?1, ?2, ?3) \
             ON CONFLICT (field) DO UPDATE SET form = excluded.form, after = excluded.after",
        )?
        .execute(params![stale.field, stale.form, after])
        .map(|_| ())
}

/// Records the forms of attributes of which no record has entries, in one statement: beginning and ending one for each
/// of hundreds of rows would take longer than inserting them.
fn note_finished_forms(transaction: &Transaction<'_>, stale: &[Stale]) -> rusqlite::Result<()> {
    if stale.is_empty() {
        return Ok(());
    }
    // Fields are numbers, and the names of an object are texts.
    let forms: Map<String, Value> =
        stale.iter().map(|stale| (stale.field.to_string(), Value::String(stale.form.clone()))).collect();
    transaction
        .execute(
            "INSERT INTO indexed (field, form, after) \
             SELECT CAST(key AS INTEGER), value, NULL FROM json_each(?1) WHERE true \
             ON CONFLICT (field) DO UPDATE SET form = excluded.form, after = excluded.after",
            params![Value::Object(forms).to_string()],
        )
        .map(|_| ())
}

fn note(transaction: &Transaction<'_>, stale: &[Stale], after: Option<i64>) -> rusqlite::Result<()> {
    for stale in stale {
        transaction
            .prepare_cached("UPDATE indexed SET after = ?2 WHERE field = ?1")?
            .execute(params![stale.field, after])?;
    }
    Ok(())
}

type Stored = (i64, i64, Map<String, Value>);

/// The next records of a type: number, account and attributes.
fn batch(
    transaction: &Transaction<'_>,
    kind: i64,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Stored>> {
    transaction
        .prepare_cached(
            "SELECT number, account, attributes FROM record WHERE kind = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
        )?
        .query_map(params![kind, after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            let text: String = row.get(2)?;
            let attributes = serde_json::from_str(&text)
                .map_err(|error| Error::FromSqlConversionFailure(2, Type::Text, Box::new(error)))?;
            Ok((row.get(0)?, row.get(1)?, attributes))
        })?
        .collect()
}

/// A duplicate of a unique value is left out; `duplicates` finds it.
fn insert(
    transaction: &Transaction<'_>,
    field: i64,
    account: i64,
    record: i64,
    entry: &IndexEntry,
) -> rusqlite::Result<()> {
    let sql = if entry.unique {
        "INSERT OR IGNORE INTO unique_facet (account, field, value, record) VALUES (?1, ?2, ?3, ?4)"
    } else {
        "INSERT OR IGNORE INTO facet (account, field, value, record) VALUES (?1, ?2, ?3, ?4)"
    };
    transaction.prepare_cached(sql)?.execute(params![account, field, entry.value, record]).map(|_| ())
}

/// Finds records without an entry of an attribute that became unique. If there are any, discards the entries of every
/// attribute that became unique, because the attributes after the first one with duplicates have not been checked.
fn duplicates(
    connection: &Connection,
    spec: &'static ResourceSpec,
    stale: &[Stale],
) -> rusqlite::Result<Option<Duplicates>> {
    let is_unique = |stale: &&Stale| spec.attribute(stale.path).is_some_and(|attribute| attribute.unique);
    let unique: Vec<&Stale> = stale.iter().filter(is_unique).collect();
    for stale in &unique {
        let mut select = connection.prepare(
            "SELECT r.attributes ->> ?2 FROM record r JOIN symbol s ON s.number = r.kind AND s.name = ?3 \
             WHERE NOT EXISTS (SELECT 1 FROM unique_facet u WHERE u.account = r.account AND u.field = ?1 AND u.record = r.number)",
        )?;
        let values: Vec<Option<String>> = select
            .query_map(params![stale.field, stale.path, spec.name], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if !values.is_empty() {
            for unchecked in &unique {
                connection.execute("DELETE FROM indexed WHERE field = ?1", params![unchecked.field])?;
            }
            return Ok(Some(Duplicates {
                attribute: format!("{}/{}", spec.name, stale.path),
                records: values.len(),
                values: values.into_iter().flatten().take(MAX_NAMED).collect(),
            }));
        }
    }
    Ok(None)
}

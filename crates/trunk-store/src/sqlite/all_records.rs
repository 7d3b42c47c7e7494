//! Reads the records of all accounts, for copies that are kept by the change feed.

use didww_types::ResourceSpec;
use rusqlite::{Connection, params};

use super::error::failed;
use super::record_writer::RecordWriter;
use super::row::record;
use super::symbols::Symbols;
use crate::{StoreError, StoredRecord};

/// Number of records of any type that [`records_after`] passes over: no index has the records of one type of all accounts
/// in the order of their numbers, and a read must not run for as long as the database is large.
const MAX_PASSED_OVER: i64 = 10_000;

/// Returns the records of a type with greater numbers than `after` and their relationships, at most `max`, and the number
/// after which others may follow; `None` if there are no others.
pub(super) fn records_after(
    connection: &Connection,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    after: i64,
    max: usize,
) -> Result<(Vec<StoredRecord>, Option<i64>), StoreError> {
    let write = RecordWriter { connection, symbols };
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT max(number) FROM (SELECT number FROM record WHERE number > ?1 ORDER BY number LIMIT ?2)",
        )
        .and_then(|mut select| select.query_row(params![after, MAX_PASSED_OVER], |row| row.get(0)))
        .map_err(failed)?;
    let Some(last) = last else { return Ok((Vec::new(), None)) };
    let mut statement = connection
        .prepare_cached(
            "SELECT number, id, revision, attributes, meta, account FROM record \
             WHERE number > ?2 AND number <= ?3 AND +kind = ?1 ORDER BY number LIMIT ?4",
        )
        .map_err(failed)?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![symbols.kind(spec.name), after, last, limit]).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let record = record(row, spec.name).map_err(failed)?;
        let links = write.links(spec, record.number)?;
        found.push(StoredRecord { account: row.get(5).map_err(failed)?, record, links });
    }
    let next = if found.len() < max { Some(last) } else { found.last().map(|stored| stored.record.number) };
    Ok((found, next))
}

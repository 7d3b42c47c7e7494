//! Reads ids and records from rows.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::error::failed;
use super::symbols::Symbols;
use crate::{Record, Scope, StoreError};

/// Reads a UUID from a column.
pub(super) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(Uuid::from_bytes(bytes))
}

/// Reads a record from the first five columns: number, id, revision, attributes and meta.
pub(super) fn record(row: &Row<'_>, kind: &'static str) -> rusqlite::Result<Record> {
    Ok(Record {
        number: row.get(0)?,
        id: uuid(row, 1)?,
        kind,
        revision: row.get(2)?,
        attributes: row.get(3)?,
        meta: row.get(4)?,
    })
}

/// Finds a record by its id.
pub(super) fn find(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    id: Uuid,
) -> Result<Option<Record>, StoreError> {
    connection
        .prepare_cached(
            "SELECT number, id, revision, attributes, meta FROM record WHERE id = ?1 AND account = ?2 AND kind = ?3",
        )
        .map_err(failed)?
        .query_row(params![id.as_bytes().as_slice(), scope.owner(), symbols.kind(scope.spec.name)], |row| {
            record(row, scope.spec.name)
        })
        .optional()
        .map_err(failed)
}

//! The rows of the index of records: one for each entry of a record.

use std::sync::LazyLock;

use rusqlite::{Connection, params};

use super::error::{failed, is_taken};
use super::symbols::Symbols;
use super::wide_insert::WideInsert;
use crate::index::{IndexEntry, IndexValue};
use crate::{Scope, StoreError};

static INSERT: LazyLock<WideInsert> = LazyLock::new(|| {
    WideInsert::new("facet (account, field, value, record)", 2, |own| {
        format!("(?1, ?{own}, ?{}, ?2)", own + 1)
    })
});
const INSERT_UNIQUE: &str =
    "INSERT INTO unique_facet (account, field, value, record) VALUES (?1, ?2, ?3, ?4)";
const DELETE: &str = "DELETE FROM facet WHERE account = ?1 AND field = ?2 AND value = ?3 AND record = ?4";
const DELETE_UNIQUE: &str =
    "DELETE FROM unique_facet WHERE account = ?1 AND field = ?2 AND value = ?3 AND record = ?4";

/// Inserts the rows of entries that a record gained.
pub(super) fn insert(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    record: i64,
    entries: &[IndexEntry],
) -> Result<(), StoreError> {
    for entry in entries.iter().filter(|entry| entry.unique) {
        let field = symbols.member(scope.spec.name, entry.path);
        let inserted = connection
            .prepare_cached(INSERT_UNIQUE)
            .and_then(|mut insert| insert.execute(params![scope.owner(), field, entry.value, record]));
        match inserted {
            Ok(_) => {}
            Err(error) if is_taken(&error) => return Err(entry.taken()),
            Err(error) => return Err(failed(error)),
        }
    }
    let others = entries.iter().filter(|entry| !entry.unique);
    let rows: Vec<(i64, &IndexValue)> =
        others.map(|entry| (symbols.member(scope.spec.name, entry.path), &entry.value)).collect();
    INSERT.execute(connection, &[scope.owner(), record], &rows).map_err(failed)
}

/// Deletes the rows of entries that a record lost.
pub(super) fn delete(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    record: i64,
    entries: &[IndexEntry],
) -> Result<(), StoreError> {
    for (sql, unique) in [(DELETE, false), (DELETE_UNIQUE, true)] {
        let mut entries = entries.iter().filter(|entry| entry.unique == unique).peekable();
        if entries.peek().is_none() {
            continue;
        }
        // The statement is looked up once, since a look-up costs a third of an execution.
        let mut delete = connection.prepare_cached(sql).map_err(failed)?;
        for entry in entries {
            let field = symbols.member(scope.spec.name, entry.path);
            delete.execute(params![scope.owner(), field, entry.value, record]).map_err(failed)?;
        }
    }
    Ok(())
}

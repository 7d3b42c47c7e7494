//! Values that only one record of all accounts may have, such as a phone number.
//!
//! Records that shared one before this was looked after keep it: they are named when the database is opened, and the
//! value is given to nobody else while any of them is there.

use rusqlite::{Connection, params};

use super::error::{failed, is_taken};
use super::symbols::Symbols;
use crate::{IndexEntry, Record, Scope, StoreError, claims_of};

/// Most shared values that are named when a database is opened; the rest are counted.
const NAMED: i64 = 20;

/// Fails where another record has one of the values; nothing is changed.
pub(super) fn check_free(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    entries: &[IndexEntry],
) -> Result<(), StoreError> {
    for entry in claims_of(scope.spec, entries) {
        let field = symbols.member(scope.spec.name, entry.path);
        let taken = connection
            .prepare_cached(
                "SELECT 1 FROM claim WHERE field = ?1 AND value = ?2 UNION ALL \
                 SELECT 1 FROM unclaimed WHERE field = ?1 AND value = ?2",
            )
            .and_then(|mut select| select.exists(params![field, entry.value]));
        if taken.map_err(failed)? {
            return Err(StoreError::Taken(entry.path.to_owned()));
        }
    }
    Ok(())
}

/// Notes what a new record has.
pub(super) fn insert(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    record: i64,
    entries: &[IndexEntry],
) -> Result<(), StoreError> {
    for entry in claims_of(scope.spec, entries) {
        let field = symbols.member(scope.spec.name, entry.path);
        let inserted = connection
            .prepare_cached("INSERT INTO claim (field, value, record) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![field, entry.value, record]));
        match inserted {
            Ok(_) => {}
            Err(error) if is_taken(&error) => return Err(StoreError::Taken(entry.path.to_owned())),
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// Frees what a record has.
pub(super) fn remove(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    record: &Record,
    entries: &[IndexEntry],
) -> Result<(), StoreError> {
    for entry in claims_of(scope.spec, entries) {
        let field = symbols.member(scope.spec.name, entry.path);
        for sql in [
            "DELETE FROM claim WHERE field = ?1 AND value = ?2 AND record = ?3",
            "DELETE FROM unclaimed WHERE field = ?1 AND value = ?2 AND record = ?3",
        ] {
            connection
                .prepare_cached(sql)
                .and_then(|mut delete| delete.execute(params![field, entry.value, record.number]))
                .map_err(failed)?;
        }
    }
    Ok(())
}

/// Names the values in the log that several records have.
pub(super) fn name_shared(connection: &Connection) -> rusqlite::Result<()> {
    let mut select = connection.prepare(
        "SELECT s.name, u.value, count(*) OVER () FROM (SELECT DISTINCT field, value FROM unclaimed) u \
         JOIN symbol s ON s.number = u.field ORDER BY u.value LIMIT ?1",
    )?;
    let mut rows = select.query(params![NAMED])?;
    let (mut all, mut named) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        let (member, value): (String, rusqlite::types::Value) = (row.get(0)?, row.get(1)?);
        all = row.get::<_, i64>(2)?;
        if let rusqlite::types::Value::Text(value) = value {
            named.push(format!("{member} {value}"));
        }
    }
    if all > 0 {
        tracing::warn!(
            values = all,
            named = named.join(", "),
            "several records have a value that one may have; they stay, and new ones are refused"
        );
    }
    Ok(())
}

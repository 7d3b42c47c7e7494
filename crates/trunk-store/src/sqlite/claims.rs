//! Values that must be unique among the records of all accounts, such as phone numbers and SIDs of Twilio accounts. A
//! claim is such a value and the record that has it.
//!
//! Records that shared a value before claims were introduced keep it: the table `unclaimed` has these values, opening
//! the database logs them, and no further record can have such a value while any of these records exists.

use std::collections::HashSet;

use didww_types::ResourceSpec;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::{failed, is_taken};
use super::row::record;
use super::symbols::Symbols;
use crate::index::{IndexEntry, claims_of};
use crate::{Record, Scope, StoreError};

/// Maximum number of shared values that are logged when a database is opened. The log line has the total.
const MAX_LOGGED_VALUES: i64 = 20;

/// Fails if another record has one of the values. Nothing is changed.
pub(super) fn check_free(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    entries: &[IndexEntry],
) -> Result<(), StoreError> {
    for entry in claims_of(entries) {
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

/// Returns which of these texts a record of the type has, of any account.
pub(super) fn claimed(
    connection: &Connection,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    attribute: &'static str,
    texts: &[String],
) -> Result<HashSet<String>, StoreError> {
    let field = symbols.member(spec.name, attribute);
    let mut select = connection
        .prepare_cached(
            "SELECT 1 FROM claim WHERE field = ?1 AND value = ?2 \
             UNION ALL SELECT 1 FROM unclaimed WHERE field = ?1 AND value = ?2",
        )
        .map_err(failed)?;
    let mut claimed = HashSet::new();
    for text in texts {
        if select.exists(params![field, text]).map_err(failed)? {
            claimed.insert(text.clone());
        }
    }
    Ok(claimed)
}

/// Returns the record of the type that has claimed this text, of any account, and the number of its account. Of records
/// that share a text, one claims it; once that one is deleted, another one is returned.
pub(super) fn claimant(
    connection: &Connection,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    attribute: &'static str,
    text: &str,
) -> Result<Option<(i64, Record)>, StoreError> {
    let field = symbols.member(spec.name, attribute);
    connection
        .prepare_cached(
            "SELECT r.number, r.id, r.revision, r.attributes, r.meta, r.account \
             FROM (SELECT record FROM claim WHERE field = ?1 AND value = ?2 \
                   UNION ALL SELECT record FROM unclaimed WHERE field = ?1 AND value = ?2) c \
             JOIN record r ON r.number = c.record ORDER BY r.number LIMIT 1",
        )
        .map_err(failed)?
        .query_row(params![field, text], |row| Ok((row.get(5)?, record(row, spec.name)?)))
        .optional()
        .map_err(failed)
}

/// Claims the values of a new record, or the new values of a changed one.
pub(super) fn insert(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    record: i64,
    entries: &[IndexEntry],
) -> Result<(), StoreError> {
    for entry in claims_of(entries) {
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

/// Claims a value of a record that was stored before the value had to be unique. If another record has the value, both
/// keep it.
pub(super) fn adopt(
    connection: &Connection,
    field: i64,
    record: i64,
    entry: &IndexEntry,
) -> rusqlite::Result<()> {
    for sql in [
        "INSERT OR IGNORE INTO claim (field, value, record) VALUES (?1, ?2, ?3)",
        "INSERT OR IGNORE INTO unclaimed (field, value, record) \
         SELECT ?1, ?2, ?3 WHERE NOT EXISTS \
         (SELECT 1 FROM claim WHERE field = ?1 AND value = ?2 AND record = ?3)",
    ] {
        connection.prepare_cached(sql)?.execute(params![field, entry.value, record])?;
    }
    Ok(())
}

/// Removes the claims of a deleted record, or those of the former values of a changed one.
pub(super) fn remove(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    record: &Record,
    entries: &[IndexEntry],
) -> Result<(), StoreError> {
    for entry in claims_of(entries) {
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

/// Logs the values that several records share.
pub(super) fn log_shared(connection: &Connection) -> rusqlite::Result<()> {
    let mut select = connection.prepare(
        "SELECT s.name, u.value, count(*) OVER () FROM (SELECT DISTINCT field, value FROM unclaimed) u \
         JOIN symbol s ON s.number = u.field ORDER BY u.value LIMIT ?1",
    )?;
    let mut rows = select.query(params![MAX_LOGGED_VALUES])?;
    let (mut total, mut listed) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        let (member, value): (String, rusqlite::types::Value) = (row.get(0)?, row.get(1)?);
        total = row.get::<_, i64>(2)?;
        if let rusqlite::types::Value::Text(value) = value {
            listed.push(format!("{member} {value}"));
        }
    }
    if total > 0 {
        tracing::warn!(
            values = total,
            listed = listed.join(", "),
            "several records share a value that must be unique; they are kept, and new ones are refused"
        );
    }
    Ok(())
}

//! The table of symbols.

use std::collections::HashMap;

use didww_types::ResourceSpec;
use rusqlite::{Connection, params};

pub(super) use crate::symbols::Symbols;
use crate::symbols::declared;

/// Loads the number of every declared name, and inserts the names that are new.
pub(super) fn intern(
    connection: &Connection,
    registry: &'static [&'static ResourceSpec],
) -> rusqlite::Result<Symbols> {
    // All in one read: looking up each declared name would take a large part of a start.
    let mut select = connection.prepare("SELECT name, number FROM symbol")?;
    let known = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut numbers: HashMap<String, i64> = known.collect::<rusqlite::Result<_>>()?;
    let mut insert = connection.prepare("INSERT INTO symbol (name) VALUES (?1)")?;
    let declared = declared(registry);
    for name in declared.iter().map(|declared| &declared.name) {
        if !numbers.contains_key(name) {
            insert.execute(params![name])?;
            numbers.insert(name.clone(), connection.last_insert_rowid());
        }
    }
    Ok(Symbols::of(registry, &declared, &numbers))
}

//! The table of symbols.

use std::collections::HashMap;

use didww_types::ResourceSpec;
use rusqlite::{Connection, params};
use serde_json::Value;

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
    let first = numbers.values().copied().max().unwrap_or(0).saturating_add(1);
    let (mut next, mut new): (i64, Vec<&str>) = (first, Vec::new());
    let declared = declared(registry);
    for name in declared.iter().map(|declared| &declared.name) {
        if !numbers.contains_key(name) {
            numbers.insert(name.clone(), next);
            next = next.saturating_add(1);
            new.push(name);
        }
    }
    if !new.is_empty() {
        // In one statement: beginning and ending one for each name would take longer than inserting it.
        connection.execute(
            "INSERT INTO symbol (number, name) SELECT ?1 + key, value FROM json_each(?2)",
            params![first, Value::from(new).to_string()],
        )?;
    }
    Ok(Symbols::of(registry, &declared, &numbers))
}

#[cfg(test)]
mod tests {
    use didww_types::REGISTRY;

    use super::*;

    fn stored(connection: &Connection) -> HashMap<String, i64> {
        let mut select = connection.prepare("SELECT name, number FROM symbol").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn new_names_are_numbered_after_those_that_are_known_and_once() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE symbol (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT; \
                 INSERT INTO symbol VALUES (7, 'of an older server');",
            )
            .unwrap();
        let symbols = intern(&connection, REGISTRY).unwrap();
        let first = stored(&connection);
        let mut numbers: Vec<i64> = first.values().copied().collect();
        numbers.sort_unstable();
        let last = 6 + i64::try_from(first.len()).unwrap();
        assert_eq!(numbers, (7..=last).collect::<Vec<i64>>());
        assert_eq!(first.get("of an older server"), Some(&7));
        for declared in declared(REGISTRY) {
            assert!(first.contains_key(&declared.name), "{}", declared.name);
        }
        for spec in REGISTRY {
            assert_eq!(first.get(spec.name).copied(), Some(symbols.kind(spec.name)), "{}", spec.name);
        }
        drop(intern(&connection, REGISTRY).unwrap());
        assert_eq!(stored(&connection), first);
    }
}

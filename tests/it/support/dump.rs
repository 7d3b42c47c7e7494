//! The rows of a database, to compare it with what it was before.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OpenFlags};

/// Every row of every table of a database, one a line.
pub fn dump(database: &Path) -> Vec<String> {
    let file = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let names =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut tables = file.prepare(names).unwrap();
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut lines = Vec::new();
    for table in tables {
        let mut select = file.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<Sql> = (0..columns).map(|column| row.get(column).unwrap()).collect();
            lines.push(format!("{table} {values:?}"));
        }
    }
    lines.sort();
    lines
}

/// Fails if two dumps differ, with their differences.
#[track_caller]
pub fn assert_same(before: &[String], after: &[String]) {
    let (all_before, all_after): (BTreeSet<_>, BTreeSet<_>) =
        (before.iter().collect(), after.iter().collect());
    let gone: Vec<_> = all_before.difference(&all_after).collect();
    let new: Vec<_> = all_after.difference(&all_before).collect();
    assert!(before == after, "no longer there: {gone:#?}\nnew: {new:#?}");
}

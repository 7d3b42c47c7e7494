//! How the engine goes about a statement, for tests that hold it to an index.

use rusqlite::Connection;

/// The steps of a statement's plan.
pub(super) fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // What is bound plays no part: it is read anew for each value.
    let mut rows = explain.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }
    steps
}

/// Fails when a statement reads a whole table or index, sorts what it read, or does not go by this index. What a part
/// of it gives may be read.
#[track_caller]
pub(super) fn seeks(connection: &Connection, sql: &str, index: &str) {
    let steps = plan(connection, sql);
    let walks = |step: &String| {
        step.strip_prefix("SCAN ").is_some_and(|what| !what.starts_with('('))
            // Of the least and the greatest the engine says so in any case; what it goes by is in brackets.
            || step.contains(" USING ") && !step.contains('(')
            || step.contains("TEMP B-TREE")
    };
    assert!(!steps.iter().any(walks), "{sql}\nwalks: {steps:?}");
    assert!(steps.iter().any(|step| step.contains(index)), "{sql}\ndoes not use {index}: {steps:?}");
}

//! Query plans, for tests that require the use of an index.

use rusqlite::Connection;

/// Returns the steps of a statement's query plan.
pub(super) fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // The parameters stay unbound: the plan does not depend on them.
    let mut rows = explain.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }
    steps
}

/// Asserts that a statement uses this index, sorts nothing, and scans no table or index. It may scan the result of a
/// subquery.
#[track_caller]
pub(super) fn assert_seeks(connection: &Connection, sql: &str, index: &str) {
    let steps = plan(connection, sql);
    let scans = |step: &String| {
        step.strip_prefix("SCAN ").is_some_and(|what| !what.starts_with('('))
            // For `min` and `max` the engine reports a search in any case; the columns that it searches by are in
            // brackets.
            || step.contains(" USING ") && !step.contains('(')
            || step.contains("TEMP B-TREE")
    };
    assert!(!steps.iter().any(scans), "{sql}\nscans: {steps:?}");
    assert!(steps.iter().any(|step| step.contains(index)), "{sql}\ndoes not use {index}: {steps:?}");
}

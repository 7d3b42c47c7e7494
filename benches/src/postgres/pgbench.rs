//! `pgbench`, which comes with PostgreSQL: one statement a transaction, over as many connections as the load has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::server::{Server, run};
use crate::Outcome;
use crate::load::CONNECTIONS;

/// Transactions a second of a script.
pub(super) fn rate(server: &Server, database: &str, script: &Path, turn: Duration) -> Outcome<f64> {
    let mut pgbench = server.program("pgbench");
    pgbench.args(["--no-vacuum", "--jobs=2", &format!("--client={CONNECTIONS}")]);
    pgbench.args([&format!("--time={}", turn.as_secs()), "--file"]).arg(script).arg(database);
    let text = run(&mut pgbench)?;
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    Ok(rate.ok_or_else(|| format!("pgbench printed no rate:\n{text}"))?)
}

/// Creates a table, and a script that inserts a row of this number of bytes into it.
pub(super) fn inserts(server: &Server, database: &str, bytes: usize) -> Outcome<PathBuf> {
    server.ask(
        database,
        "CREATE TABLE IF NOT EXISTS raw (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
         id uuid NOT NULL UNIQUE, name text NOT NULL, body text NOT NULL)",
    )?;
    server.ask(database, "CREATE INDEX IF NOT EXISTS raw_name ON raw (name)")?;
    let insert = format!(
        "\\set n random(1, 1000000000000)\n\
         INSERT INTO raw (id, name, body) VALUES (gen_random_uuid(), 'trunk ' || :n, '{}');\n",
        "x".repeat(bytes)
    );
    server.write("insert.sql", &insert)
}

/// A script that selects one record by its id.
pub(super) fn selects(server: &Server, id: &str) -> Outcome<PathBuf> {
    let select = format!("SELECT number, id, revision, attributes, meta FROM record WHERE id = '{id}';\n");
    server.write("select.sql", &select)
}

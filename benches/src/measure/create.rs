//! Durable creates over HTTP, against plain `SQLite` inserts with one row a transaction.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::Outcome;
use crate::load::load;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::stopwatch::Stopwatch;
use crate::trunk::Trunk;

pub(crate) fn durable(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let script = plan.work.join("create.lua");
    std::fs::write(&script, include_str!("create.lua"))?;
    let trunk = Trunk::start(&plan.work.join("creates.db"))?;
    let url = trunk.trunks();
    let raw = raw_table(&plan.work.join("raw.db"))?;
    let create = |turn| Ok(load(&url, turn, Some(&script))?.rate);
    create(Duration::from_secs(1))?;
    let mut number = 0;
    let compared = compare(plan.rounds, || create(plan.turn), || raw_inserts(&raw, plan.turn, &mut number))?;
    Ok(Row::rates(name, &compared, Target::AtLeast(2.0, 4.0)))
}

fn raw_table(file: &Path) -> Outcome<Connection> {
    let connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE raw (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, body TEXT NOT NULL);
         CREATE INDEX raw_name ON raw (name);",
    )?;
    Ok(connection)
}

/// Measures inserts in rows a second.
fn raw_inserts(connection: &Connection, turn: Duration, number: &mut u64) -> Outcome<f64> {
    let body = "x".repeat(600);
    let (watch, first) = (Stopwatch::start(), *number);
    let mut insert = connection.prepare("INSERT INTO raw (id, name, body) VALUES (?1, ?2, ?3)")?;
    while watch.elapsed() < turn {
        *number += 1;
        insert.execute(params![number.to_be_bytes().as_slice(), crate::seed::name(*number), body])?;
    }
    Ok(f64::from(u32::try_from(*number - first)?) / watch.seconds())
}

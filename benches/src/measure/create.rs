//! Durable creates over HTTP, against the minimal create of `least`, and against plain `SQLite` inserts with one row
//! a transaction.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::load::load;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::stopwatch::Stopwatch;
use crate::trunk::Trunk;
use crate::{Outcome, least, seed};

pub(super) const LEAST: &str = "durable POST / least durable create";
pub(super) const RAW: &str = "durable POST / raw inserts";

pub(super) fn beside_least(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let script = script(plan)?;
    let trunk = Trunk::start(&plan.work.join("creates-beside-least.db"))?;
    let url = trunk.trunks();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = plan.work.join("created");
    let created = runtime.block_on(seed::post(&url, "trunk"))?;
    if created.pointer("/data/id").is_none() {
        return Err(format!("no trunk was made: {created}").into());
    }
    std::fs::write(&answer, created.to_string())?;
    let (_least, base) = least::start(&answer)?;
    let reference = format!("{base}/voice_out_trunks");
    load(&url, Duration::from_secs(1), Some(&script))?;
    load(&reference, Duration::from_secs(1), Some(&script))?;
    let compared = compare(
        plan.rounds,
        || Ok(load(&url, plan.turn, Some(&script))?.rate),
        || Ok(load(&reference, plan.turn, Some(&script))?.rate),
    )?;
    Ok(Row::rates(name, &compared, Target::AtLeast(0.7, 0.85)))
}

pub(super) fn beside_raw(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let script = script(plan)?;
    let trunk = Trunk::start(&plan.work.join("creates.db"))?;
    let url = trunk.trunks();
    let raw = least::table(&plan.work.join("raw.db"))?;
    let create = |turn| Ok(load(&url, turn, Some(&script))?.rate);
    create(Duration::from_secs(1))?;
    let mut number = 0;
    let compared = compare(plan.rounds, || create(plan.turn), || raw_inserts(&raw, plan.turn, &mut number))?;
    Ok(Row::rates(name, &compared, Target::Reported))
}

/// The script of requests that create trunks.
pub(super) fn script(plan: &Plan) -> Outcome<PathBuf> {
    let script = plan.work.join("create.lua");
    std::fs::write(&script, include_str!("create.lua"))?;
    Ok(script)
}

/// Measures inserts in rows a second.
fn raw_inserts(connection: &Connection, turn: Duration, number: &mut u64) -> Outcome<f64> {
    let body = "x".repeat(600);
    let (watch, first) = (Stopwatch::start(), *number);
    let mut insert = connection.prepare(least::INSERT)?;
    while watch.elapsed() < turn {
        *number += 1;
        insert.execute(params![number.to_be_bytes().as_slice(), seed::name(*number), body])?;
    }
    Ok(f64::from(u32::try_from(*number - first)?) / watch.seconds())
}

//! The time and memory to load every trunk of a large database into the edge's index.

use std::path::Path;

use crate::child::Running;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::{median, spread};
use crate::stopwatch::Stopwatch;
use crate::trunk::{base, resident, serving};
use crate::{Outcome, seed};

pub(super) const LOADED: &str = "trunks in the edge's index, time to load";
pub(super) const MEMORY: &str = "trunks in the edge's index, memory of the server";

pub(super) fn loaded(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let (_, trunks) = plan.records;
    let database = seed::database(&plan.work, trunks)?;
    let times = |sip: &str| -> Outcome<Vec<f64>> {
        (0..plan.rounds).map(|_| start(&database, sip).map(|(seconds, _)| seconds)).collect()
    };
    let (with, without) = (times("127.0.0.1:0")?, median(times("off")?));
    let (low, high) = spread(&with);
    let with = median(with);
    Ok(Row {
        name,
        ours: format!("{with:.2} s to start with {trunks} trunks"),
        reference: format!("{without:.2} s without an edge"),
        figure: with - without,
        spread: Some((low - without, high - without)),
        unit: " s",
        target: Target::AtMost(4.0, 2.0),
    })
}

pub(super) fn memory(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let (_, trunks) = plan.records;
    let database = seed::database(&plan.work, trunks)?;
    let (_, with) = start(&database, "127.0.0.1:0")?;
    let (_, without) = start(&database, "off")?;
    Ok(Row {
        name,
        ours: format!("{with:.0} MB with {trunks} trunks"),
        reference: format!("{without:.0} MB without an edge"),
        figure: with,
        spread: None,
        unit: " MB",
        target: Target::AtMost(400.0, 250.0),
    })
}

/// Seconds from the start of a server on this database, with SIP on this address, to its start-up message, and its
/// resident memory then in megabytes.
pub(crate) fn start(database: &Path, sip: &str) -> Outcome<(f64, f64)> {
    let watch = Stopwatch::start();
    let (server, _base) = Running::announced(&mut serving(database, sip)?, base)?;
    Ok((watch.seconds(), resident(&server)?))
}

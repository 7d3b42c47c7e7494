//! The time and memory to load every trunk of a large database into the edge's index.

use crate::Outcome;
use crate::child::Running;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::median;
use crate::seed;
use crate::stopwatch::Stopwatch;
use crate::trunk::{base, resident, serving};

pub(crate) const LOADED: &str = "trunks in the edge's index, time to load";

pub(crate) fn loaded(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let (_, trunks) = plan.records;
    let database = seed::database(&plan.work, trunks)?;
    let start = |sip: &str| {
        let (mut seconds, mut megabytes) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let watch = Stopwatch::start();
            let (server, _base) = Running::announced(&mut serving(&database, sip)?, base)?;
            seconds.push(watch.seconds());
            megabytes.push(resident(&server)?);
        }
        Ok::<_, Box<dyn std::error::Error>>((median(seconds), median(megabytes)))
    };
    let (with, without) = (start("127.0.0.1:0")?, start("off")?);
    Ok(Row {
        name,
        ours: format!("{:.2} s, {:.0} MB with {trunks} trunks", with.0, with.1),
        reference: format!("{:.2} s, {:.0} MB without an edge", without.0, without.1),
        figure: with.0 - without.0,
        unit: " s",
        target: Target::Reported,
    })
}

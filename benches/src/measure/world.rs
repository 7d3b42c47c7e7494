//! How long a small world takes to be loaded into a server, and to be saved.

use trunk_server::TestServer;
use trunk_server::control::{SaveOptions, World, scenario};

use super::start::times_row;
use crate::Outcome;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::stopwatch::Stopwatch;

pub(super) const LOADED: &str = "small world, loaded into a server in memory";
pub(super) const SAVED: &str = "small world, saved";

/// The world that is loaded and saved.
const NAME: &str = "one-trunk";

pub(super) fn loaded(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let times = times(plan)?.into_iter().map(|(loaded, _)| loaded).collect();
    Ok(times_row(name, times, Target::AtMost(10.0, 2.0)))
}

pub(super) fn saved(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let times = times(plan)?.into_iter().map(|(_, saved)| saved).collect();
    Ok(times_row(name, times, Target::AtMost(10.0, 2.0)))
}

/// Milliseconds of a load, the file included, and of a save, each with a server of its own.
fn times(plan: &Plan) -> Outcome<Vec<(f64, f64)>> {
    let text = scenario(NAME).ok_or("the program has no such world")?.text;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut times = Vec::new();
    for _ in 0..plan.repeats * 4 {
        let server = runtime.block_on(TestServer::start());
        let control = server.control();
        let watch = Stopwatch::start();
        let world = World::from_json(text)?;
        runtime.block_on(control.load_world(&world, None))?;
        let loaded = watch.seconds() * 1e3;
        let watch = Stopwatch::start();
        let saved = runtime.block_on(control.save_world(SaveOptions::default()))?;
        times.push((loaded, watch.seconds() * 1e3));
        if saved.accounts.len() != 2 {
            return Err(format!("{} accounts were saved", saved.accounts.len()).into());
        }
    }
    Ok(times)
}

//! Memory of trunks and of calls, and the time to load trunks.

use std::time::Duration;

use crate::calls::{Callers, Pace};
use crate::chart::Series;
use crate::measure::{many_calls, start_edge};
use crate::plan::Plan;
use crate::rounds::median;
use crate::{Outcome, seed};

pub(super) const MEMORY: &str = "memory of trunks";
pub(super) const LOADING: &str = "loading of trunks";
const CALLS: &str = "memory of calls";

/// Number of starts, of which the median is reported.
const STARTS: usize = 3;
/// Numbers of simultaneous calls at which memory is read.
const STEPS: [u32; 6] = [200, 500, 1_000, 2_000, 5_000, 10_000];
/// New calls a second.
const RATE: u32 = 400;

/// The memory in megabytes, and the time to load in seconds.
pub(super) fn of_trunks(plan: &Plan, sizes: &[u64]) -> Outcome<(Series, Series)> {
    let (idle_seconds, idle_megabytes) = starts(plan, 1)?;
    let mut memory = Series { name: MEMORY, points: Vec::new() };
    let mut loading = Series { name: LOADING, points: Vec::new() };
    for size in sizes {
        eprintln!("an edge with {size} trunks …");
        let (seconds, megabytes) = starts(plan, *size)?;
        let trunks = f64::from(u32::try_from(*size)?);
        memory.points.push((trunks, megabytes - idle_megabytes));
        loading.points.push((trunks, seconds - idle_seconds));
    }
    Ok((memory, loading))
}

/// Seconds until a server with this number of trunks and an edge has started, and its megabytes then.
fn starts(plan: &Plan, trunks: u64) -> Outcome<(f64, f64)> {
    let database = seed::database(&plan.work, trunks)?;
    let (mut seconds, mut megabytes) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (time, memory) = start_edge(&database, "127.0.0.1:0")?;
        seconds.push(time);
        megabytes.push(memory);
    }
    Ok((median(seconds), median(megabytes)))
}

/// The memory of simultaneous calls in megabytes.
pub(super) fn of_calls(plan: &Plan) -> Outcome<Series> {
    eprintln!("memory of calls …");
    let (edge, most) = many_calls(plan)?;
    let idle = edge.resident()?;
    let pace = Pace { calls: most, rate: RATE, at_once: most, up: Duration::from_mins(30) };
    let mut callers = Callers::start(&plan.work, &edge.callee, pace)?;
    let mut points = Vec::new();
    for calls in STEPS.into_iter().filter(|calls| *calls < most).chain([most]) {
        edge.wait_for(u64::from(calls), &mut callers, Duration::from_mins(3))?;
        points.push((f64::from(calls), edge.resident()? - idle));
    }
    Ok(Series { name: CALLS, points })
}

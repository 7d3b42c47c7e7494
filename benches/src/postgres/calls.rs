//! Calls of one trunk with a limit on simultaneous calls, at one node and spread over two.

use std::time::Duration;

use super::processor::{Cost, Used};
use super::requests::Stage;
use crate::Outcome;
use crate::calls::{Callers, Edge, Pace};
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::stopwatch::Stopwatch;

pub(super) const CALLS: &str =
    "authenticated calls per second on PostgreSQL, one trunk with a capacity limit, two nodes / one node";

/// Simultaneous calls of a turn, at one node or at both together.
const CALLS_IN_FLIGHT: u32 = 64;
/// The trunk's limit, which is never reached.
const CAPACITY: u16 = 1_000;
/// The time after which every node has read a new trunk.
const KNOWN: Duration = Duration::from_secs(2);

/// Returns the row, the cost of a call at one node, and its cost at two.
pub(super) fn rate(stage: &Stage<'_>, name: &'static str) -> Outcome<(Row, [Cost; 2])> {
    let plan = stage.plan;
    let arguments = ["--database", stage.url.as_str()];
    let first = Edge::limited(&arguments, CAPACITY)?;
    let second = Edge::beside(&first, &arguments)?;
    std::thread::sleep(KNOWN);
    let calls = plan.calls / 2;
    let alone = |calls| turn(stage, &[&first], calls);
    let both = |calls| turn(stage, &[&first, &second], calls);
    both(calls / 5)?;
    alone(calls / 5)?;
    let (mut of_one, mut of_two) = (Vec::new(), Vec::new());
    let compared = compare(
        plan.rounds,
        || both(calls).map(|cost| keep(cost, &mut of_two)),
        || alone(calls).map(|cost| keep(cost, &mut of_one)),
    )?;
    Ok((Row::rates(name, &compared, Target::Reported), [Cost::median(&of_one), Cost::median(&of_two)]))
}

fn keep(cost: Cost, costs: &mut Vec<Cost>) -> f64 {
    costs.push(cost);
    cost.rate
}

/// Places calls at these nodes, and waits for their ends.
fn turn(stage: &Stage<'_>, edges: &[&Edge], calls: u32) -> Outcome<Cost> {
    let processes: Vec<u32> = edges.iter().map(|edge| edge.process()).collect();
    let each = u32::try_from(edges.len())?;
    let pace =
        Pace { calls: calls / each, rate: 20_000, at_once: CALLS_IN_FLIGHT / each, up: Duration::ZERO };
    let before = Used::by(stage.server, &processes, &[])?;
    let (watch, mut callers) = (Stopwatch::start(), Vec::new());
    for (number, edge) in edges.iter().enumerate() {
        let work = stage.plan.work.join(format!("callers-{number}"));
        std::fs::create_dir_all(&work)?;
        callers.push(Callers::start(&work, &edge.callee, pace)?);
    }
    for callers in callers {
        callers.finish()?;
    }
    let (calls, seconds) = (f64::from(calls / each * each), watch.seconds());
    let after = Used::by(stage.server, &processes, &[])?;
    Ok(Cost::of((before, after), calls, calls / seconds, 0))
}

//! Calls: the rate, and the memory that calls need.

use std::time::Duration;

use crate::Outcome;
use crate::calls::{CALLS_IN_FLIGHT, Callee, Callers, Edge, Pace};
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;
use crate::stopwatch::Stopwatch;
use crate::{kamailio, uas};

pub(crate) const RATE: &str =
    "authenticated calls per second (INVITE, 401, ACK, INVITE, 200, ACK, BYE) / bare callee";
pub(crate) const CHALLENGES: &str = "challenges per second (INVITE, 401, ACK) / Kamailio";
pub(crate) const MEMORY: &str = "20,000 simultaneous calls, memory";
pub(crate) const STEADY: &str = "steady calls, memory at the end / after one minute";

/// Number of simultaneous calls to which the memory row is scaled.
const SIMULTANEOUS_CALLS: u32 = 20_000;
/// Files that the server opens in addition to one socket for each call.
const RESERVED_FILES: u32 = 200;

pub(crate) fn rate(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let edge = Edge::start(&["--ephemeral"])?;
    let (_running, bare) = uas::start()?;
    let turn = |callee: &Callee, calls: u32| {
        let pace = Pace { calls, rate: 20_000, at_once: CALLS_IN_FLIGHT, up: Duration::ZERO };
        let watch = Stopwatch::start();
        Callers::start(&plan.work, callee, pace)?.finish()?;
        Ok(f64::from(calls) / watch.seconds())
    };
    turn(&edge.callee, plan.calls / 5)?;
    turn(&bare, plan.calls / 5)?;
    let compared = compare(plan.rounds, || turn(&edge.callee, plan.calls), || turn(&bare, plan.calls))?;
    Ok(Row::rates(name, &compared, Target::AtLeast(0.8, 0.9)))
}

pub(crate) fn challenges(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let edge = Edge::start(&["--ephemeral"])?;
    let (_running, kamailio) = kamailio::start(&plan.work)?;
    let turn = |callee: &Callee, calls: u32| {
        let pace = Pace { calls, rate: 40_000, at_once: CALLS_IN_FLIGHT, up: Duration::ZERO };
        let watch = Stopwatch::start();
        Callers::only_challenged(&plan.work, callee, pace)?.finish()?;
        Ok(f64::from(calls) / watch.seconds())
    };
    turn(&edge.callee, plan.calls)?;
    turn(&kamailio, plan.calls)?;
    let calls = plan.calls * 4;
    let compared = compare(plan.rounds, || turn(&edge.callee, calls), || turn(&kamailio, calls))?;
    Ok(Row::rates(name, &compared, Target::AtLeast(1.0, 1.3)))
}

/// Number of calls that a server can hold with this limit on open files: it reserves some files for its other
/// parts.
fn room(open_files: u32) -> u32 {
    open_files.saturating_sub(RESERVED_FILES) / 8 * 5
}

/// Starts an edge that holds as many calls as possible. Returns it with their number, at most that of the plan.
pub(crate) fn many_calls(plan: &Plan) -> Outcome<(Edge, u32)> {
    let config = plan.work.join("calls.toml");
    // The default range contains only 8,192 even ports.
    std::fs::write(&config, "[sip]\nrtp_ports = [1024, 65535]\ncalls_per_account = 65535\n")?;
    let edge = Edge::start(&["--ephemeral", "--config", &config.display().to_string()])?;
    Ok((edge, plan.calls_up.min(room(open_files()?))))
}

pub(crate) fn memory(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let (edge, calls) = many_calls(plan)?;
    let idle = edge.resident()?;
    let pace = Pace { calls, rate: 400, at_once: calls, up: Duration::from_mins(30) };
    let mut callers = Callers::start(&plan.work, &edge.callee, pace)?;
    edge.wait_for(u64::from(calls), &mut callers, Duration::from_mins(3))?;
    let resident = edge.resident()?;
    let answered = edge.answered()?;
    if answered + 1 < usize::try_from(calls)? {
        return Err(format!("of {calls} calls only {answered} are up").into());
    }
    let figure = idle + (resident - idle) * f64::from(SIMULTANEOUS_CALLS) / f64::from(calls);
    let scaled = if calls < SIMULTANEOUS_CALLS { ", the rest by the slope" } else { "" };
    Ok(Row {
        name,
        ours: format!("{resident:.1} MB with {calls} calls{scaled}"),
        reference: format!("{idle:.1} MB without"),
        figure,
        spread: None,
        unit: " MB",
        target: Target::AtMost(150.0, 100.0),
    })
}

/// The limit on open files that a child process inherits.
pub(super) fn open_files() -> Outcome<u32> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let limit =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    // A limit too large for the integer type means no limit.
    Ok(limit.ok_or("the kernel does not report the limit on open files")?.parse().unwrap_or(u32::MAX))
}

pub(crate) fn steady(plan: &Plan, name: &'static str) -> Outcome<Row> {
    const RATE: u32 = 200;
    let (long, early) = plan.steady;
    let count = |time: Duration| Ok::<_, std::num::TryFromIntError>(u32::try_from(time.as_secs())? * RATE);
    let (calls, early) = (count(long)?, count(early)?);
    let database = plan.work.join("steady.db");
    let edge = Edge::start(&["--database", &database.display().to_string()])?;
    // Each call lasts two seconds.
    let pace = Pace { calls, rate: RATE, at_once: RATE * 4, up: Duration::from_secs(2) };
    let mut callers = Callers::start(&plan.work, &edge.callee, pace)?;
    edge.wait_for(u64::from(early), &mut callers, long * 2)?;
    let first = edge.resident()?;
    callers.finish()?;
    let last = edge.resident()?;
    Ok(Row {
        name,
        ours: format!("{last:.1} MB after {calls} calls"),
        reference: format!("{first:.1} MB after {early}"),
        figure: last / first,
        spread: None,
        unit: "",
        target: Target::AtMost(1.2, 1.05),
    })
}

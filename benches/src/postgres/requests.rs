//! Requests to one node and to two, beside one statement of `pgbench` on the same server.

use super::nodes::Nodes;
use super::pgbench;
use super::processor::Cost;
use super::server::Server;
use crate::Outcome;
use crate::load::load_of;
use crate::measure::first;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::compare;

pub(super) const POST_ONE: &str = "durable POST on PostgreSQL, one node / pgbench insert";
pub(super) const POST_TWO: &str = "durable POST on PostgreSQL, two nodes / pgbench insert";
pub(super) const GET_ONE: &str = "GET of one trunk on PostgreSQL, one node / pgbench select by key";
pub(super) const GET_TWO: &str = "GET of one trunk on PostgreSQL, two nodes / pgbench select by key";

/// The script of requests that create trunks.
const CREATE: &str = include_str!("../measure/create.lua");

/// Number of nodes that follow the writes of another one, when the cost of that is measured.
pub(super) const FOLLOWERS: usize = 7;

/// The setting in which a row is measured.
pub(super) struct Stage<'a> {
    pub(super) plan: &'a Plan,
    pub(super) server: &'a Server,
    /// The name and the URL of a database for this row.
    pub(super) database: String,
    pub(super) url: String,
}

pub(super) fn post(stage: &Stage<'_>, name: &'static str, nodes: usize) -> Outcome<(Row, Cost)> {
    let Stage { plan, server, database, url } = stage;
    let running = Nodes::start(&plan.work, url, nodes, 0)?;
    let (trunks, script) = (running.trunks(), running.script(&plan.work, nodes, CREATE)?);
    load_of(2, &trunks, plan.turn, Some(&script))?;
    let bytes = server.ask(database, "SELECT avg(octet_length(attributes))::int FROM record")?.parse()?;
    let insert = pgbench::inserts(server, database, bytes)?;
    let mut costs = Vec::new();
    let compared = compare(
        plan.rounds,
        || {
            let (load, cost) = running.turn(server, (nodes, &script), &trunks, plan.turn)?;
            costs.push(cost);
            Ok(load.rate)
        },
        || pgbench::rate(server, database, &insert, plan.turn),
    )?;
    Ok((Row::rates(name, &compared, Target::AtLeast(0.5, 0.8)), Cost::median(&costs)))
}

pub(super) fn get(stage: &Stage<'_>, name: &'static str, nodes: usize) -> Outcome<(Row, Cost)> {
    let Stage { plan, server, database, url } = stage;
    let running = Nodes::start(&plan.work, url, nodes, 0)?;
    let (trunks, create) = (running.trunks(), running.script(&plan.work, nodes, CREATE)?);
    load_of(2, &trunks, plan.turn / 2, Some(&create))?;
    // The table is in the state of a database after autovacuum.
    server.ask(database, "VACUUM ANALYZE")?;
    let one = first(&trunks)?;
    let id = one.rsplit('/').next().unwrap_or_default();
    let select = pgbench::selects(server, id)?;
    let script = running.script(&plan.work, nodes, "")?;
    load_of(2, &one, plan.turn / 2, Some(&script))?;
    let mut costs = Vec::new();
    let compared = compare(
        plan.rounds,
        || {
            let (load, cost) = running.turn(server, (nodes, &script), &one, plan.turn)?;
            costs.push(cost);
            Ok(load.rate)
        },
        || pgbench::rate(server, database, &select, plan.turn),
    )?;
    Ok((Row::rates(name, &compared, Target::AtLeast(0.4, 0.7)), Cost::median(&costs)))
}

/// Creates at one node, while [`FOLLOWERS`] others follow. Returns the cost of one create, and the processor time in
/// seconds that a node and the database take for a node in a second without requests.
pub(super) fn followed(stage: &Stage<'_>) -> Outcome<(Cost, (f64, f64))> {
    let Stage { plan, server, url, .. } = stage;
    let running = Nodes::start(&plan.work, url, 1, FOLLOWERS)?;
    let (trunks, script) = (running.trunks(), running.script(&plan.work, 1, CREATE)?);
    load_of(2, &trunks, plan.turn, Some(&script))?;
    let mut costs = Vec::new();
    for _ in 0..plan.rounds {
        costs.push(running.turn(server, (1, &script), &trunks, plan.turn)?.1);
    }
    // Rows that were written are read again for six seconds, and deleted after that.
    std::thread::sleep(SETTLED);
    let (nodes, database) = running.idle(server, 2 * plan.turn)?;
    let each = f64::from(u32::try_from(FOLLOWERS + 1)?);
    Ok((Cost::median(&costs), (nodes / each, database / each)))
}

/// The time after which no poll reads the written rows again.
const SETTLED: std::time::Duration = std::time::Duration::from_secs(10);

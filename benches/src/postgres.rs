//! Several nodes on one PostgreSQL server: a part of the page of its own.
//!
//! The server is started here, on loopback and durable. Each row has a database of its own. A second table has the
//! processor time of a request at nodes and database, and the expected capacity of more nodes.

mod calls;
mod model;
mod nodes;
mod pgbench;
mod processor;
mod requests;
mod rows_read;
mod server;

use std::fmt::Write as _;

use model::Inputs;
use processor::Cost;
use requests::{FOLLOWERS, Stage};
use server::Server;

use crate::page::Part;
use crate::plan::Plan;
use crate::report::{Row, TABLE_HEAD};
use crate::{Outcome, machine};

pub(crate) use rows_read::rows_read;

/// The row of the second table that is measured for itself.
const FOLLOWED: &str = "durable POST at one node on PostgreSQL, which others follow";

/// The measured values.
#[derive(Default)]
struct Measured {
    rows: Vec<Row>,
    /// Kinds of requests, with the cost of each, and the number of serving nodes.
    costs: Vec<(&'static str, usize, Cost)>,
    get: Option<Cost>,
    post: Option<Cost>,
    /// The cost of a create that other nodes follow, and the cost of a node without requests.
    followed: Option<(Cost, (f64, f64))>,
}

/// Measures every row whose name contains `only`. Returns the part of the page, and whether every target was reached.
pub(crate) fn run(plan: &Plan, only: Option<&str>) -> Outcome<(String, bool)> {
    let sentence = machine::sentence(plan)?;
    let server = Server::start()?;
    let version = server.ask("postgres", "SHOW server_version")?;
    let syncs = machine::syncs(plan, server.folder())?;
    let mut measured = Measured::default();
    let names = [
        requests::POST_ONE,
        requests::POST_TWO,
        requests::GET_ONE,
        requests::GET_TWO,
        calls::CALLS,
        FOLLOWED,
    ];
    for (number, name) in names.into_iter().enumerate() {
        if only.is_some_and(|text| !name.contains(text)) {
            continue;
        }
        eprintln!("{name} …");
        let database = format!("row_{number}");
        let url = server.create(&database)?;
        let stage = Stage { plan, server: &server, database, url };
        let before = measured.rows.len();
        measured.measure(&stage, name).map_err(|error| format!("{name}: {error}"))?;
        measured.rows.get(before..).unwrap_or_default().iter().for_each(|row| eprintln!("{}", row.line()));
    }
    let is_reached = measured.rows.iter().all(Row::is_reached);
    let place = format!(
        "{sentence} PostgreSQL {version} with its default settings and two nodes run on these cores too, and so does what \
         sends the requests. {syncs:.0} times a second 4 kB are appended and made durable on the database's disk. {} rounds \
         of {} s a side.",
        plan.rounds,
        plan.turn.as_secs()
    );
    Ok((measured.text(&place), is_reached))
}

impl Measured {
    fn measure(&mut self, stage: &Stage<'_>, name: &'static str) -> Outcome<()> {
        match name {
            requests::POST_ONE | requests::POST_TWO => {
                let nodes = if name == requests::POST_ONE { 1 } else { 2 };
                let (row, cost) = requests::post(stage, name, nodes)?;
                self.rows.push(row);
                self.costs.push(("durable POST", nodes, cost));
                if nodes == 1 {
                    self.post = Some(cost);
                }
            }
            requests::GET_ONE | requests::GET_TWO => {
                let nodes = if name == requests::GET_ONE { 1 } else { 2 };
                let (row, cost) = requests::get(stage, name, nodes)?;
                self.rows.push(row);
                self.costs.push(("GET of one trunk", nodes, cost));
                if nodes == 1 {
                    self.get = Some(cost);
                }
            }
            calls::CALLS => {
                let (row, [one, two]) = calls::rate(stage, name)?;
                self.rows.push(row);
                self.costs.push(("call with a capacity limit", 1, one));
                self.costs.push(("call with a capacity limit", 2, two));
            }
            _ => {
                let (cost, idle) = requests::followed(stage)?;
                self.followed = Some((cost, idle));
                self.costs.push(("durable POST that seven more nodes follow", 1, cost));
            }
        }
        Ok(())
    }

    fn text(&self, place: &str) -> String {
        let mut text = format!("{}\n\n{place}\n\n{TABLE_HEAD}", Part::Postgres.heading());
        for row in &self.rows {
            text.push_str(&row.line());
            text.push('\n');
        }
        text.push_str("\n### What one request takes\n\n");
        text.push_str("| request | nodes | a second | processor of the nodes | processor of the database | write-ahead log |\n");
        text.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for (name, nodes, cost) in &self.costs {
            // Writing to a string cannot fail.
            let _infallible = writeln!(
                text,
                "| {name} | {nodes} | {:.0} | {:.0} µs | {:.0} µs | {:.0} bytes |",
                cost.rate, cost.node, cost.database, cost.log
            );
        }
        if let Some((cost, idle)) = self.followed {
            let _infallible = writeln!(
                text,
                "\nEach of the {FOLLOWERS} nodes that follow takes {:.1} µs of its processor for such a POST, and {:.1} µs of \
                 the database's. Without requests a node takes {:.2} % of a core, and {:.2} % of one of the database's.",
                cost.follower.0,
                cost.follower.1,
                idle.0 * 100.0,
                idle.1 * 100.0
            );
        }
        if let (Some(get), Some(post), Some((followed, idle))) = (self.get, self.post, self.followed) {
            text.push_str("\n### What more nodes could do\n\n");
            text.push_str(MODEL);
            text.push_str(&Inputs { get, post, followed, idle }.table());
        }
        text.push_str(FOOT);
        text
    }
}

const MODEL: &str = "Not measured, but computed from the figures above with the formula of [docs/scaling.md](docs/scaling.md#a-model): \
upper bounds for nodes of two cores as fast as these, and for a database that uses all of its cores and whose disk and \
network are no limit.\n\n";

const FOOT: &str = "
### What is compared on PostgreSQL

- **Durable POST** creates a trunk over HTTP, with every index that filters and sorting need and a row of the change feed.
  `pgbench` inserts a row with as many bytes as a trunk has, a unique id and one secondary index, in a transaction of its
  own. Both are answered once they are durable.
- **GET of one trunk** reads the trunk from the database for every request. `pgbench` selects the same row by its id.
- Load is `wrk -t2 -c32`: with two nodes each of its threads sends to one of them. `pgbench` has 32 connections too and two
  threads, with its default protocol. The nodes together have 32 connections to the database for requests.
- **Calls** are complete calls over UDP as above, 64 at once, all on one trunk with a capacity limit and a threshold. With two
  nodes, each has a sipp of its own, and the two share what is placed with one.
- **What one request takes** is the time that the kernel counts for the nodes' processes and for the database's, divided by
  the requests; waiting is not in it. What the system does for the network is in it on both sides.
- The nodes that **follow** have no requests. Each has an edge, and reads every trunk that another node created.
";

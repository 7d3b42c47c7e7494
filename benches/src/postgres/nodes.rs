//! Nodes of the real binary on one database, and the load that is spread over them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::processor::{Cost, Used};
use super::server::{FOLLOWER, Server};
use crate::Outcome;
use crate::child::Running;
use crate::load::{CONNECTIONS, Load, load_of};
use crate::trunk;

/// Running nodes without an edge.
pub(super) struct Nodes {
    /// The base URL of the first one.
    base: String,
    ports: Vec<u16>,
    processes: Vec<Running>,
}

impl Nodes {
    /// Starts nodes that serve, which together have as many connections to the database as the load has to them, and
    /// further ones that only follow what these write.
    pub(super) fn start(work: &Path, url: &str, serving: usize, further: usize) -> Outcome<Self> {
        let config = work.join("nodes.toml");
        std::fs::write(&config, "[accounts]\nrecord_quota = 0\n")?;
        let mut nodes = Self { base: String::new(), ports: Vec::new(), processes: Vec::new() };
        for number in 0..serving + further {
            let follows = format!("{url}?application_name={FOLLOWER}");
            // Only an edge follows records.
            let (url, sip) = if number < serving { (url, "off") } else { (follows.as_str(), "127.0.0.1:0") };
            let mut command = trunk::serving(Path::new(url), sip)?;
            command.arg("--config").arg(&config);
            command.args(["--database-connections", &(CONNECTIONS / serving).to_string()]);
            let (process, base) = Running::announced(&mut command, trunk::base)?;
            let port = base.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next());
            nodes.ports.push(port.ok_or("a node's URL has no port")?.parse()?);
            nodes.processes.push(process);
            if nodes.base.is_empty() {
                nodes.base = base;
            }
        }
        Ok(nodes)
    }

    /// The URL of the list of trunks at the first node.
    pub(super) fn trunks(&self) -> String {
        format!("{}/voice_out_trunks", self.base)
    }

    /// A script for the load that spreads its threads over the first `serving` nodes.
    pub(super) fn script(&self, work: &Path, serving: usize, requests: &str) -> Outcome<PathBuf> {
        let ports: Vec<String> = self.ports.iter().take(serving).map(u16::to_string).collect();
        let spread = include_str!("spread.lua").replace("{ports}", &ports.join(", "));
        let path = work.join("spread.lua");
        std::fs::write(&path, spread + requests)?;
        Ok(path)
    }

    /// Requests a URL of the first node for one turn. Returns the load, and the cost of one request.
    pub(super) fn turn(
        &self,
        server: &Server,
        (serving, script): (usize, &Path),
        url: &str,
        turn: Duration,
    ) -> Outcome<(Load, Cost)> {
        let processes: Vec<u32> = self.processes.iter().map(Running::id).collect();
        let (of_serving, of_following) = processes.split_at(serving.min(processes.len()));
        let before = Used::by(server, of_serving, of_following)?;
        let load = load_of(THREADS, url, turn, Some(script))?;
        let after = Used::by(server, of_serving, of_following)?;
        let requests = f64::from(u32::try_from(load.requests)?);
        let cost = Cost::of((before, after), requests, load.rate, u32::try_from(of_following.len())?);
        Ok((load, cost))
    }

    /// Processor time in seconds of all nodes and of the database while nothing is requested for this long.
    pub(super) fn idle(&self, server: &Server, time: Duration) -> Outcome<(f64, f64)> {
        let processes: Vec<u32> = self.processes.iter().map(Running::id).collect();
        let before = Used::by(server, &processes, &[])?;
        std::thread::sleep(time);
        let cost = Cost::of((before, Used::by(server, &processes, &[])?), time.as_secs_f64(), 0.0, 0);
        Ok((cost.node / 1e6, cost.database / 1e6))
    }
}

/// Threads of the load, whether it goes to one node or to two.
const THREADS: usize = 2;

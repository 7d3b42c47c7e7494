//! HTTP load from wrk: 32 connections, and one thread by default.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::trunk::{KEY, VERSION};

/// Number of connections of a load.
pub(crate) const CONNECTIONS: usize = 32;

/// The result of one turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Number of answered requests.
    pub(crate) requests: u64,
}

/// Requests a URL for one turn. Any answer but 2xx or 3xx is an error, because a refusal takes less work than
/// the request that is measured.
pub(crate) fn load(url: &str, turn: Duration, script: Option<&Path>) -> Outcome<Load> {
    load_of(1, url, turn, script)
}

/// As [`load`], with this number of threads, which share the connections.
pub(crate) fn load_of(threads: usize, url: &str, turn: Duration, script: Option<&Path>) -> Outcome<Load> {
    let mut wrk = Command::new("wrk");
    wrk.args([format!("-t{threads}"), format!("-c{CONNECTIONS}"), format!("-d{}s", turn.as_secs())]);
    for header in [
        format!("Api-Key: {KEY}"),
        format!("X-DIDWW-API-Version: {VERSION}"),
        "Accept: application/vnd.api+json".to_owned(),
    ] {
        wrk.arg("-H").arg(header);
    }
    if let Some(script) = script {
        wrk.arg("-s").arg(script);
    }
    let output = wrk.arg(url).output().map_err(|error| format!("wrk did not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || text.contains("Non-2xx") {
        return Err(format!("{url} was not answered well:\n{text}").into());
    }
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok());
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok());
    match (rate, requests) {
        (Some(rate), Some(requests)) => Ok(Load { rate, requests }),
        _ => Err(format!("wrk printed no figures:\n{text}").into()),
    }
}

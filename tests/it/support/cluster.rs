//! A cluster of PostgreSQL with failover, which `scripts/cluster` starts.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::postgres::{Server, run};

/// A running cluster. It ends, and its folder is deleted, when this is dropped or its process ends.
pub struct Cluster {
    script: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// The output of the script: `url`, `haproxy`, `ttl`.
    about: Value,
}

impl Cluster {
    /// Starts it with these arguments.
    ///
    /// # Panics
    /// Panics if a program is missing, or if it does not start.
    pub fn start(arguments: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut command = Command::new(root.join("scripts/cluster"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().unwrap();
        let input = script.stdin.take();
        let mut output = BufReader::new(script.stdout.take().unwrap()).lines();
        let about = output.next().expect("the cluster does not start; its errors are above").unwrap();
        Self { script, input, output, about: serde_json::from_str(&about).unwrap() }
    }

    /// Its URL, with all servers.
    pub fn url(&self) -> &str {
        self.about["url"].as_str().unwrap()
    }

    /// The URL through HAProxy, which `--haproxy` starts.
    pub fn haproxy(&self) -> &str {
        self.about["haproxy"].as_str().unwrap()
    }

    /// Sends a command. Returns its answer.
    pub fn command(&mut self, text: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{text}").unwrap();
        self.output.next().expect("the script answers").unwrap()
    }

    /// Runs a query at the primary. Returns the output of `psql`.
    pub fn ask(&self, sql: &str) -> String {
        run(Server::any_program("psql").args(["-qAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(), "-c", sql]))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The script stops everything at the end of its input.
        self.input = None;
        let _ended = self.script.wait();
    }
}

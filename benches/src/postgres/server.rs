//! A PostgreSQL server of the benchmark's own: on loopback, in a temporary folder, and durable.

#[path = "../../../crates/trunk-store/tests/it/support/postgres/local_server.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the tests share it, use more of it, and fail where it cannot go on"
)]
mod local_server;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use local_server::{Server as Local, USER};

use crate::{Outcome, processor};

/// The application's name of connections of nodes that serve nothing.
pub(super) const FOLLOWER: &str = "follower";

/// A running server, which ends with this value.
pub(super) struct Server {
    local: Local,
    port: u16,
}

impl Server {
    /// Starts a server with PostgreSQL's defaults, apart from the number of connections.
    pub(super) fn start() -> Outcome<Self> {
        let local = Local::start();
        local.stop();
        // Another process may take the port before the server does; the run then ends with an error.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        local.boot(&format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c fsync=on -c deadlock_timeout=1s"
        ));
        Ok(Self { local, port })
    }

    /// Creates a database. Returns the URL that a node takes.
    pub(super) fn create(&self, name: &str) -> Outcome<String> {
        self.ask("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port))
    }

    /// Executes a statement in a database. Returns what `psql` prints of it.
    pub(super) fn ask(&self, database: &str, sql: &str) -> Outcome<String> {
        let mut psql = self.program("psql");
        run(psql.args(["-qAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]))
    }

    /// Executes a statement that returns one number.
    pub(super) fn number(&self, database: &str, sql: &str) -> Outcome<f64> {
        Ok(self.ask(database, sql)?.parse().map_err(|error| format!("{sql}: {error}"))?)
    }

    /// A program of PostgreSQL that connects as a node does.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = self.local.program(name);
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        command
    }

    /// Writes a file that PostgreSQL's programs can read.
    pub(super) fn write(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.local.folder().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// The folder of the data.
    pub(super) fn folder(&self) -> &std::path::Path {
        self.local.folder()
    }

    /// Processor time in seconds that those of the server's processes have used which run now: of all, and of those
    /// that serve [followers](FOLLOWER).
    pub(super) fn processor_seconds(&self) -> Outcome<(f64, f64)> {
        let select = "SELECT pid || ' ' || coalesce(application_name, '') FROM pg_stat_activity \
                      WHERE pid <> pg_backend_pid()";
        let (mut all, mut following) = (0.0, 0.0);
        for line in self.ask("postgres", select)?.lines() {
            let (process, name) = line.split_once(' ').unwrap_or((line, ""));
            // A connection may have been closed meanwhile.
            let seconds = processor::seconds(process.parse()?).unwrap_or_default();
            all += seconds;
            if name == FOLLOWER {
                following += seconds;
            }
        }
        Ok((all, following))
    }

    /// Bytes of the write-ahead log since the server was made.
    pub(super) fn log_bytes(&self) -> Outcome<f64> {
        self.number("postgres", "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
    }
}

/// Runs a program that must succeed. Returns its output.
pub(super) fn run(command: &mut Command) -> Outcome<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name} did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

//! The proof of the traits on PostgreSQL, against a server that the tests start.

use std::path::{Path, PathBuf};
use std::process::Command;

use service_base::ids::Ids;
use trunk_store::PostgresProof;

use super::{Factory, feed};

/// A server of its own, in a temporary folder, that listens only at a Unix socket in it.
pub(super) struct Server {
    folder: tempfile::TempDir,
    programs: PathBuf,
}

impl Server {
    /// # Panics
    /// Panics if PostgreSQL is not installed or does not start.
    fn start() -> Self {
        let server = Self { folder: tempfile::tempdir().unwrap(), programs: programs() };
        let (folder, data) = (server.folder.path().to_owned(), server.data());
        if is_root() {
            // The server refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        run(server
            .command("initdb")
            .args(["--auth=trust", "--username=proof", "--no-sync", "-D"])
            .arg(&data));
        // No TCP, so no port; and nothing of it must survive a power cut.
        let options = format!("-c listen_addresses='' -c fsync=off -k {}", folder.display());
        let start = ["start", "--wait", "--timeout=60", "--silent", "-o", &options, "-l"];
        run(server.command("pg_ctl").args(start).arg(folder.join("log")).arg("-D").arg(&data));
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of PostgreSQL, as a user that it accepts.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path()).env("LC_ALL", "C");
        command
    }

    /// Another node of the database.
    async fn node(&self) -> PostgresProof {
        let parameters = format!("host={} user=proof dbname=postgres", self.folder.path().display());
        PostgresProof::connect(&parameters, Ids::system()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.command("pg_ctl");
        // The folder is deleted next, whether the server ended well or not.
        let _stopped = stop.args(["stop", "--mode=immediate", "--silent", "-D"]).arg(self.data()).status();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

/// The folder of PostgreSQL's programs, of which Debian has only some in the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.unwrap().path().join("bin")).collect();
    folders.sort();
    let has_server = |folder: &Path| folder.join("initdb").exists() && folder.join("postgres").exists();
    let newest = folders.into_iter().rfind(|folder| has_server(folder));
    newest.unwrap_or_else(|| panic!("PostgreSQL is missing: apt-get install postgresql"))
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}

/// Opens the proof on a server of its own.
pub(super) struct Postgres;

impl Factory for Postgres {
    type Store = PostgresProof;
    type Kept = Server;

    async fn open() -> (PostgresProof, Server) {
        let server = Server::start();
        (server.node().await, server)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_keep_the_contract_of_the_feed() {
    let server = Server::start();
    let (one, other) = (server.node().await, server.node().await);
    feed::another_node_sees_each_change_in_time_and_once(&one, &other).await;
}

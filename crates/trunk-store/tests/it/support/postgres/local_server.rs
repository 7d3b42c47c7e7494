//! A PostgreSQL server in a folder of its own. The tests of the whole service and the benchmarks include this file too.

use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The name of the user who owns everything.
pub const USER: &str = "tests";

/// A server in a temporary folder that listens only at a Unix socket in it.
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    /// As long as it is open, the server runs: a shell waits for its end, whatever becomes of this process, then stops
    /// the server and deletes the folder.
    _life: ChildStdin,
}

impl Server {
    /// Starts a server.
    ///
    /// # Panics
    /// Panics if PostgreSQL is not installed or does not start.
    pub fn start() -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().unwrap().keep();
        if is_root() {
            // The server refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        let data = folder.join("data");
        run(as_postgres(&programs.join("initdb"), &folder)
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", USER, "-D"])
            .arg(&data));
        let script = r#"read end; "$1" stop --mode=immediate --silent -D "$2"; cd /; rm -rf "$3""#;
        // The shell outlives the folder, and must not be in it.
        let mut watch = as_postgres(Path::new("sh"), Path::new("/"));
        watch.args(["-c", script, "watch"]).arg(programs.join("pg_ctl")).arg(&data).arg(&folder);
        watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let life = watch.spawn().unwrap().stdin.take().unwrap();
        let server = Self { folder, programs, _life: life };
        server.boot("");
        server
    }

    /// Starts the server on its data, for the first time or after [`stop`](Self::stop), with further settings, such as
    /// `-c max_connections=20`.
    pub fn boot(&self, settings: &str) {
        // No TCP, so no port; and nothing of it must survive a power cut.
        let options = format!(
            "-c listen_addresses='' -c fsync=off -c max_connections=400 -c deadlock_timeout=100ms -k {} {settings}",
            self.folder.display()
        );
        let start = ["start", "--wait", "--timeout=60", "--silent", "-o", &options, "-l"];
        let (log, data) = (self.folder.join("log"), self.folder.join("data"));
        run(self.program("pg_ctl").args(start).arg(log).arg("-D").arg(data));
    }

    /// Stops the server at once, as `kill -9` does.
    pub fn stop(&self) {
        let stop = ["stop", "--mode=immediate", "--silent", "-D"];
        run(self.program("pg_ctl").args(stop).arg(self.folder.join("data")));
    }

    /// The folder with the socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Executes statements in a database. Returns the output of `psql`.
    pub fn execute(&self, database: &str, sql: &str) -> String {
        run(self.program("psql").args(["-qAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]))
    }

    /// Creates a database, empty or as a copy. Returns its name.
    pub fn create_database(&self, template: Option<&str>) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let template = template.map(|template| format!("--template={template}"));
        run(self.program("createdb").args(template).arg(&name));
        name
    }

    /// Drops a database. Those of a server that a test stopped are deleted with its folder.
    pub fn drop_database(&self, name: &str) {
        let mut drop = self.program("dropdb");
        let _dropped = drop.args(["--force", "--if-exists", name]).stderr(Stdio::null()).status();
    }

    /// A program of PostgreSQL, as a user that it accepts.
    pub fn program(&self, name: &str) -> Command {
        let mut command = as_postgres(&self.programs.join(name), &self.folder);
        command.env("PGHOST", &self.folder).env("PGUSER", USER).env("PGDATABASE", "postgres");
        command
    }
}

/// A program that runs in a folder, as `postgres` if the tests run as root.
pub fn as_postgres(program: &Path, folder: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).env("LC_ALL", "C");
    command
}

/// Whether the tests run as root, who may not start a server.
pub fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| Command::new("id").arg("-u").output().unwrap().stdout == b"0\n")
}

/// The folder of PostgreSQL's programs, of which Debian has only some in the path.
pub fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.unwrap().path().join("bin")).collect();
    folders.sort();
    let has_server = |folder: &Path| folder.join("initdb").exists() && folder.join("postgres").exists();
    let newest = folders.into_iter().rfind(|folder| has_server(folder));
    newest.unwrap_or_else(|| panic!("PostgreSQL is missing: apt-get install postgresql"))
}

/// Runs a program that must succeed. Returns its output.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

//! A PostgreSQL server that the tests start, and a database of it for each test.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use trunk_store::{PostgresOptions, PostgresStore};

/// The name of the user who owns everything.
const USER: &str = "tests";
/// The database that every other one is a copy of.
const TEMPLATE: &str = "migrated";

/// A server in a temporary folder that listens only at a Unix socket in it.
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    /// As long as it is open, the server runs: a shell waits for its end, whatever becomes of this process, then stops the
    /// server and deletes the folder.
    _life: ChildStdin,
}

/// The server that the tests of this binary share.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(""))
}

impl Server {
    /// Starts a server with further settings, such as `-c max_connections=20`.
    ///
    /// # Panics
    /// Panics if PostgreSQL is not installed or does not start.
    pub fn start(settings: &str) -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().unwrap().keep();
        if is_root() {
            // The server refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        let data = folder.join("data");
        let program = |name: &str| as_postgres(&programs.join(name), &folder);
        run(program("initdb")
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", USER, "-D"])
            .arg(&data));
        let script = r#"read end; "$1" stop --mode=immediate --silent -D "$2"; cd /; rm -rf "$3""#;
        let mut watch = Command::new("sh");
        if is_root() {
            watch = Command::new("setpriv");
            watch.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
        }
        watch.args(["-c", script, "watch"]).arg(programs.join("pg_ctl")).arg(&data).arg(&folder);
        watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let life = watch.spawn().unwrap().stdin.take().unwrap();
        let server = Self { folder, programs, _life: life };
        server.boot(settings);
        server
    }

    /// Starts the server on its data, for the first time or after [`stop`](Self::stop).
    pub fn boot(&self, settings: &str) {
        // No TCP, so no port; and nothing of it must survive a power cut.
        let mut options = format!(
            "-c listen_addresses='' -c fsync=off -c max_connections=400 -c deadlock_timeout=100ms -k {}",
            self.folder.display()
        );
        let _infallible = write!(options, " {settings}");
        let start = ["start", "--wait", "--timeout=60", "--silent", "-o", &options, "-l"];
        run(self
            .program("pg_ctl")
            .args(start)
            .arg(self.folder.join("log"))
            .arg("-D")
            .arg(self.folder.join("data")));
    }

    /// Stops the server at once, as `kill -9` does.
    pub fn stop(&self) {
        run(self
            .program("pg_ctl")
            .args(["stop", "--mode=immediate", "--silent", "-D"])
            .arg(self.folder.join("data")));
    }

    /// A program of PostgreSQL, as a user that it accepts.
    pub fn program(&self, name: &str) -> Command {
        let mut command = as_postgres(&self.programs.join(name), &self.folder);
        command.env("PGHOST", &self.folder).env("PGUSER", USER).env("PGDATABASE", "postgres");
        command
    }

    /// The folder with the socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Parameters for a connection to a database.
    pub fn parameters(&self, database: &str) -> String {
        format!("host={} user={USER} dbname={database}", self.folder.display())
    }

    /// Executes statements in a database. Returns what `psql` prints of them.
    pub fn execute(&self, database: &str, sql: &str) -> String {
        run(self.program("psql").args(["-qAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]))
    }

    /// An empty database without tables.
    pub fn empty(&'static self) -> Database {
        self.database(None)
    }

    /// A database with the tables of the engine.
    pub async fn migrated(&'static self) -> Database {
        static MADE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
        let make = async || {
            run(self.program("createdb").arg(TEMPLATE));
            let store = PostgresStore::open(PostgresOptions::new(self.parameters(TEMPLATE))).await.unwrap();
            trunk_store::Engine::close(&store).await.unwrap();
            // A database that is in use cannot be copied, and its connections end after the store was closed.
            let end = format!(
                "ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false; \
                 SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{TEMPLATE}'"
            );
            self.execute("postgres", &end);
        };
        // Only that of the server that all tests share is made: others have no template.
        MADE.get_or_init(make).await;
        self.database(Some(TEMPLATE))
    }

    fn database(&'static self, template: Option<&str>) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Two copies at the same time would wait for each other's checkpoint.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        run(self
            .program("createdb")
            .args(template.map(|template| format!("--template={template}")))
            .arg(&name));
        Database { server: self, name }
    }
}

/// `PgBouncer` in front of a server, in transaction mode.
pub struct Pooler {
    folder: PathBuf,
    _life: ChildStdin,
}

impl Pooler {
    /// The port, which only names the socket.
    const PORT: u16 = 6_432;

    /// The pooler in front of the server that the tests of this binary share.
    pub fn shared() -> &'static Self {
        static POOLER: OnceLock<Pooler> = OnceLock::new();
        POOLER.get_or_init(|| Self::start(server()))
    }

    fn start(server: &Server) -> Self {
        let folder = server.folder.join("pooler");
        let settings = format!(
            "[databases]\n* = host={} user={USER}\n[pgbouncer]\nlisten_port = {}\nunix_socket_dir = {}\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 8\nmax_client_conn = 1000\nlogfile = {}/log\n",
            server.folder.display(),
            Self::PORT,
            folder.display(),
            folder.display(),
        );
        let file = server.folder.join("pooler.ini");
        std::fs::write(&file, settings).unwrap();
        std::fs::create_dir(&folder).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder).arg(&file));
        }
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].iter().find(|path| Path::new(path).exists());
        let program = program.unwrap_or_else(|| panic!("PgBouncer is missing: apt-get install pgbouncer"));
        let mut watch = as_postgres(Path::new("sh"), &server.folder);
        watch.args(["-c", r#""$1" -q "$2" & read end; kill $!"#, "watch", program]).arg(&file);
        watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let life = watch.spawn().unwrap().stdin.take().unwrap();
        let socket = folder.join(format!(".s.PGSQL.{}", Self::PORT));
        for _ in 0..1_000 {
            if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                return Self { folder, _life: life };
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("PgBouncer does not listen at {}", socket.display());
    }

    /// Parameters for a connection to a database through the pooler.
    pub fn parameters(&self, database: &Database) -> String {
        format!("host={} port={} user={USER} dbname={}", self.folder.display(), Self::PORT, database.name)
    }
}

/// A database of a server, which is dropped with this.
pub struct Database {
    server: &'static Server,
    name: String,
}

impl Database {
    /// Parameters for a connection.
    pub fn parameters(&self) -> String {
        self.server.parameters(&self.name)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Executes statements. Returns what `psql` prints of them.
    pub fn execute(&self, sql: &str) -> String {
        self.server.execute(&self.name, sql)
    }

    /// Another node of the database.
    pub async fn node(&self, number: i64) -> PostgresStore {
        let mut options = PostgresOptions::new(self.parameters());
        options.node = Some(number);
        PostgresStore::open(options).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that a test stopped has its databases deleted with its folder.
        let mut drop = self.server.program("dropdb");
        let _dropped = drop.args(["--force", "--if-exists", &self.name]).stderr(Stdio::null()).status();
    }
}

fn as_postgres(program: &Path, folder: &Path) -> Command {
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
fn programs() -> PathBuf {
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

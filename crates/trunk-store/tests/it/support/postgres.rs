//! A PostgreSQL server that the tests start, and a database of it for each test.

mod local_server;

use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use trunk_store::{PostgresOptions, PostgresStore};

pub use local_server::{Server, run};
use local_server::{USER, as_postgres, is_root};

/// The database that every other one is a copy of.
const TEMPLATE: &str = "migrated";

/// The server that the tests of this binary share.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

impl Server {
    /// Parameters for a connection to a database.
    pub fn parameters(&self, database: &str) -> String {
        format!("host={} user={USER} dbname={database}", self.folder().display())
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
        // Two copies at the same time would wait for each other's checkpoint.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        Database { server: self, name: self.create_database(template) }
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
        let folder = server.folder().join("pooler");
        let settings = format!(
            "[databases]\n* = host={} user={USER}\n[pgbouncer]\nlisten_port = {}\nunix_socket_dir = {}\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 8\nmax_client_conn = 1000\nlogfile = {}/log\n",
            server.folder().display(),
            Self::PORT,
            folder.display(),
            folder.display(),
        );
        let file = server.folder().join("pooler.ini");
        std::fs::write(&file, settings).unwrap();
        std::fs::create_dir(&folder).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder).arg(&file));
        }
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].iter().find(|path| Path::new(path).exists());
        let program = program.unwrap_or_else(|| panic!("PgBouncer is missing: apt-get install pgbouncer"));
        let mut watch = as_postgres(Path::new("sh"), server.folder());
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

    /// Executes statements. Returns the output of `psql`.
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
        self.server.drop_database(&self.name);
    }
}

//! A PostgreSQL server that the tests start, and a database of it for each test.

#[path = "../../../crates/trunk-store/tests/it/support/postgres/local_server.rs"]
mod local_server;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub use local_server::{Server, USER};

impl Server {
    /// The server that the tests of this binary share.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Server>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| Arc::new(Self::start())))
    }

    /// Creates an empty database.
    pub fn database(self: &Arc<Self>) -> Database {
        Database { server: Arc::clone(self), name: self.create_database(None) }
    }
}

/// A database of a server, which is dropped with this.
pub struct Database {
    server: Arc<Server>,
    name: String,
}

impl Database {
    /// The URL for `--database`.
    pub fn url(&self) -> String {
        format!("postgres:///{}?host={}&user={USER}", self.name, self.server.folder().display())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The socket of its server.
    pub fn socket(&self) -> PathBuf {
        self.server.folder().join(".s.PGSQL.5432")
    }

    /// Runs a query. Returns what `psql` prints of it.
    pub fn ask(&self, sql: &str) -> String {
        self.server.execute(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.server.drop_database(&self.name);
    }
}

//! A PostgreSQL server that the tests start, and a database of it for each test.

#[path = "../../../crates/trunk-store/tests/it/support/postgres/local_server.rs"]
mod local_server;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use super::tcp_proxy::Proxy;
#[cfg(feature = "nodes-full")]
pub use local_server::run;
pub use local_server::{Server, USER};

impl Server {
    /// The server that the tests of this binary share.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Server>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| Arc::new(Self::start())))
    }

    /// A program of PostgreSQL, for another server.
    pub fn any_program(name: &str) -> Command {
        Command::new(local_server::programs().join(name))
    }

    /// The socket that it listens at.
    pub fn socket(&self) -> PathBuf {
        self.folder().join(".s.PGSQL.5432")
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
        self.server.socket()
    }

    /// The same through a proxy before the server.
    pub fn url_through(&self, proxy: &Proxy) -> String {
        format!("postgres://{USER}@{}/{}?sslmode=disable", proxy.address(), self.name)
    }

    /// Runs a query. Returns the output of `psql`.
    pub fn ask(&self, sql: &str) -> String {
        self.server.execute(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.server.drop_database(&self.name);
    }
}

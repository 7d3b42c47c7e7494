//! The engine of the store that these tests run on: `SQLite`, or `PostgreSQL` if `TRUNK_TESTS_ENGINE` is `postgres`.
//!
//! A server that starts without a database of its own gets an empty one on the `PostgreSQL` server that the tests
//! share.

use std::cell::RefCell;
use std::sync::OnceLock;

use didww_types::Feature;
use trunk_server::{TestServer, TestServerBuilder};

use super::postgres::{Database, Server};

/// The variable that selects the engine.
const ENGINE: &str = "TRUNK_TESTS_ENGINE";

thread_local! {
    /// The databases of the test that runs in this thread. They are dropped with it, behind its servers.
    static DATABASES: RefCell<Vec<Database>> = const { RefCell::new(Vec::new()) };
}

/// The features that permit something. `read_only` forbids.
pub fn granted() -> impl Iterator<Item = Feature> {
    Feature::ALL.into_iter().filter(|feature| *feature != Feature::ReadOnly)
}

/// Whether the tests run on PostgreSQL.
///
/// # Panics
/// If the variable names no engine.
pub fn is_postgres() -> bool {
    static POSTGRES: OnceLock<bool> = OnceLock::new();
    *POSTGRES.get_or_init(|| match std::env::var(ENGINE).as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("{ENGINE} is {other}; it can be sqlite or postgres"),
    })
}

/// The settings of a server in memory, or with an empty database on PostgreSQL.
pub fn builder() -> TestServerBuilder {
    let builder = TestServer::builder();
    if is_postgres() { builder.database(new_database()) } else { builder }
}

/// Creates a database that is dropped when the test ends. Returns its URL.
pub fn new_database() -> String {
    let database = Server::shared().database();
    let url = database.url();
    DATABASES.with_borrow_mut(|databases| databases.push(database));
    url
}

//! Opens a database: connects, migrates the schema, and loads what a node keeps in memory.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use service_base::ids::Ids;
use tokio::sync::watch;
use tokio_postgres::NoTls;

use super::numbers::Numbers;
use super::turns::Turns;
use super::{Node, PostgresStore};
use crate::{StoreLimits, WriteHealth};

/// The longest time in which a connection is opened.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The tables of every part, which the first migration creates.
const SCHEMA: &[&str] = &[
    include_str!("schema/01_engine.sql"),
    include_str!("schema/02_records.sql"),
    include_str!("schema/03_accounts.sql"),
    include_str!("schema/04_documents.sql"),
    include_str!("schema/05_outbox.sql"),
    include_str!("schema/06_calls.sql"),
    include_str!("schema/07_jobs.sql"),
    include_str!("schema/08_idempotency.sql"),
    include_str!("schema/09_callback_secrets.sql"),
    include_str!("schema/10_token_keys.sql"),
];

/// Where the database is, and how this node uses it.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The URL of the database, such as `postgres://trunk@db.example/trunk?sslmode=verify-full`.
    pub url: String,
    /// The number of this node: no other running node of the database has it.
    pub node: i64,
    /// The limits of reads and of stored records.
    pub limits: StoreLimits,
    /// Maximum number of connections of this node.
    pub connections: usize,
    /// Generates what must be unique.
    pub ids: Ids,
}

impl PostgresOptions {
    /// Options for the only node of a database, with default limits and 16 connections.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), node: 0, limits: StoreLimits::default(), connections: 16, ids: Ids::system() }
    }
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresOpenError {
    /// The URL is not valid.
    #[error("the URL of the database is not valid: {0}")]
    Url(String),
    /// The server cannot be reached, or refuses.
    #[error("the database cannot be opened: {0}")]
    Engine(String),
}

impl PostgresStore {
    /// Opens a database, and creates its tables if it is empty.
    ///
    /// # Errors
    /// [`PostgresOpenError`].
    pub async fn open(options: PostgresOptions) -> Result<Self, PostgresOpenError> {
        let PostgresOptions { url, node, limits, connections, ids } = options;
        let mut config: tokio_postgres::Config =
            url.parse().map_err(|error: tokio_postgres::Error| PostgresOpenError::Url(error.to_string()))?;
        config.connect_timeout(CONNECT_LIMIT);
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections.max(2))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(Duration::from_secs(2)))
            .create_timeout(Some(CONNECT_LIMIT))
            .build()
            .map_err(|error| PostgresOpenError::Engine(error.to_string()))?;
        let engine = |error: String| PostgresOpenError::Engine(error);
        let client = pool.get().await.map_err(|error| engine(error.to_string()))?;
        for part in SCHEMA {
            client.batch_execute(part).await.map_err(|error| engine(error.to_string()))?;
        }
        drop(client);
        let node = Node {
            pool,
            number: node,
            limits,
            numbers: Numbers::new(&ids),
            turns: Turns::new(limits),
            feed: Arc::default(),
            jobs_scheduled: watch::Sender::new(()),
            health: watch::Sender::new(WriteHealth::Writable),
        };
        Ok(Self { node: Arc::new(node) })
    }
}

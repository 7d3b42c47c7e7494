//! Opens a database: connects, brings the tables up to date, and loads what a node keeps in memory.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use didww_types::{REGISTRY, ResourceSpec};
use service_base::ids::Ids;
use tokio::sync::{Notify, watch};

use super::address::{Address, CONNECT_LIMIT};
use super::freshness::Freshness;
use super::groups::Groups;
use super::known::DirectoryCopy;
use super::migrate::Lease;
use super::numbers::Numbers;
use super::open_error::PostgresOpenError;
use super::polling;
use super::seen::FeedState;
use super::shards::Shards;
use super::symbols::Symbols;
use super::turns::Turns;
use super::{Node, PostgresStore};
use super::{indexing, listening, nodes};
use crate::feed::Feed;
use crate::list_cache::ListCache;
use crate::{StoreLimits, WriteHealth};

/// Maximum number of connections for the heartbeat and the takeover of other nodes.
const VITAL_CONNECTIONS: usize = 2;

/// The address of the database, and the settings of this node.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// The URL of the database, such as `postgres://trunk@db.example/trunk?sslmode=verify-full`, or parameters such as
    /// `host=/run/postgresql user=trunk dbname=trunk`. It may be that of a pooler in transaction mode.
    pub url: String,
    /// The URL for a connection that listens for notifications of other nodes, which no pooler may share. With `None`
    /// the store only polls: it then learns of writes of other nodes up to 200 ms later, instead of at once.
    pub listen: Option<String>,
    /// The number of this node, which no other running node of the database has. `None` takes one that no node had
    /// before.
    pub node: Option<i64>,
    /// The limits of reads and of stored records.
    pub limits: StoreLimits,
    /// Maximum number of connections for reads and writes, at least 2. One more reads the writes of other nodes, and at
    /// most two are for the heartbeat and the takeover of other nodes.
    pub connections: usize,
    /// The types of records that are kept.
    pub registry: &'static [&'static ResourceSpec],
    /// Generates the secrets and numbers that must be unique.
    pub ids: Ids,
}

impl PostgresOptions {
    /// Options for the only node of a database, with default limits and 16 connections.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            listen: None,
            node: Some(0),
            limits: StoreLimits::default(),
            connections: 16,
            registry: REGISTRY,
            ids: Ids::system(),
        }
    }
}

impl PostgresStore {
    /// Opens a database, and creates its tables if it is empty. One node brings the tables up to date, and others wait.
    ///
    /// # Errors
    /// [`PostgresOpenError`].
    pub async fn open(options: PostgresOptions) -> Result<Self, PostgresOpenError> {
        let PostgresOptions { url, listen, node, limits, connections, registry, ids } = options;
        let address = Address::parse(&url).map_err(PostgresOpenError::Url)?;
        let listen = listen.map(|url| Address::parse(&url)).transpose().map_err(PostgresOpenError::Url)?;
        let unreachable = |_| PostgresOpenError::Engine("it does not answer".to_owned());
        let client =
            tokio::time::timeout(2 * CONNECT_LIMIT, address.connect()).await.map_err(unreachable)??;
        let lease = Lease::take(&client, &ids).await?;
        let declared = declare(&client, &lease, registry).await;
        let symbols = lease.end(&client, declared).await?;
        let number = match node {
            Some(number) => number,
            None => nodes::claim(&client).await?,
        };
        let freshness = Arc::new(Freshness::new(number));
        let pool = |size| address.pool(size, &freshness).map_err(PostgresOpenError::Engine);
        let node = Arc::new(Node {
            pool: pool(connections)?,
            vital_pool: pool(VITAL_CONNECTIONS)?,
            gate: Arc::default(),
            address,
            number,
            limits,
            groups: Groups::default(),
            numbers: Numbers::new(number),
            shards: Shards::default(),
            symbols: Arc::new(symbols),
            known: DirectoryCopy::new(),
            lists: ListCache::default(),
            turns: Turns::new(limits),
            feed: Arc::new(Feed::default()),
            seen: Mutex::new(FeedState::default()),
            announced: Notify::new(),
            freshness,
            jobs_scheduled: watch::Sender::new(()),
            commits: AtomicU64::new(0),
            health: watch::Sender::new(WriteHealth::Writable),
        });
        polling::begin(&node, &client).await?;
        node.known.load(&client).await?;
        let (wake, woken) = watch::channel(());
        let mut tasks = vec![tokio::spawn(polling::run(Arc::clone(&node), client, woken)).abort_handle()];
        if let Some(address) = listen {
            tasks.push(tokio::spawn(listening::listen(address, wake)).abort_handle());
            tasks.push(tokio::spawn(listening::notify(Arc::clone(&node))).abort_handle());
        }
        Ok(Self { node, tasks })
    }
}

/// Brings the tables, the symbols and the index in line with this server's.
async fn declare(
    client: &tokio_postgres::Client,
    lease: &Lease,
    registry: &'static [&'static ResourceSpec],
) -> Result<Symbols, PostgresOpenError> {
    lease.migrate(client).await?;
    if client.query_typed_opt("SELECT 1 FROM transfer", &[]).await?.is_some() {
        return Err(PostgresOpenError::Unfinished);
    }
    let symbols = Symbols::intern(client, registry).await?;
    indexing::build(client, lease, &symbols).await?;
    indexing::log_shared(client).await?;
    Ok(symbols)
}

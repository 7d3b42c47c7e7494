//! The engine for several nodes: a store in a PostgreSQL database that any number of processes share.
//!
//! All nodes are equal. The database is the only authority; a node keeps accounts, keys and lists in memory, and
//! follows the writes of the others (`polling`). Reads and writes go through a pool of connections (`run`), and use
//! nothing that a pooler between node and database could lose: no named statement, no state of a session, no advisory
//! lock. Statements that do not need each other's results share a round trip (`transaction`), and records that are
//! created at the same time share a transaction (`groups`).
//!
//! # How a part is written
//!
//! A part has one file here and one file of tables in `schema/`, which a migration creates. Its functions take
//! `&Client` for reads and `&Transaction<'_>` for writes, which has the same functions, and return
//! [`Done`](failure::Done). They use `query_typed`, `query_typed_opt` and `execute_typed` alone, with the type of each
//! parameter; `?` converts every kind of [`Failure`](failure::Failure). The implementation of the part's trait runs
//! them:
//!
//! - `self.node.read(arguments, |client, arguments| Box::pin(find(client, arguments)))` for a read of fixed cost. It
//!   may run again, so it must not change anything.
//! - `self.node.long_read(asker, arguments, …)` for a read whose cost grows with the data: the askers take turns, and
//!   all of its statements see one state of the database.
//! - `self.node.write(arguments, |transaction, arguments| Box::pin(…))` for a transaction. It runs again if it lost
//!   against another one, so its only effects are statements and [announcements](transaction::Transaction::announce).
//!   It has read committed isolation: rows that a decision depends on are locked (`FOR UPDATE`, in the order of the
//!   keys), or are a condition of the statement that writes (`WHERE revision = $n`), whose number of rows decides.
//!   Reads and locks that come first are [harmless](transaction::Transaction::harmless), and share the round trip of
//!   `BEGIN`; writes whose outcome is not needed are executed [later](transaction::Transaction::later), and share the
//!   round trip of the commit.
//!
//! Numbers that ascend in the order of creation come from [`Node::number`], not from the database. Instants are
//! `bigint`s of milliseconds since 1970, ids `uuid`, digests and secrets `bytea`, JSON `text`. Texts that are compared
//! or sorted have `COLLATE "C"`. A unique violation is recognised by [`Failure::is_taken`](failure::Failure::is_taken),
//! with the name of its constraint; it ends the transaction, so prefer `ON CONFLICT DO NOTHING` where the write can
//! continue.
//!
//! The heartbeat and the takeover of other nodes have a small pool of their own, so that no busy node seems dead.
//!
//! Bounds: the connections of the pools, the reads and writes that wait for one ([`MAX_WAITING`](run::MAX_WAITING)),
//! the time of each transaction, which the server enforces, and the rows of a poll.

mod accounts;
mod address;
mod call_rows;
mod callback_secrets;
mod calls;
mod change_rows;
mod channels;
mod dialect;
mod documents;
mod engine;
mod failure;
mod freshness;
mod group_inserts;
mod groups;
mod idempotency;
mod index_rows;
mod indexing;
mod jobs;
mod known;
mod known_rows;
mod late;
mod list;
mod listening;
mod migrate;
mod nodes;
mod numbers;
mod open;
mod open_error;
mod outbox;
mod parameter;
mod polling;
mod quotas;
mod rate_shares;
mod reasons;
mod record_writes;
mod records;
mod run;
mod seen;
mod shards;
mod short_reads;
mod statements;
mod sums;
mod symbols;
mod tls;
mod token_keys;
mod transaction;
pub(crate) mod transfer;
mod turns;
mod write;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, RwLock, watch};
use tokio::task::AbortHandle;

pub use open::PostgresOptions;
pub use open_error::PostgresOpenError;

use crate::feed::Feed;
use crate::list_cache::ListCache;
use crate::{ChangeFeed, Follower, Interest, StoreLimits, WriteHealth};
use address::Address;
use freshness::Freshness;
use groups::Groups;
use known::DirectoryCopy;
use numbers::Numbers;
use seen::FeedState;
use shards::Shards;
use symbols::Symbols;
use turns::Turns;

/// A store in a PostgreSQL database, which it uses as one of any number of nodes.
#[derive(Debug)]
pub struct PostgresStore {
    node: Arc<Node>,
    /// The tasks that read the writes of other nodes.
    tasks: Vec<AbortHandle>,
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// The state that the parts of the engine share.
struct Node {
    pool: deadpool_postgres::Pool,
    /// Connections for the heartbeat and the takeover of other nodes, which requests and calls do not use.
    vital_pool: deadpool_postgres::Pool,
    /// Held by every write, so that closing can wait for them.
    gate: Arc<RwLock<()>>,
    address: Address,
    /// The number of this node, unique in the database.
    number: i64,
    limits: StoreLimits,
    groups: Groups,
    numbers: Numbers,
    shards: Shards,
    symbols: Arc<Symbols>,
    known: DirectoryCopy,
    lists: ListCache,
    turns: Turns,
    feed: Arc<Feed>,
    seen: Mutex<FeedState>,
    /// Notified when a change was committed that other nodes must receive.
    announced: Notify,
    /// The proof that new connections must show.
    freshness: Arc<Freshness>,
    jobs_scheduled: watch::Sender<()>,
    /// Number of transactions that were committed.
    commits: AtomicU64,
    health: watch::Sender<WriteHealth>,
}

impl Node {
    /// Returns a number that is greater than every earlier one of this process, and that no other process returns: it
    /// consists of the time and of bits of this node.
    fn number(&self) -> i64 {
        self.numbers.next()
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("number", &self.number)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl ChangeFeed for PostgresStore {
    fn follow(&self, interest: Interest) -> Follower {
        self.node.feed.follow(interest)
    }

    fn wakes(&self) -> watch::Receiver<u64> {
        self.node.feed.wakes()
    }
}

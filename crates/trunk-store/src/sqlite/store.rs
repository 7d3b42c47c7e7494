//! The store of the embedded engine: each part of the trait, with the threads on which its methods run.

mod accounts;
mod callback_secrets;
mod calls;
mod channels;
mod documents;
mod engine;
mod events;
mod idempotency_keys;
mod nodes;
mod rate_shares;
mod records;
mod token_keys;
mod writes;

use std::sync::Arc;

use nodes::Heartbeats;
use tokio::sync::watch;

use super::connections::Connections;
use super::found_records::FoundRecords;
use super::list::{ListCache, Lists};
use super::outbox::Leases;
use super::scan::{Scans, Source};
use super::symbols::Symbols;
use crate::directory::SharedDirectory;
use crate::feed::Feed;
use crate::{
    Answer, Asker, ChangeFeed, Follower, Interest, MissingCommits, Scope, StoreError, StoreLimits,
    WriteHealth,
};

/// A store in an `SQLite` database. It is the only one that writes its file.
#[derive(Debug)]
pub struct SqliteStore {
    /// Declared, and so dropped, before the connections: the writer can checkpoint the whole log into the file only
    /// after the last read has ended.
    scans: Scans,
    pub(super) connections: Connections,
    limits: StoreLimits,
    list_cache: Arc<ListCache>,
    found: FoundRecords,
    symbols: Arc<Symbols>,
    directory: SharedDirectory,
    feed: Arc<Feed>,
    event_leases: Leases,
    heartbeats: Heartbeats,
    pub(super) jobs_scheduled: watch::Sender<()>,
    pub(super) health: watch::Sender<WriteHealth>,
    pub(super) missing: Option<MissingCommits>,
}

impl SqliteStore {
    pub(super) fn new(
        connections: Connections,
        sources: Vec<Source>,
        limits: StoreLimits,
        symbols: Arc<Symbols>,
        directory: SharedDirectory,
    ) -> Self {
        let scans = Scans::new(sources, limits);
        Self {
            scans,
            connections,
            limits,
            list_cache: Arc::default(),
            found: FoundRecords::default(),
            symbols,
            directory,
            feed: Arc::default(),
            event_leases: Leases::default(),
            heartbeats: Heartbeats::default(),
            jobs_scheduled: watch::Sender::new(()),
            health: watch::Sender::new(WriteHealth::Writable),
            missing: None,
        }
    }

    /// Runs a long read on the lists of an account, when it is the account's turn.
    fn read_lists<T: Send + 'static>(
        &self,
        scope: Scope,
        read: impl Fn(Lists<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (symbols, cache) = (Arc::clone(&self.symbols), Arc::clone(&self.list_cache));
        Answer::later(self.scans.read(Asker::Account(scope.account), move |connection| {
            read(Lists { connection, symbols: &symbols, cache: &cache })
        }))
    }
}

/// Each write is added to the feed after its commit and before its answer, in the order of the commits. There are no
/// other nodes.
impl ChangeFeed for SqliteStore {
    fn follow(&self, interest: Interest) -> Follower {
        self.feed.follow(interest)
    }

    fn wakes(&self) -> watch::Receiver<u64> {
        self.feed.wakes()
    }
}

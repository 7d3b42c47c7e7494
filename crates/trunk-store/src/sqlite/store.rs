//! The store of the embedded engine: each method of the trait, and where it runs.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use didww_types::{ResourceSpec, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

use super::accounts::SharedDirectory;
use super::connections::Connections;
use super::error::failed;
use super::list::{ListCache, Lists};
use super::observers::Observers;
use super::scan::{Scans, Source};
use super::symbols::Symbols;
use super::write::Quotas;
use super::{accounts, calls, documents, outbox, row, running, scan, write};
use crate::account::{Account, ApiKey, KeyDigest};
use crate::{
    Aged, Answer, Asker, Attempted, Backlog, Bounds, CallQuery, Change, Committed, Delivery, Document,
    DocumentKind, DocumentObserver, DocumentQuery, Dropped, Due, ListQuery, Listing, MissingCommits,
    Observer, Owner, PendingEvent, Record, RunningCalls, Scope, Store, StoreError, StoreLimits, StoredCall,
    StoredCharge, WriteHealth,
};

/// Maximum number of records that are looked up by their ids on the caller's thread. More of them are a long read.
const MAX_DIRECT_LOOKUPS: usize = 100;

/// A store in an `SQLite` database.
#[derive(Debug)]
pub struct SqliteStore {
    /// Declared, and so dropped, before the connections: the writer can checkpoint the whole log into the file only
    /// after the last read has ended.
    scans: Scans,
    pub(super) connections: Connections,
    limits: StoreLimits,
    list_cache: Arc<ListCache>,
    symbols: Arc<Symbols>,
    directory: SharedDirectory,
    observers: Arc<Observers>,
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
            symbols,
            directory,
            observers: Arc::default(),
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
        Box::pin(self.scans.read(Asker::Account(scope.account), move |connection| {
            read(Lists { connection, symbols: &symbols, cache: &cache })
        }))
    }
}

impl Store for SqliteStore {
    fn find(&self, scope: Scope, id: Uuid) -> Answer<'_, Option<Record>> {
        let found = self.connections.read(|connection| row::find(connection, &self.symbols, scope, id));
        Box::pin(ready(found))
    }

    fn find_all(&self, scope: Scope, ids: Vec<Uuid>) -> Answer<'_, Vec<Record>> {
        if ids.len() > MAX_DIRECT_LOOKUPS {
            let bytes = self.limits.page_bytes;
            return self.read_lists(scope, move |lists| lists.find_all(scope, &ids, bytes));
        }
        let found = self.connections.read(|connection| {
            ids.into_iter()
                .filter_map(|id| row::find(connection, &self.symbols, scope, id).transpose())
                .collect()
        });
        Box::pin(ready(found))
    }

    fn list(&self, query: ListQuery) -> Answer<'_, Listing> {
        let bytes = self.limits.page_bytes;
        self.read_lists(query.scope, move |lists| lists.list(&query, bytes))
    }

    fn list_ids(&self, query: ListQuery) -> Answer<'_, Vec<Uuid>> {
        self.read_lists(query.scope, move |lists| lists.ids(&query))
    }

    fn members(
        &self,
        scope: Scope,
        owners: Vec<i64>,
        relationship: &'static str,
        most: usize,
    ) -> Answer<'_, Vec<(i64, String, Uuid)>> {
        self.read_lists(scope, move |lists| lists.members(scope, &owners, relationship, most))
    }

    fn commit(&self, changes: Vec<Change>) -> Answer<'_, Vec<Record>> {
        let symbols = Arc::clone(&self.symbols);
        let observers = Arc::clone(&self.observers);
        let observed = observers.observe_records();
        let quotas = Quotas { directory: self.directory.clone(), default: self.limits.records };
        let schedules = changes.iter().any(|change| matches!(change, Change::Schedule { .. }));
        let jobs_scheduled = self.jobs_scheduled.clone();
        let written = self.connections.write_then(
            move |connection| write::apply(connection, &symbols, &quotas, &changes, observed),
            move |written| {
                observers.notify(written);
                if schedules {
                    jobs_scheduled.send_replace(());
                }
            },
        );
        Box::pin(async move { written.await.map(|written| written.records) })
    }

    fn document(&self, kind: DocumentKind, id: Uuid) -> Answer<'_, Option<Document>> {
        Box::pin(ready(self.connections.read(|connection| documents::find(connection, kind, id))))
    }

    fn document_by(
        &self,
        kind: DocumentKind,
        name: &'static str,
        value: String,
    ) -> Answer<'_, Option<Document>> {
        let found =
            self.connections.read(|connection| documents::find_unique(connection, kind, name, &value));
        Box::pin(ready(found))
    }

    fn documents(&self, query: DocumentQuery) -> Answer<'_, Vec<Document>> {
        Box::pin(ready(self.connections.read(|connection| documents::list(connection, &query))))
    }

    fn aged_documents(&self, query: Aged) -> Answer<'_, Vec<Document>> {
        Box::pin(ready(self.connections.read(|connection| documents::aged(connection, query))))
    }

    fn newest_document(&self) -> Answer<'_, i64> {
        Box::pin(ready(self.connections.read(documents::newest)))
    }

    fn account_by_key(&self, digest: KeyDigest) -> Option<Arc<Account>> {
        self.directory.read().by_key(digest)
    }

    fn accounts(&self) -> Vec<Arc<Account>> {
        self.directory.read().accounts()
    }

    fn create_account(&self, account: Account, key: ApiKey) -> Answer<'_, Arc<Account>> {
        let directory = self.directory.clone();
        let digest = KeyDigest::of(key.secret.expose());
        Box::pin(self.connections.write_then(
            move |connection| accounts::create(connection, account.clone(), &key).map(Arc::new),
            move |created| {
                let mut directory = directory.write();
                directory.put(created);
                directory.put_key(digest, created.number);
            },
        ))
    }

    fn save_account(&self, account: Account) -> Answer<'_, Arc<Account>> {
        let directory = self.directory.clone();
        Box::pin(self.connections.write_then(
            move |connection| accounts::save(connection, account.clone()).map(Arc::new),
            move |saved| directory.write().put(saved),
        ))
    }

    fn add_key(&self, account: i64, key: ApiKey) -> Answer<'_, ()> {
        let directory = self.directory.clone();
        let digest = KeyDigest::of(key.secret.expose());
        Box::pin(self.connections.write_then(
            move |connection| accounts::add_key(connection, account, &key),
            move |()| directory.write().put_key(digest, account),
        ))
    }

    fn keys(&self, account: i64) -> Answer<'_, Vec<ApiKey>> {
        Box::pin(ready(self.connections.read(|connection| accounts::keys(connection, account))))
    }

    fn remove_key(&self, account: i64, key: Uuid) -> Answer<'_, bool> {
        let directory = self.directory.clone();
        let removed = self.connections.write_then(
            move |connection| accounts::remove_key(connection, account, key),
            move |digest| digest.iter().for_each(|digest| directory.write().remove_key(*digest)),
        );
        Box::pin(async move { Ok(removed.await?.is_some()) })
    }

    fn reset(&self, account: Option<i64>, accounts: bool) -> Answer<'_, ()> {
        let (directory, observers) = (self.directory.clone(), Arc::clone(&self.observers));
        Box::pin(self.connections.write_then(
            move |connection| write::reset(connection, account, accounts),
            move |()| {
                if accounts {
                    directory.write().remove(account);
                }
                observers.notify_reset(account);
            },
        ))
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.observers.set_records(observer);
    }

    fn observe_documents(&self, observer: Arc<dyn DocumentObserver>) {
        self.observers.set_documents(observer);
    }

    fn visit(
        &self,
        spec: &'static ResourceSpec,
        visit: &mut dyn FnMut(&Committed),
    ) -> Result<(), StoreError> {
        self.connections.read(|connection| write::visit(connection, &self.symbols, spec, visit))
    }

    fn calls(&self, query: CallQuery) -> Answer<'_, Vec<StoredCall>> {
        Box::pin(self.scans.read(Asker::Operator, move |connection| calls::list(connection, &query)))
    }

    fn forget_calls(&self, before: Timestamp, most: u64) -> Answer<'_, u64> {
        Box::pin(self.connections.write(move |connection| calls::delete_oldest(connection, before, most)))
    }

    fn running_calls(&self) -> Answer<'_, RunningCalls> {
        Box::pin(ready(self.connections.read(running::list)))
    }

    fn charges_since(&self, from: Timestamp) -> Answer<'_, Vec<StoredCharge>> {
        Box::pin(ready(self.connections.read(|connection| calls::charges_since(connection, from))))
    }

    fn due_events(&self, due: Due) -> Answer<'_, Vec<PendingEvent>> {
        Box::pin(ready(self.connections.read(|connection| outbox::due(connection, due))))
    }

    fn next_due(&self, now: Timestamp) -> Answer<'_, Option<Timestamp>> {
        Box::pin(ready(self.connections.read(|connection| outbox::next_due(connection, now))))
    }

    fn set_back(&self, now: Timestamp, by: Duration) -> Answer<'_, ()> {
        Box::pin(self.connections.write(move |connection| outbox::set_back(connection, now, by)))
    }

    fn attempted(&self, attempted: Attempted) -> Answer<'_, ()> {
        Box::pin(self.connections.write(move |connection| outbox::record_attempt(connection, &attempted)))
    }

    fn is_overfull(&self, most: u64) -> Answer<'_, bool> {
        Box::pin(ready(self.connections.read(|connection| outbox::is_overfull(connection, most))))
    }

    fn drop_surplus(&self, bounds: Bounds, most: u64) -> Answer<'_, Vec<Dropped>> {
        Box::pin(self.connections.write(move |connection| outbox::drop_surplus(connection, bounds, most)))
    }

    fn backlog(&self, owner: Option<Owner>) -> Answer<'_, Backlog> {
        Box::pin(self.scans.read(Asker::Operator, move |connection| outbox::backlog(connection, owner)))
    }

    fn deliveries(&self, owner: Option<Owner>, limit: u64) -> Answer<'_, Vec<Delivery>> {
        Box::pin(
            self.scans.read(Asker::Operator, move |connection| outbox::deliveries(connection, owner, limit)),
        )
    }

    fn write_health(&self) -> watch::Receiver<WriteHealth> {
        self.health.subscribe()
    }

    fn missing_commits(&self) -> Option<MissingCommits> {
        self.missing
    }

    fn check(&self) -> Answer<'_, ()> {
        let checked = self.connections.read(|connection| {
            connection
                .query_row("SELECT count(*) FROM symbol", [], |row| row.get::<_, i64>(0))
                .map_err(failed)
        });
        Box::pin(ready(checked.map(|_| ())))
    }

    fn close(&self) -> Answer<'_, ()> {
        let threads = self.scans.end();
        Box::pin(async move {
            let joined = tokio::task::spawn_blocking(move || scan::join(threads)).await;
            if joined.is_err() {
                tracing::error!("a read thread panicked");
            }
            self.connections.close().await
        })
    }
}

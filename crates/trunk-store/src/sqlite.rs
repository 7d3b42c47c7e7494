//! The embedded engine.
//!
//! A database in a file has one writer thread, which takes all writes that are waiting into one transaction,
//! makes it durable (`synchronous=FULL`) and answers only then, and a few connections that read. A database in
//! memory has one connection that does both.
//!
//! What has a fixed cost, because it goes by a key or because its length is bounded, is read by the thread that asks.
//! Whatever grows with what is stored is read by threads of its own (`scan`).

mod accounts;
mod calls;
mod claims;
mod commits;
mod documents;
mod error;
mod files;
mod lane;
mod list;
mod log;
mod memory;
mod open;
mod outbox;
#[cfg(test)]
mod plan;
mod running;
mod scan;
mod symbols;
mod write;
mod writer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tokio::sync::watch;
use uuid::Uuid;

use didww_types::{ResourceSpec, Timestamp};

use super::{
    Aged, Answer, Asker, Attempted, Backlog, Bounds, CallQuery, Change, Committed, Delivery, Document,
    DocumentKind, DocumentObserver, DocumentQuery, Dropped, Due, ListQuery, Listing, MissingCommits,
    Observer, Owner, PendingEvent, Record, RunningCalls, Scope, Store, StoreError, StoreLimits, StoredCall,
    StoredCharge, WriteHealth,
};
use crate::account::{Account, ApiKey, KeyDigest};
use accounts::SharedDirectory;
use error::failed;
use lane::Lane;
use list::{Arranged, Lists};
pub use open::OpenError;
use scan::{Scans, Source};
use symbols::Symbols;
use write::Written;

/// A store in a `SQLite` database.
#[derive(Debug)]
pub struct SqliteStore {
    /// Before the lane: they end first, for the writer folds its log into the file when nobody reads it.
    scans: Scans,
    lane: Lane,
    limits: StoreLimits,
    arranged: Arc<Arranged>,
    symbols: Arc<Symbols>,
    directory: SharedDirectory,
    watch: Arc<Watch>,
    health: watch::Sender<WriteHealth>,
    missing: Option<MissingCommits>,
}

/// How many records are looked up by their ids where they are asked for.
const KEYS: usize = 100;

impl SqliteStore {
    fn of(
        lane: Lane,
        sources: Vec<Source>,
        limits: StoreLimits,
        symbols: Arc<Symbols>,
        directory: SharedDirectory,
    ) -> Self {
        let scans = Scans::new(sources, limits);
        Self {
            scans,
            lane,
            limits,
            arranged: Arc::default(),
            symbols,
            directory,
            watch: Arc::default(),
            health: watch::Sender::new(WriteHealth::Writable),
            missing: None,
        }
    }

    /// Reads something of lists, when it is the account's turn.
    fn of_lists<T: Send + 'static>(
        &self,
        scope: Scope,
        read: impl Fn(Lists<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (symbols, arranged) = (Arc::clone(&self.symbols), Arc::clone(&self.arranged));
        Box::pin(self.scans.read(Asker::Account(scope.account), move |connection| {
            read(Lists { connection, symbols: &symbols, arranged: &arranged })
        }))
    }
}

/// Who is told of writes: nobody until somebody asks for it.
#[derive(Debug, Default)]
struct Watch {
    records: OnceLock<Arc<dyn Observer>>,
    documents: OnceLock<Arc<dyn DocumentObserver>>,
}

impl Watch {
    /// Tells of a durable write.
    fn tell(&self, written: &Written) {
        if let Some(observer) = self.records.get() {
            written.committed.iter().for_each(|committed| observer.committed(committed));
        }
        if let Some(observer) = self.documents.get() {
            for (kind, id, customer) in &written.documents {
                observer.changed(*kind, *id, *customer);
            }
        }
    }

    /// Tells that records are gone, of one account or of all; documents go with all of them.
    fn tell_reset(&self, account: Option<i64>) {
        if let Some(observer) = self.records.get() {
            observer.committed(&Committed::Reset { account });
        }
        if let Some(observer) = self.documents.get().filter(|_| account.is_none()) {
            observer.reset();
        }
    }
}

impl Store for SqliteStore {
    fn find(&self, scope: Scope, id: Uuid) -> Answer<'_, Option<Record>> {
        let found = self.lane.read(|connection| find(connection, &self.symbols, scope, id));
        Box::pin(std::future::ready(found))
    }

    fn find_all(&self, scope: Scope, ids: Vec<Uuid>) -> Answer<'_, Vec<Record>> {
        if ids.len() > KEYS {
            let bytes = self.limits.bytes;
            return self.of_lists(scope, move |lists| lists.find_all(scope, &ids, bytes));
        }
        let found = self.lane.read(|connection| {
            ids.into_iter().filter_map(|id| find(connection, &self.symbols, scope, id).transpose()).collect()
        });
        Box::pin(std::future::ready(found))
    }

    fn list(&self, query: ListQuery) -> Answer<'_, Listing> {
        let bytes = self.limits.bytes;
        self.of_lists(query.scope, move |lists| lists.list(&query, bytes))
    }

    fn list_ids(&self, query: ListQuery) -> Answer<'_, Vec<Uuid>> {
        self.of_lists(query.scope, move |lists| lists.ids(&query))
    }

    fn members(
        &self,
        scope: Scope,
        owners: Vec<i64>,
        relationship: &'static str,
        most: usize,
    ) -> Answer<'_, Vec<(i64, String, Uuid)>> {
        self.of_lists(scope, move |lists| lists.members(scope, &owners, relationship, most))
    }

    fn commit(&self, changes: Vec<Change>) -> Answer<'_, Vec<Record>> {
        let symbols = Arc::clone(&self.symbols);
        let watch = Arc::clone(&self.watch);
        let watched = watch.records.get().is_some();
        let quotas = write::Quotas { directory: self.directory.clone(), usual: self.limits.records };
        let done = self.lane.write_then(
            move |connection| write::apply(connection, &symbols, &quotas, &changes, watched),
            move |written| watch.tell(written),
        );
        Box::pin(async move { done.await.map(|written| written.records) })
    }

    fn document(&self, kind: DocumentKind, id: Uuid) -> Answer<'_, Option<Document>> {
        Box::pin(std::future::ready(self.lane.read(|connection| documents::find(connection, kind, id))))
    }

    fn document_by(
        &self,
        kind: DocumentKind,
        name: &'static str,
        value: String,
    ) -> Answer<'_, Option<Document>> {
        let found = self.lane.read(|connection| documents::find_unique(connection, kind, name, &value));
        Box::pin(std::future::ready(found))
    }

    fn documents(&self, query: DocumentQuery) -> Answer<'_, Vec<Document>> {
        Box::pin(std::future::ready(self.lane.read(|connection| documents::list(connection, &query))))
    }

    fn aged_documents(&self, query: Aged) -> Answer<'_, Vec<Document>> {
        Box::pin(std::future::ready(self.lane.read(|connection| documents::aged(connection, query))))
    }

    fn newest_document(&self) -> Answer<'_, i64> {
        Box::pin(std::future::ready(self.lane.read(documents::newest)))
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
        Box::pin(self.lane.write_then(
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
        Box::pin(self.lane.write_then(
            move |connection| accounts::save(connection, account.clone()).map(Arc::new),
            move |saved| directory.write().put(saved),
        ))
    }

    fn add_key(&self, account: i64, key: ApiKey) -> Answer<'_, ()> {
        let directory = self.directory.clone();
        let digest = KeyDigest::of(key.secret.expose());
        Box::pin(self.lane.write_then(
            move |connection| accounts::add_key(connection, account, &key),
            move |()| directory.write().put_key(digest, account),
        ))
    }

    fn keys(&self, account: i64) -> Answer<'_, Vec<ApiKey>> {
        Box::pin(std::future::ready(self.lane.read(|connection| accounts::keys(connection, account))))
    }

    fn remove_key(&self, account: i64, key: Uuid) -> Answer<'_, bool> {
        let directory = self.directory.clone();
        let removed = self.lane.write_then(
            move |connection| accounts::remove_key(connection, account, key),
            move |digest| digest.iter().for_each(|digest| directory.write().remove_key(*digest)),
        );
        Box::pin(async move { Ok(removed.await?.is_some()) })
    }

    fn reset(&self, account: Option<i64>, accounts: bool) -> Answer<'_, ()> {
        let (directory, watch) = (self.directory.clone(), Arc::clone(&self.watch));
        Box::pin(self.lane.write_then(
            move |connection| write::reset(connection, account, accounts),
            move |()| {
                if accounts {
                    directory.write().forget(account);
                }
                watch.tell_reset(account);
            },
        ))
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        // The first stays: there is one edge, and it asks once.
        let _kept = self.watch.records.set(observer);
    }

    fn observe_documents(&self, observer: Arc<dyn DocumentObserver>) {
        // As above: there is one platform.
        let _kept = self.watch.documents.set(observer);
    }

    fn visit(
        &self,
        spec: &'static ResourceSpec,
        visit: &mut dyn FnMut(&Committed),
    ) -> Result<(), StoreError> {
        self.lane.read(|connection| write::visit(connection, &self.symbols, spec, visit))
    }

    fn calls(&self, query: CallQuery) -> Answer<'_, Vec<StoredCall>> {
        Box::pin(self.scans.read(Asker::Operator, move |connection| calls::list(connection, &query)))
    }

    fn forget_calls(&self, before: Timestamp, most: u64) -> Answer<'_, u64> {
        Box::pin(self.lane.write(move |connection| calls::forget(connection, before, most)))
    }

    fn running_calls(&self) -> Answer<'_, RunningCalls> {
        Box::pin(std::future::ready(self.lane.read(running::list)))
    }

    fn charges_since(&self, from: Timestamp) -> Answer<'_, Vec<StoredCharge>> {
        Box::pin(std::future::ready(self.lane.read(|connection| calls::charges_since(connection, from))))
    }

    fn due_events(&self, due: Due) -> Answer<'_, Vec<PendingEvent>> {
        Box::pin(std::future::ready(self.lane.read(|connection| outbox::due(connection, due))))
    }

    fn next_due(&self, now: Timestamp) -> Answer<'_, Option<Timestamp>> {
        Box::pin(std::future::ready(self.lane.read(|connection| outbox::next_due(connection, now))))
    }

    fn set_back(&self, now: Timestamp, by: Duration) -> Answer<'_, ()> {
        Box::pin(self.lane.write(move |connection| outbox::set_back(connection, now, by)))
    }

    fn attempted(&self, attempted: Attempted) -> Answer<'_, ()> {
        Box::pin(self.lane.write(move |connection| outbox::attempted(connection, &attempted)))
    }

    fn is_overfull(&self, most: u64) -> Answer<'_, bool> {
        Box::pin(std::future::ready(self.lane.read(|connection| outbox::is_overfull(connection, most))))
    }

    fn drop_surplus(&self, bounds: Bounds, most: u64) -> Answer<'_, Vec<Dropped>> {
        Box::pin(self.lane.write(move |connection| outbox::drop_surplus(connection, bounds, most)))
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
        let alive = self.lane.read(|connection| {
            connection
                .query_row("SELECT count(*) FROM symbol", [], |row| row.get::<_, i64>(0))
                .map_err(failed)
        });
        Box::pin(std::future::ready(alive.map(|_| ())))
    }

    fn close(&self) -> Answer<'_, ()> {
        let reading = self.scans.end();
        Box::pin(async move {
            let joined = tokio::task::spawn_blocking(move || scan::join(reading)).await;
            if joined.is_err() {
                tracing::error!("a thread that reads ended badly");
            }
            self.lane.close().await
        })
    }
}

fn find(
    connection: &Connection,
    symbols: &Symbols,
    scope: Scope,
    id: Uuid,
) -> Result<Option<Record>, StoreError> {
    connection
        .prepare_cached(
            "SELECT number, id, revision, attributes, meta FROM record WHERE id = ?1 AND account = ?2 AND kind = ?3",
        )
        .map_err(failed)?
        .query_row(params![id.as_bytes().as_slice(), scope.account, symbols.kind(scope.spec.name)], |row| {
            record(row, scope.spec.name)
        })
        .optional()
        .map_err(failed)
}

/// Reads the columns number, id, revision, attributes and meta.
fn record(row: &Row<'_>, kind: &'static str) -> rusqlite::Result<Record> {
    Ok(Record {
        number: row.get(0)?,
        id: uuid(row, 1)?,
        kind,
        revision: row.get(2)?,
        attributes: row.get(3)?,
        meta: row.get(4)?,
    })
}

fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(Uuid::from_bytes(bytes))
}

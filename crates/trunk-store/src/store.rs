//! The trait that every engine of the store implements.

mod jobs;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use didww_types::{ResourceSpec, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

use crate::account::{Account, ApiKey, KeyDigest};
use crate::call::{CallQuery, RunningCalls, StoredCall, StoredCharge};
use crate::change::Change;
use crate::document::{Aged, Document, DocumentKind, DocumentQuery};
use crate::error::StoreError;
use crate::health::{MissingCommits, WriteHealth};
use crate::observer::{Committed, DocumentObserver, Observer};
use crate::outbox::{Attempted, Backlog, Bounds, Delivery, Dropped, Due, Owner, PendingEvent};
use crate::query::{ListQuery, Listing};
use crate::record::{Record, Scope};

pub use jobs::Jobs;

/// The future that a method of a [`Store`] returns.
///
/// A write starts when the method is called, and completes even if the future is dropped.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store of accounts, records, documents, events and calls. Every method can be called from many tasks at once.
pub trait Store: Jobs + Send + Sync + std::fmt::Debug {
    /// Returns a record by its id.
    fn find(&self, scope: Scope, id: Uuid) -> Answer<'_, Option<Record>>;

    /// Returns the records that exist among these ids, in the order of the ids.
    ///
    /// # Errors
    /// More than 100 ids are a long read: as [`list`](Self::list). Otherwise only a failure of the engine.
    fn find_all(&self, scope: Scope, ids: Vec<Uuid>) -> Answer<'_, Vec<Record>>;

    /// Returns a page of a list.
    ///
    /// # Errors
    /// [`StoreError::Crowded`], [`StoreError::TooLong`], [`StoreError::TooLarge`], or a failure of the engine.
    fn list(&self, query: ListQuery) -> Answer<'_, Listing>;

    /// Returns the ids of a page of a list.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn list_ids(&self, query: ListQuery) -> Answer<'_, Vec<Uuid>>;

    /// Returns the members of a relationship of several owners, at most `most` in total: the owner's number, and the
    /// member's type and id. The members of the first owner come first, each owner's in the order in which they were
    /// linked.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn members(
        &self,
        scope: Scope,
        owners: Vec<i64>,
        relationship: &'static str,
        most: usize,
    ) -> Answer<'_, Vec<(i64, String, Uuid)>>;

    /// Applies all of the changes or none of them, durably. Returns the record of each [`Change::Insert`] and
    /// [`Change::Replace`], in the order of the changes.
    ///
    /// # Errors
    /// [`StoreError::Taken`], [`StoreError::Conflict`], [`StoreError::Quota`], [`StoreError::Overloaded`], or a failure
    /// of the engine. Nothing was changed then, except possibly after [`StoreError::Unknown`].
    fn commit(&self, changes: Vec<Change>) -> Answer<'_, Vec<Record>>;

    /// Returns a document by its id, even if it is deleted.
    fn document(&self, kind: DocumentKind, id: Uuid) -> Answer<'_, Option<Document>>;

    /// Returns the document with a unique key, even if it is deleted.
    fn document_by(
        &self,
        kind: DocumentKind,
        name: &'static str,
        value: String,
    ) -> Answer<'_, Option<Document>>;

    /// Returns documents, the newest first.
    fn documents(&self, query: DocumentQuery) -> Answer<'_, Vec<Document>>;

    /// Returns documents that are not live, the oldest first: either deleted ones or those that are not deleted.
    fn aged_documents(&self, query: Aged) -> Answer<'_, Vec<Document>>;

    /// Returns when the newest document of any kind was created, in microseconds since 1970; zero if there is none.
    fn newest_document(&self) -> Answer<'_, i64>;

    /// Returns the account that owns a key, from memory.
    fn account_by_key(&self, digest: KeyDigest) -> Option<Arc<Account>>;

    /// Returns every account, the oldest first, from memory.
    fn accounts(&self) -> Vec<Arc<Account>>;

    /// Creates an account together with its first key. The store assigns the account's number.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if another account has the name or the key.
    fn create_account(&self, account: Account, key: ApiKey) -> Answer<'_, Arc<Account>>;

    /// Replaces an account.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if another account has the name; [`StoreError::Conflict`] if the account does not exist.
    fn save_account(&self, account: Account) -> Answer<'_, Arc<Account>>;

    /// Adds a key to an account.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if an account has the key already; [`StoreError::Conflict`] if the account does not exist.
    fn add_key(&self, account: i64, key: ApiKey) -> Answer<'_, ()>;

    /// Returns the keys of an account, the oldest first.
    fn keys(&self, account: i64) -> Answer<'_, Vec<ApiKey>>;

    /// Removes a key. Returns true if it existed.
    fn remove_key(&self, account: i64, key: Uuid) -> Answer<'_, bool>;

    /// Deletes all records, calls and events, of one account or of all; with `accounts`, also the accounts and keys.
    /// Without an account, it also deletes the records of global types, the customers' events, and all documents but the platform's own state,
    /// customers, agents, access keys, numbers and outbound configurations.
    fn reset(&self, account: Option<i64>, accounts: bool) -> Answer<'_, ()>;

    /// Registers the observer that is notified of every later write. Only the first observer is kept.
    fn observe(&self, observer: Arc<dyn Observer>);

    /// Registers the observer that is notified of every later change of a document. Only the first observer is kept.
    fn observe_documents(&self, observer: Arc<dyn DocumentObserver>);

    /// Passes every record of a type, of all accounts, to `visit`, with its relationships, the oldest first.
    ///
    /// # Errors
    /// A failure of the engine; `visit` has been called for some records then.
    fn visit(&self, spec: &'static ResourceSpec, visit: &mut dyn FnMut(&Committed))
    -> Result<(), StoreError>;

    /// Returns the records of calls that ended or were refused, the newest first.
    fn calls(&self, query: CallQuery) -> Answer<'_, Vec<StoredCall>>;

    /// Deletes the records of calls that ended before this time, among the `most` oldest records. Returns how many
    /// were deleted; zero if no record is left to delete.
    fn forget_calls(&self, before: Timestamp, most: u64) -> Answer<'_, u64>;

    /// Returns the calls that were answered and have no record yet.
    fn running_calls(&self) -> Answer<'_, RunningCalls>;

    /// Returns the price of each call that ended at this time or later and was not free.
    fn charges_since(&self, from: Timestamp) -> Answer<'_, Vec<StoredCharge>>;

    /// Returns the events that are due. Of an account's subject it returns at most 100 from the head of its queue, in
    /// their order; of a customer's subject, the first. The first event of every owner comes before the second of any,
    /// so that a long queue does not hide the events of another owner.
    fn due_events(&self, due: Due) -> Answer<'_, Vec<PendingEvent>>;

    /// Returns when the next event that is not due yet will be due.
    fn next_due(&self, now: Timestamp) -> Answer<'_, Option<Timestamp>>;

    /// Adjusts the due times after the clock was set back to `now` by `by`: no event waits longer than before.
    fn set_back(&self, now: Timestamp, by: Duration) -> Answer<'_, ()>;

    /// Records the outcome of an attempt.
    fn attempted(&self, attempted: Attempted) -> Answer<'_, ()>;

    /// Returns true if more than `most` events of any one customer wait.
    fn is_overfull(&self, most: u64) -> Answer<'_, bool>;

    /// Drops events of customers that exceed a bound, the oldest first, at most `most` in total. Of a queue that is too
    /// long it drops at least a hundredth of the bound. The next event of the same call takes the place of a dropped
    /// one. Returns what was dropped, by customer; empty if nothing exceeds a bound.
    fn drop_surplus(&self, bounds: Bounds, most: u64) -> Answer<'_, Vec<Dropped>>;

    /// Counts the undelivered and the dropped events of one owner, or of all owners.
    fn backlog(&self, owner: Option<Owner>) -> Answer<'_, Backlog>;

    /// Returns the attempts for one owner or for all owners, the newest first.
    fn deliveries(&self, owner: Option<Owner>, limit: u64) -> Answer<'_, Vec<Delivery>>;

    /// Returns a receiver of the store's health. While the disk is full, the store tests again by itself whether it
    /// has space.
    fn write_health(&self) -> watch::Receiver<WriteHealth>;

    /// Returns the acknowledged commits that were missing from the database when it was opened.
    fn missing_commits(&self) -> Option<MissingCommits>;

    /// Fails if the store cannot be read now.
    fn check(&self) -> Answer<'_, ()>;

    /// Completes the writes that wait, checkpoints and deletes the write-ahead log, and releases the files. Every later
    /// read or write fails.
    fn close(&self) -> Answer<'_, ()>;
}

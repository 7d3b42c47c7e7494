//! Where everything is kept.
//!
//! One trait, so that a second engine can stand behind the same handlers. A read gives records as they were
//! stored; a write is data: a list of changes that happen together or not at all, and that is answered after
//! it is durable. Nothing here knows a rule of a resource.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod account;
mod call;
mod canonical;
mod document;
mod health;
mod index;
mod limits;
mod observer;
mod outbox;
mod sqlite;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use didww_types::{FilterTest, ResourceSpec, Timestamp};
use serde_json::{Map, Value};
use tokio::sync::watch;
use uuid::Uuid;

use crate::account::{Account, ApiKey, KeyDigest};

pub use call::{CallQuery, RunningCall, RunningCalls, StoredCall, StoredCharge};
pub use canonical::canonical_text;
pub use document::{Aged, Document, DocumentKind, DocumentQuery, NewDocument};
pub use health::{MissingCommits, WriteHealth};
pub use index::{IndexEntry, IndexValue, claims_of, index_of};
pub use limits::{Asker, StoreLimits};
pub use observer::{Committed, DocumentObserver, Observer};
pub use outbox::{
    Attempted, Backlog, Bounds, Delivery, Dropped, Due, EventForm, NewEvent, Owner, PendingEvent, Surplus,
};
pub use sqlite::{OpenError, SqliteStore};

/// What a store's method gives.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another record of the account has this value of a unique attribute.
    #[error("`{0}` has already been taken")]
    Taken(String),
    /// Somebody else changed the record meanwhile; read it again and decide anew.
    #[error("the record was changed meanwhile")]
    Conflict,
    /// More writes are waiting than the store takes on.
    #[error("too many writes are waiting")]
    Overloaded,
    /// More reads are waiting than the store takes on, of this asker or in all.
    #[error("too many reads are waiting")]
    Crowded,
    /// A read took longer than it may.
    #[error("a read took longer than it may")]
    TooLong,
    /// A read would give more than it may; the text says what.
    #[error("a read would give {0}")]
    TooLarge(String),
    /// The account has as many records of a type as it may have.
    #[error("the account has {most} {kind}, which is its quota")]
    Quota {
        /// The type.
        kind: &'static str,
        /// How many it may have.
        most: u64,
    },
    /// The disk takes no more; nothing was changed.
    #[error("the disk, its quota or a limit on file sizes is full, or the disk cannot be written")]
    Full,
    /// No write is taken until the server is started again; nothing was changed.
    #[error(
        "the database takes no writes until the server is started again, for its disk or its file failed"
    )]
    Ended,
    /// The write may have been done or not, and only a start of the server will show which. No write is taken any more.
    #[error("whether the write was done is not known; read before you repeat it")]
    Unknown,
    /// The engine failed. The text is for the operator.
    #[error("the database failed: {0}")]
    Failed(String),
    /// What is stored cannot be read. The text is for the operator.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
}

/// Whose records of which type.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// The account's number.
    pub account: i64,
    /// The type.
    pub spec: &'static ResourceSpec,
}

/// A stored record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The store's own number of it, in the order of creation; never given again to another record.
    pub number: i64,
    /// Its id on the wire.
    pub id: Uuid,
    /// Its type.
    pub kind: &'static str,
    /// How often it was changed.
    pub revision: i64,
    /// Its attributes: canonical JSON, in the order of the declaration.
    pub attributes: String,
    /// Its own meta as JSON, where the type has any.
    pub meta: Option<String>,
}

impl Record {
    /// The attributes, parsed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when they are no JSON object.
    pub fn attributes(&self) -> Result<Map<String, Value>, StoreError> {
        serde_json::from_str(&self.attributes)
            .map_err(|error| StoreError::Corrupt(format!("attributes of {} {}: {error}", self.kind, self.id)))
    }

    /// Its own meta, parsed; empty where it has none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is no JSON object.
    pub fn meta(&self) -> Result<Map<String, Value>, StoreError> {
        self.meta.as_deref().map_or_else(|| Ok(Map::new()), serde_json::from_str).map_err(
            |error: serde_json::Error| {
                StoreError::Corrupt(format!("meta of {} {}: {error}", self.kind, self.id))
            },
        )
    }
}

/// One condition of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What is looked at.
    pub test: FilterTest,
    /// The values of which one must do; without any, nothing does.
    pub values: Vec<IndexValue>,
}

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The attribute.
    pub attribute: &'static str,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// Which records, in which order, from where to where.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Whose, and of which type.
    pub scope: Scope,
    /// Only those that a record is linked to: its type, its number, the relationship.
    pub linked_from: Option<(&'static str, i64, &'static str)>,
    /// All of these must hold.
    pub conditions: Vec<Condition>,
    /// First criterion first. Null and empty come last, or first when descending. Then, and without any, the order
    /// of creation, which is reversed when the last criterion is descending.
    pub order: Vec<Order>,
    /// Records to pass over.
    pub offset: u64,
    /// Most records.
    pub limit: u64,
}

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The records.
    pub records: Vec<Record>,
    /// How many records the whole list has.
    pub total: u64,
}

/// One change of a write.
#[derive(Debug, Clone)]
pub enum Change {
    /// A new record.
    Insert {
        /// Whose, and of which type.
        scope: Scope,
        /// Its id.
        id: Uuid,
        /// When it was made.
        created_at: Timestamp,
        /// Its attributes in the canonical form.
        attributes: Map<String, Value>,
        /// Ids by relationship.
        links: Vec<(&'static str, Vec<Uuid>)>,
    },
    /// New attributes for a record that is still as it was read, and new members for some relationships.
    Replace {
        /// Whose, and of which type.
        scope: Scope,
        /// The record as it was read.
        before: Record,
        /// Its attributes in the canonical form.
        attributes: Map<String, Value>,
        /// Ids by relationship; a relationship that is not named keeps its members.
        links: Vec<(&'static str, Vec<Uuid>)>,
        /// Its own meta as JSON; none keeps it.
        meta: Option<String>,
    },
    /// More or fewer members for a relationship of a record that is still as it was read.
    Members {
        /// Whose, and of which type.
        scope: Scope,
        /// The record as it was read.
        owner: Record,
        /// The relationship.
        relationship: &'static str,
        /// Whether members come or go.
        add: bool,
        /// The members; those already there, or not there, are passed over.
        members: Vec<Uuid>,
    },
    /// A record goes, with its links in both directions.
    Delete {
        /// Whose, and of which type.
        scope: Scope,
        /// Its id.
        id: Uuid,
    },
    /// A call was answered. A second time, or when its record is there already, changes no more than whether the
    /// answer is acknowledged.
    Answered(Arc<RunningCall>),
    /// The caller acknowledged the answer of a call.
    Acknowledged(Uuid),
    /// All calls that were answered and are not over are known to have been up until this moment.
    Step(Timestamp),
    /// A call is over, or was refused. Its record takes the place of what [`Answered`](Self::Answered) kept; a second
    /// time changes nothing.
    Call(Arc<StoredCall>),
    /// Somebody has to be told of something that this write did.
    Emit(Box<NewEvent>),
    /// A document of the communication platform's side: a new one without a revision, else one that is still as it
    /// was read.
    Put {
        /// The revision that was read.
        revision: Option<i64>,
        /// What is written.
        document: Box<NewDocument>,
    },
    /// A document goes, with all that it is looked for by. One that is not as it was read any more stays.
    Forget {
        /// What it is.
        kind: DocumentKind,
        /// Its id.
        id: Uuid,
        /// The revision that was read.
        revision: i64,
    },
}

/// A store of accounts and records. Every method is safe to call from many tasks at once.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// One record by its id.
    fn find(&self, scope: Scope, id: Uuid) -> Answer<'_, Option<Record>>;

    /// Records by their ids, those that there are, in the order asked for.
    fn find_all(&self, scope: Scope, ids: Vec<Uuid>) -> Answer<'_, Vec<Record>>;

    /// A page of a list.
    ///
    /// # Errors
    /// [`StoreError::Crowded`], [`StoreError::TooLong`], [`StoreError::TooLarge`], or a failure of the engine.
    fn list(&self, query: ListQuery) -> Answer<'_, Listing>;

    /// The ids of a page of a list.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn list_ids(&self, query: ListQuery) -> Answer<'_, Vec<Uuid>>;

    /// What a relationship of these records leads to, of the first of them first and in the order it was linked, so
    /// many at most: the owner's number, and the type and the id of the member.
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

    /// Does all of the changes or none of them, durably. Gives, for each insert, the record.
    ///
    /// # Errors
    /// [`StoreError::Taken`], [`StoreError::Conflict`], [`StoreError::Overloaded`], or a failure of the engine;
    /// nothing was changed then, but for [`StoreError::Unknown`].
    fn commit(&self, changes: Vec<Change>) -> Answer<'_, Vec<Record>>;

    /// A document by its id, also a deleted one.
    fn document(&self, kind: DocumentKind, id: Uuid) -> Answer<'_, Option<Document>>;

    /// The document that has a unique key, also a deleted one.
    fn document_by(
        &self,
        kind: DocumentKind,
        name: &'static str,
        value: String,
    ) -> Answer<'_, Option<Document>>;

    /// Documents, newest first.
    fn documents(&self, query: DocumentQuery) -> Answer<'_, Vec<Document>>;

    /// Documents that nothing is under way with, oldest first, of the deleted ones or of the others.
    fn aged_documents(&self, query: Aged) -> Answer<'_, Vec<Document>>;

    /// When the newest document of any kind was made, in microseconds since 1970; zero when there is none.
    fn newest_document(&self) -> Answer<'_, i64>;

    /// The account that a key belongs to. Answered from memory.
    fn account_by_key(&self, digest: KeyDigest) -> Option<Arc<Account>>;

    /// Every account, oldest first.
    fn accounts(&self) -> Vec<Arc<Account>>;

    /// Makes an account together with its first key. Its number is given by the store.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another account has the name or the key.
    fn create_account(&self, account: Account, key: ApiKey) -> Answer<'_, Arc<Account>>;

    /// Replaces an account.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another account has the name; [`StoreError::Conflict`] when it is gone.
    fn save_account(&self, account: Account) -> Answer<'_, Arc<Account>>;

    /// Gives an account a key.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when an account has the key already; [`StoreError::Conflict`] when the account is gone.
    fn add_key(&self, account: i64, key: ApiKey) -> Answer<'_, ()>;

    /// The keys of an account, oldest first.
    fn keys(&self, account: i64) -> Answer<'_, Vec<ApiKey>>;

    /// Takes a key away. Gives whether there was one.
    fn remove_key(&self, account: i64, key: Uuid) -> Answer<'_, bool>;

    /// Deletes all records and events, of one account or of all; with `accounts`, the accounts and keys too.
    /// What belongs to customers goes only with everything.
    fn reset(&self, account: Option<i64>, accounts: bool) -> Answer<'_, ()>;

    /// Tells somebody of every later write. There is one observer; a second one replaces nothing.
    fn observe(&self, observer: Arc<dyn Observer>);

    /// Tells somebody of every later change of a document. There is one observer; a second one replaces nothing.
    fn observe_documents(&self, observer: Arc<dyn DocumentObserver>);

    /// Shows every record of a type, of all accounts, with its relationships.
    ///
    /// # Errors
    /// When the engine failed; some records were shown then.
    fn visit(&self, spec: &'static ResourceSpec, visit: &mut dyn FnMut(&Committed))
    -> Result<(), StoreError>;

    /// Calls that are over, newest first.
    fn calls(&self, query: CallQuery) -> Answer<'_, Vec<StoredCall>>;

    /// Forgets calls that ended before this time, the oldest records first, so many at most; gives how many. Where
    /// nothing is old among as many of the oldest records, there is nothing to forget.
    fn forget_calls(&self, before: Timestamp, most: u64) -> Answer<'_, u64>;

    /// Calls that were answered and whose records are not written.
    fn running_calls(&self) -> Answer<'_, RunningCalls>;

    /// What calls cost that ended at this time or later.
    fn charges_since(&self, from: Timestamp) -> Answer<'_, Vec<StoredCharge>>;

    /// The events that are due: of an account's subject at most 100 from the head of its queue, in their order, of a
    /// customer's the first. The first of every owner come before the second of any, so that a long queue hides no
    /// other owner's events.
    fn due_events(&self, due: Due) -> Answer<'_, Vec<PendingEvent>>;

    /// When the next event that is not due yet will be.
    fn next_due(&self, now: Timestamp) -> Answer<'_, Option<Timestamp>>;

    /// The clock was set back by so much: what waits for a time that is still to come waits no longer than before.
    fn set_back(&self, now: Timestamp, by: Duration) -> Answer<'_, ()>;

    /// Notes what became of an attempt.
    fn attempted(&self, attempted: Attempted) -> Answer<'_, ()>;

    /// Whether more events of any customer wait than this.
    fn is_overfull(&self, most: u64) -> Answer<'_, bool>;

    /// Drops events of customers that break a bound, the oldest first, so many at most; of a queue that is too long
    /// at least a hundredth. The next of their call is told then. Gives whose they were; nothing when there is
    /// nothing to drop.
    fn drop_surplus(&self, bounds: Bounds, most: u64) -> Answer<'_, Vec<Dropped>>;

    /// What one owner, or all of them, have still to be told.
    fn backlog(&self, owner: Option<Owner>) -> Answer<'_, Backlog>;

    /// Attempts, newest first, of one owner or of all.
    fn deliveries(&self, owner: Option<Owner>, limit: u64) -> Answer<'_, Vec<Delivery>>;

    /// Whether writes are taken, as the last ones showed. Where they are not for want of room, the store tries again by
    /// itself.
    fn write_health(&self) -> watch::Receiver<WriteHealth>;

    /// What the database lost before it was opened.
    fn missing_commits(&self) -> Option<MissingCommits>;

    /// Whether the store can be read now.
    fn check(&self) -> Answer<'_, ()>;

    /// Finishes what is waiting, makes the files as small as they can be, and lets go of them. Nothing can be read
    /// or written afterwards.
    fn close(&self) -> Answer<'_, ()>;
}

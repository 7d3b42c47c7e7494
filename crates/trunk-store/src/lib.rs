//! The database of the server: accounts, records, documents, events, calls and jobs.
//!
//! The rest of the server uses only the traits, one for each part and [`Store`] for all, so that another engine can
//! replace [`SqliteStore`] without a change to a handler. A read returns records as they were stored. A write is data:
//! a list of [`Change`]s that are applied together or not at all, and that is answered only after the commit is
//! durable. Parts of a server that keep copies of stored data follow the [`ChangeFeed`]. Every engine must pass the
//! contract tests in `tests/it/store_contract`. With the feature `postgres` there is a second one, `PostgresStore`: a
//! database on a server, which any number of nodes share.
//!
//! [`Records`] and [`Documents`] are two mechanisms for stored JSON with a revision. A common mechanism was drafted,
//! and reads worse. The store derives the index of a record from its declaration, and rebuilds it when the declaration
//! changes; the keys of a document are computed by code that the store does not know. Lists of records have totals,
//! offsets and orders of any attribute; lists of documents have none of these, and go back from a time. A deleted
//! record is gone and its unique values are free; a deleted document stays, keeps its unique keys, and may still be
//! live. So every query of a common mechanism would state its rows, page, index and uniqueness, each with one choice
//! for records alone and one for documents alone, and only one conditional update would be shared. Transactions,
//! revisions and the feed are shared already. If the entities of the communication platform were declared like
//! resources, the index would no longer differ, and the decision should be reconsidered.
//!
//! [`transfer`] makes backups of a whole database, and moves it between the engines.
//!
//! The crate reads the declarations of types, attributes and relationships, and derives its indexes from them. It
//! contains no rule of any resource, parses no request and renders no response.
//!
//! Bounds: the writes that wait and those that share a transaction, the long reads that wait and that run, the time of
//! each, the bytes and ids of a page, and the lists in the cache. The modules of the engines document each number; a
//! read or write that exceeds a bound is refused with an error of [`StoreError`], never queued without limit. The
//! write-ahead log has no bound but the disk: reads that overlap without a pause keep it from restarting
//! (`sqlite/wal.rs`).

pub mod account;
mod answer;
mod call;
mod callback_secret;
mod canonical;
mod change;
mod channel;
mod content;
mod derivation;
mod directory;
#[cfg(feature = "postgres")]
mod directory_account;
mod document;
mod error;
mod feed;
mod health;
mod idempotency;
mod in_stock;
mod index;
#[cfg(feature = "postgres")]
mod index_key;
mod job;
mod limits;
mod list_cache;
mod list_plan;
mod list_statement;
mod load;
mod node;
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
mod query;
mod rate_share;
mod record;
mod replaced;
mod sqlite;
mod storable;
mod store;
mod sum_parts;
mod symbols;
mod token_key;
pub mod transfer;
#[cfg(not(feature = "postgres"))]
mod without_server;

#[cfg(feature = "postgres")]
pub(crate) use postgres::transfer as server_transfer;
#[cfg(not(feature = "postgres"))]
pub(crate) use without_server as server_transfer;

pub use answer::Answer;
pub use call::{CallQuery, NodeCall, RunningCall, RunningCalls, StoredCall, StoredCharge};
pub use callback_secret::{CallbackSecret, MAX_CALLBACK_SECRETS};
pub use change::Change;
pub use channel::{ChannelRequest, HeldChannels};
pub use document::{Aged, Document, DocumentKind, DocumentQuery, KeyedPage, NewDocument};
pub use error::StoreError;
pub use feed::{Changes, Committed, Follower, Interest, Write};
pub use health::{MissingCommits, WriteHealth};
pub use idempotency::{
    IdempotencyKey, IdempotencyScope, KeptResponse, KeyUse, MAX_BYTES_PER_SCOPE, MAX_KEYS_PER_SCOPE, UsedKey,
    with_key_use,
};
pub use index::IndexValue;
pub use job::{
    IfScheduled, Job, JobLease, LeasedJob, MAX_JOBS_PER_ACCOUNT, MAX_PAYLOAD_BYTES, MAX_SUBJECT_BYTES,
    TakeJobs,
};
pub use limits::{Asker, StoreLimits};
pub use load::Load;
pub use node::Node;
pub use outbox::{
    Attempted, Backlog, Bounds, Delivery, Dropped, Due, EventForm, NewEvent, Owner, PendingEvent,
    StatusMethod, Surplus,
};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOpenError, PostgresOptions, PostgresStore};
pub use query::{Condition, ListQuery, Listing, Order};
pub use rate_share::{HeldShare, RateSubject, ShareRequest};
pub use record::{NO_ACCOUNT, Record, Scope, StoredRecord};
pub use sqlite::{OpenError, SqliteStore};
pub use store::{
    Accounts, CHANGE_DELAY, CallbackSecrets, Calls, ChangeFeed, Channels, Documents, Engine, Events,
    IdempotencyKeys, Jobs, Nodes, RateShares, Records, SHARE_LEASE, Store, TokenKeys, Writes, for_each_page,
    for_each_record,
};
pub use token_key::{MAX_TOKEN_KEYS, TokenKey, TokenKeyRotation};

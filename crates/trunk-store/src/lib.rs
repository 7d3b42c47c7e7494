//! The database of the server: accounts, records, documents, events, calls and jobs.
//!
//! The [`Store`] trait is what the rest of the server knows, so that another engine can replace [`SqliteStore`] without
//! a change to a handler. A read returns records as they were stored. A write is data: a list of [`Change`]s that are
//! applied together or not at all, and that is answered only after the commit is durable.
//!
//! The crate knows how types, attributes and relationships are declared, and derives its indexes from the declarations.
//! It contains no rule of any resource, parses no request and renders no response.
//!
//! Bounds: the writes that wait and those that share a transaction, the long reads that wait and that run, the time of
//! each, the bytes and ids of a page, and the lists in the cache. The modules of the engine document each number; what
//! exceeds a bound is refused with an error of [`StoreError`], never queued without end.

pub mod account;
mod call;
mod canonical;
mod change;
mod document;
mod error;
mod health;
mod index;
mod job;
mod limits;
mod observer;
mod outbox;
mod query;
mod record;
mod sqlite;
mod store;

pub use call::{CallQuery, RunningCall, RunningCalls, StoredCall, StoredCharge};
pub use change::Change;
pub use document::{Aged, Document, DocumentKind, DocumentQuery, NewDocument};
pub use error::StoreError;
pub use health::{MissingCommits, WriteHealth};
pub use index::IndexValue;
pub use job::{
    IfScheduled, Job, JobLease, LeasedJob, MAX_JOBS_PER_ACCOUNT, MAX_PAYLOAD_BYTES, MAX_SUBJECT_BYTES,
    TakeJobs,
};
pub use limits::{Asker, StoreLimits};
pub use observer::{Committed, DocumentObserver, Observer};
pub use outbox::{
    Attempted, Backlog, Bounds, Delivery, Dropped, Due, EventForm, NewEvent, Owner, PendingEvent, Surplus,
};
pub use query::{Condition, ListQuery, Listing, Order};
pub use record::{NO_ACCOUNT, Record, Scope};
pub use sqlite::{OpenError, SqliteStore};
pub use store::{Answer, Jobs, Store};

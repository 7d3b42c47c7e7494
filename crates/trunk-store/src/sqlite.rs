//! The embedded engine: a store in an `SQLite` database.
//!
//! A database in a file has one writer thread, which commits all waiting writes in one transaction, makes it durable
//! (`synchronous=FULL`) and answers only then, and a few connections for reads. A database in memory has one connection
//! for both.
//!
//! Reads of fixed cost, because they go by a key or because their length is bounded, run on the caller's thread. Reads
//! whose cost grows with the stored data run on threads of their own (`scan`).

mod accounts;
mod all_records;
mod callback_secrets;
mod calls;
mod claims;
mod commits;
mod connections;
mod documents;
mod error;
mod facets;
mod files;
mod found_records;
mod idempotency;
mod indexing;
mod jobs;
mod list;
mod mapping;
mod memory;
mod open;
mod open_error;
mod opener;
mod outbox;
#[cfg(test)]
mod plan;
mod queued_write;
mod readers;
mod record_writer;
mod row;
mod running;
mod scan;
mod snapshot;
mod states;
mod store;
mod sums;
mod symbols;
mod token_keys;
pub(crate) mod transfer;
mod wal;
mod wide_insert;
mod write;
mod writer;

pub use open_error::OpenError;
pub use store::SqliteStore;

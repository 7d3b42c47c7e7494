//! The store, as its users see it: the contract of the trait, the files, and their failures.

#![expect(unreachable_pub, reason = "nothing outside this binary can reach it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

#[cfg(feature = "postgres")]
mod both_engines;
mod declared_anew;
mod global;
mod opening;
mod paths;
#[cfg(feature = "postgres")]
mod postgres_faults;
#[cfg(feature = "postgres")]
mod postgres_locks;
#[cfg(feature = "postgres")]
mod postgres_opening;
#[cfg(feature = "postgres")]
mod postgres_transactions;
#[cfg(feature = "postgres")]
mod postgres_unconfirmed;
mod searches;
mod statements;
mod store_contract;
mod store_files;
mod store_model;
mod store_writer;
mod sums;
mod support;
mod transfer;

//! The client against servers that follow the API, and servers that do not.

#![cfg(feature = "rustls")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic fails the test")]
#![allow(clippy::disallowed_methods, reason = "the servers of the tests accept few connections")]

#[cfg(feature = "blocking")]
mod blocking;
#[path = "../../../crates/client-core/tests/support/canaries.rs"]
mod canaries;
#[cfg(feature = "encryption")]
mod encryption;
mod ensure;
mod errors;
#[cfg(feature = "exports")]
mod exports;
mod masked;
mod misbehaving;
mod pages;
mod pages_ahead;
mod prices;
mod raw;
#[path = "../../../crates/client-core/tests/support/raw_server.rs"]
mod raw_server;
#[cfg(feature = "axum")]
mod receiver;
mod redaction;
mod relationships;
mod requests;
mod retry;
mod support;
mod tokens;
#[path = "../../../crates/client-core/tests/support/trace_log.rs"]
mod trace_log;
mod uploads;
mod versions;
mod waiting;

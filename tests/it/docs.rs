//! Tests of the documents: their contents are generated from the program, run against it, or compared with
//! it.
//!
//! `UPDATE_DOCS=1 cargo test -p trunk-tests docs` rewrites the generated parts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod book;
mod configuration;
pub mod conformance;
mod contracts;
mod control;
mod differences;
mod doors;
mod kamailio;
mod links;
mod metrics;
mod openapi;
pub mod pages;
mod platform;
mod recipes;
pub mod robustness;
mod schema;
mod shape;
mod shell;
mod support_table;
mod tour;
pub mod why;

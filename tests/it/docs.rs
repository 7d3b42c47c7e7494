//! Holds the documents to the program: what they say is made from it, run against it or looked up in it.
//!
//! `UPDATE_DOCS=1 cargo test -p trunk-tests docs` writes anew what is made from the program.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod configuration;
mod control;
mod differences;
mod kamailio;
mod links;
mod openapi;
mod pages;
mod platform;
mod robustness;
mod shell;
mod support_table;
mod tour;

//! The program as it is run, against a server in this process.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod contexts;
mod control;
mod pace;
mod page;
mod platform;
mod prices;
mod properties;
mod provisioning;
mod registrations;
mod resources;
mod support;
mod terminal;

//! Holds nothing. Selected together with a crate of the server that is checked alone, it asks for the features that other projects'
//! crates have in the whole workspace, so that what depends on them is compiled once for many of these checks. Only their time
//! depends on it: a feature that is missing here is another compilation.
//!
//! It names crates that no crate of the server uses itself, and of others features without functions, so that a crate of the server
//! that lacks a feature still does not compile. That does not hold for the features that `service-base`, `http-listener` and
//! `trunk-rules` ask for in the same way, such as all of `tokio`: the crates that depend on them have these too.

//! Holds nothing. Selected together with a crate of the server that is checked alone, it asks for the features that other projects'
//! crates have in the whole workspace, so that what depends on them is compiled once for many of these checks.
//!
//! It names crates that no crate of the server uses itself, and features without functions. So a crate of the server that lacks a
//! feature still does not compile.

//! The crate as its users see it, held against documents of the real service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![allow(clippy::needless_pass_by_value, reason = "a `json!` literal is handed over where it is written")]

mod bodies;
mod direct;
mod errors;
mod fixtures;
mod manifest;
mod properties;
mod registry;
mod round_trip;
mod secrets;
mod signatures;
mod strict;
mod tolerant;

//! Tests of the public interface against documents of the real service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]
#![allow(clippy::needless_pass_by_value, reason = "`json!` literals are passed by value")]

mod bodies;
mod callbacks;
mod catalogue;
mod direct;
mod errors;
mod fixtures;
mod inbound;
mod included;
mod manifest;
mod properties;
mod registry;
mod round_trip;
mod secrets;
mod setters;
mod signatures;
mod sms;
mod strict;
mod tolerant;

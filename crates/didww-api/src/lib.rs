//! Everything before a rule is asked: the key, the version, the negotiation, the limits, the headers.
//!
//! The loops that clients feed, and their bounds: a body that is wanted (`Limits::body_bytes` within
//! `Limits::body_deadline`), and one that is not (1 MiB within a second, then the connection is given up).

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod api;
mod headers;
mod jsonapi;
mod negotiate;
pub mod openapi;
mod router;
mod state;

pub use router::api_router;

pub use state::Api;

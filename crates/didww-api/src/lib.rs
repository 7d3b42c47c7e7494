//! DIDWW's API v3 as an HTTP service.
//!
//! The crate authenticates a request by its API key or its access token, which `token-service` checks, applies the rate
//! limit of the key or the account, selects the API version,
//! negotiates media types, and renders JSON:API documents with the headers of the real service. Its handlers are
//! generic over the registry of resources in `didww-types`. Whether a write is valid is decided by `trunk-rules`, and
//! records are kept by `trunk-store`: this crate names no resource and contains no rule about one. Beside the API it
//! serves the price services, whose look-ups `trunk-rules` decides.
//!
//! It refuses every path and method that the registry does not declare for the version of the request, and opens no
//! sockets: `http-listener` accepts the connections.
//!
//! Loops that clients feed, and their bounds:
//!
//! - The body of an operation that takes one: `Limits::body_bytes` within `Limits::body_deadline`.
//! - The body of any other request: 1 MiB within one second, then the connection is closed.
//! - The nesting of a JSON body: 64 levels.
//! - The relationships in one include path: 8. The identifiers of related records in one response: 100,000; the records
//!   that it includes: 16 MiB.

// Tests may read a bounded number of packets with methods that are disallowed elsewhere.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod api;
mod authentication;
mod download;
#[cfg(test)]
mod fixture;
mod headers;
mod idempotency;
mod jsonapi;
mod negotiate;
mod on_behalf;
pub mod openapi;
mod prices;
mod refused;
mod router;
mod state;

pub use api::refusal;
pub use authentication::account_of;
pub use on_behalf::OnBehalf;
pub use prices::services::{PricePlace, PricePlans, PriceService, PriceServices};
pub use prices::{price_paths, price_router};
pub use router::{api_router, api_shortcut, paths};
pub use state::Api;

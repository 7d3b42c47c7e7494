//! A durable, DIDWW-compatible outbound trunk provisioning service, also started inside a test.
//!
//! The binary `trunk-server` is a thin wrapper around [`Server`]. In a test, [`TestServer`] is the same service
//! on a random port, in memory, with an account and its API key:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = trunk_server::TestServer::start().await;
//! assert!(server.base_url().starts_with("http://127.0.0.1:"));
//! // Point any DIDWW SDK at `server.base_url()` with `server.api_key()`.
//! # }
//! ```
//!
//! This crate composes the others: it reads the configuration and the command line, opens the database, starts the
//! services, and stops them in order. It contains no logic of the API, of calls or of storage.
//!
//! Compatible with DIDWW, not affiliated with it.

// Tests may read a bounded number of packets with methods that are disallowed elsewhere.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod cli;
pub mod config;
mod demo;
mod server;
pub mod supervisor;
pub mod telemetry;
mod test_server;

pub use callbacks;
#[cfg(feature = "sip")]
pub use carrier_edge as edge;
pub use control_plane::{self as control, Control};
pub use didww_api::{PriceService, openapi};
pub use didww_types::Feature;
pub use http_listener as serve;
#[cfg(feature = "sip")]
pub use inbound_calls as inbound;
pub use lab;
pub use metrics;
pub use recorder;
pub use server::{Server, ServerBuilder, StartError};
pub use service_base::clock::Clock;
pub use service_base::descriptors::raise as raise_open_files;
pub use service_base::forwarded::{Proxies, ProxyHeader};
pub use service_base::guessing::GuessLimits;
pub use service_base::ids::Ids;
pub use test_server::{Expectation, TestServer, TestServerBuilder};
pub use token_service as tokens;
pub use trunk_store::{self as store, account};
#[cfg(feature = "voipbin")]
pub use voipbin_platform as voipbin;

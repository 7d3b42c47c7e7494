//! A durable, DIDWW-compatible outbound trunk provisioning service, also started inside a test.
//!
//! The binary `trunk-server` is a thin wrapper around [`Server`]. In a test, [`TestServer`] is the same service
//! on a random port, in memory, with an account and a key at hand:
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
//! Compatible with DIDWW, not affiliated with it.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod account;
#[cfg(feature = "sip")]
mod buckets;
pub mod callbacks;
pub mod cli;
mod clock;
pub mod config;
pub mod control;
mod core;
mod demo;
mod descriptors;
#[cfg(feature = "sip")]
pub mod edge;
#[cfg(feature = "sip")]
mod ending;
mod forwarded;
mod guessing;
mod http;
mod ids;
mod jsonapi;
#[cfg(feature = "sip")]
mod keep;
mod limiter;
#[cfg(feature = "sip")]
mod mailbox;
mod net;
pub mod openapi;
#[cfg(feature = "sip")]
mod places;
mod public_address;
pub mod serve;
mod server;
#[cfg(feature = "sip")]
mod sip;
pub mod store;
mod summed;
pub mod telemetry;
mod test_server;
mod turns;
#[cfg(feature = "voipbin")]
pub mod voipbin;

pub use clock::Clock;
pub use control::Control;
pub use descriptors::raise as raise_open_files;
pub use forwarded::{Proxies, ProxyHeader};
pub use guessing::GuessLimits;
pub use ids::Ids;
pub use server::{Server, ServerBuilder, StartError};
pub use test_server::{TestServer, TestServerBuilder};
